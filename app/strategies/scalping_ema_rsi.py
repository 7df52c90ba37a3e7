"""ScalpingEMARSI: EMA cross, filtered by RSI and by volume. A demonstration, not a money machine.

The rule is RULES.md, section ScalpingEMARSI. `on_candle` streams; `add_indicators` gives whole DataFrames the
same numbers by running the same indicators, and `generate_signal` answers for a DataFrame's last row.
"""

from collections.abc import Generator, Iterable, Sequence
from inspect import getgeneratorlocals
from math import inf, isnan, nan
from typing import TYPE_CHECKING, ClassVar

from app.errors import ConfigError
from app.models.market import Candle
from app.models.orders import FLAT, Action, Signal
from app.strategies.base import Condition, Strategy, View
from app.strategies.indicators import ATR, EMA, RSI, SMA, rsi_of, state_of

if TYPE_CHECKING:
    import pandas as pd


class ScalpingEMARSI(Strategy):
    """LONG when the fast EMA crosses above the slow one, SHORT when below, if RSI and volume agree."""

    lookback: ClassVar[int] = 0
    constraints: ClassVar[tuple[str, ...]] = (
        "ema_fast < ema_slow",
        "rsi_long_min <= rsi_long_max",
        "rsi_short_min <= rsi_short_max",
    )

    def __init__(
        self,
        ema_fast: int = 9,
        ema_slow: int = 21,
        rsi_period: int = 14,
        atr_period: int = 14,
        volume_period: int = 20,
        volume_factor: float = 1.0,
        rsi_long_min: float = 50.0,
        rsi_long_max: float = 70.0,
        rsi_short_min: float = 30.0,
        rsi_short_max: float = 50.0,
        allow_short: bool = True,
    ) -> None:
        if ema_fast >= ema_slow:
            raise ConfigError(f"ema_fast ({ema_fast}) must be below ema_slow ({ema_slow})")
        if not 0.0 <= volume_factor < inf:
            raise ConfigError(f"volume_factor ({volume_factor}) must be zero or more, and finite")
        for side, low, high in (
            ("long", rsi_long_min, rsi_long_max),
            ("short", rsi_short_min, rsi_short_max),
        ):
            if not 0.0 <= low <= high <= 100.0:
                raise ConfigError(f"rsi_{side}_min ({low}) .. rsi_{side}_max ({high}) is no range inside 0 .. 100")
        self.ema_fast = EMA(ema_fast)
        self.ema_slow = EMA(ema_slow)
        self.rsi = RSI(rsi_period)
        self.atr = ATR(atr_period)
        self.volume_sma = SMA(volume_period)
        self.volume_factor = volume_factor
        self.rsi_long = (rsi_long_min, rsi_long_max)
        self.rsi_short = (rsi_short_min, rsi_short_max)
        self.allow_short = allow_short
        self._answers = _answers(self)
        next(self._answers)
        self._answer = self._answers.send

    @property
    def warmup_candles(self) -> int:
        """Candles until every indicator exists, and the difference of the EMAs for the candle before."""
        return max(super().warmup_candles, self.ema_slow.warmup_candles + 1)

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        """Update all indicators, then look for a cross."""
        return self._answer(candle)

    def indicator_values(self) -> dict[str, float | None]:
        """The indicators at the last candle, for tests and for people who ask why."""
        now = getgeneratorlocals(self._answers)
        rsi, volume_sma = now.get("rsi"), now.get("volume_sma")
        if "gain" in now:
            rsi, volume_sma = rsi_of(now["gain"], now["loss"]), now["volume_total"] / self.volume_sma.period
        averages = {"ema_fast": now.get("fast"), "ema_slow": now.get("slow")}
        return {**averages, "rsi": rsi, "atr": now.get("atr"), "volume_sma": volume_sma}

    def judge(self, before: float, d: float, rsi: float, atr: float, volume: float, volume_sma: float) -> Signal:
        """The rule, given the EMAs' difference before and now; NaN anywhere compares false and gives FLAT."""
        if not self._trades_enough(volume, volume_sma):
            return FLAT
        if _crosses_up(before, d) and _within(rsi, self.rsi_long):
            return Signal(Action.LONG, atr)
        if self.allow_short and _crosses_down(before, d) and _within(rsi, self.rsi_short):
            return Signal(Action.SHORT, atr)
        return FLAT

    def explain(self, candle: Candle, view: View) -> Sequence[Condition]:
        """Every condition of `judge` for both sides, with the numbers of the candle that was answered last."""
        now, values = getgeneratorlocals(self._answers), self.indicator_values()
        before, d = now.get("before", nan), now.get("d", nan)
        rsi, volume_sma = (nan if value is None else value for value in (values["rsi"], values["volume_sma"]))
        missing = [name for name, value in values.items() if value is None]
        if not missing and isnan(before):
            missing = ["the EMAs' difference of the candle before"]
        ready = f"missing: {', '.join(missing)}" if missing else "all"
        cross = f"{before:.8g} -> {d:.8g}"
        needed = f"above {self.volume_factor:g} x SMA = {self.volume_factor * volume_sma:.8g}"
        volume = Condition("volume", candle.volume, needed, self._trades_enough(candle.volume, volume_sma))
        return [
            Condition("every indicator exists", ready, "all", not missing),
            Condition("LONG: EMAs cross upwards", cross, "at or below 0, then above 0", _crosses_up(before, d)),
            Condition("LONG: RSI", rsi, "{:g} to {:g}".format(*self.rsi_long), _within(rsi, self.rsi_long)),
            volume._replace(name="LONG: volume"),
            Condition("SHORT: allowed", str(self.allow_short).lower(), "true", self.allow_short),
            Condition("SHORT: EMAs cross downwards", cross, "at or above 0, then below 0", _crosses_down(before, d)),
            Condition("SHORT: RSI", rsi, "{:g} to {:g}".format(*self.rsi_short), _within(rsi, self.rsi_short)),
            volume._replace(name="SHORT: volume"),
        ]

    def _trades_enough(self, volume: float, volume_sma: float) -> bool:
        return volume > self.volume_factor * volume_sma

    def add_indicators(self, df: "pd.DataFrame") -> "pd.DataFrame":
        """A copy of a candle DataFrame (columns open, high, low, close, volume; oldest first) with the columns
        ema_fast, ema_slow, rsi, atr and volume_sma; NaN before an indicator exists.
        """
        close, volume = df["close"].tolist(), df["volume"].tolist()
        ranges = zip(df["high"].tolist(), df["low"].tolist(), close, strict=True)
        candles = [Candle("", "", 0, c, high, low, c, 0.0) for high, low, c in ranges]
        fast, slow = EMA(self.ema_fast.period), EMA(self.ema_slow.period)
        rsi, atr, volume_sma = RSI(self.rsi.period), ATR(self.atr.period), SMA(self.volume_sma.period)
        return df.assign(
            ema_fast=_floats(map(fast.update, close)),
            ema_slow=_floats(map(slow.update, close)),
            rsi=_floats(map(rsi.update, close)),
            atr=_floats(map(atr.update, candles)),
            volume_sma=_floats(map(volume_sma.update, volume)),
        )

    def generate_signal(self, df: "pd.DataFrame") -> Signal:
        """The signal of the last row of a candle DataFrame, the same that `on_candle` gives for that candle.

        Columns that `add_indicators` made are used as they are; without them they are computed.
        """
        if len(df) < 2:
            return FLAT
        frame = df if "volume_sma" in df else self.add_indicators(df)
        rows = frame[["ema_fast", "ema_slow", "rsi", "atr", "volume", "volume_sma"]].tail(2)
        (fast_0, slow_0, *_), (fast_1, slow_1, rsi, atr, volume, volume_sma) = rows.itertuples(index=False)
        return self.judge(fast_0 - slow_0, fast_1 - slow_1, rsi, atr, volume, volume_sma)


# The clauses of the rule, a function each: `judge` decides by them, `explain` shows them.


def _crosses_up(before: float, d: float) -> bool:
    return before <= 0.0 < d


def _crosses_down(before: float, d: float) -> bool:
    return before >= 0.0 > d


def _within(rsi: float, allowed: tuple[float, float]) -> bool:
    return allowed[0] <= rsi <= allowed[1]


def _floats(values: Iterable[float | None]) -> list[float]:
    return [nan if value is None else value for value in values]


def _answers(strategy: ScalpingEMARSI) -> Generator[Signal, Candle, None]:
    """The strategy's whole stream: a candle in, a signal out.

    Until every indicator exists it is the strategy as one would write it. Then it takes over their state and goes on
    with the recursions of indicators.py inline: five calls a candle cost more than all of the arithmetic, and this is
    the hottest loop of a backtest (docs/decisions/005). RSI and the volume's mean are carried as sums and divided only
    on a cross. A test holds every value of every bar to TA-Lib.
    """
    signal = FLAT
    d = nan  # the EMAs' difference; nan compares false with everything: no cross
    while True:
        candle = yield signal
        close = candle.close
        fast, slow = strategy.ema_fast.update(close), strategy.ema_slow.update(close)
        rsi, atr = strategy.rsi.update(close), strategy.atr.update(candle)
        volume_sma = strategy.volume_sma.update(candle.volume)
        before, d = d, nan if slow is None or fast is None else fast - slow
        if fast is not None and slow is not None and rsi is not None and atr is not None and volume_sma is not None:
            signal = strategy.judge(before, d, rsi, atr, candle.volume, volume_sma)
            break

    fast_factor, slow_factor = strategy.ema_fast.factor, strategy.ema_slow.factor
    # As floats: the same result, and the interpreter has a fast way only for two of a kind.
    rsi_period, rsi_weight = float(strategy.rsi.period), float(strategy.rsi.period - 1)
    atr_period, atr_weight = float(strategy.atr.period), float(strategy.atr.period - 1)
    gain, loss = state_of(strategy.rsi, "gain", "loss")
    volume_total, volume_sum, volumes = state_of(strategy.volume_sma, "full", "total", "window")
    add_volume, drop_volume = volumes.append, volumes.popleft
    previous = close
    while True:
        candle = yield signal
        signal = FLAT
        close, high, low, volume = candle.close, candle.high, candle.low, candle.volume

        fast = (close - fast) * fast_factor + fast
        slow = (close - slow) * slow_factor + slow

        change = close - previous
        if change < 0.0:
            loss = (loss * rsi_weight - change) / rsi_period
            gain = gain * rsi_weight / rsi_period
        else:
            loss = loss * rsi_weight / rsi_period
            gain = (gain * rsi_weight + change) / rsi_period

        if previous > high:
            high = previous
        elif previous < low:
            low = previous
        atr = (atr * atr_weight + (high - low)) / atr_period
        previous = close

        add_volume(volume)
        volume_total = volume_sum + volume
        volume_sum = volume_total - drop_volume()

        before, d = d, fast - slow
        if before * d > 0.0:
            continue  # the same side as before: no cross, as on most candles
        volume_sma = volume_total / strategy.volume_sma.period
        signal = strategy.judge(before, d, rsi_of(gain, loss), atr, volume, volume_sma)
