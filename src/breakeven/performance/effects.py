"""From calibrated effects to one factor a row: each effect is a small table over the axes it depends on."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from breakeven.options.columns import Floats, Ints
from breakeven.performance.calibration import QUANTITIES, Effect, Parameters
from breakeven.performance.kinds import Kinds

Logs = dict[str, Floats]
"""The logarithm of each quantity's factor, one value a row; a quantity without effects is missing."""


def logs_of(kinds: Kinds, parameters: Parameters) -> Logs:
    """What all effects together say of each row."""
    axes = Axes(kinds)
    found: Logs = {}
    for quantity in QUANTITIES:
        parts = [axes.looked_up(effect) for effect in parameters.effects.get(quantity, ())]
        if parts:
            found[quantity] = np.sum(parts, axis=0)
    return found


def evidence_of(kinds: Kinds, effect: Effect) -> Floats:
    """How many measurements speak of each row's level of an effect."""
    return Axes(kinds).looked_up(effect, effect.counts)


class Axes:
    """The labels of every axis, worked out once for a set of rows."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._known: dict[str, tuple[list[str], Ints]] = {}

    def labels(self, axis: str) -> tuple[list[str], Ints]:
        """The distinct labels of an axis and which one each row has."""
        if axis not in self._known:
            self._known[axis] = self._kinds.labels(axis)
        return self._known[axis]

    def looked_up(self, effect: Effect, values: Mapping[tuple[str, ...], float] | None = None) -> Floats:
        """The effect's logarithm (or another value of its levels) for each row; 0 for levels it does not know."""
        columns = [self.labels(axis) for axis in effect.axes]
        places = [{name: n for n, name in enumerate(names)} for names, _ in columns]
        table = np.zeros([len(names) for names, _ in columns])
        for level, factor in effect.factors.items() if values is None else values.items():
            at = _place(level, places)
            if at is not None:
                table[at] = math.log(factor) if values is None else factor
        looked: Floats = table[tuple(index for _, index in columns)]
        return looked


def _place(level: tuple[str, ...], places: Sequence[dict[str, int]]) -> tuple[int, ...] | None:
    at = tuple(known.get(name, -1) for name, known in zip(level, places, strict=True))
    return None if -1 in at else at
