"""What the traffic costs without machines of one's own: a paid API, or a cheap one with a stronger one behind it."""

from collections.abc import Sequence
from dataclasses import dataclass

from breakeven.decision.cascades import Cascade, shared_costs
from breakeven.decision.curves import Curves
from breakeven.decision.rank import Contender
from breakeven.options.columns import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Paid:
    """The cheapest of a group, and its line."""

    contender: Contender
    curves: Curves
    cascade: Cascade | None
    """Of two APIs, where the contender is one."""

    def usd_per_day(self, requests_per_day: Floats) -> Floats:
        """At so much traffic each; by right answers where the curves are."""
        one, curves = self.cascade, self.curves
        if one is None:
            return curves.api_usd_per_day(self.contender.number, requests_per_day)
        bare = curves.without_checks().per_answer()
        usd: Floats = bare.api_usd_per_day(one.first.number, requests_per_day)
        usd = usd + bare.api_usd_per_day(one.fallback.number, requests_per_day * one.fallback_share)
        usd = usd - sum(shared_costs("api", "api", curves).values())
        usd = usd + one.checks * requests_per_day * curves.usd_per_check
        return usd / one.success if curves.by_success else usd


def cheapest_paid(contenders: Sequence[Contender], curves: Curves, cascades: Sequence[Cascade]) -> Paid | None:
    """Of those known to keep the target before the others; ``None`` if there is none."""

    def halves(one: Contender) -> list[Contender]:
        both = cascades[one.number] if one.kind == "cascade" else None
        return [one] if both is None else [both.first, both.fallback]

    paid = (c for c in contenders if all(half.kind == "api" for half in halves(c)))
    best = min(paid, key=lambda c: (c.meets_slo is None, c.compared_usd_per_day), default=None)
    if best is None:
        return None
    return Paid(contender=best, curves=curves, cascade=cascades[best.number] if best.kind == "cascade" else None)
