"""Devices by their datasheet: from the catalogue, and for measured tables with the gaps that calibration may fill."""

import csv
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from breakeven.catalogue.load import Catalogue
from breakeven.catalogue.schema import Accelerator, Cpu, ModelSpec
from breakeven.performance.kinds import Device
from breakeven.units import BYTES_PER_GB, FLOPS_PER_TFLOPS

NOWHERE = float("nan")
GIGA = BYTES_PER_GB
TF32_SHARE = 2.0
FP32_SHARES = {"volta": 8.0, "turing": 8.0, "ampere": 16.0}
FP32_SHARE = 4.0
"""How much slower an accelerator multiplies in 32 bits than in 16: in TF32; in plain FP32 by the datasheets of V100
(15.7 of 125 TFLOPS), T4 (8.1 of 65) and A100 (19.5 of 312); elsewhere something between, an assumption."""


def accelerator_device(row: Accelerator, memory_gib: float | None = None, link: str | None = None) -> Device:
    """An accelerator by its datasheet; a precision it has no units for runs at the next wider one's rate."""
    bf16 = row.bf16_dense_tflops or NOWHERE
    fp8 = row.fp8_dense_tflops or bf16
    rates = {
        "bf16": bf16,
        "fp32": bf16 / FP32_SHARES.get(row.generation, FP32_SHARE),
        "tf32": bf16 / TF32_SHARE,
        "fp8": fp8,
        "fp4": row.fp4_dense_tflops or fp8,
        "int8": row.int8_dense_tops or bf16,
    }
    rate = row.link_gb_per_s_one_way
    return Device(
        name=row.name,
        generation=row.generation,
        memory_gib=memory_gib or row.memory_gib or 0.0,
        bandwidth_bytes_per_s=(row.bandwidth_gb_per_s or NOWHERE) * GIGA,
        flops_per_s={name: tflops * FLOPS_PER_TFLOPS for name, tflops in rates.items()},
        link=link or row.link_kind,
        link_bytes_per_s=rate * GIGA if rate else None,
    )


def cpu_device(cpu: Cpu | None, vcpus: int, memory_gib: float | None) -> Device:
    """The slice of a CPU's sockets that some vCPUs are: cores x clock x FLOPs a cycle, its share of the bandwidth."""
    if cpu is None or not cpu.cores_per_socket:
        return Device(
            name="unknown CPU",
            generation="cpu",
            memory_gib=memory_gib or 0.0,
            bandwidth_bytes_per_s=NOWHERE,
            flops_per_s={},
            link="none",
            link_bytes_per_s=None,
        )
    cores = vcpus / cpu.threads_per_core
    per_cycle = {"fp32": cpu.fp32_flops_per_core_per_cycle, "bf16": cpu.bf16_flops_per_core_per_cycle}
    hertz = (cpu.clock_ghz or NOWHERE) * GIGA
    fp32 = cpu.fp32_flops_per_core_per_cycle or NOWHERE
    return Device(
        name=cpu.name,
        generation="cpu",
        memory_gib=memory_gib or 0.0,
        bandwidth_bytes_per_s=(cpu.memory_bandwidth_gb_per_s or NOWHERE) * GIGA * cores / cpu.cores_per_socket,
        flops_per_s={name: cores * hertz * (flops or fp32) for name, flops in per_cycle.items()},
        link="none",
        link_bytes_per_s=None,
    )


def measured_devices(catalogue: Catalogue) -> Mapping[str, Device]:
    """Every accelerator by name, with what only the calibration may use filled in."""
    found = dict(catalogue.accelerators)
    for row in _rows("accelerators.csv"):
        figures = {n: float(v) for n, v in row.items() if v and n not in ("name", "generation", "source")}
        if row["name"] in found:
            found[row["name"]] = msgspec.structs.replace(found[row["name"]], **figures)
        else:
            empty: dict[str, Any] = dict.fromkeys(("fp8_dense_tflops", "fp4_dense_tflops", "int8_dense_tops"))
            found[row["name"]] = Accelerator(
                name=row["name"],
                vendor="",
                generation=row["generation"],
                link_kind="pcie",
                source=row["source"],
                **empty | figures,
            )
    return {
        name: accelerator_device(row)
        for name, row in found.items()
        if row.bandwidth_gb_per_s and row.bf16_dense_tflops and row.memory_gib
    }


def measured_models(catalogue: Catalogue) -> Mapping[str, ModelSpec]:
    """Every model of known size by name, with those that only the calibration may use."""
    found = {name: row for name, row in catalogue.models.items() if row.params_total}
    plain = next(iter(found.values()))
    for row in _rows("models.csv"):
        figures = {n: int(v) for n, v in row.items() if n not in ("name", "source")}
        found[row["name"]] = msgspec.structs.replace(
            plain, name=row["name"], source=row["source"], released=date(2023, 1, 1), **_dense(figures)
        )
    return found


def _dense(figures: dict[str, int]) -> dict[str, int]:
    experts = dict.fromkeys(
        ("experts", "experts_per_token", "params_in_experts", "windowed_layers", "window_tokens", "selecting_layers"), 0
    )
    return figures | experts | {"full_attention_layers": figures["layers"]}


@cache
def _rows(name: str) -> tuple[dict[str, str], ...]:
    text = resources.files("breakeven.performance").joinpath("data", name).read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))
