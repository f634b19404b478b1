"""Rate limits of one key in one gateway: so many in any sixty seconds. Pure: the time is an argument."""

from collections import deque

from breakeven.units import SECONDS_PER_MINUTE


class Rate:
    """A count over the last minute, kept by the second.

    A count is forgotten when the whole second in which it fell is more than a minute old, so that no sixty seconds,
    wherever they begin, see more than the limit; up to one second may be counted too long.
    """

    __slots__ = ("_seconds", "total")

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()
        self.total = 0

    def now(self, now_s: float) -> int:
        """What counts at this moment."""
        seconds, oldest = self._seconds, int(now_s) - SECONDS_PER_MINUTE
        while seconds and seconds[0][0] < oldest:
            self.total -= seconds.popleft()[1]
        return self.total

    def add(self, count: int, now_s: float) -> None:
        """Count."""
        second, seconds = int(now_s), self._seconds
        if seconds and seconds[-1][0] == second:
            seconds[-1][1] += count
        else:
            seconds.append([second, count])
        self.total += count

    def wait_s(self, limit: int, now_s: float) -> float:
        """How long until fewer than ``limit`` count; 0 where that is so already.

        >>> rate = Rate()
        >>> rate.add(3, 10.5)
        >>> rate.wait_s(3, 20.0), rate.wait_s(4, 20.0)
        (51.0, 0.0)
        """
        count = self.now(now_s)
        for second, number in self._seconds:
            if count < limit:
                break
            count -= number
            if count < limit:
                return second + SECONDS_PER_MINUTE + 1 - now_s
        return 0.0 if count < limit else float(SECONDS_PER_MINUTE)
