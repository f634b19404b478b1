"""The ranking: the cheapest way to serve each model at each provider, like with like.

One contender stands for a *choice*: a provider's model, or an open model hosted by oneself on whatever machine,
format, path and term is cheapest. With a floor all contenders compete; without one each class of quality has a
ranking of its own, because a cheap weak model does not beat a good one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, isnan, nan
from typing import Literal

import numpy as np

from breakeven.cost.api import ApiCosts
from breakeven.cost.hosting import HostedCosts
from breakeven.options.columns import Ints
from breakeven.options.hosted import HostedGrid
from breakeven.options.quality import Quality
from breakeven.options.success import KNOWN_SUCCESS, UNKNOWN_SUCCESS, Successes
from breakeven.performance.predict import Speed

By = Literal["model", "machine", "option"]
"""What one contender stands for: a model, a model on a machine type, or every single option."""
OVERALL = "all that pass the floor"
APART = 3
"""Options of unknown success that are shown beside those that are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One choice in the ranking."""

    kind: Literal["api", "hosted", "hybrid", "cascade"]
    number: int
    """Its place in the API or hosted options, in the hybrids, or among the cascades."""
    usd_per_day: float
    score: float
    group: str
    """The class of quality in which it competes, or ``OVERALL``."""
    rank: int
    """From 1, within the group."""
    meets_slo: bool | None
    """``None``: not known, never counted as a pass."""
    success: float = nan
    """Share of the requests that end with a right answer; NaN where it is not known."""

    @property
    def compared_usd_per_day(self) -> float:
        """What it is ranked by: USD a day, where success is known for as many right answers as there are requests."""
        if isnan(self.success):
            return self.usd_per_day
        return self.usd_per_day / self.success if self.success > 0 else inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Contenders by group (best quality first), by rank within it."""

    contenders: tuple[Contender, ...]
    floor: bool

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups in order."""
        return tuple(dict.fromkeys(c.group for c in self.contenders))

    def of(self, group: str) -> tuple[Contender, ...]:
        """The contenders of one group by rank."""
        return tuple(c for c in self.contenders if c.group == group)

    def first(self, top: int) -> tuple[Contender, ...]:
        """The first ``top`` of every group known to keep the target, and as many of which that is not known.

        Of what stands apart because its success is not known, no more than ``APART``.
        """
        seen: dict[tuple[str, bool | None], int] = {}
        shown = []
        for c in self.contenders:
            seen[c.group, c.meets_slo] = place = seen.get((c.group, c.meets_slo), 0) + 1
            if place <= (min(top, APART) if c.group == UNKNOWN_SUCCESS else top):
                shown.append(c)
        return tuple(shown)

    @property
    def winner(self) -> Contender | None:
        """The overall winner; ``None`` without a floor, or if nothing is known to keep the target."""
        known = (c for c in self.contenders if c.meets_slo and c.group != UNKNOWN_SUCCESS)
        return next(known, None) if self.floor else None


def rank(  # noqa: PLR0913, PLR0917 - the stages whose outcome it compares
    api: ApiCosts,
    hosted: HostedCosts,
    grid: HostedGrid,
    speed: Speed,
    quality: Quality,
    by: By = "model",
    successes: Successes | None = None,
) -> Ranking:
    """Order the cheapest option of every choice: known to keep the target first, then by cost.

    Hosted options that miss the target were ruled out before; an API whose latency is not known never counts as
    keeping it. With ``successes`` the cost is that of a right answer, what is below their floor is left out, and what
    has no known success stands apart.
    """
    floor = quality.floor is not None or (successes is not None and successes.answers.floor is not None)
    grouped = _groups_of(quality, successes is not None, floor)
    of_api = successes.api.success if successes else np.full(len(api.options), nan)
    unranked = [
        Contender(
            kind="api",
            number=number,
            usd_per_day=float(api.usd_per_day[number]),
            score=api.options[number].score,
            group=grouped(api.options[number].score, float(of_api[number])),
            rank=0,
            meets_slo=api.options[number].meets_slo,
            success=float(of_api[number]),
        )
        for number in _cheapest_apis(api, by, successes)
    ]
    rows = hosted.options.row
    scores = grid.score[speed.rows[rows]]
    of_hosted = successes.hosted.success if successes else np.full(len(speed.rows), nan)
    unranked += [
        Contender(
            kind="hosted",
            number=number,
            usd_per_day=float(hosted.usd_per_day[number]),
            score=float(scores[number]),
            group=grouped(float(scores[number]), float(of_hosted[rows[number]])),
            rank=0,
            meets_slo=True,
            success=float(of_hosted[rows[number]]),
        )
        for number in _cheapest_hosted(hosted, grid, speed, by, successes).tolist()
    ]
    return Ranking(contenders=_ordered(unranked), floor=floor)


def joined(ranking: Ranking, others: list[Contender]) -> Ranking:
    """The ranking with other contenders among the ones that it has; their ranks are set anew."""
    return replace(ranking, contenders=_ordered([*ranking.contenders, *others])) if others else ranking


def _groups_of(quality: Quality, by_success: bool, floor: bool) -> Callable[[float, float], str]:
    """The group of a score and a success."""

    def group(score: float, success: float) -> str:
        if by_success:
            return UNKNOWN_SUCCESS if isnan(success) else OVERALL if floor else KNOWN_SUCCESS
        return OVERALL if floor else quality.class_of(score)

    return group


def _ordered(unranked: list[Contender]) -> tuple[Contender, ...]:
    best: dict[str, float] = {}
    for c in unranked:
        best[c.group] = max(best.get(c.group, -np.inf), _or_lowest(c.score))
    ordered = sorted(
        unranked,
        key=lambda c: (
            c.group == UNKNOWN_SUCCESS,
            -best[c.group],
            c.group,
            c.meets_slo is None,
            c.compared_usd_per_day,
            -_or_lowest(c.score),
            c.kind,
            c.number,
        ),
    )
    places: dict[str, int] = {}
    ranked = []
    for c in ordered:
        places[c.group] = places.get(c.group, 0) + 1
        ranked.append(replace(c, rank=places[c.group]))
    return tuple(ranked)


def _or_lowest(score: float) -> float:
    """A score; one that is not known is below all others."""
    return -np.inf if np.isnan(score) else score


def _cheapest_apis(api: ApiCosts, by: By, successes: Successes | None) -> list[int]:
    """The cheapest tier of every model at every provider (every tier of every name, if one line is an option).

    Where a provider sells a model under several names at one price, the shortest name stands for them.
    """
    usd = api.usd_per_day if successes is None else successes.api.compared(api.usd_per_day)
    passes = np.ones(len(usd), dtype=np.bool_) if successes is None else successes.api.passes
    cheapest: dict[object, int] = {}
    priced = np.flatnonzero(~np.isnan(api.usd_per_day) & passes).tolist()
    for number in sorted(priced, key=lambda n: (usd[n], len(api.options[n].tariff.offer.model))):
        offer = api.options[number].tariff.offer
        key = number if by == "option" else (offer.provider, offer.canonical or offer.model)
        cheapest.setdefault(key, number)
    return list(cheapest.values())


def _cheapest_hosted(hosted: HostedCosts, grid: HostedGrid, speed: Speed, by: By, successes: Successes | None) -> Ints:
    """The cheapest hosted option of every choice."""
    options = hosted.options
    usd, known = hosted.usd_per_day, ~np.isnan(grid.score[speed.rows[options.row]])
    among = np.arange(len(options.row), dtype=np.int64)
    if successes is not None:
        usd = successes.hosted.compared(usd, options.row)
        known = successes.hosted.known[options.row]
        among = np.flatnonzero(successes.hosted.passes[options.row])
    if not len(among) or by == "option":
        return among
    rows = speed.rows[options.row]
    choice = grid.model[rows].astype(np.int64)
    if by == "machine":
        names = sorted({offer.machine for offer in options.offers})
        machine = np.array([names.index(offer.machine) for offer in options.offers], dtype=np.int64)
        choice = choice * len(names) + machine[options.offer]
    choice = choice * 2 + ~known  # a format whose quality is not known is a choice of its own
    choice, least = choice[among], np.full(int(choice.max()) + 1, np.inf)
    np.minimum.at(least, choice, usd[among])
    ties = np.flatnonzero(usd[among] == least[choice])
    cheapest: Ints = among[ties[np.unique(choice[ties], return_index=True)[1]]]
    return cheapest
