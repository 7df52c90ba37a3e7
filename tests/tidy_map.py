"""The import map of app: who may import whom. Imports point one way, towards the nouns in app/models.py.

A key covers a module or a whole folder, the longest one that fits counts; so do the names that it may import. What
is imported for types only is free. An exception has a reason, and one that nobody uses any more must go.
"""

BASE = ("app.errors", "app.times")
NOUNS = (*BASE, "app.models")

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "app.errors": (),
    "app.log": ("app.errors",),
    "app.runtime.clock": (),
    "app.times": ("app.errors",),
    "app.models": ("app.times",),
    "app.config_text": ("app.errors",),
    "app.config_problems": ("app.config_text",),
    "app.settings": (*BASE, "app.config_text", "app.config_problems"),
    "app.feeds": (*NOUNS, "app.feeds"),
    "app.trading": (*NOUNS, "app.trading"),
    "app.strategies": (*NOUNS, "app.strategies"),
    "app.reporting": (*NOUNS, "app.reporting"),
    "app.runtime.period": (*BASE, "app.feeds"),
    "app.runtime.journal": ("app.errors", "app.models", "app.feeds.durable", "app.runtime.state_file"),
    "app.runtime.state_file": (),
    "app.runtime.digest": ("app.models", "app.runtime.runtime"),
    "app.runtime.control": (
        "app.errors", "app.models", "app.feeds.base", "app.feeds.durable", "app.reporting.run_folder",
    ),
    "app.runtime.live_session": (
        *NOUNS, "app.feeds.base", "app.reporting", "app.runtime.clock", "app.runtime.control", "app.runtime.digest",
        "app.runtime.journal", "app.runtime.runtime",
    ),
    "app.runtime.runtime": ("app.models", "app.strategies.host", "app.trading", "app.reporting.funnel"),
    "app.runtime.session": (
        *NOUNS, "app.settings", "app.feeds.base", "app.runtime.runtime", "app.strategies", "app.trading",
        "app.reporting",
    ),
    "app.text_table": (),
    "app.candle_supply": (
        *BASE, "app.settings", "app.feeds", "app.runtime.clock", "app.runtime.period",
    ),
    "app.run_plan": (
        "app", *NOUNS, "app.settings", "app.feeds", "app.reporting", "app.runtime.period", "app.runtime.runtime",
        "app.strategies.loader",
    ),
    "app.session_state": (*NOUNS, "app.feeds", "app.reporting", "app.runtime", "app.trading"),
    "app.epochs": (
        *NOUNS, "app.reporting", "app.run_plan", "app.runtime", "app.session_state", "app.settings",
        "app.strategies.loader",
    ),
    "app.session_view": (*NOUNS, "app.feeds", "app.reporting", "app.run_plan", "app.runtime", "app.session_state"),
    "app.paper": (
        *NOUNS, "app.settings", "app.backtest", "app.candle_supply", "app.epochs", "app.feeds", "app.reporting",
        "app.run_plan", "app.runtime", "app.session_state", "app.session_view", "app.strategies.loader",
    ),
    "app.tape_replay": (
        *NOUNS, "app.backtest", "app.epochs", "app.reporting", "app.run_plan", "app.runtime", "app.session_state",
        "app.session_view",
    ),
    "app.paper_command": (
        *NOUNS, "app.aside", "app.backtest", "app.backtest_command", "app.live_view", "app.log", "app.paper",
        "app.report_command", "app.reporting", "app.runtime.journal", "app.session_log", "app.session_view",
        "app.tape_replay",
    ),
    "app.aside": (),
    "app.live_view": ("app.aside", "app.reporting.live_screen", "app.runtime.clock", "app.session_view"),
    "app.session_log": (*NOUNS, "app.aside", "app.feeds.websocket", "app.log", "app.session_view"),
    "app.operator_commands": (*BASE, "app.runtime.clock", "app.runtime.control"),
    "app.fetch_command": (*BASE, "app.text_table", "app.feeds", "app.reporting.fetch_progress"),
    "app.testnet": (*NOUNS, "app.feeds", "app.testnet", "app.config_text"),
    "app.data_commands": (*BASE, "app.feeds", "app.fetch_command", "app.text_table"),
    "app.run_frames": ("app.errors", "app.reporting"),
    "app.plotting": (*BASE, "app.feeds", "app.report", "app.reporting", "app.run_frames"),
    "app.run_results": ("app.errors", "app.plotting", "app.reporting", "app.run_frames"),
    "app.backtest": (
        "app", *NOUNS, "app.run_results", "app.settings", "app.candle_supply", "app.feeds", "app.run_plan",
        "app.runtime", "app.strategies.loader", "app.report.making", "app.reporting",
    ),
    "app.report": (*NOUNS, "app.feeds", "app.proof", "app.report", "app.reporting", "app.runtime.journal"),
    "app.report_command": (*BASE, "app.backtest", "app.feeds.cache", "app.report"),
    "app.backtest_command": ("app.backtest", "app.report_command", *BASE, "app.feeds", "app.log", "app.reporting"),
    "app.assumptions": (*BASE, "app.backtest", "app.feeds.cache", "app.settings"),
    "app.assumptions_command": ("app.errors", "app.times", "app.assumptions", "app.backtest_command", "app.text_table"),
    "app.check": (
        *NOUNS, "app.settings", "app.backtest", "app.backtest_command", "app.candle_supply", "app.feeds", "app.runtime",
        "app.strategies", "app.trading",
    ),
    "app.proof": (
        *NOUNS, "app.backtest", "app.epochs", "app.feeds", "app.proof", "app.reporting", "app.runtime",
        "app.session_state", "app.settings", "app.strategies", "app.tape_replay", "app.text_table", "app.trading",
    ),
    "app.research.checks": (
        *NOUNS, "app", "app.backtest", "app.backtest_command", "app.feeds", "app.reporting.run_folder",
        "app.research.checks", "app.run_plan", "app.runtime.period", "app.runtime.runtime", "app.runtime.session",
        "app.settings", "app.strategies", "app.text_table",
    ),
    # The search, on one machine and on many: from a trial up to the command.
    "app.research.loaded_candles": ("app.errors", "app.models", "app.times", "app.feeds"),
    "app.research.trial": (
        *BASE, "app.reporting", "app.research.loaded_candles", "app.run_plan", "app.runtime", "app.settings",
        "app.strategies.loader",
    ),
    "app.research.outcome": ("app.reporting.quotients", "app.research.trial"),
    "app.research.shared_cache": ("app.errors", "app.feeds.cache"),
    "app.research.workbench": (
        "app.errors", "app.research.loaded_candles", "app.research.outcome", "app.research.shared_cache",
        "app.research.trial", "app.settings",
    ),
    "app.research.workers": ("app.errors", "app.research.outcome", "app.research.workbench"),
    "app.research.cluster": (
        "app.errors", "app.reporting.manifest", "app.research.outcome", "app.research.workbench",
    ),
    "app.research.parameters": (
        "app.errors", "app.config_problems", "app.config_text", "app.settings", "app.strategies.loader",
    ),
    "app.research.objective": (*BASE, "app.config_text", "app.reporting.ratios"),
    "app.research.sampling": ("app.errors", "app.research.parameters"),
    "app.research.study": (
        "app.errors", "app.research.objective", "app.research.outcome", "app.research.parameters",
        "app.research.sampling", "app.research.workbench", "app.settings", "app.strategies",
    ),
    "app.research.study_file": ("app.errors", "app.research.outcome"),
    "app.research.overfitting": ("app.reporting",),
    "app.research.landscape": (
        "app.research.outcome", "app.research.parameters", "app.research.study", "app.research.workbench",
        "app.strategies.loader",
    ),
    "app.research.heat_map_page": ("app.research.landscape",),
    "app.research.search_report": (
        "app.times", "app.reporting", "app.research.landscape", "app.research.overfitting", "app.research.study",
    ),
    "app.research.search_text": (
        "app.times", "app.research.landscape", "app.research.overfitting", "app.research.search_report",
        "app.research.study", "app.text_table",
    ),
    "app.research.search": (
        *BASE, "app.backtest", "app.feeds", "app.reporting", "app.research", "app.run_plan", "app.runtime",
    ),
    "app.search_command": (
        "app.errors", "app.backtest_command", "app.reporting.run_folder", "app.research.search",
        "app.research.search_report", "app.research.search_text",
    ),
    "app.research.windows": BASE,
    "app.research.bootstrap": ("app.reporting.quotients",),
    "app.research.path_bands": ("app.reporting.quotients",),
    "app.research.resampled_ledger": (
        "app.errors", "app.reporting.quotients", "app.research.bootstrap", "app.research.path_bands",
    ),
    "app.research.resampled_candles": (
        "app.errors", "app.feeds.month_file", "app.reporting.quotients", "app.research.bootstrap",
    ),
    "app.research.candle_paths": (
        "app.errors", "app.feeds", "app.proof", "app.research.bootstrap", "app.research.path_bands",
        "app.research.resampled_candles", "app.research.resampled_ledger", "app.research.trial", "app.settings",
    ),
    "app.research.monte_carlo": (
        *BASE, "app.feeds", "app.proof", "app.reporting", "app.research.candle_paths", "app.research.resampled_ledger",
    ),
    "app.research.command_lines": ("app.times", "app.backtest"),
    "app.research.walk_forward": (
        *BASE, "app.backtest", "app.reporting", "app.research.command_lines", "app.research.windows", "app.settings",
    ),
    "app.research.stitching": (*BASE, "app.feeds", "app.reporting", "app.research.windows", "app.settings"),
    "app.research.in_sample": (
        *BASE, "app.backtest", "app.reporting.manifest", "app.research.objective", "app.research.search",
        "app.research.study", "app.research.walk_forward", "app.research.windows", "app.research.workbench",
    ),
    "app.research.walk_report": (
        *BASE, "app.feeds.cache", "app.research.stitching", "app.research.walk_forward", "app.research.windows",
        "app.text_table",
    ),
    "app.research.curve_page": (),
    "app.research.research_pages": ("app.times", "app.research.curve_page"),
    "app.monte_carlo_command": (
        "app.errors", "app.proof", "app.reporting.run_folder", "app.research.monte_carlo",
        "app.research.research_pages", "app.search_command", "app.text_table",
    ),
    "app.walk_forward_command": (
        "app.errors", "app.backtest_command", "app.reporting.run_folder", "app.research.in_sample",
        "app.research.research_pages", "app.research.walk_forward", "app.research.walk_report",
        "app.research.windows", "app.search_command",
    ),
    "app.cli": (
        "app.errors", "app.assumptions_command", "app.backtest_command", "app.check", "app.data_commands",
        "app.operator_commands", "app.report_command", "app.paper_command", "app.proof", "app.monte_carlo_command",
        "app.walk_forward_command",
        "app.search_command", "app.research.checks.checks_command",
        "app.strategies.template",
        "app.testnet.testnet_command",
    ),
    "app.__main__": ("app.cli",),
    "app": ("app.backtest", "app.run_results", "app.settings"),
}  # fmt: skip

EXCEPTIONS: dict[tuple[str, str], str] = {
    ("app.testnet.testnet_command", "app.runtime.clock"): "made-up candles begin to be served now",
    ("app.testnet.virtual_clock", "app.runtime.clock"): "an exchange's time passes",
    ("app.feeds.replay", "app.runtime.clock"): "a paced feed keeps real time",
    ("app.feeds.websocket", "app.runtime.clock"): "it says when to look again, never what time it is",
    ("app.feeds.limiter", "app.runtime.clock"): "a budget is one of real seconds",
    (
        "app.feeds.history",
        "app.runtime.clock",
    ): "it says how long a fetch took, and how far the exchange's clock is off",
    ("app.feeds.binance_fixes", "app.runtime.clock"): "a Retry-After may be a date",
    ("app.reporting.fetch_progress", "app.runtime.clock"): "a bar is drawn ten times a second",
    ("app.strategies.host", "app.trading.account"): "it makes the views, which read the account",
    ("app.strategies.template", "app.reporting.run_folder"): "one wording for a file that cannot be written",
    ("app.reporting.manifest", "app.feeds.cache"): "it names the month files that were read",
    ("app.reporting.progress", "app.runtime.clock"): "a bar shows after a second",
    ("app.reporting.progress", "app.runtime.period"): "a bar needs to know how long the run is",
    ("app.reporting.recorder", "app.trading.account"): "it takes the equity rows away",
    ("app.settings", "app.strategies.loader"): "validate_all_configs(): settings and strategies meet there",
    ("app.trading.risk", "app.settings"): "RiskConfig.from_file(), kept for users of the old system",
}

# What the runtime must never see, whatever the map says one day.
RUNTIME_NEVER = ("app.settings", "app.cli", "app.backtest", "app.feeds", "app.runtime.clock", "app.runtime.session")
# What a strategy must never see: nothing that could tell it whether this is history.
STRATEGY_NEVER = ("app.feeds", "app.reporting", "app.settings", "app.runtime", "app.backtest")
STRATEGY_NEVER_EXCEPT = {("app.strategies.template", "app.reporting.run_folder")}
