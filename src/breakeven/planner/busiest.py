"""The busiest hour of one fleet: its latency at the target's quantile, and the chance that the target is kept.

The speed is known within a band. With half its 80 % width w in the logarithm, the time of a pass is e^x times what was
predicted, x normal with standard deviation w/1.28. The slower the replicas the later the answers, so the target is kept
up to one x, and the chance is that of staying below it. The fleet and its limits are those of the plan.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from breakeven.capacity.queueing import Queue, answer
from breakeven.capacity.sizing import service_of
from breakeven.options.columns import Floats
from breakeven.performance.predict import Speed, slowed, take

STEPS = 17
WIDEST = 3.0
"""Standard deviations up to which speeds are looked at."""
HALF_OF_80_PERCENT = NormalDist().inv_cdf(0.9)
ROUNDING = 1e-3
"""By how much a latency may miss its target and still count as the target: replicas are read off a grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Busiest:
    """What a request meets in the busiest hour."""

    ttft_s: float
    """At the quantile."""
    tpot_s: float
    wait_probability: float | None
    """``None`` for work that waits by choice."""
    kept: float | None
    """The chance that the target is kept; ``None`` without a target or without a band."""


def busiest(speed: Speed, arrivals_per_s: float, replicas: int) -> Busiest:
    """``speed``: of one row. Work that may wait a day waits by choice: it is told as served by full replicas."""
    if speed.workload.spread_evenly:
        full = speed.latency(speed.largest_concurrency)
        return Busiest(ttft_s=float(full.ttft_s[0]), tpot_s=float(full.tpot_s[0]), wait_probability=None, kept=None)
    width = float(speed.half_width[0]) / HALF_OF_80_PERCENT
    banded = speed.workload.slo.named and np.isfinite(width)
    deviations = np.linspace(-WIDEST, WIDEST, STEPS) if banded else np.zeros(1)
    found = _queues(speed, deviations * (width if banded else 0.0), arrivals_per_s, replicas)
    at = len(deviations) // 2
    return Busiest(
        ttft_s=float(found.ttft_s[at]),
        tpot_s=float(found.tpot_s[at]),
        wait_probability=float(found.wait_probability[at]),
        kept=_kept(speed, found, deviations) if banded else None,
    )


def _queues(speed: Speed, logs: Floats, arrivals_per_s: float, replicas: int) -> Queue:
    """The fleet at several speeds, one row each."""
    several = take(speed, np.zeros(len(logs), dtype=np.int64), np.repeat(speed.largest_concurrency, len(logs)))
    workload = speed.workload
    return answer(
        service_of(slowed(several, logs)),
        np.full(len(logs), arrivals_per_s),
        np.full(len(logs), float(replicas)),
        workload.bursts,
        workload.slo.quantile,
    )


def _kept(speed: Speed, found: Queue, deviations: Floats) -> float:
    """The chance of a speed at which both targets are kept: straight between the last that does and the next."""
    slo = speed.workload.slo
    over = np.full(len(deviations), -np.inf)
    for latency_s, target_s in ((found.ttft_s, slo.ttft_s), (found.tpot_s, slo.tpot_s)):
        if target_s is not None:
            with np.errstate(divide="ignore"):
                over = np.maximum(over, np.log(latency_s) - np.log(target_s * (1 + ROUNDING)))
    late = np.flatnonzero(over > 0)
    if not len(late):
        return 1.0
    first = int(late[0])
    if first == 0:
        return 0.0
    share = over[first - 1] / (over[first - 1] - over[first]) if np.isfinite(over[first]) else 0.5
    return NormalDist().cdf(float(deviations[first - 1] + share * (deviations[first] - deviations[first - 1])))
