"""What counts as a strategy's own parameter file, and what may know the future."""

import json
from pathlib import Path

import pytest

from app.research.checks.parameter_files import parameter_files
from app.times import iso_ms, parse_time_ms

START_MS, END_MS = parse_time_ms("2020-02-01"), parse_time_ms("2020-03-01")
INSIDE_MS = parse_time_ms("2020-02-04")
PARAMETERS = {
    "params.json": '{"fast": 9, "slow": 21, "sizes": [0.1, 0.2], "use_rsi": true, "note": "fitted on 2019-05-01"}',
    "settings/params.yaml": "fast: 9\nslow: 21\nsince: 2019-01-01\n",
    "params.toml": 'fast = 9\nname = "scalp"\n[rsi]\nperiod = 14\n',
}
MAY_KNOW = {
    "labels.json": json.dumps({str(INSIDE_MS): "up"}),
    "seconds.json": json.dumps({"buy_at": INSIDE_MS / 1_000}),
    "nanoseconds.json": json.dumps([INSIDE_MS * 1_000_000]),
    "days.yaml": "up: [2020-02-04]\n",
    "times.toml": f"up = {iso_ms(INSIDE_MS)}\n",
    "text.json": '{"days": "2019-05-01 2020-02-04"}',
    "list.json": json.dumps([1] * 17),
    "many.json": json.dumps({str(number): 1 for number in range(33)}),
    "signs.json": json.dumps({"signs": "01" * 33}),
    "large.json": json.dumps({"fast": 9}) + " " * 20_000,
    "broken.json": "{",
    "binary.json": "\x00",
    "prices.csv": "9,21\n",
    "a/b/deep.json": '{"fast": 9}',
}


def found(folder: Path, name: str, content: str) -> list[str]:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return parameter_files(folder, START_MS, END_MS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_shown(name: str, tmp_path: Path) -> None:
    assert found(tmp_path, name, PARAMETERS[name]) == [str(tmp_path / name)]


@pytest.mark.parametrize("name", MAY_KNOW)
def test_what_may_know_the_future_is_not(name: str, tmp_path: Path) -> None:
    assert found(tmp_path, name, MAY_KNOW[name]) == []
