"""The golden tapes: each format that was ever written replays to the trade log that its session wrote.

A change here means that a recorded session would be decided on differently today: say why in the commit.
"""

import asyncio
import hashlib
import zlib
from pathlib import Path

import pytest

from app.errors import DataError
from app.feeds.tape import read_tape
from app.session.tape_replay import TapeRunner

FORMATS = sorted(Path(__file__).parent.glob("tape-format-*"))
SHA256 = {
    "tape-format-3": "3842045cd2278873f2587aa8c69571d247a4e1057edb314d33cc0e3dfc1a6c74",
    "tape-format-2": "3842045cd2278873f2587aa8c69571d247a4e1057edb314d33cc0e3dfc1a6c74",
    "tape-format-1": "d2f680ddd868080bffa980448fcd421373fec7ef056baffd72de89effe1bcfab",
}


@pytest.mark.parametrize("recorded", FORMATS, ids=lambda path: path.name)
def test_a_recorded_session_replays_to_its_bytes(recorded: Path, tmp_path: Path) -> None:
    results = asyncio.run(TapeRunner(recorded, tmp_path / "replayed").run_async())
    replayed = (tmp_path / "replayed" / results["files"]["trades"]).read_bytes()
    assert replayed == (recorded / results["files"]["trades"]).read_bytes()
    assert hashlib.sha256(replayed).hexdigest() == SHA256[recorded.name]
    assert results["feed"] == {"late_candles": 1, "late_slices": 2, "revised_candles": 1, "stale_symbols": 3}
    assert replayed.count(b"\n") > 8
    assert b"kill_switch" in replayed
    tape = read_tape(recorded)
    assert all(record.digest for record in tape.records)
    assert recorded.name == f"tape-format-{tape.header['format']}"
    assert [epoch.number for epoch in tape.epochs] == ([1] if tape.header["format"] == 1 else [1, 2])


def test_another_decision_is_named(tmp_path: Path) -> None:
    tape = tmp_path / "run" / "tape" / "000001.jsonl"
    tape.parent.mkdir(parents=True)
    content = (
        (FORMATS[0] / "tape" / "000001.jsonl")
        .read_bytes()
        .replace(b'"commission_rate":0.001', b'"commission_rate":0.002')
    )

    head, _, rest = content.partition(b"\n")
    tape.write_bytes(b"%08x %b\n%b" % (zlib.crc32(head[9:]), head[9:], rest))
    with pytest.raises(DataError, match=r"event \d+ \(Slice\) was decided on differently when it was recorded"):
        asyncio.run(TapeRunner(tmp_path / "run", tmp_path / "replayed").run_async())
