"""The exception tree: faults that a user or the world can cause, apart from programming errors.

Every `OnetapeError` ends as one line on standard error and exit status 2; anything else is a bug and
keeps its traceback (exit status 1). A message says what was wrong, where, and what would be right.

    OnetapeError
    +-- ConfigError      a key, value, file or argument of the configuration (ConflictError: two that do not fit)
    +-- DataError        candles that are absent, unreadable or contradict each other
    |   +-- NewerFormatError   a cache file that a newer Onetape wrote
    +-- ExchangeError    an exchange that was asked
    |   +-- UnavailableError   no answer, or one that cannot be used: worth another try
    |   +-- RateLimitError     too many requests: worth another try after a wait
    |   +-- RefusedError       it will not answer this: not worth another try (BlockedError: nor anything else)
    +-- StoppedError     a fetch that the operator ended
    +-- StrategyError    a strategy that cannot be loaded, or answers with what is no Signal
    +-- OrderError       an order that must never reach a broker
    +-- OutputError      a run folder that cannot be written, or already holds a finished run
"""


class OnetapeError(Exception):
    """An expected fault; its text is the one line that the user reads."""


class ConfigError(OnetapeError):
    """A configuration that cannot be run."""


class ConflictError(ConfigError):
    """Keys that are right each for itself, and not together; `rule` says what they break, without their values."""

    def __init__(self, message: str, rule: str = "") -> None:
        super().__init__(message)
        self.rule = rule or message


class DataError(OnetapeError):
    """Candles that are absent, unreadable or contradict each other."""


class NewerFormatError(DataError):
    """A cache file in a format that only a newer Onetape reads; it must stay as it is."""


class ExchangeError(OnetapeError):
    """An exchange was asked and the answer is none that can be used."""


class UnavailableError(ExchangeError):
    """No answer, or one that cannot be used; `tries` is how often asking makes sense, None the usual number."""

    def __init__(self, message: str, tries: int | None = None) -> None:
        super().__init__(message)
        self.tries = tries


class RateLimitError(ExchangeError):
    """Too many requests (429), or `banned` for it (418); `retry_after_s` as the exchange says it, if it does."""

    def __init__(self, message: str, retry_after_s: float | None = None, *, banned: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.banned = banned


class RefusedError(ExchangeError):
    """The exchange will not answer this, however often it is asked."""


class BlockedError(RefusedError):
    """The exchange refuses whatever comes from this address, or is not there at all: 403, 451, 404."""


class StoppedError(OnetapeError):
    """The operator ended a fetch; what came before is stored."""


class StrategyError(OnetapeError):
    """A strategy that cannot be loaded or answers with nonsense."""


class OrderError(OnetapeError):
    """An order that must never reach a broker: unknown symbol, impossible quantity, stop on the wrong side."""


class OutputError(OnetapeError):
    """Results that cannot be written where they were asked for."""


def first_cause(error: BaseException) -> BaseException:
    """What a task group wraps: the thing that went wrong itself, a programming error before an expected fault."""
    while isinstance(error, BaseExceptionGroup):
        bugs = [inner for inner in error.exceptions if not isinstance(inner, OnetapeError)]
        error = (bugs or error.exceptions)[0]
    return error
