"""The other yardstick: the same rules for one symbol as a script of TA-Lib and numba, written by hand for this alone.

Run as a process of its own: `python -m tests.bench.talib_script CANDLES.npz TRADES.npy WARMUP`. It trades the shipped
strategy with the costs of the shipped config, no kill switch, and knows no files but these two. The bench holds its
trades to those of the backtest, so it is the same work. Compiled code is kept, as numba does it.
"""

import math
import sys

import numba
import numpy as np
import talib

_COMMISSION, _SLIPPAGE, _STEPS = 0.001, 0.0005, 100_000_000


@numba.njit(cache=True)
def _note(row, side, quantity, entry_ms, entry, exit_ms, price, gained):  # type: ignore[no-untyped-def]
    row[0], row[1], row[2], row[3], row[4], row[5], row[6] = side, quantity, entry_ms, entry, exit_ms, price, gained


@numba.njit(cache=True)
def trades_of(  # type: ignore[no-untyped-def]
    times, opens, highs, lows, closes, volumes, d, rsi, atr, volume_mean, warmup
):
    """Rows of side, quantity, entry time, entry price, exit time, exit price, net PnL; equity of each candle."""
    rows = np.empty((len(times) // 2 + 1, 7))
    equities = np.empty(len(times) - warmup)
    count = 0
    balance = 10_000.0
    side = pending = 0
    quantity = entry = stop = target = paid = entry_ms = 0.0
    for i in range(warmup, len(times)):
        open_, high, low, close = opens[i], highs[i], lows[i], closes[i]
        if volumes[i] > 0.0:
            if pending != 0:
                side, pending = pending, 0
                entry, entry_ms = open_ * (1.0 + side * _SLIPPAGE), times[i]
                paid = _COMMISSION * entry * quantity
            if side != 0:
                price, exit_ms = 0.0, times[i]
                if side * (open_ - stop) <= 0.0:
                    price = open_ * (1.0 - side * _SLIPPAGE)
                elif side * (open_ - target) > 0.0:
                    price = open_
                else:
                    exit_ms = times[i] + 60_000
                    worst, best = (low, high) if side > 0 else (high, low)
                    if side * (worst - stop) <= 0.0:
                        price = stop * (1.0 - side * _SLIPPAGE)
                    elif side * (best - target) > 0.0:
                        price = target
                if price > 0.0:
                    gained = side * quantity * (price - entry) - paid - _COMMISSION * price * quantity
                    balance += gained
                    _note(rows[count], side, quantity, entry_ms, entry, exit_ms, price, gained)
                    count += 1
                    side = 0
        equity = balance
        if side != 0:
            equity += side * quantity * (close - entry) - paid
        equities[i - warmup] = equity
        if side != 0 or not volumes[i] > volume_mean[i]:
            continue
        wanted = 0
        if d[i - 1] <= 0.0 < d[i] and 50.0 <= rsi[i] <= 70.0:
            wanted = 1
        elif d[i - 1] >= 0.0 > d[i] and 30.0 <= rsi[i] <= 50.0:
            wanted = -1
        distance = 1.5 * atr[i]
        if wanted != 0 and distance > 0.0:
            limit = min(equity * 0.01 / distance, equity * 0.10 / close, 0.20 * equity / close)
            steps = limit / 1e-8
            nearest = np.rint(steps)
            quantity = (nearest if abs(steps - nearest) <= 1e-9 else math.floor(steps)) / _STEPS
            if quantity > 0.0:
                pending, stop, target = wanted, close - wanted * distance, close + wanted * 2.0 * distance
    if side != 0:
        price = closes[-1] * (1.0 - side * _SLIPPAGE)
        gained = side * quantity * (price - entry) - paid - _COMMISSION * price * quantity
        _note(rows[count], side, quantity, entry_ms, entry, times[-1] + 60_000, price, gained)
        count += 1
    return rows[:count], equities


def main(candles: str, trades: str, warmup: int) -> None:
    """Load, trade, write."""
    with np.load(candles) as file:
        times, opens, highs, lows, closes, volumes = (file[name] for name in file.files)
    rows, equities = trades_of(
        times, opens, highs, lows, closes, volumes,
        talib.EMA(closes, 9) - talib.EMA(closes, 21), talib.RSI(closes, 14), talib.ATR(highs, lows, closes, 14),
        talib.SMA(volumes, 20), warmup,
    )  # fmt: skip
    peaks = np.maximum(np.maximum.accumulate(equities), 10_000.0)
    drawdown = float(np.max(1.0 - equities / peaks))
    won = int((rows[:, 6] > 0.0).sum())
    print(f"{len(rows)} trades, {won} won, {rows[:, 6].sum():+.2f}, maximum drawdown {100.0 * drawdown:.2f} %")
    np.save(trades, rows)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
