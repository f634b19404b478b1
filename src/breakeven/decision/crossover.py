"""From which traffic on the winner changes, or why it never does.

Hosting costs whole machines, so its cost rises in steps and can cross the straight line of an API several times.
The break-even is the traffic *from which on* hosting stays cheaper; the first time it is cheaper at all is told
beside it. Both are volumes that the sized fleet really carries: every point of the curve has its machines.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from breakeven.decision.curves import Curves
from breakeven.decision.envelope import MARGIN, STRIDE, Envelope
from breakeven.decision.paid import Paid
from breakeven.decision.rank import Contender
from breakeven.options.columns import Floats, Ints, Mask
from breakeven.units import TOKENS_PER_MTOK
from breakeven.wording import Volume, joined, worded

REFINEMENTS = 2
POINTS_PER_REFINEMENT = 33
SPLITS = 16, 20
"""Into how many parts an interval between two points of a line is split, and each part that is still in doubt: steps of
half the tolerance at last, so that no step of the machines that is dearer by the whole of it falls between them."""
TOLERANCE = 1e-3
THOUSAND = 1000


class Crossover(msgspec.Struct, frozen=True, kw_only=True):
    """Where the right option becomes cheaper than the left one, for good; or why nowhere.

    ``left`` and ``right`` are option ids. ``low`` and ``high``: the break-even with self-hosting at the fast and at the
    slow end of its 80 % band; ``None`` where it never stays cheaper there, or no band is known.
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
class _Pair:
    """Both lines of one group."""

    group: str
    volume: Floats
    paid: Paid
    api_usd_per_day: Floats
    hosted: Ints
    coarse_usd_per_day: Floats
    hosted_usd_per_day: Floats
    hosted_best: Ints

    @property
    def line(self) -> "_Line":
        """Its self-hosting at the speeds as predicted."""
        return _Line(hosted=self.hosted, volume=self.volume, coarse_usd_per_day=self.coarse_usd_per_day, end=0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Line:
    """The self-hosting of one group at one end of its speeds."""

    hosted: Ints
    volume: Floats
    coarse_usd_per_day: Floats
    """Options x every ``STRIDE``-th of the volumes."""
    end: int

    def between(self, low: float, high: float) -> Ints:
        """Those that alone can be the cheapest somewhere from ``low`` to ``high``: costs never fall with traffic."""
        coarse = self.volume[::STRIDE]
        below = max(int(np.searchsorted(coarse, low, side="right")) - 1, 0)
        above = min(int(np.searchsorted(coarse, high)), len(coarse) - 1)
        least = self.coarse_usd_per_day[:, above].min()
        found: Ints = self.hosted[self.coarse_usd_per_day[:, below] <= least * MARGIN]
        return found

    def gap_at(self, n: int, point: int | None, stride: int = 1) -> "_Gap | None":
        """Around a point among every so many volumes; from the first point on there is nothing below."""
        volume = self.volume[::stride]
        return None if point is None else self.gap(n, float(volume[max(point - 1, 0)]), float(volume[point]))

    def gap(self, n: int, low: float, high: float) -> "_Gap":
        """Between two volumes of the n-th pair."""
        return _Gap(pair=n, low=low, high=high, end=self.end, hosted=self.between(low, high))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gap:
    """Two volumes: at the lower the API is cheaper, at the upper self-hosting."""

    pair: int
    low: float
    high: float
    end: int
    hosted: Ints = field(compare=False)
    """Those that can be the cheapest in it."""


def crossovers(
    envelopes: Sequence[Envelope],
    curves: Curves,
    named: Callable[[Contender], str],
    hosted_name: Callable[[int], str],
) -> tuple[Crossover, ...]:
    """The break-even of the best paid service and the best self-hosting of every group that has both.

    ``named``: the id of a paid API, or of a cascade of two; ``hosted_name``: that of a hosted option.
    """
    pairs = [pair for lines in envelopes if (pair := _pair(lines)) is not None]
    firsts = [pair.line.gap_at(n, _first(pair)) for n, pair in enumerate(pairs)]
    stays = _for_good(pairs, curves)
    fast, slow = _ends(pairs, curves)
    gaps = tuple(dict.fromkeys(gap for some in (firsts, stays, fast, slow) for gap in some if gap))
    volume: dict[_Gap | None, float | None] = dict(zip(gaps, _narrowed(gaps, pairs, curves), strict=True))
    volume[None] = None
    found = [
        _Found(first=volume[firsts[n]], stays=volume[stays[n]], fast=volume[fast[n]], slow=volume[slow[n]])
        for n in range(len(pairs))
    ]
    machines = _machines_in_words(pairs, found, curves)
    return tuple(
        _crossover(pair, curves, (named, hosted_name), one, words)
        for pair, one, words in zip(pairs, found, machines, strict=True)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The volumes of one pair, each where there is one."""

    first: float | None
    stays: float | None
    fast: float | None
    """From where on it stays cheaper at the fast end of the speeds."""
    slow: float | None

    def best_of(self, pair: _Pair) -> int:
        """The cheapest self-hosting where it becomes and stays cheaper; at the highest traffic if it never does."""
        return int(pair.hosted_best[np.searchsorted(pair.volume, self.stays) if self.stays else -1])


def _pair(lines: Envelope) -> _Pair | None:
    api, hosted, best = lines.api_usd_per_day, lines.hosted_usd_per_day, lines.hosted_best
    coarse = lines.coarse_usd_per_day
    if lines.paid is None or api is None or hosted is None or best is None or coarse is None:
        return None
    return _Pair(
        group=lines.group,
        volume=lines.requests_per_day,
        paid=lines.paid,
        api_usd_per_day=api,
        hosted=lines.hosted,
        coarse_usd_per_day=coarse,
        hosted_usd_per_day=hosted,
        hosted_best=best,
    )


def _first(pair: _Pair) -> int | None:
    """The first point at which hosting is the cheaper one."""
    cheaper = pair.hosted_usd_per_day <= pair.api_usd_per_day
    return int(np.argmax(cheaper)) if cheaper.any() else None


def _start_of_tail(cheaper: Mask) -> int | None:
    """Where the unbroken run of True that reaches the end begins; ``None`` if the end is not True.

    >>> _start_of_tail(np.array([True, False, True, True]))
    2
    """
    if not cheaper[-1]:
        return None
    dearer = np.flatnonzero(~cheaper)
    return int(dearer[-1]) + 1 if len(dearer) else 0


def _for_good(pairs: Sequence[_Pair], curves: Curves) -> list[_Gap | None]:
    """Around the volume from which on hosting stays cheaper, the steps between the points of the lines included.

    Costs never fall with traffic, so between two points hosting is cheaper for sure if its cost at the upper is below
    the API's at the lower. All other intervals of the tail are looked at closely, all groups together.
    """
    tails = [_start_of_tail(pair.hosted_usd_per_day <= pair.api_usd_per_day) for pair in pairs]
    found = [pair.line.gap_at(n, tail) for n, (pair, tail) in enumerate(zip(pairs, tails, strict=True))]
    doubtful = [
        (n, int(i))
        for n, (pair, tail) in enumerate(zip(pairs, tails, strict=True))
        if tail is not None
        for i in np.flatnonzero(_in_doubt(pair.hosted_usd_per_day, pair.api_usd_per_day))
        if i >= tail
    ]
    owner = [n for n, _ in doubtful]
    low, high = ([float(pairs[n].volume[i + end]) for n, i in doubtful] for end in (0, 1))
    for parts in SPLITS:
        if not owner:
            return found
        points = np.geomspace(low, high, parts + 1, axis=1)
        ends = zip(owner, points[:, 0].tolist(), points[:, -1].tolist(), strict=True)
        hosted = _least(points, [pairs[n].line.gap(n, *both) for n, *both in ends], curves)
        api = np.array([pairs[n].paid.usd_per_day(at) for n, at in zip(owner, points, strict=True)])
        row, part = np.nonzero(_in_doubt(hosted, api))
        looked_at = np.array(owner)
        owner, low, high = looked_at[row].tolist(), points[row, part].tolist(), points[row, part + 1].tolist()
    for n in np.unique(looked_at).tolist():
        seen = (column[looked_at == n].ravel() for column in (points, hosted, api))
        after = _after_the_last_step(*seen)
        found[n] = pairs[n].line.gap(n, *after) if after else found[n]
    return found


def _in_doubt(hosted: Floats, api: Floats) -> Mask:
    """Between which neighbouring points hosting may be dearer by more than half the tolerance."""
    doubt: Mask = hosted[..., 1:] > api[..., :-1] * (1 + TOLERANCE / 2)
    return doubt


def _after_the_last_step(at: Floats, hosted: Floats, api: Floats) -> tuple[float, float] | None:
    """Around the point at which hosting is cheaper again after it was last dearer; ``None``: it never was."""
    dearer = np.flatnonzero(hosted > api * (1 + TOLERANCE / 2))
    if not len(dearer):
        return None
    after = int(dearer[-1]) + 1
    cheaper = np.flatnonzero(hosted[after:] <= api[after:])
    upper = after + int(cheaper[0]) if len(cheaper) else len(at) - 1
    return float(at[upper - 1]), float(at[upper])


def _least(points: Floats, gaps: Sequence[_Gap], curves: Curves) -> Floats:
    """The least cost of the options of each gap at its own row of volumes."""
    owner = np.repeat(np.arange(len(gaps)), [len(gap.hosted) for gap in gaps])
    every = np.concatenate([gap.hosted for gap in gaps])
    paces = curves.log_paces(every, np.array([gap.end for gap in gaps])[owner])
    wide = points.shape[1]
    each = curves.hosted_at(np.repeat(every, wide), points[owner].ravel(), np.repeat(paces, wide))
    least: Floats = np.minimum.reduceat(each.reshape(-1, wide), np.flatnonzero(np.diff(owner, prepend=-1)), axis=0)
    return least


def _narrowed(gaps: Sequence[_Gap], pairs: Sequence[_Pair], curves: Curves) -> list[float]:
    """For each gap the volume within it from which on hosting is cheaper, by grids within grids."""
    if not gaps:
        return []
    low, high = np.array([gap.low for gap in gaps]), np.array([gap.high for gap in gaps])
    for _ in range(REFINEMENTS):
        points = np.geomspace(low, high, POINTS_PER_REFINEMENT, axis=1)
        hosted = _least(points, gaps, curves)
        for n, gap in enumerate(gaps):
            cheaper = hosted[n] <= pairs[gap.pair].paid.usd_per_day(points[n])
            tail = _start_of_tail(cheaper) or 1
            low[n], high[n] = points[n, tail - 1], points[n, tail]
    return [float(volume) for volume in high]


def _ends(pairs: Sequence[_Pair], curves: Curves) -> tuple[list[_Gap | None], list[_Gap | None]]:
    """Around the break-even of every group at the fast and at the slow end of the speeds, where bands are known."""
    known = [n for n, pair in enumerate(pairs) if np.isfinite(curves.half_widths(pair.hosted)).all()]
    found: tuple[list[_Gap | None], list[_Gap | None]] = ([None] * len(pairs), [None] * len(pairs))
    if not known:
        return found
    asked = [(n, end) for end in (-1, 1) for n in known]
    sizes = [len(pairs[n].hosted) for n, _ in asked]
    volume = pairs[0].volume[::STRIDE]
    every = np.concatenate([pairs[n].hosted for n, _ in asked])
    paces = curves.log_paces(every, np.repeat([end for _, end in asked], sizes))
    wide = len(volume)
    costs = curves.hosted_at(np.repeat(every, wide), np.tile(volume, len(every)), np.repeat(paces, wide))
    for (n, end), each in zip(asked, np.split(costs.reshape(-1, wide), np.cumsum(sizes)[:-1]), strict=True):
        line = _Line(hosted=pairs[n].hosted, volume=pairs[n].volume, coarse_usd_per_day=each, end=end)
        tail = _start_of_tail(each.min(axis=0) <= pairs[n].api_usd_per_day[::STRIDE])
        found[end > 0][n] = line.gap_at(n, tail, STRIDE)
    return found


def _crossover(
    pair: _Pair,
    curves: Curves,
    names: tuple[Callable[[Contender], str], Callable[[int], str]],
    found: _Found,
    machines: str,
) -> Crossover:
    named, hosted_name = names
    lowest, first, stays = float(pair.volume[0]), found.first, found.stays
    if stays is None:
        because: str = _never(pair, curves)
    elif stays <= lowest:
        because = worded(
            "self-hosting is cheaper at every traffic from {count} requests a day on", count=Volume(lowest)
        )
    else:
        because = worded("from there on self-hosting stays cheaper, at first on {machines}", machines=machines)
    told = [because]
    if first is not None and (stays is None or first < stays * (1 - TOLERANCE)):
        told.append(worded("cheaper in places from {count} on", count=Volume(first)))
    if pair.paid.contender.meets_slo is None:
        told.append(
            "whether that API keeps the latency target is not known"
            if pair.paid.contender.kind == "api"
            else "whether that cascade keeps the latency target is not known"
        )
    return Crossover(
        group=pair.group,
        left=named(pair.paid.contender),
        right=hosted_name(found.best_of(pair)),
        requests_per_day=None if stays is not None and stays <= lowest else stays,
        first_requests_per_day=first,
        low=None if found.fast is None or stays is None else min(found.fast, stays),
        high=None if found.slow is None or stays is None else max(found.slow, stays),
        because=joined("; ", told),
    )


def _never(pair: _Pair, curves: Curves) -> str:
    """Why hosting never stays cheaper: its price at full load, or that the machines run out."""
    hosted, volume = pair.hosted_usd_per_day, pair.volume
    if np.isinf(hosted[-1]):
        last = volume[np.isfinite(hosted)][-1:] if np.isfinite(hosted).any() else volume[:1]
        return worded("the machines there are carry at most about {count} requests a day", count=Volume(last[0]))
    if curves.by_success:
        thousands = volume[-1] / THOUSAND
        return worded(
            "even at {count} requests a day full machines cost {hosted:.3g} USD for 1,000 right "
            "answers against {api:.3g}",
            count=Volume(volume[-1]),
            hosted=hosted[-1] / thousands,
            api=pair.api_usd_per_day[-1] / thousands,
        )
    mean = curves.speed.workload.mix.mean
    mtok = volume[-1] * (mean.input + mean.output) / TOKENS_PER_MTOK
    return worded(
        "even at {count} requests a day full machines cost {hosted:.3g} USD a million tokens against {api:.3g}",
        count=Volume(volume[-1]),
        hosted=hosted[-1] / mtok,
        api=pair.api_usd_per_day[-1] / mtok,
    )


def _machines_in_words(pairs: Sequence[_Pair], found: Sequence[_Found], curves: Curves) -> list[str]:
    """The machines that each pair's self-hosting has in the busiest hour where it becomes and stays cheaper."""
    if not pairs:
        return []
    options = np.array([one.best_of(pair) for pair, one in zip(pairs, found, strict=True)])
    at = np.array([one.stays or pair.volume[0] for pair, one in zip(pairs, found, strict=True)])
    columns, sizing, _ = curves.sized(options, at)
    names = [columns.offers[offer].machine for offer in columns.offer.tolist()]
    return [f"{machines:.0f} x {name}" for machines, name in zip(sizing.peak_machines.tolist(), names, strict=True)]
