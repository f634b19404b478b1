"""Replica kinds as columns: model x number format x device x serving stack x parallelism.

The plan's grid and a table of measurements both become ``Kinds``, so both go through the same equations.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from breakeven.catalogue.schema import Cpu, ModelSpec
from breakeven.options.columns import Floats, Ints

AXES = (
    "generation",
    "gpu",
    "link",
    "model",
    "shape",
    "format",
    "stack",
    "version",
    "mode",
    "lengths",
    "degree",
    "path",
    "attention",
    "stages",
    "group",
)
"""What a calibrated effect may depend on."""
ENDPOINTS = ("tgi", "djl-neuron", "djl-trt")
"""Stacks that were measured from a client, behind a cloud endpoint, in waves that wait for their last answer."""
VARIED, ALIKE, DRAWN = "varied", "alike", "drawn"
"""A load's requests differ in length, as a plan's do, all have one, or are drawn from 80 to 100 % of a nominal one."""
DRAWN_MEAN = 0.9
"""Mean of such lengths over the nominal one. Tokens per second are published for the nominal length: on 1,104 rows of
2026 they are clients x nominal length / response to the last digit, 1/0.9 of what the mean length gives."""
WIDE_BYTES = 2.0
"""Embeddings, output head and activations stay 16 bits wide."""
MEASURED_AS = {"int4": "w4a16", "mxfp4": "fp4", "int4-experts": "w4a16"}
"""Under which name measurements hold a number format of the catalogue."""
BYTES_A_WEIGHT = {"bf16": 2.0, "fp8": 1.0, "fp4": 0.56, "int8": 1.0, "w4a16": 0.53, "w8a16": 1.0, "fp32": 4.0}
"""Of a number format as measurements name it, scales counted."""

STUDIED = (
    *("accelmark", "aic_silicon_agg", "argonne_llm_inference_bench", "argonne_quant", "argonne_trtllm_in_out_heatmap"),
    *("argonne_ttft_itl", "aws_neuron", "fastertransformer_docs", "fmbench_aws", "mlperf_v4.1_llm_bert"),
    *("mlperf_v5.0_v5.1_v6.0_llm", "tensorrt_llm_docs"),
)
"""Source files of the table that the calibration is fitted on; whoever else measures is a stranger to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One accelerator, or the share of a CPU's sockets that a machine has, by its datasheet."""

    name: str
    generation: str
    memory_gib: float
    bandwidth_bytes_per_s: float
    flops_per_s: dict[str, float] = field(compare=False)
    """By the precision of the multiplications."""
    link: str
    link_bytes_per_s: float | None
    """One way; ``None``: not read."""
    cpu: Cpu | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """A number format as the equations see it."""

    name: str
    compute: str
    weight_bytes: float
    kv_bytes: float = WIDE_BYTES
    experts_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A serving engine: the name of its overhead set, its published version, how it was loaded, and who measured it.

    A plan's requests come and go as in a closed benchmark, without the burst at its start.
    """

    name: str
    version: str = ""
    mode: str = "closed"
    lengths: str = VARIED
    publisher: str = ""
    """One of ``STUDIED``, or empty: a user, or whoever else the fit has not seen."""

    @property
    def studied(self) -> bool:
        """Whether it was measured by a source of the calibration."""
        return self.publisher in STUDIED


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kinds:
    """Columns, one row a replica kind; each index points into its tuple."""

    models: tuple[ModelSpec, ...]
    devices: tuple[Device, ...]
    precisions: tuple[Precision, ...]
    stacks: tuple[Stack, ...]
    model: Ints
    device: Ints
    precision: Ints
    stack: Ints
    tensor_parallel: Floats
    data_parallel: Floats
    pipeline_parallel: Floats

    def take(self, rows: Ints) -> "Kinds":
        """Some of the rows, in that order."""
        columns = ("model", "device", "precision", "stack", "tensor_parallel", "data_parallel", "pipeline_parallel")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def pruned(self) -> "Kinds":
        """The same rows without models, devices, formats and stacks that none of them has."""
        changed: dict[str, Any] = {}
        for index, names in (
            ("model", "models"),
            ("device", "devices"),
            ("precision", "precisions"),
            ("stack", "stacks"),
        ):
            used, place = np.unique(getattr(self, index), return_inverse=True)
            changed[index] = place.reshape(-1)
            changed[names] = tuple(getattr(self, names)[n] for n in used.tolist())
        return replace(self, **changed)

    def by_model(self, value: Callable[[ModelSpec], float]) -> Floats:
        """A figure of each row's model."""
        return np.array([value(row) for row in self.models], dtype=np.float64)[self.model]

    def by_device(self, value: Callable[[Device], float]) -> Floats:
        """A figure of each row's device."""
        return np.array([value(row) for row in self.devices], dtype=np.float64)[self.device]

    def by_stack(self, value: Callable[[Stack], float]) -> Floats:
        """A figure of each row's stack."""
        return np.array([value(row) for row in self.stacks], dtype=np.float64)[self.stack]

    def weight_bytes(self) -> tuple[Floats, Floats]:
        """Bytes of each row's weights, and of its routed experts."""
        total, experts = weight_bytes(self.models, self.precisions)
        return total[self.model, self.precision], experts[self.model, self.precision]

    def flops_per_s(self) -> Floats:
        """The datasheet's rate of each row's device for the precision of its multiplications."""
        table = [[d.flops_per_s.get(p.compute, float("nan")) for p in self.precisions] for d in self.devices]
        shaped = np.array(table, dtype=np.float64).reshape(len(self.devices), len(self.precisions))
        return shaped[self.device, self.precision]

    def labels(self, axis: str) -> tuple[list[str], Ints]:
        """The distinct labels of an axis and which one each row has."""
        names, index = self._axis(axis)
        distinct = list(dict.fromkeys(names))
        place = {name: n for n, name in enumerate(distinct)}
        return distinct, np.array([place[name] for name in names] or [0], dtype=np.int64)[index]

    def _axis(self, axis: str) -> tuple[Sequence[str], Ints]:
        if axis == "attention":
            return ("whole", "parted"), (self.data_parallel > 1).astype(np.int64)
        if axis in ("stages", "degree"):
            ranks = self.tensor_parallel * self.data_parallel if axis == "degree" else 1.0
            count = self.pipeline_parallel * ranks
            distinct = np.unique(count)
            told = "x{:g}" if axis == "degree" else "{:g} in a row"
            return [told.format(n) for n in distinct], np.searchsorted(distinct, count)
        if axis in OF_DEVICE:
            return [str(getattr(d, OF_DEVICE[axis])) for d in self.devices], self.device
        if axis in OF_STACK:
            return [OF_STACK[axis](s) for s in self.stacks], self.stack
        if axis == "format":
            return [p.name for p in self.precisions], self.precision
        return [OF_MODEL[axis](m) for m in self.models], self.model


OF_DEVICE = {"generation": "generation", "gpu": "name", "link": "link"}
OF_STACK: dict[str, Callable[[Stack], str]] = {
    "stack": lambda s: s.name,
    "version": lambda s: s.version,
    "mode": lambda s: s.mode,
    "lengths": lambda s: s.lengths,
    "path": lambda s: "endpoint" if s.name in ENDPOINTS else "direct",
}
"""Axes that are fields of a device, and what of a stack each of its axes is."""


def shape_of(model: ModelSpec) -> str:
    """Which kind of network: dense, mixture of experts, the same with latent attention, or with an encoder."""
    if model.kind != "decoder":
        return model.kind
    if model.latent_kv:
        return "latent"
    if model.full_attention_layers + model.selecting_layers + model.windowed_layers < model.layers:
        return "linear"
    return "experts" if model.experts else "dense"


def queries_to_a_head(model: ModelSpec) -> int:
    """How many query heads share a head of the KV cache."""
    return model.attention_heads // max(model.kv_heads, 1)


def measured_as(model: str) -> str:
    """Under which name a network of the same dimensions was measured, which is as fast; its own where none was.

    >>> measured_as("llama-3.3-70b"), measured_as("llama3-70b"), measured_as("flan-ul2")
    ('llama3-70b', 'llama3-70b', 'flan-ul2')
    """
    return _twins().get(model, model)


@cache
def _twins() -> Mapping[str, str]:
    """``data/twins.csv``; a test holds it to the catalogue's dimensions and the shipped measurements."""
    text = resources.files("breakeven.performance").joinpath("data", "twins.csv").read_text(encoding="utf-8")
    return {row["model"]: row["measured_as"] for row in csv.DictReader(text.splitlines())}


OF_MODEL: dict[str, Callable[[ModelSpec], str]] = {
    "model": lambda m: measured_as(m.name),
    "shape": shape_of,
    "group": lambda m: f"{queries_to_a_head(m)} to a head",
}
"""What of a model each of its axes is."""


def weight_bytes(models: Sequence[ModelSpec], precisions: Sequence[Precision]) -> tuple[Floats, Floats]:
    """Bytes of all weights and of the routed experts, models x precisions; embeddings stay 16 bits wide in narrow ones.

    >>> from breakeven.catalogue.load import load_catalogue
    >>> bf16 = Precision(name="bf16", compute="bf16", weight_bytes=2.0)
    >>> total, _ = weight_bytes([load_catalogue().models["flan-ul2"]], [bf16])
    >>> round(float(total[0, 0]) / 1e9, 1)
    39.2
    """

    def of(value: Callable[[ModelSpec], float]) -> Floats:
        return np.array([value(model) for model in models], dtype=np.float64).reshape(-1, 1)

    every = of(lambda m: m.params_total or 0)
    routed = of(lambda m: m.params_in_experts if m.params_total is not None else 0)
    embedding = of(lambda m: m.vocab * m.hidden_size * (1 if m.tied_embeddings else 2))
    narrow = np.array([precision.weight_bytes for precision in precisions], dtype=np.float64)
    experts_only = np.array([precision.experts_only for precision in precisions], dtype=np.bool_)
    experts, rest = routed * narrow, every - routed
    kept = np.where(experts_only, rest, np.minimum(embedding, rest))
    return experts + kept * np.maximum(narrow, WIDE_BYTES) + (rest - kept) * narrow, experts
