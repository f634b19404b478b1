"""The ranking: the cheapest way to serve each model at each provider, like with like.

One contender stands for a *choice*: a provider's model, or an open model hosted by oneself on whatever machine,
format, path and term is cheapest. With a floor all contenders compete; without one each class of quality has a
ranking of its own, because a cheap weak model does not beat a good one.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from breakeven.cost.api import ApiCosts
from breakeven.cost.hosting import HostedCosts
from breakeven.options.columns import Ints
from breakeven.options.hosted import HostedGrid
from breakeven.options.quality import Quality
from breakeven.performance.predict import Speed

By = Literal["model", "machine", "option"]
"""What one contender stands for: a model, a model on a machine type, or every single option."""
OVERALL = "all that pass the floor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One choice in the ranking."""

    kind: Literal["api", "hosted", "hybrid"]
    number: int
    """Its place in the API or hosted options, or in the hybrids."""
    usd_per_day: float
    score: float
    group: str
    """The class of quality in which it competes, or ``OVERALL``."""
    rank: int
    """From 1, within the group."""
    meets_slo: bool | None
    """``None``: not known, never counted as a pass."""


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
        """The first ``top`` of every group known to keep the target, and as many of which that is not known."""
        seen: dict[tuple[str, bool | None], int] = {}
        shown = []
        for c in self.contenders:
            seen[c.group, c.meets_slo] = place = seen.get((c.group, c.meets_slo), 0) + 1
            if place <= top:
                shown.append(c)
        return tuple(shown)

    @property
    def winner(self) -> Contender | None:
        """The overall winner; ``None`` without a floor, or if nothing is known to keep the target."""
        return next((c for c in self.contenders if c.meets_slo), None) if self.floor else None


def rank(
    api: ApiCosts, hosted: HostedCosts, grid: HostedGrid, speed: Speed, quality: Quality, by: By = "model"
) -> Ranking:
    """Order the cheapest option of every choice: known to keep the target first, then by cost.

    Hosted options that miss the target were ruled out before; an API whose latency is not known never counts as
    keeping it.
    """
    unranked = [
        Contender(
            kind="api",
            number=number,
            usd_per_day=float(api.usd_per_day[number]),
            score=api.options[number].score,
            group=_group(quality, api.options[number].score),
            rank=0,
            meets_slo=api.options[number].meets_slo,
        )
        for number in _cheapest_apis(api, by)
    ]
    scores = grid.score[speed.rows[hosted.options.row]]
    unranked += [
        Contender(
            kind="hosted",
            number=number,
            usd_per_day=float(hosted.usd_per_day[number]),
            score=float(scores[number]),
            group=_group(quality, float(scores[number])),
            rank=0,
            meets_slo=True,
        )
        for number in _cheapest_hosted(hosted, grid, speed, by).tolist()
    ]
    return Ranking(contenders=_ordered(unranked), floor=quality.floor is not None)


def ranked_with(ranking: Ranking, others: list[Contender]) -> Ranking:
    """The ranking with other contenders among the ones that it has; their ranks are set anew."""
    return replace(ranking, contenders=_ordered([*ranking.contenders, *others])) if others else ranking


def _group(quality: Quality, score: float) -> str:
    return OVERALL if quality.floor is not None else quality.class_of(score)


def _ordered(unranked: list[Contender]) -> tuple[Contender, ...]:
    best: dict[str, float] = {}
    for c in unranked:
        best[c.group] = max(best.get(c.group, -np.inf), _or_lowest(c.score))
    ordered = sorted(
        unranked,
        key=lambda c: (
            -best[c.group],
            c.group,
            c.meets_slo is None,
            c.usd_per_day,
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


def _cheapest_apis(api: ApiCosts, by: By) -> list[int]:
    """The cheapest tier of every model at every provider (every tier of every name, if one line is an option).

    Where a provider sells a model under several names at one price, the shortest name stands for them.
    """
    cheapest: dict[object, int] = {}
    priced = np.flatnonzero(~np.isnan(api.usd_per_day)).tolist()
    for number in sorted(priced, key=lambda n: (api.usd_per_day[n], len(api.options[n].tariff.offer.model))):
        offer = api.options[number].tariff.offer
        key = number if by == "option" else (offer.provider, offer.canonical or offer.model)
        cheapest.setdefault(key, number)
    return list(cheapest.values())


def _cheapest_hosted(hosted: HostedCosts, grid: HostedGrid, speed: Speed, by: By) -> Ints:
    """The cheapest hosted option of every choice."""
    options = hosted.options
    if not len(options.row) or by == "option":
        return np.arange(len(options.row), dtype=np.int64)
    rows = speed.rows[options.row]
    choice = grid.model[rows].astype(np.int64)
    if by == "machine":
        names = sorted({offer.machine for offer in options.offers})
        machine = np.array([names.index(offer.machine) for offer in options.offers], dtype=np.int64)
        choice = choice * len(names) + machine[options.offer]
    scored = np.isnan(grid.score[rows])
    choice = choice * 2 + scored  # a format whose quality is not known is a choice of its own
    order = np.argsort(hosted.usd_per_day, kind="stable")
    first = np.unique(choice[order], return_index=True)[1]
    cheapest: Ints = order[first]
    return cheapest
