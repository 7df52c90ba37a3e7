"""Up to where the cache holds a session's warm-up, whatever the exchange has of it."""

from types import SimpleNamespace
from typing import Any

import pytest

from app.errors import RefusedError
from app.feeds.warm_up import fetch_warm_up
from tests.made import BTC, MINUTE_MS


class Provider:
    """Fetches nothing: what is unsettled, or missing after a refusal, is the test's."""

    def __init__(self, unsettled: int | None = None, missing: int | None = None) -> None:
        self._unsettled, self._missing = unsettled, missing

    async def fetch(self, *_: Any) -> Any:
        if self._missing is not None:
            raise RefusedError("no candle")
        ranges = () if self._unsettled is None else ((self._unsettled * MINUTE_MS, 10 * MINUTE_MS),)
        return SimpleNamespace(series=[SimpleNamespace(unsettled=ranges)])

    def missing(self, *_: Any) -> Any:
        return {BTC: ((self._missing or 0, 10 * MINUTE_MS),)} if self._missing else {BTC: ()}


async def until(provider: Any, begin: int = 0) -> int:
    return await fetch_warm_up(provider, [BTC], "1m", begin * MINUTE_MS, 10 * MINUTE_MS) // MINUTE_MS


async def test_it_goes_up_to_the_start_or_to_what_is_too_young_to_be_kept() -> None:
    assert await until(Provider()) == 10
    assert await until(Provider(unsettled=9)) == 9
    assert await until(None, begin=10) == 10, "no warm-up, and nobody is asked"


async def test_an_exchange_that_has_no_more_is_no_fault_but_a_hole_long_before_the_start_is() -> None:
    assert await until(Provider(missing=8 * MINUTE_MS)) == 8
    with pytest.raises(RefusedError):
        await until(Provider(missing=7 * MINUTE_MS))
