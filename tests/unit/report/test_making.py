"""The page of a run: what is on it, also when half of the run is gone."""

import json
import re
from pathlib import Path

import pytest

import app
from app.candles.cache import CandleCache
from app.errors import DataError
from app.report import making
from app.report.making import PAGE_BYTES, make_report, page, trade_columns
from app.runs.candle_source import RunCandles
from app.runs.run_on_disk import read_run
from app.runs.trade_table import read_fills
from app.times import parse_time_ms
from tests.proof_runs import rows_of, trades_of
from tests.report_runs import copy_of, edit_json, made_run, rename_symbol


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_run(tmp_path_factory.mktemp("runs"))


def data_of(text: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    content: dict[str, object] = json.loads(found[1])
    return content


def made(run: Path, folder: Path | None = None) -> str:
    cache = CandleCache((folder or run.parent) / "run_cache")
    return make_report(run, [cache]).read_text()


def test_the_whole_page(run: Path) -> None:
    text = made(run)
    data = data_of(text)
    assert [one["name"] for one in data["symbols"]] == ["AAA/X", "BBB/X"]  # type: ignore[attr-defined]
    assert text.count('type="text/plain" id="chunk-') == 2 * (1 + 1)  # an overview and a month each
    results = read_run(run).results
    assert f'data-raw="{results["performance"]["final_equity"]!r}"' in text
    assert not re.search(r'(src|href)="(?!https://www\.tradingview\.com/|data:)', text)
    assert len(text) < PAGE_BYTES
    assert made(run) == text  # the same run gives the same page


def test_without_results_or_candles(run: Path, tmp_path: Path) -> None:
    broken = copy_of(run, tmp_path)
    (broken / "results.json").unlink()
    log = trades_of(broken)
    log.write_text(log.read_text()[:-10])
    text = made(broken, tmp_path)
    for words in ("has not finished, or broke off", "is not whole: line", "month files are no longer in", ">n/a<"):
        assert words in text


def test_an_older_results_file(run: Path, tmp_path: Path) -> None:
    older = copy_of(run, tmp_path)
    kept = ("format", "mode", "status", "symbols", "timeframe", "period", "files")
    edit_json(older / "results.json", lambda all_: [all_.pop(key) for key in list(all_) if key not in kept])
    text = made(older, run.parent)
    assert text.count(">n/a<") >= 10 and 'id="candles"' in text


def test_a_symbol_that_is_markup(run: Path, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>\"'&</script>"
    changed = copy_of(run, tmp_path)
    rename_symbol(changed, "AAA/X", evil)
    text = made(changed, run.parent)
    assert "<img src=x" not in text and "&lt;img src=x" in text
    assert evil in read_run(changed).trades.symbols


def test_no_trade_and_one_trade(run: Path, tmp_path: Path) -> None:
    changed = copy_of(run, tmp_path)
    log = trades_of(changed)
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:2]))
    assert len(read_run(changed).trades) == 1
    assert "No trade was closed." in made(changed, run.parent)
    log.write_text(lines[0])
    assert "There was no trade." in made(changed, run.parent)


def test_a_month_of_its_own(run: Path, tmp_path: Path) -> None:
    caches = [CandleCache(run.with_name("run_cache"))]
    path = make_report(run, caches, month="2025-03")
    assert path == run / "report_2025-03.html" and data_of(path.read_text())["month"] == "2025-03"
    with pytest.raises(DataError, match="no candle of 2024-03 is at hand for this run: its period has none"):
        make_report(run, caches, month="2024-03")
    assert make_report(run, caches, tmp_path / "x.html").parent == tmp_path


def test_a_program_names_caches_or_takes_the_default_ones(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert app.make_report(str(run), [str(run.with_name("run_cache"))]) == run / "report.html"
    given = data_of((run / "report.html").read_text())
    monkeypatch.setattr(making, "RUN_CACHES", (run.with_name("run_cache"),))
    assert data_of(app.make_report(run).read_text()) == given
    monkeypatch.setattr(making, "RUN_CACHES", (run / "nothing",))
    assert data_of(app.make_report(run).read_text()) != given


def test_trades_by_column(run: Path) -> None:
    rows = rows_of(trades_of(run))
    opened = {row["trade_id"]: row for row in rows if row["action"] == "OPEN"}
    closed = {row["trade_id"]: row for row in rows if row["action"] == "CLOSE"}
    known = read_run(run)
    columns = dict(trade_columns(known.trades, known.settings))
    symbols = known.trades.symbols
    assert symbols == list(dict.fromkeys(row["symbol"] for row in opened.values()))
    assert [symbols[place] for place in columns["symbol"]] == [row["symbol"] for row in opened.values()]
    assert {len(column) for column in columns.values()} == {len(opened)} and opened.keys() == closed.keys()
    assert columns["pnl"] == [float(closed[number]["realized_pnl"]) for number in opened]
    assert columns["reason"] == [closed[number]["reason"] for number in opened]
    assert columns["exit_ms"] == [parse_time_ms(closed[number]["timestamp"]) for number in opened]
    risks = [abs(float(row["price"]) - float(row["stop_loss"])) * float(row["quantity"]) for row in opened.values()]
    assert columns["r"] == [round(pnl / risk, 4) for pnl, risk in zip(columns["pnl"], risks, strict=True)]
    assert columns["exit_at_ms"] == [time_ms - 1 for time_ms in columns["exit_ms"]]  # all were met inside their candle
    assert columns["entry_at_ms"] == columns["entry_ms"]
    text = "".join(page(known, RunCandles()))
    assert "</script" not in text.split('id="trade-chunk">')[1].split("<")[0]


def test_a_trade_still_open_has_no_exit(run: Path, tmp_path: Path) -> None:
    changed = copy_of(run, tmp_path)
    log = trades_of(changed)
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:2]))
    columns = dict(trade_columns(read_run(changed).trades, {}))
    assert (columns["exit_ms"], columns["exit_at_ms"], columns["reason"]) == ([None], [None], [""])


def test_the_fills_of_the_run_give_the_page_of_its_log(run: Path) -> None:
    caches = [CandleCache(run.with_name("run_cache"))]
    expected = make_report(run, caches).read_bytes()
    assert make_report(run, caches, fills=read_fills(trades_of(run))).read_bytes() == expected
