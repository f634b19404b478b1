"""The best base for a load: own capacity for what is always there, a paid API for what rises above it.

With load l(h), mean 1, own capacity K and a unit of it that costs r times what the API takes for the traffic that it
can carry, an hour costs r K + max(l(h) - K, 0). That is piecewise linear and convex in K, and its slope is
r - P(l > K): the best K is a quantile of the load, and nothing needs to be searched for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from breakeven.errors import SpecError, refuse_odd_number
from breakeven.options.columns import Floats

ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseCapacity:
    """The cheapest base and what it does. Shares and costs are of the whole traffic, hours are weighted alike."""

    base_over_mean: float
    """K*: own capacity, in mean hourly loads; 0: the API alone is cheapest."""
    share_served: float
    """Share of the traffic that the base serves; the rest overflows to the API."""
    utilisation: float
    """Share of the base that is used on average; NaN where there is no base."""
    cost_over_api: float
    """The whole bill over that of the API alone."""
    saving_vs_best_pure: float
    """What is saved against the cheaper of the API alone and own capacity for the busiest hour, in the same unit."""


def best_base_capacity(load: Sequence[float] | Floats, capacity_cost_over_api_value: float) -> BaseCapacity:
    """The own capacity that minimises the bill for a load when a paid API takes the overflow.

    ``load``: traffic of equally long hours in any unit; only its shape matters. ``capacity_cost_over_api_value``: r,
    what an hour of own capacity costs over what the API would take for the traffic that fills it. K* is the smallest
    load that is exceeded in a share of at most r of the hours (of two equally cheap ones the nearer to the mean).

    Capacity is divisible here and an hour's traffic is smooth; a plan counts whole machines and random arrivals.

    Raises:
        SpecError: if the load is no traffic or the ratio no number of 0 or more.

    >>> best = best_base_capacity([1.0, 1.0, 1.0, 5.0], 0.5)
    >>> best.base_over_mean, best.share_served, best.utilisation
    (0.5, 0.5, 1.0)
    >>> best.cost_over_api, best.saving_vs_best_pure
    (0.75, 0.25)
    """
    refuse_odd_number("capacity_cost_over_api_value", capacity_cost_over_api_value)
    hours = _over_mean(load)
    base = _exceeded_at_most(hours, capacity_cost_over_api_value)
    served = float(np.minimum(hours, base).mean())
    cost = capacity_cost_over_api_value * base + 1 - served
    pure = min(1.0, capacity_cost_over_api_value * float(hours.max()))
    return BaseCapacity(
        base_over_mean=base,
        share_served=served,
        utilisation=served / base if base else float("nan"),
        cost_over_api=cost,
        saving_vs_best_pure=max(pure - cost, 0.0),
    )


def _over_mean(load: Sequence[float] | Floats) -> Floats:
    hours = np.asarray(load, dtype=np.float64)
    if hours.ndim != 1 or not len(hours) or not np.isfinite(hours).all() or hours.min() < 0 or not hours.max():
        raise SpecError(
            "the load is no traffic", expected="one number of 0 or more for each hour, not all 0", do="Correct it"
        )
    shape = hours / hours.max()  # no sum of it overflows
    over_mean: Floats = shape / shape.mean()
    return over_mean


def _exceeded_at_most(hours: Floats, share: float) -> float:
    """The smallest of the loads, or 0, that is exceeded in at most this share of the hours.

    Where it is exceeded in exactly this share, everything up to the next load costs the same: of the two ends the one
    nearer to the mean load is taken. A base that saves nothing is none.
    """
    levels = np.concatenate([[0.0], np.sort(hours)])
    exceeded = len(hours) - np.searchsorted(levels[1:], levels, side="right")
    within = share * len(hours)
    place = int(np.argmax(exceeded <= within * (1 + ROUNDING)))
    least, above = float(levels[place]), levels[levels > levels[place]]
    tied = abs(float(exceeded[place]) - within) <= within * ROUNDING
    if not least or not tied or not len(above):
        return least
    return min(least, float(above[0]), key=lambda base: abs(base - 1))
