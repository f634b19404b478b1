"""The fit of the speed equations: effects of every level at once, shrunk towards what is known without them.

Each quantity's logarithm is what the parameters say plus the sum of its effects; each effect is normal around 0 with a
width of its own, and Student's t for what one (GPU, model) pair alone does: an odd pair then keeps its oddness to
itself. The mode of the posterior is found by Gauss-Newton on robust log errors. A quantity's derivative costs one call
of the predictor, and the normal equations are sums over pairs of levels, so NumPy is enough.

The calibration is such a fit on the published measurements, with physics before it; what a user's own measurements
tell is one on those, with the calibration before it (``posterior``).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from breakeven.options.columns import Floats, Ints, Mask
from breakeven.performance.calibration import Parameters
from breakeven.performance.effects import Axes
from breakeven.performance.measured import TARGETS, Table
from breakeven.performance.replica import replicas, scaled
from breakeven.performance.table import predict_runs, prepared

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


@dataclass(frozen=True, slots=True)
class Term:
    """An effect to be fitted: a quantity, the axes of its levels, and the width of its prior in the logarithm."""

    quantity: str
    axes: tuple[str, ...]
    width: float


class Problem:
    """A table prepared for fitting: levels of every term, worked out once."""

    def __init__(self, table: Table, parameters: Parameters, terms: tuple[Term, ...]) -> None:
        self.table, self.terms = table, terms
        self.parameters = parameters
        kinds = table.runs.kinds
        self.base = replicas(kinds, parameters, 0.0)
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


def _levels(axes: Axes, names: tuple[str, ...], rows: int) -> tuple[Ints, tuple[tuple[str, ...], ...]]:
    """The level of each row for a combination of axes, and the labels of the levels that occur."""
    if not names:
        return np.zeros(rows, dtype=np.int64), ((),)
    columns = [axes.labels(name) for name in names]
    joined = np.stack([index for _, index in columns], axis=1)
    distinct, code = np.unique(joined, axis=0, return_inverse=True)
    labels = tuple(tuple(columns[c][0][i] for c, i in enumerate(row)) for row in distinct)
    return code.reshape(-1).astype(np.int64), labels
