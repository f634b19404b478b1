"""What is asked of the predictor: one model on one machine under one load, checked before anything is worked out."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from breakeven.catalogue.load import Catalogue
from breakeven.catalogue.schema import Engine, ModelSpec
from breakeven.errors import SpecError, UnknownNameError
from breakeven.options.hosted import heads_divide, heads_of
from breakeven.performance.calibration import Parameters
from breakeven.performance.engines import ENGINES, stack_of
from breakeven.performance.hardware import measured_devices, measured_models
from breakeven.performance.kinds import MEASURED_AS
from breakeven.performance.measured import COMPUTE

NEARLY = 0.85
"""From this likeness of two names on one is a slip of the other."""
DEVICES_OF_A_GPU = 8
"""How many a question has where it names a GPU, not a machine."""
FLAGS = {"rate_per_s": "--rate"}
"""Where a flag is not called as what it sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked; ``None``: the smallest degree that fits and keeps up, the native format."""

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


def settled(question: Question, catalogue: Catalogue, parameters: Parameters) -> tuple[Question, ModelSpec]:
    """The question with its number format as measurements name it, and its model.

    Raises:
        UnknownNameError: model or engine is not known, and looks like one that is.
        SpecError: a figure is out of range, or the model has no such context.
    """
    models = measured_models(catalogue)
    if question.model not in models:
        raise UnknownNameError("model", question.model, models, search="breakeven catalogue list models")
    model = models[question.model]
    if model.kind == "encoder":
        raise SpecError(
            f"{question.model} is an encoder: it puts out no tokens",
            expected="a model that generates text",
            do="Plan it with `breakeven compare --task encode`",
        )
    _refuse_figures(question)
    engines = {*ENGINES, *parameters.overheads, *_engines(catalogue)}
    if question.engine not in engines and (not question.engine or _slip(question.engine, engines)):
        raise UnknownNameError("engine", question.engine, engines)
    asked = question.number_format or model.native_format
    number_format = MEASURED_AS.get(asked, asked)
    if number_format not in COMPUTE:
        raise SpecError(f"--format is {asked}", expected=f"one of {', '.join(COMPUTE)}", do="Choose one of them")
    _refuse_context(question, model, catalogue)
    return replace(question, number_format=number_format), model


def _slip(name: str, known: Iterable[str]) -> bool:
    """Whether a name is spelt nearly as a known one; others may be engines that nobody measured."""
    return bool(difflib.get_close_matches(name.lower(), [each.lower() for each in known], cutoff=NEARLY))


def _refuse_figures(question: Question) -> None:
    for name in ("input_tokens", "output_tokens", "concurrency", "rate_per_s", "tensor_parallel"):
        value = getattr(question, name)
        if value is not None and not 0 < value < float("inf"):
            flag = FLAGS.get(name, f"--{name.replace('_', '-')}")
            raise SpecError(f"{flag} is {value:g}", expected="more than 0", do="Correct it")
    if question.concurrency is not None and question.rate_per_s is not None:
        raise SpecError("--concurrency and --rate are both given", expected="one of them", do="Leave one out")


def _refuse_context(question: Question, model: ModelSpec, catalogue: Catalogue) -> None:
    """An encoder and its decoder have a context each; elsewhere prompt and answer share one."""
    row = catalogue.models.get(question.model)
    both = (question.input_tokens, question.output_tokens)
    asked = max(both) if model.kind == "encoder-decoder" else sum(both)
    if row is not None and row.max_context and asked > row.max_context:
        raise SpecError(
            f"{question.model} sees {row.max_context:,} tokens, and {asked:,.0f} are asked for",
            expected="--input-tokens and --output-tokens that it can hold",
            do="Lower them, or choose a model with a longer context",
        )


def _engines(catalogue: Catalogue) -> Mapping[str, Sequence[Engine]]:
    """The catalogue's engines by name, each from its oldest release on."""
    found: dict[str, list[Engine]] = {}
    for row in catalogue.tables.engines:
        found.setdefault(row.name, []).append(row)
    return found


def overheads_of(engine: str, catalogue: Catalogue) -> str:
    """The overhead set of an engine: as plans take it where only the catalogue knows the name."""
    rows = _engines(catalogue).get(engine)
    return rows[-1].overheads if rows and engine not in ENGINES else engine


def device_on(on: str, catalogue: Catalogue, parameters: Parameters) -> tuple[str, int, float]:
    """Under the name of an instance type or of a GPU: the device, how many (8 of a GPU), and the GiB of each.

    Raises:
        UnknownNameError: there is no such instance type or GPU.
        SpecError: it has no accelerator, or one whose datasheet the catalogue does not hold.
    """
    devices = measured_devices(catalogue)
    instance = catalogue.instances.get(on.removeprefix("ml."))
    if instance is not None and not instance.accelerator:
        raise SpecError(
            f"{on} has no accelerator",
            expected="an instance type with one, or a GPU",
            do="Plan encoders on CPUs with `breakeven compare --task encode`",
        )
    name = (instance.accelerator if instance else None) or on
    if name not in devices and name in catalogue.accelerators:
        raise SpecError(
            f"{on}: the bandwidth, the FLOP/s or the memory of {name} is not known",
            expected="a device whose datasheet the catalogue holds",
            do="Choose another one; `breakeven catalogue list accelerators` shows what is known",
        )
    if name not in devices:
        raise UnknownNameError("instance or GPU", on, [*devices, *catalogue.instances])
    memory = devices[name].memory_gib * parameters.ecc_memory_share.get(name, 1.0)
    if instance is None:
        return name, DEVICES_OF_A_GPU, memory
    total, count = instance.accelerator_memory_gib_total, instance.accelerator_count
    return name, count, total / count if total else memory


def degrees(question: Question, model: ModelSpec, count: int, catalogue: Catalogue) -> Sequence[int]:
    """The tensor-parallel degrees to try, smallest first: the one asked for, else those of a machine of ``count``.

    Raises:
        SpecError: the machine has fewer devices.
    """
    asked = question.tensor_parallel
    if asked is None:
        every = sorted({n for n in (1, 2, 4, 8, 16, 32, 64) if n <= count} | {count})
        return [n for n in every if _divides(model, n)] or [1]
    if question.on.removeprefix("ml.") in catalogue.instances and asked > count:
        raise SpecError(
            f"--tensor-parallel is {asked}, and {question.on} has {count} device{'s' if count > 1 else ''}",
            expected=f"{count} or fewer",
            do="Lower it, or choose a larger machine",
        )
    return [asked]


def _divides(model: ModelSpec, degree: int) -> bool:
    return bool(heads_divide(*(np.array([n]) for n in (*heads_of(model), degree)))[0])


def notices(
    question: Question, model: ModelSpec, device: str, catalogue: Catalogue, parameters: Parameters
) -> tuple[str, ...]:
    """What a plan would not do, and this answer does because it was asked for."""
    found = []
    generation = measured_devices(catalogue)[device].generation
    engines = _engines(catalogue)
    if question.engine not in {*ENGINES, *parameters.overheads, *engines}:
        found.append(f"{question.engine} was never measured: no overheads of its own, by datasheet and usual shares")
    named = [f for f in catalogue.tables.formats if MEASURED_AS.get(f.name, f.name) == question.number_format]
    if named and not any(generation in f.generations and (model.experts or not f.experts_only) for f in named):
        what = f"{question.model} in {question.number_format} on {device}"
        found.append(f"no engine of the catalogue runs {what}; plans leave it out")
    stack = stack_of(overheads_of(question.engine, catalogue), question.engine_version)[0]
    known = parameters.evidence.get(("generation", "stack"), {}).get((generation, stack), 0) > 0
    serving = [row for row in catalogue.tables.engines if model.kind in row.serves and generation in row.generations]
    fits = any(row.overheads == stack and question.engine in (row.name, stack) for row in serving)
    told = question.engine in engines or any(row.overheads == stack for row in catalogue.tables.engines)
    if told and not fits and not (known and model.kind == "decoder"):
        newest = {row.name: f"{row.name} {row.version}" for row in serving}
        instead = f"; known to: {', '.join(newest.values())}" if newest else ""
        found.append(f"{stack} is not known to run {question.model} on {device}{instead}")
    if question.tensor_parallel and not _divides(model, question.tensor_parallel):
        heads, kv_heads = heads_of(model)
        found.append(
            f"{heads} attention heads, {kv_heads} of them for keys and values, do not divide over "
            f"{question.tensor_parallel} devices; plans leave it out"
        )
    return tuple(found)
