"""The in-sample half of a walk-forward: the search's own study over one window's span, with the seed of all of them.

The rule: a window's study is the one that `search` runs over the same span with the same flags, so its best is the
same; candles after the span are no part of any trial. All windows share the workers, which hold the candles already.
"""

from dataclasses import dataclass, replace

from app.errors import ConfigError
from app.research.objective import parse_objective
from app.research.search import Search, SearchOptions, prepare_search
from app.research.study import Progress, StudyRun
from app.research.walk_forward import Best, Walk
from app.research.windows import Span, Window, WindowRule
from app.research.workbench import Workers
from app.runs.manifest import sha256_json
from app.session.backtest import ConfigBacktestRunner
from app.times import timeframe_ms


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
    first = rule.windows(period)[0].in_sample
    parse_objective(
        options.objective, options.min_trades, first.start_ms, first.end_ms
    )  # in sample there are less days
    about = {
        "params": [parameter.spec for parameter in plan.parameters],
        "method": plan.method,
        "objective": plan.objective.figure,
        "min_trades": plan.objective.min_trades,
        "trials": plan.trials,
        "seed": plan.seed,
        "sha256": sha256_json(search.identity),  # candles, settings, strategy, code and versions, too
    }
    settled = replace(runner, start=plan.start_ms, end=plan.end_ms, progress=None, report=False, note="")
    return Walk(settled, settings, period, rule, about), search
