"""What a request costs on an own machine: its hourly price, shared out among those who are on it at each moment.

A replica costs P an hour whether it works or not, and takes C requests at a time. While n are on it, each is charged
P / max(C, n) an hour: a full replica is paid for by its requests, and of one that is half empty, half is idle. Over a
request's time that is an integral, so one running sum is enough: V(t) grows by P / max(C, n) dt, and a request costs
V(end) - V(start). Idle time is what is left of P: shares and idle add up to the price of the time, to the picodollar.
"""

from dataclasses import dataclass
from decimal import Decimal

from breakeven.units import NANOSECONDS_PER_SECOND, PICO_USD_PER_USD, SECONDS_PER_HOUR

HOUR_NS = SECONDS_PER_HOUR * NANOSECONDS_PER_SECOND
FINE = 2**32
"""The running sum is kept in parts of this of a picodollar nanosecond an hour, so that its divisions lose nothing."""


@dataclass(slots=True, kw_only=True)
class Hire:
    """One replica's price, shared out. Times are nanoseconds of a monotonic clock and never go back.

    >>> hire = hire_of(Decimal("3.6"), concurrency=2, now_ns=0)
    >>> start = hire.enter(0)
    >>> hire.leave(start, 10 * NANOSECONDS_PER_SECOND)  # half of ten seconds at 0.001 USD a second
    5000000000
    >>> hire.idle_pico_usd(10 * NANOSECONDS_PER_SECOND)
    5000000000
    """

    pico_usd_per_hour: int
    concurrency: int
    since_ns: int
    present: int = 0
    shared_pico_usd: int = 0
    """What those who have left were charged."""
    _sum: int = 0
    _at_ns: int = 0
    _starts: int = 0
    """The sum of the starts of those who are present."""

    def enter(self, now_ns: int) -> int:
        """A request takes a place. What it returns is given to ``leave``."""
        self._advance(now_ns)
        self.present += 1
        self._starts += self._sum
        return self._sum

    def leave(self, start: int, now_ns: int) -> int:
        """It gives the place back: its share in picodollars."""
        self._advance(now_ns)
        self.present -= 1
        self._starts -= start
        share = (self._sum - start) // (HOUR_NS * FINE)
        self.shared_pico_usd += share
        return share

    def total_pico_usd(self, now_ns: int) -> int:
        """The price of the time so far."""
        return self.pico_usd_per_hour * (now_ns - self.since_ns) // HOUR_NS

    def running_pico_usd(self, now_ns: int) -> int:
        """What those who are present would be charged if they left now."""
        self._advance(now_ns)
        return (self.present * self._sum - self._starts) // (HOUR_NS * FINE)

    def idle_pico_usd(self, now_ns: int) -> int:
        """What of the price nobody was charged: empty places, and less than a picodollar a request of rounding."""
        return self.total_pico_usd(now_ns) - self.shared_pico_usd - self.running_pico_usd(now_ns)

    def most_pico_usd(self, seconds: float) -> int:
        """The most that one request can cost in that time."""
        return int(self.pico_usd_per_hour * seconds / (self.concurrency * SECONDS_PER_HOUR)) + 1

    def _advance(self, now_ns: int) -> None:
        if now_ns > self._at_ns:
            passed = now_ns - self._at_ns
            self._sum += self.pico_usd_per_hour * passed * FINE // max(self.concurrency, self.present)
            self._at_ns = now_ns


def hire_of(usd_per_hour: Decimal, *, concurrency: int, now_ns: int) -> Hire:
    """A replica hired from now on."""
    pico = int(usd_per_hour * PICO_USD_PER_USD)
    return Hire(pico_usd_per_hour=pico, concurrency=concurrency, since_ns=now_ns, _at_ns=now_ns)
