"""Predictions for rows that the fit never saw, and how good they are: the project's judgement of itself."""

import time
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from banding import bands_of, elsewhere_of, widths_of, without_pair, without_run
from breakeven import load_catalogue
from breakeven.options.columns import Floats, Ints
from breakeven.performance.accuracy import Banded, Part, Regret, parts_of, regrets
from breakeven.performance.band import ELSEWHERE, WIDEST, half_widths
from breakeven.performance.calibration import Parameters
from breakeven.performance.fit import Problem
from breakeven.performance.measured import TARGETS, Table, doubts
from breakeven.performance.table import predict_runs, prepared
from breakeven.report.scored import usd_per_device_hour
from fitting import cross_validated, dealt, folds_of
from learning import Strangers

RUNS = ("gpu", "model", "engine", "engine_version", "compute_format", "mode")
"""Held out together to learn how a pair does that was measured otherwise."""
ROUNDS = 10
ROWS_TIMED = 1_000_000


def held_out(problem: Problem) -> tuple[Floats, Floats]:
    """Logarithms of predictions without the row's (gpu, model) pair, and without its own kind of run."""
    table = problem.table
    unseen = cross_validated(problem, folds_of(table), rounds=ROUNDS)
    seen = cross_validated(problem, folds_of(table, columns=RUNS), rounds=ROUNDS)
    return unseen, seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The judgement of one way to hold rows out."""

    parts: tuple[Part, ...]
    regret: dict[str, Regret]
    fold_medians: tuple[float, ...]
    predicted: dict[str, Banded]
    """By target, one entry a row of the table."""


def figures(table: Table, logs: Floats, folds: Ints, both: tuple[Floats, Floats], place: Ints) -> Figures:
    """Scores of held-out predictions; the band of each fold is read off the other folds."""
    return scored(table, logs, folds, held_widths(table, both, folds, place))


def scored(table: Table, logs: Floats, folds: Ints, widths: Floats) -> Figures:
    """Scores of predictions with their half widths, both in the logarithm."""
    predicted = {
        target: Banded(mid=np.exp(logs[n]), low=np.exp(logs[n] - widths[n]), high=np.exp(logs[n] + widths[n]))
        for n, target in enumerate(TARGETS)
    }
    error = np.abs(np.exp(logs[0]) / table.observed[TARGETS[0]] - 1)
    return Figures(
        parts=parts_of(table, predicted),
        regret=regrets(table, predicted[TARGETS[0]].mid, usd_per_device_hour(load_catalogue())),
        fold_medians=tuple(float(np.nanmedian(error[folds == fold])) for fold in np.unique(folds)),
        predicted=predicted,
    )


def held_widths(table: Table, both: tuple[Floats, Floats], folds: Ints, place: Ints) -> Floats:
    """Half widths of every row, those of a fold read off the other folds."""
    widths = np.full(both[0].shape, np.nan)
    for fold in np.unique(folds):
        mine = folds == fold
        widths[:, mine] = widths_of(table, bands_of(table, *both, rows=~mine), place)[:, mine]
    return widths


def errors_elsewhere(independent: Table, parameters: Parameters) -> tuple[Floats, Floats]:
    """Log errors of what the calibration says of publishers that it never saw, and half widths as for those it saw."""
    served, kind = predict_runs(independent.runs, parameters), independent.runs.kind
    plain = replace(parameters, bands={n: v for n, v in parameters.bands.items() if n != ELSEWHERE})
    told = half_widths(independent.runs.kinds, plain)
    errors = np.stack([np.log(getattr(served, t) / independent.observed[t]) for t in TARGETS])
    return errors, np.stack([told[t][kind] for t in TARGETS])


def elsewhere(independent: Table, parameters: Parameters) -> tuple[Figures, Strangers]:
    """The judgement by publishers that the fit never saw; what they do otherwise is read off the other folds."""
    errors, plain = errors_elsewhere(independent, parameters)
    folds, widths = dealt(independent.file), np.zeros(plain.shape)
    for fold in np.unique(folds):
        more = elsewhere_of(errors, plain, independent.file, folds != fold)
        widths[:, folds == fold] = widths_elsewhere(plain, more)[:, folds == fold]
    logs = errors + np.stack([np.log(independent.observed[t]) for t in TARGETS])
    strangers = Strangers(table=independent, parameters=parameters, errors=errors, widths=widths)
    return scored(independent, logs, folds, widths), strangers


def widths_elsewhere(plain: Floats, more: dict[str, float]) -> Floats:
    """Half widths of publishers that the fit never saw, from those as for the ones it saw."""
    found: Floats = np.minimum(np.hypot(plain, np.array([[more[t]] for t in TARGETS])), WIDEST)
    return found


def judged(problem: Problem) -> dict[str, Figures]:
    """Both ways to hold rows out: pairs never seen and other runs."""
    table = problem.table
    both = held_out(problem)
    return {
        "pairs never seen": figures(table, both[0], folds_of(table), both, without_pair(table)),
        "other runs": figures(table, both[1], folds_of(table, columns=RUNS), both, without_run(table)),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubted:
    """Rows whose published figures contradict each other: how many of each reason, and the errors if they counted."""

    reasons: dict[str, int]
    median: float
    mean: float


def doubted_of(table: Table, tokens_per_s: Floats) -> Doubted:
    """The doubted rows of a table, and the errors of tokens/s over all rows with them."""
    target = TARGETS[0]
    every = np.where(np.isfinite(table.doubted[target]), table.doubted[target], table.observed[target])
    error = np.abs(tokens_per_s / every - 1)
    error = error[np.isfinite(error)]
    reasons = Counter(reason for _, reason in sorted(doubts().items()))
    return Doubted(reasons=dict(reasons), median=float(np.median(error)), mean=float(error.mean()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """How far rows lie from the median of all rows that the table says are the same."""

    rows: int
    groups: int
    median: float
    mean: float
    regret: float
    """Mean dollar regret of choosing the configuration by those medians: repeats of one row differ."""


def scatter_of(table: Table) -> Scatter:
    """The floor under every error of tokens/s: rows alike in all that the table tells, two or more of them."""
    runs, kinds = table.runs, table.runs.kinds
    columns = (kinds.tensor_parallel, kinds.data_parallel, kinds.pipeline_parallel)
    figures = [column[runs.kind] for column in columns]
    figures += [runs.input_tokens, runs.output_tokens, runs.concurrency, runs.requests, runs.replicas]
    names = ("gpu", "model", "engine", "engine_version", "compute_format", "mode", "scenario")
    keys = zip(*(table.texts[n] for n in names), *([f"{v:g}" for v in f] for f in figures), strict=True)
    observed = table.observed[TARGETS[0]]
    groups: dict[tuple[str, ...], list[int]] = {}
    for row, key in enumerate(keys):
        if np.isfinite(observed[row]):
            groups.setdefault(key, []).append(row)
    middle = np.full(len(observed), np.nan)
    for rows in groups.values():
        middle[rows] = np.median(observed[rows])
    several = [rows for rows in groups.values() if len(rows) > 1]
    far = np.abs(middle / observed - 1)[np.concatenate(several)]
    found = regrets(table, middle, usd_per_device_hour(load_catalogue()))["configuration"]
    return Scatter(
        rows=len(far),
        groups=len(several),
        median=float(np.median(far)),
        mean=float(far.mean()),
        regret=found.mean or 0.0,
    )


def configurations_per_s(table: Table, parameters: Parameters) -> float:
    """How many runs one core predicts in a second: the shipped table's closed runs, over and over."""
    closed = np.flatnonzero(np.array(table.texts["mode"]) == "closed")
    runs = table.runs.take(np.resize(closed, ROWS_TIMED))
    best = np.inf
    for _ in range(3):
        started = time.process_time()
        predict_runs(runs, parameters, prepared(runs.kinds, parameters))
        best = min(best, time.process_time() - started)
    return ROWS_TIMED / best
