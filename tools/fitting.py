"""The fit of the speed equations: effects of every level at once, shrunk towards physics.

Each quantity's logarithm is its prior plus the sum of its effects; each effect is normal around 0 with a width of its
own, and Student's t for what one (GPU, model) pair alone does: an odd pair then keeps its oddness to itself.
The mode of the posterior is found by Gauss-Newton on robust log errors. A quantity's derivative costs one call of the
predictor, and the normal equations are sums over pairs of levels, so NumPy is enough.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from breakeven import load_catalogue
from breakeven.options.columns import Floats, Ints, Mask
from breakeven.performance.calibration import Parameters, parameters_of
from breakeven.performance.effects import Axes
from breakeven.performance.measured import TARGETS, Table
from breakeven.performance.replica import scaled, uncalibrated
from breakeven.performance.table import predict_runs, prepared
from starts import overhead_text

PRIORS = Path(__file__).parent / "priors.toml"
STEP = 0.01
"""By how much a quantity's logarithm is moved to find its derivative."""
TURN = 0.05
"""Where a log error begins to count by its size instead of its square."""
NOISE = {"output_tokens_per_s": 0.08, "ttft_s": 0.12, "tpot_s": 0.07}
"""Log error that no parameter can explain: reruns, averaging, load generators."""
FIXED = 1e8
"""Precision of the levels that others are beside."""
BESIDE = ("direct", "1 in a row")
"""What is measured directly has no effect of its path, and layers on one device none of being spread."""
OWN = ("gpu", "model")
"""Effects of these axes, whatever else they depend on, are a pair's own."""
FREEDOM = 3.0
"""Degrees of freedom of their prior: most are small, some are not."""
ROUNDS = 20
ALIKE = 0.5
"""Rows of one group share what the equations miss: n of them count as n^(1 - this)."""
SAME = ("gpu", "model", "engine", "engine_version", "compute_format", "mode")


def prior_text() -> str:
    """The file of the parameters before any run has spoken: the priors, and what engines keep of the memory."""
    return PRIORS.read_text(encoding="utf-8").rstrip() + "\n\n" + overhead_text(load_catalogue())


def prior_parameters() -> Parameters:
    """The parameters before any measured run has spoken."""
    return parameters_of(tomllib.loads(prior_text()))


@dataclass(frozen=True, slots=True)
class Term:
    """An effect to be fitted: a quantity, the axes of its levels, and the width of its prior in the logarithm."""

    quantity: str
    axes: tuple[str, ...]
    width: float


def _terms(text: str) -> tuple[Term, ...]:
    """Terms from ``quantity: axis|axis=width ...``; ``all`` is one level for every row."""
    found, quantity = [], ""
    for word in text.split():
        if word.endswith(":"):
            quantity = word[:-1]
            continue
        axes, width = word.split("=")
        found.append(Term(quantity, () if axes == "all" else tuple(axes.split("|")), float(width)))
    return tuple(found)


TERMS = _terms(
    """
    bandwidth: generation=.1 generation|stack=.1 generation|degree=.1 format=.1
    flops: generation=.3 generation|stack=.2 generation|format=.2 path=.26
    kv: all=.5 stack=.3 generation|stack=.2 generation|format=.15 group=.2 stack|group=.3 generation|group=.3
    experts: all=.3 stack=.2 generation|format=.2 model=.1
    routing: all=.3 mode=.3 stack|mode=1.0
    hop: link=.5 link|stack=.4 gpu|stack=.2
    link: link=.5 link|stack=.4 path=1.5
    layer: generation=.3 stack=1.0 stack|version=.15 stack|version|shape=.3 generation|stack=.3 shape=.7 stack|shape=.3
      stack|format=.2 attention=.3
    sequence: stack=1.0 stack|version=.15 stack|version|shape=.2 generation|stack=.3 mode=.3 shape=.3
    step: stack=1.0 stack|version=.3 generation|stack=.3 mode=.3 path=.47
    request: path=1.5 stack=1.0 stack|version=.5 stack|mode=.4 generation|stack=.3
    interference: all=.3 stack=.5 mode=.3
    queueing: all=1.0 stack=.3 mode=.5 lengths=.5
    burst: all=1.0 stack=1.0 stack|version=.4 lengths=1.0
    cohort: all=.7 stack=.5 mode=.5 lengths=.7
    prompt: shape=.3 stack=.3 stack|version=.2 stack|shape=.2 generation|stack=.2 generation|format=.2 model=.1
    pace: path=.06 attention=.2 gpu=.03 gpu|stack=.05 stack|version=.05 model=.03 model|stack=.025 stack|degree=.03
      stack|format=.03 generation|format=.03 generation|stack|format=.03 shape=.06 mode=.06
      generation|stack|stages=.4
      gpu|model|stack=.05
    first: stack=.2 stack|version=.12 gpu|stack=.1 mode=.2 mode|stack=.12 shape=.06 gpu|model|stack=.045
    bulk: mode=.3 stack=.2 stack|version=.15 mode|model=.15 gpu|stack=.1 mode|stack=.2
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The effects of one fit: for each term the labels of its levels, their logarithms and evidence."""

    terms: tuple[Term, ...]
    levels: tuple[tuple[tuple[str, ...], ...], ...]
    logs: tuple[Floats, ...]
    counts: tuple[Ints, ...]


class Problem:
    """A table prepared for fitting: levels of every term, worked out once."""

    def __init__(self, table: Table, parameters: Parameters, terms: tuple[Term, ...] = TERMS) -> None:
        self.table, self.terms = table, terms
        self.parameters = replace(parameters, effects={})
        kinds = table.runs.kinds
        self.base = uncalibrated(kinds, self.parameters, 0.0)
        axes = Axes(kinds)
        self.codes: list[Ints] = []
        self.levels: list[tuple[tuple[str, ...], ...]] = []
        for term in terms:
            code, labels = _levels(axes, term.axes, len(kinds.model))
            self.codes.append(code)
            self.levels.append(labels)
        self.width = np.concatenate([np.full(len(labels), t.width) for labels, t in self._with_terms()])
        self.own = np.concatenate([np.full(len(labels), t.axes[:2] == OWN) for labels, t in self._with_terms()])
        self.fixed = np.array([bool(level) and level[-1] in BESIDE for labels in self.levels for level in labels])
        self.observed = np.stack([np.log(table.observed[t]) for t in TARGETS])
        texts = table.texts
        names = [" ".join(k) for k in zip(*(texts[c] for c in SAME), strict=True)]
        _, group, sizes = np.unique(names, return_inverse=True, return_counts=True)
        self.trust = sizes[group] ** -ALIKE

    def _with_terms(self) -> Iterator[tuple[tuple[tuple[str, ...], ...], Term]]:
        return zip(self.levels, self.terms, strict=True)

    def logs(self, effects: list[Floats]) -> dict[str, Floats]:
        """The logarithm of each quantity for each kind."""
        found: dict[str, Floats] = {}
        for term, code, values in zip(self.terms, self.codes, effects, strict=True):
            found[term.quantity] = found.get(term.quantity, 0.0) + values[code]
        return found

    def predicted(self, logs: dict[str, Floats]) -> Floats:
        """Logarithms of the predictions: targets x rows."""
        ready = prepared(self.table.runs.kinds, self.parameters, scaled(self.base, logs))
        served = predict_runs(self.table.runs, self.parameters, ready)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.stack([np.log(getattr(served, t)) for t in TARGETS])

    def start(self) -> list[Floats]:
        """No effect anywhere."""
        return [np.zeros(len(labels)) for labels in self.levels]

    def fit(self, rows: Mask, rounds: int = ROUNDS, start: list[Floats] | None = None) -> list[Floats]:
        """The effects that the chosen rows speak for."""
        effects = start or self.start()
        sizes = [len(labels) for labels in self.levels]
        ends = np.cumsum([0, *sizes])
        best = self._loss(effects, rows)
        for _ in range(rounds):
            matrix, right = self._normal_equations(effects, rows, ends)
            move = np.linalg.solve(matrix, right)
            for damping in (1.0, 0.5, 0.2):
                tried = [e + damping * move[a:b] for e, a, b in zip(effects, ends[:-1], ends[1:], strict=True)]
                loss = self._loss(tried, rows)
                if loss < best:
                    break
            if loss > best * (1 - 1e-4):
                return tried if loss < best else effects
            effects, best = tried, loss
        return effects

    def _precision(self, effects: list[Floats]) -> Floats:
        """Of the normal prior that pulls as hard as each effect's own prior does where the effect stands."""
        square, variance = np.concatenate(effects) ** 2, self.width**2
        found = np.where(self.own, (FREEDOM + 1) / (FREEDOM * variance + square), 1 / variance)
        return np.where(self.fixed, FIXED, found)

    def _unlikely(self, effects: list[Floats]) -> float:
        """Minus the logarithm of the effects' prior density."""
        ratio = (np.concatenate(effects) / self.width) ** 2
        found = np.where(self.own, (FREEDOM + 1) / 2 * np.log1p(ratio / FREEDOM), ratio / 2)
        return float(np.sum(np.where(self.fixed, FIXED / 2 * ratio * self.width**2, found)))

    def _loss(self, effects: list[Floats], rows: Mask) -> float:
        error = self._errors(self.predicted(self.logs(effects)), rows)
        noise = np.array([NOISE[t] for t in TARGETS])[:, None]
        turn = TURN / noise
        robust = turn**2 * (np.sqrt(1 + (error / noise / turn) ** 2) - 1)
        return float(np.nansum(robust * self.trust)) + self._unlikely(effects)

    def _errors(self, predicted: Floats, rows: Mask) -> Floats:
        return np.where(rows[None, :], self.observed - predicted, np.nan)

    def _normal_equations(self, effects: list[Floats], rows: Mask, ends: Ints) -> tuple[Floats, Floats]:
        logs = self.logs(effects)
        centre = self.predicted(logs)
        error = self._errors(centre, rows)
        used = np.isfinite(error)
        target, row = np.nonzero(used)
        residual = error[used]
        noise = np.array([NOISE[t] for t in TARGETS])[target]
        weight = self.trust[row] / noise**2 / np.sqrt(1 + (residual / TURN) ** 2)
        kind = self.table.runs.kind[row]
        zero = np.zeros(len(self.table.runs.kinds.model))
        slopes = {}
        for quantity in dict.fromkeys(t.quantity for t in self.terms):
            moved = logs | {quantity: logs.get(quantity, zero) + STEP}
            slopes[quantity] = ((self.predicted(moved) - centre) / STEP)[used]
        prior = self._precision(effects)
        matrix, right = np.diag(prior), -prior * np.concatenate(effects)
        self._add((matrix, right), slopes, (weight, residual), kind, ends)
        return matrix, right

    def _add(
        self,
        sums: tuple[Floats, Floats],
        slopes: dict[str, Floats],
        weighted: tuple[Floats, Floats],
        kind: Ints,
        ends: Ints,
    ) -> None:
        """Add what the rows say: for each pair of terms the weighted products of slopes, level by level."""
        (matrix, right), (weight, residual) = sums, weighted
        codes = [code[kind] for code in self.codes]
        for i, (term, code) in enumerate(zip(self.terms, codes, strict=True)):
            mine = slopes[term.quantity] * weight
            size = ends[i + 1] - ends[i]
            right[ends[i] : ends[i + 1]] += np.bincount(code, mine * residual, size)
            for j in range(i, len(codes)):
                other = ends[j + 1] - ends[j]
                block = np.bincount(code * other + codes[j], mine * slopes[self.terms[j].quantity], size * other)
                block = block.reshape(size, other)
                matrix[ends[i] : ends[i + 1], ends[j] : ends[j + 1]] += block
                if j > i:
                    matrix[ends[j] : ends[j + 1], ends[i] : ends[i + 1]] += block.T

    def fitted(self, effects: list[Floats], rows: Mask) -> Fitted:
        """The effects with their labels and evidence."""
        on = self.table.runs.kind[rows & self.table.runs.covered]
        counts = tuple(
            np.bincount(code[on], minlength=len(labels)) for code, labels in zip(self.codes, self.levels, strict=True)
        )
        return Fitted(terms=self.terms, levels=tuple(self.levels), logs=tuple(effects), counts=counts)


def _levels(axes: Axes, names: tuple[str, ...], rows: int) -> tuple[Ints, tuple[tuple[str, ...], ...]]:
    """The level of each row for a combination of axes, and the labels of the levels that occur."""
    if not names:
        return np.zeros(rows, dtype=np.int64), ((),)
    columns = [axes.labels(name) for name in names]
    joined = np.stack([index for _, index in columns], axis=1)
    distinct, code = np.unique(joined, axis=0, return_inverse=True)
    labels = tuple(tuple(columns[c][0][i] for c, i in enumerate(row)) for row in distinct)
    return code.reshape(-1).astype(np.int64), labels


def folds_of(table: Table, count: int = 5, seed: int = 1, columns: tuple[str, ...] = ("gpu", "model")) -> Ints:
    """A fold for each row: whole groups of equal ``columns``, the largest dealt out first."""
    return dealt([" ".join(k) for k in zip(*(table.texts[c] for c in columns), strict=True)], count, seed)


def dealt(group_of: list[str], count: int = 5, seed: int = 1) -> Ints:
    """A fold for each row: whole groups, the largest dealt out first."""
    names, group, sizes = np.unique(group_of, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold_of, load = np.zeros(len(names), dtype=np.int64), np.zeros(count)
    for name in order:
        fold_of[name] = np.argmin(load)
        load[fold_of[name]] += sizes[name]
    return fold_of[group]


def cross_validated(problem: Problem, folds: Ints, rounds: int = ROUNDS) -> Floats:
    """Logarithms of predictions for every row from a fit that never saw its group."""
    found = np.full(problem.observed.shape, np.nan)
    for fold in np.unique(folds):
        effects = problem.fit(folds != fold, rounds)
        found[:, folds == fold] = problem.predicted(problem.logs(effects))[:, folds == fold]
    return found
