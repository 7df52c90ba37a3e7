"""One month as bytes: readable by others, canonical, and sealed against damage."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from app.candles import month_file
from app.candles.month_file import CandleColumns, describe_month, encode_month, read_month
from app.errors import DataError
from tests.candle_columns import equal, make_candles, minutes

CANDLES = make_candles(minutes(50))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / "2025-10.parquet"
    target.write_bytes(encode_month("BTC/USDT", "1m", "2025-10", CANDLES))
    return target


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as error:
        read_month(path)
    text = str(error.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def test_what_was_written_is_read(path: Path) -> None:
    about, columns = read_month(path)
    assert equal(columns, CANDLES)
    assert about == describe_month(path)
    assert (about.symbol, about.timeframe, about.month, about.rows) == ("BTC/USDT", "1m", "2025-10", 50)
    assert (about.first_open_ms, about.last_open_ms) == (CANDLES.open_time_ms[0], CANDLES.open_time_ms[-1])


def test_sha256_is_over_the_raw_columns(path: Path) -> None:
    raw = b"".join(column.tobytes() for column in CANDLES)
    assert describe_month(path).sha256 == hashlib.sha256(raw).hexdigest()


def test_other_readers_open_it(path: Path) -> None:
    table = pq.read_table(path)
    assert table.column_names == ["timestamp_ms", "open", "high", "low", "close", "volume"]
    assert table.column("close").to_pylist() == CANDLES.close.tolist()
    assert json.loads(table.schema.metadata[b"onetape"])["symbol"] == "BTC/USDT"


def test_bytes_are_the_same_in_another_process_with_another_hash_seed(path: Path) -> None:
    script = (
        "import sys; from app.candles.month_file import encode_month; "
        "from tests.candle_columns import make_candles, minutes; "
        "sys.stdout.buffer.write(encode_month('BTC/USDT', '1m', '2025-10', make_candles(minutes(50))))"
    )
    root = Path(__file__).resolve().parents[3]
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo", "PYTHONPATH": str(root)}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, cwd=root, capture_output=True, check=True
        )
        assert done.stdout == path.read_bytes()


def test_negative_zero_volume_is_written_as_zero() -> None:
    negative = CANDLES._replace(volume=np.full(50, -0.0))
    positive = CANDLES._replace(volume=np.zeros(50))
    assert encode_month("A/B", "1m", "2025-10", negative) == encode_month("A/B", "1m", "2025-10", positive)


def test_every_truncation_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refusal(path)


def test_every_changed_byte_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        refusal(path)


def test_footer_damage_is_seen_without_reading_candles(path: Path) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[-20] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="footer does not match"):
        describe_month(path)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"timestamp_ms,open\n1,2\n", b"\x00" * 5000])
def test_what_is_no_parquet_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refusal(path)


def test_parquet_of_another_program_is_refused(path: Path) -> None:
    pq.write_table(pq.read_table(path), path)
    assert "data import" in refusal(path)


def test_newer_format_is_refused_by_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(month_file, "FORMAT_VERSION", 2)
    path.write_bytes(encode_month("BTC/USDT", "1m", "2025-10", CANDLES))
    monkeypatch.setattr(month_file, "FORMAT_VERSION", 1)
    assert "cache format 2, this Onetape reads 1" in refusal(path)


def test_absent_and_unreadable_files_are_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "absent.parquet")
    assert "cannot be read" in refusal(tmp_path)


def forged(columns: CandleColumns, monkeypatch: pytest.MonkeyPatch, sha256: str | None = None) -> bytes:
    """A file whose seal is right and whose content is not: a program's mistake, not a disk's."""
    if sha256 is not None:
        monkeypatch.setattr(month_file, "_columns_sha256", lambda _: sha256)
    content = encode_month("BTC/USDT", "1m", "2025-10", columns)
    monkeypatch.undo()
    return content


def test_sealed_candles_that_do_not_ascend_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = np.arange(50)
    order[[10, 11]] = order[[11, 10]]
    path.write_bytes(forged(CANDLES.take(order), monkeypatch))
    assert "do not ascend" in refusal(path)


def test_columns_are_held_against_their_sha256(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(forged(CANDLES, monkeypatch, sha256="0" * 64))
    assert "do not match their sha256" in refusal(path)
