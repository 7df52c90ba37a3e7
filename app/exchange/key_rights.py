"""What an API key may do, as the exchange says it, and whether Onetape takes such a key.

A key that can move money away is refused, however it came about; one that may be used from anywhere is warned of.
Where the exchange does not tell what a key may do, what it says of the account stands in, and that is said.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from app.errors import ConfigError, UnavailableError
from app.exchange.account_requests import AccountRequests, CodedRefusalError
from app.times import short_time

_BAD_KEY = (-1002, -1022, -2008, -2014, -2015)
# Fields of apiRestrictions: what each means, and why a key that has it is refused.
_MOVES_MONEY = {
    "enableWithdrawals": "withdraw",
    "enableInternalTransfer": "transfer to other accounts",
    "permitsUniversalTransfer": "transfer between wallets",
}
_MORE_THAN_NEEDED = {
    "enableMargin": "borrow on margin",
    "enableFutures": "trade futures",
    "enableVanillaOptions": "trade options",
    "enablePortfolioMarginTrading": "trade on portfolio margin",
}


class KeyRights(NamedTuple):
    """`may` by what it is; `problems` are why the key is refused, each with what would be right."""

    source: str
    may: Mapping[str, bool]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def refuse_problems(self) -> None:
        """ConfigError where there are any."""
        if self.problems:
            raise ConfigError(f"this API key is refused: {'; '.join(self.problems)}")


async def key_rights(requests: AccountRequests) -> KeyRights:
    """Asks the exchange. ConfigError for a key that it does not take; an ExchangeError where it cannot be asked."""
    refusal = ""
    try:
        return of_restrictions(await requests.ask("account/apiRestrictions", section="sapi"))
    except CodedRefusalError as error:
        if error.code in _BAD_KEY:
            refusal = str(error)
    if not refusal:  # no such question, as at Binance US and in Demo Mode
        try:
            return of_account(await requests.account())
        except CodedRefusalError as error:
            refusal = str(error)
    raise ConfigError(
        f"the exchange does not take this API key: {refusal}; is it of this exchange, allowed from this address, "
        "and does the secret belong to it?"
    )


def of_restrictions(content: Any) -> KeyRights:
    """What apiRestrictions says of the key."""
    said = {name: value for name, value in _object(content).items() if isinstance(value, bool)}
    needed = ("enableReading", "enableSpotAndMarginTrading", "enableWithdrawals", "ipRestrict")
    missing = [name for name in needed if name not in said]
    if missing:
        raise UnavailableError(f"the exchange's answer about this API key lacks {', '.join(missing)}")
    problems = [
        f"it may {what}: switch {name} off" for name, what in _MOVES_MONEY.items() if said.get(name)
    ]  # fmt: skip
    if not said["enableReading"]:
        problems.append("it may not read the account: switch enableReading on")
    if not said["enableSpotAndMarginTrading"]:
        problems.append("it may not trade spot: switch enableSpotAndMarginTrading on")
    warnings = [
        f"it may {what}, which Onetape never does" for name, what in _MORE_THAN_NEEDED.items() if said.get(name)
    ]
    if not said["ipRestrict"]:
        warnings.append("it may be used from any address: restrict it to this machine's")
    ends_ms = content.get("tradingAuthorityExpirationTime")
    if type(ends_ms) is int:
        warnings.append(f"its right to trade ends at {short_time(ends_ms)} UTC")
    may = {
        "read": said["enableReading"],
        "trade spot": said["enableSpotAndMarginTrading"],
        **{what: said[name] for name, what in (_MOVES_MONEY | _MORE_THAN_NEEDED).items() if name in said},
        "be used from any address": not said["ipRestrict"],
    }
    return KeyRights("the key", may, tuple(problems), tuple(warnings))


def of_account(content: Any) -> KeyRights:
    """What can be said where only the account is known; that it could be read shows that the key may read."""
    account = _object(content)
    trades, withdraws = account.get("canTrade"), account.get("canWithdraw")
    if not isinstance(trades, bool):
        raise UnavailableError("the exchange's answer about the account does not say whether it may trade")
    problems = [] if trades else ["the account may not trade"]
    warnings = [
        "this exchange does not say what a key may do, only what the account may: see on its website that this key "
        "cannot withdraw or transfer, and that it is restricted to this machine's address"
    ]
    kinds = account.get("permissions")
    if isinstance(kinds, list) and kinds and "SPOT" not in kinds:
        warnings.append("SPOT is not among the account's permissions")
    may = {"read": True, "trade spot": trades}
    if isinstance(withdraws, bool):
        may["withdraw (the account, by whatever key)"] = withdraws
    return KeyRights("the account", may, tuple(problems), tuple(warnings))


def _object(content: Any) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise UnavailableError("the exchange's answer about this API key cannot be read")
    return content
