"""What a replica holds in memory: weights, KV cache, and how many requests fit."""

from dataclasses import dataclass

import numpy as np

from breakeven.options.columns import Floats, Ints, Mask
from breakeven.options.hosted import HostedGrid
from breakeven.options.ruling import Ruling
from breakeven.performance.attention import kv_bytes
from breakeven.performance.calibration import Parameters
from breakeven.performance.grid import kinds_of, precision_of
from breakeven.performance.kinds import weight_bytes
from breakeven.performance.overhead import band, usable_gib
from breakeven.units import BYTES_PER_GB, BYTES_PER_GIB
from breakeven.wording import worded
from breakeven.workload.policy import Stated
from breakeven.workload.profile import Workload


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Footprint:
    """Memory of each grid row; bytes are for the whole replica."""

    weights_bytes: Floats
    expert_bytes: Floats
    """Part of ``weights_bytes`` that belongs to routed experts."""
    kv_bytes_per_request: Floats
    """At the mean length that a request in decode will need."""
    kv_shards: Ints
    """Over how many devices the KV cache of a request is spread."""
    room_bytes: Floats
    """For the KV cache of all requests of a replica, each counted once."""
    largest_concurrency: Floats
    """Requests in flight that memory and the engine admit; below 1 the model does not fit."""


def footprint(
    grid: HostedGrid, workload: Workload, parameters: Parameters, ruling: Ruling, stated: Stated | None = None
) -> tuple[Footprint, Mask]:
    """Memory of every row, and the rows that are still alive once those that do not fit are ruled out.

    With a ``stated`` response time the user says that requests fit; only the weights are checked, beside an engine that
    keeps little.
    """
    mix = workload.mix
    by_pair = weight_bytes(grid.models, [precision_of(f) for f in grid.formats])
    weights, experts = (column[grid.model, grid.number_format] for column in by_pair)
    degree = np.array([row.tensor_parallel for row in grid.fleet.hardware], dtype=np.int64)[grid.hardware]
    heads = np.array([1 if m.latent_kv else max(m.kv_heads, 1) for m in grid.models], dtype=np.int64)
    shards = np.minimum(degree, heads[grid.model])
    resident, longest = (
        np.array([kv_bytes(m, tokens) for m in grid.models])[grid.model]
        for tokens in (mix.resident_tokens, mix.longest_tokens)
    )
    kinds = kinds_of(grid, np.arange(len(grid.model)))
    usable = BYTES_PER_GIB * usable_gib(kinds, parameters)
    frugal = BYTES_PER_GIB * usable_gib(kinds, parameters, band(kinds, parameters)[0])
    alive = _with_weights(grid, weights, (usable if stated is None else frugal) * degree, ruling)
    room = (usable - weights / degree) * shards
    if stated is None:
        alive = _with_longest(grid, alive, longest, room, ruling)
    with np.errstate(divide="ignore", invalid="ignore"):
        fitting = np.where(resident > 0, room / resident, np.inf)
    limit = parameters.batch_limit if workload.task == "generate" else parameters.encoder_batch_limit
    return Footprint(
        weights_bytes=weights,
        expert_bytes=experts,
        kv_bytes_per_request=resident,
        kv_shards=shards,
        room_bytes=np.maximum(room, 0.0),
        largest_concurrency=np.clip(np.floor(fitting), 1, limit),
    ), alive


def _with_weights(grid: HostedGrid, weights: Floats, usable: Floats, ruling: Ruling) -> Mask:
    return ruling.exclude(
        grid.alive,
        weights > usable,
        "weights do not fit",
        lambda row: worded(
            "{option}: weights {weights:.1f} GB do not fit the {usable:.1f} GB usable",
            option=grid.words(row),
            weights=weights[row] / BYTES_PER_GB,
            usable=usable[row] / BYTES_PER_GB,
        ),
        grid.weight,
    )


def _with_longest(grid: HostedGrid, alive: Mask, longest: Floats, room: Floats, ruling: Ruling) -> Mask:
    """The longest kind of request must find room, not only the mean one."""
    return ruling.exclude(
        alive,
        longest > room,
        "no memory left for the KV cache of the longest request",
        lambda row: worded(
            "{option}: {longest:.1f} GB needed, {room:.1f} GB free",
            option=grid.words(row),
            longest=longest[row] / BYTES_PER_GB,
            room=room[row] / BYTES_PER_GB,
        ),
        grid.weight,
    )
