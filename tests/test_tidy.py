"""Keeps the house: imports point one way, no ambient clock or randomness, headers, sizes, names, live links.

The rules are in tests/tidy_rules.py, the map in tests/tidy_map.py; tests/test_tidy_rules.py breaks each of them on
purpose. An exception has a reason, and one that is no longer needed fails.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from tests import tidy_rules
from tests.tidy_map import BESIDE, ENGINE, ENGINE_LINES, FLOORS, NEVER, REAL_ORDERS, ROOT_FILES, TOP
from tests.tidy_rules import Import, Module, imports, under

ROOT = Path(__file__).resolve().parents[1]
CLOCK = "app.times"  # the one module that reads the real clock
LONG_FILES = {
    "tests.unit.candles.test_importing": "one file per module, and importing has many kinds of files",
}
LONG_HEADERS = {"app.errors": (15, "it draws the exception tree")}
RANDOM = {
    "app.exchange.retries": "waits between tries are drawn, so that many clients do not come back at once",
    "app.web.access": "the token of the operator's page",
    "app.research.bootstrap": "the paths of Monte Carlo, each from the user's seed and its own number",
}
FILE_LINES, FUNCTION_LINES = 320, 75

Rule = Callable[[Module], Iterator[str]]


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """All Python files below the folders."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return tuple(module_of(path.relative_to(ROOT), path.read_text(encoding="utf-8")) for path in paths)


def module_of(path: Path, text: str) -> Module:
    parts = path.with_suffix("").parts
    return Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path, text)


def documents() -> list[Path]:
    return [
        path for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")) if path.exists()
    ]


def problems_of(rule: Rule, among: tuple[Module, ...]) -> list[str]:
    return [problem for module in among for problem in rule(module)]


# The import map.


def target_of(name: str, known: frozenset[str]) -> str:
    """The module that an import leads to: `app.times.iso_ms` is `app.times`."""
    while name not in known and "." in name:
        name = name.rpartition(".")[0]
    return name


def room_of(module: str) -> str:
    """`app.feeds.replay` lies in `feeds`, `app.times` is its own, the package and `__main__` are themselves."""
    parts = module.split(".")
    return module if module in TOP else parts[1]


def may_import(room: str) -> tuple[str, ...]:
    """The rooms and root files that a room may import."""
    if room in TOP:
        return (*TOP[room], *ROOT_FILES)
    if room in ROOT_FILES:
        return ROOT_FILES[room]
    if room in BESIDE:
        return (room, *BESIDE[room], *ROOT_FILES)
    if room not in FLOORS:
        return ()
    below = FLOORS[FLOORS.index(room) :]
    return (*below, *(BESIDE if room == FLOORS[0] else ()), *ROOT_FILES)


def edges(among: tuple[Module, ...]) -> dict[tuple[str, str], Import]:
    known = frozenset(module.name for module in among)
    return {
        (module.name, target_of(one.name, known)): one
        for module in among
        for one in imports(module)
        if under(one.name, ("app",)) and not one.for_types
    }


def strays(among: tuple[Module, ...]) -> list[str]:
    """Imports that go up, or beside the map, or to what must never be seen."""
    found = []
    for (module, target), one in edges(among).items():
        fits = room_of(target) in may_import(room_of(module))
        seen = one.name if under(one.name, (target,)) else target
        barred = any(under(seen, names) for place, names in NEVER.items() if under(module, (place,)))
        if not fits or barred:
            found.append(f"{module} imports {seen} (line {one.line}), which its map does not allow")
    return found


def test_imports_go_down_only() -> None:
    assert strays(modules("app")) == []


def test_every_room_is_on_the_map_and_says_what_it_is_for() -> None:
    rooms = {path.parent.name for path in (ROOT / "app").glob("*/__init__.py")}
    assert rooms == {*FLOORS, *BESIDE}
    at_the_root = {path.stem for path in (ROOT / "app").glob("*.py")}
    assert at_the_root == {"__init__", "__main__", *ROOT_FILES}


def test_nobody_imports_a_command() -> None:
    commands = {pair for pair in edges(modules("app")) if under(pair[1], ("app.cli",))}
    assert {pair for pair in commands if pair[1] != "app.cli.arguments"} <= {
        ("app.__main__", "app.cli.main"),
        *(pair for pair in commands if pair[0] == "app.cli.main"),
    }


def circles(among: tuple[Module, ...]) -> list[str]:
    """Modules that import each other, at the start or later."""
    pairs = {pair for pair in edges(among) if pair[0] != pair[1]}
    left = {module for pair in pairs for module in pair}
    while leaves := {module for module in left if not any(a == module and b in left for a, b in pairs)}:
        left -= leaves
    return sorted(left)


def test_no_modules_import_each_other() -> None:
    assert circles(modules("app")) == []


def test_the_engine_is_read_in_an_evening() -> None:
    engine = [one for one in modules("app") if under(one.name, ENGINE) and not under(one.name, REAL_ORDERS)]
    assert sum(module.text.count("\n") for module in engine) <= ENGINE_LINES


# Bans, sizes, names.


def test_nobody_walks_over_a_set() -> None:
    assert problems_of(tidy_rules.set_order, modules("app")) == []


def test_nothing_heavy_is_imported_at_the_start() -> None:
    """The room of the page is a process of its own, so it may; who comes to it from outside does so in a function."""
    others = tuple(module for module in modules("app") if not under(module.name, ("app.web",)))
    assert problems_of(tidy_rules.heavy_at_start, others) == []
    doors = [one for module in others for one in imports(module) if under(one.name, ("app.web",))]
    assert doors
    assert all(one.late or one.for_types for one in doors)


def test_nothing_that_decides_is_random() -> None:
    drawing = tuple(module for module in modules("app") if module.name in RANDOM)
    others = tuple(module for module in modules("app") if module.name not in RANDOM)
    assert problems_of(tidy_rules.randomness, others) == []
    assert all(list(tidy_rules.randomness(module)) for module in drawing)


def test_one_module_reads_the_real_clock() -> None:
    clock = tuple(module for module in modules("app") if module.name == CLOCK)
    others = tuple(module for module in modules("app") if module.name != CLOCK)
    assert problems_of(tidy_rules.ambient_clock, others) == []
    assert problems_of(tidy_rules.ambient_clock, clock) != []


def headers(module: Module) -> Iterator[str]:
    # A test file may say in one line what it holds to what; the template's content is a header itself.
    one_line = module.path.name in ("__init__.py", "__main__.py") or module.path.parts[0] == "tests"
    least = 1 if one_line or module.name == "app.cli.new" else 2
    return tidy_rules.header(module, least, most=LONG_HEADERS.get(module.name, (6, ""))[0])


def test_every_module_says_what_it_is() -> None:
    assert problems_of(headers, modules("app", "tests", "scripts")) == []


def test_files_and_functions_stay_small() -> None:
    short = tuple(module for module in modules("app", "tests", "scripts") if module.name not in LONG_FILES)
    assert problems_of(lambda module: tidy_rules.long_file(module, FILE_LINES), short) == []
    assert problems_of(lambda module: tidy_rules.long_functions(module, FUNCTION_LINES), modules("app")) == []


def test_names_say_something() -> None:
    assert problems_of(tidy_rules.vague_names, modules("app", "tests", "scripts")) == []


def test_nothing_is_left_for_later() -> None:
    texts = [(module.path, module.text) for module in modules("app", "tests", "scripts")]
    texts += [(path.relative_to(ROOT), path.read_text()) for path in (*documents(), ROOT / "Makefile")]
    assert [problem for path, text in texts for problem in tidy_rules.unfinished(path, text)] == []


def test_a_unit_test_file_for_each_module() -> None:
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests/unit").rglob("test_*.py")}
    elsewhere = {"runtime": "scenarios", "errors": "no code", "import_text": "importing", "import_arrow": "importing",
                 "orders": "models", "events": "models", "tape": "journal", "market": "models",
                 "order_reports": "no code"}  # fmt: skip
    stems = {module.path.stem for module in modules("app")} - {"__init__", "__main__", "base"}
    assert stems - tested - set(elsewhere) == set()


# Documents.


def test_every_make_target_is_documented() -> None:
    assert list(tidy_rules.undocumented_targets((ROOT / "Makefile").read_text())) == []


def test_links_lead_somewhere() -> None:
    found = [(path.relative_to(ROOT), path.read_text()) for path in documents()]
    assert [problem for path, text in found for problem in tidy_rules.dead_links(path, text, ROOT)] == []


def test_decisions_that_are_named_exist() -> None:
    decisions = {path.name[:3] for path in (ROOT / "docs/decisions").glob("[0-9][0-9][0-9]-*.md")}
    texts = [(module.path, module.text) for module in modules("app", "scripts")]
    texts += [(path.relative_to(ROOT), path.read_text()) for path in (*documents(), ROOT / "pyproject.toml")]
    found = [p for path, text in texts for p in tidy_rules.missing_decisions(path, text, decisions)]
    assert found == []


def test_make_targets_that_documents_name_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in documents():
        named = set(re.findall(r"`make ([a-z]+)`", path.read_text()))
        assert named <= targets, path
