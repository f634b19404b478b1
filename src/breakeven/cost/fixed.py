"""Costs that do not depend on traffic: people and whatever the user names."""

from collections.abc import Sequence
from decimal import Decimal

from breakeven.cost.bill import Charge, flat
from breakeven.units import DAYS_PER_MONTH
from breakeven.wording import worded
from breakeven.workload.policy import Policy

SPEC_SOURCE = "your spec"


def fixed_costs(policy: Policy, kind: str) -> tuple[tuple[str, float], ...]:
    """(name, USD a day) of the fixed costs that apply to ``api``, ``hosted`` or ``hybrid`` options.

    A hybrid bears those of both its halves, each once.
    """
    days = Decimal(str(DAYS_PER_MONTH))
    named = [
        (cost.name, float(cost.usd_per_month / days))
        for cost in policy.fixed_costs
        if kind == "hybrid" or cost.applies_to in (kind, "all")
    ]
    if policy.people and kind in ("hosted", "hybrid"):
        hours = policy.people.hours_per_month
        named.append(
            (worded("people, {hours:f} hours a month", hours=hours), float(hours * policy.people.usd_per_hour / days))
        )
    return tuple(named)


def fixed_charges(costs: Sequence[tuple[str, float]], options: int) -> tuple[Charge, ...]:
    """The same fixed costs for so many options."""
    return tuple(
        Charge(
            name=name,
            unit="day",
            quantity_per_day=flat(1.0, options),
            usd_per_unit=flat(usd, options),
            source=lambda _: (SPEC_SOURCE,),
        )
        for name, usd in costs
    )
