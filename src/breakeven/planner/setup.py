"""What setting up a self-hosted option needs to know beside its bill: weights, lengths, memory, and when to scale."""

from collections.abc import Sequence

import msgspec
import numpy as np

from breakeven.capacity.sizing import Sizing
from breakeven.catalogue.schema import ModelSpec, Repository
from breakeven.decision.curves import take_one
from breakeven.options.hosted import HostedGrid
from breakeven.performance.attention import kv_bytes
from breakeven.performance.predict import Speed


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """Of one replica, unless it says otherwise. ``None`` = not known."""

    weights: str | None
    """Repository on the Hugging Face hub, ``owner/name``."""
    native_format: str
    """The number format in which the weights are published."""
    weights_bytes: float
    generation: str
    """Of the accelerator's hardware."""
    longest_request_tokens: int
    """Input and output tokens of the longest kind of request."""
    model_context_tokens: int | None
    """The longest context that the model takes."""
    kv_cache_tokens: int | None
    """The longest context for which memory has room beside the weights."""
    memory_share: float
    """Of each device's memory, for weights, KV cache and what the engine keeps: the rest is left free."""
    in_flight: float
    """Requests in flight on each replica, on average, up to which the smallest fleet of the plan keeps its promise:
    with more, the plan adds a replica."""


def setup_of(
    grid: HostedGrid, sizing: Sizing, at: int, least_replicas: int, repositories: Sequence[Repository]
) -> Setup:
    """The setup of row ``at`` of the sizing, with ``least_replicas`` in its quietest hour."""
    speed = sizing.speed
    row = int(speed.rows[at])
    model, hardware = grid.models[grid.model[row]], grid.fleet.hardware[grid.hardware[row]]
    longest = speed.workload.mix.longest_tokens
    return Setup(
        weights=next((found.repository for found in repositories if found.model == model.name), None),
        native_format=model.native_format,
        weights_bytes=float(speed.memory.weights_bytes[row]),
        generation=hardware.generation,
        longest_request_tokens=int(np.ceil(longest)),
        model_context_tokens=model.max_context,
        kv_cache_tokens=_kv_tokens(model, float(speed.memory.room_bytes[row])),
        memory_share=speed.parameters.usable_memory_share,
        in_flight=_in_flight(speed, at, sizing.most_used_of(at, least_replicas)),
    )


def _kv_tokens(model: ModelSpec, room_bytes: float) -> int | None:
    """How long one context could be that has all the room; ``None`` where a context takes none."""
    windowed = kv_bytes(model, model.window_tokens) if model.window_tokens else 0.0
    each = kv_bytes(model, 2.0 + model.window_tokens) - kv_bytes(model, 1.0 + model.window_tokens)
    if each <= 0:
        return None
    return int(model.window_tokens + max(room_bytes - windowed, 0.0) / each)


def _in_flight(speed: Speed, at: int, utilisation: float) -> float:
    """Little's law: the rate that one replica is given, at its concurrency for that rate."""
    one = take_one(speed, at)
    full = one.largest_concurrency / one.latency(one.largest_concurrency).held_s
    return round(float(one.concurrency_at(full * utilisation)[0]), 2)
