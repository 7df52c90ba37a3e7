"""A walk-forward: window after window the best of the in-sample span trades out of sample with the balance so far.

Each out-of-sample run is the backtest that its printed command is, begins with the balance that the one before it left,
and ends flat. No search sees a candle after its in-sample span: a window's study is the one that `search` runs over
that span. Done windows stay done when a walk is started again in its folder; a folder of another walk is refused.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.errors import ConfigError, OutputError
from app.research.search import Search, SearchOptions, backtest_command, prepare_search
from app.research.study import Progress, StudyRun, parse_objective
from app.research.windows import Span, Window, WindowRule
from app.research.workbench import Workers
from app.runs.manifest import sha256_json
from app.runs.quotients import ratio
from app.runs.run_folder import LOCK, owned, write_json, writing
from app.session.backtest import BacktestResults, ConfigBacktestRunner
from app.settings.profile import Settings
from app.times import iso_ms, timeframe_ms

FORMAT = 1
RESULT, IDENTITY, WINDOW = "walk_forward.json", "walk.json", "window.json"
_YEAR_DAYS = 365.25
Block = dict[str, Any]


@dataclass(frozen=True)
class Best:
    """What a search came to. `overrides` as `--set` takes them; None where no trial has a defined objective.

    `performance` is that of the best trial's results.json, `halted` whether its kill switch tripped.
    """

    overrides: tuple[str, ...] | None
    objective: float | None
    trials: int
    performance: Mapping[str, Any]
    halted: bool = False


Optimise = Callable[[Window], Best]
Told = Callable[[Block], None]


@dataclass(frozen=True)
class Walk:
    """What is walked over. `settings` are the runner's, complete; `search` says how the best is found, and on what."""

    runner: ConfigBacktestRunner
    settings: Settings
    period: Span
    rule: WindowRule
    search: Mapping[str, Any]

    @property
    def windows(self) -> list[Window]:
        """All that fit."""
        return self.rule.windows(self.period)

    @property
    def identity(self) -> Block:
        """What makes two walks the same one."""
        return {
            "format": FORMAT,
            "period": _span(self.period),
            "rule": {
                "in_sample_days": self.windows[0].in_sample.days,
                "out_of_sample_days": self.windows[0].out_of_sample.days,
                "embargo_days": Span(0, self.rule.embargo_ms).days,
                "anchored": self.rule.anchored,
            },
            "search": dict(self.search),
        }


@dataclass(frozen=True)
class InSampleSearch:
    """Finds the best of a window; `progress` hears of each trial."""

    search: Search
    workers: Workers
    progress: Progress | None = None

    def __call__(self, window: Window) -> Best:
        span = window.in_sample
        plan = replace(self.search.plan, start_ms=span.start_ms, end_ms=span.end_ms)
        study = StudyRun(plan, self.workers, progress=self.progress).run()
        best, trials = study.best, len(study.trials)
        if best is None:
            return Best(None, None, trials, {})
        outcome = best.outcome
        return Best(best.overrides, best.value, trials, outcome.performance, outcome.halted is not None)


def prepare_walk(runner: ConfigBacktestRunner, options: SearchOptions, rule: WindowRule) -> tuple[Walk, Search]:
    """Everything that can be checked before the first trial. ConfigError for what cannot be walked.

    Candles that are missing are fetched first, as for a backtest of the whole period.
    """
    search = prepare_search(runner, options)
    settings, plan = search.plan.settings, search.plan
    for parameter in plan.parameters:
        if parameter.key.endswith("starting_balance"):
            raise ConfigError(f"--param {parameter.spec}: a walk-forward carries the balance on; --set it instead")
    rule.check(timeframe_ms(settings.live.timeframe))
    period = Span(plan.start_ms, plan.end_ms)
    first = rule.windows(period)[0].in_sample  # where there are less days
    parse_objective(options.objective, options.min_trades, first.start_ms, first.end_ms)
    about = {
        "params": [parameter.spec for parameter in plan.parameters],
        "method": plan.method,
        "objective": plan.objective.figure,
        "min_trades": plan.objective.min_trades,
        "trials": plan.trials,
        "seed": plan.seed,
        "sha256": sha256_json(search.identity),  # candles, settings, strategy, code and versions, too
    }
    settled = replace(runner, start=plan.start_ms, end=plan.end_ms, progress=None, note="")
    return Walk(settled, settings, period, rule, about), search


def walk_windows(walk: Walk, optimise: Optimise, folder: Path, tell: Told = lambda window: None) -> list[Block]:
    """Every window's block, in order; `tell` hears each. Raises what a search or a run raises.

    Once nothing is left on the account the windows that remain are not traded.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with owned(folder):
        return _walk(walk, optimise, folder, tell)


def _walk(walk: Walk, optimise: Optimise, folder: Path, tell: Told) -> list[Block]:
    _begin(walk, folder)
    blocks: list[Block] = []
    balance = walk.settings.trading_mode.starting_balance
    for window in walk.windows:
        place = folder / "windows" / f"{window.number:02}"
        block = _read(place / WINDOW) if (place / WINDOW).exists() else None
        if block is None:
            block = _walked(walk, window, optimise, balance, place) if balance > 0.0 else _untraded(window, balance)
            with writing(place):
                place.mkdir(parents=True, exist_ok=True)
            write_json(place / WINDOW, block)
        balance = block["out_of_sample"]["final_balance"]
        blocks.append(block)
        tell(block)
    return blocks


def efficiency(blocks: Sequence[Block]) -> float | None:
    """Out-of-sample over in-sample return a year, of all windows that traded; None unless the latter is a gain.

    Pardo (2008), walk-forward efficiency: both as simple interest, so that a month is not blown up to a year's growth.
    """
    traded = [block for block in blocks if block["in_sample"]["return_pct"] is not None]
    earned, kept = (sum(block[half]["yearly_pct"] for block in traded) for half in ("in_sample", "out_of_sample"))
    return ratio(kept, earned) if earned > 0.0 else None


def _walked(walk: Walk, window: Window, optimise: Optimise, balance: float, place: Path) -> Block:
    best = optimise(window)
    if best.overrides is None:
        return {**_untraded(window, balance), "trials": best.trials}
    overrides = (*walk.runner.overrides, *best.overrides, f"trading_mode.starting_balance={balance!r}")
    span = window.out_of_sample
    runner = replace(walk.runner, start=span.start_ms, end=span.end_ms, overrides=overrides, offline=True)
    results = _run(runner, place)
    performance = results["performance"]
    block = {
        "number": window.number,
        "best": list(best.overrides),
        "objective": best.objective,
        "trials": best.trials,
        "in_sample": {
            **_span(window.in_sample),
            **_figures(best.performance, best.halted, window.in_sample),
        },
        "out_of_sample": {
            **_span(span),
            "starting_balance": balance,
            "final_balance": performance["final_balance"],
            **_figures(performance, results["kill_switch"] is not None, span),
        },
        "command": backtest_command(runner),
        "trades_sha256": _read(place / "manifest.json")["outputs_sha256"]["trades"],
        "files": {name: f"windows/{place.name}/{file}" for name, file in results["files"].items()},
    }
    return {**block, "efficiency": efficiency([block])}


def _run(runner: ConfigBacktestRunner, place: Path) -> BacktestResults:
    # Beside its place until it has finished: what is there when a walk goes on is whole.
    partial = place.with_name(f".{place.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    # In a thread a session hears no signals: a stop is for the walk, and a run whose feed is done would drop it.
    with ThreadPoolExecutor(1) as thread:
        results = thread.submit(replace(runner, out=partial).run).result()
    with writing(place):
        shutil.rmtree(place, ignore_errors=True)
        partial.replace(place)
    return results


def _figures(performance: Mapping[str, Any], halted: bool, span: Span) -> Block:
    return {
        "return_pct": performance["total_return_pct"],
        "yearly_pct": performance["total_return_pct"] * _YEAR_DAYS / span.days,
        "max_drawdown_pct": performance["max_drawdown_pct"],
        "sharpe": performance["sharpe"],
        "trades": performance["total_trades"],
        "halted": halted,
    }


def _untraded(window: Window, balance: float) -> Block:
    nothing = {"return_pct": None, "yearly_pct": None, "max_drawdown_pct": None, "sharpe": None, "trades": 0}
    flat = {**nothing, "return_pct": 0.0, "yearly_pct": 0.0, "max_drawdown_pct": 0.0, "halted": False}
    return {
        "number": window.number,
        "best": None,
        "objective": None,
        "trials": 0,
        "in_sample": {**_span(window.in_sample), **nothing, "halted": False},
        "out_of_sample": {
            **_span(window.out_of_sample), "starting_balance": balance, "final_balance": balance, **flat,
        },
        "command": None,
        "trades_sha256": None,
        "files": None,
        "efficiency": None,
    }  # fmt: skip


def _begin(walk: Walk, folder: Path) -> None:
    identity, path = walk.identity, folder / IDENTITY
    if (folder / RESULT).exists():
        raise OutputError(f"{folder} holds a finished walk; choose another --out, or remove it first")
    if path.exists():
        begun = _read(path)
        differing = [key for key in identity if begun.get(key) != identity[key]]
        if differing:
            raise OutputError(f"{folder} holds another walk ({', '.join(differing)} differ); choose another --out")
        return
    with writing(folder):
        if any(one.name != LOCK for one in folder.iterdir()):
            raise OutputError(f"{folder} is not empty, and what it holds is no walk; choose another --out")
    write_json(path, identity)


def _read(path: Path) -> Block:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be read ({error}); choose another --out") from error
    return dict(content) if isinstance(content, dict) else {}


def _span(span: Span) -> Block:
    return {"start": iso_ms(span.start_ms), "end": iso_ms(span.end_ms)}
