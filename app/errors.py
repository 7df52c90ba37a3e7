"""The exception tree: faults that a user or the world can cause, apart from programming errors.

Every `OnetapeError` ends as one line on standard error and exit status 2; anything else is a bug and
keeps its traceback (exit status 1). A message says what was wrong, where, and what would be right.

    OnetapeError
    +-- ConfigError      a key, value, file or argument of the configuration
    +-- DataError        candles that are absent, unreadable or contradict each other
    +-- StrategyError    a strategy that cannot be loaded, or answers with what is no Signal
    +-- OrderError       an order that must never reach a broker
    +-- OutputError      a run folder that cannot be written, or already holds a finished run
"""


class OnetapeError(Exception):
    """An expected fault; its text is the one line that the user reads."""


class ConfigError(OnetapeError):
    """A configuration that cannot be run."""


class DataError(OnetapeError):
    """Candles that are absent, unreadable or contradict each other."""


class StrategyError(OnetapeError):
    """A strategy that cannot be loaded or answers with nonsense."""


class OrderError(OnetapeError):
    """An order that must never reach a broker: unknown symbol, impossible quantity, stop on the wrong side."""


class OutputError(OnetapeError):
    """Results that cannot be written where they were asked for."""
