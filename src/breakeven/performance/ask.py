"""One question to the predictor: this model on this machine, so fast, within this band, because of that."""

import math
from dataclasses import replace
from typing import Any, Literal

import msgspec
import numpy as np

from breakeven.catalogue.load import Catalogue
from breakeven.catalogue.schema import ModelSpec
from breakeven.errors import SpecError
from breakeven.evidence import Basis, Estimate
from breakeven.options.columns import Floats
from breakeven.performance.band import banded, bases, half_widths
from breakeven.performance.calibration import Parameters
from breakeven.performance.engines import stack_of
from breakeven.performance.floors import prompt_floor_s, step_floor_s
from breakeven.performance.kinds import BYTES_A_WEIGHT, measured_as, shape_of
from breakeven.performance.measured import MODES, Runs, Table, runs_of
from breakeven.performance.overhead import SOURCE, band, seen
from breakeven.performance.question import Question, degrees, device_on, notices, overheads_of, settled
from breakeven.performance.roofline import decode_step
from breakeven.performance.serving import Served, carried_per_s
from breakeven.performance.table import Prepared, predict_runs, prepared, request_of, rows_of
from breakeven.units import BYTES_PER_GB

NEAREST = 5
OTHER_DEVICE, OTHER_GENERATION, OTHER_STACK = 3.0, 2.0, 1.5
TWIN, OTHER_MODEL, LEAST_ALIKE = 0.01, 2.5, 4.5
"""How far apart a measurement is that was made elsewhere; a model the less the more it is like the one asked for."""


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
    notices: tuple[str, ...]
    """What of the question a plan would rule out, or was never measured, and when a queue grows."""


def ask(question: Question, catalogue: Catalogue, parameters: Parameters, table: Table) -> Answer:
    """The prediction with its band, its bound and the nearest rows of ``table``.

    Raises:
        UnknownNameError: model, engine, instance or GPU is not known.
        SpecError: the model does not fit or does not keep up, or a figure is out of range.
    """
    question, model = settled(question, catalogue, parameters)
    device, count, memory_gib = device_on(question.on, catalogue, parameters)
    tried = degrees(question, model, count, catalogue)
    for degree in tried:
        runs = _with_memory(_runs(question, device, degree, catalogue), memory_gib)
        ready = _with_room(runs, parameters, last=degree == tried[-1])
        if ready is not None and _carried(runs, ready, parameters) >= (question.rate_per_s or 0.0):
            break
    machine = f"{degree:g} x {device}"
    if ready is None:
        raise _no_room(question, runs, _ready(runs, parameters, band(runs.kinds, parameters)[0]), machine)
    carried = _carried(runs, ready, parameters)
    if carried < (question.rate_per_s or 0.0):
        raise _overrun(question, carried, machine)
    served = predict_runs(runs, parameters, ready)
    estimates = _estimates(served, runs, parameters, carried)
    stack = runs.kinds.stacks[0].name
    return Answer(
        model=question.model,
        on=question.on,
        device=device,
        tensor_parallel=degree,
        compute_format=question.number_format or "",
        engine=stack,
        engine_version=question.engine_version,
        input_tokens=question.input_tokens,
        output_tokens=question.output_tokens,
        concurrency=question.concurrency,
        request_rate_per_s=question.rate_per_s,
        **estimates,
        **_largest(runs, parameters),
        bound_by=_bound_by(served, runs, ready, parameters),
        basis=bases(runs.kinds, parameters)[0],
        nearest=nearest(question, model, (device, stack, degree), table),
        notices=(
            *notices(question, model, device, catalogue, parameters),
            *_queue(estimates["output_tokens_per_s"], question),
        ),
    )


def _with_room(runs: Runs, parameters: Parameters, *, last: bool) -> Prepared | None:
    """The kind with the memory that its engine is expected to leave; ``None`` where no request fits.

    In the ``last`` resort it is the most that an engine may leave.
    """
    least = [band(runs.kinds, parameters)[0]] if last else []
    for overhead in (_expected(runs, parameters), *least):
        ready = _ready(runs, parameters, overhead)
        if _fitting(runs, ready) >= 1:
            return ready
    return None


def _carried(runs: Runs, ready: Prepared, parameters: Parameters) -> float:
    """How many requests a second the replica carries when it is full."""
    replica, most = rows_of(runs, ready)
    return float(carried_per_s(replica, most, runs.input_tokens, runs.output_tokens, parameters)[0])


def _bound_by(served: Served, runs: Runs, ready: Prepared, parameters: Parameters) -> str:
    """What most of a decode step goes to, with as many requests in flight as the load keeps there (Little's law)."""
    replica, most = rows_of(runs, ready)
    lasting = served.ttft_s + np.maximum(runs.output_tokens - 1, 0.0) * served.tpot_s
    arriving = np.isfinite(runs.request_rate_per_s)
    busy = np.where(arriving, runs.request_rate_per_s * lasting, runs.concurrency)
    return decode_step(replica, np.clip(busy, 1.0, most), parameters).bound_by()[0]


def _with_memory(runs: Runs, memory_gib: float) -> Runs:
    """The runs on devices that have so much memory in their machine."""
    devices = tuple(replace(device, memory_gib=memory_gib) for device in runs.kinds.devices)
    return replace(runs, kinds=replace(runs.kinds, devices=devices))


def _runs(question: Question, device: str, degree: int, catalogue: Catalogue) -> Runs:
    """The one run, as plans see it: arrivals too have the effects of a closed benchmark, not those of an open one."""
    stack, version = stack_of(overheads_of(question.engine, catalogue), question.engine_version)
    mode = "closed" if question.rate_per_s is None else "open"
    number_format = question.number_format or ""
    texts = {
        "id": ["asked:1"],
        "model": [question.model],
        "gpu": [device],
        "compute_format": [number_format],
        "engine": [stack],
        "engine_version": [version],
        "mode": ["closed"],
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


def _estimates(served: Served, runs: Runs, parameters: Parameters, carried: float) -> dict[str, Any]:
    basis = bases(runs.kinds, parameters)[0]
    widths = half_widths(runs.kinds, parameters)
    found = {
        target: banded(float(getattr(served, target)[0]), float(width[0]), basis, parameters.source)
        for target, width in widths.items()
    }
    if np.isfinite(runs.request_rate_per_s[0]):
        found["output_tokens_per_s"] = _arriving(found["output_tokens_per_s"], runs, carried)
    return _possible(found, runs)


def _possible(found: dict[str, Estimate], runs: Runs) -> dict[str, Estimate]:
    """The figures without what the datasheet rules out.

    No token comes before its weights are read once, no first one before the prompt is multiplied with them.
    """
    token = float(step_floor_s(runs.kinds, runs.kind)[0])
    first = float(np.fmax(prompt_floor_s(runs.kinds, runs.kind, runs.input_tokens), token)[0])
    found |= {"tpot_s": _kept(found["tpot_s"], token, np.inf), "ttft_s": _kept(found["ttft_s"], first, np.inf)}
    if not np.isfinite(runs.request_rate_per_s[0]):
        found["output_tokens_per_s"] = _kept(found["output_tokens_per_s"], 0.0, float(runs.concurrency[0]) / token)
    return found


def _kept(one: Estimate, least: float, most: float) -> Estimate:
    """An estimate within what is possible, its middle and the ends that it has."""
    low, mid, high = (None if x is None else min(max(x, least), most) for x in (one.low, one.mid, one.high))
    return msgspec.structs.replace(one, low=low, mid=mid, high=high)


def _arriving(output: Estimate, runs: Runs, carried: float) -> Estimate:
    """Output under arrivals: all that is asked for, or as little as the low end of the band carries."""
    if output.low is None:
        return output
    slow = carried * float(runs.output_tokens[0]) * output.low / output.mid
    return msgspec.structs.replace(output, low=min(output.mid, slow), high=output.mid)


def _queue(output: Estimate, question: Question) -> tuple[str, ...]:
    """Where the slow end of the band does not carry what arrives."""
    if question.rate_per_s is None or output.low is None or output.low >= output.mid:
        return ()
    carried = output.low / question.output_tokens
    return (f"at the slow end of the band it carries {carried:.3g} requests/s: a queue grows, and TTFT with it",)


def _ready(runs: Runs, parameters: Parameters, overhead: Floats | float | None) -> Prepared:
    """The one kind of a question, without the burst at a benchmark's start and without clients in step."""
    found = prepared(runs.kinds, parameters, overhead=overhead)
    nothing = np.zeros(1)
    return replace(found, replica=replace(found.replica, burst=nothing, cohort=nothing))


def _expected(runs: Runs, parameters: Parameters) -> float | None:
    """The overhead to count with: that of published runs where the user has measured this group, else the usual."""
    kinds = runs.kinds
    group = (kinds.devices[0].name, measured_as(kinds.models[0].name), kinds.stacks[0].name)
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


def _overrun(question: Question, carried: float, machine: str) -> SpecError:
    more = "take more --tensor-parallel, " if question.tensor_parallel else ""
    return SpecError(
        f"{question.rate_per_s:g} requests come a second, and {machine} carries {carried:.3g}: a queue would grow "
        "without end",
        expected="a rate that one replica carries",
        do=f"Lower --rate, {more}or plan several replicas with `breakeven compare`",
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


def nearest(question: Question, model: ModelSpec, on: tuple[str, str, int], table: Table) -> tuple[Neighbour, ...]:
    """The measurements most like the question: same network and device first, then stack, then load.

    ``on``: device, stack and tensor-parallel degree.
    """
    t, runs = table.texts, table.runs
    kinds = runs.kinds
    device, stack, degree = on
    generation = {d.name: d.generation for d in kinds.devices}
    mine = generation.get(device)
    unlike = {m.name: _unlike(m, model) for m in kinds.models}
    far = np.array(
        [
            unlike.get(m, LEAST_ALIKE)
            + OTHER_DEVICE * (g != device)
            + OTHER_GENERATION * (generation.get(g) != mine)
            + OTHER_STACK * (e != stack)
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


def _unlike(model: ModelSpec, asked: ModelSpec) -> float:
    """How far a model is from the one asked for: 0 where all that speed depends on is the same."""
    if measured_as(model.name) == measured_as(asked.name):
        return TWIN if model.name != asked.name else 0.0
    sizes = [row.params_active or 1 for row in (model, asked)]
    return min(OTHER_MODEL + (shape_of(model) != shape_of(asked)) + abs(math.log(sizes[0] / sizes[1])), LEAST_ALIKE)


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
