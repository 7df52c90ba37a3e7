"""Another world: every clock of Python runs ahead, and the seeds are set; in a process of its own, as in a check."""

import subprocess
import sys
from types import SimpleNamespace

from app.research.checks.other_world import shift_clocks
from tests.integration.processes import PROJECT

DAY_S = 86_400.0


def told(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_all_clocks_run_ahead_by_the_same() -> None:
    code = """
import time, datetime
names = ("time", "monotonic", "perf_counter")
before = {name: getattr(time, name)() for name in names}
ns = {name + "_ns": getattr(time, name + "_ns")() for name in names}
utc, today, here = datetime.datetime.now(datetime.UTC), datetime.date.today(), time.strftime("%Y")
from app.research.checks.other_world import disturb
disturb(1000 * 86400.0, 1)
from datetime import datetime as later, date
assert all(abs(getattr(time, n)() - v - 1000 * 86400) < 60 for n, v in before.items())
assert all(abs(getattr(time, n)() - v - 1000 * 86400 * 10**9) < 60e9 for n, v in ns.items())
assert 999 <= (later.now(datetime.UTC) - utc).days <= 1000
assert 999 <= (later.utcnow() - utc.replace(tzinfo=None)).days <= 1000
assert 999 <= (date.today() - today).days <= 1001 and 999 <= (later.today().date() - today).days <= 1001
assert abs(time.mktime(time.localtime()) - before["time"] - 1000 * 86400) < 4000
assert time.gmtime(0).tm_year == 1970 and int(time.strftime("%Y")) > int(here)
assert isinstance(utc, later) and isinstance(later(2020, 1, 1), later) and isinstance(today, date)
assert later.fromtimestamp(0, datetime.UTC).year == 1970
import datetime as module
assert module.datetime is later and module.timedelta(1).days == 1
import pandas, json, logging
assert pandas.Timestamp(later(2020, 1, 1)) == pandas.Timestamp("2020-01-01")
assert logging.Formatter("%(asctime)s").format(logging.makeLogRecord({})) > "20"
print("told")
"""
    assert told(code) == "told"


def test_seeds_make_the_global_generators_say_the_same() -> None:
    code = """
import random, numpy
from app.research.checks.other_world import disturb
drawn = []
for seed in (1, 1, 2):
    disturb(0.0, seed)
    drawn.append((random.random(), numpy.random.rand()))
print(drawn[0] == drawn[1], drawn[0] == drawn[2])
"""
    assert told(code) == "True False"


def test_a_moment_that_is_given_is_not_moved() -> None:
    real = SimpleNamespace(**dict.fromkeys(("time", "monotonic", "perf_counter"), lambda: 5.0))
    vars(real).update(dict.fromkeys(("time_ns", "monotonic_ns", "perf_counter_ns"), lambda: 5))
    vars(real).update(dict.fromkeys(("localtime", "gmtime", "ctime"), lambda seconds: seconds))
    real.strftime = lambda text, moment: (text, moment)
    shift_clocks(real, 10.0)
    assert (real.time(), real.monotonic_ns(), real.localtime(), real.gmtime(3.0)) == (15.0, 10_000_000_005, 15.0, 3.0)
    assert (real.strftime("x"), real.strftime("x", 2.0)) == (("x", 15.0), ("x", 2.0))
