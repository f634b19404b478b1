"""One vectorised call for a whole table of runs: tokens per second, time to first token, time per output token."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from breakeven.options.columns import Floats, Ints
from breakeven.performance.calibration import Parameters, typical_parameters
from breakeven.performance.kinds import DRAWN, DRAWN_MEAN, Kinds
from breakeven.performance.measured import MODES, Runs
from breakeven.performance.overhead import published_gib, usable_gib
from breakeven.performance.replica import replicas
from breakeven.performance.roofline import Replica
from breakeven.performance.serving import Served, arriving, batch, bulk, closed, entering_of, limited
from breakeven.units import BYTES_PER_GIB

ROWS_PER_BLOCK = 4096
"""Rows worked on at a time: their columns stay in a processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """What depends on the kind alone, worked out once for many runs."""

    replica: Replica
    room_bytes: Floats
    """Memory for KV cache, divided by the share of it that a request takes up."""
    batch_limit: Floats
    counted: Floats
    """Tokens that a benchmark counts for each one put out."""
    limits: tuple[Floats, Floats]
    """Of TTFT and TPOT in seconds, where a benchmark's rules hold some; else infinite."""


def prepared(
    kinds: Kinds, parameters: Parameters, replica: Replica | None = None, overhead: Floats | float | None = None
) -> Prepared:
    """The kinds of a table, ready for its runs.

    ``overhead``: the engine keeps e^overhead of the memory that it is expected to; ``None``: as in published runs.
    """
    p = parameters
    replica = replica or replicas(kinds, p, 0.0)
    total, experts = kinds.weight_bytes()
    usable = published_gib(kinds, p) if overhead is None else usable_gib(kinds, p, overhead)
    stages = kinds.tensor_parallel * kinds.pipeline_parallel
    weights = (total - experts) / stages + experts / (stages * kinds.data_parallel)
    free = np.maximum(usable * BYTES_PER_GIB - weights, 0.0)
    return Prepared(
        replica=replica,
        room_bytes=free * replica.kv_shards * kinds.data_parallel * kinds.pipeline_parallel,
        batch_limit=_admitted(kinds, replica, p),
        counted=kinds.by_stack(lambda s: 1 / DRAWN_MEAN if s.lengths == DRAWN else 1.0),
        limits=(_limit(kinds, p, "ttft_s"), _limit(kinds, p, "tpot_s")),
    )


def _limit(kinds: Kinds, p: Parameters, what: str) -> Floats:
    """The limit that a benchmark of each row's model and mode holds, in seconds."""
    told = [[getattr(p.limits.get((m.name, s.mode)), what, np.inf) for s in kinds.stacks] for m in kinds.models]
    shaped = np.array(told, dtype=np.float64).reshape(len(kinds.models), len(kinds.stacks))
    return shaped[kinds.model, kinds.stack]


def _admitted(kinds: Kinds, replica: Replica, p: Parameters) -> Floats:
    """Requests that the engine lets in, memory apart."""
    told = kinds.by_stack(lambda s: p.bulk_batch_limit.get(s.name, p.batch_limit)) * kinds.data_parallel
    return np.where(replica.compiled_batch > 0, np.minimum(told, replica.compiled_batch), told)


def predict_runs(runs: Runs, parameters: Parameters | None = None, ready: Prepared | None = None) -> Served:
    """Predictions for every run, in order; NaN where model or device is not known."""
    p = parameters or typical_parameters()
    ready = ready or prepared(runs.kinds, p)
    found = Served(**{field.name: np.full(len(runs.kind), np.nan) for field in fields(Served)})
    for mode in range(len(MODES)):
        rows = np.flatnonzero((runs.mode == mode) & runs.covered)
        for start in range(0, len(rows), ROWS_PER_BLOCK):
            block = rows[start : start + ROWS_PER_BLOCK]
            part = _served(MODES[mode], runs.take(block) if len(block) < len(runs.kind) else runs, ready, p)
            for field in fields(Served):
                getattr(found, field.name)[block] = getattr(part, field.name)
    return found


def _served(mode: str, runs: Runs, ready: Prepared, p: Parameters) -> Served:
    replica, most = rows_of(runs, ready)
    size = (runs.input_tokens, runs.output_tokens)
    places = (most, entering_of(replica, most, ready.batch_limit[runs.kind], *size))
    if mode == "closed":
        crowd = (runs.concurrency / runs.replicas, runs.held_back_steps)
        part = closed(replica, crowd, places, *size, p)
    elif mode == "static":
        part = batch(replica, runs.concurrency / runs.replicas, most, *size, p)
    elif mode == "offline":
        told = np.where(np.isnan(runs.requests), runs.concurrency, runs.requests)
        part = bulk(replica, np.where(np.isnan(told), np.inf, told / runs.replicas), most, *size, p)
        limits = (ready.limits[0][runs.kind], ready.limits[1][runs.kind])
        part = limited(part, replica, most, limits, size, p)
        part = replace(part, ttft_s=np.where(np.isnan(told), np.nan, part.ttft_s))  # of how many, nobody knows
    else:
        requests = np.where(np.isnan(runs.requests), 0.0, runs.requests)
        load = (runs.request_rate_per_s / runs.replicas, requests / runs.replicas)
        part = arriving(replica, load, places, *size, p)
    counted = part.output_tokens_per_s * runs.replicas * ready.counted[runs.kind]
    return Served(output_tokens_per_s=counted, ttft_s=part.ttft_s, tpot_s=part.tpot_s)


def rows_of(runs: Runs, ready: Prepared) -> tuple[Replica, Floats]:
    """The replica columns of some runs at their own context, and how many requests are let in, at least one."""
    replica, each = request_of(runs, ready)
    return replica, np.clip(ready.room_bytes[runs.kind] / each, 1.0, ready.batch_limit[runs.kind])


def request_of(runs: Runs, ready: Prepared) -> tuple[Replica, Floats]:
    """The replica columns of some runs at their own context, and the bytes of KV cache that one request holds."""
    replica = with_context(ready.replica, runs.kind, runs.input_tokens + runs.output_tokens / 2)
    held = runs.input_tokens + replica.reserved * runs.output_tokens  # a plan keeps room for the whole
    each = (replica.kv_bytes_per_token + replica.selected_kv_bytes_per_token) * held
    each = each + replica.windowed_kv_bytes_per_token * np.minimum(held, replica.window_tokens)
    return replica, np.maximum(each, 1.0)


def with_context(replica: Replica, rows: Ints, context_tokens: Floats) -> Replica:
    """Some rows of a replica, each at a context of its own."""
    columns: dict[str, Any] = {f.name: getattr(replica, f.name) for f in fields(Replica) if f.name != "context_tokens"}
    return Replica(**{name: column[rows] for name, column in columns.items()}, context_tokens=context_tokens)
