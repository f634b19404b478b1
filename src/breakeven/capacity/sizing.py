"""Whole machines for every hour of the week, so that the latency target holds at its quantile.

For every row the largest load that a fleet of n replicas carries is known for a few n (``largest_load.py``). It
depends on the row and the promise alone and rises with n, so the replicas of an hour are read off it: more traffic
never takes fewer, a looser target never more. Whole replicas, then whole machines. A machine is paid for every hour
in which it stands.
"""

from dataclasses import dataclass

import numpy as np

from breakeven.capacity.largest_load import KNOTS, Promise, capacities, first_knot, headroom, shared_of
from breakeven.capacity.queueing import Service
from breakeven.options.columns import Floats, Ints, one_to_many
from breakeven.options.hosted import HostedGrid
from breakeven.performance.predict import Speed, take
from breakeven.performance.serving import Latency
from breakeven.units import HOURS_PER_DAY, SECONDS_PER_DAY
from breakeven.workload.policy import Policy
from breakeven.workload.profile import Workload

ALWAYS_ON_TERMS = ("reserved-1y", "owned")
"""Terms under which a machine is paid around the clock."""
PAIRS_PER_BLOCK = 512
TINY = 1e-9
LEVELS = 24
"""Of concurrency at which a replica's speed is computed for its queue, evenly in the logarithm."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sizing:
    """Replicas for every row of a ``Speed``, and machines for every (row, replicas a machine) pair."""

    requests_per_day: Floats
    """Of each row: the traffic it was sized for."""
    demand: "_Demand"
    fixed: bool
    """Whether the busiest hour's machines stand all day (otherwise they follow the hours)."""
    pair_row: Ints
    pair_replicas_per_machine: Ints
    machine_hours_per_day: Floats
    """Of each pair, when the fleet follows the hours (or around the clock, if the policy says ``fixed``)."""
    peak_machines: Floats
    """Of each pair."""
    speed: Speed
    rate_per_replica_per_s: Floats
    """Of each row: requests that reach one replica, on average."""

    def response_s(self) -> Floats:
        """Of each row at its mean load: how long a caller waits for the whole answer. Only Lambda is billed for it."""
        return self.speed.latency(self.speed.concurrency_at(self.rate_per_replica_per_s)).response_s

    @property
    def load_by_hour(self) -> Floats:
        """Rows x hours: arrivals over what one full replica answers."""
        return np.outer(self.demand.load, self.demand.hours)

    @property
    def replicas_by_hour(self) -> Floats:
        """Rows x hours; whole numbers. Built when asked for: a plan needs only their sums."""
        return self.demand.replicas(np.arange(len(self.demand.load)))[:, self.demand.level]

    def replicas_of(self, row: int) -> Floats:
        """The replicas of one row, hour by hour."""
        hours: Floats = self.demand.replicas(np.array([row]))[0, self.demand.level]
        return hours

    def needed_of(self, row: int) -> Floats:
        """The same before it is rounded up."""
        hours: Floats = self.demand.needed(np.array([row]))[0, self.demand.level]
        return hours

    def load_of(self, row: int) -> Floats:
        """Arrivals of one row over what one full replica answers, hour by hour."""
        hours: Floats = self.demand.load[row] * self.demand.hours
        return hours

    def most_used_of(self, row: int, replicas: int) -> float:
        """The largest utilisation at which a fleet of so many replicas of one row keeps the promise."""
        demand = self.demand
        fleets = KNOTS[demand.first[row] + np.arange(demand.carried.shape[1])]
        computed = float(np.clip(replicas, fleets[0], fleets[-1]))
        return min(float(np.interp(computed, fleets, demand.carried[row])) / computed, 1.0)

    def arrivals_of(self, row: int) -> Floats:
        """Requests a second, hour by hour."""
        hours: Floats = self.requests_per_day[row] / SECONDS_PER_DAY * self.demand.hours
        return hours


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Demand:
    """What replicas depend on: the load of the hours, and what fleets carry. Hours of the same load are one level."""

    load: Floats
    """Of each row: arrivals over what one full replica answers, on average over the hours."""
    levels: Floats
    """The different loads of the hours over the mean, the busiest first."""
    level: Ints
    """Of each hour."""
    first: Ints
    """Of each row: the place in ``KNOTS`` of the fleet that ``carried`` begins with."""
    carried: Floats
    """Rows x fleets: the largest load of each."""
    min_replicas: int

    @property
    def hours(self) -> Floats:
        """Of each hour: its load over the mean."""
        weights: Floats = self.levels[self.level]
        return weights

    @property
    def lines(self) -> Ints:
        """Of each row: how many of the lines between its fleets its busiest hour takes."""
        found: Ints = (self.carried[:, :-1] < (self.load * self.levels[0])[:, None]).sum(axis=1)
        return found

    @property
    def shares(self) -> Floats:
        """Of each level: its share of the hours."""
        return np.bincount(self.level) / len(self.level)

    def needed(self, rows: Ints) -> Floats:
        """Replicas of some rows, rows x levels, straight between the fleets that were computed."""
        load, carried = self.load[rows, None], self.carried[rows]
        wide = 1 + max(int((carried[:, :-1] < load * self.levels[0]).sum(axis=1).max(initial=0)), 1)
        ends = KNOTS[np.minimum(self.first[rows, None] + np.arange(wide), len(KNOTS) - 1)]
        steps = np.diff(ends, axis=1)
        most = np.where(ends[:, 1:] == KNOTS[-1], np.inf, steps)  # the last line goes on
        slopes = steps / np.maximum(np.diff(carried[:, :wide], axis=1), TINY)
        lines = np.stack([load * slopes, -carried[:, : wide - 1] * slopes], axis=2)
        levels = np.stack([self.levels, np.ones_like(self.levels)])
        found = np.repeat(ends[:, :1], len(self.levels), axis=1)
        begins = (carried[:, : wide - 1] / load).min(axis=0)  # below it, a line of the fleets adds nothing to any row
        for n in range(wide - 1):
            busy = np.searchsorted(-self.levels, -begins[n])
            more = lines[:, n] @ levels[:, :busy]
            np.maximum(more, 0.0, out=more)
            found[:, :busy] += np.minimum(more, most[:, n, None], out=more)
        found[:, self.levels == 0] = 0.0
        return found

    def replicas(self, rows: Ints) -> Floats:
        """Whole replicas of some rows, rows x levels."""
        needed = self.needed(rows)
        np.ceil(np.subtract(needed, TINY, out=needed), out=needed)
        return np.maximum(needed, self.min_replicas, out=needed)


def size(
    speed: Speed,
    pairs: tuple[Ints, Ints],
    workload: Workload,
    policy: Policy,
    requests_per_day: Floats | None = None,
) -> Sizing:
    """Replicas and machines for every row, hour by hour.

    ``pairs``: row and replicas a machine. ``requests_per_day``: another volume for each row, with the workload's
    shape; all else equal, that is how a cost is drawn against traffic.
    """
    hours = np.array(workload.requests_per_hour)
    hours = np.full_like(hours, hours.mean()) if workload.spread_evenly else hours
    base = workload.requests_per_day
    volume = np.full(len(speed.rows), base) if requests_per_day is None else requests_per_day
    levels, level = np.unique(-hours / hours.mean(), return_inverse=True)
    levels = -levels
    full = speed.latency(speed.largest_concurrency)
    load = volume / SECONDS_PER_DAY * full.held_s / speed.largest_concurrency
    least, most = load * levels[levels > 0][-1], load * levels[0]
    if workload.spread_evenly:  # nobody waits for it: it is enough to keep up
        first = first_knot(least)
        carried = KNOTS[first[:, None] + np.arange(2)]
    else:
        first, carried = capacities(promise_of(speed, full), least, most)
    demand = _Demand(
        load=load,
        levels=levels,
        level=level,
        first=first,
        carried=carried,
        min_replicas=policy.min_replicas,
    )
    machine_hours, peak, mean_replicas = _machines(demand, *pairs)
    return Sizing(
        requests_per_day=volume,
        demand=demand,
        fixed=policy.scaling == "fixed",
        pair_row=pairs[0],
        pair_replicas_per_machine=pairs[1],
        machine_hours_per_day=peak * HOURS_PER_DAY if policy.scaling == "fixed" else machine_hours,
        peak_machines=peak,
        speed=speed,
        rate_per_replica_per_s=volume / SECONDS_PER_DAY / mean_replicas,
    )


def promise_of(speed: Speed, full: Latency) -> Promise:
    """What the replicas of each row are in the eyes of a queue, and what was promised. ``full``: of full replicas.

    Nobody may wait longer for a place than a request then stays in it; with a target for the first token, no longer
    than that leaves over.
    """
    places, slo = speed.largest_concurrency, speed.workload.slo
    half = speed.latency(np.maximum(places / 2, 1.0))
    most_s = full.held_s
    if slo.ttft_s is not None:
        most_s = np.minimum(most_s, np.maximum(slo.ttft_s - full.ttft_s, 0.0))
    return Promise(
        places=places,
        shared=shared_of(full.held_s, half.held_s),
        patience=most_s * places / full.held_s,
        quantile=slo.quantile,
        burstiness=speed.workload.bursts,
    )


def headroom_of(speed: Speed, full: Latency) -> Floats:
    """Of each row: h in n = load + h sqrt(n), about. ``full``: of full replicas."""
    return np.zeros(len(speed.rows)) if speed.workload.spread_evenly else headroom(promise_of(speed, full))


def roughly(load: Floats, room: Floats, levels: Floats) -> Floats:
    """About how many replicas carry a load at each level of the hours, rows x levels, for a first look.

    ``room``: that of ``headroom_of``; n = load + h sqrt(load) + h^2/2.

    >>> roughly(np.array([9.0]), np.array([1.0]), np.ones(1)).tolist()
    [[12.5]]
    """
    parts = np.stack([load, room * np.sqrt(load), room**2 / 2], axis=1)
    found: Floats = parts @ np.stack([levels, np.sqrt(levels), np.ones_like(levels)])
    return found


def service_of(speed: Speed) -> Service:
    """Every row of a speed as a queue sees it. A replica never answers less for having more requests."""
    levels = speed.largest_concurrency[:, None] ** np.linspace(0.0, 1.0, LEVELS)
    each = take(speed, np.repeat(np.arange(len(levels)), LEVELS), levels.ravel())
    found = each.latency(levels.ravel())
    held = found.held_s.reshape(levels.shape)
    return Service(
        concurrency=levels,
        held_s=levels / np.maximum.accumulate(levels / held, axis=1),
        ttft_s=found.ttft_s.reshape(levels.shape),
        tpot_s=found.tpot_s.reshape(levels.shape),
    )


def machine_pairs(speed: Speed, grid: HostedGrid) -> tuple[Ints, Ints]:
    """Each row with each number of replicas a machine that its hardware comes with."""
    kinds = [sorted({per_machine for _, per_machine in carriers}) for carriers in grid.fleet.carriers]
    lengths = np.array([len(kind) for kind in kinds], dtype=np.int64)
    every = np.array([per_machine for kind in kinds for per_machine in kind], dtype=np.int64)
    row, place = one_to_many(lengths, grid.hardware[speed.rows])
    return row, every[place]


def _machines(demand: _Demand, pair_row: Ints, per_machine: Ints) -> tuple[Floats, Floats, Floats]:
    """Machine-hours a day and machines at peak of each pair, and mean replicas of each row.

    Pairs are taken in blocks that fit a processor's cache, those together that take as long.
    """
    hours, peak = np.empty(len(pair_row)), np.empty(len(pair_row))
    mean_replicas, shares = np.ones(len(demand.load)), demand.shares
    alike = np.argsort(demand.lines[pair_row], kind="stable")
    for start in range(0, len(pair_row), PAIRS_PER_BLOCK):
        block = alike[start : start + PAIRS_PER_BLOCK]
        rows, each = pair_row[block], per_machine[block]
        machines = demand.replicas(rows)
        mean_replicas[rows] = machines @ shares
        if each.max() > 1:
            np.ceil(np.divide(machines, each[:, None], out=machines), out=machines)
        hours[block], peak[block] = (machines @ shares) * HOURS_PER_DAY, machines[:, 0]
    return hours, peak, mean_replicas
