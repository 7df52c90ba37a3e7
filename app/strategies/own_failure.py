"""What a user's own code raised, told for the user: own frames first, and one line that names file and line.

Own code is what lies below the folder of a strategy's file or package, without Onetape and installed packages.
"""

import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from traceback import FrameSummary

_PACKAGE = Path(__file__).resolve().parents[1]


def own_failure(error: BaseException, places: Sequence[str]) -> str | None:
    """The text for an exception that came through code of these places (own_code in loader.py); None: it did not."""
    frames = own_frames(error, places)
    if not frames:
        return None
    own = "".join(traceback.format_list(frames))
    whole = "".join(traceback.format_exception(error))
    return (
        f"Traceback (most recent call last):\n{own}\nThe whole way there:\n{whole}\n"
        f"onetape: {where(frames[-1])}: {type(error).__name__}: {error}"
    )


def own_frames(error: BaseException, places: Sequence[str]) -> list[FrameSummary]:
    """The frames in own code, the innermost last, of the exception or the first of its causes that has any."""
    folders = [folder for folder in map(_folder, places) if folder is not None]
    for one in _with_causes(error):
        frames = [frame for frame in traceback.extract_tb(one.__traceback__) if _is_below(frame.filename, folders)]
        if frames:
            return frames
    return []


def where(frame: FrameSummary) -> str:
    """`mine.py, line 7, in on_candle`, the file as seen from here."""
    path, here = Path(frame.filename), Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return f"{shown}, line {frame.lineno}, in {frame.name}"


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _folder(place: str) -> Path | None:
    if place.endswith(".py"):
        return Path(place).resolve().parent
    module = sys.modules.get(place.partition(".")[0])
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    if file is None:
        return None
    return Path(file).resolve().parent if str(file).endswith(".py") else Path(file).resolve()


def _is_below(file: str, folders: Iterable[Path]) -> bool:
    path = Path(file).resolve()
    if path.is_relative_to(_PACKAGE) or not path.is_file():  # compiled libraries name their sources: pyarrow/error.pxi
        return False
    return any(
        path.is_relative_to(folder) and "site-packages" not in path.relative_to(folder).parts for folder in folders
    )
