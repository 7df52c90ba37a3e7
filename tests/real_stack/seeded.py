"""A seeded session: the market, the strategy, the exchange's variants and the weather, all from one number.

The rule: an even seed has one fault at a time and no kill, an odd one has faults and kills as they come.
"""

from app.models.events import EndOfData, Stop
from app.testnet.exchange_variants import Variants
from tests.exchange_books import Tossing
from tests.real_stack import checks
from tests.real_stack.session import RealSession, walk
from tests.real_stack.weather import Weather
from tests.virtual_loop import run_virtual

SLICES, SPARE = 12, 60  # spare candles for a closing phase
SINGLE_S = 30.0  # T: for so long at most is something of ours unprotected, with one fault at a time
FAULT_S = 15.0  # and what each further fault or kill that it meets may add
_VARIANTS = (
    Variants(),
    Variants(trigger_reports=False, event_order="list_first", refusal_reports=True),
    Variants(finds_cancelled=False, part_expires_stop=False, event_order="balances_first"),
    Variants(trigger_text="Order would trigger immediately.", closed_code=-2010, cancels_while_shut=False),
)


def session_of(seed: int) -> tuple[RealSession, Weather]:
    """As it is before it begins."""
    is_single = seed % 2 == 0
    weather = Weather(seed, often=0.3, gap_s=45.0) if is_single else Weather(seed, often=0.1, kills=0.0004)
    number = seed // 2
    names = ("AAA/X", "BBB/X", "BNB/X")  # fees may be paid in the last
    candles = {symbol: walk(seed * 3 + place, SLICES + SPARE) for place, symbol in enumerate(names)}
    session = RealSession(
        candles, SLICES, strategy=lambda: Tossing(seed), command=weather.command, beside=weather.over,
        end=Stop("a test") if number % 2 else EndOfData(),
        options={
            "fees": ("received", "bnb", "quote")[number % 3],
            "matching": ("rules", "book")[number // 3 % 2],
            "parts": 1 + number % 3,
            "variants": _VARIANTS[number % len(_VARIANTS)],
            "seed": seed,
        },
    )  # fmt: skip
    return session, weather


def play(seed: int) -> tuple[RealSession, Weather]:
    """The session to its end, with all that must hold after it."""
    session, weather = session_of(seed)
    ended = run_virtual(session.run())
    session.books = run_virtual(session.replayed())[0]
    checks.check(ended)
    allowed_s = 0.0 if seed % 2 == 0 else FAULT_S
    for excess in checks.excesses(session, weather.faults):
        assert excess.own_s <= SINGLE_S + allowed_s * excess.faults, (seed, excess)
    return session, weather
