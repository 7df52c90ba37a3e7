"""docs/real-orders.md: the program takes its commands, and its limits, refusals and reasons are those of the code."""

import re
import shlex
import subprocess

import pytest

from app.cli.main import _mode_parser, command_parser
from app.exchange.order_times import DEFAULT_TIMES
from app.models.orders import Reason, Refusal
from app.settings.profile import OrderSettings
from app.testnet.api_keys import TEST_KEY, TEST_SECRET
from tests.integration.processes import PROJECT

PAGE = (PROJECT / "docs/real-orders.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^python -m app (.*)$", PAGE.replace("\\\n", " "), re.MULTILINE)


@pytest.mark.parametrize("text", COMMANDS)
def test_a_command_is_taken(text: str) -> None:
    words = shlex.split(text)
    if words[0].startswith("--"):
        args = _mode_parser().parse_args(words)
        assert args.mode == "live"
        assert args.i_know_this_is_real_money == ("exchange=binance" in text.split())
    else:
        command_parser(words[0]).parse_args(words[1:])


def test_the_way_there_has_a_session_for_each_exchange() -> None:
    sessions = [text for text in COMMANDS if text.startswith("--mode live")]
    assert ["--exchange-url" in text for text in sessions] == [True, False, False]
    assert "exchange=binance_demo" in sessions[1]


def test_the_testnets_key_is_the_one_that_the_page_sets() -> None:
    export = re.search(r"^export ONETAPE_API_KEY.*$", PAGE, re.MULTILINE)
    assert export is not None
    shown = f"{export[0]}; printf '%s %s' $ONETAPE_API_KEY $ONETAPE_API_SECRET"
    done = subprocess.run(["sh", "-c", shown], capture_output=True, text=True, check=True)
    assert done.stdout == f"{TEST_KEY} {TEST_SECRET}"


def test_every_limit_stands_there_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `orders\.(\w+)` \| (\S+) \|", PAGE, re.MULTILINE))
    defaults = OrderSettings().model_dump()
    assert rows == {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in defaults.items()}


def test_the_deadline_is_the_one_of_the_code() -> None:
    window_s, late_s = OrderSettings().recv_window_ms / 1000.0, DEFAULT_TIMES.late_ms / 1000.0
    assert f"time stamp + {window_s:g} s + {late_s:g} s" in PAGE
    assert f"which is {window_s + late_s:g} s after its time stamp" in " ".join(PAGE.split())


def test_what_live_alone_refuses_is_named() -> None:
    alone = [one for one in Refusal if list(Refusal).index(one) >= list(Refusal).index(Refusal.SHORT_ON_SPOT)]
    assert [one for one in alone if f"`{one}`" not in PAGE] == []
    assert f"`{Reason.UNPROTECTED}`" in PAGE
