"""What the answer hangs on: each input at its low and at its high end alone, all others at their middle.

The margin is what the best rival costs more than the option chosen now. Where it is below 0 at an end, the answer
changes there. The same machines under another term are no rival.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from breakeven.decision.contest import Contest
from breakeven.decision.scenarios import SCATTER, Z80, Draws, between, middle
from breakeven.options.columns import Floats, Mask
from breakeven.workload.uncertainty import Uncertainty

LOW, HIGH = 0.1, 0.9
MEASURED = ("hosted", "hybrid")
"""The kinds of contenders whose speed is one's own to measure."""
SPEEDS_SHOWN = 3
"""So many hosted contenders, the cheapest ones, have their speed moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swing:
    """One input at both ends."""

    input: str
    """``growth``, ``input``, ``output``, ``progress``, ``rent``, or ``speed`` of the contender ``of``."""
    of: int | None
    """Place of a contender."""
    margins_usd_per_day: tuple[float, float]
    """Of the option chosen over its best rival, at the low and at the high end."""
    winners: tuple[int, int]
    """Places of the cheapest at both ends."""

    @property
    def width_usd_per_day(self) -> float:
        """Between the margins at both ends."""
        low, high = self.margins_usd_per_day
        return abs(high - low) if np.isfinite(low) and np.isfinite(high) else np.inf


def swings(contest: Contest, chosen: int, unknown: Uncertainty) -> tuple[float, list[Swing]]:
    """The margin at the middle of all inputs, and the swing of every input that has one, the widest first.

    ``chosen``: the place of the option whose margin it is.
    """
    base = middle(contest.rows, unknown.growth.mid)
    named = _inputs(contest, base, unknown)
    costs = contest.compared(contest.usd_per_day(_joined([base, *(draws for _, _, ends in named for draws in ends)])))
    same = np.array([alike(contest, n, chosen) for n in range(len(costs))])
    margins, winners = _margins(costs, same), costs.argmin(axis=0)
    found = [
        Swing(
            input=name,
            of=of,
            margins_usd_per_day=(float(margins[1 + 2 * n]), float(margins[2 + 2 * n])),
            winners=(int(winners[1 + 2 * n]), int(winners[2 + 2 * n])),
        )
        for n, (name, of, _) in enumerate(named)
    ]
    moved = [swing for swing in found if swing.width_usd_per_day > 1e-9 * max(abs(float(margins[0])), 1e-9)]
    return float(margins[0]), sorted(moved, key=lambda swing: -swing.width_usd_per_day)


def alike(contest: Contest, one: int, other: int) -> bool:
    """Whether two contenders are the same choice: one and the same, or the same machines under another term."""
    labels, kinds = contest.errors.labels, [contest.contenders[n].kind for n in (one, other)]
    return one == other or (kinds == ["hosted", "hosted"] and labels[one][SCATTER] == labels[other][SCATTER])


def _margins(costs: Floats, same: Mask) -> Floats:
    """Infinite without a rival, and where machines run out for all."""
    least = costs[same].min(axis=0)
    rival = costs[~same].min(axis=0, initial=np.inf)
    return np.where(np.isinf(least) & np.isinf(rival), np.inf, rival - np.where(np.isinf(rival), 0.0, least))


def _inputs(contest: Contest, base: Draws, unknown: Uncertainty) -> list[tuple[str, int | None, tuple[Draws, Draws]]]:
    """Each input with the two scenarios in which it alone is at an end."""

    def ends(name: str, low: float, high: float) -> tuple[str, None, tuple[Draws, Draws]]:
        down, up = ({name: np.array([value])} for value in (low, high))
        return name, None, (replace(base, **down), replace(base, **up))

    spread, growth = float(np.log(unknown.tokens_spread)), unknown.growth
    rise = between(np.array([-Z80, Z80]), growth.low, growth.mid, growth.high)
    found: list[tuple[str, int | None, tuple[Draws, Draws]]] = [
        ends("log_input", -spread, spread),
        ends("log_output", -spread, spread),
        ends("log_growth_per_year", float(rise[0]), float(rise[1])),
        ends("progress", LOW, HIGH),
        ends("rent", LOW, HIGH),
    ]
    costs = contest.compared(contest.usd_per_day(base))[:, 0]
    hosted: dict[str, int] = {}
    for n in np.argsort(costs).tolist():
        if contest.contenders[n].kind in MEASURED and contest.errors.known[n]:
            hosted.setdefault(contest.errors.labels[n][SCATTER], n)
    for place in list(hosted.values())[:SPEEDS_SHOWN]:
        moved = _siblings(contest, place)
        fast, slow = (replace(base, speed=end * Z80 * moved[:, None]) for end in (-1.0, 1.0))
        found.append(("speed", place, (fast, slow)))
    return found


def _siblings(contest: Contest, place: int) -> Floats:
    """How far each contender's standard error is expected to follow that of one."""
    return contest.errors.shared(place, SCATTER)


def _joined(draws: Sequence[Draws]) -> Draws:
    names = ("log_input", "log_output", "log_growth_per_year", "progress", "rent")
    columns = {name: np.concatenate([getattr(one, name) for one in draws]) for name in names}
    return Draws(**columns, speed=np.concatenate([one.speed for one in draws], axis=1))
