"""Damaged month files and candle files that are none: which file, which line, and that nothing was stored."""

from pathlib import Path

import pytest

from tests.faults.conftest import Place

SERIES = ("--symbol", "BTC/USDT", "--timeframe", "1m")
MARCH, APRIL = (f"data/backtest_cache/BTC_USDT/1m/2025-{month}.parquet" for month in ("03", "04"))
HEADER = "timestamp_ms,open,high,low,close,volume\n"
ROW = "1743379200000,100,101,99,100.5,1\n"


def cut(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("kept", [0, 3, 100, -1, -40])
def test_a_truncated_month_is_named_and_verify_finds_it(place: Place, kept: int) -> None:
    cut(place.folder / APRIL, kept)
    said = place.refused()
    assert said.startswith(f"{APRIL} is damaged: ")
    assert said.endswith("`python -m app data verify` checks the whole cache")
    status, out, err = place.command("data", "verify")
    assert (status, err) == (2, "")
    assert out.startswith(f"{APRIL} is damaged: ")
    assert "1 of 2 files damaged; delete them and import or fetch those months again" in out


def test_a_month_that_looks_whole_but_is_not_stops_the_run_in_one_line(place: Place) -> None:
    # Its footer is intact, so the fault shows when its candles are read, after the run has begun.
    flip(place.folder / APRIL, 50)
    status, out, err = place.backtest()
    assert (status, out) == (2, "")
    assert err.startswith(f"onetape: {APRIL} is damaged: its candles do not match their checksum")
    assert err.count("\n") == 1
    assert place.command("data", "verify")[0] == 2


def test_a_month_of_another_program(place: Place) -> None:
    place.write(APRIL, b"PAR1" + b"\x15" * 200 + b"\x20\0\0\0PAR1")
    assert place.refused().startswith(f"{APRIL} is damaged or was not written by Onetape (it has no seal)")


def test_a_folder_in_a_months_place(place: Place) -> None:
    (place.folder / APRIL).unlink()
    (place.folder / APRIL).mkdir()
    assert place.refused().startswith(f"{APRIL} cannot be read: Is a directory")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("when,price\n1,2\n", "new.csv"),
        (HEADER + ROW.replace("100.5", "nan"), "new.csv, line 2: "),
        (HEADER + ROW.replace("100.5", "x"), "new.csv, line 2: close 'x' is not a number"),
        (HEADER + ROW.replace("100.5", ""), "new.csv, line 2: "),
        (HEADER + ROW.replace("100.5", "-1"), "new.csv, line 2: "),
        (HEADER + ROW.replace("100.5", "inf"), "new.csv, line 2: "),
        (HEADER + ROW + ROW.replace("100.5", "100.6"), "new.csv, line 3: "),
        (HEADER + ROW.replace(",1\n", ",-1\n"), "new.csv, line 2: "),
        (HEADER + ROW.replace(",101,", ",99.5,"), "new.csv, line 2: "),
        (HEADER + "soon,100,101,99,100.5,1\n", "new.csv, line 2: "),
        (HEADER + ROW.replace("200000", "200001"), "new.csv"),
        (HEADER + ROW[:30], "new.csv, line 2: "),
        (HEADER, "new.csv"),
        ("", "new.csv"),
        (b"\xff\xfe\x00\x01", "new.csv"),
    ],
)
def test_a_csv_that_is_wrong_stores_nothing(place: Place, content: str | bytes, said: str) -> None:
    place.write("new.csv", content)
    line = place.refused("data", "import", "new.csv", *SERIES, backtest=False)
    assert line.startswith(said), line


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("absent.csv", "absent.csv does not exist"),
        ("config", "config is of a kind that cannot be imported"),
        ("new.txt", "new.txt is of a kind that cannot be imported"),
        ("new.parquet", "new.parquet"),
        ("new.feather", "new.feather"),
        ("new.zip", "new.zip"),
        ("new.csv.gz", "new.csv.gz"),
        ("new.json", "new.json"),
    ],
)
def test_a_file_that_is_no_candle_file(place: Place, name: str, said: str) -> None:
    for other in ("txt", "parquet", "feather", "zip", "csv.gz", "json"):
        place.write(f"new.{other}", "nothing of the kind")
    assert place.refused("data", "import", name, *SERIES, backtest=False).startswith(said)


def test_candles_that_contradict_stored_ones_change_nothing(place: Place) -> None:
    place.write("new.csv", HEADER + ROW)
    said = place.refused("data", "import", "new.csv", *SERIES, backtest=False)
    assert said.startswith("BTC/USDT 1m: candles differ from those stored in data/backtest_cache at 2025-03-31T00:00")
    assert said.endswith("nothing was written")
