"""`python -m app`: hands the arguments to the command line and its exit status to the system."""

import sys

from app.cli import main

if __name__ == "__main__":
    sys.exit(main())
