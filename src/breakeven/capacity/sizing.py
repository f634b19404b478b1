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
from breakeven.units import HOURS_PER_DAY, SECONDS_PER_HOUR
from breakeven.workload.policy import Policy
from breakeven.workload.profile import Workload

ALWAYS_ON_TERMS = ("reserved-1y", "owned")
"""Terms under which a machine is paid around the clock."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sizing:
    """Replicas for every row of a ``Speed``, and machines for every (row, replicas a machine) pair."""

    requests_per_day: Floats
    """Of each row: the traffic it was sized for."""
    replicas_by_hour: Floats
    """Rows x hours; whole numbers."""
    in_flight_by_hour: Floats
    """Rows x hours: the mean number of requests being served."""
    pair_row: Ints
    pair_replicas_per_machine: Ints
    machine_hours_per_day: Floats
    """Of each pair, when the fleet follows the hours (or around the clock, if the policy says ``fixed``)."""
    peak_machines: Floats
    """Of each pair."""
    response_s: Floats
    """Of each row at its mean load: how long a caller waits for the whole answer."""


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
    base = workload.requests_per_day
    volume = np.full(len(speed.rows), base) if requests_per_day is None else requests_per_day
    rate_per_s = np.array(workload.requests_per_hour) / SECONDS_PER_HOUR * (volume / base)[:, None]
    response = speed.latency(speed.largest_concurrency).response_s
    in_flight = response[:, None] * rate_per_s
    room = headroom(in_flight, workload.slo.quantile)
    replicas = np.maximum(np.ceil(room / speed.largest_concurrency[:, None] - 1e-9), policy.min_replicas)
    hours, peak = _machines(replicas, *pairs, policy)
    per_replica = rate_per_s.sum(axis=1) / replicas.sum(axis=1)
    return Sizing(
        requests_per_day=volume,
        replicas_by_hour=replicas,
        in_flight_by_hour=in_flight,
        pair_row=pairs[0],
        pair_replicas_per_machine=pairs[1],
        machine_hours_per_day=hours,
        peak_machines=peak,
        response_s=speed.latency(speed.concurrency_at(per_replica)).response_s,
    )


def machine_pairs(speed: Speed, grid: HostedGrid) -> tuple[Ints, Ints]:
    """Each row with each number of replicas a machine that its hardware comes with."""
    kinds = [sorted({per_machine for _, per_machine in carriers}) for carriers in grid.fleet.carriers]
    lengths = np.array([len(kind) for kind in kinds], dtype=np.int64)
    every = np.array([per_machine for kind in kinds for per_machine in kind], dtype=np.int64)
    row, place = one_to_many(lengths, grid.hardware[speed.rows])
    return row, every[place]


def _machines(replicas: Floats, pair_row: Ints, per_machine: Ints, policy: Policy) -> tuple[Floats, Floats]:
    days = replicas.shape[1] / HOURS_PER_DAY
    hours = np.empty(len(pair_row))
    peak = np.empty(len(pair_row))
    for k in np.unique(per_machine):
        these = np.flatnonzero(per_machine == k)
        machines = np.ceil(replicas[pair_row[these]] / k)
        peak[these] = machines.max(axis=1)
        hours[these] = machines.sum(axis=1) / days
    return (peak * HOURS_PER_DAY if policy.scaling == "fixed" else hours), peak
