"""From which traffic on the winner changes, or why it never does.

Hosting costs whole machines, so its cost rises in steps and can cross the straight line of an API several times.
The break-even is the traffic *from which on* hosting stays cheaper; the first time it is cheaper at all is told
beside it. Both are volumes that the sized fleet really carries: every point of the curve has its machines.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np

from breakeven.decision.curves import Curves, volumes
from breakeven.decision.rank import Contender, Ranking
from breakeven.options.hosted import HostedGrid
from breakeven.options.quality import Quality
from breakeven.options.ruling import Floats, Ints, Mask
from breakeven.units import HOURS_PER_DAY, TOKENS_PER_MTOK

SCREENING = np.geomspace(1e2, 1e8, 13)
"""Volumes at which every hosted option is screened for being a contender on the envelope."""
PER_VOLUME = 2
"""Contenders kept for each screening volume and group."""
REFINEMENTS = 3
POINTS_PER_REFINEMENT = 33
TOLERANCE = 1e-3


class Crossover(msgspec.Struct, frozen=True, kw_only=True):
    """Where the right option becomes cheaper than the left one, for good; or why nowhere.

    ``left`` and ``right`` are option ids. ``low`` and ``high`` are the 80 % band, ``None`` until bands exist.
    """

    group: str
    left: str
    right: str
    requests_per_day: float | None
    first_requests_per_day: float | None
    low: float | None
    high: float | None
    because: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Envelope:
    """The cheapest API and the cheapest self-hosting of one group against traffic."""

    group: str
    api: Contender | None
    hosted: Ints
    """Hosted options that are cheapest at some volume."""
    requests_per_day: Floats
    api_usd_per_day: Floats | None
    hosted_usd_per_day: Floats | None
    """The least of all hosted options at each volume."""
    hosted_best: Ints | None
    """Which hosted option that is."""


def break_evens(
    ranking: Ranking,
    curves: Curves,
    grid: HostedGrid,
    quality: Quality,
    hosted_name: Callable[[int], str],
) -> tuple[tuple[Envelope, ...], tuple[Crossover, ...]]:
    """The lines of every group, and where the best API and the best self-hosting of each change places."""
    members = _members(ranking, curves, grid, quality)
    candidates = screen(curves, members)
    envelopes = tuple(envelope(ranking, curves, g, candidates[g]) for g in ranking.groups)
    found = [crossover(lines, curves, hosted_name) for lines in envelopes]
    return envelopes, tuple(c for c in found if c is not None)


def _members(ranking: Ranking, curves: Curves, grid: HostedGrid, quality: Quality) -> dict[str, Mask]:
    """Which hosted options belong to which group."""
    scores = grid.score[curves.speed.rows[curves.hosted.options.row]]
    if quality.floor is not None:
        return dict.fromkeys(ranking.groups, np.ones(len(scores), dtype=np.bool_))
    unique, place = np.unique(scores, return_inverse=True)
    names = np.array([quality.class_of(float(score)) for score in unique])
    return {group: (names == group)[place] if len(unique) else np.empty(0, np.bool_) for group in ranking.groups}


def envelope(ranking: Ranking, curves: Curves, group: str, candidates: Ints) -> Envelope:
    """The two lines of one group. ``candidates``: hosted options that may be cheapest somewhere."""
    volume = volumes()
    apis = [c for c in ranking.of(group) if c.kind == "api"]
    api = min(apis, key=lambda c: c.usd_per_day) if apis else None
    hosted = best = None
    if len(candidates):
        costs = curves.hosted_usd_per_day(candidates, volume)
        hosted, best = costs.min(axis=0), candidates[costs.argmin(axis=0)]
    return Envelope(
        group=group,
        api=api,
        hosted=np.unique(best) if best is not None else np.empty(0, dtype=np.int64),
        requests_per_day=volume,
        api_usd_per_day=curves.api_usd_per_day(api.number, volume) if api else None,
        hosted_usd_per_day=hosted,
        hosted_best=best,
    )


def screen(curves: Curves, groups: dict[str, Mask]) -> dict[str, Ints]:
    """For each group the few hosted options that can be cheapest at some volume.

    A cheap surrogate picks them: mean traffic on whole machines at the offer's hourly price. The envelope then
    draws them exactly.
    """
    options = curves.hosted.options
    speed = curves.speed
    response = speed.latency(speed.largest_concurrency).response_s[options.row]
    room = speed.largest_concurrency[options.row]
    hourly = options.by_offer([float(o.price.usd_per_hour) if o.price else np.inf for o in options.offers])
    count = options.by_offer([float(o.instance.count or np.inf) for o in options.offers])
    found: dict[str, list[Ints]] = {group: [] for group in groups}
    members = {group: np.flatnonzero(mask) for group, mask in groups.items()}
    extra = _extra_usd_per_request(curves)
    for volume in SCREENING:
        in_flight = response * volume / (HOURS_PER_DAY * 3600)
        machines = np.ceil(np.ceil((in_flight + 1.64 * np.sqrt(in_flight)) / room) / curves.per_machine)
        cost = np.where(machines > count, np.inf, machines * hourly * HOURS_PER_DAY + extra * volume)
        for group, rows in members.items():
            if len(rows):
                few = min(PER_VOLUME, len(rows))
                found[group].append(rows[np.argpartition(cost[rows], few - 1)[:few]])
    return {g: np.unique(np.concatenate(f)) if f else np.empty(0, np.int64) for g, f in found.items()}


def _extra_usd_per_request(curves: Curves) -> Floats:
    hosted = curves.hosted
    machines = hosted.charges[0].usd_per_day
    return np.maximum(hosted.usd_per_day - machines, 0.0) / curves.speed.workload.requests_per_day


def crossover(lines: Envelope, curves: Curves, hosted_name: Callable[[int], str]) -> Crossover | None:
    """The break-even of a group's best API against its best self-hosting; ``None`` if it has not both."""
    api, hosted, best = lines.api_usd_per_day, lines.hosted_usd_per_day, lines.hosted_best
    if lines.api is None or api is None or hosted is None or best is None:
        return None
    cheaper = hosted <= api
    stays = _first_of_tail(cheaper)
    first = _refine(lines, curves, int(np.argmax(cheaper))) if cheaper.any() else None
    at = None if stays is None else _refine(lines, curves, stays)
    if stays is None:
        right, because = int(best[-1]), _never(lines, curves)
        if first is not None:
            because += f"; cheaper in places, first at {first:,.0f} requests a day"
    elif stays == 0:
        right, at = int(best[0]), None
        because = f"self-hosting is cheaper at every traffic from {lines.requests_per_day[0]:,.0f} requests a day on"
    else:
        right = int(best[stays])
        because = f"from there on self-hosting stays cheaper, at first on {_machines_in_words(curves, right, at)}"
        if first is not None and at is not None and first < at * (1 - TOLERANCE):
            because += f"; cheaper in places from {first:,.0f} on"
    return Crossover(
        group=lines.group,
        left=curves.api.options[lines.api.number].id,
        right=hosted_name(right),
        requests_per_day=at,
        first_requests_per_day=first,
        low=None,
        high=None,
        because=because,
    )


def _first_of_tail(cheaper: Mask) -> int | None:
    """Where the last unbroken run of True that reaches the end begins."""
    if not cheaper[-1]:
        return None
    dearer = np.flatnonzero(~cheaper)
    return int(dearer[-1]) + 1 if len(dearer) else 0


def _refine(lines: Envelope, curves: Curves, index: int) -> float:
    """The volume between two points of the envelope at which hosting becomes cheaper and stays so."""
    if index == 0 or lines.api is None:
        return float(lines.requests_per_day[index])
    low, high = lines.requests_per_day[index - 1], lines.requests_per_day[index]
    for _ in range(REFINEMENTS):
        points = np.geomspace(low, high, POINTS_PER_REFINEMENT)
        hosted = curves.hosted_usd_per_day(lines.hosted, points).min(axis=0)
        cheaper = hosted <= curves.api_usd_per_day(lines.api.number, points)
        tail = _first_of_tail(cheaper) or 1
        low, high = points[tail - 1], points[tail]
    return float(high)


def _never(lines: Envelope, curves: Curves) -> str:
    """Why hosting never stays cheaper: its price at full load, or that the machines run out."""
    hosted, api, volume = lines.hosted_usd_per_day, lines.api_usd_per_day, lines.requests_per_day
    if hosted is None or api is None:
        return "there is only one side"
    if np.isinf(hosted[-1]):
        last = volume[np.isfinite(hosted)][-1:] if np.isfinite(hosted).any() else volume[:1]
        return f"the machines there are carry at most about {last[0]:,.0f} requests a day, and are dearer up to there"
    mean = curves.speed.workload.mix.mean
    mtok = volume[-1] * (mean.input + mean.output) / TOKENS_PER_MTOK
    return (
        f"even at {volume[-1]:,.0f} requests a day full machines cost {hosted[-1] / mtok:.3g} USD a million tokens "
        f"against {api[-1] / mtok:.3g}"
    )


def _machines_in_words(curves: Curves, option: int, requests_per_day: float | None) -> str:
    """The machines that an option has at a volume, and how full they are."""
    volume = np.array([requests_per_day or 0.0])
    _, sizing, speed = curves.sized(np.array([option]), volume)
    offer = curves.hosted.options.offers[curves.hosted.options.offer[option]]
    room = sizing.replicas_by_hour[0] * speed.largest_concurrency[0]
    used = float(sizing.in_flight_by_hour[0].sum() / room.sum())
    return f"{sizing.peak_machines[0]:.0f} x {offer.machine}, {used:.0%} used"
