"""What comes with the package: the default profile, and the sample candles with a profile of their own.

In the checkout the two folders here are links to `config/` and `data/sample/`; an installed package holds the files.
"""

from pathlib import Path

DEFAULT_CONFIG = Path("config/live.yaml")  # where the user stands
DEFAULT_CACHE = Path("data/backtest_cache")

SHIPPED_CONFIG = Path(__file__).with_name("config") / "live.yaml"
SAMPLE_CONFIG = SHIPPED_CONFIG.parent / "sample" / "live.yaml"
SAMPLE_CACHE = Path(__file__).with_name("candles")
RUN_CACHES = (DEFAULT_CACHE, SAMPLE_CACHE)  # where the candles of a finished run are looked for, by their hash
SAMPLE_PERIOD = ("2017-08-17T04:00", "2024-01-02")


def default_config() -> Path:
    """The profile where the user stands; where there is not a file of one, the one that comes with the package."""
    files = ("live.yaml", "risk.json", "trading_mode.yaml")
    return DEFAULT_CONFIG if any(DEFAULT_CONFIG.with_name(file).exists() for file in files) else SHIPPED_CONFIG
