"""One process at a time trades an account of an exchange, wherever its run folder lies.

The lock is a file in the user's state folder. Its name is made from what tells accounts apart, and tells nobody which
account it is.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.candles.locks import read_owner, try_lock, write_owner
from app.errors import OutputError
from app.runs.run_folder import writing


@contextmanager
def account_lock(mark: str) -> Iterator[None]:
    """Until the end of the block; OutputError names the process that trades the account already.

    The system opens it with its owner's end, however that comes, and the file stays: whoever removed it could remove
    the next owner's.
    """
    folder = state_folder() / "accounts"
    path = folder / f"{mark}.lock"
    with writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not try_lock(descriptor):
            raise OutputError(
                f"process {read_owner(descriptor)} trades this account at this exchange already; stop it first"
            )
        with writing(path):
            write_owner(descriptor)
        yield
    finally:
        os.close(descriptor)


def state_folder() -> Path:
    """Where Onetape keeps what belongs to a user of this machine, and to no run."""
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if state else Path.home() / ".local" / "state") / "onetape"
