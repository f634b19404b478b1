"""Own machines in the books: how long each stood in each hour, what that cost, and what of it nobody was charged.

Gateways that share a machine each see all its time and only their own requests. So of an hour the longest standing that
a gateway tells is the machine's, what the gateways charged adds up, and the rest is idle.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from breakeven.gateway.books.database import Database
from breakeven.gateway.hire import HOUR_NS, Hire
from breakeven.units import MICROSECONDS_PER_SECOND, SECONDS_PER_HOUR

US_PER_HOUR = SECONDS_PER_HOUR * MICROSECONDS_PER_SECOND
NS_PER_US = HOUR_NS // US_PER_HOUR
HOURS_KEPT = 2
COLUMNS = ("gateway", "upstream", "hour_us", "stood_us", "pico_usd", "served_pico_usd")
TABLE = """CREATE TABLE IF NOT EXISTS hires (
        gateway TEXT NOT NULL, upstream TEXT NOT NULL, hour_us BIGINT NOT NULL,
        stood_us BIGINT NOT NULL, pico_usd BIGINT NOT NULL, served_pico_usd BIGINT NOT NULL,
        PRIMARY KEY (gateway, upstream, hour_us))"""
KEEP = """INSERT INTO hires (gateway, upstream, hour_us, stood_us, pico_usd, served_pico_usd)
        VALUES (:gateway, :upstream, :hour_us, :stood_us, :pico_usd, :served_pico_usd)
        ON CONFLICT (gateway, upstream, hour_us) DO UPDATE SET
        stood_us = :stood_us, pico_usd = :pico_usd, served_pico_usd = :served_pico_usd"""


class Hired(NamedTuple):
    """One replica in one hour (its begin, UTC), as one gateway has seen it so far."""

    upstream: str
    hour_us: int
    stood_us: int
    pico_usd: int
    served_pico_usd: int


class HireClock:
    """Cuts the running sums of hires into hours. ``sample`` is called every second or so, where requests run."""

    def __init__(self, hires: Mapping[str, Hire]) -> None:
        self._hires = hires
        self._before = {name: (hire.since_ns, 0, 0) for name, hire in hires.items()}
        self._hours: dict[tuple[str, int], Hired] = {}

    def sample(self, now_ns: int, wall_us: int) -> list[Hired]:
        """What each replica has stood and served in the hour of ``wall_us``, this gateway's whole part of it."""
        hour = wall_us // US_PER_HOUR * US_PER_HOUR
        self._hours = {at: one for at, one in self._hours.items() if abs(at[1] - hour) <= HOURS_KEPT * US_PER_HOUR}
        found = []
        for name, hire in self._hires.items():
            total = hire.total_pico_usd(now_ns)
            served = total - hire.idle_pico_usd(now_ns)
            at_ns, total_before, served_before = self._before[name]
            self._before[name] = (now_ns, total, served)
            so_far = self._hours.get((name, hour), Hired(name, hour, 0, 0, 0))
            one = Hired(
                upstream=name,
                hour_us=hour,
                stood_us=so_far.stood_us + (now_ns - at_ns) // NS_PER_US,
                pico_usd=so_far.pico_usd + total - total_before,
                served_pico_usd=so_far.served_pico_usd + served - served_before,
            )
            self._hours[name, hour] = one
            found.append(one)
        return found


class Machine(NamedTuple):
    """One replica over some hours, all gateways together."""

    upstream: str
    stood_us: int
    pico_usd: int
    served_pico_usd: int

    @property
    def idle_pico_usd(self) -> int:
        """What of its price nobody was charged."""
        return max(0, self.pico_usd - self.served_pico_usd)


def keep(database: Database, gateway: str, hired: Sequence[Hired]) -> None:
    """Put hours into the store, over what the same gateway has told of them before. Raises ``StoreAway``."""
    with database.transaction():
        for one in hired:
            database.run(KEEP, {"gateway": gateway, **one._asdict()})


def machines(database: Database, *, since_us: int, until_us: int) -> list[Machine]:
    """The replicas that stood in the hours that begin in a span, the dearest first. Raises ``StoreAway``."""
    rows = database.run(
        "SELECT upstream, hour_us, max(stood_us), max(pico_usd), sum(served_pico_usd) FROM hires "
        "WHERE hour_us >= :since_us AND hour_us < :until_us GROUP BY upstream, hour_us",
        {"since_us": since_us // US_PER_HOUR * US_PER_HOUR, "until_us": until_us},
    )
    found: dict[str, Machine] = {}
    for upstream, _, stood_us, pico_usd, served_pico_usd in rows:
        before = found.get(str(upstream), Machine(str(upstream), 0, 0, 0))
        found[str(upstream)] = Machine(
            upstream=before.upstream,
            stood_us=before.stood_us + int(stood_us),
            pico_usd=before.pico_usd + int(pico_usd),
            served_pico_usd=before.served_pico_usd + int(served_pico_usd),
        )
    return sorted(found.values(), key=lambda one: (-one.pico_usd, one.upstream))
