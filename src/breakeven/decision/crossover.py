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

REFINEMENTS = 2
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
class _Pair:
    """Both lines of one group, and the points at which hosting is first, and for good, the cheaper one."""

    group: str
    volume: Floats
    api: Contender
    api_usd_per_day: Floats
    hosted: Ints
    hosted_usd_per_day: Floats
    hosted_best: Ints
    first: int | None
    stays: int | None


def crossovers(
    envelopes: Sequence[Envelope], curves: Curves, hosted_name: Callable[[int], str]
) -> tuple[Crossover, ...]:
    """The break-even of the best API and the best self-hosting of every group that has both."""
    pairs = [pair for lines in envelopes if (pair := _pair(lines)) is not None]
    brackets = [(pair, index) for pair in pairs for index in (pair.first, pair.stays) if index]
    volume = iter(_refined(brackets, curves))
    found = []
    for pair in pairs:
        first = next(volume) if pair.first else None
        stays = next(volume) if pair.stays else None
        found.append(_crossover(pair, curves, hosted_name, first, stays))
    return tuple(found)


def _pair(lines: Envelope) -> _Pair | None:
    api, hosted, best = lines.api_usd_per_day, lines.hosted_usd_per_day, lines.hosted_best
    if lines.api is None or api is None or hosted is None or best is None:
        return None
    cheaper = hosted <= api
    return _Pair(
        group=lines.group,
        volume=lines.requests_per_day,
        api=lines.api,
        api_usd_per_day=api,
        hosted=lines.hosted,
        hosted_usd_per_day=hosted,
        hosted_best=best,
        first=int(np.argmax(cheaper)) if cheaper.any() else None,
        stays=_start_of_tail(cheaper),
    )


def _start_of_tail(cheaper: Mask) -> int | None:
    """Where the unbroken run of True that reaches the end begins; ``None`` if the end is not True.

    >>> _start_of_tail(np.array([True, False, True, True]))
    2
    """
    if not cheaper[-1]:
        return None
    dearer = np.flatnonzero(~cheaper)
    return int(dearer[-1]) + 1 if len(dearer) else 0


def _crossover(
    pair: _Pair, curves: Curves, hosted_name: Callable[[int], str], first: float | None, stays: float | None
) -> Crossover:
    if pair.stays is None:
        right, because = int(pair.hosted_best[-1]), _never(pair, curves)
    elif pair.stays == 0:
        right = int(pair.hosted_best[0])
        because = f"self-hosting is cheaper at every traffic from {pair.volume[0]:,.0f} requests a day on"
    else:
        right = int(pair.hosted_best[pair.stays])
        because = f"from there on self-hosting stays cheaper, at first on {_machines_in_words(curves, right, stays)}"
    if first is not None and (stays is None or first < stays * (1 - TOLERANCE)) and pair.stays != 0:
        because += f"; cheaper in places from {first:,.0f} on"
    return Crossover(
        group=pair.group,
        left=curves.api.options[pair.api.number].id,
        right=hosted_name(right),
        requests_per_day=stays,
        first_requests_per_day=first,
        low=None,
        high=None,
        because=because,
    )


def _refined(brackets: Sequence[tuple[_Pair, int]], curves: Curves) -> list[float]:
    """For each pair and point of its lines: the volume just before that point from which on hosting is cheaper.

    All brackets are narrowed together, by grids within grids.
    """
    if not brackets:
        return []
    low = np.array([pair.volume[index - 1] for pair, index in brackets])
    high = np.array([pair.volume[index] for pair, index in brackets])
    owner = np.repeat(np.arange(len(brackets)), [len(pair.hosted) for pair, _ in brackets])
    options = np.concatenate([pair.hosted for pair, _ in brackets])
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    for _ in range(REFINEMENTS):
        points = np.geomspace(low, high, POINTS_PER_REFINEMENT, axis=1)
        each = curves.hosted_at(np.repeat(options, POINTS_PER_REFINEMENT), points[owner].ravel())
        hosted = np.minimum.reduceat(each.reshape(len(options), -1), starts, axis=0)
        for n, (pair, _) in enumerate(brackets):
            cheaper = hosted[n] <= curves.api_usd_per_day(pair.api.number, points[n])
            tail = _start_of_tail(cheaper) or 1
            low[n], high[n] = points[n, tail - 1], points[n, tail]
    return [float(volume) for volume in high]


def _never(pair: _Pair, curves: Curves) -> str:
    """Why hosting never stays cheaper: its price at full load, or that the machines run out."""
    hosted, volume = pair.hosted_usd_per_day, pair.volume
    if np.isinf(hosted[-1]):
        last = volume[np.isfinite(hosted)][-1:] if np.isfinite(hosted).any() else volume[:1]
        return f"the machines there are carry at most about {last[0]:,.0f} requests a day"
    mean = curves.speed.workload.mix.mean
    mtok = volume[-1] * (mean.input + mean.output) / TOKENS_PER_MTOK
    return (
        f"even at {volume[-1]:,.0f} requests a day full machines cost {hosted[-1] / mtok:.3g} USD a million tokens "
        f"against {pair.api_usd_per_day[-1] / mtok:.3g}"
    )


def _machines_in_words(curves: Curves, option: int, requests_per_day: float | None) -> str:
    """The machines that an option has at a volume, and how full they are."""
    volume = np.array([requests_per_day or 0.0])
    _, sizing, speed = curves.sized(np.array([option]), volume)
    offer = curves.hosted.options.offers[curves.hosted.options.offer[option]]
    room = sizing.replicas_of(0) * speed.largest_concurrency[0]
    used = float(sizing.in_flight_of(0).sum() / room.sum())
    return f"{sizing.peak_machines[0]:.0f} x {offer.machine}, {used:.0%} used"
