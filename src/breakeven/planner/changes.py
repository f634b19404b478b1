"""What one's own measurements changed: dollars and rank of every line of the ranking, before and after."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from breakeven.decision.rank import Contender
from breakeven.planner.spine import Plan

SAME = 5e-4
"""Dollars that differ by less than this share are the same."""
Kind = Literal["api", "hosted", "hybrid", "cascade"]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """Where a line stood: its option, what it costs a day, and its rank in its group."""

    option: str
    usd_per_day: float
    rank: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the ranking before and after the measurements. ``None``: it was, or is, not in the ranking."""

    kind: Kind
    line: str
    before: Side | None
    after: Side | None

    @property
    def costs_otherwise(self) -> bool:
        """Whether its dollars are others, and not only its place."""
        if self.before is None or self.after is None:
            return True
        return abs(self.after.usd_per_day - self.before.usd_per_day) > SAME * self.before.usd_per_day


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """All that the measurements changed, by the rank after them, and who won before and wins now (no floor: nobody)."""

    lines: int
    """Lines of the ranking, before or after."""
    changed: tuple[Change, ...]
    winner_before: str | None
    winner_after: str | None


def changes(before: Plan, after: Plan) -> Changes:
    """What is otherwise in ``after``, which was planned with the measurements, than in ``before``."""
    old, new = _lines(before), _lines(after)
    names = list(dict.fromkeys([*new, *old]))
    found = [
        Change(kind=kind, line=line, before=old.get((kind, line)), after=new.get((kind, line))) for kind, line in names
    ]
    return Changes(
        lines=len(names),
        changed=tuple(one for one in found if one.costs_otherwise or _moved(one)),
        winner_before=_winner(before),
        winner_after=_winner(after),
    )


def _moved(one: Change) -> bool:
    return one.before is not None and one.after is not None and one.before.rank != one.after.rank


def _winner(plan: Plan) -> str | None:
    return plan.option_id(plan.ranking.winner) if plan.ranking.winner else None


def _lines(plan: Plan) -> Mapping[tuple[Kind, str], Side]:
    """The best of each line; a line is what the ranking compares: a hosted model, an API, or a single option."""
    found: dict[tuple[Kind, str], Side] = {}
    for one in plan.ranking.contenders:
        option = plan.option_id(one)
        side = Side(option=option, usd_per_day=one.usd_per_day, rank=one.rank)
        found.setdefault((one.kind, _line(plan, one, option)), side)
    return found


def _line(plan: Plan, one: Contender, option: str) -> str:
    return option if one.kind == "api" or plan.by != "model" else plan.model_of(one)
