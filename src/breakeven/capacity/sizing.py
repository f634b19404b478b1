"""Whole machines for every hour of the week, with head-room for the latency target.

A replica holds B requests in flight while its target is kept, and each stays S(B) seconds. Requests that arrive
at a rate r are, at a random moment, Poisson in number with mean a = r S. So that at the target's quantile all of
them find room, n replicas must hold

    n B >= a + z sqrt(a),        z = the standard normal quantile of the target

which is never less than the load itself and leaves relatively more room to small fleets. Whole replicas, then
whole machines. A machine is paid for every hour in which it stands.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from breakeven.options.columns import Floats, Ints, one_to_many
from breakeven.options.hosted import HostedGrid
from breakeven.performance.predict import Speed
from breakeven.units import HOURS_PER_DAY, SECONDS_PER_DAY
from breakeven.workload.policy import Policy
from breakeven.workload.profile import Workload

ALWAYS_ON_TERMS = ("reserved-1y", "owned")
"""Terms under which a machine is paid around the clock."""
PAIRS_PER_BLOCK = 512


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sizing:
    """Replicas for every row of a ``Speed``, and machines for every (row, replicas a machine) pair."""

    requests_per_day: Floats
    """Of each row: the traffic it was sized for."""
    mean_in_flight: Floats
    """Of each row: requests being served, on average over the hours."""
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
    def in_flight_by_hour(self) -> Floats:
        """Rows x hours: the mean number of requests being served."""
        return np.outer(self.mean_in_flight, self.demand.hour_weights)

    @property
    def replicas_by_hour(self) -> Floats:
        """Rows x hours; whole numbers. Built when asked for: a plan needs only their sums."""
        return self.demand.replicas(np.arange(len(self.mean_in_flight)))

    def replicas_of(self, row: int) -> Floats:
        """The replicas of one row, hour by hour."""
        hours: Floats = self.demand.replicas(np.array([row]))[0]
        return hours

    def in_flight_of(self, row: int) -> Floats:
        """Requests being served by one row, hour by hour."""
        hours: Floats = self.mean_in_flight[row] * self.demand.hour_weights
        return hours


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Demand:
    """What replicas depend on: (a w + z sqrt(a w)) / B is a product of two thin matrices, as the root splits."""

    by_row: Floats
    """Rows x 2: a / B and z sqrt(a) / B."""
    hour_weights: Floats
    """Of each hour: its traffic over the mean."""
    min_replicas: int

    def replicas(self, rows: Ints) -> Floats:
        """Whole replicas of some rows, rows x hours."""
        needed: Floats = self.by_row[rows] @ np.stack([self.hour_weights, np.sqrt(self.hour_weights)])
        np.ceil(np.subtract(needed, 1e-9, out=needed), out=needed)
        return np.maximum(needed, self.min_replicas, out=needed)


def headroom(in_flight: Floats, quantile: float) -> Floats:
    """Room needed so that Poisson arrivals find a place with probability ``quantile``: a + z sqrt(a).

    >>> float(headroom(np.array([100.0]), 0.5)[0])
    100.0
    """
    z = NormalDist().inv_cdf(quantile)
    room: Floats = in_flight + z * np.sqrt(in_flight)
    return room


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
    in_flight = volume / SECONDS_PER_DAY * speed.latency(speed.largest_concurrency).held_s
    spread = NormalDist().inv_cdf(workload.slo.quantile) * np.sqrt(in_flight)
    demand = _Demand(
        by_row=np.stack([in_flight, spread], axis=1) / speed.largest_concurrency[:, None],
        hour_weights=hours / hours.mean(),
        min_replicas=policy.min_replicas,
    )
    machine_hours, peak, mean_replicas = _machines(demand, *pairs)
    return Sizing(
        requests_per_day=volume,
        mean_in_flight=in_flight,
        demand=demand,
        fixed=policy.scaling == "fixed",
        pair_row=pairs[0],
        pair_replicas_per_machine=pairs[1],
        machine_hours_per_day=peak * HOURS_PER_DAY if policy.scaling == "fixed" else machine_hours,
        peak_machines=peak,
        speed=speed,
        rate_per_replica_per_s=volume / SECONDS_PER_DAY / mean_replicas,
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

    Pairs are taken in blocks that fit a processor's cache.
    """
    hours, peak = np.empty(len(pair_row)), np.empty(len(pair_row))
    mean_replicas = np.ones(len(demand.by_row))
    for start in range(0, len(pair_row), PAIRS_PER_BLOCK):
        block = slice(start, start + PAIRS_PER_BLOCK)
        rows, each = pair_row[block], per_machine[block]
        machines = demand.replicas(rows)
        mean_replicas[rows] = machines.mean(axis=1)
        if each.max() > 1:
            np.ceil(np.divide(machines, each[:, None], out=machines), out=machines)
        hours[block], peak[block] = machines.mean(axis=1) * HOURS_PER_DAY, machines.max(axis=1)
    return hours, peak, mean_replicas
