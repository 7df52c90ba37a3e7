"""Pieces of a page that asks nothing of a network: tables, styles, scripts, packed columns.

Everything that came from a user (symbols, tags, paths) is escaped, in markup by `text`, inside scripts by
`script_json`; the page forbids itself any request by its content security policy. It is written whole or not at all.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from html import escape as text
from pathlib import Path
from typing import Any

import msgspec

from app.report.sections import Cell, Table

_HERE = Path(__file__).resolve().parent
CHARTS = "vendor/lightweight-charts/lightweight-charts.standalone.production.js"
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


def document(title: str, body: Iterable[str], scripts: Iterable[str]) -> Iterator[str]:
    """A whole page in pieces; `body` is what comes between its tags, before the scripts."""
    yield f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<link rel="icon" href="data:,">
<title>{text(title)} · Onetape</title>
<style>{package_file("assets/report.css")}</style>
</head>
<body>
"""
    yield from body
    yield """
<footer>Made by Onetape. Charts: TradingView Lightweight Charts™, Copyright © 2023 TradingView, Inc.
<a href="https://www.tradingview.com/" rel="noreferrer">https://www.tradingview.com/</a>, Apache License 2.0. \
This page asks nothing of a network.</footer>
"""
    yield from scripts
    yield "</body>\n</html>\n"


def script_files(*names: str) -> Iterator[str]:
    """The charts library, then these scripts of this package, as they stand."""
    for name in (CHARTS, *(f"assets/{name}" for name in names)):
        yield f"<script>{package_file(name)}</script>\n"


def cell(one: Cell, kind: str = "") -> str:
    """A cell of a table."""
    key = f' data-key="{text(one.key)}"' if one.key else ""
    return f'<td class="{one.tone}{kind}"{key}>{text(one.text)}</td>'


def head_cell(name: str, is_text: bool) -> str:
    """The head of a column."""
    kind = ' class="text"' if is_text else ""
    return f'<th scope="col"{kind}>{text(name)}</th>'


def table(content: Table) -> str:
    """A table, its first column as heads of the rows."""
    kinds = [" text" if name == "of which" else "" for name in content.columns]
    heads = "".join(map(head_cell, content.columns, map(bool, kinds)))
    rows = "".join(
        f'<tr><th scope="row">{text(row[0].text)}</th>'
        + "".join(cell(one, kind) for one, kind in zip(row[1:], kinds[1:], strict=True))
        + "</tr>\n"
        for row in content.rows
    )
    return f'<div class="scroll"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n'


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values."""
    return key_table(f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>\n' for name, value in rows)


def key_table(rows: Iterable[str]) -> str:
    """A table of rows whose first cell names them."""
    return f'<div class="scroll"><table class="pairs"><tbody>\n{"".join(rows)}</tbody></table></div>\n'


@cache
def package_file(name: str) -> str:
    """A style sheet or script of this package, as it stands."""
    return (_HERE / name).read_text(encoding="utf-8")


def script_json(content: Any) -> str:
    """JSON that cannot end the script tag it stands in, whatever its texts hold; NaN is a programming error."""
    made = json.dumps(content, separators=(",", ":"), allow_nan=False)  # ASCII: U+2028 and the like are escaped too
    for mark in "<>&":
        made = made.replace(mark, f"\\u{ord(mark):04x}")
    return made


def packed_columns(symbols: Sequence[str], columns: Iterable[tuple[str, list[Any]]]) -> str:
    """`{"symbols": [...], "columns": {name: [...]}}` deflated, in base64; a NaN is null, as it has no value there."""
    deflate = zlib.compressobj(2)
    parts = [deflate.compress(b'{"symbols":' + msgspec.json.encode(symbols) + b',"columns":{')]
    for number, (name, column) in enumerate(columns):
        lead = b"," if number else b""
        parts.append(deflate.compress(lead + msgspec.json.encode(name) + b":" + msgspec.json.encode(column)))
    parts += [deflate.compress(b"}}"), deflate.flush()]
    return base64.b64encode(b"".join(parts)).decode()
