"""The metrics on the console as tables of rows: what a plain report prints and a coloured one may lay out otherwise.

Takes the content of results.json; it computes no figure of its own. A block that the results lack (of an older run)
gives no table, what is undefined reads n/a, with the length of the run where thirty days were needed.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from app.report.console_blocks import Row, Table
from app.times import parse_time_ms, short_time

Results = Mapping[str, Any]
_DAYS_NEEDED = 30


def metric_tables(results: Results) -> Iterator[Table]:
    """Risk and return, trades, the halt if there was one, and what the candles cannot tell."""
    if "cagr_pct" in results["performance"]:
        yield Table("Risk and return", tuple(_risk(results)))
        if results["performance"]["total_trades"]:
            yield Table("Trades", tuple(_trades(results)))
    if results.get("to_halt"):
        yield Table("To the halt", tuple(_to_halt(results["to_halt"])))
    if "uncertainty" in results and results["performance"]["total_trades"]:
        yield Table("What the candles cannot tell", tuple(_uncertainty(results)))


def _risk(results: Results) -> Iterator[Row]:
    own = results["performance"]
    short = own["days"] < _DAYS_NEEDED
    days = int(own["days"])
    unknown = f"n/a ({days} day{'' if days == 1 else 's'})" if short else "n/a"

    def yearly(value: float | None, unit: str = "") -> str:
        return unknown if value is None else f"{value:.2f}{unit}"

    day = f"best day {_percent(own['best_day_pct'], '+')}, worst day {_percent(own['worst_day_pct'], '+')}"
    yield Row("CAGR", yearly(own["cagr_pct"], " %"), f"volatility {_percent(own['volatility_pct'])}, {day}")
    others = f"Sortino {_number(own['sortino'])}, Calmar {_number(own['calmar'])}, Omega {_number(own['omega'])}"
    yield Row("Sharpe", yearly(own["sharpe"]), others)
    tail = f"CVaR {_percent(own['cvar_95_pct'])}, skew {_number(own['skew'])}, kurtosis {_number(own['kurtosis'])}"
    yield Row("VaR 95 % of a day", yearly(own["var_95_pct"], " %"), tail)
    water = f"{_percent(own['time_under_water_pct'])} of the time under water"
    yield Row("ulcer index", _number(own["ulcer_index"]), f"{water}, longest {own['longest_drawdown_days']:,.1f} days")
    held = results["buy_and_hold"]
    if held is not None:
        yield Row("buy and hold", _percent(held["return_pct"], "+"), "equal weights, without costs")


def _trades(results: Results) -> Iterator[Row]:
    own, seen = results["performance"], results["excursions"]
    yield Row(
        "profit factor",
        _number(own["profit_factor"]),
        f"payoff ratio {_number(own['payoff_ratio'])}, Kelly {_percent(own['kelly_pct'])}, SQN {_number(own['sqn'])}",
    )
    sides = f"average win {_money(own['average_win'])}, loss {_money(own['average_loss'])}"
    ends = f"best {_money(own['best_trade'], '+')}, worst {_money(own['worst_trade'], '+')}"
    yield Row("expectancy", _money(own["expectancy"], "+"), f"{_number(own['expectancy_r'], '+')} R; {sides}; {ends}")
    yield Row("average holding", _duration(own["average_holding_s"]), f"longest {_duration(own['longest_holding_s'])}")
    streaks = f"{own['longest_winning_streak']} / {own['longest_losing_streak']}"
    yield Row("longest streaks", streaks, "winners and losers in a row")
    times = "n/a" if own["turnover_times"] is None else f"{own['turnover_times']:,.1f}"
    yield Row(
        "exposure",
        _percent(own["exposure_pct"]),
        f"of the time in a position; turnover {own['turnover']:,.0f}, {times} times the equity",
    )
    if seen["trades"]:
        medians = f"medians MAE {_number(seen['mae_r']['p50'])} R, MFE {_number(seen['mfe_r']['p50'])} R"
        yield Row("edge ratio", _number(seen["edge_ratio"]), medians)


def _to_halt(halt: Results) -> Iterator[Row]:
    drawdown = f"max drawdown {_percent(halt['max_drawdown_pct'])}"
    yield Row("return", _percent(halt["total_return_pct"], "+"), f"{drawdown}, until {_time(halt['time'])}")
    rate = f"win rate {_percent(halt['win_rate'])}, profit factor {_number(halt['profit_factor'])}"
    yield Row("trades", f"{halt['total_trades']:,}", rate)


def _uncertainty(results: Results) -> Iterator[Row]:
    doubt, costs = results["uncertainty"], results["costs"]
    low, high = doubt["pessimistic"], doubt["optimistic"]
    yield Row("both levels", f"{doubt['both_levels']:,}", "trades with stop and target in one candle")
    yield Row("targets touched", f"{doubt['targets_touched']:,}", "trades whose target was touched, not passed")
    between = f"{low['total_return_pct']:+.2f} % as in this run, {high['total_return_pct']:+.2f} % at best"
    yield Row("final equity at best", _money(high["final_equity"]), f"the same trades: {between}")
    for times, result in doubt["costs"].items():
        took = costs["share_of_gross_profit_pct"]
        share = f"{_percent(took)} of the gross profit" if times == "1x" and took is not None else ""
        yield Row(f"costs {times}", _money(result["final_equity"]), share)
    if doubt["break_even_bps"] is not None:
        yield Row(
            "break-even cost",
            f"{doubt['break_even_bps']:.2f} bp",
            f"of every fill's value; this run paid {doubt['actual_bps']:.2f}"
            + ("; it loses without any" if doubt["break_even_bps"] < 0.0 else ""),
        )
    if doubt["over_1pct_of_volume"]:
        yield Row(
            "large trades", f"{doubt['over_1pct_of_volume']:,}", "above 1 % of the volume of their entry's candle"
        )


def _number(value: float | None, sign: str = "") -> str:
    return "n/a" if value is None else f"{value:{sign}.2f}"


def _money(value: float | None, sign: str = "") -> str:
    return "n/a" if value is None else f"{value:{sign},.2f}"


def _percent(value: float | None, sign: str = "") -> str:
    return "n/a" if value is None else f"{value:{sign}.2f} %"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "n/a"
    for unit, length in (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:,.0f} s"


def _time(iso: str) -> str:
    return short_time(parse_time_ms(iso))
