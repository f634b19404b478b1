"""Which hosted options and which paid APIs are worth pairing into a hybrid, by a bound that no hybrid can beat.

If requests came evenly within the hour, a hybrid would cost what its machines and the excess over their places cost: a
base at a quantile of the load (``hybrid.best_base_capacity``), or the whole machines next to it. Random arrivals only
make it dearer. The bound of all hosted options at once says which few are sized exactly, and which can never be cheaper
than both of their ends.
"""

from dataclasses import dataclass

import numpy as np

from breakeven.cost.bill import usd_per_request
from breakeven.decision.curves import Curves
from breakeven.decision.hybrids import Hybrids, hybrids_at
from breakeven.decision.rank import By, Contender, Ranking
from breakeven.options.columns import Floats, Ints, Mask
from breakeven.options.hosted import HostedGrid
from breakeven.units import HOURS_PER_DAY, SECONDS_PER_DAY

PER_CHOICE = 2
"""Hosted options of each choice that are sized exactly beside each API."""
PER_API = 24
"""And at most so many beside each API in all."""
NOTHING = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Screen:
    """Columns over all hosted options, at the workload's own volume."""

    places: Floats
    """Of one machine."""
    usd_per_hour: Floats
    """Of one machine; around the clock where it is bought so."""
    usd_per_hour_beside: Floats
    """Of one more in some hours only; infinite where none is to be had."""
    usd_per_request: Floats
    """What is not machines."""
    in_flight: Floats
    least: Floats
    """Machines that stand at any hour."""
    around_the_clock: Mask
    load: Floats
    """The traffic of each hour over the mean, in ascending order."""
    requests_per_day: float

    def bound(self, rows: Ints, usd_per_request_at_api: float) -> Floats:
        """USD a day that no hybrid of these options with an API falls below; infinite where a base cannot pay."""
        usd, places, in_flight, least = (
            column[rows] for column in (self.usd_per_hour, self.places, self.in_flight, self.least)
        )
        around = self.around_the_clock[rows]
        on_own = self.usd_per_request[rows]
        at_stake = self.requests_per_day * (usd_per_request_at_api - on_own)
        hourly = at_stake / HOURS_PER_DAY
        with np.errstate(divide="ignore", invalid="ignore"):
            by_the_hour = self.usd_per_hour_beside[rows] / places * in_flight
            excess = np.where(around, np.minimum(hourly, by_the_hour), hourly)
            ratio = usd / places * in_flight / excess
        base = self.load[
            np.minimum(np.floor((1 - np.clip(ratio, 0, 1)) * len(self.load)), len(self.load) - 1).astype(int)
        ]
        below = np.maximum(np.floor(base * in_flight / places), least)
        steady = [self._usd_per_hour(n, usd, excess, n * places / in_flight) for n in (below, below + 1)]
        following = usd * np.maximum(least, in_flight / places)
        spent = np.where(around, np.minimum(*steady), following)
        found: Floats = np.where(
            (ratio < 1) & (hourly > 0), spent * HOURS_PER_DAY + self.requests_per_day * on_own, np.inf
        )
        return found

    def _usd_per_hour(self, machines: Floats, usd: Floats, at_stake: Floats, base_over_mean: Floats) -> Floats:
        """Machines around the clock, and the excess at the API or on machines by the hour; piecewise linear."""
        levels = np.concatenate([[0.0], self.load])
        excess = np.maximum(self.load[None, :] - levels[:, None], 0.0).mean(axis=1)
        spent: Floats = machines * usd + at_stake * np.interp(base_over_mean, levels, excess)
        return spent


def best_hybrids(ranking: Ranking, members: dict[str, Ints], curves: Curves, grid: HostedGrid, by: By) -> Hybrids:
    """The cheapest hybrid of every choice of the ranking, where it is cheaper than both of its ends.

    The ends: the API alone, and the cheapest self-hosting of the same choice. The API is the cheapest of the group: one
    known to keep the target, and one of which that is not known if it is cheaper still.
    """
    only = curves.policy.only.kinds
    members = members if (not only or "hybrid" in only) and curves.speed.workload.batch is None else {}
    options = curves.hosted.options
    if options.rents.spot.any() and not curves.policy.spot.in_hybrids:
        may = ~options.rents.spot[options.offer]
        members = {group: rows[may[rows]] for group, rows in members.items()}
    screen, choice = _screen(curves), _choices(curves, grid, by)
    pairs: list[tuple[str, Contender, Ints]] = []
    for group, rows in members.items():
        hosted_end = _least_of_choice(choice, rows, curves.hosted.usd_per_day)
        for api in _apis(ranking.of(group), curves):
            per_request = (api.usd_per_day - curves.api_fixed_usd_per_day) / screen.requests_per_day
            bound = screen.bound(rows, per_request)
            hopeful = bound < np.minimum(hosted_end[choice[rows]], api.usd_per_day)
            pairs.append((group, api, _few(rows[hopeful], bound[hopeful], choice)))
    hosted = np.concatenate([NOTHING, *(rows for _, _, rows in pairs)])
    apis = np.array([api.number for _, api, rows in pairs for _ in rows], dtype=np.int64)
    groups = tuple(group for group, _, rows in pairs for _ in rows)
    ends = [_least_of_choice(choice, members[group], curves.hosted.usd_per_day) for group, _, _ in pairs]
    end = np.concatenate(
        [np.empty(0), *(np.minimum(ends[n][choice[rows]], api.usd_per_day) for n, (_, api, rows) in enumerate(pairs))]
    )
    volume = np.full(len(hosted), curves.speed.workload.requests_per_day)
    every = hybrids_at((hosted, apis), volume, curves, groups)
    return every.take(_cheapest(every, choice, np.flatnonzero(every.usd_per_day < end)))


def contenders_of(hybrids: Hybrids, curves: Curves, grid: HostedGrid) -> list[Contender]:
    """The hybrids as contenders that wait for their rank.

    A hybrid is as good as the lesser of its halves, and keeps a target only if its API is known to.
    """
    scores = grid.score[curves.speed.rows[curves.hosted.options.row[hybrids.hosted]]]
    apis = [curves.api.options[number] for number in hybrids.api]
    return [
        Contender(
            kind="hybrid",
            number=n,
            usd_per_day=float(hybrids.usd_per_day[n]),
            score=min(float(scores[n]), api.score),
            group=hybrids.group[n],
            rank=0,
            meets_slo=api.meets_slo,
        )
        for n, api in enumerate(apis)
    ]


def _apis(contenders: tuple[Contender, ...], curves: Curves) -> list[Contender]:
    """The cheapest API known to keep the target, and the cheapest of which that is not known, if it is cheaper."""
    metered = (c for c in contenders if c.kind == "api" and curves.api.options[c.number].provisioned is None)
    apis = sorted(metered, key=lambda c: c.usd_per_day)
    known = next((c for c in apis if c.meets_slo), None)
    unknown = next((c for c in apis if c.meets_slo is None), None)
    cheaper = unknown if known is None or (unknown and unknown.usd_per_day < known.usd_per_day) else None
    return [c for c in (known, cheaper) if c is not None]


def _screen(curves: Curves) -> _Screen:
    options, speed, policy = curves.hosted.options, curves.speed, curves.policy
    requests = speed.workload.requests_per_day
    held_s = speed.latency(speed.largest_concurrency).held_s[options.row]
    hours = np.array(speed.workload.requests_per_hour)
    hours = np.full_like(hours, hours.mean()) if speed.workload.spread_evenly else hours
    usd, usd_beside = (
        np.where(np.isnan(one), np.inf, one) for one in (options.rents.usd_per_hour, options.rents.beside_usd_per_hour)
    )
    fixed = policy.scaling == "fixed"
    always = [fixed or np.isfinite(o.buying.commit_from) for o in options.offers]
    return _Screen(
        places=speed.largest_concurrency[options.row] * curves.per_machine,
        usd_per_hour=options.by_offer(usd),
        usd_per_hour_beside=options.by_offer(np.full_like(usd, np.inf) if fixed else usd_beside),
        usd_per_request=usd_per_request(curves.hosted.charges, len(options.row), requests),
        in_flight=requests / SECONDS_PER_DAY * held_s,
        least=np.ceil(policy.min_replicas / curves.per_machine),
        around_the_clock=options.flag(always),
        load=np.sort(hours) / hours.mean(),
        requests_per_day=requests,
    )


def _choices(curves: Curves, grid: HostedGrid, by: By) -> Ints:
    """What each hosted option is a choice of: its model, or its model and machine."""
    options = curves.hosted.options
    model = grid.model[curves.speed.rows[options.row]].astype(np.int64)
    if by == "model":
        return model
    names = sorted({offer.machine for offer in options.offers})
    machine = np.array([names.index(offer.machine) for offer in options.offers], dtype=np.int64)
    return model * len(names) + machine[options.offer] if len(model) else model


def _least_of_choice(choice: Ints, rows: Ints, usd_per_day: Floats) -> Floats:
    """The least cost of each choice among these options, by the number of the choice."""
    least = np.full(int(choice.max(initial=-1)) + 1, np.inf)
    np.minimum.at(least, choice[rows], usd_per_day[rows])
    return least


def _few(rows: Ints, bound: Floats, choice: Ints) -> Ints:
    """The options with the least bounds: a few of each choice, and not too many in all."""
    ordered = rows[np.argsort(bound, kind="stable")]
    seen: dict[int, int] = {}
    kept = []
    for row, of in zip(ordered.tolist(), choice[ordered].tolist(), strict=True):
        seen[of] = seen.get(of, 0) + 1
        if seen[of] <= PER_CHOICE:
            kept.append(row)
        if len(kept) == PER_API:
            break
    return np.array(kept, dtype=np.int64)


def _cheapest(hybrids: Hybrids, choice: Ints, kept: Ints) -> Ints:
    """The cheapest of each choice beside each API."""
    best: dict[tuple[str, int, int], int] = {}
    for n in sorted(kept.tolist(), key=lambda n: float(hybrids.usd_per_day[n])):
        best.setdefault((hybrids.group[n], int(choice[hybrids.hosted[n]]), int(hybrids.api[n])), n)
    return np.array(list(best.values()), dtype=np.int64)
