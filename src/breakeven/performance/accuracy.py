"""How good predictions were: coverage, errors, bias and the share inside the band, in total and for every part."""

import math
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from breakeven.options.columns import Floats, Mask
from breakeven.performance.kinds import shape_of
from breakeven.performance.measured import TARGETS, Table

MIXTURES = ("experts", "latent", "linear")


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The errors of one target over some rows, as shares: |predicted / measured - 1|.

    ``bias`` is the median of log(predicted / measured). ``None`` where no row has the figure.
    """

    measured: int
    predicted: int
    median_absolute_error: float | None
    mean_absolute_error: float | None
    bias: float | None
    inside_band: float | None


def lies_above(bias: float | None) -> float | None:
    """A bias as people read it: by how much the middle prediction lies above what was measured, as a share.

    >>> lies_above(0.0), lies_above(None)
    (0.0, None)
    """
    return None if bias is None else math.expm1(bias)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The scores of some rows of a table."""

    by: str
    part: str
    rows: int
    covered: int
    scores: dict[str, Score]


class Banded(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions of one target with their 80 % band; NaN where a row is not covered."""

    mid: Floats
    low: Floats
    high: Floats


def parts_of(table: Table, predicted: dict[str, Banded]) -> tuple[Part, ...]:
    """Scores in total, and for each source file, mode, generation, and for dense models and mixtures of experts."""
    return tuple(
        _part(by, name, rows, table, predicted) for by, name, rows in _slices(table) if rows.any() or by == "total"
    )


def _slices(table: Table) -> Iterator[tuple[str, str, Mask]]:
    yield "total", "all", np.ones(len(table.runs.kind), dtype=np.bool_)
    columns: dict[str, Sequence[str]] = {
        "file": table.file,
        "mode": table.texts["mode"],
        "generation": _of_kind(table, "generation"),
        "network": ["mixture" if name in MIXTURES else name for name in _of_kind(table, "shape")],
    }
    for by, names in columns.items():
        for name in sorted(set(names)):
            yield by, name, np.array([n == name for n in names], dtype=np.bool_)


def _of_kind(table: Table, what: str) -> list[str]:
    kinds = table.runs.kinds
    told = [
        kinds.devices[d].generation if what == "generation" else shape_of(kinds.models[m])
        for d, m in zip(kinds.device, kinds.model, strict=True)
    ]
    return [told[k] if k >= 0 else "not covered" for k in table.runs.kind]


def _part(by: str, name: str, rows: Mask, table: Table, predicted: dict[str, Banded]) -> Part:
    scores = {t: score(predicted[t], table.observed[t], rows) for t in TARGETS}
    return Part(
        by=by,
        part=name,
        rows=int(rows.sum()),
        covered=int((rows & table.runs.covered).sum()),
        scores=scores,
    )


def score(predicted: Banded, observed: Floats, rows: Mask) -> Score:
    """The errors of one target over the chosen rows that have the figure."""
    has = rows & np.isfinite(observed)
    used = has & np.isfinite(predicted.mid)
    if not used.any():
        return Score(
            measured=int(has.sum()),
            predicted=0,
            median_absolute_error=None,
            mean_absolute_error=None,
            bias=None,
            inside_band=None,
        )
    ratio = predicted.mid[used] / observed[used]
    inside = (predicted.low[used] <= observed[used]) & (observed[used] <= predicted.high[used])
    error = np.abs(ratio - 1)
    return Score(
        measured=int(has.sum()),
        predicted=int(used.sum()),
        median_absolute_error=float(np.median(error)),
        mean_absolute_error=float(error.mean()),
        bias=float(np.median(np.log(ratio))),
        inside_band=float(inside.mean()) if np.isfinite(predicted.low[used]).any() else None,
    )


class Regret(msgspec.Struct, frozen=True, kw_only=True):
    """How much dearer the predicted choice was than the best one: shares, over works with several choices."""

    works: int
    mean: float | None
    p90: float | None


def regrets(table: Table, tokens_per_s: Floats, usd_per_device_hour: dict[str, float]) -> dict[str, Regret]:
    """Dollar regret of choosing by prediction among rows that serve the same work.

    The same work: model, input, output, mode, scenario, concurrency and rate. ``configuration``: among all rows;
    ``device``: each device type at the row predicted to be its cheapest.
    """
    price = np.array([usd_per_device_hour.get(gpu, np.nan) for gpu in table.texts["gpu"]])
    devices, on = np.full(len(price), np.nan), table.runs.covered
    kinds, kind = table.runs.kinds, table.runs.kind[on]
    ranks = kinds.tensor_parallel * kinds.data_parallel * kinds.pipeline_parallel
    devices[on] = ranks[kind] * table.runs.replicas[on]
    real = price * devices / table.observed["output_tokens_per_s"]
    told = price * devices / tokens_per_s
    usable = np.flatnonzero(np.isfinite(real) & np.isfinite(told))
    works: dict[tuple[object, ...], list[int]] = {}
    for row in usable:
        works.setdefault(_work(table, int(row)), []).append(int(row))
    several = [rows for rows in works.values() if len(rows) > 1]
    by_device = [_cheapest_of_each(rows, table.texts["gpu"], told) for rows in several]
    return {
        "configuration": _regret(several, real, told),
        "device": _regret([rows for rows in by_device if len(rows) > 1], real, told),
    }


def _work(table: Table, row: int) -> tuple[object, ...]:
    runs = table.runs
    figures = (runs.input_tokens, runs.output_tokens, runs.concurrency, runs.request_rate_per_s)
    return (
        *(table.texts[c][row] for c in ("model", "mode", "scenario")),
        *(str(round(float(f[row]), 1)) for f in figures),
    )


def _cheapest_of_each(rows: list[int], gpus: Sequence[str], told: Floats) -> list[int]:
    best: dict[str, int] = {}
    for row in rows:
        gpu = gpus[row]
        if gpu not in best or told[row] < told[best[gpu]]:
            best[gpu] = row
    return list(best.values())


def _regret(works: list[list[int]], real: Floats, told: Floats) -> Regret:
    if not works:
        return Regret(works=0, mean=None, p90=None)
    lost = np.array([real[rows[int(np.argmin(told[rows]))]] / real[rows].min() - 1 for rows in works])
    return Regret(works=len(works), mean=float(lost.mean()), p90=float(np.quantile(lost, 0.9)))
