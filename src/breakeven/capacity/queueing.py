"""A fleet of replicas with continuous batching as a queue: how full, how late, how often a request waits.

A replica shares its speed among the k requests in it and takes at most B of them; the others wait first come, first
served. What its arrivals and its requests then meet says ``chains.py``; here it becomes times, over all the rates that
the hour has. Equations, and how far off they are: docs/theory/capacity.md.
"""

from dataclasses import dataclass

import numpy as np

from breakeven.capacity.bursts import rates
from breakeven.capacity.chains import met
from breakeven.capacity.phases import Complexes
from breakeven.capacity.service import Service
from breakeven.options.columns import Floats, Ints, Mask
from breakeven.workload.profile import Burstiness

TINY = 1e-9
HALVINGS = 50


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Queue:
    """What a fleet does with its arrivals, one value a row. Where it is not ``stable``, its times have no end."""

    stable: Mask
    """Whether the fleet carries its arrivals; elsewhere the queue grows without limit."""
    least_replicas: Ints
    """Fewer of them would let the queue grow without limit."""
    utilisation: Floats
    """Arrivals over what the fleet answers when it is full; above 1 where it is not stable."""
    mean_in_flight: Floats
    """Requests in service in the whole fleet."""
    wait_probability: Floats
    """Of a request that arrives."""
    wait_s: Floats
    """For a place in a replica, on average over all requests."""
    wait_at_quantile_s: Floats
    ttft_s: Floats
    """At the quantile, the wait for a place included."""
    tpot_s: Floats
    """At the quantile."""
    mean_tpot_s: Floats


def answer(
    service: Service,
    arrivals_per_s: Floats,
    replicas: Floats,
    burstiness: Burstiness,
    quantile: float,
) -> Queue:
    """What fleets of ``replicas`` do with their arrivals, one fleet a row of ``service``.

    Where the rate moves within the hour, over all its rates.

    >>> one = Service(concurrency=np.array([[1.0]]), held_s=np.array([[1.0]]), ttft_s=np.zeros((1, 1)),
    ...     tpot_s=np.zeros((1, 1)))  # one request at a time
    >>> found = answer(one, np.array([0.8]), np.array([1.0]), Burstiness(), 0.95)
    >>> round(float(found.wait_probability[0]), 3), round(float(found.wait_s[0]), 3)  # 0.8 and 0.8/(1 - 0.8)
    (0.8, 4.0)
    """
    load = arrivals_per_s / (replicas * service.full_rate_per_s)
    factors, hours = rates(burstiness, quantile) if burstiness.rate_stays_s is None else (np.ones(1), np.ones(1))
    all_met = [met(service, load * factor, replicas, burstiness, quantile) for factor in factors]
    shares = hours * factors  # of the requests
    waits = np.concatenate([one.waits * share for one, share in zip(all_met, shares, strict=True)], axis=1)
    leaving = np.concatenate([one.leaving_per_s for one in all_met], axis=1)
    late = _late_s(waits, leaving, 1 - quantile)
    joined, shared = (np.concatenate([getattr(one, name) for one in all_met], axis=1) for name in ("joined", "shared"))
    found, served = (
        np.concatenate([getattr(one, name) * share for one, share in zip(all_met, shares, strict=True)], axis=1)
        for name in ("found", "served")
    )
    first, pace = service.at(service.ttft_s, joined), service.at(service.tpot_s, shared)
    stable, waiting = load < 1, waits.sum(axis=1).real
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_wait = np.where((np.abs(leaving) > 0).all(axis=1), (waits / leaving).sum(axis=1).real, np.inf)
    return Queue(
        stable=stable,
        least_replicas=np.floor(load * replicas * (1 - TINY)).astype(np.int64) + 1,
        utilisation=load,
        mean_in_flight=np.stack([one.in_service for one in all_met], axis=1) @ hours,
        wait_probability=np.where(stable, np.clip(waiting, 0.0, 1.0), 1.0),
        wait_s=np.where(stable, mean_wait, np.inf),
        wait_at_quantile_s=np.where(stable, late, np.inf),
        ttft_s=np.where(stable, _at_quantile(first, found, quantile) + late, np.inf),
        tpot_s=_smeared_quantile(pace, served, quantile),
        mean_tpot_s=(pace * served).sum(axis=1),
    )


def _late_s(waits: Floats | Complexes, leaving_per_s: Floats | Complexes, late: float) -> Floats:
    """The wait that a share ``late`` exceeds: the waits (rows x terms) each fall off as exp(-leaving t)."""
    total = waits.sum(axis=1).real
    with np.errstate(divide="ignore"):
        slowest = np.where(np.abs(leaving_per_s) > 0, leaving_per_s.real, np.inf).min(axis=1)
        low, high = np.zeros(len(waits)), np.log(np.maximum(np.abs(waits).sum(axis=1) / (late * TINY), 1.0)) / slowest
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        more = (waits * np.exp(-leaving_per_s * middle[:, None])).sum(axis=1).real > late
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    endless = (waits * (np.abs(leaving_per_s) <= 0)).sum(axis=1).real > late
    return np.where(endless, np.inf, np.where(total <= late, 0.0, high))


def _at_quantile(value: Floats, seen: Floats, quantile: float) -> Floats:
    """The value that a share ``quantile`` of each row stays at or below."""
    order = np.argsort(value, axis=1, kind="stable")
    reached = np.cumsum(np.take_along_axis(seen, order, axis=1), axis=1) >= quantile - TINY
    place = np.take_along_axis(order, np.argmax(reached, axis=1)[:, None], axis=1)
    found: Floats = np.take_along_axis(value, place, axis=1)[:, 0]
    return found


def _smeared_quantile(value: Floats, seen: Floats, quantile: float) -> Floats:
    """The same of a time that each request has on average over all that it meets: straight between the states."""
    order = np.argsort(value, axis=1, kind="stable")
    values, shares = np.take_along_axis(value, order, axis=1), np.take_along_axis(seen, order, axis=1)
    middle = np.cumsum(shares, axis=1) - shares / 2
    return np.array([np.interp(quantile, at, row) for at, row in zip(middle, values, strict=True)])
