"""What measurements of one's own stack change: the calibration's fit goes on, with the calibration as its prior.

A user's stack differs from the published ones in every quantity of the equations: launches, links, prefill, what comes
before the first token, the burst at a benchmark's start. So each quantity gets two effects more,

    log quantity = calibrated + effect(stack) + effect(gpu, model, stack),     effect ~ width x normal, or Student's t

one of all that the user runs under an engine and one of each group; ``own`` among the parameters tells how wide. The
mode of their posterior (``fit``) takes a row's error apart by what the row hangs on: a late first token of 200 clients
says little of one client. Rows that tell a first token and no pace move what the first token alone hangs on.

The band of a measured group narrows by as much as it was found to after so many configurations of publishers that the
fit never saw: a user is such. A configuration counts by how far its figure hangs on what is asked: tokens/s of a run
that arrivals limit tell no pace, and what a burst, clients in step or a full queue explain of TTFT is no part of a
plan. Repeats of one configuration are one, their median.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import exp, log

import numpy as np

from breakeven.options.columns import Floats, Ints
from breakeven.performance.band import BETWEEN, half_widths
from breakeven.performance.calibration import Effect, Parameters
from breakeven.performance.fit import STEP, Problem, Term
from breakeven.performance.kinds import measured_as
from breakeven.performance.measured import TARGETS, Table
from breakeven.performance.replica import replicas
from breakeven.performance.roofline import Replica
from breakeven.performance.serving import Served
from breakeven.performance.table import predict_runs, prepared

GROUP = ("gpu", "model", "stack")
LEVELS = (("stack",), GROUP)
"""What a user has of their own: in all that runs under an engine, and in one group of it."""
Group = tuple[str, ...]
OF_FIRST = ("request", "queueing", "burst", "cohort", "prompt", "first")
"""Quantities that the first token hangs on and the pace hardly."""
REMAINING = "remaining"
"""Among the bands: what remains of a width after so many measured configurations."""
FURTHEST = 20.0
"""A figure further off than this factor is followed as if it were so far off, and narrows nothing."""
APART = 0.05
"""Configurations whose lengths or loads differ by less than about this in the logarithm are repeats."""
WORTH_KEEPING = 1e-4
"""Effects smaller than this in the logarithm are left out."""
OUTPUT, FIRST, SLOW = TARGETS


def updated(parameters: Parameters, table: Table) -> Parameters:
    """The parameters after one's own measurements: quantities of their stacks and groups move, bands narrow.

    All measurements at once: told in two parts, each part has a prior of its own.
    """
    mine = once(table, parameters)
    if not mine.texts["id"]:
        return parameters
    after = moved(parameters, mine)
    narrowed = {target: dict(shares) for target, shares in after.narrowed.items()}
    for target, counts in counted(after, mine).items():
        told = {group: remaining(after.bands[REMAINING], target, n) for group, n in counts.items()}
        narrowed[target] = narrowed.get(target, {}) | told
    return replace(after, narrowed=narrowed)


def moved(parameters: Parameters, mine: Table) -> Parameters:
    """The parameters with the effects that some rows speak for, each configuration told once; bands stay."""
    paced = np.isfinite(mine.observed[SLOW]) | np.isfinite(mine.observed[OUTPUT])
    engines = np.array(mine.texts["engine"])
    for engine in np.unique(engines):
        for rows, quantities in ((paced, tuple(parameters.own)), (~paced, OF_FIRST)):
            if np.any(rows & (engines == engine)):
                part = mine.take(np.flatnonzero(rows & (engines == engine)))
                parameters = _followed(parameters, part, quantities)
    return parameters


def _followed(parameters: Parameters, mine: Table, quantities: tuple[str, ...]) -> Parameters:
    """The parameters with the effects on some quantities that rows of one engine speak for."""
    terms = tuple(Term(quantity, axes, parameters.own[quantity]) for quantity in quantities for axes in LEVELS)
    served = predict_runs(mine.runs, parameters)
    near = {
        t: np.clip(o, getattr(served, t) / FURTHEST, getattr(served, t) * FURTHEST) for t, o in mine.observed.items()
    }
    problem = Problem(replace(mine, observed=near), parameters, terms)
    logs = problem.fit(np.ones(len(mine.runs.kind), dtype=np.bool_))
    effects = dict(parameters.effects)
    for term, levels, values in zip(terms, problem.levels, logs, strict=True):
        told = {level: float(value) for level, value in zip(levels, values, strict=True) if abs(value) > WORTH_KEEPING}
        if told:
            effects[term.quantity] = (*effects.get(term.quantity, ()), _as_effect(term.axes, told))
    return replace(parameters, effects=effects)


def _as_effect(axes: tuple[str, ...], logs: Mapping[Group, float]) -> Effect:
    return Effect(
        axes=axes, factors={level: exp(value) for level, value in logs.items()}, counts=dict.fromkeys(logs, 1)
    )


def remaining(told: Mapping[str, float], target: str, rows: float) -> float:
    """Which share of its width the band of a group keeps after so many measured configurations; 1 after none."""
    shares = {int(name.split(BETWEEN)[1]): share for name, share in told.items() if name.split(BETWEEN)[0] == target}
    counts = sorted(shares)
    if rows < counts[0]:
        return 1 - (1 - shares[counts[0]]) * rows / counts[0]
    return float(np.interp(log(rows), np.log(counts), [shares[count] for count in counts]))


def counted(after: Parameters, mine: Table) -> dict[str, dict[Group, float]]:
    """By target how many configurations of each group tell of it, whole ones and parts; ``after``: following them."""
    found: dict[str, dict[Group, float]] = {}
    for target, weights in _telling(after, mine).items():
        counts = found.setdefault(target, {})
        for group, weight in zip(_groups(mine), weights.tolist(), strict=True):
            if weight > 0:
                counts[group] = counts.get(group, 0.0) + weight
    return found


def _telling(after: Parameters, mine: Table) -> dict[str, Floats]:
    """By target how far each row's figures hang on what a plan asks, from 0 to 1.

    How far tokens/s and TPOT follow the pace, and TTFT the steady first token. A figure that lies outside the band even
    after it was followed tells nothing.
    """
    kinds, nothing = mine.runs.kinds, np.zeros(len(mine.runs.kinds.model))
    usual = replicas(kinds, after, 0.0)
    slower = replace(usual, pace=usual.pace * np.exp(STEP))
    calm = replace(usual, burst=nothing, cohort=nothing)
    later = replace(calm, first=calm.first * np.exp(STEP))
    now, then, calm_now, calm_then = (_predicted(after, mine, r) for r in (usual, slower, calm, later))
    moves = {target: np.abs(then[target] - now[target]) / now[target] for target in (OUTPUT, SLOW)}
    moves[FIRST] = (calm_then[FIRST] - calm_now[FIRST]) / now[FIRST]
    widths = half_widths(kinds, after)
    told: dict[str, Floats] = {}
    for target, move in moves.items():
        off = np.abs(np.log(mine.observed[target] / now[target]))
        told[target] = np.where(off <= widths[target][mine.runs.kind], np.clip(move / STEP, 0.0, 1.0), 0.0)
    pace = np.maximum(told[OUTPUT], told[SLOW])
    return {OUTPUT: pace, FIRST: told[FIRST], SLOW: pace}


def _predicted(parameters: Parameters, mine: Table, replica: Replica) -> dict[str, Floats]:
    served = predict_runs(mine.runs, parameters, prepared(mine.runs.kinds, parameters, replica))
    return {target: getattr(served, target) for target in TARGETS}


def _groups(table: Table) -> Iterator[Group]:
    models = map(measured_as, table.texts["model"])
    return zip(table.texts["gpu"], models, table.texts["engine"], strict=True)


def once(table: Table, parameters: Parameters) -> Table:
    """The rows that tell something, each configuration once: the median of its repeats."""
    served = predict_runs(table.runs, parameters)
    logs = _off(table, served)
    rows = np.flatnonzero(np.isfinite(logs).any(axis=0))
    first, place = _configurations(table, rows)
    middle = np.array([[_median(logs[n, rows[place == c]]) for c in range(len(first))] for n in range(len(TARGETS))])
    told = {t: getattr(served, t)[rows[first]] * np.exp(middle[n]) for n, t in enumerate(TARGETS)}
    return replace(table.take(rows[first]), observed=told)


def _off(table: Table, served: Served) -> Floats:
    """The logarithm of what was observed over what is predicted, targets x rows."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.stack([np.log(table.observed[t] / getattr(served, t)) for t in TARGETS])
    return found


def _configurations(table: Table, rows: Ints) -> tuple[Ints, Ints]:
    """The first row of each configuration among some rows, and the configuration of each."""
    runs = table.runs
    sizes = (runs.input_tokens, runs.output_tokens, runs.concurrency, runs.request_rate_per_s, runs.replicas)
    with np.errstate(divide="ignore"):
        near = [np.round(np.nan_to_num(np.log(size[rows]) / APART, nan=-1.0, neginf=-1.0)) for size in sizes]
    columns = np.stack([runs.kind[rows], runs.mode[rows], *near])
    _, first, place = np.unique(columns, axis=1, return_index=True, return_inverse=True)
    return first, place.reshape(-1)


def _median(logs: Floats) -> float:
    known = logs[np.isfinite(logs)]
    return float(np.median(known)) if len(known) else float("nan")


def unused(table: Table, parameters: Parameters) -> dict[int, str]:
    """By row (the first is 0) why it, or a figure of it, changes nothing or less than it says."""
    logs = _off(table, predict_runs(table.runs, parameters))
    found: dict[int, str] = {}
    for row in range(len(table.runs.kind)):
        far = [(t, logs[n, row]) for n, t in enumerate(TARGETS) if abs(logs[n, row]) > log(FURTHEST)]
        if not table.runs.covered[row]:
            model, gpu = (table.texts[column][row] for column in ("model", "gpu"))
            found[row] = f"no speeds of model {model} on GPU {gpu} are predicted"
        elif not any(np.isfinite(table.observed[target][row]) for target in TARGETS):
            found[row] = f"it has none of {', '.join(TARGETS)}"
        elif far:
            target, off = far[0]
            told = f"{exp(abs(off)):,.0f} times {'more' if off > 0 else 'less'} than predicted"
            counts = f"it counts as {FURTHEST:.0f} times, check its unit"
            found[row] = f"{target} is {table.observed[target][row]:g}, {told}; {counts}"
    return found
