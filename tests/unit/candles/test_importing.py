"""Files as other programs write them, whole and broken."""

import gzip
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from app.candles.importing import import_files, read_candles, read_raw
from app.candles.month_file import CandleColumns
from app.errors import DataError
from tests.candle_columns import SHARED_DATA, equal, make_candles, minutes

CANDLES = make_candles(minutes(90))
HEADER = "timestamp_ms,open,high,low,close,volume"


def frame(candles: CandleColumns = CANDLES) -> pd.DataFrame:
    data = {name: getattr(candles, name) for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame({"date": pd.to_datetime(candles.open_time_ms, unit="ms", utc=True), **data})


def csv_rows(candles: CandleColumns = CANDLES, ticks_a_ms: int = 1) -> list[list[str]]:
    return [
        [str(int(row[0]) * ticks_a_ms), *(repr(float(value)) for value in row[1:])]
        for row in zip(*candles, strict=True)
    ]


def csv_text(rows: list[list[str]] | None = None, header: str = HEADER) -> str:
    lines = [",".join(row) for row in (csv_rows() if rows is None else rows)]
    return "\n".join([header, *lines]) + "\n"


def binance_text(ticks_a_ms: int) -> str:
    rest = ["1761711779999", "535846.8", "1459", "1.9", "214244.3", "0"]
    return "".join(",".join([*row, *rest]) + "\n" for row in csv_rows(ticks_a_ms=ticks_a_ms))


def write(path: Path, content: str | bytes) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def zipped(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def refusal(path: Path, timeframe: str = "1m") -> str:
    with pytest.raises(DataError) as error:
        read_candles(path, timeframe)
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith(str(path))
    return text


def test_csv_plain_and_packed(tmp_path: Path) -> None:
    for name in ("a.csv", "a.csv.gz", "A.CSV"):
        assert equal(read_candles(write(tmp_path / name, csv_text()), "1m"), CANDLES)


def test_csv_of_spreadsheets(tmp_path: Path) -> None:
    """A byte order mark, semicolons, quotes, Windows line ends, blank lines, spaces, other columns."""
    rows = [f'x;"{row[0]}";{";".join(row[1:])};' for row in csv_rows()]
    text = "\ufeff\r\n" + "\r\n".join(["Nr;Open Time; open ;HIGH;Low;Close;Volume;", *rows, "", ";;;;", ""])
    assert equal(read_candles(write(tmp_path / "a.csv", text), "1m"), CANDLES)


@pytest.mark.parametrize("text_of", [str, lambda time: time.isoformat(), lambda time: str(time.tz_localize(None))])
def test_csv_of_pandas(tmp_path: Path, text_of: Callable[[pd.Timestamp], str]) -> None:
    data = frame()
    data["date"] = data["date"].map(text_of)
    data.to_csv(tmp_path / "a.csv", index=False)
    assert equal(read_candles(tmp_path / "a.csv", "1m"), CANDLES)


@pytest.mark.parametrize("ticks_a_ms", [1, 1_000])
def test_binance_bulk_files(tmp_path: Path, ticks_a_ms: int) -> None:
    text = binance_text(ticks_a_ms)
    archive = zipped(tmp_path / "BTCUSDT-1m-2025-10.zip", {"BTCUSDT-1m-2025-10.csv": text})
    assert equal(read_candles(archive, "1m"), CANDLES)
    assert equal(read_candles(write(tmp_path / "BTCUSDT-1m-2025-10.csv", text), "1m"), CANDLES)
    headed = "open_time,open,high,low,close,volume,close_time,quote_volume,count,tb,tq,ignore\n" + text
    assert equal(read_candles(zipped(tmp_path / "futures.zip", {"a.csv": headed}), "1m"), CANDLES)


def test_six_columns_without_a_header(tmp_path: Path) -> None:
    assert equal(read_candles(write(tmp_path / "a.csv", csv_text().split("\n", 1)[1]), "1m"), CANDLES)


def test_freqtrade_feather(tmp_path: Path) -> None:
    frame().to_feather(tmp_path / "BTC_USDT-1m.feather", compression_level=9, compression="lz4")
    assert equal(read_candles(tmp_path / "BTC_USDT-1m.feather", "1m"), CANDLES)


@pytest.mark.parametrize("name", ["BTC_USDT-1m.json", "BTC_USDT-1m.json.gz"])
def test_freqtrade_json(tmp_path: Path, name: str) -> None:
    rows = [[int(row[0]), *(float(value) for value in row[1:])] for row in zip(*CANDLES, strict=True)]
    assert equal(read_candles(write(tmp_path / name, json.dumps(rows)), "1m"), CANDLES)
    assert equal(read_candles(write(tmp_path / name, json.dumps(csv_rows())), "1m"), CANDLES)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_parquet_with_datetimes(tmp_path: Path, unit: str, zone: str | None) -> None:
    data = frame()
    times = data["date"].dt.tz_convert(zone) if zone else data["date"].dt.tz_localize(None)
    data["date"] = times.dt.as_unit(unit)
    data.to_parquet(tmp_path / "column.parquet")
    data.set_index("date").to_parquet(tmp_path / "index.parquet")
    data.set_index("date").rename_axis(None).to_parquet(tmp_path / "unnamed.parquet")
    for name in ("column", "index", "unnamed"):
        assert equal(read_candles(tmp_path / f"{name}.parquet", "1m"), CANDLES)


def arrow_table(time: pa.Array, name: str = "time", **replaced: pa.Array) -> pa.Table:
    values = {field: pa.array(getattr(CANDLES, field)) for field in ("open", "high", "low", "close", "volume")}
    return pa.table({**values, name: time, **replaced})


def test_parquet_with_numbers_texts_and_categories(tmp_path: Path) -> None:
    times = CANDLES.open_time_ms
    texts = pa.array([f"{moment:%Y-%m-%d %H:%M}" for moment in frame()["date"]])
    columns = [
        pa.array(times),
        pa.array(times // 1_000),
        pa.array(times * 1_000),
        pa.array(times.astype(float)),
        texts,
        texts.dictionary_encode(),
        pa.array(times.astype(np.uint64)),
    ]
    for column in columns:
        pq.write_table(arrow_table(column), tmp_path / "a.parquet")
        assert equal(read_candles(tmp_path / "a.parquet", "1m"), CANDLES)
    closes = pa.array([repr(value) for value in CANDLES.close.tolist()])
    pq.write_table(arrow_table(columns[0], close=closes), tmp_path / "a.parquet")
    assert equal(read_candles(tmp_path / "a.parquet", "1m"), CANDLES)


def test_parquet_of_days(tmp_path: Path) -> None:
    days = make_candles(range(1_761_696_000_000, 1_761_696_000_000 + 5 * 86_400_000, 86_400_000))
    table = pa.Table.from_pandas(frame(days))
    table = table.set_column(0, "date", table.column("date").cast(pa.date32()))
    pq.write_table(table, tmp_path / "a.parquet")
    assert equal(read_candles(tmp_path / "a.parquet", "1d"), days)


def test_parquet_values_that_are_none(tmp_path: Path) -> None:
    times = pa.array(CANDLES.open_time_ms)
    null = pa.array([None if i == 4 else 1.0 for i in range(90)])
    path = tmp_path / "a.parquet"
    for table, message in [
        (arrow_table(times, close=null), "row 5: close is empty"),
        (arrow_table(times, close=pa.array([True] * 90)), "close is of type bool"),
        (arrow_table(pa.array([True] * 90)), "time is of type bool"),
        (arrow_table(times, close=pa.array(["x"] * 90)), "row 1: close 'x' is not a number"),
        (arrow_table(times, name="when"), "no column for a time"),
        (arrow_table(times).slice(0, 0), "holds no candles"),
        (
            arrow_table(pa.array(CANDLES.open_time_ms.astype(np.uint64) + np.uint64(1 << 63))),
            "cannot be read",
        ),
    ]:
        pq.write_table(table, path)
        assert message in refusal(path)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.json.gz", "a.json", "a.zip", "a.parquet", "a.feather"])
def test_no_truncated_file_passes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    rows = json.dumps([[int(row[0]), *row[1:]] for row in csv_rows()])
    if name == "a.zip":
        zipped(path, {"a.csv": binance_text(1)})
    elif name == "a.parquet":
        frame().to_parquet(path)
    elif name == "a.feather":
        frame().to_feather(path, compression="lz4")
    else:
        write(path, rows if "json" in name else csv_text())
    whole = path.read_bytes()
    for length in [*range(0, len(whole), max(1, len(whole) // 200)), len(whole) - 1]:
        path.write_bytes(whole[:length])
        refusal(path)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.zip", "a.parquet", "a.feather", "a.json", "a.csv"])
def test_damaged_files_give_candles_or_one_line(tmp_path: Path, name: str) -> None:
    """Formats of others have no checksum over everything, so some damage passes as other numbers."""
    path = tmp_path / name
    if name == "a.zip":
        zipped(path, {"a.csv": binance_text(1)})
    elif name == "a.parquet":
        frame().to_parquet(path)
    elif name == "a.feather":
        frame().to_feather(path, compression="lz4")
    else:
        write(path, json.dumps(csv_rows()) if "json" in name else csv_text())
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 400)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        try:
            read_candles(path, "1m")
        except DataError as error:
            assert "\n" not in str(error)


def test_broken_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = csv_rows()
    cases: list[tuple[str | bytes, str]] = [
        ("", "is empty"),
        ("\n \n", "is empty"),
        (HEADER, "has a header but no candles"),
        ("a,b,c\n1,2,3\n", "no column for a time"),
        ("1761951600000,1,2,3,4,5,6\n", "has no header and 7 columns"),
        (csv_text([*rows[:3], rows[3][:5]]), "line 5: 5 fields where the first line has 6"),
        (csv_text([*rows[:3], [*rows[3], "1"]]), "line 5: 7 fields where the first line has 6"),
        (csv_text([*rows[:3], [*rows[3][:4], "", rows[3][5]]]), "line 5: close '' is not a number"),
        (
            csv_text([*rows[:3], [*rows[3][:4], "nan", rows[3][5]]]),
            "line 5: close nan is not a finite number",
        ),
        (csv_text([*rows[:3], ["soon", *rows[3][1:]]]), "line 5: timestamp_ms 'soon' is neither"),
        ("\n\n" + csv_text([*rows[:3], ["1", *rows[3][1:]]]), "open time 1970-01-01T00:00:00.001Z"),
        (b"\xff\xfe" + csv_text().encode("utf-16-le"), "is not text in UTF-8"),
        (csv_text() + "x" * 200_000, "field larger than field limit"),
    ]
    for content, message in cases:
        assert message in refusal(write(path, content))


def test_line_numbers_count_blank_lines_and_survive_sorting(tmp_path: Path) -> None:
    lines = csv_text().splitlines()
    lines[1:1] = ["", ""]
    lines[10] = lines[10].replace(lines[10].split(",")[4], "-1.0")
    shuffled = [lines[0], *lines[:0:-1]]
    path = write(tmp_path / "a.csv", "\n" + "\n".join(shuffled))
    assert f"line {shuffled.index(lines[10]) + 2}: close -1.0" in refusal(path)


def test_broken_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    good = [1761951600000, 1, 3, 1, 2, 5]
    for content, message in [
        ("", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("{}", "holds no candles"),
        ("[]", "holds no candles"),
        (json.dumps([good, [1, 2]]), "row 2: not a list of time"),
        (json.dumps([good, {"open": 1}]), "row 2: not a list of time"),
        (json.dumps([good, [*good[:4], None, 5]]), "row 2: close None is not a number"),
        (json.dumps([good, [*good[:4], True, 5]]), "row 2: close True is not a number"),
        (json.dumps([good, [*good[:4], "2", 5]]), "row 2: close '2' is not a number"),
        (json.dumps([good, [*good[:4], 10**400, 5]]), "row 2: close"),
        (json.dumps([good, [*good[:4], float("nan"), 5]]), "row 2: close nan is not a finite number"),
    ]:
        assert message in refusal(write(path, content))


def test_zips_with_other_than_one_csv(tmp_path: Path) -> None:
    assert "holds 0 CSV files" in refusal(zipped(tmp_path / "a.zip", {"a.txt": "x"}))
    assert "holds 2 CSV files" in refusal(zipped(tmp_path / "a.zip", {"a.csv": "x", "b.csv": "x"}))


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "absent.csv")
    for name in ("absent.parquet", "absent.zip", "absent.feather"):
        assert "does not exist" in refusal(tmp_path / name)
    (tmp_path / "folder.csv").mkdir()
    assert "is a folder" in refusal(tmp_path / "folder.csv")
    assert "known are .csv" in refusal(write(tmp_path / "a.xlsx", "x"))
    assert "damaged" in refusal(write(tmp_path / "a.parquet", csv_text()))
    assert "damaged" in refusal(write(tmp_path / "a.feather", csv_text()))
    (tmp_path / "b.csv.gz").write_text(csv_text())
    assert "damaged" in refusal(tmp_path / "b.csv.gz")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame().to_parquet(tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install pyarrow" in refusal(tmp_path / "a.parquet")


def test_several_files_are_one_series(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", csv_text(csv_rows()[:60]))
    second = write(tmp_path / "b.csv.gz", csv_text(csv_rows()[50:]))
    checked = import_files([second, first], "1m")
    assert equal(checked.columns, CANDLES)
    assert checked.duplicates_merged == 10


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the folder shared/data is not beside the checkout")
def test_the_shared_data_is_read_whole() -> None:
    rows_of = {"1m_2025-10": 4_320, "1m_2025-05": 35_834, "1m_201709": 2_880, "_5m_": 848}
    for path in sorted(SHARED_DATA.glob("*/*.csv.gz")):
        if "quote" in path.name or "_1h_" in str(path):
            continue
        candles = read_candles(path, "5m" if "_5m_" in str(path) else "1m")
        for part, rows in rows_of.items():
            if part in str(path):
                assert len(candles.open_time_ms) == rows
    hours = next(SHARED_DATA.glob("*_1h_*/*.csv.gz"))
    assert "(43 of 55861 are not)" in refusal(hours, "1h")
    checked = import_files([hours], "1h", drop_off_grid=True)
    assert (len(checked.columns.open_time_ms), len(checked.off_grid_ms)) == (55_818, 43)


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the folder shared/data is not beside the checkout")
def test_numbers_are_those_that_another_reader_finds() -> None:
    path = next(SHARED_DATA.glob("binance_spot_1m*/BTC*.csv.gz"))
    expected = pyarrow.csv.read_csv(path)
    columns = read_raw(path).columns
    for name in ("open", "high", "low", "close", "volume"):
        assert getattr(columns, name).tolist() == expected.column(name).to_pylist()
