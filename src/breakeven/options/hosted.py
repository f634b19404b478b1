"""Self-hosted options: open model x number format x hardware, as columns, and what cannot be.

A row of the grid is a replica: a model in a number format on a kind of hardware. Each row stands for as many
options as there are priced ways to rent that hardware.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np

from breakeven.catalogue.load import Catalogue, Snapshot
from breakeven.catalogue.schema import Engine, ModelSpec, NumberFormat
from breakeven.options.api import SAFE_CONTEXT_TOKENS, below_floor, matches, unknown_quality
from breakeven.options.columns import Floats, Ints, Mask
from breakeven.options.machines import Fleet, Hardware, fleet, known_on, no_fleet
from breakeven.options.names import UNKNOWN_LICENCE
from breakeven.options.quality import Quality
from breakeven.options.ruling import About, Ruling
from breakeven.wording import worded
from breakeven.workload.policy import Policy
from breakeven.workload.profile import Workload

NARROW_FORMATS = {
    "bf16": ("bf16", "fp8", "int8", "int4"),
    "fp8": ("fp8", "int4"),
    "mxfp4": ("mxfp4",),
    "int4-experts": ("int4-experts",),
}
"""Formats offered by the format in which a model was published: that one and narrower ones."""
OTHER_FORMATS = ("bf16", "w8a16")
"""Formats of encoders and encoder-decoders."""
CPU_FORMATS = ("fp32", "bf16")
WIDE_BITS = 8.0
"""A score measured on the published weights is taken to hold down to this many bits a weight, not below."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostedGrid:
    """Columns, one row a replica kind; ``alive`` says which rows still compete."""

    models: tuple[ModelSpec, ...]
    formats: tuple[NumberFormat, ...]
    engines: tuple[Engine, ...]
    fleet: Fleet
    model: Ints
    number_format: Ints
    hardware: Ints
    engine: Ints
    """-1 where no engine of the day serves the model on the hardware."""
    score: Floats
    weight: Ints
    """How many options a row stands for."""
    alive: Mask

    def words(self, row: int) -> str:
        """A row in words."""
        hardware = self.fleet.hardware[self.hardware[row]]
        degree = f" x{hardware.tensor_parallel}" if hardware.tensor_parallel > 1 else ""
        return worded(
            "{model} {format} on {device}{degree}",
            model=self.models[self.model[row]].name,
            format=self.formats[self.number_format[row]].name,
            device=hardware.device,
            degree=degree,
        )


def hosted_grid(
    catalogue: Catalogue,
    snapshot: Snapshot,
    workload: Workload,
    policy: Policy,
    quality: Quality,
    ruling: Ruling,
) -> HostedGrid:
    """The grid of the narrowing, with everything ruled out that the catalogue's facts alone rule out."""
    models = _models(catalogue, policy)
    formats = tuple(row for row in catalogue.tables.formats if matches(row.name, policy.only.formats))
    hosting = not policy.only.kinds or "hosted" in policy.only.kinds
    machines = fleet(catalogue, snapshot, policy, workload.slo) if hosting else no_fleet()
    model, number_format, hardware = _cross(models, formats, machines.hardware)
    engines, newest = _engines(catalogue, snapshot.as_of, models, formats, machines)
    scores = np.array([quality.score(row.name) for row in models])
    grid = HostedGrid(
        models=models,
        formats=formats,
        engines=engines,
        fleet=machines,
        model=model,
        number_format=number_format,
        hardware=hardware,
        engine=newest[model, number_format, hardware],
        score=_scores(scores, models, formats, model, number_format),
        weight=np.array([len(pairs) for pairs in machines.carriers], dtype=np.int64)[hardware],
        alive=np.ones(len(model), dtype=np.bool_),
    )
    return _ruled(grid, snapshot.as_of, first_sure_day(catalogue), workload, quality, ruling)


def _models(catalogue: Catalogue, policy: Policy) -> tuple[ModelSpec, ...]:
    return tuple(
        row
        for row in catalogue.models.values()
        if matches(row.name, policy.only.models) and matches(row.licence or UNKNOWN_LICENCE, policy.only.licences)
    )


def _cross(
    models: tuple[ModelSpec, ...], formats: tuple[NumberFormat, ...], hardware: tuple[Hardware, ...]
) -> tuple[Ints, Ints, Ints]:
    """Every model in every format worth considering, on every kind of hardware: three columns."""
    names = {row.name: number for number, row in enumerate(formats)}
    is_cpu = np.array([row.accelerator is None for row in hardware], dtype=np.bool_)
    pairs: dict[bool, list[tuple[int, int]]] = {False: [], True: []}
    for number, row in enumerate(models):
        narrow = NARROW_FORMATS[row.native_format] if row.kind == "decoder" else OTHER_FORMATS
        pairs[False] += [(number, names[f]) for f in narrow if f in names]
        pairs[True] += [(number, names[f]) for f in CPU_FORMATS if f in names]
    columns: list[Ints] = []
    for on_cpu, found in pairs.items():
        where = np.flatnonzero(is_cpu == on_cpu)
        table = np.array(found, dtype=np.int64).reshape(-1, 2)
        crossed = np.empty((len(table) * len(where), 3), dtype=np.int64)
        crossed[:, :2] = np.repeat(table, len(where), axis=0)
        crossed[:, 2] = np.tile(where, len(table))
        columns.append(crossed)
    joined = np.concatenate(columns)
    return joined[:, 0], joined[:, 1], joined[:, 2]


def _engines(
    catalogue: Catalogue, as_of: date, models: tuple[ModelSpec, ...], formats: tuple[NumberFormat, ...], fleet: Fleet
) -> tuple[tuple[Engine, ...], Ints]:
    """The engines of the day, and the newest that serves each model in each format on each hardware (-1: none).

    The table is models x formats x hardware.
    """
    engines = tuple(sorted((e for e in catalogue.tables.engines if e.released <= as_of), key=lambda e: e.released))
    best = np.full((len(models), len(formats), len(fleet.hardware)), -1, dtype=np.int64)
    for number, engine in enumerate(engines):
        serves = [m.kind in engine.serves and m.family in (engine.families or (m.family,)) for m in models]
        runs = [f.name in engine.formats for f in formats]
        on = [h.generation in engine.generations for h in fleet.hardware]
        best[np.ix_(np.flatnonzero(serves), np.flatnonzero(runs), np.flatnonzero(on))] = number
    return engines, best


def _scores(
    scores: Floats,
    models: tuple[ModelSpec, ...],
    formats: tuple[NumberFormat, ...],
    model: Ints,
    number_format: Ints,
) -> Floats:
    """The score of each row: the model's, unknown where the format is narrower than the score vouches for."""
    holds = vouched(models, formats)[model, number_format] if len(model) else np.empty(0, dtype=np.bool_)
    return np.where(holds, scores[model] if len(model) else 0.0, np.nan)


def vouched(models: tuple[ModelSpec, ...], formats: tuple[NumberFormat, ...]) -> Mask:
    """Models x formats: whether what was measured on the published weights is taken to hold in that format."""
    native = np.array([[row.native_format == f.name for f in formats] for row in models], dtype=np.bool_)
    wide = np.array([f.weight_bits >= WIDE_BITS for f in formats], dtype=np.bool_)
    holds: Mask = native.reshape(len(models), len(formats)) | wide
    return holds


def _ruled(
    grid: HostedGrid, as_of: date, sure: date, workload: Workload, quality: Quality, ruling: Ruling
) -> HostedGrid:
    """Rule out, in this order, what needs no arithmetic on speed."""
    alive = grid.alive

    def by_model(
        because: str,
        out: Callable[[ModelSpec], bool],
        detail: Callable[[ModelSpec], str],
        about: About = "catalogue",
    ) -> Mask:
        hit = np.array([out(row) for row in grid.models], dtype=np.bool_)
        return ruling.exclude(
            alive,
            hit[grid.model],
            because,
            lambda row: _with_detail(grid.models[grid.model[row]].name, detail(grid.models[grid.model[row]])),
            grid.weight,
            about=about,
        )

    kinds = ("decoder", "encoder-decoder") if workload.task == "generate" else ("encoder",)
    task = "generate text" if workload.task == "generate" else "encode text into vectors or labels"
    alive = by_model(worded("the model does not {task}", task=task), lambda m: m.kind not in kinds, lambda m: m.kind)
    alive = by_model("the weights are not public", lambda m: m.weights_public is False, lambda _: "")
    alive = by_model("parameter count not known", lambda m: m.params_total is None, lambda _: "")
    alive = by_model(
        worded("not released by {as_of}, or its release date is not known", as_of=as_of),
        lambda m: not known_on(m.released or sure, as_of),
        lambda m: worded("released {day}", day=m.released) if m.released else "release date not known",
    )
    longest = workload.mix.longest_tokens
    alive = by_model(
        "context too short",
        lambda m: longest > (m.max_context or longest),
        lambda m: worded("{most:,} tokens against {longest:,.0f}", most=m.max_context, longest=longest),
        "workload",
    )
    alive = by_model(
        "context length not known",
        lambda m: m.max_context is None and longest > SAFE_CONTEXT_TOKENS,
        lambda _: worded("{known} against {longest:,.0f}", known="not known", longest=longest),
        "workload",
    )
    alive = _ruled_by_hardware(grid, alive, ruling)
    if quality.floor is not None:
        alive = _ruled_by_quality(grid, alive, quality, ruling)
    return HostedGrid(**{name: getattr(grid, name) for name in HostedGrid.__slots__} | {"alive": alive})


def _with_detail(name: str, detail: str) -> str:
    return worded("{name}: {detail}", name=name, detail=detail) if detail else name


def first_sure_day(catalogue: Catalogue) -> date:
    """From this day on a model of unknown release date is taken to be out: the newest known release."""
    return max(row.released for row in catalogue.models.values() if row.released)


def _ruled_by_hardware(grid: HostedGrid, alive: Mask, ruling: Ruling) -> Mask:
    hardware, formats = grid.fleet.hardware, grid.formats

    def describe(row: int) -> str:
        device = hardware[grid.hardware[row]].device
        return worded(
            "{format} on {device} ({model})",
            format=formats[grid.number_format[row]].name,
            device=device,
            model=grid.models[grid.model[row]].name,
        )

    unknown = np.array([_datasheet_gap(row) for row in hardware], dtype=np.bool_)[grid.hardware]
    alive = ruling.exclude(alive, unknown, "datasheet figure not known", grid.words, grid.weight, about="catalogue")
    runs = np.array([[_runs(f, h) for h in hardware] for f in formats], dtype=np.bool_)
    for number, number_format in enumerate(formats):
        lacks = (grid.number_format == number) & ~runs[number, grid.hardware]
        alive = ruling.exclude(
            alive,
            lacks,
            worded("no {format} on this hardware", format=number_format.name),
            describe,
            grid.weight,
            about="catalogue",
        )
    alive = ruling.exclude(
        alive,
        grid.engine < 0,
        "no serving engine of the day runs it on this hardware",
        grid.words,
        grid.weight,
        about="catalogue",
    )
    degree = np.array([row.tensor_parallel for row in hardware], dtype=np.int64)[grid.hardware]
    by_model = np.array([heads_of(m) for m in grid.models], dtype=np.int64).reshape(-1, 2)
    heads, kv_heads = by_model[grid.model].T
    return ruling.exclude(
        alive,
        ~heads_divide(heads, kv_heads, degree),
        "attention heads do not divide over the devices",
        lambda row: worded(
            "{option}: {heads} heads, {kv_heads} of them for keys and values",
            option=grid.words(row),
            heads=heads[row],
            kv_heads=kv_heads[row],
        ),
        grid.weight,
        about="catalogue",
    )


def heads_of(model: ModelSpec) -> tuple[int, int]:
    """Query heads of a layer, and heads of its KV cache: one where a latent is kept."""
    return max(model.attention_heads, 1), 1 if model.latent_kv else max(model.kv_heads, 1)


def heads_divide(heads: Ints, kv_heads: Ints, degree: Ints) -> Mask:
    """Whether heads divide over so many devices: those of the KV cache too, or devices over them, which share one."""
    found: Mask = (heads % degree == 0) & ((kv_heads % degree == 0) | (degree % kv_heads == 0))
    return found


def _datasheet_gap(hardware: Hardware) -> bool:
    if hardware.accelerator:
        read = (hardware.accelerator.bandwidth_gb_per_s, hardware.accelerator.bf16_dense_tflops)
        return not (all(read) and hardware.memory_gib_per_device)
    cpu = hardware.cpu
    return cpu is None or not (
        cpu.memory_bandwidth_gb_per_s and cpu.cores_per_socket and cpu.clock_ghz and cpu.fp32_flops_per_core_per_cycle
    )


def _runs(number_format: NumberFormat, hardware: Hardware) -> bool:
    if hardware.accelerator is None:
        if number_format.compute == "bf16":
            return bool(hardware.cpu and hardware.cpu.bf16_flops_per_core_per_cycle)
        return "cpu" in number_format.generations
    rate = {
        "fp8": hardware.accelerator.fp8_dense_tflops,
        "int8": hardware.accelerator.int8_dense_tops,
    }.get(number_format.compute, hardware.accelerator.bf16_dense_tflops)
    return bool(rate) and hardware.generation in number_format.generations


def _ruled_by_quality(grid: HostedGrid, alive: Mask, quality: Quality, ruling: Ruling) -> Mask:
    """An unknown score never passes the floor, nor one below it."""

    def variant(row: int) -> str:
        return f"{grid.models[grid.model[row]].name} {grid.formats[grid.number_format[row]].name}"

    unknown = np.isnan(grid.score)
    alive = ruling.exclude(alive, unknown, unknown_quality(quality), variant, grid.weight)
    below = ~unknown & (grid.score < (quality.floor or 0.0))
    return ruling.exclude(
        alive, below, below_floor(quality), lambda row: f"{variant(row)}: {grid.score[row]:g}", grid.weight
    )
