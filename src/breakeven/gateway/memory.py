"""Memory that many streams at once took, given back to the system when they have ended.

An allocator keeps what it once had. glibc gives free memory back only from the end of its heap, so one small block that
was made last keeps everything below it; ``malloc_trim`` gives back every free page, wherever it lies. Which blocks are
small and scattered is another question: Python's own arenas (see ``allocator``), and its cache of attributes, which
holds the names that were looked up last, of which some libraries make a new text for every chunk of a stream.
"""

import asyncio
import contextlib
import gc
import sys
from collections.abc import AsyncIterator, Callable

from breakeven.gateway.allocator import trim_of_glibc
from breakeven.gateway.live import Live

LOOKS_S = 1.0
CALM_LOOKS = 4
"""So many looks in a row a burst has to be over."""
PASSES = 6
"""So many looks in a row memory is given back then: upstreams' connections are closed four to eight seconds after an
answer."""
BURST = 100
"""So many requests at once are worth it; each takes some 30 KB."""
CALM_SHARE = 4


def trimmer() -> Callable[[], None]:
    """What gives free memory back: names and garbage are forgotten, then glibc trims. Elsewhere only the first."""
    trim = trim_of_glibc()
    forget = getattr(sys, "_clear_internal_caches", None) or getattr(sys, "_clear_type_cache", None)

    def give_back() -> None:
        if forget is not None:
            forget()
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
        """Look: true for some looks, when a burst has been over for a while."""
        self._peak = max(self._peak, in_flight)
        self._calm = self._calm + 1 if in_flight * CALM_SHARE <= self._peak else 0
        if self._calm < CALM_LOOKS:
            return False
        over = self._peak >= BURST
        if self._calm == CALM_LOOKS + PASSES - 1 or not over:
            self._peak, self._calm = in_flight, 0
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
