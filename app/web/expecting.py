"""Names the backtest that a session is expected to live up to, and renews where the session stands against it.

It reads the session's files from outside and writes RUN/expectation.json alone. A band once drawn is kept: another
backtest, or other trials, would be a promise made after the fact.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.errors import ConfigError, ConflictError, DataError
from app.proof.static_causes import deciding_settings
from app.research.expectation import expected_band
from app.research.monte_carlo import ledger_of
from app.runs.expectation_file import EXPECTATION, FORMAT, beginning, read_expectation, renewed
from app.runs.quotients import Floats
from app.runs.reader import Run, read_json
from app.runs.run_folder import write_json
from app.settings.alerts import AlertSettings
from app.times import iso_ms

TRADES_MIN, DAYS, SEED = 30, 180, 1
_DIGITS = 8
_NO_MATTER = ("trading_mode.starting_balance", "trading_mode.on_stop", "live.instruments")  # for growth


def name_expectation(run: Path, backtest: Path, trials: int | None = None, days: int = DAYS) -> dict[str, Any]:
    """Draw the band and write it with the session's standing; one that is there of the same question stays.

    `trials` None: those of the study whose best the backtest is, else 1. DataError, ConfigError or ConflictError
    where the backtest can promise nothing for this session.
    """
    source = Run.open(backtest)
    returns = returns_of(source)
    start_ms, settings = beginning(run)
    _check_alike(run, start_ms, settings, source)
    honest, told = (trials, "given") if trials is not None else _trials_of(backtest)
    asked = {"outputs_sha256": source.manifest["outputs_sha256"], "trials": honest, "expected_days": days}
    before = read_expectation(run)
    if before is not None:
        if any(before[name] != value for name, value in asked.items()):
            raise ConflictError(
                f"{run}: it was measured against {before['backtest']} ({before['trials']:,} trials, "
                f"{before['expected_days']} days) already; remove {run / EXPECTATION} to begin anew",
                "the same backtest, trials and days",
            )
        return refresh_expectation(run)
    band = expected_band(returns, honest, days, seed=SEED)
    bounds = {name: [round(one, _DIGITS) for one in own.tolist()] for name, own in vars(band).items()}
    about = {"format": FORMAT, "backtest": str(backtest), **asked, "trials_from": told, "start": iso_ms(start_ms)}
    return _written(run, {**about, "backtest_days": int(returns.size), **bounds})


def refresh_expectation(run: Path) -> dict[str, Any]:
    """The standing by the equity that is written by now; ConfigError where no backtest was named."""
    content = read_expectation(run)
    if content is None:
        raise ConfigError(
            f"{run}: no backtest was named that it should live up to; `python -m app expect RUN BACKTEST`"
        )
    return _written(run, content)


def keep_expectation(run: Path, wanted: AlertSettings) -> dict[str, Any]:
    """What a watch calls once a UTC day: names the backtest of alerts.yaml if there is one, renews; empty without."""
    if wanted.expect is not None:
        return name_expectation(run, Path(wanted.expect).expanduser(), wanted.expect_trials, wanted.expect_days)
    return refresh_expectation(run) if (run / EXPECTATION).exists() else {}


def returns_of(backtest: Run) -> Floats:
    """Its daily returns; DataError for too few trades, or where its equity ran out."""
    ledger = ledger_of(backtest)
    if ledger.pnl.size < TRADES_MIN:
        raise DataError(f"{backtest.folder}: a band needs {TRADES_MIN} closed trades, it has {ledger.pnl.size}")
    if ledger.daily_returns is None:
        raise DataError(f"{backtest.folder}: its equity ran out, so it promises nothing")
    return ledger.daily_returns


def _written(run: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    found = renewed(run, content)
    write_json(run / EXPECTATION, found)
    return found


def _check_alike(run: Path, start_ms: int, settings: Mapping[str, Any], backtest: Run) -> None:
    """Returns of other symbols, strategies, sizes or costs say nothing of this session's."""
    for key, expected, own in deciding_settings(backtest.settings, settings):
        if not key.startswith(_NO_MATTER):
            raise ConfigError(
                f"{backtest.folder}: its {key} is {expected}, and {run} has {own}; a run of the same is needed"
            )
    if backtest.period_ms[1] > start_ms:
        raise ConfigError(
            f"{backtest.folder}: it ends {iso_ms(backtest.period_ms[1])}, after {run} began ({iso_ms(start_ms)}); what "
            "is expected must have been known by then"
        )


def _trials_of(backtest: Path) -> tuple[int, str]:
    """A search leaves its best in STUDY/best-N, beside study.json."""
    folder = backtest.resolve()
    path = folder.parent / "study.json"
    if not folder.name.startswith("best-") or not path.exists():
        return 1, "assumed: no study lies beside it"
    return max(1, int(read_json(path, 1)["trials_distinct"])), f"by {path.name}"
