"""Work that may wait, placed in the hours in which machines stand idle, before any machine is added for it.

Work without a deadline inside the period of the traffic asks only that enough machine-hours stand in all: the hours of
the fleet as it is, or as many more as are missing, added to the emptiest hours as water fills a valley. So a level of
water and the whole machines below it say everything, and no other placement takes fewer machine-hours.

It is done in proportion to the room of each hour. The work that waits is then a sum over hours; where some of it would
wait too long, the fleet of that row does all work in the hour in which it comes.
"""

from dataclasses import dataclass

import numpy as np

from breakeven.capacity.week import Week
from breakeven.options.columns import Floats, Mask
from breakeven.units import HOURS_PER_DAY

TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Waiting:
    """Work that may wait, of every row."""

    load: Floats
    """Over what one full replica answers."""
    within_h: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Filled:
    """Fleets that carry the waiting work too, rows x levels."""

    machines: Floats
    floor: Floats
    """Of each row: machines that stand at any hour for it; 0 where none was added."""
    rest_hours_per_day: Floats
    """Machine-hours beside them, of one more machine in some of the emptiest hours."""


def filled(
    machines: Floats, load: tuple[Floats, Floats], waiting: Waiting, week: Week, hours: Floats, *, fixed: bool
) -> Filled:
    """Fleets with room for the waiting work. ``machines``: rows x levels, for all else.

    ``load``: in machines, on average over the hours: of what cannot wait, and of what can. ``hours``: the traffic of
    each hour over the mean.
    """
    now, later = load
    at_once = np.ceil(now[:, None] * week.levels + later[:, None] - TINY)
    if fixed:
        at_once = np.maximum(at_once[:, :1], machines[:, :1]) + np.zeros_like(machines)
        wanted = np.ceil(now + later - TINY)[:, None]
        machines = np.maximum(machines[:, :1], wanted) + np.zeros_like(machines)
        found = Filled(machines=machines, floor=np.zeros(len(now)), rest_hours_per_day=np.zeros(len(now)))
    else:
        whole = len(hours)
        found = _raised(machines, week.shares, np.ceil((now + later) * whole - TINY) / whole)
    if waiting.within_h >= len(hours):
        return found
    late = _late(found, load, waiting, week, hours)
    return Filled(
        machines=np.where(late[:, None], np.maximum(machines, at_once), found.machines),
        floor=np.where(late, 0.0, found.floor),
        rest_hours_per_day=np.where(late, 0.0, found.rest_hours_per_day),
    )


def _raised(machines: Floats, shares: Floats, wanted: Floats) -> Filled:
    """Machines raised in the emptiest hours until their mean over the hours is what is wanted."""
    above = np.cumsum(machines * shares, axis=1)
    below = 1 - np.cumsum(shares)
    kept = (above + machines * below >= wanted[:, None] - TINY).sum(axis=1)  # levels that stay as they are
    row = np.arange(len(wanted))
    spent = np.where(kept > 0, above[row, kept - 1], 0.0)
    hours = np.where(kept > 0, below[np.maximum(kept - 1, 0)], 1.0)
    short = kept < len(shares)
    level = np.where(short, (wanted - spent) / np.where(short, hours, 1.0), 0.0)
    floor = np.floor(level + TINY)
    raised = np.maximum(machines, floor[:, None])
    rest = np.maximum(wanted - raised @ shares, 0.0)
    return Filled(machines=raised, floor=floor, rest_hours_per_day=np.where(short, rest, 0.0) * HOURS_PER_DAY)


def _late(found: Filled, load: tuple[Floats, Floats], waiting: Waiting, week: Week, hours: Floats) -> Mask:
    """Rows in which some of the work would wait longer than it may."""
    now, later = load
    standing = found.machines[:, week.level]
    emptiest = standing == found.floor[:, None]
    few = np.maximum(emptiest.sum(axis=1), 1)
    standing = standing + emptiest * (found.rest_hours_per_day / HOURS_PER_DAY * len(hours) / few)[:, None]
    done = _by_room(standing, now[:, None] * hours, later)
    return _waits_h(done, later) > waiting.within_h * (1 + TINY)


def work_by_hour(standing: Floats, busy: Floats, work: Floats, within_h: float) -> Floats:
    """How much of the work that may wait is done in each hour, of a mean hour's ``work`` in each row.

    In proportion to the room, or as it comes where some would wait too long.
    """
    done = _by_room(standing, busy, work)
    late = _waits_h(done, work) > within_h * (1 + TINY)
    return np.where(late[:, None], work[:, None], done)


def _by_room(standing: Floats, busy: Floats, work: Floats) -> Floats:
    room = np.maximum(standing - busy, 0.0)
    done: Floats = room * (work * room.shape[1] / np.maximum(room.sum(axis=1), TINY))[:, None]
    return done


def _waits_h(done: Floats, work: Floats) -> Floats:
    """The longest wait of work that comes evenly and is done first come, first served, hours after hours."""
    behind = np.cumsum(work[:, None] - done, axis=1)
    most: Floats = np.maximum(behind.max(axis=1), 0.0) - np.minimum(behind.min(axis=1), 0.0)
    return most / np.maximum(work, 1e-300)
