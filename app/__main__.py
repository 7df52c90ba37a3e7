"""`python -m app`: hands the arguments to the command line and its exit status to the system."""

import gc
import os
import sys

gc.set_threshold(50_000, 20, 100)  # importing makes no garbage; looking for it costs some percent of every start

from app.cli.main import main  # noqa: E402


def run() -> None:
    """Run one command and leave."""
    status = main()
    loader = sys.modules.get("app.strategies.loader")
    if loader is not None and loader.own_code:
        sys.exit(status)  # a user's module may hold what only an orderly end writes: open files, atexit handlers
    # Everything of ours is written and closed. Taking the interpreter apart would cost another 80 ms.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    run()
