"""alerts.yaml: what an operator wants to hear of, each kind with its own threshold; null turns a kind off.

It is a file of its own, beside the profile: alerts change nothing of what a session decides, so they are not among the
settings whose hash is on the tape. Addresses are secrets and never in it.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from app.errors import ConfigError
from app.settings.config_problems import first_problem
from app.settings.config_text import Sources, read_mapping
from app.settings.strategies import Count, Positive, Section

Threshold = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)] | None
URLS, HEARTBEAT = "ONETAPE_ALERT_URLS", "ONETAPE_HEARTBEAT_URL"


class AlertSettings(Section):
    """Seconds for which something must last before it is told, unless the name says otherwise."""

    heartbeat_s: Threshold = 60  # the status is that old, or the process is gone
    feed_down_s: Threshold = 120
    candle_age_s: Threshold = 600  # after the next candle is due
    stale_s: Threshold = 300  # one symbol of several has no candle of its own
    unprotected_s: Threshold = 30
    unknown_order_s: Threshold = 60
    differs_s: Threshold = 0
    halted: bool = True
    restarts: bool = True  # a session that was continued, and a new epoch
    ended: bool = True
    slow_strategy: bool = True
    disk_free_mib: Threshold = 500
    fills: bool = False
    daily: bool = False
    together_s: Positive = 300  # after a restart or a slow event has been told, further ones come as one
    repeat_s: Positive | None = None  # what lasts is told again; null: once, and once when it is over
    ping_s: Positive = 60  # of the heartbeat address
    expect: str | None = None  # the folder of the backtest that the session should live up to
    expect_trials: Count | None = None  # of which it is the best; null: as many as its study has, else 1
    expect_days: Count = 180
    urls_file: str | None = None  # a file of mode 0600, an address a line, instead of the environment


def read_alerts(path: Path | None) -> AlertSettings:
    """The file, or what holds without one; ConfigError names a key that is wrong."""
    if path is None:
        return AlertSettings()
    try:
        return AlertSettings.model_validate(read_mapping(path))
    except ValidationError as error:
        content = read_mapping(path)
        raise ConfigError(
            first_problem(error, AlertSettings, "alerts", content, Sources({"alerts": str(path)}))
        ) from None


def read_urls(settings: AlertSettings, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Where alerts go; ConfigError where there is no address, or others may read the file."""
    if settings.urls_file is None:
        found = tuple(environment.get(URLS, "").split())
        if not found:
            raise ConfigError(
                f"no address for alerts: set {URLS} (several apart by spaces), or urls_file in alerts.yaml"
            )
        return found
    path = Path(settings.urls_file).expanduser()
    try:
        about, text = path.stat(), path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"urls_file {path} cannot be read: {error}") from None
    if os.name == "posix" and stat.S_IMODE(about.st_mode) & 0o077:
        raise ConfigError(f"urls_file {path} may be read by others: `chmod 600 {path}`")
    lines = [line.strip() for line in text.splitlines()]
    found = tuple(line for line in lines if line and not line.startswith("#"))
    if not found:
        raise ConfigError(f"urls_file {path} holds no address; write one a line")
    return found
