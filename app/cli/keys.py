"""`python -m app keys check`: what the API key of this environment may do, as the exchange says it.

Nothing of the key is printed. A key that may move money away, or may not trade, is an OnetapeError (exit status 2).
"""

import argparse
import asyncio
from collections.abc import Iterator

from app.cli.arguments import Parser, note, print_answer, profile_arguments, profile_of
from app.errors import ConfigError
from app.exchange.account_requests import AccountRequests
from app.exchange.hosts import BINANCE
from app.exchange.key_rights import KeyRights, key_rights
from app.exchange.keys import Keys, read_keys
from app.exchange.limiter import WEIGHT_A_SECOND, RateLimiter
from app.settings.profile import load_settings

_RECV_WINDOW_MS, _ANSWER_S = 5000, 15.0


def keys_parser(**about: str) -> Parser:
    """The arguments of `keys`."""
    parser = Parser(parents=[profile_arguments()], **about)
    parser.add_argument("action", choices=("check",), metavar="check", help="what the key may do")
    parser.add_argument("--exchange-url", metavar="URL", help="another host for the exchange, e.g. the testnet's")
    parser.add_json()
    parser.set_defaults(run=run_keys)
    return parser


def run_keys(args: argparse.Namespace) -> int:
    """Ask, print, and refuse what is to be refused."""
    exchange = load_settings(**profile_of(args)).live.exchange
    if exchange not in BINANCE:
        raise ConfigError(f"live.exchange {exchange}: real orders go to {', '.join(BINANCE)} only")
    rights = asyncio.run(_asked(exchange, args.exchange_url, read_keys()))
    content = {
        "exchange": exchange, "said_of": rights.source, "may": dict(rights.may), "problems": list(rights.problems),
        "warnings": list(rights.warnings),
    }  # fmt: skip
    print_answer(args, content, _lines(exchange, rights))
    for warning in rights.warnings:
        note(f"warning: {warning}")
    rights.refuse_problems()
    return 0


async def _asked(exchange: str, url: str | None, keys: Keys) -> KeyRights:
    limiter = RateLimiter(WEIGHT_A_SECOND)
    requests = AccountRequests(exchange, url, keys, limiter, recv_window_ms=_RECV_WINDOW_MS, answer_s=_ANSWER_S)
    try:
        return await key_rights(requests)
    finally:
        await requests.rest.close()


def _lines(exchange: str, rights: KeyRights) -> Iterator[str]:
    yield f"{exchange} says of {rights.source}:"
    for what, is_allowed in rights.may.items():
        yield f"  {'may    ' if is_allowed else 'may not'}  {what}"
