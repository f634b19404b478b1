"""The cheapest API and the cheapest self-hosting of each group against traffic.

A few hosted options of each group are picked by a cheap surrogate and then drawn exactly, all groups in one call.
"""

from dataclasses import dataclass

import numpy as np

from breakeven.capacity.sizing import headroom
from breakeven.decision.curves import Curves, volumes
from breakeven.decision.rank import Contender, Ranking
from breakeven.options.columns import Floats, Ints
from breakeven.options.hosted import HostedGrid
from breakeven.options.quality import UNKNOWN_CLASS, Quality
from breakeven.units import HOURS_PER_DAY, SECONDS_PER_DAY

SCREENING = np.geomspace(1e2, 1e8, 13)
"""Volumes at which every hosted option is screened for being the cheapest of its group."""
PER_VOLUME = 2
"""Options kept for each screening volume and group."""
NOTHING = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Envelope:
    """The two lines of one group; a side that has no option is ``None``."""

    group: str
    requests_per_day: Floats
    api: Contender | None
    api_usd_per_day: Floats | None
    hosted: Ints
    """Hosted options that are cheapest at some volume."""
    hosted_usd_per_day: Floats | None
    """The least of all hosted options at each volume."""
    hosted_best: Ints | None
    """Which hosted option that is."""


def envelopes_of(ranking: Ranking, curves: Curves, grid: HostedGrid, quality: Quality) -> tuple[Envelope, ...]:
    """The lines of every group of known quality, in the order of the ranking.

    Options of unknown quality have none: the cheapest of them is not known to do what the next one does.
    """
    groups = tuple(group for group in ranking.groups if group != UNKNOWN_CLASS)
    candidates = _screened(curves, _members(groups, curves, grid, quality))
    drawn = curves.hosted_usd_per_day(np.concatenate([NOTHING, *candidates.values()]), volumes())
    ends = np.cumsum([len(rows) for rows in candidates.values()])
    return tuple(
        _envelope(group, ranking, curves, candidates[group], costs)
        for group, costs in zip(groups, np.split(drawn, ends)[: len(groups)], strict=True)
    )


def _envelope(group: str, ranking: Ranking, curves: Curves, candidates: Ints, costs: Floats) -> Envelope:
    api = min((c for c in ranking.of(group) if c.kind == "api"), key=lambda c: c.usd_per_day, default=None)
    best = candidates[costs.argmin(axis=0)] if len(candidates) else None
    return Envelope(
        group=group,
        requests_per_day=volumes(),
        api=api,
        api_usd_per_day=None if api is None else curves.api_usd_per_day(api.number, volumes()),
        hosted=NOTHING if best is None else np.unique(best),
        hosted_usd_per_day=None if best is None else costs.min(axis=0),
        hosted_best=best,
    )


def _members(groups: tuple[str, ...], curves: Curves, grid: HostedGrid, quality: Quality) -> dict[str, Ints]:
    """The hosted options of each group."""
    scores = grid.score[curves.speed.rows[curves.hosted.options.row]]
    if quality.floor is not None:
        return dict.fromkeys(groups, np.arange(len(scores)))
    unique, place = np.unique(scores, return_inverse=True)
    names = np.array([quality.class_of(float(score)) for score in unique])
    return {group: np.flatnonzero((names == group)[place]) if len(unique) else NOTHING for group in groups}


def _screened(curves: Curves, members: dict[str, Ints]) -> dict[str, Ints]:
    """For each group the few options that can be cheapest at some volume.

    The surrogate: mean traffic on whole machines at the offer's hourly price, and so much a request.
    """
    options, speed = curves.hosted.options, curves.speed
    response = speed.latency(speed.largest_concurrency).response_s[options.row]
    room = speed.largest_concurrency[options.row]
    usd_per_day = HOURS_PER_DAY * options.by_offer(
        [float(o.price.usd_per_hour) if o.price else np.inf for o in options.offers]
    )
    count = options.by_offer([float(o.instance.count or np.inf) for o in options.offers])
    per_request = _usd_per_request(curves)
    found: dict[str, list[Ints]] = {group: [NOTHING] for group in members}
    for volume in SCREENING:
        needed = headroom(response * (volume / SECONDS_PER_DAY), speed.workload.slo.quantile) / room
        machines = np.ceil(np.maximum(np.ceil(needed), curves.policy.min_replicas) / curves.per_machine)
        cost = np.where(machines > count, np.inf, machines * usd_per_day + per_request * volume)
        for group, rows in members.items():
            few = min(PER_VOLUME, len(rows))
            found[group].append(rows[np.argpartition(cost[rows], few - 1)[:few]] if few else NOTHING)
    return {group: np.unique(np.concatenate(rows)) for group, rows in found.items()}


def _usd_per_request(curves: Curves) -> Floats:
    """What is not machines, a request."""
    hosted = curves.hosted
    rest = np.maximum(hosted.usd_per_day - hosted.charges[0].usd_per_day, 0.0)
    usd: Floats = rest / curves.speed.workload.requests_per_day
    return usd
