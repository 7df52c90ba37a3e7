"""Which keys are taken: by what the exchange says of the key, or of the account where it says no more."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.errors import ConfigError, UnavailableError
from app.exchange.key_rights import KeyRights, of_account, of_restrictions
from tests.signed_exchange import Said, SignedExchange, error

# As the documents show it, of a key that is as it should be.
GOOD: dict[str, Any] = {
    "ipRestrict": True, "createTime": 1623840271000, "enableReading": True, "enableWithdrawals": False,
    "enableInternalTransfer": False, "enableMargin": False, "enableFutures": False, "permitsUniversalTransfer": False,
    "enableVanillaOptions": False, "enableFixApiTrade": False, "enableFixReadOnly": True,
    "enableSpotAndMarginTrading": True, "enablePortfolioMarginTrading": False,
}  # fmt: skip
ACCOUNT = {"canTrade": True, "canWithdraw": True, "permissions": ["SPOT"], "balances": [], "uid": 354937868}
RESTRICTIONS = "GET sapi/v1/account/apiRestrictions"


@pytest.fixture
async def server() -> AsyncIterator[SignedExchange]:
    async with SignedExchange() as made:
        yield made


async def rights(server: SignedExchange) -> KeyRights:
    api = server.api()
    try:
        return await api.key_rights()
    finally:
        await api.close()


async def test_a_key_as_it_should_be(server: SignedExchange) -> None:
    server.answers[RESTRICTIONS] = [Said(GOOD)]
    found = await rights(server)
    assert (found.source, found.problems, found.warnings) == ("the key", (), ())
    assert found.may["trade spot"]
    assert not found.may["withdraw"]
    found.refuse_problems()


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("enableWithdrawals", True, "it may withdraw: switch enableWithdrawals off"),
        ("enableInternalTransfer", True, "it may transfer to other accounts: switch enableInternalTransfer off"),
        ("permitsUniversalTransfer", True, "it may transfer between wallets: switch permitsUniversalTransfer off"),
        ("enableSpotAndMarginTrading", False, "it may not trade spot: switch enableSpotAndMarginTrading on"),
        ("enableReading", False, "it may not read the account: switch enableReading on"),
    ],
)
def test_what_refuses_a_key(field: str, value: bool, problem: str) -> None:
    found = of_restrictions({**GOOD, field: value})
    assert found.problems == (problem,)
    with pytest.raises(ConfigError, match="this API key is refused: it may"):
        found.refuse_problems()


def test_what_is_warned_of() -> None:
    found = of_restrictions(
        {**GOOD, "ipRestrict": False, "enableMargin": True, "tradingAuthorityExpirationTime": 1767225600000}
    )
    assert found.problems == ()
    assert found.warnings == (
        "it may borrow on margin, which Onetape never does",
        "it may be used from any address: restrict it to this machine's",
        "its right to trade ends at 2026-01-01 UTC",
    )


@pytest.mark.parametrize(
    "content", [None, [], 5, {}, {**GOOD, "enableWithdrawals": None}, {**GOOD, "ipRestrict": "no"}]
)
def test_what_does_not_say_it_is_no_answer(content: Any) -> None:
    with pytest.raises(UnavailableError):
        of_restrictions(content)


@pytest.mark.parametrize("said", [Said("<html>", 404), Said("", 404), error(-1020, "This operation is not supported.")])
async def test_where_an_exchange_does_not_know_the_question_the_account_answers(
    server: SignedExchange, said: Said
) -> None:
    """Binance US and Demo Mode."""
    server.answers[RESTRICTIONS] = [said]
    server.answers["GET account"] = [Said(ACCOUNT)]
    found = await rights(server)
    assert (found.source, found.problems) == ("the account", ())
    assert found.may == {"read": True, "trade spot": True, "withdraw (the account, by whatever key)": True}
    assert "this exchange does not say what a key may do" in found.warnings[0]


def test_an_account_that_may_not_trade() -> None:
    assert of_account({**ACCOUNT, "canTrade": False}).problems == ("the account may not trade",)
    assert (
        of_account({**ACCOUNT, "permissions": ["MARGIN"]}).warnings[1] == "SPOT is not among the account's permissions"
    )
    with pytest.raises(UnavailableError):
        of_account({"balances": []})


@pytest.mark.parametrize("code", [-2014, -2015, -1022])
@pytest.mark.parametrize("where", [RESTRICTIONS, "GET account"])
async def test_a_key_that_the_exchange_does_not_take(server: SignedExchange, code: int, where: str) -> None:
    server.answers[RESTRICTIONS] = [Said("", 404)]
    server.answers[where] = [error(code, "Invalid API-key, IP, or permissions for action.", 401)]
    with pytest.raises(ConfigError, match="does not take this API key") as caught:
        await rights(server)
    assert caught.value.__context__ is None
