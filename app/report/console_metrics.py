"""The metrics on the console as tables of rows: what a plain report prints and a coloured one may lay out otherwise.

Takes the content of results.json; it computes no figure of its own. A block that the results lack (of an older run)
gives no table, what is undefined reads n/a, with the length of the run where thirty days were needed.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from app.report.console_blocks import Row, Table
from app.report.formats import figure, money, percent, rounded_duration, time_text

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
        return figure(value, "{:.2f}" + unit, unknown)

    day = f"best day {percent(own['best_day_pct'], '+')}, worst day {percent(own['worst_day_pct'], '+')}"
    yield Row("CAGR", yearly(own["cagr_pct"], " %"), f"volatility {percent(own['volatility_pct'])}, {day}")
    others = f"Sortino {figure(own['sortino'])}, Calmar {figure(own['calmar'])}, Omega {figure(own['omega'])}"
    yield Row("Sharpe", yearly(own["sharpe"]), others)
    tail = f"CVaR {percent(own['cvar_95_pct'])}, skew {figure(own['skew'])}, kurtosis {figure(own['kurtosis'])}"
    yield Row("VaR 95 % of a day", yearly(own["var_95_pct"], " %"), tail)
    water = f"{percent(own['time_under_water_pct'])} of the time under water"
    yield Row("ulcer index", figure(own["ulcer_index"]), f"{water}, longest {own['longest_drawdown_days']:,.1f} days")
    held = results["buy_and_hold"]
    if held is not None:
        yield Row("buy and hold", percent(held["return_pct"], "+"), "equal weights, without costs")


def _trades(results: Results) -> Iterator[Row]:
    own, seen = results["performance"], results["excursions"]
    yield Row(
        "profit factor",
        figure(own["profit_factor"]),
        f"payoff ratio {figure(own['payoff_ratio'])}, Kelly {percent(own['kelly_pct'])}, SQN {figure(own['sqn'])}",
    )
    sides = f"average win {money(own['average_win'])}, loss {money(own['average_loss'])}"
    ends = f"best {money(own['best_trade'], '+')}, worst {money(own['worst_trade'], '+')}"
    in_r = figure(own["expectancy_r"], "{:+.2f}")
    yield Row("expectancy", money(own["expectancy"], "+"), f"{in_r} R; {sides}; {ends}")
    longest = rounded_duration(own["longest_holding_s"])
    yield Row("average holding", rounded_duration(own["average_holding_s"]), f"longest {longest}")
    streaks = f"{own['longest_winning_streak']} / {own['longest_losing_streak']}"
    yield Row("longest streaks", streaks, "winners and losers in a row")
    times = figure(own["turnover_times"], "{:,.1f}")
    yield Row(
        "exposure",
        percent(own["exposure_pct"]),
        f"of the time in a position; turnover {own['turnover']:,.0f}, {times} times the equity",
    )
    if seen["trades"]:
        medians = f"medians MAE {figure(seen['mae_r']['p50'])} R, MFE {figure(seen['mfe_r']['p50'])} R"
        yield Row("edge ratio", figure(seen["edge_ratio"]), medians)


def _to_halt(halt: Results) -> Iterator[Row]:
    drawdown = f"max drawdown {percent(halt['max_drawdown_pct'])}"
    yield Row("return", percent(halt["total_return_pct"], "+"), f"{drawdown}, until {time_text(halt['time'])}")
    rate = f"win rate {percent(halt['win_rate'])}, profit factor {figure(halt['profit_factor'])}"
    yield Row("trades", f"{halt['total_trades']:,}", rate)


def _uncertainty(results: Results) -> Iterator[Row]:
    doubt, costs = results["uncertainty"], results["costs"]
    low, high = doubt["pessimistic"], doubt["optimistic"]
    yield Row("both levels", f"{doubt['both_levels']:,}", "trades with stop and target in one candle")
    yield Row("targets touched", f"{doubt['targets_touched']:,}", "trades whose target was touched, not passed")
    between = f"{low['total_return_pct']:+.2f} % as in this run, {high['total_return_pct']:+.2f} % at best"
    yield Row("final equity at best", money(high["final_equity"]), f"the same trades: {between}")
    for times, result in doubt["costs"].items():
        took = costs["share_of_gross_profit_pct"]
        share = f"{percent(took)} of the gross profit" if times == "1x" and took is not None else ""
        yield Row(f"costs {times}", money(result["final_equity"]), share)
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
