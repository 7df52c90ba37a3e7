"""The page of one run as markup: its sections from top to bottom, then the data and the scripts that draw it.

Nothing is computed here: the front of this package, making, gives the content.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape as text
from typing import Any, NamedTuple

from app.report import sections
from app.report.refused_entries import RefusedTotals
from app.report.rendering import cell, document, key_table, pairs, script_files, script_json, table
from app.runs.run_on_disk import RunOnDisk

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LEGS_NOTE = '<p class="note">Partial targets are legs: each closed a part of a trade, which has its own reason.</p>'
_MANAGED_KEYS = '\n<span class="key">◆ leg</span><span class="key stop">┅ a moved stop, in steps</span>'
_STRATEGY_FILTER = (
    '<select id="f-strategy" aria-label="Strategy of the trades"><option value="">all strategies</option></select>\n'
)
_SCRIPTS = ("packing.js", "theme.js", "lines.js", "trade_marks.js", "candles.js", "trades.js", "report.js")


class PageContent(NamedTuple):
    """What making has picked: `data` and the packed `trades` and `chunks` are read by the page's scripts."""

    run: RunOnDisk
    title: str
    period: str
    month: str | None
    data: Mapping[str, Any]
    trades: str
    chunks: Sequence[str]
    has_left_out: bool
    candle_problems: Sequence[str]
    histogram: str | None
    histogram_r: str | None
    scatter: str | None
    scatter_note: str
    is_managed: bool = False  # whether there are legs or moved stops
    refused: Sequence[RefusedTotals] = ()


def page_pieces(content: PageContent) -> Iterator[str]:
    """The page, in the order in which it is written."""
    return document(content.title, _body(content), _scripts(content))


def _scripts(content: PageContent) -> Iterator[str]:
    yield f'<script type="application/json" id="data">{script_json(content.data)}</script>\n'
    yield f'<script type="text/plain" id="trade-chunk">{content.trades}</script>\n'
    for number, chunk in enumerate(content.chunks):
        yield f'<script type="text/plain" id="chunk-{number}">'
        yield chunk
        yield "</script>\n"
    yield from script_files(*_SCRIPTS)


def _body(content: PageContent) -> Iterator[str]:
    results = content.run.results
    month = f" · candles of {content.month}" if content.month else ""
    mode = text(str(results.get("mode", "run")))
    yield f"""<header>
<div><h1>{text(content.title)}</h1><p class="sub">{text(content.period)} · {mode}{month}</p></div>
<button id="theme" type="button" aria-label="Light or dark">◐</button>
</header>
<main>
"""
    yield from map(_notice, sections.notices(content.run))
    yield _section(
        "", f'<div class="tiles">\n{"".join(map(_tile, sections.tiles(results)))}</div>', ' aria-label="Summary"'
    )
    real = sections.real_orders(results)
    if real:
        yield _section("Real orders", table(real))
    has_equity = content.data["equity"] is not None
    equity = '<div id="equity" class="chart tall"></div>' if has_equity else _none("There is no equity to draw.")
    yield _section("Equity and drawdown", equity)
    yield from _strategies(content)
    yield _section("Candles and trades", _candles(content))
    yield _columns(
        _section("Distribution of trades", _distribution(content)), _section("MAE and MFE", _excursions(content))
    )
    yield _section("Months", _heat_map(sections.heat_map(results)))
    needed = _none("n/a: it takes thirty days of equity above zero.")
    has_sharpe = content.data["sharpe"] is not None
    yield _section(
        "Rolling Sharpe ratio, 30 days", '<div id="sharpe" class="chart low"></div>' if has_sharpe else needed
    )
    yield from _tables(results)
    if content.refused:
        yield _section("What the limits cost", _limits(content.refused))
    yield _section("Trades", _trade_list(content))
    halt = sections.halt_table(results)
    if halt:
        yield _section("Until the kill switch", table(halt))
    yield _section("", _details(content.run)) + "</main>"


def _notice(notice: sections.Notice) -> str:
    kind, role = (" alarm", ' role="alert"') if notice.is_alarm else ("", "")
    return f'<p class="notice{kind}"{role}>{text(notice.text)}</p>\n'


def _tile(tile: sections.Tile) -> str:
    value = tile.value
    return (
        f'<div class="tile"><div class="name">{text(tile.label)}</div><div class="value {value.tone}" '
        f'data-key="{text(value.key)}" data-raw="{text(json.dumps(value.raw))}">{text(value.text)}</div>'
        f'<div class="detail">{text(tile.detail)}</div></div>\n'
    )


def _candles(content: PageContent) -> str:
    problems = "".join(f'<p class="notice">{text(problem)}</p>' for problem in content.candle_problems)
    symbols = content.data["symbols"]
    if not symbols:
        return problems + _none("No candles are at hand.")
    options = "".join(f'<option value="{number}">{text(one["name"])}</option>' for number, one in enumerate(symbols))
    left_out = (
        '<p class="note">Not every candle fits this page: months marked “around trades” hold the candles near trades '
        "only. <code>python -m app report RUN --month 2025-03</code> makes a page of one month in full.</p>"
    )
    return f"""{problems}<div class="bar">
<select id="symbol" aria-label="Symbol">{options}</select>
<button id="earlier" type="button" aria-label="Month before">&lsaquo;</button>
<select id="month" aria-label="What is shown"></select>
<button id="later" type="button" aria-label="Month after">&rsaquo;</button>
<button id="previous-trade" type="button">&lsaquo; trade</button>\
<button id="next-trade" type="button">trade &rsaquo;</button>
<span id="candle-note" class="note" aria-live="polite"></span>
</div>
<div id="candles" class="chart tall"></div>
<p class="note">A click into the chart lets the wheel zoom; double click on the scale fits it.</p>
<p class="legend"><span class="key entry">▲▼ entry</span><span class="key exit">● exit</span>\
<span class="key good">━ won</span><span class="key bad">━ lost</span><span class="key stop">┅ stop</span>\
<span class="key target">┅ target</span>{_MANAGED_KEYS if content.is_managed else ""}</p>
{left_out if content.has_left_out else ""}"""


def _strategies(content: PageContent) -> Iterator[str]:
    results = content.run.results
    table_of_all = sections.groups(results, "per_strategy", first="strategy")
    if table_of_all is None:
        return
    note = '<p class="note">What each strategy had realised by the end of each UTC day, in quote currency.</p>'
    chart = '<div id="strategies" class="chart low"></div><p class="legend" id="strategy-keys"></p>'
    yield _section("Strategies and what they brought", table(table_of_all) + note + chart)
    rows = sections.correlations(results)
    if rows:
        yield _section("Correlation of the strategies' daily results", _correlation_map(rows))


def _correlation_map(rows: Sequence[tuple[str, Sequence[sections.MapCell]]]) -> str:
    heads = "".join(f'<th scope="col">{text(name)}</th>' for name, _ in rows)
    body = "".join(f'<tr><th scope="row">{text(name)}</th>{"".join(map(_map_cell, own))}</tr>\n' for name, own in rows)
    return (
        f'<div class="scroll"><table class="heat"><thead><tr><th scope="col"></th>{heads}</tr></thead><tbody>\n'
        f'{body}</tbody></table></div><p class="note">Pearson, over all UTC days of the run; 1: they gain and lose on '
        "the same days, -1: one gains what the other loses. n/a: a strategy that realised nothing.</p>"
    )


def _distribution(content: PageContent) -> str:
    if content.histogram is None:
        return _none("No trade was closed.")
    if content.histogram_r is None:
        return content.histogram
    return f"""<div class="tabs" role="group" aria-label="Unit"><button type="button" data-show="h-r" \
aria-pressed="true">in R</button><button type="button" data-show="h-c" aria-pressed="false">in currency</button></div>
<div id="h-r">{content.histogram_r}</div><div id="h-c" hidden>{content.histogram}</div>
"""


def _excursions(content: PageContent) -> str:
    if content.scatter is None:
        return _none("n/a: no closed trade, or a log that does not have them.")
    note = f"How far each trade went against (across) and for it (up). {content.scatter_note}"
    return f'<p class="note">{note}</p>{content.scatter}'


def _heat_map(years: Sequence[tuple[str, Sequence[sections.MapCell]]] | None) -> str:
    if not years:
        return _none("n/a")
    heads = "".join(f'<th scope="col">{name}</th>' for name in _MONTHS)
    rows = "".join(f'<tr><th scope="row">{year}</th>{"".join(map(_map_cell, months))}</tr>\n' for year, months in years)
    return (
        f'<div class="scroll"><table class="heat"><thead><tr><th scope="col">%</th>{heads}</tr></thead><tbody>\n'
        f"{rows}</tbody></table></div>\n"
    )


def _map_cell(one: sections.MapCell) -> str:
    style = f' class="{"up" if one.weight > 0 else "down"}" style="--weight:{abs(one.weight):.2f}"' if one.text else ""
    return f'<td title="{text(one.title)}"{style}>{text(one.text)}</td>'


def _tables(results: Mapping[str, Any]) -> Iterator[str]:
    exits = sections.groups(results, "exits", "partial_targets", first="reason")
    legs = _LEGS_NOTE if results.get("partial_targets") else ""
    yield _section("Exits by reason", table(exits) + legs if exits else _none("No trade was closed."))
    symbols = sections.groups(results, "per_symbol", first="symbol")
    sides = sections.groups(results, "long", "short", first="side")
    yield _section(
        "By symbol and side", (table(symbols) if symbols else "") + (table(sides) if sides else _none("n/a"))
    )
    if set(results.get("per_tag") or {}) - {""}:
        tags = sections.groups(results, "per_tag", first="tag")
        yield _section("By tag", table(tags) if tags else "")
    funnel = sections.funnel(results)
    yield _columns(
        _section("Signal funnel", table(funnel) if funnel else _none("n/a")), _section("Costs", _costs(results))
    )


def _limits(refused: Sequence[RefusedTotals]) -> str:
    return f"""{table(sections.refused(refused))}<p class="note">Each entry that a limit refused, run alone \
through the same fills with the equity of its moment. Above zero: the limit cost that much; below: it saved it. They \
would have shared the account, so the sums are not what it would have made.</p>
"""


def _costs(results: Mapping[str, Any]) -> str:
    sentences = "".join(f"<li>{text(sentence)}</li>" for sentence in sections.candle_sentences(results))
    return (
        f"{table(sections.costs(results))}<h2>What the candles cannot tell</h2>{table(sections.candle_limits(results))}"
        f"<ul>{sentences}<li>All of this is for the same trades. <code>python -m app assumptions</code> runs them anew "
        "under each assumption.</li></ul>"
    )


def _trade_list(content: PageContent) -> str:
    log = text(str((content.run.results.get("files") or {}).get("trades", "the trade log")))
    without = (
        '<noscript><p class="notice">The list of trades and the charts need JavaScript; the trades are in '
        f"{log} too.</p></noscript>\n"
    )
    if not len(content.run.trades):
        return without + _none("There was no trade.")
    several = len(content.run.trades.entry.strategy.names) > 1
    strategy = _STRATEGY_FILTER if several else ""
    return f"""{without}<div class="bar" id="filters">
<select id="f-symbol" aria-label="Symbol of the trades"><option value="">all symbols</option></select>
{strategy}<select id="f-side" aria-label="Side of the trades"><option value="">both sides</option>\
<option value="1">long</option><option value="-1">short</option></select>
<select id="f-reason" aria-label="Reason of the exit"><option value="">all exits</option></select>
<input id="f-text" type="search" placeholder="number, time, tag …" aria-label="Text in a trade">
<span id="trade-count" class="note" aria-live="polite"></span>
</div>
<div id="trades" class="scroll" tabindex="0" aria-label="Trades"></div>
<p class="note">A click on a trade, or Enter, shows it in the chart.</p>
"""


def _details(run: RunOnDisk) -> str:
    figures = key_table(
        f'<tr><th scope="row">{text(name)}</th>{cell(one)}</tr>\n' for name, one in sections.metrics(run.results)
    )
    manifest = {key: value for key, value in run.manifest.items() if key not in ("settings", "data")}
    months = [
        (f"{series} {month}", sha256)
        for series, own in (run.manifest.get("data") or {}).items()
        for month, sha256 in own.items()
    ]
    files = pairs(months) if months else ""
    return (
        f"<details><summary>All figures</summary>{figures}</details>\n"
        f"<details><summary>Settings</summary>{pairs(sections.settings_rows(run.settings))}</details>\n"
        f"<details><summary>Manifest</summary>{pairs(sections.settings_rows(manifest))}{files}</details>"
    )


def _section(head: str, content: str, about: str = "") -> str:
    title = f"<h2>{head}</h2>\n" if head else ""
    return f"<section{about}>{title}{content}</section>\n"


def _columns(*own: str) -> str:
    return f'<div class="columns">\n{"".join(own)}</div>\n'


def _none(said: str) -> str:
    return f'<p class="none">{said}</p>'
