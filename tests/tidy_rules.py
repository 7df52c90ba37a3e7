"""The rules of the house as functions: a parsed module in, its problems out, each with file and line.

A rule knows nothing of this repository's exceptions (tests/test_tidy.py has those) and reads no file. A test
feeds every rule a snippet that breaks it.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HEAVY = ("pandas", "pyarrow", "ccxt", "aiohttp", "rich", "structlog", "plotly", "talib")
RANDOM_MODULES = ("random", "secrets", "uuid", "numpy.random")
RANDOM_ATTRIBUTES = ("urandom", "getrandom", "random")
CLOCK_ATTRIBUTES = ("now", "utcnow", "today")
BAD_NAME = re.compile(r"Manager|Helper|Util|(^|_)(manager|helper|util)s?(_|$)")
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
DECISION = re.compile(r"docs/decisions/(\d{3})")


@dataclass(frozen=True)
class Module:
    """A source file: `name` is the dotted one."""

    name: str
    path: Path
    text: str

    @property
    def tree(self) -> ast.Module:
        """Parsed; every rule asks for it."""
        return _parsed(self.text)

    def at(self, node: ast.expr | ast.stmt, problem: str) -> str:
        """A problem with its place."""
        return f"{self.path}:{node.lineno}: {problem}"


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


@dataclass(frozen=True)
class Import:
    """One imported name; `late` is inside a function, `for_types` under TYPE_CHECKING."""

    name: str
    line: int
    late: bool
    for_types: bool


def imports(module: Module) -> list[Import]:
    """Everything imported; `from a.b import c` is `a.b.c`, which may be a module or a name in one."""
    tree = module.tree
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    found = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names]
        else:
            continue
        found += [Import(name, node.lineno, node.col_offset > 0, id(node) in for_types) for name in names]
    return found


def under(name: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a dotted name is one of these, or lies in one."""
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def heavy_at_start(module: Module) -> Iterator[str]:
    """Imports that every start would pay for."""
    for one in imports(module):
        if under(one.name, HEAVY) and not one.late and not one.for_types:
            yield f"{module.path}:{one.line}: {one.name} at module level; import it in the function that needs it"


def ambient_clock(module: Module) -> Iterator[str]:
    """Readings of the real clock."""
    for one in imports(module):
        if under(one.name, ("time",)):
            yield f"{module.path}:{one.line}: the time module; time is the event's time, or app.times"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCK_ATTRIBUTES:
            yield module.at(node, f".{node.attr} reads the real clock; use app.times")
        is_loop_time = isinstance(node, ast.Attribute) and node.attr == "time" and "loop" in ast.unparse(node.value)
        if is_loop_time and isinstance(node, ast.Attribute):
            yield module.at(node, "the event loop's clock; use app.times")


def randomness(module: Module) -> Iterator[str]:
    """Anything that differs from process to process."""
    for one in imports(module):
        if under(one.name, RANDOM_MODULES):
            yield f"{module.path}:{one.line}: {one.name}; nothing in a run is random"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in RANDOM_ATTRIBUTES:
            yield module.at(node, f".{node.attr}; nothing in a run is random")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("hash", "id"):
            yield module.at(node, f"{node.func.id}() differs from process to process")


def set_order(module: Module) -> Iterator[str]:
    """Walks over sets, whose order follows the hash seed; `sorted(...)` around one is right."""
    for node in ast.walk(module.tree):
        walked: list[ast.expr] = []
        if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            walked = [node.iter]
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("list", "tuple", "enumerate", "iter", "next", "map", "zip", "join", "extend", "fromkeys"):
                walked = node.args
        elif isinstance(node, ast.Starred):
            walked = [node.value]
        for one in walked:
            if _is_set(one):
                yield module.at(one, "walks over a set; its order follows the hash seed, sort it")


def _is_set(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_set(node.left) or _is_set(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in ("set", "frozenset")
    return isinstance(node, (ast.Set, ast.SetComp))


def header(module: Module, least: int, most: int = 6) -> Iterator[str]:
    """A docstring of so many lines that are not blank; an empty file needs none."""
    if not module.text.strip():
        return
    lines = [line for line in (ast.get_docstring(module.tree) or "").splitlines() if line.strip()]
    if not least <= len(lines) <= most:
        yield f"{module.path}: its header has {len(lines)} lines; {least} to {most} say what it is and may not do"


def long_functions(module: Module, most: int) -> Iterator[str]:
    """Functions that do not fit a screen; the name is given with them."""
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines >= most:
                yield module.at(node, f"{node.name} has {lines} lines; fewer than {most} fit a screen")


def long_file(module: Module, most: int) -> Iterator[str]:
    """A file that should be two."""
    lines = module.text.count("\n")
    if lines >= most:
        yield f"{module.path}: {lines} lines; fewer than {most}, or an exception with a reason"


def vague_names(module: Module) -> Iterator[str]:
    """Names that say nothing."""
    if BAD_NAME.search(module.name.rpartition(".")[2]):
        yield f"{module.path}: a module name that says nothing"
    for node in ast.walk(module.tree):
        named = isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        if named and BAD_NAME.search(node.name):  # type: ignore[attr-defined]
            yield module.at(node, f"{node.name} says nothing about what it is")  # type: ignore[arg-type, attr-defined]


def unfinished(path: Path, text: str) -> Iterator[str]:
    """Marks of work that was left for later."""
    for number, line in enumerate(text.splitlines(), 1):
        if UNFINISHED.search(line):
            yield f"{path}:{number}: do it, or write it down in an issue"


def undocumented_targets(makefile: str) -> Iterator[str]:
    """Targets of a Makefile without a `## description`, or not declared phony."""
    phony = set(re.findall(r"^\.PHONY:(.*)$", makefile, re.MULTILINE)[0].split()) if ".PHONY:" in makefile else set()
    targets = re.findall(r"^([a-z][a-z_-]*):(?!=)(.*)$", makefile, re.MULTILINE)
    for target, rest in targets:
        if "## " not in rest:
            yield f"Makefile: {target} has no ## description"
        if target not in phony:
            yield f"Makefile: {target} is not .PHONY"
    for target in sorted(phony - {name for name, _ in targets}):
        yield f"Makefile: {target} is .PHONY but no target"


def dead_links(path: Path, text: str, root: Path) -> Iterator[str]:
    """Links to files that are not there."""
    for target in LINK.findall(text):
        if (
            "://" not in target
            and not target.startswith("mailto:")
            and not (root / path).parent.joinpath(target).exists()
        ):
            yield f"{path}: links to {target}, which does not exist"


def missing_decisions(path: Path, text: str, decisions: set[str]) -> Iterator[str]:
    """References to decisions that nobody wrote down."""
    for number in DECISION.findall(text):
        if number not in decisions:
            yield f"{path}: docs/decisions/{number} does not exist"
