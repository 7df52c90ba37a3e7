"""The result of a walk-forward: the content of walk_forward.json, and the same as text for the console.

It is built from the windows and the stitched account. What is undefined is null; what a reader could take for more than
it is (kill switch, rest, efficiency) is said in words beside it.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.candles.cache import CandleCache
from app.report.formats import figure
from app.report.text_table import text_table
from app.research.stitching import stitch
from app.research.walk_forward import FORMAT, Walk, efficiency
from app.research.windows import Span
from app.runs.run_folder import new_folder
from app.session.candle_supply import Supply
from app.times import file_time, iso_ms, parse_time_ms, short_time

Block = dict[str, Any]
NOTES = (
    "each window is a run of its own: it begins with the balance that the one before it left, and ends flat",
    "the peak and the kill switch begin anew with each window; a window that halted stays halted to its end",
    "efficiency is out-of-sample over in-sample return a year, as simple interest; n/a without an in-sample gain",
)


def default_folder(walk: Walk) -> Path:
    """A new one below logs/walk_forward."""
    name = f"walk_forward_{file_time(walk.period.start_ms)}_{file_time(walk.period.end_ms)}"
    return new_folder(Path("logs/walk_forward"), name)


def walk_content(walk: Walk, blocks: Sequence[Block], folder: Path) -> Block:
    """Stitches the windows in `folder` and sums up; the content of walk_forward.json."""
    windows = walk.windows
    span = Span(windows[0].out_of_sample.start_ms, windows[-1].out_of_sample.end_ms)
    name = f"walk_forward_{file_time(span.start_ms)}_{file_time(span.end_ms)}"
    supply = Supply(CandleCache(Path(walk.runner.cache)), offline=True)
    candles = supply.with_finer(walk.settings, span.start_ms, span.end_ms).candles(walk.settings, walk.period.end_ms)
    account = stitch(blocks, folder, name, walk.settings, candles)
    traded = [block for block in blocks if block["best"] is not None]
    gains = sum(block["out_of_sample"]["return_pct"] > 0.0 for block in traded)
    return {
        "format": FORMAT,
        "period": {"start": iso_ms(span.start_ms), "end": iso_ms(span.end_ms)},
        "rule": walk.identity["rule"],
        "search": dict(walk.search),
        "unused_days": Span(span.end_ms, walk.period.end_ms).days,
        "efficiency": efficiency(blocks),
        "windows_traded": len(traded),
        "windows_with_a_gain": gains,
        "windows_halted": sum(block["out_of_sample"]["halted"] for block in blocks),
        "notes": list(NOTES),
        "windows": list(blocks),
        **account,
    }


def walk_lines(found: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """All lines."""
    rule, search, performance = found["rule"], found["search"], found["performance"]
    kind = "anchored" if rule["anchored"] else "rolling"
    halted, untraded = found["windows_halted"], len(found["windows"]) - found["windows_traded"]
    windows = f"{found['windows_with_a_gain']} of {found['windows_traded']} that traded gained"
    windows += (f", {untraded} did not trade" if untraded else "") + (f", {halted} halted" if halted else "")
    params = ", ".join(search["params"])
    yield (
        f"Onetape walk-forward: {len(found['windows'])} {kind} windows, {rule['in_sample_days']:g} days in sample, "
        f"{rule['out_of_sample_days']:g} out of it, embargo {rule['embargo_days']:g}; {search['method']}, "
        f"{search['trials']:,} trials for {search['objective']} over {params}, seed {search['seed']}"
    )
    yield ""
    header = ("window", "out of sample", "best", "in %", "out %", "eff.", "max DD %", "trades", "balance", "")
    yield text_table(header, [_row(block) for block in found["windows"]], numbers=7)
    yield ""
    for label, text in (
        ("Out of sample", f"{_time(found['period']['start'])} to {_time(found['period']['end'])} UTC, one account"),
        ("Final balance", f"{performance['final_balance']:,.2f} from {performance['starting_balance']:,.2f}"),
        ("Total return", f"{performance['total_return_pct']:+.2f} %"),
        ("Maximum drawdown", f"{performance['max_drawdown_pct']:.2f} %"),
        ("Total trades", f"{performance['total_trades']:,}"),
        ("Sharpe ratio", figure(performance["sharpe"])),
        ("Calmar ratio", figure(performance["calmar"])),
        ("Profit factor", figure(performance["profit_factor"])),
        ("Buy and hold", figure((found["buy_and_hold"] or {}).get("return_pct"), "{:+.2f} %")),
        ("Efficiency", figure(found["efficiency"])),
        ("Windows", windows),
    ):
        yield f"{label + ':':<20}{text}"
    yield ""
    if found["unused_days"]:
        yield f"the last {found['unused_days']:g} days are shorter than an out-of-sample span: not traded"
    yield from found["notes"]
    yield f"the command of each window is in {folder / 'walk_forward.json'}"


def window_line(block: Mapping[str, Any]) -> str:
    """One window as it is done."""
    in_sample, out = block["in_sample"], block["out_of_sample"]
    span = f"window {block['number']}: {_time(out['start'])} to {_time(out['end'])}"
    if block["best"] is None:
        return f"{span}: no best in sample, not traded; balance {out['final_balance']:,.2f}"
    return (
        f"{span}: {_best(block)}; in sample {in_sample['return_pct']:+.2f} %, out of it {out['return_pct']:+.2f} %, "
        f"balance {out['final_balance']:,.2f}"
    )


def _row(block: Mapping[str, Any]) -> tuple[str, ...]:
    out, in_sample = block["out_of_sample"], block["in_sample"]
    marks = [name for name, half in (("halted", out), ("halted in sample", in_sample)) if half["halted"]]
    return (
        str(block["number"]),
        f"{_time(out['start'])} to {_time(out['end'])}",
        _best(block),
        figure(in_sample["return_pct"], "{:+.2f}", "-"),
        f"{out['return_pct']:+.2f}",
        figure(block["efficiency"]),
        f"{out['max_drawdown_pct']:.2f}",
        f"{out['trades']:,}",
        f"{out['final_balance']:,.2f}",
        ", ".join(marks),
    )


def _best(block: Mapping[str, Any]) -> str:
    if block["best"] is None:
        return "not traded: no trial had a value" if block["trials"] else "not traded: nothing is left"
    return " ".join(override.removeprefix("strategy.params.") for override in block["best"])


def _time(text: str) -> str:
    return short_time(parse_time_ms(text))
