"""The width of the 80 % band from errors of held-out groups: by evidence first, then by the stack's own scatter."""

from dataclasses import replace

import numpy as np

from breakeven.options.columns import Floats, Ints, Mask
from breakeven.performance.band import BETWEEN, EVIDENCE, GENERATION, half_widths
from breakeven.performance.calibration import typical_parameters
from breakeven.performance.measured import TARGETS, Table

STATED = 0.8
"""Share of the errors that a band is said to hold."""
INSIDE = 0.83
"""Share of the errors that a width is read off to hold: of others it then holds what is stated."""
WHOLE = 40.0
"""So many rows of a stack count as much as all others together."""
FEWEST = 12
"""Rows from which on a width is read off."""
ROUNDS = 4
LARGEST = 1.5
"""Log errors are cut off there when variances are taken: one odd machine is not a rule."""
SEVERAL = 3
"""Rows a group needs for its scatter to be told."""
LEAST = 1e-3
"""No part of the variance is taken to be smaller."""
UNKNOWN = EVIDENCE[-1]
"""Of what was never measured no spread is known either, so its width is that of whole errors."""
ALIKE = 0.5
"""Rows of one publisher, or of one group, share what is not told: n of them count as n^(1 - this)."""
Bands = dict[str, dict[str, float]]


def bands_of(table: Table, unseen: Floats, seen: Floats, rows: Mask | None = None) -> Bands:
    """Widths by target and evidence, and the spread of each stack in each mode.

    ``unseen``: logarithms predicted without the row's (gpu, model) pair; ``seen``: without its own kind of run.
    ``rows``: which rows may be looked at.
    """
    if rows is not None:
        unseen, seen = (np.where(rows, logs, np.nan) for logs in (unseen, seen))
    observed = np.stack([np.log(table.observed[t]) for t in TARGETS])
    place = without_pair(table)
    with_pair = without_run(table)
    bands: Bands = {}
    spread: dict[str, float] = {}
    for n, target in enumerate(TARGETS):
        errors = np.concatenate([np.abs(unseen - observed)[n], np.abs(seen - observed)[n]])
        classes = np.concatenate([place, with_pair])
        groups = np.array([BETWEEN.join(way) for way in zip(table.texts["engine"], modes_of(table), strict=True)])
        places = np.array([f"{GENERATION}{name}" for name in generations_of(table)])
        both = (np.concatenate([groups, groups]), np.concatenate([places, places]))
        bands[target], factors = _widths(errors, classes, both)
        spread |= {BETWEEN.join((target, name)): value for name, value in sorted(factors.items()) if value != 1.0}
        engines = np.array([g.split(BETWEEN)[0] for g in groups])
        for engine in sorted(set(engines)):
            own = [
                (factors[g], int((groups == g).sum())) for g in sorted(set(groups[engines == engine])) if g in factors
            ]
            if own:
                logs, counts = np.log([f for f, _ in own]), [c for _, c in own]
                spread[BETWEEN.join((target, engine))] = float(np.exp(np.average(logs, weights=counts)))
    bands["spread"] = spread
    return bands


def widths_of(table: Table, bands: Bands, place: Ints) -> Floats:
    """Half the band of each target and row in the logarithm, given the evidence that is left for each row."""
    kinds, kind = table.runs.kinds, table.runs.kind
    by_kind = np.zeros(len(kinds.model), dtype=np.int64)
    by_kind[kind] = place
    told = half_widths(kinds, replace(typical_parameters(), bands=bands, narrowed={}), by_kind)
    return np.stack([told[target][kind] for target in TARGETS])


def elsewhere_of(errors: Floats, widths: Floats, publishers: list[str], rows: Mask | None = None) -> dict[str, float]:
    """By target the half width of what publishers do otherwise that the fit never saw, beside the other ``widths``.

    ``errors``: in the logarithm, targets x rows like the half ``widths``. ``rows``: which may be looked at.
    """
    found: dict[str, float] = {}
    for n, target in enumerate(TARGETS):
        known = np.isfinite(errors[n]) & np.isfinite(widths[n]) & (True if rows is None else rows)
        _, place, counts = np.unique(np.array(publishers)[known], return_inverse=True, return_counts=True)
        more = np.sqrt(np.maximum(errors[n][known] ** 2 - widths[n][known] ** 2, 0.0))
        found[target] = float(np.quantile(more, INSIDE, weights=counts[place] ** -ALIKE, method="inverted_cdf"))
    return found


def variance_of(table: Table, errors: Floats) -> dict[str, float]:
    """The parts of the variance of a stranger's log error of pace, by what a user's options have in common.

    One is shared by all that a user runs, one by the device under an engine, one is a group's own (this model on this
    device under this engine), and one the scatter of its rows. The covariance of groups that share a level is that
    level's part and the wider ones'; n groups of a publisher count as n^(1 - ALIKE). ``errors``: targets x rows.
    """
    slow = -errors[TARGETS.index("tpot_s")]
    slow = np.where(np.isfinite(slow), slow, errors[TARGETS.index("output_tokens_per_s")])
    groups: dict[tuple[str, ...], list[float]] = {}
    columns = (table.texts[column] for column in ("engine", "gpu", "model"))
    for group, error in zip(zip(table.file, *columns, strict=True), slow, strict=True):
        if np.isfinite(error):
            groups.setdefault(group, []).append(float(np.clip(error, -LARGEST, LARGEST)))
    rows = np.array([len(values) for values in groups.values()])
    middle = np.array([np.median(values) for values in groups.values()])
    publisher, engine, gpu, _ = (np.array(column) for column in zip(*groups, strict=True))
    one = publisher[:, None] == publisher
    weight = one.sum(axis=1) ** -ALIKE
    one &= ~np.eye(len(middle), dtype=np.bool_)
    device = one & (engine[:, None] == engine) & (gpu[:, None] == gpu)
    spread = np.array([np.var(values, ddof=1) if len(values) > 1 else np.nan for values in groups.values()])
    several = rows >= SEVERAL
    scatter = float(np.average(spread[several], weights=weight[several]))

    def shared(pairs: Mask) -> float:
        """The mean product over pairs, those of one group counting together as the group."""
        each = np.repeat((weight / np.maximum(pairs.sum(axis=1), 1))[:, None], len(middle), axis=1)
        return float(np.average(np.outer(middle, middle)[pairs], weights=each[pairs]))

    user = max(shared(one & ~device), LEAST)
    beside = max(shared(device) - user, LEAST)
    whole = float(np.average(middle**2 - scatter / rows, weights=weight))
    return {"user": user, "device": beside, "own": max(whole - user - beside, LEAST), "scatter": scatter}


def _widths(
    errors: Floats, classes: Ints, groups: "tuple[np.typing.NDArray[np.str_], ...]"
) -> tuple[dict[str, float], dict[str, float]]:
    """Width of each class and factor of each group, in turns: each makes its own rows hold 80 %."""
    known = np.isfinite(errors)
    factor = {name: 1.0 for column in groups for name in sorted(set(column))}
    width: dict[str, float] = {}
    for _ in range(ROUNDS):
        spread = _product(factor, groups)
        for number, name in enumerate(EVIDENCE):
            mine = known & (classes == number)
            told = errors if name == UNKNOWN else errors / spread
            width[name] = _quantile(told[mine]) if mine.sum() >= FEWEST else np.nan
        width = _filled(width)
        base = np.array([width[name] for name in EVIDENCE])[classes]
        for column in groups:
            for name in sorted(set(column)):
                mine = known & (column == name)
                if mine.sum() >= FEWEST:
                    ratio = errors[mine] / base[mine] / _product(factor, groups)[mine] * factor[name]
                    own = np.log(max(_quantile(ratio), 0.05))
                    factor[name] = float(np.exp(own * mine.sum() / (mine.sum() + WHOLE)))
    return width, factor


def _product(factor: dict[str, float], groups: "tuple[np.typing.NDArray[np.str_], ...]") -> Floats:
    found: Floats = np.prod([[factor[name] for name in column] for column in groups], axis=0)
    return found


def _quantile(values: Floats) -> float:
    return float(np.quantile(values, INSIDE))


def _filled(width: dict[str, float]) -> dict[str, float]:
    """A class without rows, or narrower than a better known one, is as wide as that one."""
    last = 0.0
    for name in EVIDENCE:
        last = max(last, width[name]) if np.isfinite(width[name]) else last * 1.3
        width[name] = last
    return width


def _others(table: Table, own: tuple[str, ...], columns: tuple[str, ...]) -> Mask:
    """Whether rows that differ in ``own`` share all of ``columns`` with each row."""
    texts = dict(table.texts) | {"generation": generations_of(table)}
    wide = list(zip(*(texts[c] for c in columns), strict=True))
    narrow = list(zip(*(texts[c] for c in (*columns, *own)), strict=True))
    several: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for shared, whole in zip(wide, narrow, strict=True):
        several.setdefault(shared, set()).add(whole)
    return np.array([len(several[shared]) > 1 for shared in wide])


def generations_of(table: Table) -> list[str]:
    """The hardware generation of each row."""
    kinds = table.runs.kinds
    return [kinds.devices[kinds.device[k]].generation if k >= 0 else "" for k in table.runs.kind]


def modes_of(table: Table) -> list[str]:
    """The mode of each row as the equations know it: with the scenario, where that is a way of its own."""
    kinds = table.runs.kinds
    return [kinds.stacks[kinds.stack[k]].mode if k >= 0 else "" for k in table.runs.kind]


def without_pair(table: Table) -> Ints:
    """The evidence that is left for each row when its (gpu, model) pair is taken away."""
    found = np.full(len(table.runs.kind), EVIDENCE.index("none"))
    apart = [_others(table, ("gpu", "model"), (column,)) for column in ("generation", "engine")]
    found[apart[0] & apart[1]] = EVIDENCE.index("parts")
    found[_others(table, ("gpu", "model"), ("generation", "engine"))] = EVIDENCE.index("generation")
    found[_others(table, ("model",), ("gpu", "engine"))] = EVIDENCE.index("device")
    return found


def without_run(table: Table) -> Ints:
    """The same when only its own kind of run (version, format and mode) is taken away."""
    found = without_pair(table)
    found[_others(table, ("engine_version", "compute_format", "mode"), ("gpu", "model", "engine"))] = 0
    return found
