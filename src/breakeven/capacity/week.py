"""The hours of a day or week as levels of load: for how long, and how often, a machine is needed.

More load never takes fewer machines, so the k-th machine of a fleet stands in all hours above some level and in no
other. With C(j) the share of the hours down to level j, U(j) how often a week the traffic rises past it from below, and
s the hours that a machine takes to start, that machine is paid for

    E(j) = C(j) + s U(j) / hours                  of all hours, as long as s is at most one

and everything that is bought is a sum over levels with weights that depend on no fleet: a matrix product.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from breakeven.options.columns import Floats, Ints
from breakeven.options.terms import Buying
from breakeven.units import HOURS_PER_DAY


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Week:
    """Levels of load, the busiest first; hours that ask for the same are one level."""

    levels: Floats
    """The load that a fleet must carry, over the mean."""
    level: Ints
    """Of each hour."""
    shares: Floats
    """Of the hours."""
    paid: Floats
    """E: the share of all hours for which a machine is paid that stands at this level and at busier ones."""

    def committed_at(self, buyings: Sequence[Buying]) -> list[int]:
        """The level whose machines are committed to; the number of levels if none are."""
        found: list[int] = np.searchsorted(self.paid, [one.commit_from for one in buyings], side="right").tolist()
        return found

    def weights(self, committed_at: Sequence[int]) -> Floats:
        """Levels x purchases: with them machines become hours a day of those that are not committed to."""
        others = np.zeros((len(self.paid) + 1, len(committed_at)))
        steps = np.diff(self.paid, prepend=0.0) * HOURS_PER_DAY
        for n, place in enumerate(committed_at):
            others[:place, n] = steps[:place]
            others[place, n] -= steps[:place].sum()
        return others[:-1]  # below the last level no machine stands


def week_of(requests_per_hour: Floats, startup_hours: float, *, fixed: bool) -> Week:
    """The levels of some hours, which come again and again.

    A fleet that follows the hours carries what the traffic grows to while one more machine starts, in a straight line
    to the next hour. ``fixed``: the busiest hour's machines stand in all hours.

    >>> week = week_of(np.array([1.0, 3.0, 3.0, 1.0]), 0.0, fixed=False)
    >>> week.levels.tolist(), week.shares.tolist(), week.paid.tolist()
    ([1.5, 0.5], [0.5, 0.5], [0.5, 1.0])
    """
    load = requests_per_hour / requests_per_hour.mean()
    asked = load if fixed else load + startup_hours * np.maximum(np.roll(load, -1) - load, 0.0)
    levels, level = np.unique(-asked, return_inverse=True)
    shares = np.bincount(level) / len(level)
    rises = np.zeros(len(levels) + 1)
    before = np.roll(level, 1)
    up = before > level
    np.add.at(rises, level[up], 1.0)
    np.add.at(rises, before[up], -1.0)
    starts = np.cumsum(rises)[:-1]
    paid = np.ones(len(levels)) if fixed else np.cumsum(shares) + startup_hours * starts / len(level)
    paid[-1] = 1.0
    np.maximum.accumulate(paid, out=paid)  # it rises but for rounding
    return Week(levels=-levels, level=level, shares=shares, paid=paid)
