"""The answer at one traffic in a few figures: who is cheapest of each kind, who wins, and where the break-even lies.

The same from a whole plan and from the few options that are charged again while the traffic is dragged.
"""

from dataclasses import replace

import msgspec

from breakeven.decision.crossover import Crossover
from breakeven.decision.rank import Contender, Ranking
from breakeven.evidence import Basis
from breakeven.options.quality import UNKNOWN_CLASS
from breakeven.options.success import UNKNOWN_SUCCESS
from breakeven.planner import Plan
from breakeven.planner.moved import moved
from breakeven.planner.verdict import Option, Verdict
from breakeven.report.sections import heading
from breakeven.units import DAYS_PER_MONTH

RIVALS = 6
"""Of each group, so many of the cheapest are named while the traffic is dragged."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One option at one traffic. ``low`` and ``high``: at both ends of its speed's 80 % band, where it is known."""

    kind: str
    model: str
    option: str
    usd_per_day: float
    usd_per_day_low: float | None
    usd_per_day_high: float | None
    meets_slo: bool | None
    wins: bool
    at_least: bool
    """Whether a line of its bill has no known price."""

    @property
    def usd_per_month(self) -> float:
        """A month of 730 hours."""
        return self.usd_per_day * DAYS_PER_MONTH


class GroupNow(msgspec.Struct, frozen=True, kw_only=True):
    """One group of quality at one traffic."""

    group: str
    heading: str
    hosted: Choice | None
    api: Choice | None
    crossover: Crossover | None
    cheapest: tuple[Choice, ...]
    """The first few of any kind, in the order of the ranking."""


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """The answer at one traffic."""

    requests_per_day: float
    groups: tuple[GroupNow, ...]
    winner: Choice | None
    """``None`` without a quality floor, or if nothing is known to keep the target."""
    winner_option: Option | None
    winner_basis: Basis | None
    """How the winner's figures were come by."""
    whole: bool
    """Whether the whole catalogue was planned at this traffic."""
    options: int
    """How many options were charged for it."""

    @property
    def only(self) -> GroupNow | None:
        """The group that is compared, if there is but one."""
        return self.groups[0] if len(self.groups) == 1 else None


def now_of(plan: Plan) -> Now:
    """The answer of a whole plan."""
    return _now(plan, plan.ranking, plan.workload.requests_per_day, whole=True, options=plan.competing)


def now_at(plan: Plan, requests_per_day: float) -> Now:
    """The answer at another traffic, from the contenders of the plan."""
    found = moved(plan, requests_per_day)
    return _now(plan, found.ranking, requests_per_day, whole=False, options=found.options)


def _now(plan: Plan, ranking: Ranking, requests_per_day: float, *, whole: bool, options: int) -> Now:
    compared = [g for g in ranking.groups if g not in (UNKNOWN_CLASS, UNKNOWN_SUCCESS)]
    one, first = len(compared) == 1, ranking.winner

    winning = None if first is None else _told(plan, first)
    made: dict[Contender, Choice] = {}

    def choice(contender: Contender | None, *, detailed: bool = False) -> Choice | None:
        if contender is not None and contender not in made:
            made[contender] = _choice(plan, contender, requests_per_day, first, detailed=detailed or contender == first)
        return None if contender is None else made[contender]

    return Now(
        requests_per_day=requests_per_day,
        groups=tuple(
            GroupNow(
                group=group,
                heading=heading(plan, group),
                hosted=choice(_cheapest(ranking, group, "hosted"), detailed=one),
                api=choice(_cheapest(ranking, group, "api"), detailed=one),
                crossover=next((c for c in plan.crossovers if c.group == group), None),
                cheapest=tuple(
                    found for c in ranking.of(group)[: RIVALS if one else 0] if (found := choice(c)) is not None
                ),
            )
            for group in compared
        ),
        winner=choice(first),
        winner_option=None if winning is None else winning.option,
        winner_basis=None if winning is None else winning.basis,
        whole=whole,
        options=options,
    )


def _told(plan: Plan, contender: Contender) -> Verdict:
    """What a contender is, whatever it costs at a traffic: told once for all traffics, its costs those of the plan."""
    return plan.verdict(replace(contender, usd_per_day=0.0, rank=0))


def _cheapest(ranking: Ranking, group: str, kind: str) -> Contender | None:
    of_kind = (c for c in ranking.of(group) if c.kind == kind)
    return min(of_kind, key=lambda c: c.compared_usd_per_day, default=None)


def _choice(
    plan: Plan, contender: Contender, requests_per_day: float, first: Contender | None, *, detailed: bool = False
) -> Choice:
    band = None
    if detailed and contender.kind == "hosted":
        band = plan.curves.band_at(contender.number, requests_per_day)
    usd = contender.usd_per_day
    return Choice(
        kind=contender.kind,
        model=plan.model_of(contender),
        option=plan.option_id(contender),
        usd_per_day=usd,
        usd_per_day_low=None if band is None else min(band[0], usd),
        usd_per_day_high=None if band is None else max(band[1], usd),
        meets_slo=contender.meets_slo,
        wins=contender == first,
        at_least=detailed and bool(_told(plan, contender).bill.unpriced),
    )


def what_wins(option: Option) -> tuple[str, dict[str, str]]:
    """The text key that tells what the winner is, and what stands in its places.

    >>> what_wins(Option(id="api:p/m", kind="api", model="m", provider="p", quality_score=None, quality_class=""))
    ('lead.api', {'model': 'p/m'})
    """
    if option.kind == "api":
        return "lead.api", {"model": f"{option.provider}/{option.model}"}
    if option.kind == "cascade":
        first, second = option.model.split("+", 1)
        return "lead.cascade", {"model": first, "other": second}
    places = {"model": option.model, "format": option.number_format or "", "machine": option.machine or ""}
    if option.kind == "hybrid":
        return "lead.hybrid", places | {"other": option.id.rsplit("+", 1)[1]}
    return "lead.hosted", places
