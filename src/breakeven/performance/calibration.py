"""The parameters of the speed equations, read once from ``parameters.toml``.

Physics first: datasheet rates times a share, launches of an engine, a hop of a link. Effects multiply a quantity for a
level that measurements speak of, shrunk towards 1 where they say little; a level that was never measured has none.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

QUANTITIES = (
    "bandwidth",
    "flops",
    "kv",
    "experts",
    "hop",
    "link",
    "layer",
    "sequence",
    "step",
    "request",
    "interference",
    "queueing",
    "burst",
    "cohort",
    "pace",
    "prompt",
    "first",
    "bulk",
    "routing",
)
"""What effects multiply: rates, overheads, and the pace of every pass, of the first token and of bulk work."""
BETWEEN_LEVELS = " | "
COUNT = "n"
"""Under this name a level tells how many measurements speak of it."""
EVERYTHING = "all"
"""The one level of an effect that depends on nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overheads:
    """Host and launch time of a serving engine: seconds per layer, per sequence and per step."""

    layer_s: float
    sequence_s: float
    step_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """The shapes that an engine was compiled for ahead of time."""

    batch: float
    """Every decode step costs that many sequences, and no more are let in."""
    prompt_tokens: float
    """Every prompt costs that many tokens, and what is longer is read token by token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a benchmark's rules let a request wait for at most; infinite where they say nothing."""

    ttft_s: float
    tpot_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Factors on one quantity, by the labels of some axes, and how many measurements speak of each."""

    axes: tuple[str, ...]
    factors: Mapping[tuple[str, ...], float]
    counts: Mapping[tuple[str, ...], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What ``parameters.toml`` says; the meaning and evidence of each value stand there."""

    exponent: float
    prefill_interference: float
    prefill_queueing: float
    arrival_burst: float
    cohort: float
    bulk_tail: float
    kv_bandwidth_share: float
    converted_kv_share: float
    expert_bandwidth_share: float
    link_share: float
    usable_memory_share: float
    tuned_overhead_gib: float
    request_s: float
    largest_prefill_load: float
    batch_limit: float
    together: float
    encoder_batch_limit: float
    overhead: Mapping[str, float]
    """What an engine keeps of a device's memory: scale, exponents, and how far starts lie from it (``overhead.py``)."""
    engine_overhead: Mapping[str, float]
    """By stack whose starts were seen: how many times as much it keeps."""
    engine_overhead_spread: Mapping[str, float]
    """By the same: how many times as wide its band is in the logarithm."""
    bandwidth_share: Mapping[str, float]
    flops_share: Mapping[str, float]
    hop_s: Mapping[str, float]
    link_fallback_gb_per_s: Mapping[str, float]
    crossings: Mapping[str, float]
    """By device: how often a byte crosses the bus on its way to the next device, where it is not once."""
    bulk_batch_limit: Mapping[str, float]
    microbatch_tokens: Mapping[str, float]
    """By stack that cuts a static batch for its pipeline by halves: the tokens that a part of it has at most."""
    ecc_memory_share: Mapping[str, float]
    """By device: what error correction leaves of its memory, where it takes some."""
    reserved_output: Mapping[str, float]
    shared_heads: Mapping[str, float]
    layer_by_shape: Mapping[str, float]
    overheads: Mapping[str, Overheads]
    compiled: Mapping[tuple[str, ...], Compiled]
    """By stack, and by stack and version."""
    limits: Mapping[tuple[str, ...], Limits]
    """By model and mode of a benchmark whose rules limit latencies."""
    source: str
    effects: Mapping[str, tuple[Effect, ...]] = field(default_factory=dict)
    evidence: Mapping[tuple[str, ...], Mapping[tuple[str, ...], int]] = field(default_factory=dict)
    """By axes and labels: how many measurements there are."""
    bands: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Half widths of the 80 % band in the logarithm, by target and how well the case is known; variances."""
    own: Mapping[str, float] = field(default_factory=dict)
    """By quantity: the width in the logarithm of the prior of what a user's engine, or group of it, does otherwise."""
    narrowed: Mapping[str, Mapping[tuple[str, ...], float]] = field(default_factory=dict)
    """By target and (gpu, model, stack) that the user measured: which share of its width the band keeps."""


@cache
def typical_parameters() -> Parameters:
    """The values that ship with this version."""
    text = resources.files("breakeven.performance").joinpath("parameters.toml").read_text(encoding="utf-8")
    return parameters_of(tomllib.loads(text))


def parameters_of(tables: Mapping[str, Any]) -> Parameters:
    """Parameters from parsed TOML; a missing table is a ``KeyError`` naming it."""
    by_name = (
        "overhead",
        "engine_overhead",
        "engine_overhead_spread",
        "bandwidth_share",
        "flops_share",
        "hop_s",
        "link_fallback_gb_per_s",
        "crossings",
        "bulk_batch_limit",
        "microbatch_tokens",
        "ecc_memory_share",
        "reserved_output",
        "shared_heads",
        "layer_by_shape",
    )
    known = {"overheads", "compiled", "limits", "source", "effects", "evidence", "bands", "own", "narrowed", *by_name}
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
        compiled={
            _labels(name): Compiled(batch=float(row["batch"]), prompt_tokens=float(row["prompt_tokens"]))
            for name, row in tables["compiled"].items()
        },
        limits={
            _labels(name): Limits(ttft_s=float(row.get("ttft_s", math.inf)), tpot_s=float(row["tpot_s"]))
            for name, row in tables["limits"].items()
        },
        source=str(tables["source"]),
        effects=_effects(tables.get("effects", {})),
        evidence={
            _labels(axes): {_labels(name): int(row[COUNT]) for name, row in rows.items()}
            for axes, rows in tables.get("effects", {}).items()
        },
        bands={target: dict(rows) for target, rows in tables.get("bands", {}).items()},
        own={quantity: float(width) for quantity, width in tables.get("own", {}).items()},
    )


def _effects(tables: Mapping[str, Any]) -> dict[str, tuple[Effect, ...]]:
    """The effects on each quantity, from levels ``"level | level" = { n = measurements, quantity = factor }``."""
    found: dict[str, list[Effect]] = {}
    for axes, rows in tables.items():
        levels = {_labels(name): row for name, row in rows.items()}
        for quantity in QUANTITIES:
            told = {level: row for level, row in levels.items() if quantity in row}
            if told:
                effect = Effect(
                    axes=_labels(axes),
                    factors={level: float(row[quantity]) for level, row in told.items()},
                    counts={level: int(row[COUNT]) for level, row in told.items()},
                )
                found.setdefault(quantity, []).append(effect)
    return {quantity: tuple(effects) for quantity, effects in found.items()}


def _labels(text: str) -> tuple[str, ...]:
    return () if text == EVERYTHING else tuple(text.split(BETWEEN_LEVELS))
