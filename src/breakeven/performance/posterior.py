"""What measurements of one's own stack change: the calibration's fit goes on, with the calibration as its prior.

A user's stack differs from the published ones in every quantity of the equations: launches, links, prefill, what comes
before the first token, the burst at a benchmark's start. So each quantity gets two effects more,

    log quantity = calibrated + effect(stack) + effect(gpu, model, stack),     effect ~ width x normal, or Student's t

one of all that the user runs under an engine and one of each group, as wide as half of what stacks differ among each
other (``own`` among the parameters). The mode of their posterior (``fit``) takes a row's error apart by what the row
hangs on: a late first token of 200 clients says little of one client, and what a benchmark's burst explains is no part
of a plan. Repeats of one configuration are one, their median. The band of a measured group is as much narrower as it
was found to be after so many configurations of publishers that the fit never saw: a user is such.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import exp, log

import numpy as np

from breakeven.options.columns import Floats, Ints
from breakeven.performance.band import BETWEEN
from breakeven.performance.calibration import Effect, Parameters
from breakeven.performance.fit import Problem, Term
from breakeven.performance.measured import TARGETS, Table
from breakeven.performance.replica import replicas
from breakeven.performance.table import predict_runs, prepared

GROUP = ("gpu", "model", "stack")
LEVELS = (("stack",), GROUP)
"""What a user has of their own: in all that runs under an engine, and in one group of it."""
Group = tuple[str, ...]
REMAINING = "remaining"
"""Among the bands: what remains of a width after so many measured configurations."""
LARGEST_LOG = 3.0
"""A measurement further off than this factor (e^3 = 20) counts as so far off."""
WORTH_KEEPING = 1e-4
"""Effects smaller than this in the logarithm are left out."""


def updated(parameters: Parameters, table: Table) -> Parameters:
    """The parameters after one's own measurements: quantities of their stacks and groups move, bands narrow."""
    mine = once(table, parameters)
    if not mine.texts["id"]:
        return parameters
    after = moved(parameters, mine)
    return replace(after, narrowed=_narrowed(after, mine))


def moved(parameters: Parameters, mine: Table) -> Parameters:
    """The parameters with the effects that some rows speak for, each configuration told once; bands stay."""
    terms = tuple(Term(quantity, axes, width) for quantity, width in parameters.own.items() for axes in LEVELS)
    problem = Problem(mine, parameters, terms)
    logs = problem.fit(np.ones(len(mine.runs.kind), dtype=np.bool_))
    effects = dict(parameters.effects)
    for term, levels, values in zip(terms, problem.levels, logs, strict=True):
        told = {level: float(value) for level, value in zip(levels, values, strict=True) if abs(value) > WORTH_KEEPING}
        if told:
            effects[term.quantity] = (*effects.get(term.quantity, ()), _as_effect(term.axes, told))
    return replace(parameters, effects=effects)


def remaining(told: Mapping[str, float], target: str, rows: float) -> float:
    """Which share of its width the band of a group keeps after so many measured configurations; 1 after none."""
    shares = {int(name.split(BETWEEN)[1]): share for name, share in told.items() if name.split(BETWEEN)[0] == target}
    counts = sorted(shares)
    if rows < counts[0]:
        return 1 - (1 - shares[counts[0]]) * rows / counts[0]
    return float(np.interp(log(rows), np.log(counts), [shares[count] for count in counts]))


def _as_effect(axes: tuple[str, ...], logs: Mapping[Group, float]) -> Effect:
    return Effect(
        axes=axes, factors={level: exp(value) for level, value in logs.items()}, counts=dict.fromkeys(logs, 1)
    )


def _narrowed(after: Parameters, mine: Table) -> dict[str, dict[Group, float]]:
    """By target the share of its width that the band of each group keeps: where its pace, or its TTFT, was measured.

    What a burst explains of a TTFT tells nothing of a plan's, so such a row counts by the rest of it.
    """
    observed = mine.observed
    pace = np.isfinite(observed["tpot_s"]) | np.isfinite(observed["output_tokens_per_s"])
    counted = {target: pace.astype(np.float64) for target in TARGETS}
    counted["ttft_s"] = np.where(np.isfinite(observed["ttft_s"]), _without_burst(after, mine), 0.0)
    found = {target: dict(shares) for target, shares in after.narrowed.items()}
    for target, weights in counted.items():
        counts: dict[Group, float] = {}
        for group, weight in zip(_groups(mine), weights.tolist(), strict=True):
            counts[group] = counts.get(group, 0.0) + weight
        shares = {group: remaining(after.bands[REMAINING], target, n) for group, n in counts.items() if n > 0}
        found[target] = found.get(target, {}) | shares
    return found


def _without_burst(after: Parameters, mine: Table) -> Floats:
    """The share of each row's TTFT that has nothing to do with a burst at the benchmark's start."""
    kinds, runs = mine.runs.kinds, mine.runs
    usual = replicas(kinds, after, 0.0)
    calm = prepared(kinds, after, replace(usual, burst=np.zeros(len(kinds.model))))
    found: Floats = predict_runs(runs, after, calm).ttft_s / predict_runs(runs, after).ttft_s
    return found


def _groups(table: Table) -> Iterator[Group]:
    return zip(*(table.texts[column] for column in ("gpu", "model", "engine")), strict=True)


def once(table: Table, parameters: Parameters) -> Table:
    """The rows that tell something, each configuration once: the median of its repeats."""
    served = predict_runs(table.runs, parameters)
    observed, logs = table.observed, np.full((len(TARGETS), len(table.runs.kind)), np.nan)
    for n, target in enumerate(TARGETS):
        with np.errstate(divide="ignore", invalid="ignore"):
            logs[n] = np.clip(np.log(observed[target] / getattr(served, target)), -LARGEST_LOG, LARGEST_LOG)
    rows = np.flatnonzero(np.isfinite(logs).any(axis=0))
    first, place = _configurations(table, rows)
    kept = table.take(rows[first])
    middle = np.array([[_median(logs[n, rows[place == c]]) for c in range(len(first))] for n in range(len(TARGETS))])
    told = {t: getattr(served, t)[rows[first]] * np.exp(middle[n]) for n, t in enumerate(TARGETS)}
    return replace(kept, observed=told)


def _configurations(table: Table, rows: Ints) -> tuple[Ints, Ints]:
    """The first row of each configuration among some rows, and the configuration of each."""
    runs = table.runs
    figures = (runs.kind, runs.mode, runs.input_tokens, runs.output_tokens, runs.concurrency, runs.request_rate_per_s)
    columns = np.stack(
        [np.nan_to_num(np.asarray(f, dtype=np.float64)[rows], nan=-1.0) for f in (*figures, runs.replicas)]
    )
    _, first, place = np.unique(columns, axis=1, return_index=True, return_inverse=True)
    return first, place.reshape(-1)


def _median(logs: Floats) -> float:
    known = logs[np.isfinite(logs)]
    return float(np.median(known)) if len(known) else float("nan")
