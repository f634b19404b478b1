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
from breakeven.performance.table import predict_runs

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
    return replace(moved(parameters, mine), narrowed=_narrowed(parameters, mine)) if mine.texts["id"] else parameters


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


def remaining(told: Mapping[str, float], target: str, rows: int) -> float:
    """Which share of its width the band of a group keeps after so many measured configurations."""
    shares = {int(name.split(BETWEEN)[1]): share for name, share in told.items() if name.split(BETWEEN)[0] == target}
    counts = sorted(shares)
    return float(np.interp(log(rows), np.log(counts), [shares[count] for count in counts]))


def _as_effect(axes: tuple[str, ...], logs: Mapping[Group, float]) -> Effect:
    return Effect(
        axes=axes, factors={level: exp(value) for level, value in logs.items()}, counts=dict.fromkeys(logs, 1)
    )


def _narrowed(parameters: Parameters, mine: Table) -> dict[str, dict[Group, float]]:
    """By target the share of its width that the band of each group keeps: where its pace, or its TTFT, was measured."""
    observed = mine.observed
    pace = np.isfinite(observed["tpot_s"]) | np.isfinite(observed["output_tokens_per_s"])
    found = {target: dict(shares) for target, shares in parameters.narrowed.items()}
    for target in TARGETS:
        known = np.isfinite(observed[target]) if target == "ttft_s" else pace
        counts: dict[Group, int] = {}
        for group in (group for group, has in zip(_groups(mine), known, strict=True) if has):
            counts[group] = counts.get(group, 0) + 1
        shares = {group: remaining(parameters.bands[REMAINING], target, count) for group, count in counts.items()}
        found[target] = found.get(target, {}) | shares
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
