"""From calibrated effects to one factor a row: each effect is a small table over the axes it depends on."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from breakeven.options.columns import Floats, Ints
from breakeven.performance.calibration import QUANTITIES, Effect, Parameters
from breakeven.performance.kinds import Kinds

Logs = dict[str, Floats]
"""The logarithm of each quantity's factor, one value a row; a quantity without effects is missing."""
DENSE = 200_000
"""Up to so many combinations of labels an effect is laid out as a table."""


def logs_of(kinds: Kinds, parameters: Parameters) -> Logs:
    """What all effects together say of each row."""
    axes = Axes(kinds)
    found: Logs = {}
    for quantity in QUANTITIES:
        total = np.zeros(len(kinds.model))
        for effect in parameters.effects.get(quantity, ()):
            total += axes.looked_up(effect)
        if total.any():
            found[quantity] = total
    return found


class Axes:
    """The labels of every axis, worked out once for a set of rows."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self.rows = len(kinds.model)
        self._known: dict[str, tuple[list[str], Ints]] = {}
        self._places: dict[str, dict[str, int]] = {}
        self._codes: dict[tuple[str, ...], Ints | None] = {}

    def labels(self, axis: str) -> tuple[list[str], Ints]:
        """The distinct labels of an axis and which one each row has."""
        if axis not in self._known:
            self._known[axis] = self._kinds.labels(axis)
        return self._known[axis]

    def _place_of(self, axis: str) -> dict[str, int]:
        if axis not in self._places:
            self._places[axis] = {name: n for n, name in enumerate(self.labels(axis)[0])}
        return self._places[axis]

    def _code(self, axes: tuple[str, ...], shape: tuple[int, ...]) -> Ints | None:
        """Of each row: one number for its labels on some axes."""
        if axes not in self._codes:
            self._codes[axes] = _joined([self.labels(axis)[1] for axis in axes], shape)
        return self._codes[axes]

    def looked_up(self, effect: Effect, values: Mapping[tuple[str, ...], float] | None = None) -> Floats | float:
        """The effect's logarithm (or another value of its levels) for each row; 0 for levels it does not know."""
        axes = tuple(effect.axes)
        places = [self._place_of(axis) for axis in axes]
        known: dict[tuple[int, ...], float] = {}
        for level, factor in effect.factors.items() if values is None else values.items():
            at = _place(level, places)
            if at is not None:
                known[at] = math.log(factor) if values is None else factor
        if not known:
            return 0.0
        shape = tuple(len(names) for names in places)
        levels = np.array(list(known), dtype=np.int64).reshape(len(known), len(shape)).T
        told = np.array(list(known.values()))
        code = self._code(axes, shape)
        wanted = _joined(list(levels), shape)
        if code is None or wanted is None:
            return float(told[0])
        if math.prod(shape) <= DENSE:
            table = np.zeros(math.prod(shape))
            table[wanted] = told
            return table[code]
        order = np.argsort(wanted)
        wanted, told = wanted[order], told[order]
        at_row = np.minimum(np.searchsorted(wanted, code), len(wanted) - 1)
        return np.where(wanted[at_row] == code, told[at_row], 0.0)


def _joined(indices: Sequence[Ints], shape: tuple[int, ...]) -> Ints | None:
    """One number for each combination of labels; ``None`` where an effect has no axis."""
    code: Ints | None = None
    for index, size in zip(indices, shape, strict=True):
        code = index if code is None else code * size + index
    return code


def _place(level: tuple[str, ...], places: Sequence[dict[str, int]]) -> tuple[int, ...] | None:
    at = tuple(known.get(name, -1) for name, known in zip(level, places, strict=True))
    return None if -1 in at else at
