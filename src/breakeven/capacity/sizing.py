"""Whole machines for every hour of the week, so that the latency target holds at its quantile.

For every row the largest load that a fleet of n replicas carries is known for a few n (``largest_load.py``). It
depends on the row and the promise alone and rises with n, so the replicas of an hour are read off it: more traffic
never takes fewer, a looser target never more. Whole replicas, then whole machines. A machine is paid for every hour
in which it stands.
"""

from dataclasses import dataclass

import numpy as np

from breakeven.capacity.largest_load import KNOTS, Promise, capacities, first_knot, headroom, shared_of
from breakeven.capacity.purchases import Purchases, Ways
from breakeven.capacity.service import Service
from breakeven.capacity.spares import spares
from breakeven.capacity.valleys import Filled, Waiting, filled, work_by_hour
from breakeven.capacity.week import Week, week_of
from breakeven.options.columns import Floats, Ints, one_to_many
from breakeven.options.hosted import HostedGrid
from breakeven.options.machines import Rents
from breakeven.performance.predict import Speed, take
from breakeven.performance.serving import Latency
from breakeven.units import HOURS_PER_DAY, MINUTES_PER_HOUR, SECONDS_PER_DAY
from breakeven.workload.policy import Policy
from breakeven.workload.profile import Workload

PAIRS_PER_BLOCK = 512
TINY = 1e-9
LEVELS = 24
"""Of concurrency at which a replica's speed is computed for its queue, evenly in the logarithm."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MachinePairs:
    """Each row with each number of replicas a machine, and how each machine offer is bought."""

    row: Ints
    replicas_per_machine: Ints
    rents: Rents


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sizing:
    """Replicas for every row of a ``Speed``, and machines for every (row, replicas a machine) pair."""

    requests_per_day: Floats
    """Of each row: the traffic it was sized for."""
    demand: "_Demand"
    fixed: bool
    """Whether the busiest hour's machines stand all day (otherwise they follow the hours)."""
    pairs: MachinePairs
    ways: Ways
    bought: Purchases
    speed: Speed
    rate_per_replica_per_s: Floats
    """Of each row: requests that reach one replica, on average."""

    @property
    def pair_row(self) -> Ints:
        """Of each pair."""
        return self.pairs.row

    @property
    def pair_replicas_per_machine(self) -> Ints:
        """Of each pair."""
        return self.pairs.replicas_per_machine

    @property
    def machine_hours_per_day(self) -> Floats:
        """Of each pair, without a commitment: the hours in which machines run, those in which they start included."""
        hours: Floats = self.bought.hours_per_day[:, 0]
        return hours

    @property
    def peak_machines(self) -> Floats:
        """Of each pair, in the busiest hour."""
        peak: Floats = self.bought.peak[:, 0]
        return peak

    def response_s(self, rows: Ints) -> Floats:
        """How long callers of some rows wait for the whole answer, at their mean load. Only Lambda is billed for it."""
        asked = np.zeros(len(self.speed.rows), dtype=np.bool_)
        asked[rows] = True
        each = np.flatnonzero(asked)
        speed = take(self.speed, each, self.speed.largest_concurrency[each])
        found = np.empty(len(asked))
        found[each] = speed.latency(speed.concurrency_at(self.rate_per_replica_per_s[each])).response_s
        return found[rows]

    @property
    def load_by_hour(self) -> Floats:
        """Rows x hours: arrivals over what one full replica answers."""
        return np.outer(self.demand.load, self.demand.hours)

    @property
    def replicas_by_hour(self) -> Floats:
        """Rows x hours; whole numbers. Built when asked for: a plan needs only their sums."""
        return self.demand.replicas(np.arange(len(self.demand.load)))[:, self.demand.week.level]

    def replicas_of(self, row: int) -> Floats:
        """The replicas of one row, hour by hour."""
        hours: Floats = self.demand.replicas(np.array([row]))[0, self.demand.week.level]
        return hours

    def needed_of(self, row: int) -> Floats:
        """The same before it is rounded up."""
        hours: Floats = self.demand.needed(np.array([row]))[0, self.demand.week.level]
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
        """Requests a second that cannot wait, hour by hour."""
        share = self.speed.workload.interactive_share
        hours: Floats = self.requests_per_day[row] * share / SECONDS_PER_DAY * self.demand.hours
        return hours

    def machines_of(self, pair: int, offer: int) -> Floats:
        """The machines of one pair that are paid in each hour, bought as an offer is; means where work fills valleys.

        What starts before its hour is left out.
        """
        block, way = np.array([pair]), int(self.ways.way[offer])
        machines, fill = _machines_of(self.demand, block, self.pairs)
        one = self.ways.buyings[way]
        if one.interruptions_per_hour:
            away = one.interruptions_per_hour * self.ways.startup_hours
            machines = machines + spares(machines, away, self.ways.quantile)
        standing = machines[0, self.demand.week.level]
        if self.fixed:
            standing = np.full_like(standing, standing.max())
        committed = self.bought.committed[pair, way]
        if fill is not None and committed <= fill.floor[0]:
            emptiest = standing == fill.floor[0]
            rest = fill.rest_hours_per_day[0] / HOURS_PER_DAY * len(standing)
            standing = standing + emptiest * rest / max(emptiest.sum(), 1)
        paid: Floats = np.maximum(standing, committed)
        return paid

    def work_of(self, pair: int, machines: Floats) -> Floats:
        """The load of one pair in each hour in full replicas, the work that fills valleys of ``machines`` included."""
        row, waiting = int(self.pairs.row[pair]), self.demand.waiting
        load = self.load_of(row)
        if waiting is None:
            return load
        standing = machines * self.pairs.replicas_per_machine[pair]
        done: Floats = load + work_by_hour(standing[None], load[None], waiting.load[[row]], waiting.within_h)[0]
        return done


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Demand:
    """What replicas depend on: the load of the hours, and what fleets carry."""

    load: Floats
    """Of each row: arrivals that cannot wait over what one full replica answers, on average over the hours."""
    hours: Floats
    """Of each hour: its traffic over the mean."""
    week: Week
    first: Ints
    """Of each row: the place in ``KNOTS`` of the fleet that ``carried`` begins with."""
    carried: Floats
    """Rows x fleets: the largest load of each."""
    min_replicas: int
    fixed: bool
    waiting: Waiting | None = None
    """What is done in the valleys."""

    @property
    def levels(self) -> Floats:
        """The different loads over the mean that the hours ask for, the busiest first."""
        return self.week.levels

    @property
    def lines(self) -> Ints:
        """Of each row: how many of the lines between its fleets its busiest hour takes."""
        found: Ints = (self.carried[:, :-1] < (self.load * self.levels[0])[:, None]).sum(axis=1)
        return found

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
    pairs: MachinePairs,
    workload: Workload,
    policy: Policy,
    requests_per_day: Floats | None = None,
) -> Sizing:
    """Replicas and machines for every row, hour by hour, and what of them is bought in which way.

    ``requests_per_day``: another volume for each row, with the workload's shape; all else equal, that is how a cost is
    drawn against traffic.
    """
    hours = np.array(workload.requests_per_hour)
    hours = np.full_like(hours, hours.mean()) if workload.spread_evenly else hours
    fixed, startup_hours = policy.scaling == "fixed", policy.startup_minutes / MINUTES_PER_HOUR
    week = week_of(hours, startup_hours, fixed=fixed)
    volume = np.full(len(speed.rows), workload.requests_per_day) if requests_per_day is None else requests_per_day
    full = speed.latency(speed.largest_concurrency)
    every = volume / SECONDS_PER_DAY * full.held_s / speed.largest_concurrency
    load, batch = every * workload.interactive_share, workload.batch
    least, most = load * week.levels[week.levels > 0][-1], load * week.levels[0]
    if workload.spread_evenly:  # nobody waits for it: it is enough to keep up
        first = first_knot(least)
        carried = KNOTS[first[:, None] + np.arange(2)]
    else:
        first, carried = capacities(promise_of(speed, full), least, most)
    demand = _Demand(
        load=load,
        hours=hours / hours.mean(),
        week=week,
        first=first,
        carried=carried,
        min_replicas=policy.min_replicas,
        fixed=fixed,
        waiting=None if batch is None else Waiting(load=every - load, within_h=batch.within_h),
    )
    ways = Ways.of(week, pairs.rents, startup_hours, workload.slo.quantile, prices_count=batch is not None)
    bought, mean_replicas = _bought(demand, pairs, ways)
    return Sizing(
        requests_per_day=volume,
        demand=demand,
        fixed=fixed,
        pairs=pairs,
        ways=ways,
        bought=bought,
        speed=speed,
        rate_per_replica_per_s=volume * workload.interactive_share / SECONDS_PER_DAY / mean_replicas,
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


def machine_pairs(speed: Speed, grid: HostedGrid) -> MachinePairs:
    """Each row with each number of replicas a machine that its hardware comes with."""
    kinds = [sorted({per_machine for _, per_machine in carriers}) for carriers in grid.fleet.carriers]
    lengths = np.array([len(kind) for kind in kinds], dtype=np.int64)
    every = np.array([per_machine for kind in kinds for per_machine in kind], dtype=np.int64)
    row, place = one_to_many(lengths, grid.hardware[speed.rows])
    return MachinePairs(row=row, replicas_per_machine=every[place], rents=grid.fleet.rents)


def _bought(demand: _Demand, pairs: MachinePairs, ways: Ways) -> tuple[Purchases, Floats]:
    """What is bought for each pair, and the mean replicas of each row.

    Pairs are taken in blocks that fit a processor's cache, those together that take as long.
    """
    found = Purchases.empty(len(pairs.row), ways)
    mean_replicas = np.ones(len(demand.load))
    alike = np.argsort(demand.lines[pairs.row], kind="stable")
    for start in range(0, len(pairs.row), PAIRS_PER_BLOCK):
        block = alike[start : start + PAIRS_PER_BLOCK]
        machines, fill = _machines_of(demand, block, pairs, mean_replicas)
        found.put(block, machines, fill, ways)
    return found, mean_replicas


def _machines_of(
    demand: _Demand, block: Ints, pairs: MachinePairs, mean_replicas: Floats | None = None
) -> tuple[Floats, Filled | None]:
    """The machines of some pairs, pairs x levels; the mean replicas of their rows are put into ``mean_replicas``."""
    rows, each = pairs.row[block], pairs.replicas_per_machine[block]
    machines = demand.replicas(rows)
    if mean_replicas is not None:
        mean_replicas[rows] = machines @ demand.week.shares
    if each.max() > 1:
        np.ceil(np.divide(machines, each[:, None], out=machines), out=machines)
    waiting = demand.waiting
    if waiting is None:
        return machines, None
    load = demand.load[rows] / each, waiting.load[rows] / each
    fill = filled(machines, load, waiting, demand.week, demand.hours, fixed=demand.fixed)
    return fill.machines, fill
