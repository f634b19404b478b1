"""Steady serving of every living row of the plan's grid: TTFT, TPOT and response time as functions of the concurrency.

The equations are those of ``serving.py``; an encoder answers a batch of B requests in one pass T(B): a request waits
half a pass and takes one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from breakeven.options.columns import Floats, Ints, Mask
from breakeven.options.hosted import HostedGrid
from breakeven.options.ruling import Ruling
from breakeven.performance.band import evidence, half_widths, pass_widths
from breakeven.performance.calibration import Parameters, typical_parameters
from breakeven.performance.footprint import Footprint, footprint
from breakeven.performance.grid import kinds_of
from breakeven.performance.kinds import Kinds
from breakeven.performance.replica import replicas
from breakeven.performance.roofline import Prompt, Replica, prefill, prompt_of
from breakeven.performance.serving import Latency, concurrency_at, steady
from breakeven.wording import worded
from breakeven.workload.policy import Stated
from breakeven.workload.profile import Slo, Workload

WAIT_FOR_BATCH = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Speed:
    """What one replica does, for the rows that can serve at all."""

    rows: Ints
    """Row of the grid for each entry."""
    kinds: Kinds
    replica: Replica
    memory: Footprint
    """Of the whole grid: index it by ``rows``."""
    workload: Workload
    parameters: Parameters
    stated: Stated | None
    prompt: Prompt
    """The prefill of the mean request's uncached input."""
    long_prefill_s: Floats
    """Of the input at the latency quantile."""
    admitted: Floats
    """Requests in flight that memory and the engine admit."""
    largest_concurrency: Floats
    """Requests in flight per replica at which memory, the engine and the latency target still hold."""
    evidence: Ints
    """Of each entry: what was measured, as a place in ``band.EVIDENCE``."""
    widths: Mapping[str, Floats]
    """Half the 80 % band of each target, in the logarithm; NaN where it is not known."""

    @property
    def prefill_s(self) -> Floats:
        """Prefill of the mean request's uncached input in a pass of its own."""
        return self.prompt.pass_s

    @property
    def half_width(self) -> Floats:
        """Half the 80 % band of the output."""
        return self.widths["output_tokens_per_s"]

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
        output = self.workload.mix.mean.output
        return steady(self.replica, in_flight, output, self.prompt, self.parameters, self.long_prefill_s)

    def _encode(self, in_flight: Floats) -> Latency:
        batch = prefill(self.replica, self.workload.mix.mean.input, self.parameters, in_flight).total_s
        answer = self.replica.request_s + (1 + WAIT_FOR_BATCH) * batch
        longer = np.maximum(self.long_prefill_s - self.prefill_s, 0.0)
        return Latency(
            ttft_s=answer + longer,
            tpot_s=np.zeros_like(answer),
            response_s=answer + longer,
            held_s=batch,
            prefill_load=np.zeros_like(answer),
        )

    def concurrency_at(self, requests_per_s: Floats) -> Floats:
        """Requests in flight per replica at an arrival rate; beyond what it can carry, its largest concurrency."""
        return concurrency_at(requests_per_s, self.largest_concurrency, lambda n: self.latency(n).held_s)


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
    kinds = kinds_of(grid, rows)
    replica = replicas(kinds, parameters, workload.mix.decode_context_tokens)
    speed = Speed(
        rows=rows,
        kinds=kinds,
        replica=replica,
        memory=memory,
        workload=workload,
        parameters=parameters,
        stated=stated,
        prompt=_mean_prompt(replica, workload, parameters),
        long_prefill_s=prefill(replica, _long_input(workload), parameters).total_s,
        admitted=_admitted(memory.largest_concurrency[rows], stated),
        largest_concurrency=_admitted(memory.largest_concurrency[rows], stated),
        **_trust(kinds, workload, parameters, stated),
    )
    return _within_target(speed, grid, workload.slo, ruling)


def _trust(kinds: Kinds, workload: Workload, parameters: Parameters, stated: Stated | None) -> dict[str, Any]:
    """Evidence and band of every entry; a stated speed has no band."""
    place = evidence(kinds, parameters)
    widths = half_widths(kinds, parameters, place) if workload.task == "generate" else pass_widths(kinds, parameters)
    if stated is not None:
        widths = {target: np.full(len(place), np.nan) for target in widths}
    return {"evidence": place, "widths": widths}


def _admitted(concurrency: Floats, stated: Stated | None) -> Floats:
    return concurrency if stated is None else np.full_like(concurrency, float(stated.concurrency))


def _mean_prompt(replica: Replica, workload: Workload, parameters: Parameters) -> Prompt:
    """E[prefill] over the mix. Input that the cache holds is not computed again."""
    total = np.zeros((3, len(replica.layers)))
    for share, shape in zip(workload.mix.shares, workload.mix.shapes, strict=True):
        fresh = max(shape.usage.input - shape.usage.cached_input, 1.0)
        each = prompt_of(replica, fresh, parameters)
        total += share * np.stack([each.pass_s, each.compute_s, each.wire_s])
    return Prompt(pass_s=total[0], compute_s=total[1], wire_s=total[2])


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
            worded("{name} target missed even by a single request", name=name),
            lambda i, name=name, found=found, target=target: (  # type: ignore[misc]
                worded(
                    "{option}: {name} {found:.2g} s against {target:g} s",
                    option=grid.words(int(speed.rows[i])),
                    name=name,
                    found=found[i],
                    target=target,
                )
            ),
            weight,
        )
    within = _largest_within(speed, slo)
    kept = np.flatnonzero(alive)
    return take(speed, kept, within[kept])


def _largest_within(speed: Speed, slo: Slo) -> Floats:
    """The largest whole concurrency that keeps the target and leaves prefill its limit, by bisection."""
    found = speed.largest_concurrency.copy()
    if speed.stated is not None:
        return found
    late = np.flatnonzero(~_keeps(speed, found, slo))
    low, high = np.ones(len(late)), found[late]
    part = take(speed, late, high)
    while np.any(high - low > 1):
        middle = np.floor((low + high) / 2)
        good = _keeps(part, middle, slo)
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    found[late] = low
    return found


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
    return replace(
        speed,
        rows=speed.rows[kept],
        kinds=speed.kinds.take(kept),
        replica=speed.replica.take(kept),
        prompt=speed.prompt.take(kept),
        long_prefill_s=speed.long_prefill_s[kept],
        admitted=speed.admitted[kept],
        evidence=speed.evidence[kept],
        widths={target: width[kept] for target, width in speed.widths.items()},
        largest_concurrency=concurrency,
    )


def slowed(speed: Speed, logs: Floats) -> Speed:
    """The same entries with every pass slower by a factor e^logs (faster below 0), and as many requests at a time."""
    factor = np.exp(logs)
    return replace(
        speed,
        replica=replace(speed.replica, pace=speed.replica.pace * factor),
        prompt=replace(speed.prompt, pass_s=speed.prompt.pass_s * factor),
        long_prefill_s=speed.long_prefill_s * factor,
    )


def paced(speed: Speed, logs: Floats) -> Speed:
    """The same entries slowed, and filled up to the target again."""
    moved = replace(slowed(speed, logs), largest_concurrency=speed.admitted)
    return replace(moved, largest_concurrency=_largest_within(moved, speed.workload.slo))
