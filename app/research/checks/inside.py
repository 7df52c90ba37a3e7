"""The process that a check runs a strategy in: `python -m app.research.checks.inside FD`, one request, then replies.

Clocks, seeds, files and connections are prepared before the first line of the strategy's code is read. What the
strategy raises is a reply; a fault of Onetape itself ends the process with its traceback.
"""

import asyncio
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from app.candles.cache import CandleCache
from app.errors import OnetapeError
from app.models.market import Slice
from app.research.checks.confinement import code_below, confine
from app.research.checks.data_frames import check_frames
from app.research.checks.hidden_files import HiddenFiles
from app.research.checks.observed_run import SteppedRun, StrategyFailedError, plan_of, run_whole
from app.research.checks.other_world import disturb
from app.research.checks.parameter_files import parameter_files
from app.research.checks.request import PAST, Reply, Request, Task


def main(fd: int) -> None:
    """Serve the one request that comes through the connection."""
    connection = Connection(fd)
    request = msgspec.msgpack.decode(connection.recv_bytes(), type=Request)
    disturb(request.clock_shift_s, request.seed)
    asyncio.run(serve(request, connection))


async def serve(request: Request, connection: Connection) -> None:
    """Do what is asked for; the strategy's own failure is the last reply."""

    def send(**content: Any) -> None:
        connection.send_bytes(msgspec.msgpack.encode(Reply(**content)))

    run: SteppedRun | None = None
    hidden = _hide_files(request, connection) if request.task is Task.STEP else None
    accesses = [] if hidden is None else hidden.accesses
    try:
        plan = plan_of(request)
        if hidden is not None:
            run = SteppedRun(request, plan, Path(request.folder))
            send(accesses=accesses, is_confined=hidden.is_confined)
            sent = len(accesses)
            while True:
                event = msgspec.msgpack.decode(connection.recv_bytes(), type=Slice)
                hidden.now_ms = event.close_time_ms
                answers = await run.handle(event)
                send(answers=list(answers), accesses=accesses[sent:])
                sent = len(accesses)
        if request.task is Task.FRAMES:
            send(frames=check_frames(request, plan))
            return
        for number in range(request.runs):
            await run_whole(request, plan, Path(request.folder) / str(number))
        send()
    except EOFError:
        return  # the check has no more slices
    except StrategyFailedError as failure:
        answers = [] if run is None else run.answers  # those of the strategies that were asked before it
        send(answers=answers, failure=str(failure), failed_at=failure.where, accesses=accesses)
    except OnetapeError as error:
        send(failure=str(error), failed_at="when it was loaded", accesses=accesses)


def _hide_files(request: Request, connection: Connection) -> HiddenFiles:
    """From here on the strategy finds no later candle: nothing but code, libraries and what is allowed can be read."""
    folder = Path(request.folder)

    def bring_up(relative: Path) -> Path:
        # The check does it: this process could not read the real cache, and shall not.
        connection.send_bytes(msgspec.msgpack.encode(Reply(wanted=str(relative))))
        connection.recv_bytes()
        return folder / PAST / relative

    own = list(dict.fromkeys(filter(None, map(_folder_of, request.strategies))))
    parameters = [path for place in own for path in parameter_files(place, request.start_ms, request.end_ms)]
    cache = CandleCache(Path(request.cache))
    hidden = HiddenFiles(cache.root, bring_up, folder, [Path(one) for one in request.allowed], parameters)
    readable = [*hidden.shown, *parameters]
    folders = [Path.cwd(), *(Path(one).absolute() for one in sys.path if Path(one).is_dir()), *own]
    code = code_below([one for one in dict.fromkeys(folders) if not str(one.resolve()).startswith(tuple(readable))])
    hidden.is_confined = code is not None and confine([*readable, *code])
    hidden.install()
    return hidden


def _folder_of(strategy: str) -> Path | None:
    """Where the strategy's file lies; its module is not imported yet, so it is looked for by its name."""
    place = strategy.rpartition(":")[0] or strategy
    if place.endswith(".py"):
        return Path(place).absolute().parent
    module = Path(*place.split(".")).with_suffix(".py")
    return next((Path(one, module).absolute().parent for one in sys.path if Path(one, module).is_file()), None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
