"""The process that a check runs a strategy in: one request in, replies out. `python -m app.research.checks.inside`.

The rule: the world is prepared before the first line of the strategy's code is read; what the strategy raises is told,
not raised; a fault of Onetape itself ends the process with its traceback.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from app.candles.cache import CandleCache
from app.errors import OnetapeError
from app.models.market import Slice
from app.research.checks.confinement import code_below, confine
from app.research.checks.data_frames import check_frames
from app.research.checks.hidden_files import HiddenFiles
from app.research.checks.observed_run import SteppedRun, StrategyFailedError, plan_of, run_whole
from app.research.checks.other_world import disturb
from app.research.checks.pipe import Pipe
from app.research.checks.request import PAST, Reply, Request, Task

_encode = msgspec.msgpack.Encoder().encode


def main(read_fd: int, write_fd: int) -> None:
    """Serve the one request that comes through the pipe."""
    pipe = Pipe(read_fd, write_fd)
    content = pipe.receive()
    if content is None:
        return
    request = msgspec.msgpack.decode(content, type=Request)
    disturb(request.clock_shift_s, request.seed)
    asyncio.run(serve(request, pipe))


async def serve(request: Request, pipe: Pipe) -> None:
    """Do what is asked for."""
    if request.task is Task.STEP:
        await _step(request, pipe)
        return
    try:
        plan = plan_of(request)
        if request.task is Task.FRAMES:
            pipe.send(_encode(Reply(frames=check_frames(request, plan))))
            return
        for number in range(request.runs):
            await run_whole(request, plan, Path(request.folder) / str(number))
        pipe.send(_encode(Reply()))
    except StrategyFailedError as failure:
        pipe.send(_encode(Reply(failure=str(failure), failed_at=failure.where)))
    except OnetapeError as error:
        pipe.send(_encode(Reply(failure=str(error), failed_at="when it was loaded")))


async def _step(request: Request, pipe: Pipe) -> None:
    folder, cache = Path(request.folder), CandleCache(Path(request.cache))

    def bring_up(relative: Path) -> Path:
        # The check does it: this process could not read the real cache, and shall not.
        pipe.send(_encode(Reply(wanted=str(relative))))
        pipe.receive()
        return folder / PAST / relative

    hidden = HiddenFiles(cache.root, bring_up, folder, [Path(one) for one in request.trusted])
    is_confined = _confine(request, hidden.shown)
    hidden.install()
    decode = msgspec.msgpack.Decoder(Slice).decode
    try:
        run = SteppedRun(request, plan_of(request), folder)
        pipe.send(_encode(Reply(touched=hidden.touched, is_confined=is_confined)))
        told = len(hidden.touched)
        while content := pipe.receive():
            event = decode(content)
            hidden.now_ms = event.close_time_ms
            answers = await run.handle(event)
            pipe.send(_encode(Reply(answers=list(answers), touched=hidden.touched[told:])))
            told = len(hidden.touched)
        run.close()
    except StrategyFailedError as failure:
        pipe.send(_encode(Reply(failure=str(failure), failed_at=failure.where, touched=hidden.touched)))
    except OnetapeError as error:
        pipe.send(_encode(Reply(failure=str(error), failed_at="when it was loaded", touched=hidden.touched)))


def _confine(request: Request, shown: Sequence[str]) -> bool:
    """Nothing but libraries, code and what is trusted can be read from here on; False where that cannot be had."""
    name = request.settings["live"]["strategy"]["name"]
    place = Path(name.rpartition(":")[0] or name)
    folders = [Path.cwd(), *(Path(one).absolute() for one in sys.path if Path(one).is_dir())]
    if place.suffix == ".py":
        folders.append(place.absolute().parent)
    code = code_below([one for one in dict.fromkeys(folders) if not str(one.resolve()).startswith(tuple(shown))])
    return code is not None and confine([*shown, *code])


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
