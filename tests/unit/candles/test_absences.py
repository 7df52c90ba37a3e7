"""The record of what an exchange does not have: added to, pruned, and never believed when it is damaged."""

from pathlib import Path

import pytest

from app.candles import sealed_json
from app.candles.absences import FILE_NAME, add_absences, drop_absences, known_absences, read_absences
from app.candles.ranges import Ranges
from app.candles.sealed_json import write_sealed
from app.errors import DataError, NewerFormatError

US, KRAKEN = "binanceus", "kraken"


def known(folder: Path, exchange: str = US) -> Ranges:
    return known_absences(folder).get(exchange, ())


def test_nothing_is_known_before_anybody_asked(tmp_path: Path) -> None:
    assert known(tmp_path) == ()
    assert read_absences(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


def test_absences_add_up_by_exchange(tmp_path: Path) -> None:
    add_absences(tmp_path, US, ((10, 20),))
    add_absences(tmp_path, US, ((15, 30), (50, 60)))
    add_absences(tmp_path, KRAKEN, ((0, 5),))
    assert read_absences(tmp_path) == {US: ((10, 30), (50, 60)), KRAKEN: ((0, 5),)}
    assert known(tmp_path) == ((10, 30), (50, 60))
    assert known(tmp_path, KRAKEN) == ((0, 5),)
    assert known(tmp_path, "bitstamp") == ()


def test_the_order_of_adding_does_not_show(tmp_path: Path) -> None:
    for name, ranges in (("one", [(0, 5), (5, 9), (20, 30)]), ("two", [(20, 30), (2, 9), (0, 4)])):
        (tmp_path / name).mkdir()
        for one in ranges:
            add_absences(tmp_path / name, US, (one,))
    assert (tmp_path / "one" / FILE_NAME).read_bytes() == (tmp_path / "two" / FILE_NAME).read_bytes()


def test_what_there_is_now_is_absent_no_more(tmp_path: Path) -> None:
    add_absences(tmp_path, US, ((10, 30),))
    add_absences(tmp_path, KRAKEN, ((20, 40),))
    drop_absences(tmp_path, ((15, 25), (60, 70)))
    assert read_absences(tmp_path) == {US: ((10, 15), (25, 30)), KRAKEN: ((25, 40),)}


def test_the_last_absence_takes_the_file_with_it(tmp_path: Path) -> None:
    add_absences(tmp_path, US, ((10, 30),))
    drop_absences(tmp_path, ((0, 100),))
    assert list(tmp_path.iterdir()) == []
    drop_absences(tmp_path, ((0, 100),))
    add_absences(tmp_path, US, ())
    assert list(tmp_path.iterdir()) == []


def test_presence_elsewhere_does_not_touch_the_file(tmp_path: Path) -> None:
    add_absences(tmp_path, US, ((10, 30),))
    (tmp_path / FILE_NAME).chmod(0o400)
    before = (tmp_path / FILE_NAME).stat()
    drop_absences(tmp_path, ((30, 100),))
    assert (tmp_path / FILE_NAME).stat() == before


@pytest.mark.parametrize("damage", ["cut", "changed", "no_ranges", "no_mapping"])
def test_a_damaged_record_knows_nothing_and_is_replaced(tmp_path: Path, damage: str) -> None:
    path = tmp_path / FILE_NAME
    add_absences(tmp_path, US, ((10, 30),))
    whole = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole[:-5])
    elif damage == "changed":
        path.write_bytes(whole.replace(b"30", b"40"))
    else:
        write_sealed(path, {"absent": {US: [[1]]} if damage == "no_ranges" else [1]})
    with pytest.raises(DataError, match=rf"{FILE_NAME} is damaged"):
        read_absences(tmp_path)
    assert known(tmp_path) == ()
    drop_absences(tmp_path, ((0, 100),))
    add_absences(tmp_path, US, ((70, 80),))
    assert read_absences(tmp_path) == {US: ((70, 80),)}


def test_a_later_format_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(sealed_json, "FORMAT_VERSION", 2)
        add_absences(tmp_path, US, ((10, 30),))
    before = (tmp_path / FILE_NAME).read_bytes()
    for ask in (
        lambda: known(tmp_path),
        lambda: add_absences(tmp_path, US, ((1, 2),)),
        lambda: drop_absences(tmp_path, ((0, 100),)),
    ):
        with pytest.raises(NewerFormatError):
            ask()
    assert (tmp_path / FILE_NAME).read_bytes() == before
