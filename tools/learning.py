"""What a few rows of a group tell of its other rows: how far the posterior may follow them, how narrow its band is."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from banding import ALIKE, INSIDE, Bands
from breakeven.options.columns import Floats, Ints, Mask
from breakeven.performance.band import BETWEEN
from breakeven.performance.measured import TARGETS, Table
from breakeven.performance.posterior import OWN_FIRST, OWN_PACE, REMAINING, shrunk

COUNTS = (1, 2, 4, 8)
"""After so many measured rows the remaining width is read off, by rows or by groups, whichever is wider."""
REST = 3
"""Rows a group needs beside the measured ones to be asked."""
SEVERAL = 3
"""Rows a group needs for its middle and its scatter to be told."""
DRAWS = 5
"""How often each group is asked, with other rows measured."""
MIDDLE_OF_T = 0.7649
"""The median of |t| with three degrees of freedom, in units of its scale."""
OUTPUT, FIRST, SLOW = range(len(TARGETS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Log errors (predicted over observed) and half widths of held-out rows, by target; the rows of each group."""

    errors: Floats
    widths: Floats
    groups: tuple[Ints, ...]

    @property
    def pace(self) -> Floats:
        """By how much the passes were slower than predicted, in the logarithm."""
        found: Floats = np.where(np.isfinite(self.errors[SLOW]), -self.errors[SLOW], self.errors[OUTPUT])
        return found


def errors_of(table: Table, errors: Floats, widths: Floats, rows: Mask | None = None) -> Errors:
    """Of the rows that may be looked at, by group; predicted without any row of their publisher."""
    told = np.asarray(np.isfinite(errors).any(axis=0))
    known = told if rows is None else told & rows
    groups: dict[tuple[str, ...], list[int]] = {}
    columns = zip(table.file, *(table.texts[c] for c in ("gpu", "model", "engine")), strict=True)
    for row, group in enumerate(columns):
        if known[row]:
            groups.setdefault(group, []).append(row)
    return Errors(errors=errors, widths=widths, groups=tuple(np.array(rows) for rows in groups.values()))


def learning_of(held: Errors) -> Bands:
    """Scale and scatter of what a group has of its own, and the width that remains after some measured rows."""
    own = {OWN_PACE: _own(held.pace, held.groups), OWN_FIRST: _own(_beside_pace(held), held.groups)}
    remaining: dict[str, float] = {}
    for target in range(len(TARGETS)):
        last = 1.0
        for count in COUNTS:
            asked = [np.abs(after) / width for after, width in _asked(held, own, target, count)]
            last = min(last, max(_quantile(asked, 0.0), _quantile(asked, ALIKE)))
            remaining[f"{TARGETS[target]}{BETWEEN}{count}"] = last
    return own | {REMAINING: remaining}


def _quantile(asked: list[Floats], alike: float) -> float:
    """The share of the width that holds what it should, a group of n rows counting as n^(1 - alike)."""
    weights = np.concatenate([np.full(len(ratio), float(len(ratio)) ** -alike) for ratio in asked])
    return float(np.quantile(np.concatenate(asked), INSIDE, weights=weights, method="inverted_cdf"))


def _beside_pace(held: Errors) -> Floats:
    """By how much first tokens came later than the pace of their group explains, in the logarithm."""
    found: Floats = -held.errors[FIRST]
    for rows in held.groups:
        paces = held.pace[rows][np.isfinite(held.pace[rows])]
        if len(paces):
            found[rows] -= np.median(paces)
    return found


def _own(errors: Floats, groups: tuple[Ints, ...]) -> dict[str, float]:
    known = [errors[rows][np.isfinite(errors[rows])] for rows in groups]
    several = [values for values in known if len(values) >= SEVERAL]
    middles = np.array([np.median(values) for values in several])
    return {
        "scale": float(np.median(np.abs(middles)) / MIDDLE_OF_T),
        "scatter": float(np.sqrt(np.median([np.var(values, ddof=1) for values in several]))),
    }


def _asked(held: Errors, own: Bands | None, target: int, count: int) -> Iterator[tuple[Floats, Floats]]:
    """The errors of one target on the rest of each group once ``count`` of its rows are measured, and their widths.

    ``own``: ``None`` tells the errors before, on the same rows.
    """
    random = np.random.default_rng(count)
    for rows in held.groups:
        mine = rows[np.isfinite(held.errors[target][rows])]
        if len(mine) >= count + REST:
            for _ in range(DRAWS):
                measured = random.choice(mine, count, replace=False)
                rest = np.setdiff1d(mine, measured)
                before = held.errors[target][rest]
                found = before if own is None else before + _moved(held, own, target, measured)
                yield found, held.widths[target][rest]


def _moved(held: Errors, own: Bands, target: int, measured: Ints) -> float:
    """By how much the measured rows move the group's predictions of one target, in the logarithm."""

    def known(errors: Floats) -> Floats:
        return errors[np.isfinite(errors)]

    paces = known(held.pace[measured])
    slower = shrunk(paces, own[OWN_PACE]) if len(paces) else 0.0
    if target == OUTPUT:
        return -slower
    firsts = known(-held.errors[FIRST][measured] - slower) if target == FIRST else np.empty(0)
    return slower + (shrunk(firsts, own[OWN_FIRST]) if len(firsts) else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What some rows of a kept-back group do for the others of it, in one target."""

    target: str
    rows: int
    groups: int
    median_before: float
    median_after: float
    mean_before: float
    mean_after: float
    remaining: float
    """Of the band's width, on the mean of the folds."""
    inside: float
    """Share of the others inside the narrowed band; scale, scatter and width were read off other folds."""


def learnt(table: Table, errors: Floats, widths: Floats, folds: Ints) -> tuple[Learnt, ...]:
    """The judgement, each fold with what the other folds tell."""
    parts = []
    for fold in np.unique(folds):
        told = learning_of(errors_of(table, errors, widths, folds != fold))
        parts.append((told, errors_of(table, errors, widths, folds == fold)))
    return tuple(_judged(parts, target, count) for target in range(len(TARGETS)) for count in COUNTS)


def _judged(parts: list[tuple[Bands, Errors]], target: int, count: int) -> Learnt:
    name = f"{TARGETS[target]}{BETWEEN}{count}"
    before, after, inside, groups = [], [], [], 0
    for told, held in parts:
        before += [error for error, _ in _asked(held, None, target, count)]
        asked = list(_asked(held, told, target, count))
        groups += len(asked) // DRAWS
        after += [error for error, _ in asked]
        inside += [np.abs(error) <= width * told[REMAINING][name] for error, width in asked]
    was, now = (np.abs(np.expm1(np.concatenate(errors))) for errors in (before, after))
    return Learnt(
        target=TARGETS[target],
        rows=count,
        groups=groups,
        median_before=float(np.median(was)),
        median_after=float(np.median(now)),
        mean_before=float(was.mean()),
        mean_after=float(now.mean()),
        remaining=float(np.mean([told[REMAINING][name] for told, _ in parts])),
        inside=float(np.mean(np.concatenate(inside))),
    )
