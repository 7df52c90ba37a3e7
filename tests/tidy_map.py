"""The import map of app: rooms one above the other, as DESIGN.md draws them; imports go down only, without exception.

A room may import the rooms below it and its own files. At the root lie the package itself (the programmatic API),
`__main__`, and three files that every room may import. What is imported for types only is free.
"""

# From the top floor down.
FLOORS = (
    "cli", "web", "research", "proof", "report", "session", "runs", "runtime", "trading", "strategies", "feeds",
    "exchange", "candles", "settings", "models",
)  # fmt: skip
# A room that stands beside the others: a program of its own, which only the command line knows.
BESIDE = {"testnet": ("models", "candles")}
# At the root: what may be imported from everywhere, and what each of these may import itself.
ROOT_FILES = {"errors": (), "times": ("errors",), "log": ("errors",)}
# The package is the programmatic API, and `__main__` the program.
TOP = {"app": ("report", "session", "runs", "strategies"), "app.__main__": ("cli",)}

# What a room or a file must never see, though it lies below. `app.times.now_ms` is the real clock.
NEVER = {
    "app.runtime": (
        "app.settings", "app.candles", "app.exchange", "app.feeds", "app.strategies.loader", "app.times.now_ms",
        "app.times.monotonic_s", "app.trading.paper_trader",
    ),
    "app.trading": ("app.candles", "app.exchange", "app.feeds", "app.strategies", "app.times.now_ms"),
    "app.strategies": ("app.candles", "app.exchange", "app.feeds", "app.times.now_ms", "app.times.monotonic_s"),
    "app.candles": ("app.settings",),
    "app.exchange": ("app.settings",),
    "app.feeds": ("app.settings",),
    "app.models": ("app.errors", "app.log"),
}  # fmt: skip
# The engine is read in an evening: what decides and fills, whatever feeds it.
ENGINE = ("app.runtime", "app.trading", "app.models", "app.strategies.base", "app.feeds.base", "app.feeds.replay")
# The second broker is read on another evening.
REAL_ORDERS = (
    "app.trading.exchange_broker", "app.trading.exchange_lines", "app.trading.order_book", "app.trading.brackets",
    "app.trading.reconciliation", "app.trading.handed_over", "app.models.intents",
)  # fmt: skip
ENGINE_LINES = 3100  # wanted are 2,300: what does not make a candle into a fill should find another room
