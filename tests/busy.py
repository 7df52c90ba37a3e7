"""A command beside as many busy loops as this machine has cores: `python -m tests.busy COMMAND...` (`make test-busy`).

A test that passes alone and fails here waits too briefly for something, or takes the time of day for an event. The
loops end with the command, and within a tenth of a second when this process is gone, however it went.
"""

import os
import signal
import subprocess
import sys
import time

_LOOP = """
import os, sys, time
parent = int(sys.argv[1])
while os.getppid() == parent:
    until_s = time.monotonic() + 0.1
    while time.monotonic() < until_s:
        pass
"""


def main(command: list[str]) -> int:
    """The command's exit status."""
    count = os.cpu_count() or 1
    print(f"beside {count} busy loops: {' '.join(command)}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    loops = [subprocess.Popen([sys.executable, "-c", _LOOP, str(os.getpid())]) for _ in range(count)]
    began_s = time.monotonic()
    try:
        return subprocess.run(command, check=False).returncode
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
        print(f"beside {count} busy loops it took {time.monotonic() - began_s:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
