"""Tables of measurements: read, checked row by row, and turned into columns.

A row that cannot be right (a missing figure, a negative one, faster than memory allows) is told by number and reason; a
model or device that is not known is not an error: the row counts as not covered.
"""

import csv
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from breakeven.catalogue.load import Catalogue
from breakeven.catalogue.schema import ModelSpec
from breakeven.options.columns import Floats, Ints, Mask
from breakeven.performance.engines import ENGINES, stack_of
from breakeven.performance.floors import prompt_floor_s, step_floor_s
from breakeven.performance.hardware import measured_devices, measured_models
from breakeven.performance.held_back import held_back_steps
from breakeven.performance.kinds import ALIKE, DRAWN, DRAWN_MEAN, STUDIED, VARIED, Device, Kinds, Precision, Stack
from breakeven.performance.rows import refuse, rows_in, text_of

MODES = ("static", "closed", "offline", "open")
TARGETS = ("output_tokens_per_s", "ttft_s", "tpot_s")
TEXTS = ("id", "source", "date", "mode", "scenario", "gpu", "model", "compute_format", "engine", "engine_version")
COUNTS = ("tensor_parallel", "data_parallel", "pipeline_parallel", "replicas")
FIGURES = ("weight_bytes_per_param", "kv_bytes_per_element", *COUNTS, "input_tokens", "output_tokens")
USED = "gpus_used"
"""More devices than the degrees multiply to: the layers are spread over them one after another (llama.cpp)."""
MAY_BE_EMPTY = (USED, "concurrency", "request_rate_per_s", "requests", *TARGETS)
COLUMNS = (*TEXTS, *FIGURES, "parallelism_basis", *MAY_BE_EMPTY)
COMPUTE = {"bf16": "bf16", "fp8": "fp8", "fp4": "fp4", "int8": "int8", "w4a16": "bf16", "w8a16": "bf16", "fp32": "fp32"}
INDEPENDENT = "independent.csv"
IMPOSSIBLE = 1.25
"""How much faster than the datasheet's bandwidth a row may be before it is refused: datasheets are rounded."""
LEAST_PART = 1e-6
"""A number this near to a whole one is whole."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Runs:
    """Measured (or asked-for) runs as columns; rows of unknown models or devices have kind -1."""

    kinds: Kinds
    kind: Ints
    mode: Ints
    """Index into ``MODES``."""
    input_tokens: Floats
    output_tokens: Floats
    concurrency: Floats
    """Of the whole system; NaN where none was given."""
    request_rate_per_s: Floats
    requests: Floats
    replicas: Floats
    held_back_steps: Floats
    """Decode steps that a new request waits in the mean before its prompt is read (``held_back``)."""

    @property
    def covered(self) -> Mask:
        """Which rows can be predicted."""
        return self.kind >= 0

    def take(self, rows: Ints) -> "Runs":
        """Some of the rows."""
        columns = {n: getattr(self, n)[rows] for n in self.__slots__ if n != "kinds"}
        return Runs(kinds=self.kinds, **columns)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A table of measurements: its texts, what was observed (NaN: not published), and its runs."""

    texts: dict[str, list[str]]
    observed: dict[str, Floats]
    runs: Runs
    doubted: dict[str, Floats] = field(default_factory=dict)
    """What was published of rows whose figures contradict each other, and is left out of ``observed``."""
    lines: list[int] = field(default_factory=list)
    """Where each row begins in its file (the header is row 1)."""

    @property
    def file(self) -> list[str]:
        """The source file of each row, or its publisher: its id before the colon."""
        return _publishers(self.texts)

    def take(self, rows: Ints) -> "Table":
        """Some of the rows, with no other kinds than theirs. Only covered rows have one."""
        kept, kind = np.unique(self.runs.kind[rows], return_inverse=True)
        return Table(
            texts={name: [column[row] for row in rows] for name, column in self.texts.items()},
            observed={name: column[rows] for name, column in self.observed.items()},
            runs=replace(self.runs.take(rows), kinds=self.runs.kinds.take(kept).pruned(), kind=kind.reshape(-1)),
            doubted={name: column[rows] for name, column in self.doubted.items()},
            lines=[self.lines[row] for row in rows],
        )


def _publishers(texts: dict[str, list[str]]) -> list[str]:
    return [name.split(":")[0] for name in texts["id"]]


def shipped_measurements(catalogue: Catalogue) -> Table:
    """The measurements on which the calibration rests; figures that contradict each other are not among the observed.

    ``data/doubted.csv`` names them with the contradiction.
    """
    return _shipped(catalogue, "measurements.csv")


def all_measurements(catalogue: Catalogue) -> Table:
    """The measurements on which the calibration rests, then those of independent publishers."""
    return _shipped(catalogue, "measurements.csv", INDEPENDENT)


def independent_measurements(catalogue: Catalogue) -> Table:
    """Measurements of publishers that the calibration has never seen, to judge it by (``data/independent.csv``)."""
    return _shipped(catalogue, INDEPENDENT)


def _shipped(catalogue: Catalogue, *names: str) -> Table:
    folder = resources.files("breakeven.performance").joinpath("data")
    texts = [folder.joinpath(name).read_text(encoding="utf-8").splitlines() for name in names]
    lines = [texts[0][0], *(line for text in texts for line in text if line != texts[0][0])]
    table = table_of("\n".join(lines), catalogue, "the shipped table")
    reasons = doubts()
    doubted = np.array([name in reasons for name in table.texts["id"]], dtype=np.bool_)
    apart, kept = ({t: np.where(rows, v, np.nan) for t, v in table.observed.items()} for rows in (doubted, ~doubted))
    return replace(table, observed=kept, doubted=apart)


def fitted_ids() -> set[str]:
    """The ids of the measurements on which the calibration rests; those that contradict each other are not fitted."""
    file = resources.files("breakeven.performance").joinpath("data", "measurements.csv")
    return {row["id"] for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines())} - doubts().keys()


def doubts() -> dict[str, str]:
    """By the id of a shipped row: how its published figures contradict each other or those of its neighbours."""
    file = resources.files("breakeven.performance").joinpath("data", "doubted.csv")
    return {row["id"]: row["reason"] for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines())}


def read_table(path: Path, catalogue: Catalogue) -> Table:
    """A table of measurements from a file.

    Raises:
        SpecError: the file cannot be read, lacks columns, or has rows that cannot be right: number and reason of each.
    """
    return table_of(text_of(path), catalogue, str(path))


def table_of(text: str, catalogue: Catalogue, name: str) -> Table:
    """A table from the text of a CSV file, all rows checked.

    Raises:
        SpecError: columns are missing or rows cannot be right.
    """
    read = rows_in(text, COLUMNS, name)
    rows = read.rows
    wrong: dict[int, str] = {}
    numbers = {c: np.array([_number(r, c, n, wrong) for n, r in enumerate(rows)]) for c in (*FIGURES, *MAY_BE_EMPTY)}
    for n, row in enumerate(rows):
        problem = _out_of_place(row)
        if problem:
            wrong.setdefault(n, problem)
    refuse(wrong, read.lines, name)
    texts = {column: [row[column] or "" for row in rows] for column in TEXTS}
    texts |= _named(texts)
    sources = [name if name in STUDIED else "" for name in _publishers(texts)]
    runs = runs_of(texts, numbers, catalogue, (_lengths(texts, numbers), sources))
    table = Table(texts=texts, observed={t: numbers[t] for t in TARGETS}, runs=runs, lines=read.lines)
    refuse(_impossible(table), read.lines, name)
    return table


def _number(row: dict[str, str], column: str, n: int, wrong: dict[int, str]) -> float:
    text = (row[column] or "").strip()
    if not text and column in MAY_BE_EMPTY:
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        wrong.setdefault(n, f"{column} is {text!r}, not a number" if text else f"{column} is empty")
        return float("nan")
    least = 1.0 if column in COUNTS else 0.0
    never_zero = column not in ("output_tokens", "request_rate_per_s")
    if not np.isfinite(value) or value < least or (value == 0 and never_zero):
        wrong.setdefault(n, f"{column} is {text}, which is not {'1 or more' if least else 'above 0'}")
    elif least and value != round(value):
        wrong.setdefault(n, f"{column} is {text}, which is not a whole number")
    return value


def _named(texts: dict[str, list[str]]) -> dict[str, list[str]]:
    """Engines and versions by the calibration's names, where a row has an engine as people name it."""
    both = [
        stack_of(engine, version) if ENGINES.get(engine, (engine,))[0] != engine else (engine, version)
        for engine, version in zip(texts["engine"], texts["engine_version"], strict=True)
    ]
    return {"engine": [engine for engine, _ in both], "engine_version": [version for _, version in both]}


def _out_of_place(row: dict[str, str]) -> str | None:
    if None in row:
        return "it has more fields than the header"
    if not row["id"]:
        return "id is empty"
    if row["mode"] not in MODES:
        return f"mode is {row['mode']!r}, not one of {', '.join(MODES)}"
    if row["compute_format"] not in COMPUTE:
        return f"compute_format is {row['compute_format']!r}, not one of {', '.join(COMPUTE)}"
    needed = {"static": "concurrency", "closed": "concurrency", "open": "request_rate_per_s"}.get(row["mode"])
    if needed and not (row[needed] or "").strip().strip("0."):
        return f"a run of mode {row['mode']} needs {needed}"
    return None


def _impossible(table: Table) -> dict[int, str]:
    """Rows faster than the datasheet allows: a token needs the weights read once, and output its multiplications."""
    runs, on = table.runs, np.flatnonzero(table.runs.covered)
    kind = runs.kind[on]
    floor_s = step_floor_s(runs.kinds, kind) / IMPOSSIBLE
    found: dict[int, str] = {}
    for target in ("tpot_s", "ttft_s"):
        told = table.observed[target][on]
        for i in np.flatnonzero(told < floor_s):
            why = f"{target} is {told[i]:g}, but reading the weights once takes {floor_s[i]:.2g} s"
            found.setdefault(int(on[i]), why)
    each_s = prompt_floor_s(runs.kinds, kind, np.ones(len(on))) / IMPOSSIBLE
    by_memory, by_compute = runs.concurrency[on] / floor_s, runs.replicas[on] / each_s
    told = table.observed["output_tokens_per_s"][on]
    for most, what in ((by_memory, "memory allows"), (by_compute, "its multiplications allow")):
        for i in np.flatnonzero(told > most):
            found.setdefault(int(on[i]), f"output_tokens_per_s is {told[i]:g}, but {what} at most {most[i]:.3g}")
    return found


def _lengths(texts: dict[str, list[str]], numbers: dict[str, Floats]) -> list[str]:
    """How the lengths of a closed run's requests differ, as its means tell.

    All the same where the means are whole, because the mean over varied lengths is hardly ever a whole number; drawn
    up to a nominal length where they are nine tenths of a whole number.
    """
    means = np.stack([numbers["input_tokens"], numbers["output_tokens"]])
    nominal = means / DRAWN_MEAN
    same, drawn = (np.all(np.abs(x - np.round(x)) < LEAST_PART, axis=0) for x in (means, nominal))
    names = np.where(same, ALIKE, np.where(drawn, DRAWN, VARIED))
    return [str(n) if mode == "closed" else VARIED for n, mode in zip(names, texts["mode"], strict=True)]


def runs_of(
    texts: dict[str, list[str]],
    numbers: dict[str, Floats],
    catalogue: Catalogue,
    told: tuple[list[str], list[str]] | None = None,
) -> Runs:
    """Columns of runs; equal combinations of model, device, format, stack and parallelism share one kind.

    ``told``: how the lengths of each run's requests differ, and the source of the calibration that measured it; else
    varied, as a user's do, and none.
    """
    lengths, publishers = told or ([VARIED] * len(texts["id"]), [""] * len(texts["id"]))
    models, devices = measured_models(catalogue), measured_devices(catalogue)
    models = {name: row for name, row in models.items() if row.kind != "encoder"}  # they put out no tokens
    pool = _Pool()
    degrees = [numbers[c] for c in ("tensor_parallel", "data_parallel")] + [_stages(numbers)]
    kind = [
        pool.kind(
            models.get(texts["model"][n]),
            devices.get(texts["gpu"][n]),
            (texts["compute_format"][n], numbers["weight_bytes_per_param"][n], numbers["kv_bytes_per_element"][n]),
            (
                *(texts["engine"][n], texts["engine_version"][n], f"{texts['mode'][n]} {texts['scenario'][n]}".strip()),
                *(lengths[n], publishers[n]),
            ),
            tuple(float(d[n]) for d in degrees),
        )
        for n in range(len(texts["id"]))
    ]
    return Runs(
        kinds=pool.kinds(),
        kind=np.array(kind, dtype=np.int64),
        mode=np.array([MODES.index(m) for m in texts["mode"]], dtype=np.int64),
        input_tokens=numbers["input_tokens"],
        output_tokens=numbers["output_tokens"],
        concurrency=numbers["concurrency"],
        request_rate_per_s=numbers["request_rate_per_s"],
        requests=numbers["requests"],
        replicas=numbers["replicas"],
        held_back_steps=held_back_steps(publishers, texts, numbers),
    )


def _stages(numbers: dict[str, Floats]) -> Floats:
    """Pipeline stages, and where more devices were used than the degrees multiply to, those that layers lie on."""
    stages = numbers["pipeline_parallel"]
    apart = numbers[USED] / (numbers["tensor_parallel"] * numbers["data_parallel"] * stages * numbers["replicas"])
    found: Floats = stages * np.where(apart > 1, np.maximum(np.floor(apart), 1.0), 1.0)
    return found


class _Pool:
    """Distinct models, devices, formats and stacks, and the combinations seen."""

    def __init__(self) -> None:
        self._models: dict[ModelSpec, int] = {}
        self._devices: dict[str, tuple[int, Device]] = {}
        self._precisions: dict[Precision, int] = {}
        self._stacks: dict[Stack, int] = {}
        self._seen: dict[tuple[Any, ...], int] = {}
        self._rows: list[tuple[float, ...]] = []

    def kind(
        self,
        model: ModelSpec | None,
        device: Device | None,
        number_format: tuple[str, float, float],
        stack: tuple[str, str, str, str, str],
        degrees: tuple[float, ...],
    ) -> int:
        if model is None or device is None:
            return -1
        key = (model.name, device.name, number_format, stack, degrees)
        if key not in self._seen:
            name, weight, kv = number_format
            engine, version, mode, lengths, publisher = stack
            precision = Precision(
                name=name,
                compute=COMPUTE[name],
                weight_bytes=float(weight),
                kv_bytes=float(kv),
                experts_only=weight < 1 and model.native_format in ("mxfp4", "int4-experts"),
            )
            place = self._devices.setdefault(device.name, (len(self._devices), device))
            found = (
                self._models.setdefault(model, len(self._models)),
                place[0],
                self._precisions.setdefault(precision, len(self._precisions)),
                self._stacks.setdefault(
                    Stack(name=engine, version=version, mode=mode, lengths=lengths, publisher=publisher),
                    len(self._stacks),
                ),
            )
            self._seen[key] = len(self._seen)
            self._rows.append((*found, *degrees))
        return self._seen[key]

    def kinds(self) -> Kinds:
        columns = np.array(self._rows, dtype=np.float64).reshape(-1, 7).T
        indices = [column.astype(np.int64) for column in columns[:4]]
        return Kinds(
            models=tuple(self._models),
            devices=tuple(device for _, device in self._devices.values()),
            precisions=tuple(self._precisions),
            stacks=tuple(self._stacks),
            model=indices[0],
            device=indices[1],
            precision=indices[2],
            stack=indices[3],
            tensor_parallel=columns[4],
            data_parallel=columns[5],
            pipeline_parallel=columns[6],
        )
