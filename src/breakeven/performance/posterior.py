"""What a few measurements of one's own stack change: a posterior, not a new fit.

The log error of a group (this model on this device under this stack) has a part that it shares with its stack, a part
that it shares with the device under that stack, a part of its own, and scatter from run to run:

    error = stack + device + own + scatter
    K = V_stack [same stack] + V_device [same device too] + V_own [same group]

all normal around 0. Given errors e of rows, the parts of a group are K' (K + V_scatter)^-1 e and their variance shrinks
by K' (K + V_scatter)^-1 K. The parts become effects like any other, and the band narrows with the variance.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import exp

import numpy as np

from breakeven.options.columns import Floats
from breakeven.performance.calibration import Effect, Parameters
from breakeven.performance.measured import Table
from breakeven.performance.table import predict_runs

GROUP = ("gpu", "model", "stack")
LARGEST_LOG = 3.0
"""A measurement further off than this factor (e^3 = 20) counts as so far off."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """Mean and remaining share of the variance of each group's error."""

    means: Mapping[tuple[str, ...], float]
    shares: Mapping[tuple[str, ...], float]


def updated(parameters: Parameters, table: Table) -> Parameters:
    """The parameters after one's own measurements: pace and first token of their groups move, bands narrow."""
    served = predict_runs(table.runs, parameters)
    observed = table.observed
    slow = np.log(observed["tpot_s"] / served.tpot_s)
    slow = np.where(np.isfinite(slow), slow, -np.log(observed["output_tokens_per_s"] / served.output_tokens_per_s))
    late = np.log(observed["ttft_s"] / served.ttft_s)
    pace = _parts(table, slow, parameters.bands["variance"])
    after = late - np.array([pace.means.get(group, 0.0) for group in _groups(table)])
    first = _parts(table, after, parameters.bands["variance_ttft"])
    effects = dict(parameters.effects)
    for quantity, parts in (("pace", pace), ("first", first)):
        if parts.means:
            effects[quantity] = (*effects.get(quantity, ()), _as_effect(parts))
    return replace(parameters, effects=effects, narrowed=dict(parameters.narrowed) | dict(pace.shares))


def _as_effect(parts: _Parts) -> Effect:
    return Effect(
        axes=GROUP,
        factors={group: exp(mean) for group, mean in parts.means.items()},
        counts=dict.fromkeys(parts.means, 1),
    )


def _groups(table: Table) -> list[tuple[str, ...]]:
    columns = (table.texts[c] for c in ("gpu", "model", "engine"))
    return list(zip(*columns, strict=True))


def _parts(table: Table, errors: Floats, variance: Mapping[str, float]) -> _Parts:
    """The posterior of every group that has rows; rows of one group are averaged first."""
    rows: dict[tuple[str, ...], list[float]] = {}
    for group, error in zip(_groups(table), errors, strict=True):
        if np.isfinite(error):
            rows.setdefault(group, []).append(float(np.clip(error, -LARGEST_LOG, LARGEST_LOG)))
    groups = list(rows)
    if not groups:
        return _Parts({}, {})
    counts = np.array([len(rows[group]) for group in groups])
    means = np.array([np.median(rows[group]) for group in groups])
    shared = _kernel(groups, variance)
    gain = np.linalg.solve(shared + np.diag(variance["scatter"] / counts), shared).T
    left = np.diag(shared) - np.einsum("ij,ij->i", gain, shared)
    before = np.diag(shared) + variance["scatter"]
    share = np.sqrt((left + variance["scatter"]) / before)
    return _Parts(
        means=dict(zip(groups, (gain @ means).tolist(), strict=True)),
        shares=dict(zip(groups, share.tolist(), strict=True)),
    )


def _kernel(groups: list[tuple[str, ...]], variance: Mapping[str, float]) -> Floats:
    gpu, _, stack = (np.array(column) for column in zip(*groups, strict=True))
    same_stack = stack[:, None] == stack
    same_device = same_stack & (gpu[:, None] == gpu)
    kernel: Floats = (
        variance["stack"] * same_stack + variance["device"] * same_device + variance["own"] * np.eye(len(gpu))
    )
    return kernel
