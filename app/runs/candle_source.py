"""The candles that a run traded on: of its own tape, or of the month files that its manifest names by their hash.

The rule: only candles that are surely the run's; what is no longer there is said and never replaced by something near
it. Warm-up candles are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from app.candles.cache import CandleCache
from app.candles.month_file import CandleColumns
from app.errors import DataError
from app.feeds.tape import has_tape, read_tape
from app.models.events import LateCandle
from app.models.market import Candle, Slice
from app.runs.run_inputs import ManifestCandles
from app.runs.run_read import RunOnDisk
from app.times import parse_time_ms


@dataclass(frozen=True)
class RunCandles:
    """By symbol in config order, each ascending; a symbol without any is absent. `problems` in sentences."""

    by_symbol: Mapping[str, CandleColumns] = field(default_factory=dict)
    problems: Sequence[str] = ()


def candles_of(run: RunOnDisk, caches: Sequence[CandleCache]) -> RunCandles:
    """What can be found."""
    if run.timeframe is None or not run.symbols:
        return RunCandles(
            problems=["The candles cannot be shown: nothing says which symbols and timeframe these were."]
        )
    try:
        if has_tape(run.folder):
            return _of_tape(run)
        return _of_caches(run, caches)
    except DataError as error:
        return RunCandles(problems=[f"The candles cannot be shown: {error}."])


def _of_caches(run: RunOnDisk, caches: Sequence[CandleCache]) -> RunCandles:
    named = run.manifest.get("data")
    if not named:
        return RunCandles(problems=["The candles cannot be shown: no manifest names the files that were read."])
    period = run.manifest["period"]
    start_ms, end_ms = parse_time_ms(period["start"]), parse_time_ms(period["end"])
    candles, timeframe = ManifestCandles(named, caches), str(run.timeframe)
    source = candles.of_session(timeframe, end_ms)
    found: dict[str, CandleColumns] = {}
    for symbol in run.symbols:
        parts = [source.read(symbol, timeframe, month) for month in source.months(symbol, timeframe)]
        if not parts:
            continue
        columns = CandleColumns(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        begin, end = columns.open_time_ms.searchsorted((start_ms, end_ms)).tolist()
        if begin < end:
            found[symbol] = columns.take(slice(begin, end))
    if not candles.lost:
        return RunCandles(found)
    places = ", ".join(str(cache.root) for cache in caches)
    lost = f"{len(candles.lost)} of {len(candles.hashes)} month files are no longer in {places}"
    return RunCandles(found, [f"Candles are missing from the charts: {lost}; --cache DIR says where to look."])


def _of_tape(run: RunOnDisk) -> RunCandles:
    taken: dict[str, dict[int, Candle]] = {symbol: {} for symbol in run.symbols}
    for record in read_tape(run.folder).records:
        event = record.event
        candles: tuple[Candle, ...] = ()
        if isinstance(event, Slice) and not event.warmup:
            candles = event.candles
        elif isinstance(event, LateCandle) and not event.warmup:
            candles = (event.candle,)
        for candle in candles:
            taken.setdefault(candle.symbol, {})[candle.open_time_ms] = candle
    return RunCandles({symbol: _columns(list(own.values())) for symbol, own in taken.items() if own})


def _columns(candles: Sequence[Candle]) -> CandleColumns:
    ordered = sorted(candles, key=lambda candle: candle.open_time_ms)
    return CandleColumns(
        np.array([candle.open_time_ms for candle in ordered], np.int64),
        *(
            np.array([getattr(candle, name) for candle in ordered], np.float64)
            for name in ("open", "high", "low", "close", "volume")
        ),
    )
