"""Steady serving of one replica: TTFT, TPOT and response time as functions of the concurrency.

With B requests in flight, each producing o tokens after a prefill of t_p seconds, the B - 1 others get in the way:

    tpot = step(B) + theta (B-1)/o t_p            prefill takes time from decode (chunked prefill)
    rest = t_request + tpot/2 + (o - 1) tpot      what is not prefill
    W    = t_p (1 + phi (B-1) W/(W + rest))       prefill and the wait for it: each of the others is in it for a
                                                  share W/(W + rest) of its time (mean-value analysis)
    ttft = t_request + tpot/2 + W
    response = rest + W, and never less than B t_p: prefill has no more time than there is

An encoder answers a batch of B requests in one pass T(B): a request waits half a pass and takes one.
"""

from dataclasses import dataclass

import numpy as np

from breakeven.options.columns import Floats, Ints, Mask
from breakeven.options.hosted import HostedGrid
from breakeven.options.ruling import Ruling
from breakeven.performance.calibration import Parameters, typical_parameters
from breakeven.performance.footprint import Footprint, footprint
from breakeven.performance.replica import replicas
from breakeven.performance.roofline import Replica, decode_step, prefill
from breakeven.workload.policy import Stated
from breakeven.workload.profile import Slo, Workload

WAIT_FOR_BATCH = 0.5
TINY = 1e-12
FALSE_POSITIONS = 8
"""Steps to the concurrency of an arrival rate: the response time is then right to a few thousandths."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Latency:
    """Seconds, one value a row."""

    ttft_s: Floats
    tpot_s: Floats
    response_s: Floats
    """What a caller waits for the whole answer."""
    held_s: Floats
    """How long a request holds its place in the replica."""
    prefill_load: Floats
    """Share of the replica's time that prefill takes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Speed:
    """What one replica does, for the rows that can serve at all."""

    rows: Ints
    """Row of the grid for each entry."""
    replica: Replica
    memory: Footprint
    """Of the whole grid: index it by ``rows``."""
    workload: Workload
    parameters: Parameters
    stated: Stated | None
    prefill_s: Floats
    """Of the mean request's uncached input."""
    long_prefill_s: Floats
    """Of the input at the latency quantile."""
    admitted: Floats
    """Requests in flight that memory and the engine admit."""
    largest_concurrency: Floats
    """Requests in flight per replica at which memory, the engine and the latency target still hold."""

    @property
    def engine_limit(self) -> float:
        """Requests in flight that the engine admits, memory apart."""
        p = self.parameters
        return p.batch_limit if self.workload.task == "generate" else p.encoder_batch_limit

    def latency(self, concurrency: Floats) -> Latency:
        """TTFT, TPOT and response time with ``concurrency`` requests in flight (at least 1)."""
        in_flight = np.maximum(concurrency, 1.0)
        if self.stated is not None:
            response, nothing = np.full_like(in_flight, self.stated.response_s), np.zeros_like(in_flight)
            return Latency(ttft_s=response, tpot_s=nothing, response_s=response, held_s=response, prefill_load=nothing)
        return self._encode(in_flight) if self.workload.task == "encode" else self._generate(in_flight)

    def _generate(self, in_flight: Floats) -> Latency:
        p, output = self.parameters, self.workload.mix.mean.output
        others = in_flight - 1
        step = decode_step(self.replica, in_flight, p).total_s
        tpot = step + p.prefill_interference * others / output * self.prefill_s
        rest = p.request_s + tpot / 2 + max(output - 1, 0.0) * tpot
        turn = self._turn_s(others, rest)
        return Latency(
            ttft_s=p.request_s + tpot / 2 + turn - self.prefill_s + self.long_prefill_s,
            tpot_s=tpot,
            response_s=rest + turn,
            held_s=rest + turn,
            prefill_load=in_flight * self.prefill_s / (rest + turn),
        )

    def _turn_s(self, others: Floats, rest_s: Floats) -> Floats:
        """W: the positive root of W^2 + W (rest - t_p (1 + phi others)) - t_p rest = 0."""
        half = (self.prefill_s * (1 + self.parameters.prefill_queueing * others) - rest_s) / 2
        turn: Floats = half + np.sqrt(half**2 + self.prefill_s * rest_s)
        return np.maximum(turn, self.prefill_s * (1 + others) - rest_s)

    def _encode(self, in_flight: Floats) -> Latency:
        batch = prefill(self.replica, self.workload.mix.mean.input, self.parameters, in_flight).total_s
        answer = self.parameters.request_s + (1 + WAIT_FOR_BATCH) * batch
        longer = np.maximum(self.long_prefill_s - self.prefill_s, 0.0)
        return Latency(
            ttft_s=answer + longer,
            tpot_s=np.zeros_like(answer),
            response_s=answer + longer,
            held_s=batch,
            prefill_load=np.zeros_like(answer),
        )

    def concurrency_at(self, requests_per_s: Floats) -> Floats:
        """Requests in flight per replica at an arrival rate: the root of rate x held(B) - B, by false position.

        Illinois variant: an end that stays twice has its value halved. Rates beyond what the replica can carry give
        its largest concurrency.
        """

        def excess(in_flight: Floats) -> Floats:
            return requests_per_s * self.latency(in_flight).held_s - in_flight

        low, high = np.zeros_like(self.largest_concurrency), self.largest_concurrency
        above, below = np.maximum(excess(low), TINY), np.minimum(excess(high), 0.0)
        moved, root = np.zeros(len(low)), high
        for _ in range(FALSE_POSITIONS):
            root = (low * below - high * above) / (below - above)
            value = excess(root)
            up = value > 0
            above, below = np.where(~up & (moved < 0), above / 2, above), np.where(up & (moved > 0), below / 2, below)
            low, above = np.where(up, root, low), np.where(up, value, above)
            high, below = np.where(up, high, root), np.where(up, below, value)
            moved = np.where(up, 1.0, -1.0)
        return np.minimum(root, self.largest_concurrency)


def predict(
    grid: HostedGrid,
    workload: Workload,
    ruling: Ruling,
    stated: Stated | None = None,
    parameters: Parameters | None = None,
) -> Speed:
    """The speed of every living row of the grid; what misses the latency target alone is ruled out.

    ``stated`` replaces the equations by the user's own response time.
    """
    parameters = parameters or typical_parameters()
    memory, alive = footprint(grid, workload, parameters, ruling, stated)
    rows = np.flatnonzero(alive)
    replica = replicas(grid, memory, workload, parameters).take(rows)
    speed = Speed(
        rows=rows,
        replica=replica,
        memory=memory,
        workload=workload,
        parameters=parameters,
        stated=stated,
        prefill_s=_mean_prefill_s(replica, workload, parameters),
        long_prefill_s=prefill(replica, _long_input(workload), parameters).total_s,
        admitted=_admitted(memory.largest_concurrency[rows], stated),
        largest_concurrency=_admitted(memory.largest_concurrency[rows], stated),
    )
    return _within_target(speed, grid, workload.slo, ruling)


def _admitted(concurrency: Floats, stated: Stated | None) -> Floats:
    return concurrency if stated is None else np.full_like(concurrency, float(stated.concurrency))


def _mean_prefill_s(replica: Replica, workload: Workload, parameters: Parameters) -> Floats:
    """E[prefill] over the mix. Input that the cache holds is not computed again."""
    total = np.zeros_like(replica.layers)
    for share, shape in zip(workload.mix.shares, workload.mix.shapes, strict=True):
        fresh = max(shape.usage.input - shape.usage.cached_input, 1.0)
        total = total + share * prefill(replica, fresh, parameters).total_s
    return total


def _long_input(workload: Workload) -> float:
    """Uncached input tokens at the latency quantile of the mix."""
    inputs = sorted((s.usage.input - s.usage.cached_input, s.share) for s in workload.mix.shapes)
    reached = 0.0
    for tokens, share in inputs:
        reached += share
        if reached >= workload.slo.quantile - 1e-9:
            return max(tokens, 1.0)
    return max(inputs[-1][0], 1.0)


def _within_target(speed: Speed, grid: HostedGrid, slo: Slo, ruling: Ruling) -> Speed:
    """Lower the concurrency to the latency target; rule out what misses it with a single request."""
    alone = speed.latency(np.ones_like(speed.largest_concurrency))
    alive = np.ones(len(speed.rows), dtype=np.bool_)
    weight = grid.weight[speed.rows]
    for name, target, found in (("TTFT", slo.ttft_s, alone.ttft_s), ("TPOT", slo.tpot_s, alone.tpot_s)):
        if target is None:
            continue
        alive = ruling.exclude(
            alive,
            found > target,
            f"{name} target missed even by a single request",
            lambda i, name=name, found=found, target=target: (  # type: ignore[misc]
                f"{grid.words(int(speed.rows[i]))}: {name} {found[i]:.2g} s against {target:g} s"
            ),
            weight,
        )
    within = _largest_within(speed, slo)
    kept = np.flatnonzero(alive)
    return take(speed, kept, within[kept])


def _largest_within(speed: Speed, slo: Slo) -> Floats:
    """The largest whole concurrency that keeps the target and leaves prefill its limit, by bisection."""
    low, high = np.ones_like(speed.largest_concurrency), speed.largest_concurrency.copy()
    if speed.stated is not None:
        return high
    keeps = _keeps(speed, high, slo)
    low = np.where(keeps, high, low)
    while np.any(high - low > 1):
        middle = np.floor((low + high) / 2)
        good = _keeps(speed, middle, slo)
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    return low


def _keeps(speed: Speed, concurrency: Floats, slo: Slo) -> Mask:
    found = speed.latency(concurrency)
    good: Mask = found.prefill_load <= speed.parameters.largest_prefill_load
    if slo.ttft_s is not None:
        good = good & (found.ttft_s <= slo.ttft_s)
    if slo.tpot_s is not None:
        good = good & (found.tpot_s <= slo.tpot_s)
    return good


def take(speed: Speed, kept: Ints, concurrency: Floats) -> Speed:
    """The entries ``kept`` of a speed, in that order, with their largest concurrency."""
    return Speed(
        rows=speed.rows[kept],
        replica=speed.replica.take(kept),
        memory=speed.memory,
        workload=speed.workload,
        parameters=speed.parameters,
        stated=speed.stated,
        prefill_s=speed.prefill_s[kept],
        long_prefill_s=speed.long_prefill_s[kept],
        admitted=speed.admitted[kept],
        largest_concurrency=concurrency,
    )
