"""A fleet of replicas with continuous batching as a queue: how full, how late, how often a request waits.

A replica shares its speed among the k requests in it and takes at most B of them; the others wait first come, first
served. With ``held_s(k)`` the time that a request holds its place among k, requests leave it at

    mu(k) = k / held_s(k) for k <= B,     mu(B) above

so the number in it is a birth-death chain, and below the cap its distribution does not depend on how lengths spread.
n replicas behind least-outstanding-requests routing keep level with each other: one chain with rates n mu(K/n).
Bursts of arrivals widen it: it moves in steps of z requests, z the peakedness of the arrivals (Hayward's
approximation; z = 1 for independent ones). Equations, and how far off they are: docs/theory/capacity.md.
"""

from dataclasses import dataclass

import numpy as np

from breakeven.capacity.bursts import peakedness, rates
from breakeven.options.columns import Floats, Ints, Mask
from breakeven.workload.profile import Burstiness

NODES = 512
"""States that are looked at, up to the cap; a larger fleet's are taken in wider steps."""
TINY = 1e-9
HALVINGS = 50
UNEVEN = 0.2
"""Share of the replicas of a large fleet that stand one request above or below the level of the others."""
APART = 0.3
"""Requests by which the last replica to fill up is late, for each of the others. Both constants are read off exact
simulations of 2 to 16 replicas of 1 to 64 places (docs/theory/capacity.md)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Service:
    """What one replica does at a few levels of concurrency: rows x levels, straight between them."""

    concurrency: Floats
    """Requests in the replica, rising from 1; the last level is the cap B."""
    held_s: Floats
    """How long a request holds its place among so many."""
    ttft_s: Floats
    """From its place to its first token."""
    tpot_s: Floats

    @property
    def cap(self) -> Floats:
        """Of each row: the most requests that a replica takes."""
        most: Floats = self.concurrency[:, -1]
        return most

    @property
    def full_rate_per_s(self) -> Floats:
        """Of each row: the requests that a full replica answers, mu(B)."""
        rate: Floats = self.cap / self.held_s[:, -1]
        return rate

    def at(self, column: Floats, requests: Floats) -> Floats:
        """A column (one of the above) with so many requests in the replica, rows x points."""
        found = np.empty(requests.shape)
        for row in range(len(requests)):
            found[row] = np.interp(requests[row], self.concurrency[row], column[row])
        return found

    def leaving_per_s(self, requests: Floats, uneven: Floats) -> Floats:
        """Mu of a replica that holds so many on average, rows x points.

        Between whole numbers it is straight, as of replicas that hold one more or one less; a share ``uneven`` of them
        stands one further up or down.
        """
        whole = np.floor(requests)
        rates = [np.maximum(whole + n, 0) / self.at(self.held_s, whole + n) for n in (-1, 0, 1, 2)]
        steps = [np.minimum(rate, self.full_rate_per_s[:, None]) for rate in rates]
        between = requests - whole
        low, mid, high = (steps[n] + between * (steps[n + 1] - steps[n]) for n in range(3))
        apart = uneven * np.minimum(requests, 1.0)
        found: Floats = mid + apart / 2 * (np.where(requests >= 1, low, 0.0) - 2 * mid + high)
        return found


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
    load, z = arrivals_per_s / (replicas * service.full_rate_per_s), peakedness(burstiness)
    factors, hours = rates(burstiness)
    chains = _chains(service, load, factors, replicas, z)
    shares = hours * factors  # of the requests
    waits = np.stack([chain.waits() for chain in chains], axis=1)
    leaving = np.stack([chain.leaving_per_s for chain in chains], axis=1)
    late = _late_s(waits * shares, leaving, 1 - quantile)
    seen = np.concatenate([chain.seen * share for chain, share in zip(chains, shares, strict=True)], axis=1)
    joined, shared = (np.concatenate([getattr(c, name)() for c in chains], axis=1) for name in ("joined", "shared"))
    first, pace = service.at(service.ttft_s, joined), service.at(service.tpot_s, shared)
    stable = load < 1
    with np.errstate(divide="ignore"):
        mean_wait = np.where((leaving > 0).all(axis=1), (waits * shares / leaving).sum(axis=1), np.inf)
    return Queue(
        stable=stable,
        least_replicas=np.floor(load * replicas * (1 - TINY)).astype(np.int64) + 1,
        utilisation=load,
        mean_in_flight=np.stack([chain.in_service() for chain in chains], axis=1) @ hours,
        wait_probability=np.where(stable, (waits * shares).sum(axis=1), 1.0),
        wait_s=np.where(stable, mean_wait, np.inf),
        wait_at_quantile_s=np.where(stable, late, np.inf),
        ttft_s=np.where(stable, _at_quantile(first, seen, quantile) + late, np.inf),
        tpot_s=_at_quantile(pace, seen, quantile),
        mean_tpot_s=(pace * seen).sum(axis=1),
    )


def _late_s(waits: Floats, leaving_per_s: Floats, late: float) -> Floats:
    """The wait that a share ``late`` exceeds: waits (rows x rates) each fall off as exp(-leaving t)."""
    with np.errstate(divide="ignore"):
        slowest = np.where(leaving_per_s > 0, leaving_per_s, np.inf).min(axis=1)
        low, high = np.zeros(len(waits)), np.log(np.maximum(waits.sum(axis=1) / (late * TINY), 1.0)) / slowest
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        more = (waits * np.exp(-leaving_per_s * middle[:, None])).sum(axis=1) > late
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    endless = (waits * (leaving_per_s <= 0)).sum(axis=1) > late
    return np.where(endless, np.inf, np.where(waits.sum(axis=1) <= late, 0.0, high))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Chain:
    """The number of requests in each fleet: rows x states, and the queue above them in one sum."""

    state: Floats
    """Requests in the fleet; up to the first state from which on all replicas are full."""
    seen: Floats
    """How often it is so. The last one holds all states above it as well."""
    above: Floats
    """How often it is above the last state."""
    step: Floats
    """z: requests that come and go together."""
    replicas: Floats
    most: Floats
    """Requests that the fleet has places for."""
    load: Floats
    """Arrivals over what the fleet answers when it is full, just below 1 at most."""
    apart: Floats
    """By how many requests the last replica is full later than the others."""
    leaving_per_s: Floats
    """At which rate waits end: they are as long as a geometric number of answers of a full replica. 0 without end."""

    def waits(self) -> Floats:
        """The chance to wait: of z requests that come together, those beyond the places wait.

        Replicas do not stand quite level, so that an arrival may yet find the last free place.
        """
        step, places = self.step[:, None], self.most[:, None]
        beyond = np.clip((self.state + step - places) / step, 0.0, 1.0)
        found: Floats = (self.seen * beyond).sum(axis=1) + self.above * (1 - beyond[:, -1])
        return found * self.load ** (self.apart / self.step)

    def in_service(self) -> Floats:
        """Requests in service, on average."""
        found: Floats = (self.seen * np.minimum(self.state, self.most[:, None])).sum(axis=1)
        return found + self.above * np.maximum(self.most - self.state[:, -1], 0.0)

    def joined(self) -> Floats:
        """Requests in the replica that an arrival joins, itself included: it joins the emptiest."""
        n = self.replicas[:, None]
        came = np.floor((self.state + (self.step[:, None] - 1) / 2) / n + TINY) + 1
        found: Floats = np.minimum(came, (self.most / self.replicas)[:, None])
        return found

    def shared(self) -> Floats:
        """Requests in the replica of a request, itself included, on average over the requests of the fleet."""
        n = self.replicas[:, None]
        there = np.minimum(self.state + (self.step[:, None] + 1) / 2, self.most[:, None])
        low = np.floor(there / n + TINY)
        fuller = there - low * n
        found: Floats = (fuller * (low + 1) ** 2 + (n - fuller) * low**2) / there
        return found


def _chains(service: Service, load: Floats, factors: Floats, replicas: Floats, z: float) -> list[_Chain]:
    """The stationary distribution at several rates: each state's weight over the one before is arrivals/departures."""
    most, full = replicas * service.cap, service.full_rate_per_s
    step = np.full(len(most), z)
    wide = np.maximum(most / step / NODES, 1.0)  # steps from one state that is looked at to the next
    count = np.floor(most / step / wide + TINY).astype(np.int64)
    place = np.arange(int(count.max(initial=0)) + 1)
    state = np.minimum(place, count[:, None]) * (wide * step)[:, None]
    between = np.maximum(state - ((wide - 1) / 2 * step)[:, None], TINY)
    uneven = UNEVEN * (1 - 1 / replicas[:, None])
    leaving = np.log(service.leaving_per_s(between / replicas[:, None], uneven) / full[:, None])
    inside, rises = place <= count[:, None], (place > 0) & (place <= count[:, None])
    rows, chains = np.arange(len(most)), []
    for factor in factors:
        rho = np.clip(load * factor, TINY, 1 - TINY)
        weight = np.cumsum(np.where(rises, (np.log(rho)[:, None] - leaving) * wide[:, None], 0.0), axis=1)
        weight = np.where(inside, weight, -np.inf)
        weight = np.exp(weight - weight.max(axis=1, keepdims=True)) * wide[:, None]
        queued = weight[rows, count] / wide * rho / (1 - rho)
        total = weight.sum(axis=1) + queued
        weight[rows, count] += queued
        chains.append(
            _Chain(
                state=state,
                seen=weight / total[:, None],
                above=queued / total,
                step=step,
                replicas=replicas,
                most=most,
                load=rho,
                apart=APART * (1 - 0.5 / service.cap) * (replicas - 1),
                leaving_per_s=np.where(load * factor < 1, full * (1 - rho ** (replicas / step)), 0.0),
            )
        )
    return chains


def _at_quantile(value: Floats, seen: Floats, quantile: float) -> Floats:
    """The value that a share ``quantile`` of each row stays at or below."""
    order = np.argsort(value, axis=1, kind="stable")
    reached = np.cumsum(np.take_along_axis(seen, order, axis=1), axis=1) >= quantile - TINY
    place = np.take_along_axis(order, np.argmax(reached, axis=1)[:, None], axis=1)
    found: Floats = np.take_along_axis(value, place, axis=1)[:, 0]
    return found
