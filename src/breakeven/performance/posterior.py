"""What a few measurements of one's own stack change: a posterior, not a new fit.

The log error of a row has a part that its group has of its own (this model on this device under this stack), and
scatter from row to row:

    error = own + scatter,     own ~ scale x Student's t with 3 degrees of freedom,     scatter ~ normal(0, scatter)

Most groups are about as predicted, some are odd: a part of a small error is scatter, a large one is nearly all the
group's. ``own`` is the mode given the median of n configurations, whose scatter is taken to be a root of n smaller;
repeats of one configuration are one, their median. It becomes an effect like any other, and the band of the group is
as much narrower as it was found to be after so many rows of publishers that the fit never saw: a user is such. What
groups of one source share with their stack or device is in the fit already; what a user's groups share is not told yet.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import exp, log

import numpy as np

from breakeven.options.columns import Floats
from breakeven.performance.band import BETWEEN
from breakeven.performance.calibration import Effect, Parameters
from breakeven.performance.measured import TARGETS, Table
from breakeven.performance.table import predict_runs

GROUP = ("gpu", "model", "stack")
Group = tuple[str, ...]
OWN_PACE, OWN_FIRST, REMAINING = "own_pace", "own_first", "remaining"
"""Tables among the bands: scale and scatter of the time of a pass and of the first token; what remains of a width."""
FREEDOM = 3.0
ROUNDS = 20
LARGEST_LOG = 3.0
"""A measurement further off than this factor (e^3 = 20) counts as so far off."""


def updated(parameters: Parameters, table: Table) -> Parameters:
    """The parameters after one's own measurements: pace and first token of their groups move, bands narrow."""
    served = predict_runs(table.runs, parameters)
    observed, bands = table.observed, parameters.bands
    slow = np.log(observed["tpot_s"] / served.tpot_s)
    slow = np.where(np.isfinite(slow), slow, -np.log(observed["output_tokens_per_s"] / served.output_tokens_per_s))
    late = np.log(observed["ttft_s"] / served.ttft_s)
    paces = _by_group(table, slow)
    pace = {group: shrunk(errors, bands[OWN_PACE]) for group, errors in paces.items()}
    firsts = _by_group(table, late - np.array([pace.get(group, 0.0) for group in _groups(table)]))
    first = {group: shrunk(errors, bands[OWN_FIRST]) for group, errors in firsts.items()}
    effects = dict(parameters.effects)
    for quantity, logs in (("pace", pace), ("first", first)):
        if logs:
            effects[quantity] = (*effects.get(quantity, ()), _as_effect(logs))
    narrowed = {target: dict(shares) for target, shares in parameters.narrowed.items()}
    for target in TARGETS:
        measured = firsts if target == "ttft_s" else paces
        told = {group: remaining(bands[REMAINING], target, len(errors)) for group, errors in measured.items()}
        narrowed[target] = narrowed.get(target, {}) | told
    return replace(parameters, effects=effects, narrowed=narrowed)


def shrunk(errors: Floats, own: Mapping[str, float]) -> float:
    """The mode of a group's own part, given the log errors of some of its rows, in turns of weight and mean.

    >>> own = {"scale": 0.1, "scatter": 0.1}
    >>> [round(shrunk(np.array(rows), own), 2) for rows in ([0.05], [0.05] * 8, [0.8])]  # scatter; sure; odd
    [0.02, 0.04, 0.75]
    """
    middle = float(np.median(errors))
    noise = own["scatter"] ** 2 / len(errors)
    found = middle
    for _ in range(ROUNDS):
        variance = (FREEDOM * own["scale"] ** 2 + found**2) / (FREEDOM + 1)
        found = middle * variance / (variance + noise)
    return found


def remaining(told: Mapping[str, float], target: str, rows: int) -> float:
    """Which share of its width the band of a group keeps after so many measured rows."""
    shares = {int(name.split(BETWEEN)[1]): share for name, share in told.items() if name.split(BETWEEN)[0] == target}
    counts = sorted(shares)
    return float(np.interp(log(rows), np.log(counts), [shares[count] for count in counts]))


def _as_effect(logs: Mapping[Group, float]) -> Effect:
    return Effect(
        axes=GROUP,
        factors={group: exp(log_factor) for group, log_factor in logs.items()},
        counts=dict.fromkeys(logs, 1),
    )


def _groups(table: Table) -> list[Group]:
    columns = (table.texts[c] for c in ("gpu", "model", "engine"))
    return list(zip(*columns, strict=True))


def _by_group(table: Table, errors: Floats) -> dict[Group, Floats]:
    """The error of each configuration that was measured, by group."""
    runs = table.runs
    figures = (runs.kind, runs.mode, runs.input_tokens, runs.output_tokens, runs.concurrency, runs.request_rate_per_s)
    columns = [[f"{value:g}" for value in figure] for figure in figures]
    repeats: dict[Group, dict[tuple[str, ...], list[float]]] = {}
    for group, error, *configuration in zip(_groups(table), errors, *columns, strict=True):
        if np.isfinite(error):
            mine = repeats.setdefault(group, {}).setdefault(tuple(configuration), [])
            mine.append(float(np.clip(error, -LARGEST_LOG, LARGEST_LOG)))
    return {group: np.array([np.median(rows) for rows in mine.values()]) for group, mine in repeats.items()}
