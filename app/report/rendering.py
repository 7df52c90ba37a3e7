"""Templates, styles and scripts put together into one file that asks nothing of a network.

The rule: everything that came from a user (symbols, tags, paths) is escaped, in markup by Jinja and inside scripts
here; the page forbids itself any request by its content security policy. It is written whole or not at all.
"""

import base64
import json
import zlib
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.runs.run_folder import writing

_HERE = Path(__file__).resolve().parent
_CHARTS = "vendor/lightweight-charts/lightweight-charts.standalone.production.js"


@cache
def environment() -> Environment:
    """Autoescape on, also for `.jinja`; an unknown name in a template is an error."""
    made = Environment(
        loader=FileSystemLoader(_HERE / "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["asset"] = asset
    made.globals["charts_library"] = Markup(_read(_CHARTS))  # noqa: S704 - a file of this package
    made.filters["script_json"] = script_json
    return made


def render(template: str, values: Mapping[str, Any]) -> str:
    """The page as text."""
    return environment().get_template(template).render(values)


def asset(name: str) -> Markup:
    """A style sheet or script of this package, as it stands."""
    return Markup(_read(f"assets/{name}"))  # noqa: S704 - a file of this package


def script_json(content: Any) -> Markup:
    """JSON that cannot end the script tag it stands in, whatever its texts hold; NaN is a programming error."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)  # ASCII: U+2028 and the like are escaped too
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return Markup(text)  # noqa: S704 - no mark of HTML is left


def packed_json(content: Any) -> str:
    """The same, deflated, in base64: for what is long."""
    return base64.b64encode(
        zlib.compress(json.dumps(content, separators=(",", ":"), allow_nan=False).encode(), 6)
    ).decode()


def write_page(path: Path, text: str) -> None:
    """Whole or not at all; OutputError where the disk takes no more."""
    temporary = path.with_name(path.name + ".tmp")
    with writing(path):
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise


@cache
def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
