"""The allocator under the gateway's process: glibc's own, which gives memory back page by page.

Python keeps small objects in arenas of a MiB and gives one back only when nothing is left in it; after a burst of
requests twenty small blocks keep twenty of them. glibc's allocator gives back every free page of 4 KiB. Which one
a process has is settled when it starts, so the command starts itself again, in the same process, with the setting.
"""

import contextlib
import ctypes
import os
import sys
from collections.abc import Callable

SETTING = "PYTHONMALLOC"


def trim_of_glibc() -> Callable[[int], object] | None:
    """What gives free pages back; ``None`` where the system's library is another."""
    try:
        found: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return found


def start_again_with_pages() -> None:
    """Replace this process by the same command with glibc's allocator; return where that is so, or cannot be.

    Whoever has set ``PYTHONMALLOC`` has chosen. Processes that this one starts have the setting too.
    """
    if SETTING in os.environ or trim_of_glibc() is None:
        return
    if not sys.executable or sys.orig_argv[1:2] in ([], ["-"]):  # embedded, or read from the standard input
        return
    with contextlib.suppress(OSError):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, SETTING: "malloc"})
