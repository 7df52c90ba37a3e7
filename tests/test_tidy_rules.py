"""Breaks every rule of the house once, in a snippet: a rule that cannot fail keeps nothing.

Beside each snippet that is wrong stands one that is right and looks alike.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import tidy_rules
from tests.test_tidy import ROOT, circles, may_import, module_of, room_of, strays, target_of
from tests.tidy_rules import Module, imports


def module(text: str, name: str = "app/feeds/x.py") -> Module:
    return module_of(Path(name), text)


def small_file(one: Module) -> Iterator[str]:
    return tidy_rules.long_file(one, 3)


def small_function(one: Module) -> Iterator[str]:
    return tidy_rules.long_functions(one, 3)


def short_header(one: Module) -> Iterator[str]:
    return tidy_rules.header(one, 2, 3)


@pytest.mark.parametrize(
    ("rule", "wrong", "right"),
    [
        (tidy_rules.ambient_clock, "import time", "import timeit"),
        (tidy_rules.ambient_clock, "from time import monotonic", "from app.times import iso_ms"),
        (tidy_rules.ambient_clock, "def f():\n    import time", "def f(time): pass"),
        (tidy_rules.ambient_clock, "x = datetime.now(UTC)", "x = datetime.fromtimestamp(5, UTC)"),
        (tidy_rules.ambient_clock, "x = datetime.datetime.utcnow()", "x = clock.now_ms()"),
        (tidy_rules.ambient_clock, "x = date.today()", "x = candle.open_time_ms"),
        (tidy_rules.ambient_clock, "x = asyncio.get_running_loop().time()", "x = loop.create_task(y)"),
        (tidy_rules.randomness, "import random", "import randomly"),
        (tidy_rules.randomness, "from random import shuffle", "from app.times import iso_ms"),
        (tidy_rules.randomness, "import uuid", "import uu"),
        (tidy_rules.randomness, "import secrets as s", "import secretly"),
        (tidy_rules.randomness, "from numpy.random import default_rng", "from numpy import linalg"),
        (tidy_rules.randomness, "x = os.urandom(4)", "x = os.getpid()"),
        (tidy_rules.randomness, "x = np.random.default_rng()", "x = np.zeros(3)"),
        (tidy_rules.randomness, "x = hash(symbol)", "x = hashlib.sha256(symbol)"),
        (tidy_rules.randomness, "x = id(symbol)", "x = order_id(symbol)"),
        (tidy_rules.set_order, "for x in set(y): pass", "for x in sorted(set(y)): pass"),
        (tidy_rules.set_order, "for x in {1, 2}: pass", "for x in {1: 2}: pass"),
        (tidy_rules.set_order, "for x in {a for a in y} - z: pass", "for x in sorted({a for a in y} - z): pass"),
        (tidy_rules.set_order, "z = [x for x in frozenset(y)]", "z = [x for x in dict.fromkeys(y)]"),
        (tidy_rules.set_order, "z = ', '.join(set(y))", "z = ', '.join(sorted(set(y)))"),
        (tidy_rules.set_order, "z = list({*a, *b})", "z = len({*a, *b})"),
        (tidy_rules.set_order, "z = (*set(y),)", "z = (*y,)"),
        (tidy_rules.heavy_at_start, "import pandas as pd", "def f():\n    import pandas as pd"),
        (tidy_rules.heavy_at_start, "from rich.console import Console", "if TYPE_CHECKING:\n    import rich"),
        (tidy_rules.heavy_at_start, "import pyarrow.parquet", "import arro3.io"),
        (tidy_rules.heavy_at_start, "import structlog", "import structural"),
        (short_header, "x = 1", '"""One.\n\nTwo.\n"""'),
        (short_header, '"""One."""', ""),
        (short_header, '"""1\n2\n3\n4\n"""', '"""1\n2\n3\n"""'),
        (small_file, "a\nb\nc\n", "a\nb\n"),
        (small_function, "def f():\n    a\n    b\n", "def f():\n    a\n"),
        (small_function, "class A:\n    async def f():\n        a\n        b\n", "class A:\n    x = 1\n    y = 1\n"),
        (tidy_rules.vague_names, "class OrderManager: pass", "class Order: pass"),
        (tidy_rules.vague_names, "def price_helper(): pass", "def price(): pass"),
        (tidy_rules.vague_names, "class PriceUtils: pass", "class Futile: pass"),
    ],
)
def test_a_rule_finds_what_is_wrong_and_only_that(
    rule: Callable[[Module], Iterator[str]], wrong: str, right: str
) -> None:
    (problem, *_) = rule(module(wrong))
    assert problem.startswith("app/feeds/x.py")
    assert list(rule(module(right))) == []


def test_a_module_named_for_nothing() -> None:
    assert list(tidy_rules.vague_names(module("", "app/helpers.py")))
    assert list(tidy_rules.vague_names(module("", "app/order_utils.py")))
    assert not list(tidy_rules.vague_names(module("", "app/orders.py")))


def test_work_left_for_later() -> None:
    words = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
    for word in words:
        assert list(tidy_rules.unfinished(Path("a"), f"x\n# {word} soon")) == [
            "a:2: do it, or write it down in an issue"
        ]
    assert not list(tidy_rules.unfinished(Path("a"), "mastodon, XXXL"))


def test_a_target_that_nobody_explains() -> None:
    makefile = ".PHONY: a gone\na: b ## does it\nb:\nVAR := x\n"
    assert list(tidy_rules.undocumented_targets(makefile)) == [
        "Makefile: b has no ## description",
        "Makefile: b is not .PHONY",
        "Makefile: gone is .PHONY but no target",
    ]


def test_a_link_that_leads_nowhere() -> None:
    text = "[a](README.md) [b](docs/none.md#x) [c](https://x.y/z) [d](../CHANGELOG.md) [e](#here)"
    assert list(tidy_rules.dead_links(Path("nowhere.md"), text.replace("README.md", "Makefile"), ROOT)) == [
        "nowhere.md: links to docs/none.md, which does not exist",
        "nowhere.md: links to ../CHANGELOG.md, which does not exist",
    ]


def test_a_decision_that_nobody_took() -> None:
    text = "docs/decisions/001 and docs/decisions/999"
    assert list(tidy_rules.missing_decisions(Path("a"), text, {"001"})) == ["a: docs/decisions/999 does not exist"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("app/runtime/runtime.py", "from app.settings.profile import Settings"),
        ("app/runtime/runtime.py", "from app.feeds.replay import ReplayFeed"),
        ("app/runtime/runtime.py", "def f():\n    import app.cli.main"),
        ("app/strategies/mine.py", "from app.candles.cache import CandleCache"),
        ("app/trading/paper_trader.py", "from app.times import now_ms"),
        ("app/trading/paper_trader.py", "from app.strategies.base import View"),
        ("app/trading/paper_trader.py", "from app.runtime.digest import digest"),
        ("app/models/market.py", "from app.errors import ConfigError"),
        ("app/runs/tally.py", "from app.session.backtest import ConfigBacktestRunner"),
        ("app/session/paper.py", "from app.report.making import make_report"),
        ("app/testnet/server.py", "from app.feeds.replay import ReplayFeed"),
        ("app/research/search.py", "from app.testnet.server import Testnet"),
        ("app/times.py", "import app.models.market"),
        ("app/nowhere/lost.py", "from app.models.market import Candle"),
    ],
)
def test_an_import_against_the_map(name: str, line: str) -> None:
    others = tuple(
        module("", f"app/{path}.py")
        for path in ("settings/profile", "feeds/replay", "cli/main", "candles/cache", "times", "strategies/base",
                     "errors", "trading/paper_trader", "models/market", "session/backtest", "runtime/digest",
                     "report/making", "testnet/server")
        if f"app/{path}.py" != name
    )  # fmt: skip
    (problem,) = strays((*others, module(line, name)))
    assert "which its map does not allow" in problem


def test_imports_for_types_only_are_free() -> None:
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from app.session.plan import RunPlan\n"
    pair = (module("", "app/session/plan.py"), module(typed, "app/strategies/base.py"))
    assert strays(pair) == []
    assert [one.for_types for one in imports(pair[1]) if one.name.startswith("app")] == [True]


def test_modules_in_a_circle() -> None:
    a, b, c = (module(f"from app.{other} import x", f"app/{name}.py") for name, other in ("ab", "bc", "ca"))
    late = module("def f():\n    from app.a import x", "app/c.py")
    assert circles((a, b, c)) == circles((a, b, late)) == ["app.a", "app.b", "app.c"]
    assert circles((a, b)) == []


def test_what_a_room_may_import() -> None:
    assert {"settings", "models", "runs", "times"} <= set(may_import("session"))
    assert not {"report", "cli", "testnet"} & set(may_import("session"))
    assert may_import("nowhere") == ()
    assert target_of("app.times.iso_ms", frozenset({"app", "app.times"})) == "app.times"
    assert [room_of(name) for name in ("app", "app.times", "app.feeds.replay")] == ["app", "times", "feeds"]
