"""The waits that a user gets fit what the exchange's documents say."""

from app.exchange.order_times import DEFAULT_TIMES


def test_the_defaults_fit_the_exchange() -> None:
    assert DEFAULT_TIMES.answer_s > 10.0  # its own limit: what it says then is heard
    assert DEFAULT_TIMES.late_ms >= 10_000  # so long it may work on a request that came in time
    assert DEFAULT_TIMES.ask_s < DEFAULT_TIMES.answer_s  # a lost answer does not cost the whole wait
    assert DEFAULT_TIMES.longest_s >= DEFAULT_TIMES.poll_s
