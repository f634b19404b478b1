"""Published starts of engines: how much memory an engine keeps, fitted, and judged on held-out (GPU, model) pairs."""

import csv
from collections import Counter
from dataclasses import dataclass
from importlib import resources

import numpy as np

from banding import STATED
from breakeven.catalogue.load import Catalogue
from breakeven.catalogue.schema import ModelSpec
from breakeven.options.columns import Floats, Ints, Mask
from breakeven.performance.attention import kv_bytes
from breakeven.performance.calibration import typical_parameters
from breakeven.performance.grid import precision_of
from breakeven.performance.hardware import measured_models
from breakeven.performance.kinds import WIDE_BYTES, weight_bytes
from breakeven.performance.overhead import HIDDEN_SIZE, MEMORY_GIB
from breakeven.units import BYTES_PER_GIB

SHAPE = ("gib", "memory", "hidden", "devices", "mixture")
RIDGE = 0.5
"""Weight of the prior (exponents 0, factors 1; any scale) beside the rows."""
TURN = 0.1
"""Where a log error begins to count by its size instead of its square."""
LEAST_GIB = 0.3
"""Less than that is rounding of memory sizes, not overhead."""
ROUNDS = 50
FOLDS = 5
SEVERAL = 3
"""Starts that an engine needs for a factor of its own."""
MANY = 10
"""Starts that an engine needs for a band of its own."""
SEEDS = 20
"""Ways to deal the pairs into folds: what is told is the mean over all of them."""
WHOLE = 10.0
"""So many starts of an engine count as much for the spread of its band as all others together."""
LEAST_SPREAD = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Starts:
    """Columns, one row a start; GiB are of one device."""

    groups: tuple[str, ...]
    """The (GPU, model) pair of each."""
    engines: tuple[str, ...]
    columns: Floats
    """What the logarithm of ``gib`` and the exponents of ``SHAPE`` are multiplied with."""
    budget_gib: Floats
    """What the engine was told it may use, less the weights."""
    kv_gib: Floats
    """What was left for the KV cache."""

    @property
    def weight(self) -> Floats:
        """N starts of one engine with one pair count as the root of n."""
        keys = [f"{group} | {engine}" for group, engine in zip(self.groups, self.engines, strict=True)]
        size = Counter(keys)
        return np.array([size[key] ** -0.5 for key in keys])

    @property
    def overhead_gib(self) -> Floats:
        """What the engine kept."""
        found: Floats = np.maximum(self.budget_gib - self.kv_gib, LEAST_GIB)
        return found


def shipped_starts(catalogue: Catalogue) -> Starts:
    """``data/starts.csv``: the memory told, the weights by the catalogue, and the cache by its tokens."""
    file = resources.files("breakeven.performance").joinpath("data", "starts.csv")
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    models, formats = measured_models(catalogue), {row.name: row for row in catalogue.tables.formats}
    columns, budget, left = [], [], []
    for row in rows:
        model, devices = models[row["model"]], float(row["tensor_parallel"])
        memory = float(row["memory_gib"])
        weights = float(weight_bytes([model], [precision_of(formats[row["number_format"]])])[0][0, 0]) / devices
        budget.append(memory * float(row["memory_setting"]) - weights / BYTES_PER_GIB)
        left.append(_cache_gib(row, model, devices))
        wide, many = np.log(model.hidden_size / HIDDEN_SIZE), np.log(devices)
        columns.append((1.0, np.log(memory / MEMORY_GIB), wide, many, many * (model.experts > 0)))
    return Starts(
        groups=tuple(f"{row['gpu']} | {row['model']}" for row in rows),
        engines=tuple(row["engine"] for row in rows),
        columns=np.array(columns),
        budget_gib=np.array(budget),
        kv_gib=np.array(left),
    )


def _cache_gib(row: dict[str, str], model: ModelSpec, devices: float) -> float:
    shards = min(devices, 1 if model.latent_kv else max(model.kv_heads, 1))
    width = float(row["kv_bytes_per_element"]) / WIDE_BYTES
    return float(kv_bytes(model, float(row["kv_tokens"]))) * width / shards / BYTES_PER_GIB


def fitted(starts: Starts) -> dict[str, dict[str, float]]:
    """The two tables of the parameters, the band still missing: robust least squares of the logarithm, shrunk."""
    engines = [e for e, n in sorted(Counter(starts.engines).items()) if n >= SEVERAL]
    design = np.column_stack([starts.columns, *(np.array(starts.engines) == engine for engine in engines)])
    target, weight = np.log(starts.overhead_gib), starts.weight
    ridge = np.array([0.0, *[RIDGE] * (design.shape[1] - 1)])
    found: Floats = np.zeros(design.shape[1])
    for _ in range(ROUNDS):
        told = weight / np.maximum(np.abs(target - design @ found), TURN)
        normal = design.T @ (design * told[:, None]) + np.diag(ridge)
        found = np.asarray(np.linalg.solve(normal, design.T @ (told * target)), dtype=np.float64)
    shape = dict(zip(SHAPE, found[: len(SHAPE)].tolist(), strict=True))
    shape["gib"] = float(np.exp(shape["gib"]))
    factors = np.exp(found[len(SHAPE) :]).tolist()
    return {"overhead": shape, "engine_overhead": dict(zip(engines, factors, strict=True))}


def expected_gib(starts: Starts, told: dict[str, dict[str, float]]) -> Floats:
    """The overhead of every start by the tables."""
    logs = np.array([np.log(told["overhead"]["gib"]), *(told["overhead"][name] for name in SHAPE[1:])])
    factor = np.array([told["engine_overhead"].get(engine, 1.0) for engine in starts.engines])
    found: Floats = np.exp(starts.columns @ logs) * factor
    return found


def folds_of(starts: Starts, seed: int = 1) -> Ints:
    """Whole (GPU, model) pairs in one fold each."""
    groups = sorted(set(starts.groups))
    order = np.random.default_rng(seed).permutation(len(groups)) % FOLDS
    fold = dict(zip(groups, order.tolist(), strict=True))
    return np.array([fold[group] for group in starts.groups])


def held_out_logs(starts: Starts, parts: Ints) -> Floats:
    """The logarithm of the overhead kept over that expected, each part by a fit on the others."""
    logs = np.zeros(len(parts))
    for part in np.unique(parts):
        mine = parts == part
        logs[mine] = np.log(starts.overhead_gib / expected_gib(starts, fitted(_taken(starts, ~mine))))[mine]
    return logs


def ends_of(starts: Starts) -> tuple[dict[str, float], dict[str, float]]:
    """Both ends of the 80 % band in the logarithm, seen engines and others; how much wider it is for each engine."""
    names, of_engine = np.unique(starts.engines, return_inverse=True)
    logs = np.concatenate([held_out_logs(starts, folds_of(starts, seed)) for seed in range(SEEDS)])
    weight, engine = np.tile(starts.weight, SEEDS), np.tile(of_engine, SEEDS)
    outside = (1 - STATED) / 2
    low, high = _quantile(logs, weight, outside), _quantile(logs, weight, 1 - outside)
    far = logs / np.where(logs < 0, low, high)
    spread = {}
    for n, name in enumerate(names.tolist()):
        mine, count = engine == n, starts.engines.count(name)
        if count >= MANY:
            own = np.log(max(_quantile(far[mine], weight[mine], STATED), LEAST_SPREAD))
            spread[name] = float(np.exp(own * count / (count + WHOLE)))
    other = _quantile(np.abs(held_out_logs(starts, of_engine)), starts.weight, STATED)
    return {"low": low, "high": high, "low_unknown": min(low, -other), "high_unknown": max(high, other)}, spread


def _quantile(values: Floats, weight: Floats, share: float) -> float:
    """The value up to which ``share`` of the weight lies."""
    order = np.argsort(values)
    reached = np.cumsum(weight[order]) - weight[order] / 2
    return float(np.interp(share * weight.sum(), reached, values[order]))


def _taken(starts: Starts, rows: Mask) -> Starts:
    kept = np.flatnonzero(rows).tolist()
    return Starts(
        groups=tuple(starts.groups[n] for n in kept),
        engines=tuple(starts.engines[n] for n in kept),
        columns=starts.columns[rows],
        budget_gib=starts.budget_gib[rows],
        kv_gib=starts.kv_gib[rows],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How well the room for KV cache of held-out starts was told, as |predicted / printed - 1|."""

    part: str
    starts: int
    pairs: int
    median: float
    mean: float
    bias: float
    assumed_median: float
    """With the overhead that was assumed before any start was seen."""
    assumed_mean: float
    inside: float
    """Share of the starts inside the band, n of one pair counted as the root of n."""


def judged_starts(starts: Starts) -> tuple[Room, ...]:
    """In total and by engine; fit and band of each fold come from the other folds, dealt in several ways."""
    expected, inside = zip(*(_held_out(starts, folds_of(starts, seed)) for seed in range(SEEDS)), strict=True)
    judged = np.stack(expected), np.stack(inside)
    engines = np.array(starts.engines)
    parts = [("all", np.full(len(engines), True)), *((e, engines == e) for e in sorted(set(starts.engines)))]
    return tuple(_room(name, starts, rows, judged) for name, rows in parts)


def _held_out(starts: Starts, folds: Ints) -> tuple[Floats, Mask]:
    """The overhead expected of each start by the other folds, and whether what it kept lies in their band."""
    logs = held_out_logs(starts, folds)
    inside = np.zeros(len(folds), dtype=np.bool_)
    for fold in np.unique(folds):
        (ends, spread), mine = ends_of(_taken(starts, folds != fold)), folds == fold
        for n in np.flatnonzero(mine):
            kind, wider = ("", spread[starts.engines[n]]) if starts.engines[n] in spread else ("_unknown", 1.0)
            inside[n] = ends[f"low{kind}"] * wider <= logs[n] <= ends[f"high{kind}"] * wider
    return starts.overhead_gib / np.exp(logs), inside


def _room(name: str, starts: Starts, rows: Mask, judged: tuple[Floats, Mask]) -> Room:
    expected, inside = judged

    def ratio(overhead: Floats) -> Floats:
        found: Floats = (np.maximum(starts.budget_gib - overhead, 0.0) / starts.kv_gib)[..., rows]
        return found

    found = ratio(expected)
    before = np.abs(ratio(np.full(len(rows), typical_parameters().tuned_overhead_gib)) - 1)
    return Room(
        part=name,
        starts=int(rows.sum()),
        pairs=len({starts.groups[n] for n in np.flatnonzero(rows)}),
        median=float(np.median(np.abs(found - 1))),
        mean=float(np.abs(found - 1).mean()),
        bias=float(np.median(found) - 1),
        assumed_median=float(np.median(before)),
        assumed_mean=float(before.mean()),
        inside=float(np.average(inside[:, rows].mean(axis=0), weights=starts.weight[rows])),
    )


def overhead_text(catalogue: Catalogue) -> str:
    """The three tables as the file of the parameters holds them."""
    starts = shipped_starts(catalogue)
    told = fitted(starts)
    ends, spread = ends_of(starts)
    told["overhead"] |= ends
    told["engine_overhead_spread"] = spread
    seen = f"{len(starts.groups)} starts of {len(set(starts.groups))} (GPU, model) pairs, data/starts.csv"
    lines = [f"# What an engine keeps of a device's memory (overhead.py): {seen}.", ""]
    for table, values in told.items():
        lines += [f"[{table}]", *(f'"{name}" = {value:.4f}' for name, value in values.items()), ""]
    return "\n".join(lines)
