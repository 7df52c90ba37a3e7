"""`python -m app testnet`: a local exchange in a process of its own, until SIGTERM or Ctrl-C.

The first line on standard output says where it listens, everything else goes to standard error. What cannot be served
is an OnetapeError before it listens.
"""

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import get_args

from app import times
from app.candles.cache import CandleCache
from app.candles.importing import read_candles
from app.cli.arguments import Parser, symbols_of
from app.errors import ConfigError
from app.testnet.api_keys import TEST_ACCOUNT, Account, read_accounts
from app.testnet.commissions import Fees
from app.testnet.faults import read_faults
from app.testnet.generator import GeneratorSource
from app.testnet.market import CacheSource, FileSource, MarketSource
from app.testnet.server import Faults, Testnet
from app.testnet.spot_exchange import MatchedBy
from app.times import iso_ms, parse_time_ms, timeframe_ms

_PORT_MAX = 65_535
_WEIGHT_LIMIT = 1200


def testnet_parser(**about: str) -> Parser:
    """The arguments of `testnet`."""
    parser = Parser(**about)
    parser.add_argument("--cache", type=Path, metavar="DIR", help="serve the candles of this cache")
    parser.add_argument(
        "--candles", action="append", default=[], metavar="SYMBOL:TF=FILE",
        help="serve a candle file, e.g. BTC/USDT:1m=btc.csv; may be repeated",
    )  # fmt: skip
    parser.add_argument("--generate", type=int, metavar="SEED", help="serve made-up candles of --symbols")
    parser.add_argument("--symbols", metavar="A,B", help="with --generate, e.g. BTC/USDT,ETH/USDT")
    parser.add_argument("--port", type=int, default=0, metavar="P", help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--speed", type=float, default=1.0, metavar="N", help="N times real time (default: 1)")
    parser.add_argument(
        "--start", metavar="T", help="its time when it starts (default: the end of the candles; made-up ones: now)"
    )
    parser.add_argument(
        "--faults", default="none", metavar="none|storm:SEED|orders-storm:SEED|FILE", help="what goes wrong, and when"
    )
    parser.add_argument("--trade", action="store_true", help="trade, with one account of 10,000 USDT and a known key")
    parser.add_argument("--account", type=Path, metavar="FILE.json", help="trade, with these accounts and keys")
    parser.add_argument(
        "--fees", choices=get_args(Fees), default="received", help="the asset fees are taken in (default: received)"
    )
    parser.add_argument(
        "--matching", choices=get_args(MatchedBy), default="rules",
        help="fill by the rules of a backtest, or against an order book (default: rules)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of that order book (default: 0)")
    parser.add_argument("--no-limit", action="store_true", help="no limit on request weights")
    parser.set_defaults(run=run_testnet)
    return parser


def run_testnet(args: argparse.Namespace) -> int:
    """Serves until it is stopped; 0."""
    if not 0 <= args.port <= _PORT_MAX:
        raise ConfigError(f"--port {args.port}: a port is 0 to {_PORT_MAX}")
    start_ms = None if args.start is None else parse_time_ms(args.start)
    faults = _faults(args.faults)
    source = _source(args)
    if start_ms is None:
        start_ms = (
            times.now_ms() if args.generate is not None else max(source.span_ms(one)[1] for one in source.symbols)
        )
    limit = None if args.no_limit else _WEIGHT_LIMIT
    accounts = _accounts(args)
    trading = {"fees": args.fees, "matching": args.matching, "seed": args.seed}

    async def serve() -> None:
        net = Testnet(
            source, start_ms=start_ms, speed=args.speed, faults=faults, weight_limit=limit, port=args.port,
            accounts=accounts, trading=trading,
        )  # fmt: skip
        await _serve(net)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
    return 0


async def _serve(net: Testnet) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with net:
        print(f"listening on {net.url}", flush=True)
        _note(f"{', '.join(net.market.symbols)}; its time is {iso_ms(net.now_ms())}")
        await net.serve_until(stop)
    _note(f"stopped after {net.log.count()} requests, most weight in a minute {net.log.used_weight_max}")


def _note(text: str) -> None:
    print(f"testnet: {text}", file=sys.stderr, flush=True)


def _source(args: argparse.Namespace) -> MarketSource:
    given = [args.cache is not None, bool(args.candles), args.generate is not None]
    if sum(given) != 1:
        raise ConfigError(
            "testnet needs one source of candles: --cache DIR, --candles SYMBOL:TF=FILE or --generate SEED"
        )
    if (args.symbols is not None) != (args.generate is not None):
        raise ConfigError("--generate SEED needs --symbols A,B, and --symbols is for made-up candles only")
    if args.cache is not None:
        return CacheSource(CandleCache(args.cache))
    if args.generate is not None:
        return GeneratorSource(args.generate, symbols_of(args.symbols))
    return _file_source(args.candles)


def _file_source(given: list[str]) -> MarketSource:
    series = {}
    for text in given:
        name, equals, file = text.partition("=")
        symbol, colon, timeframe = name.rpartition(":")
        if not (equals and colon and file):
            raise ConfigError(f"--candles {text}: write SYMBOL:TF=FILE, for example BTC/USDT:1m=btc.csv")
        timeframe_ms(timeframe)
        if (symbol, timeframe) in series:
            raise ConfigError(f"--candles: {symbol} {timeframe} is given twice")
        series[symbol, timeframe] = read_candles(Path(file), timeframe)
    source = FileSource(series)
    if not source.symbols:
        raise ConfigError("--candles: no candle of a symbol like BTC/USDT")
    return source


def _accounts(args: argparse.Namespace) -> tuple[Account, ...]:
    if args.account is not None and args.trade:
        raise ConfigError("--trade has an account of its own: write --trade or --account FILE.json")
    return read_accounts(args.account) if args.account is not None else (TEST_ACCOUNT,) if args.trade else ()


def _faults(text: str) -> Faults:
    is_file = text != "none" and not text.startswith(("storm:", "orders-storm:"))
    return read_faults(Path(text)) if is_file else text
