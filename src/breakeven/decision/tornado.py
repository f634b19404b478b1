"""What the answer hangs on: each input at its low and at its high end alone, all others at their middle.

The margin is what the best rival costs more than the option chosen now. Where it is below 0 at an end, the answer
changes there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from breakeven.decision.contest import Contest
from breakeven.decision.scenarios import SCATTER, Z80, Draws, between, middle
from breakeven.options.columns import Floats
from breakeven.workload.uncertainty import Uncertainty

LOW, HIGH = 0.1, 0.9
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
    """The margin at the middle of all inputs, and every input's swing, the widest first; inputs without one are left out.

    ``chosen``: the place of the option whose margin it is.
    """
    base = middle(len(contest.contenders))
    named = _inputs(contest, base, unknown)
    costs = contest.usd_per_day(_joined([base, *(draws for _, _, ends in named for draws in ends)]))
    margins, winners = _margins(costs, chosen), costs.argmin(axis=0)
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


def _margins(costs: Floats, chosen: int) -> Floats:
    rivals = np.delete(costs, chosen, axis=0)
    if not len(rivals):
        return np.full(costs.shape[1], np.inf)
    margins: Floats = rivals.min(axis=0) - costs[chosen]
    return margins


def _inputs(contest: Contest, base: Draws, unknown: Uncertainty) -> list[tuple[str, int | None, tuple[Draws, Draws]]]:
    """Each input with the two scenarios in which it alone is at an end."""

    def ends(name: str, low: float, high: float) -> tuple[str, None, tuple[Draws, Draws]]:
        at = (replace(base, **{name: np.array([value])}) for value in (low, high))  # type: ignore[arg-type]
        return name, None, tuple(at)  # type: ignore[return-value]

    spread, growth = float(np.log(unknown.tokens_spread)), unknown.growth
    rise = between(np.array([-Z80, Z80]), growth.low, growth.mid, growth.high)
    base = replace(base, log_growth_per_year=np.log(np.array([growth.mid])))
    found: list[tuple[str, int | None, tuple[Draws, Draws]]] = [
        ends("log_input", -spread, spread),
        ends("log_output", -spread, spread),
        ends("log_growth_per_year", float(rise[0]), float(rise[1])),
        ends("progress", LOW, HIGH),
        ends("rent", LOW, HIGH),
    ]
    costs = contest.usd_per_day(base)[:, 0]
    hosted = [n for n in np.argsort(costs).tolist() if n >= contest.apis and contest.errors.known[n]]
    for place in hosted[:SPEEDS_SHOWN]:
        moved = _siblings(contest, place)
        both = (replace(base, speed=end * Z80 * moved[:, None]) for end in (-1.0, 1.0))
        found.append(("speed", place, tuple(both)))  # type: ignore[arg-type]
    return found


def _siblings(contest: Contest, place: int) -> Floats:
    """How far each contender's standard error is expected to follow that of one."""
    return contest.errors.shared(place, SCATTER)


def _joined(draws: Sequence[Draws]) -> Draws:
    names = ("log_input", "log_output", "log_growth_per_year", "progress", "rent")
    columns = {name: np.concatenate([getattr(one, name) for one in draws]) for name in names}
    return Draws(**columns, speed=np.concatenate([one.speed for one in draws], axis=1))
