"""The largest load at which a fleet keeps its promise at the quantile, for every replica kind at once.

A replica whose time in service rises straight with the requests in it has one number beside its places: how much of
it is shared, s = 1 - held(0)/held(B), from 0 (each request has a server of its own) to 1 (all share one). A fleet of
n replicas under arrivals of peakedness z is then a chain of A = n B/z steps with

    p_j / p_(j-1) = rho ((1 - s) A/j + s),    rho = arrivals over what the fleet answers when full

and the chance to wait, so the largest rho for a chance to wait, depends on A and s alone. It is computed once on a
grid of them and read off between its points.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from breakeven.capacity.bursts import peakedness, raised
from breakeven.options.columns import Floats, Ints
from breakeven.workload.profile import Burstiness

SIZES = np.array([float(round(2 ** (n / 2))) for n in range(25)])
"""A: whole numbers from 1 to 4096; beyond, only the root of it counts."""
APART = np.linspace(0.0, 1.0, 9)
"""sqrt(1 - s), along which the answer is nearly straight."""
RARITIES = 16.0 * np.linspace(0.0, 1.0, 17) ** 2
"""-log of the chance to wait: from always to one in nine million."""
NODES = 128
LOADS = np.exp(-np.concatenate([[0.0], np.geomspace(1e-6, 16.0, 63)]))
KNOTS = np.array([1.0, 2, 3, 4, 6, 8, *2.0 ** np.arange(4, 21)])
"""Fleets of so many replicas are computed; what lies between them is taken straight."""
LOG_SIZES = np.log2(SIZES)
ROWS_PER_BLOCK = 1024
TYPICAL = 8.0
JOINT = 1.5
"""Exponent of their sum: 2 would be independent, 1 together. Read off the answers of the queue."""
TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Promise:
    """What replicas of each row are, and what was promised."""

    places: Floats
    """B: requests in flight."""
    shared: Floats
    """s."""
    patience: Floats
    """Requests that a full replica answers in the time that a request may wait for a place and keep the target."""
    quantile: float
    burstiness: Burstiness

    def take(self, rows: Ints) -> "Promise":
        """Some of the rows, in that order."""
        columns = (self.places[rows], self.shared[rows], self.patience[rows])
        return Promise(
            places=columns[0],
            shared=columns[1],
            patience=columns[2],
            quantile=self.quantile,
            burstiness=self.burstiness,
        )


def shared_of(held_s: Floats, held_by_half_s: Floats) -> Floats:
    """S from the time in service in a full replica and in one with half as many requests.

    >>> float(shared_of(np.array(3.0), np.array(2.0)))  # 1 s for a request alone, and 2 s more with B of them
    0.6666666666666667
    """
    found: Floats = np.clip(2 * (1 - held_by_half_s / held_s), 0.0, 1.0)
    return found


def capacities(promise: Promise, least: Floats, most: Floats) -> tuple[Ints, Floats]:
    """What fleets carry, in full replicas, around the loads from ``least`` to ``most`` of each row.

    The place in ``KNOTS`` of each row's smallest fleet, and what that one and the next ones carry, rows x fleets: no
    fleet carries more than it has replicas, so the first is the largest that is no larger than the load.
    """
    first = first_knot(least)
    last = np.maximum(first_knot(most), first) + 1  # no smaller fleet carries the most
    blocks = []
    for start in range(0, len(first), ROWS_PER_BLOCK):
        rows = np.arange(start, min(start + ROWS_PER_BLOCK, len(first)))
        found = _carried_from(promise, rows, first[rows], int((last - first)[rows].max()) + 1)
        while np.any((found[:, -1] < most[rows]) & (first[rows] + found.shape[1] < len(KNOTS))):
            more = _carried_from(promise, rows, first[rows] + found.shape[1], 1)
            found = np.concatenate([found, more], axis=1)
        blocks.append(found)
    wide = max((block.shape[1] for block in blocks), default=2)
    return first, np.concatenate(
        [np.empty((0, wide)), *(np.pad(block, ((0, 0), (0, wide - block.shape[1])), mode="edge") for block in blocks)]
    )


def first_knot(load: Floats) -> Ints:
    """The place in ``KNOTS`` of the largest fleet that has no more replicas than the load; never the last place."""
    return np.clip(np.searchsorted(KNOTS, load, side="right") - 1, 0, len(KNOTS) - 2)


def _carried_from(promise: Promise, rows: Ints, place: Ints, wide: int) -> Floats:
    """What ``wide`` fleets of each of some rows carry, in full replicas, from ``place`` in ``KNOTS`` on."""
    replicas = KNOTS[np.minimum(place[:, None] + np.arange(wide), len(KNOTS) - 1)].ravel()
    found: Floats = _carried(promise.take(np.repeat(rows, wide)), replicas) * replicas
    return found.reshape(len(rows), wide)


def headroom(promise: Promise) -> Floats:
    """H in n = load + h sqrt(n), as of a fleet of ``TYPICAL`` replicas."""
    load = _carried(promise, np.full_like(promise.places, TYPICAL))
    found: Floats = (1 - load) * np.sqrt(TYPICAL)
    return found


def _carried(promise: Promise, replicas: Floats) -> Floats:
    """Rho of one fleet in each row.

    Head-room for chance, 1/rho - 1, and for a rate that moves join like deviations that are nearly independent.
    """
    each = replicas / peakedness(promise.burstiness)
    waiting = (promise.patience, each) if promise.patience.any() else None
    apart, asked = np.sqrt(1 - promise.shared), float(-np.log1p(-promise.quantile))
    load = largest(each * promise.places, apart, asked, waiting)
    slow = raised(promise.burstiness, promise.quantile)
    if not slow:
        return load
    room = (1 / np.maximum(load, TINY) - 1) ** JOINT + slow**JOINT
    joined: Floats = 1 / (1 + room ** (1 / JOINT))
    return joined


def largest(size: Floats, apart: Floats, rarity: float, waiting: tuple[Floats, Floats] | None = None) -> Floats:
    """rho, for which a request waits with the chance exp(-rarity), read off the grid. ``apart``: sqrt(1 - s).

    ``waiting``: requests that a full replica answers while a request may wait, and n/z. With them, the chance is that
    it waits longer: that of waiting at all, times exp(-patience (1 - rho^(n/z))).

    >>> round(float(largest(np.array([1.0]), np.array([1.0]), -np.log(0.3))[0]), 3)  # one at a time
    0.3
    """
    at, weights = _corners(size, apart)
    root = -np.sqrt(size)  # the grid holds -log(rho) sqrt(A)

    table, bursts = _table().ravel(), np.flatnonzero(size < 1)  # which bring more than there is room for

    def log_load(k: Ints | int) -> Floats:
        found = weights[0] * table.take(at[0] + k)
        for corner, weight in zip(at[1:], weights[1:], strict=True):
            found += weight * table.take(corner + k)
        found /= root
        if len(bursts):
            rare = RARITIES[k[bursts] if isinstance(k, np.ndarray) else k]
            found[bursts] = np.log(np.maximum(1 - (1 - np.exp(-rare)) / size[bursts], TINY))
        return found

    def reached(k: Ints | int, log: Floats) -> Floats:
        if waiting is None:
            return np.broadcast_to(RARITIES[k], size.shape)
        patience, replicas = waiting
        return RARITIES[k] - patience * np.expm1(replicas * log)

    most = int(np.clip(np.searchsorted(RARITIES, rarity, side="right") - 1, 0, len(RARITIES) - 2))
    k: Ints | int = most
    if waiting is not None:  # the chance to wait may then be larger than that: the last point of the grid that is not
        k = np.zeros(size.shape, dtype=np.int64)
        for step in (2**n for n in reversed(range(most.bit_length()))):
            there = np.minimum(k + step, len(RARITIES) - 2)
            k = np.where(reached(there, log_load(there)) <= rarity, there, k)
    low, high = log_load(k), log_load(k + 1)
    below, above = reached(k, low), reached(k + 1, high)
    share = np.clip((rarity - below) / (above - below), 0.0, 1.0)
    return np.exp(low + share * (high - low))


def _corners(size: Floats, apart: Floats) -> tuple[list[Ints], list[Floats]]:
    """The four columns of the grid around each point, and their weights."""
    logs = np.log2(np.clip(size, 1.0, SIZES[-1]))
    i = np.minimum(np.searchsorted(LOG_SIZES, logs, side="right"), len(SIZES) - 1) - 1
    di = (logs - LOG_SIZES[i]) / (LOG_SIZES[i + 1] - LOG_SIZES[i])
    place = apart * (len(APART) - 1)
    j = np.minimum(place.astype(np.int64), len(APART) - 2)
    dj = place - j
    deep = len(RARITIES)
    wide = len(APART) * deep
    at = i * wide + j * deep
    return [at, at + deep, at + wide, at + wide + deep], [(1 - di) * (1 - dj), (1 - di) * dj, di * (1 - dj), di * dj]


@lru_cache(maxsize=1)
def _table() -> Floats:
    """-log(rho) sqrt(A) on the grid, sizes x apart x rarities."""
    found = np.empty((len(SIZES), len(APART), len(RARITIES)))
    for i, size in enumerate(SIZES):
        for j, apart in enumerate(APART):
            rare = -np.log(_waits(float(size), 1 - float(apart) ** 2))
            found[i, j] = np.interp(RARITIES, rare, -np.log(LOADS)) * np.sqrt(size)
    return found


def _waits(size: float, shared: float) -> Floats:
    """The chance to wait at each of ``LOADS``: 1/(1 + (1 - rho) sum of the states below the cap over the cap's)."""
    wide = max(size / NODES, 1.0)
    place = np.arange(round(size / wide)) * wide  # places that are free, less one
    below = size - place - (wide - 1) / 2
    ratio = -np.log((1 - shared) * size / below + shared)
    rising = np.cumsum(ratio) * wide
    free = (place + wide)[:, None] * -np.log(LOADS) + rising[:, None]
    states = np.exp(np.minimum(free, 600.0)).sum(axis=0) * wide
    waits: Floats = 1 / (1 + (1 - LOADS) * states)
    return waits
