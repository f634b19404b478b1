"""What a request meets in a fleet: the number of others, and how long the line is if there is one.

With ``held_s(k)`` the time that a request holds its place among k in a replica, requests leave it at

    mu(k) = k / held_s(k) for k <= B,     mu(B) above

so the number in it is a birth-death chain, and below the cap its distribution does not depend on how lengths spread.
n replicas behind least-outstanding-requests routing keep level with each other: one chain with rates n mu(K/n).
Arrivals that come in bursts are a chain of their own (``phases.py``), which goes along with the number in the fleet;
gaps of large fleets only widen it: it moves in steps of z requests, z the peakedness (Hayward's approximation).
"""

from dataclasses import dataclass

import numpy as np

from breakeven.capacity.bursts import peakedness
from breakeven.capacity.phases import Complexes, Phases, Queueing, chain, phases
from breakeven.capacity.service import Service
from breakeven.options.columns import Floats, Ints
from breakeven.workload.profile import Burstiness

NODES = 512
"""States that are looked at, up to the cap; a larger fleet's are taken in wider steps."""
NODES_IN_PHASES = 192
FEW_PLACES = 64.0
"""Requests in flight up to which gaps are a chain of phases; in a larger fleet the number moves in wider steps, which
waits for up to a tenth longer there."""
STEEPEST = 8.0
"""e^8: no level is more often than this beside its neighbour below; so far from the middle it does not matter."""
TINY = 1e-9
CARRIED = 1 - 1e-6
"""A load above this is taken as this one: how full an overloaded fleet is does not depend on by how much."""
UNEVEN = 0.2
"""Share of the replicas of a large fleet that stand one request above or below the level of the others."""
APART = 0.3
"""Requests by which the last replica to fill up is late, for each of the others. Both constants are read off exact
simulations of 2 to 16 replicas of 1 to 64 places (docs/theory/capacity.md)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Met:
    """What requests meet at one rate, rows x states, each with how often it is so."""

    joined: Floats
    """Requests in the replica that an arrival joins, itself included: it joins the emptiest."""
    found: Floats
    """How often an arrival does."""
    shared: Floats
    """Requests in the replica of a request, itself included, on average over the requests of the fleet."""
    served: Floats
    """How often a request is served so."""
    in_service: Floats
    """Requests in service in the whole fleet, on average."""
    waits: Floats | Complexes
    """Rows x terms: the chance to wait at all is their sum; that of waiting longer than t ..."""
    leaving_per_s: Floats | Complexes
    """... is the sum of ``waits exp(-leaving t)``. 0: without end. Complex numbers come in pairs."""


def met(service: Service, load: Floats, replicas: Floats, burstiness: Burstiness, quantile: float) -> Met:
    """What they meet at a load, arrivals over what the fleet answers when it is full.

    A rate that moves is looked at here if it is known how long it stays; else ``load`` is that at one of its rates.
    """
    places, z = replicas * service.cap, peakedness(burstiness)
    few = (places <= FEW_PLACES) & (burstiness.gap_variation > 1)
    if not few.any() and not burstiness.rate_stays_s:
        return _independent(service, load, replicas, z)
    levels = np.ceil(np.minimum(places, NODES_IN_PHASES) * (1 - TINY)).astype(np.int64)
    levels = np.where(few | bool(burstiness.rate_stays_s), levels, 0)  # 0: without phases
    alike = [np.flatnonzero((levels == count) & (few == gaps)) for count in np.unique(levels) for gaps in (False, True)]
    alike = [rows for rows in alike if len(rows)]

    def part(rows: Ints) -> Met:
        some, own, fleets = service.take(rows), load[rows], replicas[rows]
        if not levels[rows[0]]:
            return _independent(some, own, fleets, z)
        gaps = bool(few[rows[0]])
        return _in_phases(some, own, fleets, phases(burstiness, quantile, gaps=gaps), 1.0 if gaps else z)

    return _together([part(rows) for rows in alike], alike)


def _together(parts: list[Met], rows: list[Ints]) -> Met:
    """Parts with different numbers of states; what one has fewer is never seen."""
    order = np.argsort(np.concatenate(rows))

    def column(name: str) -> Floats:
        blocks = [getattr(part, name) for part in parts]
        wide, nothing = max(block.shape[1] for block in blocks), float(name == "leaving_per_s")
        padded = [np.pad(block, ((0, 0), (0, wide - block.shape[1])), constant_values=nothing) for block in blocks]
        found: Floats = np.concatenate(padded)[order]
        return found

    names = ("joined", "found", "shared", "served", "waits", "leaving_per_s")
    columns = {name: column(name) for name in names}
    return Met(**columns, in_service=np.concatenate([part.in_service for part in parts])[order])


def _independent(service: Service, load: Floats, replicas: Floats, z: float) -> Met:
    """Arrivals at one rate: each state's weight over the one before is arrivals over departures."""
    most, full = replicas * service.cap, service.full_rate_per_s
    wide = np.maximum(most / z / NODES, 1.0)  # steps from one state that is looked at to the next
    count = np.floor(most / z / wide + TINY).astype(np.int64)
    place = np.arange(int(count.max(initial=0)) + 1)
    state = np.minimum(place, count[:, None]) * (wide * z)[:, None]
    between = np.maximum(state - ((wide - 1) / 2 * z)[:, None], TINY)
    leaving = np.log(_leaving_per_s(service, between, replicas) / (full * replicas)[:, None])
    inside, rises = place <= count[:, None], (place > 0) & (place <= count[:, None])
    rows, rho = np.arange(len(most)), np.clip(load, TINY, CARRIED)
    weight = np.cumsum(np.where(rises, (np.log(rho)[:, None] - leaving) * wide[:, None], 0.0), axis=1)
    weight = np.where(inside, weight, -np.inf)
    weight = np.exp(weight - weight.max(axis=1, keepdims=True)) * wide[:, None]
    queued = weight[rows, count] / wide * rho / (1 - rho)
    total = weight.sum(axis=1) + queued
    weight[rows, count] += queued
    seen, above = weight / total[:, None], queued / total
    # Of z requests that come together, those beyond the places wait.
    beyond = np.clip((state + z - most[:, None]) / z, 0.0, 1.0)
    waits = (seen * beyond).sum(axis=1) + above * (1 - beyond[:, -1])
    in_service = (seen * np.minimum(state, most[:, None])).sum(axis=1) + above * np.maximum(most - state[:, -1], 0.0)
    return Met(
        joined=_joined(state, z, replicas, service.cap),
        found=seen,
        shared=_shared(np.minimum(state + (z + 1) / 2, most[:, None]), replicas),
        served=seen,
        in_service=in_service,
        waits=waits[:, None] * _no_place_left(service, rho[:, None], replicas, z),
        leaving_per_s=np.where(load < 1, full * (1 - rho ** (replicas / z)), 0.0)[:, None],
    )


def _in_phases(service: Service, load: Floats, replicas: Floats, arrivals: Phases, z: float) -> Met:
    """Arrivals in phases, to fleets with as many levels.

    A level holds ``wide`` requests; between two of them the chain goes up and down so often that its drift is that of
    arrivals less departures, and its distribution that of single steps if the phase never changed.
    """
    most, full, rho = replicas * service.cap, service.full_rate_per_s * replicas, np.clip(load, TINY, CARRIED)
    count = int(np.ceil(min(float(most[0]), NODES_IN_PHASES) * (1 - TINY)))
    wide = most / count
    state = np.arange(count + 1) * wide[:, None]
    leaving = _leaving_per_s(service, np.maximum(state - (wide[:, None] - 1) / 2, TINY), replicas)
    leaving[:, -1] = full
    down, up = _steps((rho * full)[:, None, None] * arrivals.rate, leaving[..., None], wide[:, None, None], z)
    down[:, 0] = 0.0
    late = arrivals.rate * _no_place_left(service, np.minimum(rho[:, None] * arrivals.lasting, 1.0), replicas, z)
    found = chain(
        np.concatenate([up[:, 1:], up[:, -1:]], axis=1), down, arrivals, Queueing(wide, replicas / wide, late)
    )
    came, seen = found.seen @ arrivals.rate, found.seen.sum(axis=2)
    came[:, -1] = np.maximum(1 - came[:, :-1].sum(axis=1), 0.0)  # and all that come above
    served = seen * np.where(state > 0, leaving, 0.0)
    served[:, -1] += found.above * full
    return Met(
        joined=_joined(state, z, replicas, service.cap),
        found=came,
        shared=_shared(np.clip(state + (z - 1) / 2, 1.0, most[:, None]), replicas),
        served=served / served.sum(axis=1, keepdims=True),
        in_service=(seen * state).sum(axis=1) + found.above * most,
        waits=found.waits,
        leaving_per_s=service.full_rate_per_s[:, None] * (1 - found.again),
    )


def _steps(come: Floats, leave: Floats, wide: Floats, z: float) -> tuple[Floats, Floats]:
    """How often one level goes down and up to its neighbour, where c come and l leave.

    (c/l)^(wide/z) times as often up as down, and wide (up - down) = c - l.

    >>> down, up = _steps(np.array([2.0]), np.array([3.0]), np.array([1.0]), 1.0)
    >>> [round(float(x[0]), 9) for x in (down, up)]  # single requests: as they leave and come
    [3.0, 2.0]
    """
    more = np.log(np.maximum(come / leave, TINY))
    more = np.where(np.abs(more) < TINY, TINY, more)
    drift = leave * np.expm1(more)
    more = np.minimum(more * wide / z, STEEPEST)
    down: Floats = drift / np.expm1(more) / wide
    return down, down * np.exp(more)


def _leaving_per_s(service: Service, requests: Floats, replicas: Floats) -> Floats:
    """Of a fleet with so many requests, rows x states."""
    uneven = UNEVEN * (1 - 1 / replicas[:, None])
    return service.leaving_per_s(requests / replicas[:, None], uneven) * replicas[:, None]


def _no_place_left(service: Service, rho: Floats, replicas: Floats, z: float) -> Floats:
    """Replicas do not stand quite level, so an arrival that finds as many requests as places may yet find a free one.

    Less so after a quiet time: then the places were taken one after the other.
    """
    apart = APART * (1 - 0.5 / service.cap) * (replicas - 1)
    found: Floats = rho ** ((apart / z)[:, None] * rho)
    return found


def _joined(state: Floats, z: float, replicas: Floats, cap: Floats) -> Floats:
    came = np.floor((state + (z - 1) / 2) / replicas[:, None] + TINY) + 1
    found: Floats = np.minimum(came, cap[:, None])
    return found


def _shared(there: Floats, replicas: Floats) -> Floats:
    """Requests in the replica of one of so many, on average over them: level but for one."""
    n = replicas[:, None]
    low = np.floor(there / n + TINY)
    fuller = there - low * n
    found: Floats = (fuller * (low + 1) ** 2 + (n - fuller) * low**2) / there
    return found
