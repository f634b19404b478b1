"""From the rows of the grid to the columns of the equations: model shape x hardware rates x engine overheads."""

from collections.abc import Callable

import numpy as np

from breakeven.catalogue.schema import ModelSpec, NumberFormat
from breakeven.options.columns import Floats
from breakeven.options.hosted import HostedGrid
from breakeven.options.machines import Hardware
from breakeven.performance.calibration import Overheads, Parameters
from breakeven.performance.footprint import Footprint
from breakeven.performance.roofline import Replica
from breakeven.units import BYTES_PER_GB, FLOPS_PER_TFLOPS
from breakeven.workload.profile import Workload

GIGA = BYTES_PER_GB


def replicas(grid: HostedGrid, memory: Footprint, workload: Workload, parameters: Parameters) -> Replica:
    """The columns for every row of the grid (rows already ruled out included; take the living ones)."""

    def model(value: Callable[[ModelSpec], float]) -> Floats:
        return np.array([value(row) for row in grid.models], dtype=np.float64)[grid.model]

    def hardware(value: Callable[[Hardware], float]) -> Floats:
        return np.array([value(row) for row in grid.fleet.hardware], dtype=np.float64)[grid.hardware]

    def engine(value: Callable[[Overheads], float]) -> Floats:
        sets = [parameters.overheads[row.overheads] for row in grid.engines] or [_NO_ENGINE]
        return np.array([value(row) for row in sets], dtype=np.float64)[grid.engine]

    rates = np.array([[_flops_per_s(f, h, parameters) for h in grid.fleet.hardware] for f in grid.formats]).reshape(
        len(grid.formats), len(grid.fleet.hardware)
    )
    encoder_share = model(_encoder_share)
    whole = np.where(encoder_share > 0, encoder_share, 1.0)
    params = model(lambda m: m.params_active or 0)
    dense = memory.weights_bytes - memory.expert_bytes
    return Replica(
        dense_bytes=dense * (1 - encoder_share),
        expert_bytes=memory.expert_bytes,
        expert_share=model(lambda m: m.experts_per_token / m.experts if m.experts else 1.0),
        decode_params=params * (1 - encoder_share),
        prefill_params=params * whole,
        prefill_bytes=memory.weights_bytes * whole,
        layers=model(lambda m: m.layers),
        hidden_size=model(lambda m: m.hidden_size),
        whole_width=model(lambda m: m.full_attention_layers * _width(m) if m.kind != "encoder" else 0.0),
        windowed_width=model(lambda m: m.windowed_layers * _width(m) if m.kind != "encoder" else 0.0),
        window_tokens=model(lambda m: m.window_tokens),
        encoder_width=model(lambda m: m.encoder_layers * _width(m) if m.kind != "decoder" else 0.0),
        kv_bytes_in_decode=memory.kv_bytes_in_decode,
        context_tokens=workload.mix.decode_context_tokens,
        kv_shards=memory.kv_shards.astype(np.float64),
        tensor_parallel=hardware(lambda h: h.tensor_parallel),
        bandwidth_bytes_per_s=hardware(lambda h: _bandwidth(h, parameters)),
        flops_per_s=rates[grid.number_format, grid.hardware],
        link_bytes_per_s=hardware(lambda h: _link(h, parameters)),
        hop_s=hardware(lambda h: parameters.hop_s[h.interconnect]),
        layer_s=engine(lambda e: e.layer_s),
        sequence_s=engine(lambda e: e.sequence_s),
        step_s=engine(lambda e: e.step_s),
    )


_NO_ENGINE = Overheads(layer_s=0.0, sequence_s=0.0, step_s=0.0)


def _width(model: ModelSpec) -> int:
    return model.attention_heads * model.head_dim


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


def _flops_per_s(number_format: NumberFormat, hardware: Hardware, parameters: Parameters) -> float:
    share = parameters.flops_share.get(hardware.generation, 0.0)
    if hardware.accelerator:
        accelerator = hardware.accelerator
        rate = {
            "fp8": accelerator.fp8_dense_tflops,
            "int8": accelerator.int8_dense_tops,
        }.get(number_format.compute, accelerator.bf16_dense_tflops)
        return share * (rate or np.nan) * FLOPS_PER_TFLOPS
    cpu = hardware.cpu
    if cpu is None:
        return float("nan")
    per_cycle = {"bf16": cpu.bf16_flops_per_core_per_cycle}.get(
        number_format.compute, cpu.fp32_flops_per_core_per_cycle
    )
    cores = hardware.vcpus / cpu.threads_per_core
    return share * cores * (cpu.clock_ghz or np.nan) * GIGA * (per_cycle or np.nan)


def _bandwidth(hardware: Hardware, parameters: Parameters) -> float:
    """Bytes per second of one device; a slice of a CPU has its share of the sockets' bandwidth."""
    share = parameters.bandwidth_share.get(hardware.generation, float("nan"))
    if hardware.accelerator:
        return share * (hardware.accelerator.bandwidth_gb_per_s or np.nan) * GIGA
    cpu = hardware.cpu
    if cpu is None or not cpu.cores_per_socket:
        return float("nan")
    sockets = hardware.vcpus / cpu.threads_per_core / cpu.cores_per_socket
    return share * (cpu.memory_bandwidth_gb_per_s or np.nan) * GIGA * sockets


def _link(hardware: Hardware, parameters: Parameters) -> float:
    if hardware.tensor_parallel == 1 or hardware.accelerator is None:
        return float("inf")
    rate = hardware.accelerator.link_gb_per_s_one_way or parameters.link_fallback_gb_per_s["pcie"]
    return rate * GIGA
