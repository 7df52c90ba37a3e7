"""A real Chromium, where there is one: pages are opened from the file, and every request and error is noted.

The rule: without a browser the tests are skipped and say so; nothing is ever downloaded.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Browser, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
READY_MS = 300_000


@dataclass
class Opened:
    """A page that is ready, with what it asked for and what went wrong in it."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def evaluate(self, script: str, argument: Any = None) -> Any:
        """The value of an expression in the page."""
        return self.page.evaluate(script, argument)


Open = Callable[..., Opened]


# Not for the whole session: playwright's loop runs in this thread until it is left, and asyncio.run() fails beside it.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Opens a file: `opened(path, width=390, scheme="dark")`."""
    contexts = []

    def open_file(path: Path, *, width: int = 1280, scheme: Any = "light", scripts: bool = True) -> Opened:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
        )
        contexts.append(context)
        made = Opened(context.new_page())
        made.page.on("request", lambda request: made.requests.append(request.url))
        made.page.on("pageerror", lambda error: made.errors.append(str(error)))
        made.page.on(
            "console", lambda said: made.errors.append(said.text) if said.type in ("error", "warning") else None
        )
        made.page.goto(path.as_uri())
        if scripts:
            made.page.wait_for_selector("html[data-ready=yes]", timeout=READY_MS)
        return made

    yield open_file
    for context in contexts:
        context.close()
