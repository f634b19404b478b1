"""Memory that many streams at once took, given back to the system when they have ended.

An allocator keeps what it once had. glibc gives free memory back only from the end of its heap, so one small block that
was made last keeps everything below it; ``malloc_trim`` gives back every free page, wherever it lies. Python's own
arenas for small objects (a MiB each) go back only when they are wholly empty, and no call can change that: a counter or
a timer that was made anew during the burst keeps its arena.
"""

import asyncio
import contextlib
import ctypes
import gc
from collections.abc import AsyncIterator, Callable

from breakeven.gateway.live import Live

LOOKS_S = 1.0
CALM_LOOKS = 8
"""So many looks in a row a burst has to be over: upstreams' connections are kept for four seconds after an answer."""
BURST = 100
"""So many requests at once are worth it; each takes some 30 KB."""
CALM_SHARE = 4


def trimmer() -> Callable[[], None]:
    """What gives free memory back: garbage is collected, then glibc trims. On other systems only the first."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # not glibc
        trim = None

    def give_back() -> None:
        gc.collect()
        if trim is not None:
            trim(0)

    return give_back


class Burst:
    """Whether many requests ran at once and that is over now, told by looks at equal distances."""

    __slots__ = ("_calm", "_peak")

    def __init__(self) -> None:
        self._peak = self._calm = 0

    def is_over(self, in_flight: int) -> bool:
        """Look: true once, when a burst has been over for a while."""
        self._peak = max(self._peak, in_flight)
        self._calm = self._calm + 1 if in_flight * CALM_SHARE <= self._peak else 0
        if self._calm < CALM_LOOKS:
            return False
        over, self._peak, self._calm = self._peak >= BURST, in_flight, 0
        return over


@contextlib.asynccontextmanager
async def giving_back(live: Live, give_back: Callable[[], None], looks_s: float = LOOKS_S) -> AsyncIterator[None]:
    """Give memory back whenever a burst of requests is over. It takes milliseconds in which no request moves."""

    async def watch() -> None:
        burst = Burst()
        while True:
            await asyncio.sleep(looks_s)
            if burst.is_over(live.in_flight):
                give_back()

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
