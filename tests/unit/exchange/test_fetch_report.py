"""What a fetch says of itself in one line."""

from app.exchange.fetch_report import FetchReport
from app.exchange.series_fetch import SeriesReport


def report(**changes: object) -> FetchReport:
    made = FetchReport(
        "binanceus", "binanceus", "1m", 0, 60_000, [SeriesReport("A/B", "1m", new=3), SeriesReport("C/D", "1m", new=4)]
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_nothing_to_do_is_said() -> None:
    assert report().summary() == "nothing was missing; no request was made"


def test_what_came_from_where_and_at_what_cost() -> None:
    assert report().new == 7
    said = report(requests=5, weight=14, elapsed_s=1.25)
    assert said.summary() == "7 candles from binanceus in 1.2 s: 5 requests of weight 14"
    said = report(requests=5, weight=14, elapsed_s=1.25, retried=2, host="http://127.0.0.1:1")
    assert said.summary() == (
        "7 candles from binanceus at http://127.0.0.1:1 in 1.2 s: 5 requests of weight 14, 2 of them asked again"
    )
