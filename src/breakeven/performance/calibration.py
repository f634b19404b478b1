"""The parameters of the speed equations, read once from ``parameters.toml``."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Overheads:
    """Host and launch time of a serving engine: seconds per layer, per sequence and per step."""

    layer_s: float
    sequence_s: float
    step_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What ``parameters.toml`` says; the meaning and evidence of each value stand there."""

    exponent: float
    prefill_interference: float
    prefill_queueing: float
    kv_bandwidth_share: float
    expert_bandwidth_share: float
    link_share: float
    usable_memory_share: float
    overhead_gib: float
    request_s: float
    largest_prefill_load: float
    batch_limit: float
    encoder_batch_limit: float
    bandwidth_share: Mapping[str, float]
    flops_share: Mapping[str, float]
    hop_s: Mapping[str, float]
    link_fallback_gb_per_s: Mapping[str, float]
    overheads: Mapping[str, Overheads]
    source: str


@cache
def typical_parameters() -> Parameters:
    """The typical values that ship with this version."""
    text = resources.files("breakeven.performance").joinpath("parameters.toml").read_text(encoding="utf-8")
    return parameters_of(tomllib.loads(text))


def parameters_of(tables: Mapping[str, Any]) -> Parameters:
    """Parameters from parsed TOML; a missing table is a ``KeyError`` naming it."""
    by_name = ("bandwidth_share", "flops_share", "hop_s", "link_fallback_gb_per_s")
    known = {"overheads", "source", *by_name}
    single = [name for name in Parameters.__slots__ if name not in known]
    values: dict[str, Any] = {name: float(tables[name]["value"]) for name in single}
    values |= {name: dict(tables[name]) for name in by_name}
    return Parameters(
        **values,
        overheads={
            name: Overheads(
                layer_s=float(row["layer_s"]),
                sequence_s=float(row["sequence_s"]),
                step_s=float(row["step_s"]),
            )
            for name, row in tables["overheads"].items()
        },
        source=str(tables["source"]),
    )
