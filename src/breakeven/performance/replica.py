"""From replica kinds to the columns of the equations: model shape x hardware rates x engine overheads x effects."""

from dataclasses import replace

import numpy as np

from breakeven.catalogue.schema import ModelSpec
from breakeven.options.columns import Floats, Mask
from breakeven.performance.attention import index_bytes, kv_elements, widths
from breakeven.performance.calibration import Compiled, Overheads, Parameters
from breakeven.performance.effects import Logs, logs_of
from breakeven.performance.kinds import (
    ENDPOINTS,
    WIDE_BYTES,
    Device,
    Kinds,
    Stack,
    queries_to_a_head,
    shape_of,
)
from breakeven.performance.roofline import Replica
from breakeven.units import BYTES_PER_GB

GIGA = BYTES_PER_GB
FLOAT_CACHES = ("vllm-v0", "vllm-v1", "vllm-2024", "sglang")
"""Stacks whose 8-bit caches are of floats."""
PAGED = ("vllm-v0", "vllm-2024")
"""Stacks that decode with vLLM's own PagedAttention kernels where FlashAttention does not run."""
EVICTING = 0.5
"""Share of an answer that a request holds on average, where an engine evicts when room runs out."""
_ANY_SHAPE = Compiled(batch=0.0, prompt_tokens=0.0)
_NOTHING = Overheads(layer_s=0.0, sequence_s=0.0, step_s=0.0)
"""Where no engine serves; such rows are ruled out."""


def replicas(kinds: Kinds, parameters: Parameters, context_tokens: Floats | float) -> Replica:
    """The columns for every row, calibrated."""
    return scaled(uncalibrated(kinds, parameters, context_tokens), logs_of(kinds, parameters))


def uncalibrated(kinds: Kinds, parameters: Parameters, context_tokens: Floats | float) -> Replica:
    """The columns for every row by datasheet, shares and overheads, without effects."""
    p, model = parameters, kinds.by_model
    total, experts = kinds.weight_bytes()
    encoder_share = model(_encoder_share)
    whole = np.where(encoder_share > 0, encoder_share, 1.0)
    params = model(lambda m: m.params_active or 0)
    bandwidth = kinds.by_device(lambda d: p.bandwidth_share.get(d.generation, np.nan) * d.bandwidth_bytes_per_s)
    shards = np.minimum(kinds.tensor_parallel, model(lambda m: 1 if m.latent_kv else max(m.kv_heads, 1)))
    ones = np.ones(len(kinds.model))
    return Replica(
        dense_bytes=(total - experts) * (1 - encoder_share),
        head_params=model(lambda m: m.vocab * m.hidden_size),
        expert_bytes=experts,
        expert_share=model(lambda m: m.experts_per_token / m.experts if m.experts else 1.0),
        decode_params=params * (1 - encoder_share),
        prefill_params=params * whole,
        prefill_bytes=total * whole,
        layers=model(lambda m: m.layers),
        hidden_size=model(lambda m: m.hidden_size),
        **_seen(kinds),
        context_tokens=context_tokens,
        kv_shards=shards,
        heads=model(lambda m: m.attention_heads),
        group=model(lambda m: 1 if m.latent_kv else queries_to_a_head(m)),  # a latent is read by all heads at once
        shared_heads=_shared_heads(kinds, p),
        tensor_parallel=kinds.tensor_parallel,
        data_parallel=kinds.data_parallel,
        pipeline_parallel=kinds.pipeline_parallel,
        bandwidth_bytes_per_s=bandwidth,
        kv_bytes_per_s=bandwidth * p.kv_bandwidth_share * np.where(_converted(kinds), p.converted_kv_share, 1.0),
        expert_bytes_per_s=bandwidth * p.expert_bandwidth_share,
        flops_per_s=kinds.flops_per_s() * kinds.by_device(lambda d: p.flops_share.get(d.generation, np.nan)),
        link_bytes_per_s=p.link_share * kinds.by_device(lambda d: _link(d, p)),
        hop_s=kinds.by_device(lambda d: p.hop_s.get(d.link, p.hop_s["other"])),
        layer_s=kinds.by_stack(lambda s: p.overheads.get(s.name, _NOTHING).layer_s)
        * model(lambda m: p.layer_by_shape[shape_of(m)]),
        sequence_s=kinds.by_stack(lambda s: p.overheads.get(s.name, _NOTHING).sequence_s),
        step_s=kinds.by_stack(lambda s: p.overheads.get(s.name, _NOTHING).step_s),
        request_s=ones * p.request_s,
        interference=ones * p.prefill_interference,
        queueing=ones * p.prefill_queueing,
        burst=ones * p.arrival_burst,
        pace=ones,
        prompt=ones,
        cohort=ones * p.cohort,
        first=ones,
        bulk=ones,
        routing=ones,
        compiled_batch=kinds.by_stack(lambda s: _compiled(s, p).batch),
        compiled_tokens=kinds.by_stack(lambda s: _compiled(s, p).prompt_tokens),
        reserved=kinds.by_stack(lambda s: p.reserved_output.get(s.name, EVICTING)),
        together=kinds.by_stack(lambda s: p.together if s.name in ENDPOINTS else np.inf),
        microbatch_tokens=kinds.by_stack(lambda s: p.microbatch_tokens.get(s.name, np.inf)),
    )


def _seen(kinds: Kinds) -> dict[str, Floats]:
    """What the layers see of a context: KV cache and multiplications a token of it, and how many tokens at most."""
    model = kinds.by_model
    kv_bytes = np.array([f.kv_bytes for f in kinds.precisions])[kinds.precision]
    return {
        "whole_width": model(lambda m: widths(m).whole if m.kind != "encoder" else 0.0),
        "selected_width": model(lambda m: widths(m).selected),
        "selected_tokens": model(lambda m: m.selected_tokens),
        "windowed_width": model(lambda m: widths(m).windowed if m.kind != "encoder" else 0.0),
        "window_tokens": model(lambda m: m.window_tokens),
        "encoder_width": model(lambda m: m.encoder_layers * m.attention_heads * m.head_dim),
        "kv_bytes_per_token": model(lambda m: kv_elements(m).whole) * kv_bytes + model(index_bytes),
        "selected_kv_bytes_per_token": model(lambda m: kv_elements(m).selected) * kv_bytes,
        "windowed_kv_bytes_per_token": model(lambda m: kv_elements(m).windowed) * kv_bytes,
    }


RATES = {"bandwidth": "bandwidth_bytes_per_s", "flops": "flops_per_s", "link": "link_bytes_per_s"}
TIMES = {"hop": "hop_s", "layer": "layer_s", "sequence": "sequence_s", "step": "step_s", "request": "request_s"}
OTHERS = ("interference", "queueing", "burst", "cohort", "pace", "prompt", "first", "bulk", "routing")


def scaled(replica: Replica, logs: Logs) -> Replica:
    """A replica with its quantities multiplied: KV and expert traffic follow the bandwidth and differ from it."""
    columns = RATES | TIMES | {name: name for name in OTHERS}
    changed = {columns[name]: getattr(replica, columns[name]) * np.exp(logs[name]) for name in columns if name in logs}
    for name, column in (("kv", "kv_bytes_per_s"), ("experts", "expert_bytes_per_s")):
        moved = [logs[part] for part in ("bandwidth", name) if part in logs]
        if moved:
            changed[column] = getattr(replica, column) * np.exp(np.sum(moved, axis=0))
    return replace(replica, **changed)


def _converted(kinds: Kinds) -> Mask:
    """Whether a cache of 8-bit floats is on a device that has no units for them; TensorRT-LLM's may be of integers."""
    narrow: Mask = np.array([f.kv_bytes < WIDE_BYTES for f in kinds.precisions], dtype=np.bool_)[kinds.precision]
    plain = kinds.by_device(lambda d: d.flops_per_s["fp8"] == d.flops_per_s["bf16"] if "fp8" in d.flops_per_s else 0.0)
    floats = kinds.by_stack(lambda s: s.name in FLOAT_CACHES)
    return narrow & (plain > 0) & (floats > 0)


def _shared_heads(kinds: Kinds, parameters: Parameters) -> Floats:
    """Up to how many query heads a cache is read once for its group; infinite where kernels always share it."""
    told = kinds.by_device(lambda d: parameters.shared_heads.get(d.generation, np.inf))
    return np.where(kinds.by_stack(lambda s: s.name in PAGED) > 0, told, np.inf)


def _compiled(stack: Stack, parameters: Parameters) -> Compiled:
    """The shapes that a stack was compiled for: of its version, else of any."""
    known = parameters.compiled
    return known.get((stack.name, stack.version)) or known.get((stack.name,), _ANY_SHAPE)


def _encoder_share(model: ModelSpec) -> float:
    """The share of an encoder-decoder's parameters that sit in the encoder; 0 for other kinds.

    A decoder layer has a second attention (on the encoder's output): 8 d w against 4 d w, beside the same
    feed-forward; w = heads x head_dim, d = hidden size. The feed-forward is what the total leaves over.
    """
    if model.kind != "encoder-decoder" or not model.params_total:
        return 0.0
    attention = 4.0 * model.hidden_size * model.attention_heads * model.head_dim
    embedding = model.vocab * model.hidden_size * (1 if model.tied_embeddings else 2)
    attentions = attention * (model.encoder_layers + 2 * model.layers)
    forward = (model.params_total - embedding - attentions) / (model.encoder_layers + model.layers)
    return model.encoder_layers * (attention + forward) / model.params_total


def _link(device: Device, parameters: Parameters) -> float:
    """Bytes per second one way; a link whose rate was not read is taken as PCIe."""
    rate = device.link_bytes_per_s or parameters.link_fallback_gb_per_s["pcie"] * GIGA
    return rate / parameters.crossings.get(device.name, 1.0)
