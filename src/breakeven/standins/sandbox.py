"""The start of a function's process: bound to the life of the one that started it, then turned into the function.

python -I sandbox.py COMMAND ...
"""

import ctypes
import os
import signal
import sys

PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux's prctl; it outlives exec


def main(command: list[str]) -> None:
    """Become the command. Elsewhere than on Linux it ends when the Runtime API no longer answers."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
