"""A replay in words and as a document: what the trace did to the fleet, and what that cost."""

from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from breakeven.capacity.simulate import Curve, Fleet, Replay, busy_replicas, places_of
from breakeven.options.columns import Floats
from breakeven.planner import Plan
from breakeven.planner.rehearsal import Rehearsal
from breakeven.units import SECONDS_PER_HOUR
from breakeven.workload.profile import Slo

SCHEMA: Literal["breakeven-simulation/1"] = "breakeven-simulation/1"
SLACK = 0.01
POINTS = 240
"""Looks at the fleet that a document holds at most."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A time over the requests that were answered, seconds."""

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The fleet at one moment of the trace."""

    at_s: float
    replicas_serving: int
    replicas_paid: int
    in_service: int
    waiting: int


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What was played: the trace, the fleet and its rules."""

    option: str
    logs: tuple[str, ...]
    requests: int
    span_s: float
    requests_per_s: float
    scale: float
    seed: int
    input_tokens: float
    output_tokens: float
    machines: int
    replicas_per_machine: int
    places_per_replica: int
    """Requests that a replica takes at a time."""
    planned_machines: int
    planned_requests_per_s: float
    autoscaled_to: tuple[int, int] | None
    """The least and the most machines; ``None``: the fleet stands as it is."""
    target_in_flight: float | None
    queue_limit: int | None
    failures: int


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What the replay cost over its own length."""

    machine_hours: float
    committed_machine_hours: float
    """Those of them that are paid whether used or not."""
    usd_per_machine_hour: float
    usd_machines: float
    overflow_api: str | None
    overflow_requests: int
    usd_overflow: float | None
    """``None``: no API was named, or a price of it is not known."""


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """A replay. Where the queue grows without limit there are no times, only how many replicas it takes at least."""

    schema: Literal["breakeven-simulation/1"]
    played: Played
    overload: bool
    least_replicas: int
    """Fewer would let the queue grow without limit."""
    served: int = 0
    too_long: int = 0
    retried: int = 0
    utilisation: float | None = None
    mean_in_flight: float | None = None
    wait_probability: float | None = None
    wait_s: Spread | None = None
    ttft_s: Spread | None = None
    tpot_s: Spread | None = None
    response_s: Spread | None = None
    target: Slo | None = None
    share_within_target: float | None = None
    keeps_target: bool | None = None
    costs: Costs | None = None
    over_time: tuple[Moment, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Overflow:
    """Where the requests go that find the queue at its limit, and what they cost there."""

    api: str
    usd: float | None


def least_replicas(curve: Curve, rehearsed: Rehearsal) -> int:
    """So many replicas at least, or the queue grows without limit."""
    return int(np.floor(busy_replicas(curve, rehearsed.arrivals) * (1 - 1e-9))) + 1


def overloaded(rehearsed: Rehearsal, fleet: Fleet) -> bool:
    """Whether the traffic is more than the fleet can ever carry, and nothing sends it elsewhere."""
    most = max(fleet.machines, fleet.autoscaling.most if fleet.autoscaling else 0)
    needed = least_replicas(rehearsed.curve, rehearsed)
    return fleet.queue_limit is None and needed > most * fleet.per_machine


def simulation(
    played: Played, rehearsed: Rehearsal, replay: Replay, slo: Slo, overflow: Overflow | None, notes: tuple[str, ...]
) -> Simulation:
    """The document of a replay that came to its end."""
    ttft = replay.ttft_s if rehearsed.streams else replay.response_s
    within = simulation_share(ttft, replay.tpot_s, slo)
    return Simulation(
        schema=SCHEMA,
        played=played,
        overload=False,
        least_replicas=least_replicas(rehearsed.curve, rehearsed),
        served=len(replay.served),
        too_long=len(replay.too_long),
        retried=replay.retried,
        utilisation=round(replay.utilisation, 6),
        mean_in_flight=float(replay.in_flight_s.sum()) / max(replay.duration_s, 1e-9),
        wait_probability=_mean((replay.wait_s > 0).astype(np.float64)),
        wait_s=_spread(replay.wait_s),
        ttft_s=_spread(ttft),
        tpot_s=_spread(replay.tpot_s),
        response_s=_spread(replay.response_s),
        target=slo,
        share_within_target=within,
        keeps_target=None if within is None else within >= slo.quantile,
        costs=_costs(rehearsed, replay, played, overflow),
        over_time=_over_time(replay),
        notes=notes,
    )


def overload(played: Played, rehearsed: Rehearsal, slo: Slo, notes: tuple[str, ...]) -> Simulation:
    """The document of a fleet that cannot carry the trace: there is no number for its times."""
    return Simulation(
        schema=SCHEMA,
        played=played,
        overload=True,
        least_replicas=least_replicas(rehearsed.curve, rehearsed),
        target=slo,
        notes=notes,
    )


def notes_of(plan: Plan, failed: int, scale: float, rehearsed: Rehearsal, fleet: Fleet) -> tuple[str, ...]:
    """What nobody stated and the replay took anyway, in sentences."""
    speeds = "as you stated them" if plan.speed.stated else "as the plan predicts them for requests of this mean length"
    found = [
        f"speeds {speeds}; only tokens that the log says were cached are not computed again",
        "a request goes to the replica with the fewest outstanding ones"
        + (
            ", from one line before the fleet"
            if fleet.one_line
            else " and waits there for a place, first come first served"
        ),
    ]
    if scale > 1:
        found.append("more traffic: copies of the log, each shifted by up to 10 minutes, as of more users alike")
    elif scale < 1:
        found.append("less traffic: a random part of the requests")
    if plan.workload.slo.named:
        found.append(f"a time up to {SLACK:.0%} above its target counts as within it")
    if failed:
        found.append(f"{failed:,} requests that failed in the log are not replayed")
    if fleet.autoscaling:
        scaling = fleet.autoscaling
        low, high = scaling.starts_in_s
        found.append(
            f"the autoscaler looks every {scaling.period_s:g} s, pauses {scaling.cooldown_s:g} s after a change, and a "
            f"machine serves {low:g} to {high:g} s after its order, from which on it is paid"
        )
        if rehearsed.beside is None:
            found.append("this purchase term is paid around the clock, so machines that go save nothing")
    if rehearsed.beside is not None and rehearsed.committed_machines:
        found.append(
            f"the plan commits to {rehearsed.committed_machines} machines, which are paid all along; those above are "
            "paid by the hour"
        )
    if fleet.failures:
        found.append("what a failing replica held begins again elsewhere; its machine is paid meanwhile")
    return tuple(found)


def places(rehearsed: Rehearsal) -> int:
    """Requests that a replica takes at a time, of these."""
    return places_of(rehearsed.curve, rehearsed.arrivals)


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None


def _spread(values: Floats) -> Spread | None:
    """Mean and quantiles of the values that there are."""
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    p50, p90, p95, p99 = (float(at) for at in np.quantile(known, [0.5, 0.9, 0.95, 0.99]))
    return Spread(mean=float(known.mean()), p50=p50, p90=p90, p95=p95, p99=p99)


def simulation_share(ttft_s: Floats, tpot_s: Floats, slo: Slo) -> float | None:
    """The share that kept the target: the least of its parts, as each is promised for a share of its own.

    An answer of one token has no time per token and keeps that part. A plan fills replicas up to the very target, for
    requests a little unlike the trace's: so a time is within it up to ``SLACK`` above.
    """
    if not slo.named or not len(ttft_s):
        return None
    parts = [(ttft_s, slo.ttft_s), (tpot_s, slo.tpot_s)]
    return min(float((~(found > target * (1 + SLACK))).mean()) for found, target in parts if target is not None)


def _costs(rehearsed: Rehearsal, replay: Replay, played: Played, overflow: Overflow | None) -> Costs:
    hours, committed = replay.machine_hours, rehearsed.committed_machines
    paid = replay.samples[1] / rehearsed.per_machine
    if rehearsed.beside is None:
        committed, hours = max(played.machines, int(np.ceil(paid.max(initial=0)))), 0.0
    elif committed:  # the share of the hours that is above them, as the looks at the fleet tell it
        hours *= float(np.maximum(paid - committed, 0).sum() / max(paid.sum(), 1.0))
    around = committed * replay.duration_s / SECONDS_PER_HOUR
    usd = around * float(rehearsed.price.usd_per_hour)
    usd += hours * float(rehearsed.beside.usd_per_hour) if rehearsed.beside else 0.0
    return Costs(
        machine_hours=around + hours,
        committed_machine_hours=around,
        usd_per_machine_hour=usd / (around + hours),
        usd_machines=usd,
        overflow_api=overflow.api if overflow else None,
        overflow_requests=len(replay.overflowed),
        usd_overflow=overflow.usd if overflow else None,
    )


def _over_time(replay: Replay) -> tuple[Moment, ...]:
    every = -(-len(replay.sample_s) // POINTS) or 1
    return tuple(
        Moment(at_s=round(float(at), 3), replicas_serving=up, replicas_paid=paid, in_service=inside, waiting=waiting)
        for at, (up, paid, inside, waiting) in zip(
            replay.sample_s[::every], replay.samples.T[::every].tolist(), strict=True
        )
    )
