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
    head_params: Floats
    """Of the output head, which sits in the last stage of a pipeline, 16 bits wide."""
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
    selected_width: Floats
    """The same, over the layers that see what is selected from the context."""
    selected_tokens: Floats
    windowed_width: Floats
    """The same, over the layers that see a window."""
    window_tokens: Floats
    encoder_width: Floats
    """The same, over an encoder's layers; they see both ways."""
    kv_bytes_per_token: Floats
    """In the layers that see the whole context, and in an indexer."""
    selected_kv_bytes_per_token: Floats
    windowed_kv_bytes_per_token: Floats
    context_tokens: Floats | float
    """Mean context of a request that is being decoded."""
    kv_shards: Floats
    """Over how many devices the KV cache of a request is spread."""
    heads: Floats
    """Query heads of a layer."""
    group: Floats
    """Query heads to a head of the KV cache."""
    shared_heads: Floats
    """Query heads on a device up to which those of a group share one reading of their cache."""
    tensor_parallel: Floats
    data_parallel: Floats
    """Ranks that each attend to their own requests and share the experts."""
    pipeline_parallel: Floats
    bandwidth_bytes_per_s: Floats
    kv_bytes_per_s: Floats
    expert_bytes_per_s: Floats
    flops_per_s: Floats
    link_bytes_per_s: Floats
    hop_s: Floats
    layer_s: Floats
    sequence_s: Floats
    step_s: Floats
    request_s: Floats
    """Front end, tokenizer and first scheduling of a request."""
    interference: Floats
    """Share of the others' prefill that decode steps lose (theta)."""
    queueing: Floats
    """Weight of the wait for the others' prefill in the time to first token (phi)."""
    burst: Floats
    """Share of a full burst at the start that a benchmark's mean time to first token holds; a plan has none."""
    cohort: Floats
    """Other prompts beside which a benchmark's client is prefilled, because clients move together; a plan has none."""
    pace: Floats
    """Factor on the time of every pass."""
    prompt: Floats
    """Factor on the compute time of prefill, beside that of decode."""
    first: Floats
    """Factor on the time to first token."""
    bulk: Floats
    """Factor on the output of work that is handed over at once."""
    routing: Floats
    """How many tokens' worth of experts each token beyond the first chooses apart; 0 where all are the same."""
    compiled_batch: Floats
    """Sequences that every decode step costs, where an engine was compiled for a batch; else 0."""
    compiled_tokens: Floats
    """Tokens that every prompt costs there, and beyond which it is read token by token; else 0."""
    reserved: Floats
    """Share of an answer for which the engine keeps room when it lets a request in."""
    together: Floats
    """Requests that the load generator has under way at most."""
    microbatch_tokens: Floats
    """Tokens in a stage at most, where an engine cuts a static batch for its pipeline by halves; else infinite."""

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
    pace: Floats | float = 1.0

    @property
    def total_s(self) -> Floats:
        """Memory and compute overlap as a p-norm; links and launches add."""
        joined = _joined(self.weights_s + self.kv_s, self.compute_s, self.exponent)
        total: Floats = (joined + self.links_s + self.launches_s) * self.pace
        return total

    def ridden_s(self, prompt: "Prompt", prompts: Floats) -> Floats:
        """How much longer each of ``prompts`` prompts makes the decode step that they ride on: part of it is hidden."""
        memory, many = self.weights_s + self.kv_s, np.maximum(prompts, 1.0)
        longer = (_joined(memory, many * prompt.compute_s, self.exponent) - memory) / many
        found: Floats = (longer + prompt.wire_s) * self.pace
        return found

    def bound_by(self) -> list[str]:
        """The largest part of each row's time, in a word."""
        names = ("weights", "KV cache", "compute", "links", "launches")
        parts = np.stack([self.weights_s, self.kv_s, self.compute_s, self.links_s, self.launches_s])
        return [names[i] for i in np.argmax(parts, axis=0)]


def _joined(memory: Floats, compute: Floats, p: float) -> Floats:
    if p == 2.0:
        return np.sqrt(memory * memory + compute * compute)
    joined: Floats = (memory**p + compute**p) ** (1 / p)
    return joined


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prompt:
    """The prefill of one request: alone in a pass of its own, and the work that it adds to passes that run anyway."""

    pass_s: Floats
    compute_s: Floats
    wire_s: Floats
    """Of its all-reduces, without their latency."""

    def take(self, rows: Ints) -> "Prompt":
        """Some of the rows, in that order."""
        return Prompt(pass_s=self.pass_s[rows], compute_s=self.compute_s[rows], wire_s=self.wire_s[rows])


def decode_step(replica: Replica, concurrency: Floats, parameters: Parameters, stage: Floats | None = None) -> Step:
    """One token for each of ``concurrency`` requests.

    With b = B/pp in each pipeline stage and b/dp at each attention rank: W_dense/(tp BW) + W_experts e(b)/(n BW_e) and
    (b/dp) KV/(shards BW_kv), against 2 P b/(n F). A token passes the stages one after another; each of the other parts
    of the batch waits for the last stage, which has the output head beside its layers, and at each stage the host looks
    at all requests in flight. ``stage``: so many are in a stage instead.
    """
    r, bandwidth = replica, replica.bandwidth_bytes_per_s
    stage = np.maximum(concurrency / r.pipeline_parallel, 1.0) if stage is None else stage
    waiting = np.minimum(concurrency / stage, r.pipeline_parallel) - 1
    each = stage / r.data_parallel
    ranks = r.tensor_parallel * r.data_parallel
    seen, chosen = r.context_tokens, np.minimum(r.context_tokens, r.selected_tokens)
    within = np.minimum(r.context_tokens, r.window_tokens)
    kv = r.kv_bytes_per_token * seen + r.selected_kv_bytes_per_token * chosen + r.windowed_kv_bytes_per_token * within
    params = r.decode_params + waiting * r.head_params
    attention = FLOPS_PER_PAIR * (r.whole_width * seen + r.selected_width * chosen + r.windowed_width * within)
    return Step(
        weights_s=(r.dense_bytes + waiting * r.head_params * BYTES_PER_ACTIVATION) / (r.tensor_parallel * bandwidth)
        + r.expert_bytes * _touched(r.expert_share, 1 + (stage - 1) * r.routing) / (ranks * r.expert_bytes_per_s),
        kv_s=each * kv * _readings(r, each) / (r.kv_shards * r.kv_bytes_per_s),
        compute_s=stage * (FLOPS_PER_PARAMETER * params + attention) / (ranks * r.flops_per_s),
        links_s=_all_reduce_s(r, each) + _passed_on_s(r, each),
        launches_s=_launches_s(r, concurrency / r.data_parallel),
        exponent=parameters.exponent,
        pace=r.pace,
    )


def _readings(replica: Replica, sequences: Floats) -> Floats:
    """How often a KV cache is read in a step: once, or by kernels that do not share it once for each query head."""
    apart = sequences * replica.heads / replica.tensor_parallel > replica.shared_heads
    return np.where(apart, replica.group, 1.0)


def _touched(share: Floats, tokens: Floats) -> Floats:
    """1 - (1 - k/E)^tokens: the share of distinct experts that so many tokens touch."""
    if np.all(share >= 1):
        return np.ones_like(tokens)
    return 1 - (1 - share) ** tokens


def prefill(replica: Replica, tokens: Floats | float, parameters: Parameters, prompts: Floats | float = 1.0) -> Step:
    """One pass over ``prompts`` prompts of ``tokens`` tokens each (one for a decoder, a batch for an encoder).

    An encoder attends to the whole square of tokens. A decoder that has none before it attends to half of the square,
    and in windowed layers, or where tokens are selected, to a band of it.
    """
    r = replica
    n = r.tensor_parallel * r.data_parallel
    length = np.asarray(tokens, dtype=np.float64)
    count = np.asarray(prompts, dtype=np.float64)
    decoded = r.whole_width * length**2 / 2
    for width, most in ((r.selected_width, r.selected_tokens), (r.windowed_width, r.window_tokens)):
        band = np.minimum(length, most)
        decoded = decoded + width * band * (length - band / 2)
    pairs = np.where(r.encoder_width > 0, r.encoder_width * length**2, decoded)
    flops = count * (length * FLOPS_PER_PARAMETER * r.prefill_params + FLOPS_PER_PAIR * pairs)
    return Step(
        weights_s=r.prefill_bytes / (n * r.bandwidth_bytes_per_s),
        kv_s=np.zeros_like(r.layers),
        compute_s=flops / (n * r.flops_per_s) * r.prompt,
        links_s=_all_reduce_s(r, length * count / r.data_parallel) + _passed_on_s(r, length * count / r.data_parallel),
        launches_s=_launches_s(r, count),
        exponent=parameters.exponent,
        pace=r.pace,
    )


def prompt_of(replica: Replica, tokens: Floats | float, parameters: Parameters) -> Prompt:
    """The prefill of one prompt of ``tokens`` tokens."""
    alone = prefill(replica, tokens, parameters)
    each = np.asarray(tokens, dtype=np.float64) / replica.data_parallel
    wire = _all_reduce_s(replica, each) - _all_reduce_s(replica, np.zeros_like(each))
    return Prompt(pass_s=alone.total_s, compute_s=alone.compute_s, wire_s=wire)


def _all_reduce_s(replica: Replica, tokens: Floats) -> Floats:
    """2 L [hop (1 + log2 n)/2 + 2 B d bytes (n-1)/n / link]; nothing on one device."""
    n = replica.tensor_parallel * replica.data_parallel
    hops = replica.hop_s * (1 + np.log2(n)) / 2
    wire = 2 * BYTES_PER_ACTIVATION * tokens * replica.hidden_size * (n - 1) / (n * replica.link_bytes_per_s)
    reduced: Floats = np.where(n > 1, ALL_REDUCES_PER_LAYER * replica.layers * (hops + wire), 0.0)
    return reduced


def _passed_on_s(replica: Replica, tokens: Floats) -> Floats:
    """From stage to stage: a hop and the activations, (pp - 1) [hop + B d bytes / link]."""
    wire = BYTES_PER_ACTIVATION * tokens * replica.hidden_size / replica.link_bytes_per_s
    passed: Floats = (replica.pipeline_parallel - 1) * (replica.hop_s + wire)
    return passed


def _launches_s(replica: Replica, sequences: Floats) -> Floats:
    """Each stage is a host of its own, which looks at all B sequences: pp (t_step + B t_sequence) + L t_layer."""
    host = replica.step_s + sequences * replica.sequence_s
    launches: Floats = replica.pipeline_parallel * host + replica.layers * replica.layer_s
    return launches
