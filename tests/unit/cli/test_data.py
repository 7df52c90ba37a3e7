"""The data commands as a user types them: what they print, write and answer."""

import gzip
from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.candles.exporting import export_csv
from app.candles.importing import read_candles
from app.cli.data import data_parser
from app.errors import ConfigError, DataError, OnetapeError, OutputError
from tests.candle_columns import MINUTE_MS, START_MS, equal, make_candles, minutes

SERIES = ("--symbol", "BTC/USDT", "--timeframe", "1m")


def run(*words: str | Path) -> int:
    args = data_parser().parse_args([*map(str, words)])
    status: int = args.run(args)
    return status


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def csv_file(name: str, times: list[int]) -> Path:
    cache = CandleCache(Path("made") / name)
    cache.merge("BTC/USDT", "1m", make_candles(times))
    export_csv(cache, "BTC/USDT", "1m", Path(name))
    return Path(name)


def stored() -> dict[str, bytes]:
    root = Path("data/backtest_cache")
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_import_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    times = list(minutes(90))
    path = csv_file("a.csv", times[:10] + times[12:60] + times[61:])
    assert run("import", path, *SERIES) == 0
    assert capsys.readouterr().out.splitlines() == [
        "BTC/USDT 1m: 87 candles, 2025-10-31 23:00 to 2025-11-01 00:29 (UTC open times)",
        "  new             87",
        "  already there   0",
        "  gaps            2 (3 candles missing)",
        "    2025-10-31 23:10 to 2025-10-31 23:11  2",
        "    2025-11-01 to 2025-11-01  1",
    ]
    assert run("import", csv_file("b.csv", times), path, *SERIES) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  new             3",
        "  already there   87",
        "  duplicates      87 that agreed were merged",
        "  gaps            0 (0 candles missing)",
    ]


def test_import_leaves_out_and_lists_what_is_off_the_grid(capsys: pytest.CaptureFixture[str]) -> None:
    path = csv_file("a.csv", list(minutes(6)))
    path.write_text(path.read_text().replace(f"{START_MS + MINUTE_MS},", f"{START_MS + MINUTE_MS + 14_000},"))
    with pytest.raises(DataError, match="--drop-off-grid"):
        run("import", path, *SERIES)
    assert stored() == {}
    assert run("import", path, *SERIES, "--drop-off-grid") == 0
    assert "  off the grid    1 left out\n    2025-10-31T23:01:14.000Z\n" in capsys.readouterr().out


def test_import_notices_coarser_candles(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("import", csv_file("a.csv", [START_MS + i * 3_600_000 for i in range(50)]), *SERIES)
    with pytest.raises(DataError, match=r"^a.csv: these look like 1h candles, not 1m: .* --timeframe 1h .* --force"):
        run(*words)
    assert stored() == {}
    assert run(*words, "--force") == 0
    assert "gaps            49 (2,891 candles missing)" in capsys.readouterr().out


def test_one_bad_file_keeps_all_out() -> None:
    good, bad = csv_file("a.csv", list(minutes(5))), Path("b.csv")
    bad.write_text("timestamp_ms,open,high,low,close,volume\n1761951600000,1,1,1,x,1\n")
    with pytest.raises(DataError, match=r"^b.csv, line 2: close 'x' is not a number$"):
        run("import", good, bad, *SERIES)
    assert stored() == {}


def test_import_refuses_what_it_cannot_name_before_reading() -> None:
    with pytest.raises(ConfigError, match="cannot name a folder"):
        run("import", "absent.csv", "--symbol", "BTC_USDT", "--timeframe", "1m")
    with pytest.raises(ConfigError, match="unknown timeframe"):
        run("import", "absent.csv", "--symbol", "BTC/USDT", "--timeframe", "1min")


def test_list_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    assert "no candles in data/backtest_cache" in capsys.readouterr().out
    cache = CandleCache(Path("data/backtest_cache"))
    cache.merge("BTC/USDT", "1m", make_candles([*minutes(59), *minutes(1440, START_MS + 62 * MINUTE_MS)]))
    cache.merge("ETH/USDT:USDT", "1h", make_candles([START_MS, START_MS + 3 * 3_600_000, START_MS + 5 * 3_600_000]))
    assert run("list") == 0
    assert capsys.readouterr().out.splitlines() == [
        "symbol         timeframe  from              to                candles  gaps  missing  not there",
        "BTC/USDT       1m         2025-10-31 23:00  2025-11-02 00:01    1,499     1        3          0",
        "ETH/USDT:USDT  1h         2025-10-31 23:00  2025-11-01 04:00        3     2        3          0",
    ]


def test_list_shows_the_gaps_and_who_was_asked(capsys: pytest.CaptureFixture[str]) -> None:
    cache = CandleCache(Path("data/backtest_cache"))
    times = list(minutes(60))
    cache.merge("BTC/USDT", "1m", make_candles([*times[:10], *times[13:40], *times[41:]]))
    cache.add_absent("BTC/USDT", "1m", "binanceus", ((times[11], times[13]),))
    assert run("list", "--gaps") == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "BTC/USDT  1m         2025-10-31 23:00  2025-10-31 23:59       56     2        4          2",
        "",
        "3 gaps:",
        "symbol    timeframe  first             last              who was asked          candles",
        "BTC/USDT  1m         2025-10-31 23:10  2025-10-31 23:10  nobody was asked             1",
        "BTC/USDT  1m         2025-10-31 23:11  2025-10-31 23:12  binanceus has nothing        2",
        "BTC/USDT  1m         2025-10-31 23:40  2025-10-31 23:40  nobody was asked             1",
    ]


def test_verify_reads_the_small_files_too(capsys: pytest.CaptureFixture[str]) -> None:
    cache = CandleCache(Path("data/backtest_cache"))
    times = list(minutes(10))
    cache.merge("BTC/USDT", "1m", make_candles([*times[:3], *times[4:]]))
    cache.add_absent("BTC/USDT", "1m", "binanceus", ((times[3], times[4]),))
    assert run("verify") == 0
    record = Path("data/backtest_cache/BTC_USDT/1m/absent.json")
    record.write_text(record.read_text().replace("[", "[ ").replace("17", "18", 1))
    record.with_name("2025-10.parquet.damaged").write_bytes(b"")
    capsys.readouterr()
    assert run("verify") == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "data/backtest_cache/BTC_USDT/1m/2025-10.parquet.damaged was set aside as damaged and its candles fetched "
        "again; it can be deleted"
    )
    assert lines[1].startswith("data/backtest_cache/BTC_USDT/1m/absent.json is damaged: ")


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[50] ^= 1
    path.write_bytes(content)


def test_verify_names_each_damaged_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify") == 0
    run("import", csv_file("a.csv", list(minutes(90))), *SERIES)
    capsys.readouterr()
    assert run("verify") == 0
    assert capsys.readouterr().out.splitlines() == [
        "symbol    timeframe  from              to                candles  gaps  missing  not there",
        "BTC/USDT  1m         2025-10-31 23:00  2025-11-01 00:29       90     0        0          0",
        "2 files in data/backtest_cache, all intact",
    ]
    for path in Path("data/backtest_cache").rglob("*.parquet"):
        damage(path)
        path.with_name("notes.parquet").write_bytes(b"")
    assert run("verify") == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:2]] == [
        "data/backtest_cache/BTC_USDT/1m/2025-10.parquet",
        "data/backtest_cache/BTC_USDT/1m/2025-11.parquet",
    ]
    assert "notes.parquet is not part of the cache" in lines[2]
    assert lines[3].startswith("2 of 2 files damaged")


def test_list_shows_the_rest_when_a_file_is_damaged(capsys: pytest.CaptureFixture[str]) -> None:
    cache = CandleCache(Path("data/backtest_cache"))
    for symbol in ("BTC/USDT", "ETH/USDT"):
        cache.merge(symbol, "1m", make_candles(minutes(5)))
    cache.path("BTC/USDT", "1m", "2025-10").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="data verify"):
        run("list")
    out = capsys.readouterr().out
    assert "BTC/USDT  1m         damaged" in out
    assert "ETH/USDT  1m         2025-10-31 23:00" in out


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz"])
def test_export_reads_back_to_the_same_candles(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("import", csv_file("a.csv", list(minutes(90))), *SERIES)
    assert run("export", *SERIES, name) == 0
    assert "90 candles written" in capsys.readouterr().out
    assert equal(read_candles(Path(name), "1m"), make_candles(minutes(90)))
    content = Path(name).read_bytes()
    text = content
    if name.endswith(".gz"):
        assert content[4:8] == bytes(4), "a time in the header would make every export differ"
        text = gzip.decompress(content)
    assert text.startswith(b"timestamp_ms,open,high,low,close,volume\n1761951600000,")
    run("export", *SERIES, "again.csv" + name.removeprefix("out.csv"))
    assert Path("again.csv" + name.removeprefix("out.csv")).read_bytes() == content


def test_export_takes_start_inclusive_and_end_exclusive() -> None:
    run("import", csv_file("a.csv", list(minutes(90))), *SERIES)
    run("export", *SERIES, "--start", "2025-10-31T23:50", "--end", "2025-11-01T00:10", "out.csv")
    expected = make_candles(minutes(20, START_MS + 50 * MINUTE_MS))
    assert equal(read_candles(Path("out.csv"), "1m"), expected)
    run("export", *SERIES, "--end", "2025-11-01", "out.csv")
    assert equal(read_candles(Path("out.csv"), "1m"), make_candles(minutes(60)))


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (
            ("--start", "2026-01-01", "out.csv"),
            DataError,
            "there are 90, from 2025-10-31 23:00 to 2025-11-01 00:29",
        ),
        (("--start", "2025-11-02", "--end", "2025-11-01", "out.csv"), ConfigError, "is not before"),
        (("--start", "soon", "out.csv"), ConfigError, "is not a date"),
        (("--symbol", "ETH/USDT", "out.csv"), DataError, "no candles of ETH/USDT 1m"),
        (("out.parquet",), ConfigError, "must end in .csv"),
        (("absent/out.csv",), OutputError, "cannot be written: No such file"),
        (("folder.csv",), OutputError, "no regular file"),
    ],
)
def test_export_refusals_keep_the_old_file(words: tuple[str, ...], kind: type[OnetapeError], message: str) -> None:
    run("import", csv_file("a.csv", list(minutes(90))), *SERIES)
    Path("out.csv").write_text("old")
    Path("folder.csv").mkdir()
    before = sorted(Path().iterdir())
    with pytest.raises(kind, match=message):
        run("export", *SERIES, *words)
    assert Path("out.csv").read_text() == "old"
    assert sorted(Path().iterdir()) == before


def test_export_stopped_by_a_damaged_month_leaves_nothing() -> None:
    run("import", csv_file("a.csv", list(minutes(90))), *SERIES)
    damage(Path("data/backtest_cache/BTC_USDT/1m/2025-11.parquet"))
    before = sorted(Path().iterdir())
    with pytest.raises(DataError, match="is damaged"):
        run("export", *SERIES, "out.csv")
    assert sorted(Path().iterdir()) == before
