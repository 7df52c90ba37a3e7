"""A live session's account before it begins: what is going to be done, what is too small, what is somebody else's."""

import re
from typing import Any

import pytest

from app import times
from app.errors import ConfigError, UnavailableError
from app.exchange.keys import Keys, account_mark
from app.models.intents import ClientId, read_client_id
from app.session import live_account
from app.session.live_account import LiveAccount
from app.settings.profile import OrderSettings, Settings, load_settings

LIVE: dict[str, Any] = {
    "exchange": "binance", "symbols": ["BTC/USDT", "ETH/USDT"], "timeframe": "1m",
    "strategy": {"name": "ScalpingEMARSI", "params": {"allow_short": False}},
    "instruments": {"BTC/USDT": {"min_notional": 5, "min_quantity": 0.0001}, "ETH/USDT": {"min_notional": 5}},
}  # fmt: skip


class Api:
    """An account with these balances, which answers with the second try."""

    def __init__(self, **balances: float) -> None:
        self.held, self.faults = balances, 1

    async def balances(self) -> dict[str, float]:
        """As they are."""
        if self.faults:
            self.faults -= 1
            raise UnavailableError("cut")
        return self.held

    async def price(self, symbol: str) -> float:
        """Of a coin."""
        return 60_000.0


def settings(*overrides: str) -> Settings:
    return load_settings({"live": LIVE}, ["starting_balance=400", *overrides])


async def begun(api: Api, *overrides: str) -> list[str]:
    told: list[str] = []
    made = settings(*overrides)
    orders = made.trading_mode.orders or OrderSettings()
    await LiveAccount(api, orders, told.append, "mark", is_testnet=False).begin(made)  # type: ignore[arg-type]
    return told


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_account, "_WAIT_S", 0.0)


async def test_what_is_going_to_be_done_is_said_before_it_begins() -> None:
    told = await begun(Api(USDT=500.0, BTC=0.25, XRP=3.0))
    assert told[0] == "real orders at binance (real money), spot: ScalpingEMARSI on BTC/USDT, ETH/USDT, 1m"
    assert told[1] == (
        "the account holds 500 USDT, this session trades with 400; an entry costs at most 50, at most 20 a day"
    )
    assert "without its stop there for 30 s is said; when the session is stopped, its positions are closed" in told[2]
    assert told[3:] == ["the account has 0.25 BTC of its own, which this session does not touch"]


async def test_entries_that_the_limit_would_refuse_are_named() -> None:
    told = await begun(Api(USDT=5_000.0), "starting_balance=2000", "on_stop=keep", "exchange=binance_demo")
    assert "(play money)" in told[0]
    assert "its positions stay, protected" in told[-2] + told[-1] + told[2] + told[3]
    assert any("entries may be sized up to 200 USDT: those above orders.max_order_notional" in one for one in told)


@pytest.mark.parametrize(
    ("held", "overrides", "said"),
    [
        (399.99, (), "the account holds 399.99 USDT, and starting_balance is 400: set it to"),
        (0.0, (), "the account holds 0 USDT, and starting_balance is 400"),
        (500.0, ("starting_balance=40",), "an entry in BTC/USDT may cost 4 USDT at most"),
        (500.0, ("orders.max_order_notional=3",), "an entry in BTC/USDT may cost 3 USDT at most"),
        (500.0, ("instruments.BTC/USDT.min_quantity=0.001",), "the smallest order of the exchange is 60"),
    ],
)
async def test_an_account_that_is_too_small(held: float, overrides: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        await begun(Api(USDT=held), *overrides)
    assert said in str(refused.value)


async def test_an_exchange_that_does_not_answer_is_not_asked_for_ever() -> None:
    api = Api(USDT=500.0)
    api.faults = 100
    with pytest.raises(UnavailableError, match="cut"):
        await begun(api)
    assert api.faults == 95


def test_tags_differ_and_fit_client_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = set()
    for mark in ("one", "two"):
        account = LiveAccount(Api(), OrderSettings(), print, mark, is_testnet=True)  # type: ignore[arg-type]
        for now_ms in (1, 2):
            monkeypatch.setattr(times, "now_ms", lambda now_ms=now_ms: now_ms)
            tags.add(account.new_tag())
    assert len(tags) == 4
    for tag in tags:
        assert re.fullmatch("[a-z0-9]{8}", tag)
        assert read_client_id(str(ClientId(tag, 1, 2, "e"))) == ClientId(tag, 1, 2, "e")


def test_the_mark_of_an_account_tells_accounts_apart_and_nothing_more() -> None:
    assert account_mark("binance 1") != account_mark("binance 2")
    assert account_mark("binance 1") == account_mark("binance 1")
    assert re.fullmatch("[0-9a-f]{24}", account_mark("binance 1"))
    assert "MyKey" not in Keys("MyKey", "s").mark()
