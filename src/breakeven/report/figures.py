"""The numbers behind the pictures: cost against traffic, bills by their lines, the load of the hours.

A picture and the table beside it are made from the same one of these, so they cannot disagree.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from breakeven.decision.crossover import Crossover
from breakeven.decision.envelope import Envelope
from breakeven.decision.rank import Contender
from breakeven.options.columns import Floats
from breakeven.planner import Plan
from breakeven.planner.verdict import Verdict, hosted_id

SMALLEST_SHARE = 0.01
"""A line of a bill that is less of every bar is drawn as one of the "other lines"."""
LARGEST_SERIES = 8
OTHER = "other lines"
BARS_SHOWN = 10
Parts = tuple[tuple[str, float], ...]
"""Name and USD a day, in the order of the bill."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostLines:
    """Cost against traffic in one group. A side that has no option is ``None``."""

    group: str
    requests_per_day: Floats
    api_usd_per_day: Floats | None
    hosted_usd_per_day: Floats | None
    """Infinite where more machines are needed than there are."""
    api: str | None
    hosted: tuple[str, ...]
    """The cheapest self-hosting at each volume."""
    hosted_band: tuple[Floats, Floats] | None
    """The cheapest were all speeds at either end of their 80 % bands; ``None`` where one of these is not known."""
    crossover: Crossover | None
    crossings: tuple[float, ...]
    """Every volume at which the cheaper side changes, as drawn."""
    your_requests_per_day: float
    your_api_usd_per_day: float | None
    your_hosted_usd_per_day: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The bill of one option, its small lines put together."""

    verdict: Verdict
    parts: Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """The bills side by side; ``series`` are the names of all parts, in the order in which they are stacked."""

    bars: tuple[Bar, ...]
    series: tuple[str, ...]
    shares: bool
    """Whether they are of unlike quality, and each is drawn as a whole of its own."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Load:
    """What the cheapest self-hosting has to carry in each hour (24 or 168), and the room that it has."""

    option: str
    group: str
    in_flight: Floats
    """Requests being served on average, were the replicas full."""
    needed: Floats
    """The room that keeps the target at its quantile, before replicas are whole."""
    room: Floats
    replicas: Floats
    largest_concurrency: int
    paid_replicas: float | None
    """Replicas on machines that are paid around the clock; ``None`` if the fleet follows the hours."""
    paid_machines: int
    """That are paid around the clock."""
    peak_machines: int
    machine: str


def cost_lines(plan: Plan, banded: int | None = None) -> tuple[CostLines, ...]:
    """The lines of every group that has both sides; if none has, those of the first group with one.

    ``banded``: of so many, from the first on, with the band; ``None``: of all. ``with_band`` adds it to the others.
    """
    both = [e for e in plan.envelopes if e.api_usd_per_day is not None and e.hosted_usd_per_day is not None]
    one = [e for e in plan.envelopes if e.api_usd_per_day is not None or e.hosted_usd_per_day is not None]
    shown = both or one[:1]
    most = len(shown) if banded is None else banded
    return tuple(_lines(envelope, plan, banded=n < most) for n, envelope in enumerate(shown))


def with_band(lines: CostLines, plan: Plan) -> CostLines:
    """The same lines with their band, where it was left out."""
    if lines.hosted_band is not None:
        return lines
    envelope = next(one for one in plan.envelopes if one.group == lines.group)
    return replace(lines, hosted_band=_band(envelope, plan))


def _lines(envelope: Envelope, plan: Plan, *, banded: bool) -> CostLines:
    members = plan.ranking.of(envelope.group)
    best = () if envelope.hosted_best is None else envelope.hosted_best.tolist()
    names = {number: hosted_id(plan.grid, plan.speed, plan.hosted, number) for number in set(best)}
    return CostLines(
        group=envelope.group,
        requests_per_day=envelope.requests_per_day,
        api_usd_per_day=envelope.api_usd_per_day,
        hosted_usd_per_day=envelope.hosted_usd_per_day,
        api=plan.option_id(envelope.paid.contender) if envelope.paid else None,
        hosted=tuple(names[number] for number in best),
        hosted_band=_band(envelope, plan) if banded else None,
        crossover=next((c for c in plan.crossovers if c.group == envelope.group), None),
        crossings=_crossings(envelope),
        your_requests_per_day=plan.workload.requests_per_day,
        your_api_usd_per_day=envelope.paid.contender.compared_usd_per_day if envelope.paid else None,
        your_hosted_usd_per_day=cheapest(members, "hosted"),
    )


def _band(envelope: Envelope, plan: Plan) -> tuple[Floats, Floats] | None:
    """The cheapest self-hosting of each volume were all speeds at the fast, and at the slow end of their bands."""
    curves = plan.curves.per_success()
    if not len(envelope.hosted) or not np.isfinite(curves.half_widths(envelope.hosted)).all():
        return None
    fast, slow = (
        curves.hosted_usd_per_day(envelope.hosted, envelope.requests_per_day, end).min(axis=0) for end in (-1, 1)
    )
    return np.minimum(fast, slow), np.maximum(fast, slow)


def cheapest(contenders: Sequence[Contender], kind: str) -> float | None:
    """USD a day of the cheapest contender of a kind, as it is compared; ``None`` if there is none."""
    return min((c.compared_usd_per_day for c in contenders if c.kind == kind), default=None)


def _crossings(envelope: Envelope) -> tuple[float, ...]:
    """Where the two lines cross, straight between the points in the logarithm."""
    api, hosted = envelope.api_usd_per_day, envelope.hosted_usd_per_day
    if api is None or hosted is None:
        return ()
    volume = np.log(envelope.requests_per_day)
    ahead = np.log(hosted) - np.log(api)
    changes = np.flatnonzero((ahead[:-1] > 0) != (ahead[1:] > 0))
    finite = [n for n in changes.tolist() if np.isfinite(ahead[n]) and np.isfinite(ahead[n + 1])]
    return tuple(
        float(np.exp(volume[n] + (volume[n + 1] - volume[n]) * ahead[n] / (ahead[n] - ahead[n + 1]))) for n in finite
    )


def bill_bars(verdicts: Sequence[Verdict]) -> Bars:
    """The bills of the first verdicts: of both kinds if both are there, of every group if there are several."""
    chosen = _chosen(verdicts)
    bills = [
        [(line.name, float(line.usd)) for line in verdict.bill.lines if line.usd is not None] for verdict in chosen
    ]
    share: dict[str, float] = {}
    for bill in bills:
        total = sum(usd for _, usd in bill) or 1.0
        for name, usd in bill:
            share[name] = max(share.get(name, 0.0), usd / total)
    large = sorted((n for n in share if share[n] >= SMALLEST_SHARE), key=lambda n: -share[n])[:LARGEST_SERIES]
    own = [name for name in share if name in large]
    bars = tuple(Bar(verdict=v, parts=_parts(bill, own)) for v, bill in zip(chosen, bills, strict=True))
    other = any(name == OTHER for bar in bars for name, _ in bar.parts)
    shares = len({verdict.group for verdict in chosen}) > 1
    return Bars(bars=bars, series=(*own, *([OTHER] if other else [])), shares=shares)


def _parts(bill: list[tuple[str, float]], own: list[str]) -> Parts:
    rest = sum(usd for name, usd in bill if name not in own)
    return (*((name, usd) for name, usd in bill if name in own), *([(OTHER, rest)] if rest else []))


def _chosen(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """At most so many as fit the picture, in the order of the ranking: the first of each group, kind and target."""
    if len(verdicts) <= BARS_SHOWN:
        return list(verdicts)
    turns: dict[tuple[str, bool | None], int] = {}
    order = []
    for place, verdict in enumerate(verdicts):
        turn = turns.get((verdict.group, verdict.meets_slo), 0)
        turns[verdict.group, verdict.meets_slo] = turn + 1
        order.append((turn, place))
    return [verdicts[place] for place in sorted(place for _, place in sorted(order)[:BARS_SHOWN])]


def best_load(plan: Plan) -> Load | None:
    """The load of the cheapest self-hosting of the first group that has one; ``None`` without any."""
    best = next((c for c in plan.ranking.contenders if c.kind == "hosted"), None)
    if best is None:
        return None
    options, sizing = plan.hosted.options, plan.sizing
    row, pair = int(options.row[best.number]), int(options.pair[best.number])
    offer = options.offers[options.offer[best.number]]
    most = float(plan.speed.largest_concurrency[row])
    replicas = sizing.machines_of(pair, int(options.offer[best.number])) * sizing.pair_replicas_per_machine[pair]
    way = sizing.ways.way[options.offer[best.number]]
    base = sizing.peak_machines[pair] if sizing.fixed else sizing.bought.committed[pair, way]
    standing = float(base * sizing.pair_replicas_per_machine[pair])
    return Load(
        option=plan.option_id(best),
        group=best.group,
        in_flight=sizing.load_of(row) * most,
        needed=sizing.needed_of(row) * most,
        room=replicas * most,
        replicas=replicas,
        largest_concurrency=int(most),
        paid_replicas=standing or None,
        paid_machines=int(base),
        peak_machines=int(sizing.bought.peak[pair, way]),
        machine=offer.machine,
    )
