"""The main sentences of a page in its language: the answer, and on which side of the break-even it turns.

Everything else that the report says in sentences is English on every page, and is marked as such.
"""

from breakeven.decision.crossover import Crossover
from breakeven.decision.curves import LOWEST_REQUESTS_PER_DAY
from breakeven.planner import Plan
from breakeven.report.words import usd
from breakeven.ui.now import Now, what_wins
from breakeven.ui.texts import Texts


def lead_of(plan: Plan, now: Now, t: Texts) -> str:
    """The answer in one sentence with its dollars and band; nothing without a quality floor."""
    if now.winner is None or now.winner_option is None:
        return t("lead.nothing") if plan.ranking.floor else ""
    one = now.winner
    key, places = what_wins(now.winner_option)
    band = ""
    if one.usd_per_day_low is not None and one.usd_per_day_high is not None:
        band = t("lead.band", low=usd(one.usd_per_day_low), high=usd(one.usd_per_day_high))
    return t(
        "lead.costs",
        what=t(key, **places),
        least=t("lead.least") if one.at_least else "",
        day=usd(one.usd_per_day),
        month=usd(one.usd_per_month),
        band=band,
        kept=t("lead.kept") if plan.workload.slo.named else "",
        floor=floor_of(plan, t),
    )


def floor_of(plan: Plan, t: Texts) -> str:
    """What an option must reach to compete."""
    quality, given = plan.quality, plan.policy.at_least
    if quality.floor is None:
        return t("lead.floor_success")
    if isinstance(given, str):
        return t("lead.floor_model", model=given, score=quality.floor, scale=quality.scale)
    return t("lead.floor_score", score=quality.floor, scale=quality.scale)


def turns_of(plan: Plan, t: Texts) -> list[str]:
    """From which traffic on the other side is cheaper, for the one group that is compared."""
    if len(plan.crossovers) != 1:
        return []
    return [_turn(plan.crossovers[0], t)]


def _turn(found: Crossover, t: Texts) -> str:
    if found.requests_per_day is None:
        return t("changes.never")
    if found.requests_per_day <= LOWEST_REQUESTS_PER_DAY:
        return t("changes.always")
    return t("changes.above", count=t.count(found.requests_per_day), api=found.left)
