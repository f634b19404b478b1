"""What is bought for every fleet at once: machines committed to, paid around the clock, and hours of others.

The k-th machine of a fleet is committed to if it would be paid for in a larger share of the hours than the committed
price is of that on demand. That share falls with k, so the machines committed to are those of one level of load: no
other number costs less.
"""

from dataclasses import dataclass

import numpy as np

from breakeven.capacity.spares import spares
from breakeven.capacity.valleys import Filled
from breakeven.capacity.week import Week
from breakeven.options.columns import Floats, Ints
from breakeven.options.machines import Rents
from breakeven.options.terms import BY_THE_HOUR, Buying
from breakeven.units import HOURS_PER_DAY


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ways:
    """The different ways to buy that make a difference for these hours; the first commits to nothing."""

    week: Week
    others: Floats
    """Levels x ways: with these weights machines become hours a day of those that are not committed to."""
    committed_at: tuple[int, ...]
    """The level whose machines are committed to."""
    buyings: tuple[Buying, ...]
    way: Ints
    """Of each machine offer."""
    startup_hours: float
    quantile: float

    @classmethod
    def of(cls, week: Week, rents: Rents, startup_hours: float, quantile: float, *, prices_count: bool) -> "Ways":
        """The ways of some machine offers. ``prices_count``: also where two commit to machines of the same level."""
        places: dict[tuple[object, ...], int] = {}
        ways: dict[Buying, int] = {}
        found: list[tuple[int, Buying]] = []
        distinct = tuple(dict.fromkeys((BY_THE_HOUR, *rents.buyings)))
        for one, level in zip(distinct, week.committed_at(distinct), strict=True):
            key = (level, one.interruptions_per_hour, one.commit_from if prices_count else None)
            ways[one] = places.setdefault(key, len(found))
            if ways[one] == len(found):
                found.append((level, one))
        return cls(
            week=week,
            others=week.weights([level for level, _ in found]),
            committed_at=tuple(level for level, _ in found),
            buyings=tuple(one for _, one in found),
            way=np.array([ways[one] for one in rents.buyings], dtype=np.int64)[rents.buying],
            startup_hours=startup_hours,
            quantile=quantile,
        )

    def committed_of(self, machines: Floats) -> Floats:
        """The machines that are committed to in each way. ``machines``: fleets x levels."""
        levels = len(self.week.paid)
        found: Floats = machines.take([min(level, levels - 1) for level in self.committed_at], axis=1)
        found[:, [level == levels for level in self.committed_at]] = 0.0
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Purchases:
    """What is bought for each pair in each way, pairs x ways."""

    committed: Floats
    """Machines paid in all hours."""
    hours_per_day: Floats
    """Machine-hours of the others, those in which they start included."""
    peak: Floats
    """Machines in the busiest hour."""

    @classmethod
    def empty(cls, pairs: int, ways: Ways) -> "Purchases":
        """Room for the purchases of so many pairs."""
        shape = (pairs, len(ways.committed_at))
        return cls(committed=np.empty(shape), hours_per_day=np.empty(shape), peak=np.empty(shape))

    def put(self, block: Ints, machines: Floats, fill: Filled | None, ways: Ways) -> None:
        """Buy for some pairs. ``machines``: pairs x levels."""
        others = ways.others
        self.committed[block] = ways.committed_of(machines)
        self.hours_per_day[block] = machines @ others
        self.peak[block] = machines[:, :1]
        for n, one in enumerate(ways.buyings):
            if one.interruptions_per_hour:
                away = one.interruptions_per_hour * ways.startup_hours
                more = machines + spares(machines, away, ways.quantile)
                self.hours_per_day[block, n], self.peak[block, n] = more @ others[:, n], more[:, 0]
            if fill is not None and fill.rest_hours_per_day.any():
                self._fill_up(block, n, machines, fill, ways)

    def _fill_up(self, block: Ints, n: int, machines: Floats, fill: Filled, ways: Ways) -> None:
        """The part of a machine that the waiting work still wants: one committed to more, or hours of another."""
        base, rest = self.committed[block, n], fill.rest_hours_per_day
        paid = np.concatenate([[0.0], ways.week.paid])[(machines > fill.floor[:, None]).sum(axis=1)]
        # machines committed to beyond the floor have room for the rest
        short = (rest > 0) & (base <= fill.floor)
        whole = short & (paid * HOURS_PER_DAY + rest > ways.buyings[n].commit_from * HOURS_PER_DAY)
        self.committed[block, n] = base + whole
        self.hours_per_day[block, n] += np.where(whole, -paid * HOURS_PER_DAY, np.where(short, rest, 0.0))


def bought_by_hour(machines: Floats, committed: Floats, ways: Ways, offer: Ints) -> Purchases:
    """The purchases of fleets whose machines are given hour by hour, those committed to among them: entries x hours.

    ``offer``: of each entry. Each is bought in its own way; the first way tells the hours in which machines run.
    """
    spot = np.array([one.interruptions_per_hour for one in ways.buyings])[ways.way[offer]]
    machines = machines * 1.0
    for rate in np.unique(spot[spot > 0]):
        some = spot == rate
        machines[some] += spares(machines[some], rate * ways.startup_hours, ways.quantile)

    def hours(standing: Floats) -> Floats:
        starts = np.maximum(standing - np.roll(standing, 1, axis=1), 0.0)
        found: Floats = (standing + ways.startup_hours * starts).mean(axis=1, keepdims=True) * HOURS_PER_DAY
        return found

    shape = (len(machines), len(ways.buyings))
    others = np.broadcast_to(hours(np.maximum(machines - committed, 0.0)), shape) * 1.0
    running = ways.way[offer] > 0
    others[running, 0] = hours(machines)[running, 0]
    return Purchases(
        committed=np.broadcast_to(committed, shape),
        hours_per_day=others,
        peak=np.broadcast_to(machines.max(axis=1, keepdims=True), shape),
    )
