"""The time of one forward pass: memory, compute, links and launches. All columns, one value a row.

Equations: docs/theory/performance.md. Seconds, bytes and FLOP/s throughout.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from breakeven.options.columns import Floats, Ints
from breakeven.performance.calibration import Parameters

FLOPS_PER_PARAMETER = 2.0
"""A multiply and an add."""
FLOPS_PER_PAIR = 4.0
"""A query with a key and a weight with a value, for each element of a head."""
ALL_REDUCES_PER_LAYER = 2.0
BYTES_PER_ACTIVATION = 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replica:
    """What the equations need of each row: the model's shape on its hardware, rates already effective."""

    dense_bytes: Floats
    """Weights that every decode step reads."""
    expert_bytes: Floats
    expert_share: Floats
    """Share of the experts that one token uses (1 where there are none)."""
    decode_params: Floats
    """Parameters that one token of output runs through."""
    prefill_params: Floats
    """Parameters that one token of input runs through."""
    prefill_bytes: Floats
    layers: Floats
    hidden_size: Floats
    whole_width: Floats
    """Query heads x head dimension, summed over the decoder's layers that see the whole context."""
    windowed_width: Floats
    """The same, over the layers that see a window."""
    window_tokens: Floats
    encoder_width: Floats
    """The same, over an encoder's layers; they see both ways."""
    kv_bytes_in_decode: Floats
    context_tokens: float
    kv_shards: Floats
    tensor_parallel: Floats
    bandwidth_bytes_per_s: Floats
    flops_per_s: Floats
    link_bytes_per_s: Floats
    hop_s: Floats
    layer_s: Floats
    sequence_s: Floats
    step_s: Floats

    def take(self, rows: Ints) -> "Replica":
        """Some of the rows, in that order."""
        columns: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        taken: dict[str, Any] = {n: c[rows] if isinstance(c, np.ndarray) else c for n, c in columns.items()}
        return Replica(**taken)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """The parts of a forward pass, in seconds."""

    weights_s: Floats
    kv_s: Floats
    compute_s: Floats
    links_s: Floats
    launches_s: Floats
    exponent: float

    @property
    def total_s(self) -> Floats:
        """Memory and compute overlap as a p-norm; links and launches add."""
        memory = self.weights_s + self.kv_s
        p = self.exponent
        joined = (memory**p + self.compute_s**p) ** (1 / p)
        total: Floats = joined + self.links_s + self.launches_s
        return total

    def bound_by(self) -> list[str]:
        """The largest part of each row's time, in a word."""
        names = ("weights", "KV cache", "compute", "links", "launches")
        parts = np.stack([self.weights_s, self.kv_s, self.compute_s, self.links_s, self.launches_s])
        return [names[i] for i in np.argmax(parts, axis=0)]


def decode_step(replica: Replica, concurrency: Floats, parameters: Parameters) -> Step:
    """One token for each of ``concurrency`` requests.

    W_dense/(n BW) + W_experts e(B)/(n BW s_e) and B KV/(shards BW s_kv) against 2 P B/(n F).
    """
    n, bandwidth = replica.tensor_parallel, replica.bandwidth_bytes_per_s
    touched = 1 - (1 - replica.expert_share) ** concurrency
    experts = replica.expert_bytes * touched / (n * bandwidth * parameters.expert_bandwidth_share)
    kv = concurrency * replica.kv_bytes_in_decode
    seen = replica.whole_width * replica.context_tokens
    seen = seen + replica.windowed_width * np.minimum(replica.context_tokens, replica.window_tokens)
    attention = FLOPS_PER_PAIR * seen
    flops = concurrency * (FLOPS_PER_PARAMETER * replica.decode_params + attention)
    return Step(
        weights_s=replica.dense_bytes / (n * bandwidth) + experts,
        kv_s=kv / (replica.kv_shards * bandwidth * parameters.kv_bandwidth_share),
        compute_s=flops / (n * replica.flops_per_s),
        links_s=_all_reduce_s(replica, concurrency, parameters),
        launches_s=_launches_s(replica, concurrency),
        exponent=parameters.exponent,
    )


def prefill(replica: Replica, tokens: Floats | float, parameters: Parameters, prompts: Floats | float = 1.0) -> Step:
    """One pass over ``prompts`` prompts of ``tokens`` tokens each (one for a decoder, a batch for an encoder).

    An encoder attends to the whole square of tokens. A decoder that has none before it attends to half of the square,
    and in windowed layers to a band of it.
    """
    n = replica.tensor_parallel
    length = np.asarray(tokens, dtype=np.float64)
    count = np.asarray(prompts, dtype=np.float64)
    band = np.minimum(length, replica.window_tokens)
    pairs = np.where(
        replica.encoder_width > 0,
        replica.encoder_width * length**2,
        replica.whole_width * length**2 / 2 + replica.windowed_width * band * (length - band / 2),
    )
    flops = count * (length * FLOPS_PER_PARAMETER * replica.prefill_params + FLOPS_PER_PAIR * pairs)
    return Step(
        weights_s=(replica.prefill_bytes / (n * replica.bandwidth_bytes_per_s)),
        kv_s=np.zeros_like(replica.layers),
        compute_s=flops / (n * replica.flops_per_s),
        links_s=_all_reduce_s(replica, length * count, parameters),
        launches_s=_launches_s(replica, count),
        exponent=parameters.exponent,
    )


def _all_reduce_s(replica: Replica, tokens: Floats, parameters: Parameters) -> Floats:
    """2 L [hop (1 + log2 n)/2 + 2 B d bytes (n-1)/n / link]; nothing on one device."""
    n = replica.tensor_parallel
    hops = replica.hop_s * (1 + np.log2(n)) / 2
    moved = 2 * BYTES_PER_ACTIVATION * tokens * replica.hidden_size * (n - 1) / n
    wire = moved / (replica.link_bytes_per_s * parameters.link_share)
    return np.where(n > 1, ALL_REDUCES_PER_LAYER * replica.layers * (hops + wire), 0.0)


def _launches_s(replica: Replica, sequences: Floats) -> Floats:
    launches: Floats = replica.step_s + replica.layers * replica.layer_s + sequences * replica.sequence_s
    return launches
