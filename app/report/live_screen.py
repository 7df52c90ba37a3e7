"""The live view of a session as lines of text: what fits a terminal of this width and height.

What a trader must see (feed, equity, a tripped kill switch, positions) comes first and is never pushed out by fills
and notes. It knows no terminal and no clock.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.models.market import Candle
from app.models.orders import MAIN, Fill, Line
from app.report.formats import clock_text, counts_text, figure, moment_text

Text = list[tuple[str, str]]  # pieces of text with a rich style
_LABEL = 11
_GOOD, _BAD, _WARN, _DIM = "green", "bold red", "yellow", "dim"


@dataclass(frozen=True)
class Shown:
    """What a session looks like at one moment; `status` is the content of its status file, None before it has begun."""

    folder: str = ""
    status: Mapping[str, Any] | None = None
    candles: Mapping[str, Candle] = field(default_factory=dict)
    stale: Sequence[str] = ()
    fills: Sequence[Fill] = ()
    notes: Sequence[str] = ()
    frame_age_s: float | None = None
    max_drawdown: float | None = None
    keeps: bool = False


def screen(shown: Shown, width: int, height: int) -> list[Text]:
    """At most `height` lines; the caller cuts each at `width`."""
    if shown.status is None:
        head: list[Text] = [[("Onetape", "bold"), ("  starting: warm-up, or the tape of an earlier start", _DIM)]]
        return [*head, *_listed("notes", shown.notes, height - 1)]
    status = shown.status
    lines = [_head(shown, status), *_feed(shown, status), *_account(shown, status), []]
    lines += [*_symbols(shown, status, width), []]
    lines += _funnel(status)
    end = "positions are kept" if shown.keeps else "every position is closed"
    foot: Text = [(f"Ctrl-C stops, {end}; a second one leaves at once", _DIM)]
    left = max(0, height - len(lines) - 1)
    fills = [fill_text(one) for one in shown.fills]
    for_notes = max(left // 2, left - len(fills) - 1)
    notes = _listed("notes", shown.notes, min(for_notes, len(shown.notes) + 1))
    lines += [*_listed("fills", fills, left - len(notes)), *notes]
    return [*lines[: height - 1], foot]


def fill_text(fill: Fill) -> str:
    """A fill in words, with its time."""
    return f"{clock_text(fill.time_ms)} {fill_words(fill)}"


def fill_words(fill: Fill) -> str:
    """A fill in words."""
    what = "opened" if fill.opens else f"closed ({fill.reason}), {fill.realized_pnl:+,.2f}"
    return f"{Line(fill.strategy, fill.symbol)} {fill.side.name} {what}: {fill.quantity:g} at {fill.price:,.8g}"


def _head(shown: Shown, status: Mapping[str, Any]) -> Text:
    last = status["last_slice_ms"]
    until = "no slice yet" if last is None else f"{moment_text(last)} UTC"
    mode = status.get("mode", "paper")
    return [(f"Onetape {mode}", "bold"), (f"  {status['exchange']} {status['timeframe']}  {until}  {shown.folder}", "")]


def _feed(shown: Shown, status: Mapping[str, Any]) -> Iterator[Text]:
    link = status["link"]
    if link is None:
        yield [_label("feed"), ("not connected yet", _WARN)]
        return
    state = ("up", _GOOD) if link["connected"] else ("DOWN", _BAD)
    age = "" if shown.frame_age_s is None else f"  last frame {shown.frame_age_s:.0f} s ago"
    lag = "" if link["lag_ms"] is None else f"  lag {link['lag_ms']:,} ms"
    counts = f"{age}{lag}  reconnects {max(0, link['connections'] - 1):,}  REST faults {link['rest_faults']:,}"
    counts += "".join(f"  {name} {link[name]:,}" for name in ("damaged", "ahead", "doubted") if link[name])
    yield [_label("feed"), state, (counts, "")]
    named = [
        f"{name} {', '.join(link[key])}" for name, key in (("late", "late"), ("asked for", "missing")) if link[key]
    ]
    late = f"late slices {link['late_slices']:,}, candles {link['late_candles']:,}  revised {link['revised_candles']:,}"
    yield [
        _label(""),
        ("  ".join(named) + "  " if named else "", _WARN),
        (f"{late}  backfilled {link['backfilled']:,}", ""),
    ]


def _account(shown: Shown, status: Mapping[str, Any]) -> Iterator[Text]:
    equity, peak = status["equity"], status["peak"]
    drawdown = 100.0 * (1.0 - equity / peak) if peak > 0 else 0.0
    limit = "" if shown.max_drawdown is None else f" of {100.0 * shown.max_drawdown:g}"
    yield [
        _label("equity"),
        (f"{equity:,.2f}", "bold"),
        (f"  balance {status['balance']:,.2f}  peak {peak:,.2f}  drawdown {drawdown:.2f}{limit} %", ""),
    ]
    if status["halted"]:
        trip = status["halts"][-1]
        since = f" since {moment_text(trip['time_ms'])}" if trip["time_ms"] else " since before the first slice"
        yield [_label("HALTED", _BAD), (trip["why"], _BAD), (since, "")]
        yield [_label(""), (f"`python -m app resume {shown.folder} --why ...` releases it", _WARN)]
    if status.get("closing"):
        yield [_label("CLOSING", _BAD), ("until everything is closed", _BAD)]
    if (real := status.get("real_orders")) is not None:
        yield from _real_orders(real)


def _real_orders(real: Mapping[str, Any]) -> Iterator[Text]:
    """What nobody knows of first; where stops rest; the account's stream and its last reconciliation."""
    for one in real["open"]:
        if one["unknown"]:
            states = ", ".join(f"{leg} {state}" for leg, state in one["states"].items())
            yield [_label("UNKNOWN", _BAD), (f"{one['client_id']} {one['kind']} {one['symbol']}: {states}", _BAD)]
    bare = [f"{line}: stop {one['place']}, {one['bare_s']:g} s" for line, one in real["stops"].items() if one["bare_s"]]
    if bare:
        yield [_label("stops", _BAD), ("  ".join(bare), _BAD)]
    stream = ("user stream up", _GOOD) if real["stream"] == "up" else (f"user stream DOWN: {real['stream']}", _BAD)
    checked_s = real["reconciled_s"]
    checked = "not reconciled yet" if checked_s is None else f"reconciled {checked_s:.0f} s ago"
    found = real["differences"]
    yield [
        _label("account"), stream, (f"  {len(real['open'])} orders open  {checked}", ""),
        (f"  {len(found)} DIFFERENCES: {found[0]}" if found else "", _BAD),
    ]  # fmt: skip


def _symbols(shown: Shown, status: Mapping[str, Any], width: int) -> list[Text]:
    """A row a symbol with its last candle, and one more for each further strategy that holds something on it.

    Columns that do not fit are left out.
    """
    link = status["link"] or {"late": (), "missing": ()}
    symbols, places = list(status["symbols"]), _places(status)
    marks = {
        symbol: "late" if symbol in link["late"] else "stale" if symbol in shown.stale else
        "asked" if symbol in link["missing"] else ""
        for symbol in symbols
    }  # fmt: skip
    is_first = [number == 0 or place.symbol != places[number - 1].symbol for number, place in enumerate(places)]
    candles = [shown.candles.get(one.symbol) if first else None for one, first in zip(places, is_first, strict=True)]
    held = [one.position for one in places]
    columns: list[tuple[str, list[str], int]] = [
        ("symbol", [one.symbol if first else "" for one, first in zip(places, is_first, strict=True)], 0),
        ("strategy", ["" if one.strategy == MAIN else one.strategy for one in places], 0),
        ("candle", [
            _candle_time(candle, marks[one.symbol]) if first else ""
            for one, candle, first in zip(places, candles, is_first, strict=True)
        ], 0),
        ("close", [figure(None if one is None else one.close, "{:,.8g}", "") for one in candles], 0),
        ("volume", [figure(None if one is None else one.volume, "{:,.5g}", "") for one in candles], 4),
        ("position", [_position(one.position, one.order) for one in places], 0),
        ("entry", [_held(one, "entry") for one in held], 3),
        ("stop", [_held(one, "stop") + (" moved" if one and one.get("moved_by") else "") for one in held], 1),
        ("target", [_held(one, "target") for one in held], 1),
        ("legs", [str(len(one["legs"])) if one and one.get("legs") else "" for one in held], 2),
        ("unrealised", [_held(one, "unrealised", "{:+,.2f}") for one in held], 0),
    ]  # fmt: skip
    columns = [one for one in columns if one[0] not in ("strategy", "legs") or any(one[1])]
    widths = [max(len(title), *map(len, cells)) for title, cells, _ in columns]
    while sum(widths) + 2 * (len(widths) - 1) > width and any(rank for _, _, rank in columns):
        worst = max(range(len(columns)), key=lambda place: columns[place][2])
        del columns[worst], widths[worst]
    titles = [title for title, _, _ in columns]
    lines: list[Text] = [[(_row(titles, titles, widths), _DIM)]]
    for number, place in enumerate(places):
        row = _row([cells[number] for _, cells, _ in columns], titles, widths)
        lines.append([(row, _row_style(marks[place.symbol], place.position))])
    return lines


@dataclass(frozen=True)
class _Place:
    """A row of the table: a symbol, and what one strategy holds on it, if one does."""

    symbol: str
    strategy: str = MAIN
    position: Mapping[str, Any] | None = None
    order: Mapping[str, Any] | None = None


def _places(status: Mapping[str, Any]) -> list[_Place]:
    held = [_Place(one["symbol"], one.get("strategy", MAIN), position=one) for one in status["positions"]]
    held += [_Place(one["symbol"], one["strategy"], order=one) for one in status["orders"]]
    return [
        place
        for symbol in status["symbols"]
        for place in [one for one in held if one.symbol == symbol] or [_Place(symbol)]
    ]


def _row_style(mark: str, position: Mapping[str, Any] | None) -> str:
    if mark:
        return _WARN
    if position is None:
        return ""
    return _GOOD if position["unrealised"] > 0 else "red"


def _row(cells: Sequence[str], titles: Sequence[str], widths: Sequence[int]) -> str:
    left = ("symbol", "strategy", "candle")
    return "  ".join(
        cell.ljust(width) if title in left else cell.rjust(width)
        for cell, title, width in zip(cells, titles, widths, strict=True)
    )


def _funnel(status: Mapping[str, Any]) -> Iterator[Text]:
    funnel = status["funnel"]
    signals = {name: count for name, count in funnel["signals"].items() if count}
    refused = {**funnel["refused_by_risk"], **funnel["refused_by_gate"]}
    ignored = sum(funnel["ignored"].values())
    counts = f"  ignored {ignored:,}  orders {funnel['orders_submitted']:,}"
    yield [_label("funnel"), (_counted("signals", sum(signals.values()), signals) + counts, "")]
    if any(refused.values()):
        yield [_label(""), (_counted("refused", sum(refused.values()), refused), "")]


def _counted(name: str, total: int, reasons: Mapping[str, int]) -> str:
    detail = counts_text(reasons)
    return f"{name} {total:,}{f' ({detail})' if detail else ''}"


def _listed(name: str, texts: Sequence[str], most: int) -> list[Text]:
    """A heading and the newest texts, the newest last; nothing where nothing fits."""
    if most < 2 or not texts:
        return []
    return [[(name, _DIM)], *([(f"  {text}", "")] for text in texts[-(most - 1) :])]


def _label(name: str, style: str = _DIM) -> tuple[str, str]:
    return f"{name:<{_LABEL}}", style


def _candle_time(candle: Candle | None, mark: str) -> str:
    text = "none" if candle is None else clock_text(candle.open_time_ms)
    return f"{text} {mark}" if mark else text


def _position(position: Mapping[str, Any] | None, order: Mapping[str, Any] | None) -> str:
    if position is not None:
        return f"{position['side']} {position['quantity']:g}"
    if order is None:
        return "-"
    return "order pending" if order["limit"] is None else f"{order['side']} limit {order['limit']:,.8g}"


def _held(position: Mapping[str, Any] | None, name: str, form: str = "{:,.8g}") -> str:
    return "" if position is None else form.format(position[name])
