"""One question to the predictor: this model on this machine, so fast, within this band, because of that."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec
import numpy as np

from breakeven.catalogue.load import Catalogue
from breakeven.errors import SpecError, UnknownNameError
from breakeven.evidence import Basis, Estimate
from breakeven.options.columns import Floats
from breakeven.performance.band import banded, bases, half_widths
from breakeven.performance.calibration import Parameters
from breakeven.performance.engines import stack_of
from breakeven.performance.hardware import measured_devices, measured_models
from breakeven.performance.measured import COMPUTE, MODES, Runs, Table, runs_of
from breakeven.performance.overhead import SOURCE, band, seen
from breakeven.performance.roofline import decode_step
from breakeven.performance.serving import Served
from breakeven.performance.table import Prepared, predict_runs, prepared, request_of, rows_of
from breakeven.units import BYTES_PER_GB

BYTES_A_WEIGHT = {"bf16": 2.0, "fp8": 1.0, "fp4": 0.56, "int8": 1.0, "w4a16": 0.53, "w8a16": 1.0, "fp32": 4.0}
NEAREST = 5


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """A measurement near the question."""

    id: str
    source: str
    date: str
    gpu: str
    model: str
    engine_version: str
    compute_format: str
    tensor_parallel: int
    input_tokens: float
    output_tokens: float
    concurrency: float | None
    output_tokens_per_s: float | None
    ttft_s: float | None
    tpot_s: float | None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one replica does with the load asked for; estimates carry their 80 % band."""

    model: str
    on: str
    device: str
    tensor_parallel: int
    compute_format: str
    engine: str
    engine_version: str
    input_tokens: float
    output_tokens: float
    concurrency: float | None
    request_rate_per_s: float | None
    output_tokens_per_s: Estimate
    ttft_s: Estimate
    tpot_s: Estimate
    largest_concurrency: Estimate
    """How many requests of this length fit; 0 where the model fits only beside an engine that keeps less."""
    concurrency_bound_by: Literal["memory", "engine"]
    bound_by: str
    basis: Basis
    nearest: tuple[Neighbour, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked; ``None``: the smallest degree that fits, the native format, the default engine."""

    model: str
    on: str
    number_format: str | None = None
    tensor_parallel: int | None = None
    engine: str = "vllm"
    engine_version: str = ""
    input_tokens: float = 1000.0
    output_tokens: float = 300.0
    concurrency: float | None = None
    rate_per_s: float | None = None


def ask(question: Question, catalogue: Catalogue, parameters: Parameters, table: Table) -> Answer:
    """The prediction with its band, its bound and the nearest rows of ``table``.

    Raises:
        UnknownNameError: model, instance or GPU is not known.
        SpecError: the model does not fit, or a figure is out of range.
    """
    known = _checked(question, catalogue)
    device, count, memory_gib = device_on(question.on, catalogue, parameters)
    number_format = question.number_format or _format(known, question.model)
    for degree in _degrees(question.tensor_parallel, count):
        runs = _with_memory(_runs(question, device, number_format, degree, catalogue), memory_gib)
        ready = _ready(runs, parameters, _expected(runs, parameters))
        if _fitting(runs, ready) >= 1:
            break
    else:  # the last and largest: perhaps beside an engine that keeps little
        ready = _ready(runs, parameters, band(runs.kinds, parameters)[0])
        if _fitting(runs, ready) < 1:
            raise _no_room(question, runs, ready, f"{degree:g} x {device}")
    served = predict_runs(runs, parameters, ready)
    replica, most = rows_of(runs, ready)
    busy = runs.concurrency if question.rate_per_s is None else np.minimum(most, served.tpot_s * 0 + most)
    step = decode_step(replica, np.minimum(busy, most), parameters)
    return Answer(
        model=question.model,
        on=question.on,
        device=device,
        tensor_parallel=degree,
        compute_format=number_format,
        engine=runs.kinds.stacks[0].name,
        engine_version=question.engine_version,
        input_tokens=question.input_tokens,
        output_tokens=question.output_tokens,
        concurrency=question.concurrency,
        request_rate_per_s=question.rate_per_s,
        **_estimates(served, runs, parameters),
        **_largest(runs, parameters),
        bound_by=step.bound_by()[0],
        basis=bases(runs.kinds, parameters)[0],
        nearest=nearest(question, device, runs.kinds.stacks[0].name, degree, table),
    )


def _checked(question: Question, catalogue: Catalogue) -> Any:  # noqa: ANN401
    models = measured_models(catalogue)
    if question.model not in models:
        raise UnknownNameError("model", question.model, models, search="breakeven catalogue list models")
    if models[question.model].kind == "encoder":
        raise SpecError(
            f"{question.model} is an encoder: it puts out no tokens",
            expected="a model that generates text",
            do="Plan it with `breakeven compare --task encode`",
        )
    for name in ("input_tokens", "output_tokens", "concurrency", "rate_per_s", "tensor_parallel"):
        value = getattr(question, name)
        if value is not None and not 0 < value < float("inf"):
            raise SpecError(f"--{name.replace('_', '-')} is {value}", expected="more than 0", do="Correct it")
    if question.number_format is not None and question.number_format not in COMPUTE:
        raise SpecError(
            f"--format is {question.number_format}", expected=f"one of {', '.join(COMPUTE)}", do="Choose one of them"
        )
    if question.concurrency is not None and question.rate_per_s is not None:
        raise SpecError("--concurrency and --rate are both given", expected="one of them", do="Leave one out")
    return models


def _format(models: Any, model: str) -> str:  # noqa: ANN401
    return {"fp8": "fp8", "mxfp4": "fp4", "int4-experts": "w4a16"}.get(models[model].native_format, "bf16")


def device_on(on: str, catalogue: Catalogue, parameters: Parameters) -> tuple[str, int, float]:
    """Under the name of an instance type or of a GPU: the device, how many (8 of a GPU), and the GiB of each."""
    devices = measured_devices(catalogue)
    instance = catalogue.instances.get(on.removeprefix("ml."))
    if instance is not None and not instance.accelerator:
        raise SpecError(
            f"{on} has no accelerator",
            expected="an instance type with one, or a GPU",
            do="Plan encoders on CPUs with `breakeven compare --task encode`",
        )
    name = on if instance is None else instance.accelerator
    if name is not None and name in devices:
        memory = devices[name].memory_gib * parameters.ecc_memory_share.get(name, 1.0)
        if instance is None:
            return name, 8, memory
        total, count = instance.accelerator_memory_gib_total, instance.accelerator_count
        return name, count, total / count if total else memory
    raise UnknownNameError("instance or GPU", on, [*devices, *catalogue.instances])


def _with_memory(runs: Runs, memory_gib: float) -> Runs:
    """The runs on devices that have so much memory in their machine."""
    devices = tuple(replace(device, memory_gib=memory_gib) for device in runs.kinds.devices)
    return replace(runs, kinds=replace(runs.kinds, devices=devices))


def _degrees(asked: int | None, count: int) -> Sequence[int]:
    if asked is not None:
        return [asked]
    return sorted({n for n in (1, 2, 4, 8, 16, 32, 64) if n <= count} | {count})


def _runs(question: Question, device: str, number_format: str, degree: int, catalogue: Catalogue) -> Runs:
    stack, version = stack_of(question.engine, question.engine_version)
    mode = "closed" if question.rate_per_s is None else "open"
    texts = {
        "id": ["asked:1"],
        "model": [question.model],
        "gpu": [device],
        "compute_format": [number_format],
        "engine": [stack],
        "engine_version": [version],
        "mode": [mode],
        "scenario": [""],
    }
    figures = {
        "weight_bytes_per_param": BYTES_A_WEIGHT[number_format],
        "kv_bytes_per_element": 2.0,
        "tensor_parallel": float(degree),
        "data_parallel": 1.0,
        "pipeline_parallel": 1.0,
        "gpus_used": float("nan"),
        "replicas": 1.0,
        "input_tokens": question.input_tokens,
        "output_tokens": question.output_tokens,
        "concurrency": question.concurrency or 1.0,
        "request_rate_per_s": question.rate_per_s or np.nan,
        "requests": np.nan,
    }
    runs = runs_of(texts, {name: np.array([value]) for name, value in figures.items()}, catalogue)
    return replace(runs, mode=np.array([MODES.index(mode)]))


def _estimates(served: Served, runs: Runs, parameters: Parameters) -> dict[str, Any]:
    basis = bases(runs.kinds, parameters)[0]
    widths = half_widths(runs.kinds, parameters)
    return {
        target: banded(float(getattr(served, target)[0]), float(width[0]), basis, parameters.source)
        for target, width in widths.items()
    }


def _ready(runs: Runs, parameters: Parameters, overhead: Floats | float | None) -> Prepared:
    """The one kind of a question, without the burst at a benchmark's start and without clients in step."""
    found = prepared(runs.kinds, parameters, overhead=overhead)
    nothing = np.zeros(1)
    return replace(found, replica=replace(found.replica, burst=nothing, cohort=nothing))


def _expected(runs: Runs, parameters: Parameters) -> float | None:
    """The overhead to count with: that of published runs where the user has measured this group, else the usual."""
    kinds = runs.kinds
    group = (kinds.devices[0].name, kinds.models[0].name, kinds.stacks[0].name)
    return None if any(group in shares for shares in parameters.narrowed.values()) else 0.0


def _fitting(runs: Runs, ready: Prepared) -> float:
    """How many requests there is room for, in fractions, whatever the engine lets in."""
    return float(ready.room_bytes[0] / request_of(runs, ready)[1][0])


def _no_room(question: Question, runs: Runs, ready: Prepared, machine: str) -> SpecError:
    weights, request = runs.kinds.weight_bytes()[0][0], request_of(runs, ready)[1][0]
    free = ready.room_bytes[0]
    found = f"{free / BYTES_PER_GB:.1f} GB are left" if free > 0 else "nothing is left"
    return SpecError(
        f"{question.model} does not fit {machine}: beside its weights of {weights / BYTES_PER_GB:.1f} GB {found} "
        f"for the {request / BYTES_PER_GB:.2g} GB of KV cache of one request",
        expected="room for the weights and one request",
        do="Take a narrower --format, more --tensor-parallel, a larger machine or fewer tokens",
    )


def _largest(runs: Runs, parameters: Parameters) -> dict[str, Any]:
    """Whole requests that fit: as expected, where the engine keeps most of the memory, and where it keeps least."""
    least, most = band(runs.kinds, parameters)
    ready = [_ready(runs, parameters, overhead) for overhead in (most, _expected(runs, parameters), least)]
    limit = float(ready[0].batch_limit[0])
    low, mid, high = (min(float(np.floor(_fitting(runs, each))), limit) for each in ready)
    basis: Basis = "calibrated" if seen(runs.kinds, parameters)[0] else "extrapolated"
    found = Estimate(mid=mid, low=min(low, mid), high=max(high, mid), basis=basis, sources=(SOURCE,))
    return {"largest_concurrency": found, "concurrency_bound_by": "engine" if found.low == limit else "memory"}


def nearest(question: Question, device: str, stack: str, degree: int, table: Table) -> tuple[Neighbour, ...]:
    """The measurements most like the question: same model and device first, then stack, then load."""
    t, runs = table.texts, table.runs
    kinds = runs.kinds
    generation = {d.name: d.generation for d in kinds.devices}
    mine = generation.get(device)
    far = np.array(
        [
            3.0 * (m != question.model) + 3.0 * (g != device) + 2.0 * (generation.get(g) != mine) + 1.5 * (e != stack)
            for m, g, e in zip(t["model"], t["gpu"], t["engine"], strict=True)
        ]
    )
    load = np.where(np.isnan(runs.concurrency), 16.0, runs.concurrency)
    wanted = (question.input_tokens, question.output_tokens, question.concurrency or 16.0)
    for have, want in zip((runs.input_tokens, runs.output_tokens, load), wanted, strict=True):
        far = far + 0.3 * np.abs(np.log(np.maximum(have, 1.0) / want))
    tensor_parallel = kinds.tensor_parallel[np.maximum(runs.kind, 0)]
    far = far + 0.5 * np.abs(np.log2(tensor_parallel / degree))
    return tuple(_neighbour(table, int(row)) for row in np.argsort(far, kind="stable")[:NEAREST])


def _neighbour(table: Table, row: int) -> Neighbour:
    def known(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    runs, texts = table.runs, table.texts
    figures: dict[str, Any] = {name: known(values[row]) for name, values in table.observed.items()}
    names = ("id", "source", "date", "gpu", "model", "engine_version", "compute_format")
    told: dict[str, Any] = {name: texts[name][row] for name in names}
    return Neighbour(
        **told,
        tensor_parallel=int(runs.kinds.tensor_parallel[runs.kind[row]]),
        input_tokens=float(runs.input_tokens[row]),
        output_tokens=float(runs.output_tokens[row]),
        concurrency=known(runs.concurrency[row]),
        **figures,
    )
