"""Runs a run again from what its manifest says, into a folder that is gone afterwards, and holds the hashes together.

The outputs decide; a hash of what went in that differs is told first, because it says why the outputs may. A run with a
tape is replayed from it, every digest checked.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.candles.cache import CandleCache
from app.candles.manifest_candles import finer_of
from app.errors import ConfigError, DataError, OnetapeError
from app.proof.static_causes import differing_settings
from app.runs.manifest import code_sha256
from app.runs.reader import Run
from app.runs.run_inputs import replayed_tape
from app.session.backtest import ConfigBacktestRunner
from app.session.tape_replay import TapeRunner
from app.session.what_if import WhatIfRunner

# In the order in which they are asked: each may explain those after it.
MEANINGS = {
    "settings_sha256": "the settings are read differently by this version, or the manifest was edited",
    "data_sha256": "the candles are not those that the run read: a month file has changed, or has grown",
    "strategy_sha256": "the strategy's file has changed",
    "code_sha256": "Onetape's code has changed",
    "outputs_sha256.trades": "the trade log is another one",
    "outputs_sha256.signals": "the signals are others",
    "outputs_sha256.equity": "the equity rows are others",
}


@dataclass(frozen=True)
class Check:
    """One hash: as the manifest has it, and of the run made again."""

    name: str
    before: str
    again: str

    @property
    def is_same(self) -> bool:
        """Whether both are one."""
        return self.before == self.again


@dataclass(frozen=True)
class Reproduction:
    """What running it again gave; `notes` say more about a difference."""

    run: Run
    checks: Sequence[Check]
    notes: Sequence[str]

    @property
    def first_difference(self) -> Check | None:
        """The first hash that differs."""
        return next((check for check in self.checks if not check.is_same), None)

    @property
    def is_same(self) -> bool:
        """Whether the outputs are the same, whatever went in."""
        return all(check.is_same for check in self.checks if check.name.startswith("outputs_sha256."))


async def reproduce(run: Run, cache: CandleCache) -> Reproduction:
    """Run it again; an OnetapeError says why that cannot be done."""
    with tempfile.TemporaryDirectory(prefix="onetape-reproduce-") as name:
        out = Path(name) / "run"
        try:
            if run.is_live:
                await TapeRunner(run.folder, out).run_async()
            elif run.what_if is not None:
                await WhatIfRunner(replayed_tape(run), run.what_if, out, run.tape_last_seq).run_async()
            elif run.tape is not None:
                await TapeRunner(replayed_tape(run), out, run.tape_last_seq).run_async()
            else:
                await _backtest(run, cache, out)
        except OnetapeError as error:
            raise type(error)(f"{run.folder} cannot be run again: {error}{_other_code(run)}") from error
        again = Run.open(out)
    checks = [Check(key, _hash(run.manifest, key), _hash(again.manifest, key)) for key in MEANINGS]
    return Reproduction(run, checks, list(_notes(run, again)))


async def _backtest(run: Run, cache: CandleCache, out: Path) -> None:
    _refuse_lost_candles(run, cache)
    start_ms, end_ms = run.period_ms
    runner = ConfigBacktestRunner(
        config=run.settings, start=start_ms, end=end_ms, cache=cache.root, out=out, offline=True,
        finer=finer_of(run.manifest["data"], run.timeframe),
    )  # fmt: skip
    await runner.run_async()


def holder_of(run: Run, caches: Sequence[CandleCache]) -> CandleCache:
    """The first cache that has all months of the run's manifest; none has: the first."""
    return next((cache for cache in caches if not any(gone for _, gone in _lost_months(run, cache))), caches[0])


def _refuse_lost_candles(run: Run, cache: CandleCache) -> None:
    if not run.manifest["data"]:
        raise DataError("it has no tape and names neither one nor candles")
    for series, gone in _lost_months(run, cache):
        if gone:
            raise DataError(f"the cache {cache.root} has no {series} of {', '.join(gone)}; --cache names another")


def _lost_months(run: Run, cache: CandleCache) -> Iterator[tuple[str, list[str]]]:
    for series, months in run.manifest["data"].items():
        symbol, _, timeframe = series.rpartition(" ")
        there = cache.months(symbol, timeframe)
        yield series, [month for month in months if month not in there]


def _notes(run: Run, again: Run) -> list[str]:
    notes = []
    before, now = run.manifest["data"], again.manifest["data"]
    for series, months in before.items():
        changed = [month for month, sha256 in months.items() if now.get(series, {}).get(month) != sha256]
        if changed:
            notes.append(f"other candles of {series}: {', '.join(changed)}")
    notes += [f"setting {told}" for told in differing_settings(run.settings, again.settings)]
    was, is_now = run.manifest.get("versions", {}), again.manifest.get("versions", {})
    notes += [f"version of {name}: {was.get(name)}, now {is_now.get(name)}" for name in sorted({*was, *is_now})
              if was.get(name) != is_now.get(name)]  # fmt: skip
    notes += [
        f"{run.file(key)} is not the file that the run wrote"
        for key in ("trades", "signals", "equity")
        if not run.is_untouched(key)
    ]
    return notes


def _other_code(run: Run) -> str:
    if run.manifest.get("code_sha256") == code_sha256():
        return ""
    onetape = run.manifest.get("versions", {}).get("onetape", "?")
    return f" (it was made by other code, Onetape {onetape})"


def _hash(manifest: Mapping[str, Any], key: str) -> str:
    first, _, rest = key.partition(".")
    value = manifest.get(first)
    found = value.get(rest) if rest and isinstance(value, dict) else value
    if not isinstance(found, str):
        raise ConfigError(f"the manifest has no {key}; it is of another version")
    return found
