"""From which traffic on the winner changes, or why it never does.

Hosting costs whole machines, so its cost rises in steps and can cross the straight line of an API several times.
The break-even is the traffic *from which on* hosting stays cheaper; the first time it is cheaper at all is told
beside it. Both are volumes that the sized fleet really carries: every point of the curve has its machines.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from breakeven.decision.curves import Curves
from breakeven.decision.envelope import Envelope
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
EVERY = 6
"""Of the points of a line, every so many is looked at for the ends of the band."""


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
    api: Contender
    api_usd_per_day: Floats
    hosted: Ints
    hosted_usd_per_day: Floats
    hosted_best: Ints


Bracket = tuple[float, float]
"""Two volumes: at the lower the API is cheaper, at the upper self-hosting."""


def crossovers(
    envelopes: Sequence[Envelope], curves: Curves, hosted_name: Callable[[int], str]
) -> tuple[Crossover, ...]:
    """The break-even of the best API and the best self-hosting of every group that has both."""
    pairs = [pair for lines in envelopes if (pair := _pair(lines)) is not None]
    firsts = [_bracket(pair, _first(pair)) for pair in pairs]
    stays = _for_good(pairs, curves)
    asked = [(n, bracket) for found in (firsts, stays) for n, bracket in enumerate(found) if bracket]
    ends = _ends(pairs, curves)
    at = dict(zip(asked, _narrowed([(pairs[n], bracket) for n, bracket in asked], curves), strict=True))
    return tuple(
        _crossover(
            pair,
            curves,
            hosted_name,
            first=at[n, firsts[n]] if firsts[n] else None,  # type: ignore[index]
            stays=at[n, stays[n]] if stays[n] else None,  # type: ignore[index]
            band=ends[n],
        )
        for n, pair in enumerate(pairs)
    )


def _pair(lines: Envelope) -> _Pair | None:
    api, hosted, best = lines.api_usd_per_day, lines.hosted_usd_per_day, lines.hosted_best
    if lines.api is None or api is None or hosted is None or best is None:
        return None
    return _Pair(
        group=lines.group,
        volume=lines.requests_per_day,
        api=lines.api,
        api_usd_per_day=api,
        hosted=lines.hosted,
        hosted_usd_per_day=hosted,
        hosted_best=best,
    )


def _first(pair: _Pair) -> int | None:
    """The first point at which hosting is the cheaper one."""
    cheaper = pair.hosted_usd_per_day <= pair.api_usd_per_day
    return int(np.argmax(cheaper)) if cheaper.any() else None


def _bracket(pair: _Pair, index: int | None) -> Bracket | None:
    """Around a point of the lines; from the first point on there is nothing below."""
    return None if index is None else (float(pair.volume[max(index - 1, 0)]), float(pair.volume[index]))


def _start_of_tail(cheaper: Mask) -> int | None:
    """Where the unbroken run of True that reaches the end begins; ``None`` if the end is not True.

    >>> _start_of_tail(np.array([True, False, True, True]))
    2
    """
    if not cheaper[-1]:
        return None
    dearer = np.flatnonzero(~cheaper)
    return int(dearer[-1]) + 1 if len(dearer) else 0


def _for_good(pairs: Sequence[_Pair], curves: Curves) -> list[Bracket | None]:
    """Around the volume from which on hosting stays cheaper, the steps between the points of the lines included.

    Costs never fall with traffic, so between two points hosting is cheaper for sure if its cost at the upper is below
    the API's at the lower. All other intervals of the tail are looked at closely, all groups together.
    """
    tails = [_start_of_tail(pair.hosted_usd_per_day <= pair.api_usd_per_day) for pair in pairs]
    found = [_bracket(pair, tail) for pair, tail in zip(pairs, tails, strict=True)]
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
        hosted = _least(points, [pairs[n].hosted for n in owner], curves)
        api = np.array([curves.api_usd_per_day(pairs[n].api.number, at) for n, at in zip(owner, points, strict=True)])
        row, part = np.nonzero(_in_doubt(hosted, api))
        looked_at = np.array(owner)
        owner, low, high = looked_at[row].tolist(), points[row, part].tolist(), points[row, part + 1].tolist()
    for n in np.unique(looked_at).tolist():
        seen = (column[looked_at == n].ravel() for column in (points, hosted, api))
        found[n] = _after_the_last_step(*seen) or found[n]
    return found


def _in_doubt(hosted: Floats, api: Floats) -> Mask:
    """Between which neighbouring points hosting may be dearer by more than half the tolerance."""
    doubt: Mask = hosted[..., 1:] > api[..., :-1] * (1 + TOLERANCE / 2)
    return doubt


def _after_the_last_step(at: Floats, hosted: Floats, api: Floats) -> Bracket | None:
    """Around the point at which hosting is cheaper again after it was last dearer; ``None``: it never was."""
    dearer = np.flatnonzero(hosted > api * (1 + TOLERANCE / 2))
    if not len(dearer):
        return None
    after = int(dearer[-1]) + 1
    cheaper = np.flatnonzero(hosted[after:] <= api[after:])
    upper = after + int(cheaper[0]) if len(cheaper) else len(at) - 1
    return float(at[upper - 1]), float(at[upper])


def _least(points: Floats, options: Sequence[Ints], curves: Curves) -> Floats:
    """The least cost of each list of options at its own row of volumes."""
    owner = np.repeat(np.arange(len(options)), [len(some) for some in options])
    every = np.concatenate(options)
    each = curves.hosted_at(np.repeat(every, points.shape[1]), points[owner].ravel())
    least: Floats = np.minimum.reduceat(
        each.reshape(len(every), -1), np.flatnonzero(np.diff(owner, prepend=-1)), axis=0
    )
    return least


def _narrowed(brackets: Sequence[tuple[_Pair, Bracket]], curves: Curves) -> list[float]:
    """For each bracket the volume within it from which on hosting is cheaper, by grids within grids."""
    if not brackets:
        return []
    low, high = (np.array([bracket[end] for _, bracket in brackets]) for end in (0, 1))
    for _ in range(REFINEMENTS):
        points = np.geomspace(low, high, POINTS_PER_REFINEMENT, axis=1)
        hosted = _least(points, [pair.hosted for pair, _ in brackets], curves)
        for n, (pair, _) in enumerate(brackets):
            cheaper = hosted[n] <= curves.api_usd_per_day(pair.api.number, points[n])
            tail = _start_of_tail(cheaper) or 1
            low[n], high[n] = points[n, tail - 1], points[n, tail]
    return [float(volume) for volume in high]


def _ends(pairs: Sequence[_Pair], curves: Curves) -> list[tuple[float | None, float | None]]:
    """The break-even of every group at the fast and at the slow end of the speeds."""
    found: list[list[float | None]] = [[None, None] for _ in pairs]
    known = [n for n, pair in enumerate(pairs) if np.isfinite(curves.half_widths(pair.hosted)).all()]
    if not known:
        return [(None, None) for _ in pairs]
    points = np.stack([pairs[n].volume[::EVERY] for n in known])
    for place, end in enumerate((-1, 1)):
        there = curves.at_end(end)
        costs = _least(points, [pairs[n].hosted for n in known], there)
        tails = [
            _start_of_tail(cost <= pairs[n].api_usd_per_day[::EVERY]) for n, cost in zip(known, costs, strict=True)
        ]
        some = [(n, at, tail) for n, at, tail in zip(known, points, tails, strict=True) if tail is not None]
        brackets = [(pairs[n], (float(at[max(tail - 1, 0)]), float(at[tail]))) for n, at, tail in some]
        for (n, _, _), volume in zip(some, _narrowed(brackets, there), strict=True):
            found[n][place] = volume
    return [(low, high) for low, high in found]


def _crossover(
    pair: _Pair,
    curves: Curves,
    hosted_name: Callable[[int], str],
    first: float | None,
    stays: float | None,
    band: tuple[float | None, float | None],
) -> Crossover:
    lowest = float(pair.volume[0])
    best = pair.hosted_best[np.searchsorted(pair.volume, stays) if stays else -1]
    if stays is None:
        because: str = _never(pair, curves)
    elif stays <= lowest:
        because = worded(
            "self-hosting is cheaper at every traffic from {count} requests a day on", count=Volume(lowest)
        )
    else:
        because = worded(
            "from there on self-hosting stays cheaper, at first on {machines}",
            machines=_machines_in_words(curves, int(best), stays),
        )
    told = [because]
    if first is not None and (stays is None or first < stays * (1 - TOLERANCE)):
        told.append(worded("cheaper in places from {count} on", count=Volume(first)))
    if pair.api.meets_slo is None:
        told.append("whether that API keeps the latency target is not known")
    return Crossover(
        group=pair.group,
        left=curves.api.options[pair.api.number].id,
        right=hosted_name(int(best)),
        requests_per_day=None if stays is not None and stays <= lowest else stays,
        first_requests_per_day=first,
        low=None if band[0] is None or stays is None else min(band[0], stays),
        high=None if band[1] is None or stays is None else max(band[1], stays),
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


def _machines_in_words(curves: Curves, option: int, requests_per_day: float | None) -> str:
    """The machines that an option has in the busiest hour at a volume."""
    columns, sizing, _ = curves.sized(np.array([option]), np.array([requests_per_day or 0.0]))
    return f"{sizing.peak_machines[0]:.0f} x {columns.offers[columns.offer[0]].machine}"
