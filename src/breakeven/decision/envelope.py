"""The cheapest without machines of one's own and the cheapest self-hosting of each group against traffic.

A few hosted options of each group are picked by a cheap surrogate and then drawn exactly, all groups in one call.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from breakeven.capacity.purchases import Ways
from breakeven.capacity.sizing import headroom_of, roughly
from breakeven.capacity.week import Week
from breakeven.decision.cascades import Cascade
from breakeven.decision.curves import Curves, volumes
from breakeven.decision.paid import Paid, cheapest_paid
from breakeven.decision.rank import Ranking
from breakeven.options.columns import Floats, Ints
from breakeven.options.hosted import HostedGrid
from breakeven.options.quality import UNKNOWN_CLASS, Quality
from breakeven.options.success import UNKNOWN_SUCCESS
from breakeven.units import HOURS_PER_DAY, SECONDS_PER_DAY

SCREENING = np.geomspace(1e2, 1e8, 13)
"""Volumes at which every hosted option is screened for being the cheapest of its group."""
PER_VOLUME = 2
"""Options kept for each screening volume and group."""
TYPICAL_HOURS = 6
"""Hours that stand for the whole day or week in the screening."""
STRIDE = 6
"""All candidates are drawn at every so many volumes; those in between only where an option can be the cheapest."""
MARGIN = 1 + 1e-3
"""Lambda bills the wait, so on its paths a cost falls by up to so much where one more replica makes it shorter."""
NOTHING = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Envelope:
    """The two lines of one group; a side that has no option is ``None``."""

    group: str
    requests_per_day: Floats
    paid: Paid | None
    """A paid API, or a cascade of two."""
    api_usd_per_day: Floats | None
    hosted: Ints
    """Hosted options that are cheapest at some volume."""
    coarse_usd_per_day: Floats | None
    """Of each of them at every ``STRIDE``-th volume."""
    hosted_usd_per_day: Floats | None
    """The least of all hosted options at each volume."""
    hosted_best: Ints | None
    """Which hosted option that is."""


def envelopes_of(
    ranking: Ranking, members: dict[str, Ints], curves: Curves, cascades: Sequence[Cascade]
) -> tuple[Envelope, ...]:
    """The lines of every group; ``members``: its hosted options."""
    if not members:
        return ()
    candidates = _screened(curves, members)
    return tuple(
        _envelope(group, cheapest_paid(ranking.of(group), curves, cascades), candidates[group], costs)
        for group, costs in zip(members, _drawn(curves, list(candidates.values())), strict=True)
    )


def _drawn(curves: Curves, groups: list[Ints]) -> list[Floats]:
    """The costs of the options of each group, options x volumes; infinite where an option is not drawn.

    Costs never fall with traffic, so what is dearer at one volume than the cheapest at a higher one is dearer between
    them too, and is not drawn there.
    """
    every, ends = np.concatenate([NOTHING, *groups]), np.cumsum([len(rows) for rows in groups])[:-1]
    costs = np.full((len(every), len(volumes())), np.inf)
    costs[:, ::STRIDE] = curves.hosted_usd_per_day(every, volumes()[::STRIDE])
    wanted = np.zeros(costs.shape, dtype=np.bool_)
    for own, here in zip(np.split(costs[:, ::STRIDE], ends), np.split(wanted, ends), strict=True):
        hopeful = own[:, :-1] <= own[:, 1:].min(axis=0, initial=np.inf) * MARGIN
        here[:, :-1] = np.repeat(hopeful, STRIDE, axis=1)
    wanted[:, ::STRIDE] = False
    option, point = np.nonzero(wanted)
    costs[option, point] = curves.hosted_at(every[option], volumes()[point])
    return np.split(costs, ends)


def _envelope(group: str, paid: Paid | None, candidates: Ints, costs: Floats) -> Envelope:
    best = candidates[costs.argmin(axis=0)] if len(candidates) else None
    hosted = NOTHING if best is None else np.unique(best)
    return Envelope(
        group=group,
        requests_per_day=volumes(),
        paid=paid,
        api_usd_per_day=None if paid is None else paid.usd_per_day(volumes()),
        hosted=hosted,
        coarse_usd_per_day=None if best is None else costs[np.isin(candidates, hosted), ::STRIDE],
        hosted_usd_per_day=None if best is None else costs.min(axis=0),
        hosted_best=best,
    )


def members_of(ranking: Ranking, curves: Curves, grid: HostedGrid, quality: Quality) -> dict[str, Ints]:
    """The hosted options of each group of known quality, in the order of the ranking.

    Options of unknown quality are in none: the cheapest of them is not known to do what the next one does.
    """
    groups = tuple(group for group in ranking.groups if group not in (UNKNOWN_CLASS, UNKNOWN_SUCCESS))
    if curves.successes is not None:
        success = curves.successes.hosted
        return dict.fromkeys(groups, np.flatnonzero((success.known & success.passes)[curves.hosted.options.row]))
    scores = grid.score[curves.speed.rows[curves.hosted.options.row]]
    if quality.floor is not None:
        return dict.fromkeys(groups, np.arange(len(scores)))
    unique, place = np.unique(scores, return_inverse=True)
    names = np.array([quality.class_of(float(score)) for score in unique])
    return {group: np.flatnonzero((names == group)[place]) if len(unique) else NOTHING for group in groups}


def _screened(curves: Curves, members: dict[str, Ints]) -> dict[str, Ints]:
    """For each group the few options that can be cheapest at some volume.

    The surrogate: whole machines in a few typical hours at the offer's hourly price, and so much a request. At the
    plan's own volume the costs are known.
    """
    every = np.concatenate([NOTHING, *members.values()])
    if not len(every):
        return dict.fromkeys(members, NOTHING)
    ends = np.cumsum([len(rows) for rows in members.values()])[:-1]
    per_request, machines = _usd_per_request(curves)[every], _machine_usd_per_day(curves, every)
    costs = [curves.hosted.usd_per_day[every]]  # copies, in which what was found is struck out
    costs += [usd + per_request * volume for usd, volume in zip(machines, SCREENING.tolist(), strict=True)]
    found: dict[str, list[Ints]] = {group: [NOTHING] for group in members}
    if curves.by_success and curves.successes is not None:
        success, row = curves.successes.hosted, curves.hosted.options.row[every]
        costs = [success.compared(cost, row) for cost in costs]
    for cost in costs:
        for (group, rows), own in zip(members.items(), np.split(cost, ends), strict=True):
            for _ in range(min(PER_VOLUME, len(rows))):
                least = int(own.argmin())
                found[group].append(rows[[least]])
                own[least] = np.inf
    return {group: np.unique(np.concatenate(rows)) for group, rows in found.items()}


def _machine_usd_per_day(curves: Curves, some: Ints) -> Iterator[Floats]:
    """What the machines of some hosted options cost a day at each volume of the screening."""
    options, speed, policy = curves.hosted.options.take(some), curves.speed, curves.policy
    starts = np.diff(options.pair, prepend=-1) != 0  # options stand in the order of their pairs
    first, pair = np.flatnonzero(starts), np.cumsum(starts) - 1
    row, per_machine = options.row[first], curves.per_machine[some[first], None]
    weights, shares = _typical_hours(np.array(speed.workload.requests_per_hour))
    full = speed.latency(speed.largest_concurrency)
    busy_s = (full.held_s / speed.largest_concurrency)[row]
    if curves.successes is not None:
        busy_s = busy_s * curves.successes.hosted.attempts[row]
    room = headroom_of(speed, full)[row]
    hourly = np.nan_to_num(options.rents.usd_per_hour, nan=np.inf)
    usd_per_hour = options.by_offer(np.nan_to_num(options.rents.beside_usd_per_hour))
    ways = _typical_ways(curves, weights, shares)
    at = pair * len(ways.buyings) + ways.way[options.offer]
    around = np.flatnonzero((np.array(ways.committed_at) < len(shares))[ways.way][options.offer])
    usd_per_day = HOURS_PER_DAY * options.by_offer(hourly)[around]
    count = options.by_offer(options.reach.available)
    for volume in SCREENING:
        replicas = np.ceil(roughly(busy_s * (volume / SECONDS_PER_DAY), room, weights))
        machines = np.ceil(np.maximum(replicas, policy.min_replicas) / per_machine)
        usd = (machines @ ways.others).ravel().take(at) * usd_per_hour
        usd[around] += ways.committed_of(machines).ravel().take(at[around]) * usd_per_day
        yield np.where(machines[:, 0][pair] > count, np.inf, usd)


def _typical_ways(curves: Curves, weights: Floats, shares: Floats) -> Ways:
    """The ways in which machines are bought, at a few typical hours; what starts is left out."""
    fixed = curves.policy.scaling == "fixed"
    paid = np.ones(len(shares)) if fixed else np.minimum(np.cumsum(shares), 1.0)
    week = Week(levels=weights, level=np.arange(len(shares)), shares=shares, paid=paid)
    return Ways.of(week, curves.hosted.options.rents, 0.0, curves.speed.workload.slo.quantile, prices_count=False)


def _typical_hours(requests_per_hour: Floats) -> tuple[Floats, Floats]:
    """A few hours that stand for all, the busiest first: their traffic over the mean, and their share of the hours."""
    ordered = np.sort(requests_per_hour)[::-1] / requests_per_hour.mean()
    if np.ptp(ordered) == 0:
        return np.ones(1), np.ones(1)
    groups = [ordered[:1], *np.array_split(ordered[1:], TYPICAL_HOURS - 1)]
    return np.array([group.mean() for group in groups]), np.array([len(group) for group in groups]) / len(ordered)


def _usd_per_request(curves: Curves) -> Floats:
    """What is not machines, a request."""
    hosted = curves.hosted
    rest = np.maximum(hosted.usd_per_day - hosted.machine_usd_per_day, 0.0)
    usd: Floats = rest / curves.speed.workload.requests_per_day
    return usd
