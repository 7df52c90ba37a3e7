"""`python -m app`: hands the arguments to the command line and its exit status to the system."""

import gc
import sys

gc.set_threshold(50_000, 20, 100)  # importing makes no garbage; looking for it would cost 15 ms of every start

from app.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
