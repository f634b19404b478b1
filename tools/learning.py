"""What a few rows of one's own tell of others: of the rest of their group, and of other groups under the same engine.

Publishers that the fit never saw stand for users: some of their rows are given as ``--measured`` would give them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from banding import ALIKE, INSIDE, Bands
from breakeven.options.columns import Floats, Ints, Mask
from breakeven.performance.band import BETWEEN
from breakeven.performance.calibration import Parameters
from breakeven.performance.measured import TARGETS, Table
from breakeven.performance.posterior import REMAINING, counted, moved, once, remaining
from breakeven.performance.table import predict_runs
from fitting import dealt

COUNTS = (1, 2, 4, 8)
"""After so many measured rows the remaining width is read off, by rows or by groups, whichever is wider."""
GROUPS = (1, 3)
"""One row each of so many other groups is measured."""
REST = 3
"""Rows a group needs beside the measured ones to be asked."""
FEWEST = 8
"""Groups from which on a share is read off; after more rows than so many had it stays as it was."""
DRAWS = 3
"""How often each group is asked, with other rows measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Some rows were measured; how far off others are then."""

    publisher: str
    group: int
    measured: Ints
    told: Ints
    after: Floats
    """Log errors (predicted over observed) of the told rows, targets x rows."""
    counts: dict[str, float]
    """By target: how many configurations the measured rows are for their group; 0 for another group."""

    def judged_by(self, errors: Floats) -> Mask:
        """Which of the told rows are judged by the errors of a target: all that have one, if every measured row has."""
        found: Mask = np.isfinite(errors[self.told]) & bool(np.isfinite(errors[self.measured]).all())
        return found


Answers = dict[int, list[Asked]]
"""By the number of measured rows, or of groups of which a row was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strangers:
    """A table of publishers that the fit never saw, and what is predicted of them before anything is measured."""

    table: Table
    parameters: Parameters
    errors: Floats
    """In the logarithm (predicted over observed), targets x rows; NaN: not observed."""
    widths: Floats
    """Half the bands in the logarithm, likewise."""

    def groups(self) -> list[Ints]:
        """The covered rows of each (publisher, GPU, model, engine)."""
        table = self.table
        groups: dict[tuple[str, ...], list[int]] = {}
        columns = zip(table.file, *(table.texts[c] for c in ("gpu", "model", "engine")), strict=True)
        for row, group in enumerate(columns):
            if table.runs.covered[row]:
                groups.setdefault(group, []).append(row)
        return [np.array(rows) for rows in groups.values()]


def rest_of_groups(strangers: Strangers) -> Answers:
    """Each group asked when some of its rows are measured, by their number."""
    return {count: list(_in_group(strangers, count)) for count in COUNTS}


def other_groups(strangers: Strangers) -> Answers:
    """Each group asked when one row each of others under the same engine is measured, by their number."""
    return {count: list(_beside_group(strangers, count)) for count in GROUPS}


def _in_group(strangers: Strangers, count: int) -> Iterator[Asked]:
    random = np.random.default_rng(count)
    for place, rows in enumerate(strangers.groups()):
        for _ in range(DRAWS if len(rows) >= count + REST else 0):
            measured = random.choice(rows, count, replace=False)
            yield _ask(strangers, place, measured, np.setdiff1d(rows, measured))


def _beside_group(strangers: Strangers, count: int) -> Iterator[Asked]:
    random, groups = np.random.default_rng(count), strangers.groups()
    whose = [(strangers.table.file[rows[0]], strangers.table.texts["engine"][rows[0]]) for rows in groups]
    for place, rows in enumerate(groups):
        beside = [other for n, other in enumerate(groups) if n != place and whose[n] == whose[place]]
        for _ in range(DRAWS if len(beside) >= count else 0):
            chosen = random.choice(len(beside), count, replace=False)
            yield _ask(strangers, place, np.array([random.choice(beside[n]) for n in chosen]), rows)


def _ask(strangers: Strangers, place: int, measured: Ints, told: Ints) -> Asked:
    """What is predicted of some rows once others are measured."""
    table, known, rest = strangers.table, strangers.parameters, strangers.table.take(told)
    mine = once(table.take(measured), known)
    after = moved(known, mine)
    group = tuple(table.texts[column][told[0]] for column in ("gpu", "model", "engine"))
    served = predict_runs(rest.runs, after)
    return Asked(
        publisher=table.file[told[0]],
        group=place,
        measured=measured,
        told=told,
        after=np.stack([np.log(getattr(served, target) / rest.observed[target]) for target in TARGETS]),
        counts={target: counts.get(group, 0.0) for target, counts in counted(after, mine).items()},
    )


def learning_of(strangers: Strangers, same: Answers, publishers: set[str] | None = None) -> Bands:
    """The share of the width that remains after some measured configurations; ``publishers``: who may be looked at.

    What was asked counts to the nearest of ``COUNTS``, because configurations count in parts too.
    """
    shares: dict[str, float] = {}
    asked = [one for several in same.values() for one in several if publishers is None or one.publisher in publishers]
    for n, target in enumerate(TARGETS):
        last = 1.0
        for count in COUNTS:
            near = [
                (one.group, np.abs(one.after[n][rows]) / strangers.widths[n][one.told[rows]])
                for one in asked
                if _nearest(one.counts[target]) == count and (rows := one.judged_by(strangers.errors[n])).any()
            ]
            if len({group for group, _ in near}) >= FEWEST:
                off = [ratio for _, ratio in near]
                last = min(last, max(_quantile(off, 0.0), _quantile(off, ALIKE)))
            shares[f"{target}{BETWEEN}{count}"] = last
    return {REMAINING: shares}


def _nearest(configurations: float) -> int | None:
    """Which of ``COUNTS`` so many configurations are nearest to; ``None`` where they tell nothing."""
    return min(COUNTS, key=lambda count: abs(np.log(configurations / count))) if configurations > 0 else None


def _quantile(off: list[Floats], alike: float) -> float:
    """The share of the width that holds what it should, a group of n rows counting as n^(1 - alike)."""
    weights = np.concatenate([np.full(len(ratio), float(len(ratio)) ** -alike) for ratio in off])
    return float(np.quantile(np.concatenate(off), INSIDE, weights=weights, method="inverted_cdf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What some rows do for others, in one target."""

    target: str
    rows: int
    groups: int
    """Of which others were told."""
    median_before: float
    median_after: float
    mean_before: float
    mean_after: float
    remaining: float
    """Of the band's width, on the mean of what was asked."""
    inside: float
    """Share of the others inside the band that remains; how much that is was read off other folds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """What rows of one's own tell of the rest of their group, and of other groups under the same engine."""

    same: tuple[Learnt, ...]
    others: tuple[Learnt, ...]


def learnt(strangers: Strangers) -> Learning:
    """The judgement; how much of a width remains is what the other folds of publishers tell."""
    same, others = rest_of_groups(strangers), other_groups(strangers)
    fold_of = dict(zip(strangers.table.file, dealt(strangers.table.file).tolist(), strict=True))
    told = {
        fold: learning_of(strangers, same, {name for name, other in fold_of.items() if other != fold})[REMAINING]
        for fold in set(fold_of.values())
    }

    def kept(one: Asked, target: str) -> float:
        return remaining(told[fold_of[one.publisher]], target, one.counts[target])

    return Learning(
        same=tuple(_judged(strangers, same, t, count, kept) for t in TARGETS for count in COUNTS),
        others=tuple(_judged(strangers, others, t, count, kept) for t in TARGETS for count in GROUPS),
    )


def _judged(
    strangers: Strangers, answers: Answers, target: str, count: int, kept: Callable[[Asked, str], float]
) -> Learnt:
    """``kept``: the share of a width that remains."""
    n = TARGETS.index(target)
    errors, widths = strangers.errors[n], strangers.widths[n]
    asked = [(one, rows) for one in answers[count] if (rows := one.judged_by(errors)).any()]
    was = np.abs(np.expm1(np.concatenate([errors[one.told[rows]] for one, rows in asked])))
    logs = np.concatenate([one.after[n][rows] for one, rows in asked])
    now = np.abs(np.expm1(logs))
    shares = np.concatenate([np.full(rows.sum(), kept(one, target)) for one, rows in asked])
    width = np.concatenate([widths[one.told[rows]] for one, rows in asked])
    return Learnt(
        target=target,
        rows=count,
        groups=len({one.group for one, _ in asked}),
        median_before=float(np.median(was)),
        median_after=float(np.median(now)),
        mean_before=float(was.mean()),
        mean_after=float(now.mean()),
        remaining=float(shares.mean()),
        inside=float(np.mean(np.abs(logs) <= shares * width)),
    )
