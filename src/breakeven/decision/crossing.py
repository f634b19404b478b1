"""The break-even in every scenario: from which traffic on the best self-hosting stays cheaper than the best API.

Costs are means over the horizon, at the same traffic all along: growth moves the reader along the line, not the line.
"""

from dataclasses import dataclass

import numpy as np

from breakeven.decision.contest import QUARTERS, Trends, logs_per_year
from breakeven.decision.curves import HIGHEST_REQUESTS_PER_DAY, LOWEST_REQUESTS_PER_DAY
from breakeven.decision.repricing import ApiLines, HostedLines
from breakeven.decision.scenarios import Draws, SpeedErrors
from breakeven.options.columns import Floats
from breakeven.units import MONTHS_PER_YEAR

POINTS = 37
"""Volumes between which the lines are straight in the logarithm."""
ENDS = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crossing:
    """Both sides of one class. ``api`` holds one API."""

    api: ApiLines
    hosted: HostedLines
    errors: SpeedErrors
    """Of the hosted options."""
    trends: Trends
    requests_per_day: float
    """At which the API's lines are given."""
    horizon_months: int
    api_success: float
    hosted_success: Floats
    """The shares of right answers, where both sides are compared by the cost of as many of them as there are requests;
    else 1."""


def crossing_volumes() -> Floats:
    """The volumes of the lines."""
    return np.geomspace(LOWEST_REQUESTS_PER_DAY, HIGHEST_REQUESTS_PER_DAY, POINTS)


def break_evens(crossing: Crossing, draws: Draws) -> Floats:
    """Requests a day in every scenario; infinite where self-hosting never stays cheaper.

    ``draws.speed``: of the hosted options.
    """
    volumes = crossing.hosted.table.volumes
    api, hosted = np.zeros((2, len(draws.rent), len(volumes)))
    lines = crossing.hosted
    slow = crossing.errors.deviation[:, None] * draws.speed
    slow = slow + lines.input_weight[:, None] * draws.log_input + lines.output_weight[:, None] * draws.log_output
    tokens = crossing.api.input_usd_per_day[0] * np.exp(draws.log_input)
    tokens = tokens + crossing.api.output_usd_per_day[0] * np.exp(draws.log_output)
    every = np.zeros((len(lines.options), len(draws.rent), len(volumes)))
    for years in ((np.arange(QUARTERS) + 0.5) / QUARTERS * crossing.horizon_months / MONTHS_PER_YEAR).tolist():
        pace = slow + logs_per_year(crossing.trends.models, draws.progress) * years
        rent = logs_per_year(crossing.trends.rents, draws.rent)
        every += lines.table.along(pace, (np.exp(rent * years), np.exp(rent * lines.rent_since(years))))
        moved = np.exp(logs_per_year(crossing.trends.api, draws.progress) * years)
        every_request = tokens * moved + crossing.api.beside_usd_per_day[0]
        api += np.outer(every_request, volumes / crossing.requests_per_day) + crossing.api.fixed_usd_per_day[0]
        for unit in crossing.api.units:
            if unit is not None:
                at, longer, more, by_then = np.broadcast_arrays(
                    volumes, draws.log_input[:, None], draws.log_output[:, None], moved[:, None]
                )
                api += unit.usd_per_day((at, at), (longer, more), by_then)
    api = np.where(volumes > crossing.api.most_requests_per_day[0], np.inf, api)
    hosted = (every / crossing.hosted_success[:, None, None]).min(axis=0)
    api = api / crossing.api_success
    return _from_where_on(hosted / QUARTERS, api / QUARTERS, volumes)


def _from_where_on(hosted: Floats, api: Floats, volumes: Floats) -> Floats:
    """Where the last stretch begins on which hosting is cheaper, between two points in the logarithm.

    >>> volumes = np.array([1.0, 10.0, 100.0])
    >>> _from_where_on(np.array([[10.0, 10.0, 10.0]]), volumes[None] / 2, volumes).round(6).tolist()
    [20.0]
    """
    dearer = hosted > api
    last = len(volumes) - 1 - np.argmax(dearer[:, ::-1], axis=1)  # the last point at which hosting is dearer
    found = np.full(len(hosted), volumes[0])
    row = np.flatnonzero(dearer.any(axis=1) & ~dearer[:, -1])
    at = last[row]
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.log(hosted) - np.log(api)
        share = gap[row, at] / (gap[row, at] - gap[row, at + 1])
    share = np.where(np.isfinite(share), share, 1.0)
    found[row] = np.exp(np.log(volumes[at]) * (1 - share) + np.log(volumes[at + 1]) * share)
    found[dearer[:, -1]] = np.inf
    return found


def ends_of(values: Floats) -> tuple[float, float, float]:
    """The 10 % end, the median and the 90 % end of the scenarios; infinite ones are the highest.

    >>> ends_of(np.array([1.0, 2.0, np.inf]))
    (1.0, 2.0, inf)
    """
    low, mid, high = np.quantile(values, ENDS, method="nearest").tolist()
    return low, mid, high
