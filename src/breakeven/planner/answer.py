"""The answer in sentences: who wins, what would change it, and what was left out of the sum."""

from decimal import Decimal

from breakeven.decision.crossover import Crossover
from breakeven.decision.rank import Contender
from breakeven.planner.spine import Plan
from breakeven.units import DAYS_PER_MONTH

EXAMPLE_WAGE_USD_PER_HOUR = 100
"""Only to put dollars of margin into hours; nobody's wage is assumed in any bill."""


def answer(plan: Plan) -> tuple[str, ...]:
    """The answer of a plan with a quality floor, in sentences; without one, why there is no single answer."""
    ranking = plan.ranking
    if not ranking.floor:
        return (
            "No quality floor is set, and a cheap weak model does not beat a good one: below stands the cheapest of "
            "each class of quality. Set at_least to a model or a score to get one answer.",
        )
    first = ranking.contenders[0]
    sentences = [_winner(plan, first)]
    unknown = [c for c in ranking.contenders if c.meets_slo is None]
    cheapest = min(unknown, key=lambda c: c.usd_per_day, default=first)
    if first.meets_slo and cheapest.usd_per_day < first.usd_per_day:
        sentences.append(
            f"{plan.option_id(cheapest)} lists at {cheapest.usd_per_day:,.2f} USD a day, but its latency is not "
            "known here: measure it before you choose it."
        )
    sentences += [break_even_sentence(c) for c in plan.crossovers]
    margin = people_margin(plan, first)
    if margin:
        sentences.append(margin)
    return tuple(sentences)


def _winner(plan: Plan, first: Contender) -> str:
    verdict = plan.verdict(first)
    month = first.usd_per_day * DAYS_PER_MONTH
    least = " at least" if verdict.bill.unpriced else ""
    what = "Self-hosting" if first.kind == "hosted" else "A paid API"
    known = "" if first.meets_slo else " (its latency is not known, so the target may be missed)"
    return (
        f"{what} is cheapest with {plan.quality.floor_words}: {verdict.option.id} costs{least} "
        f"{first.usd_per_day:,.2f} USD a day, {month:,.0f} a month{known}."
    )


def break_even_sentence(crossover: Crossover) -> str:
    """One sentence about one pair."""
    pair = f"{crossover.left} against {crossover.right}"
    if crossover.requests_per_day is None:
        return f"{pair}: no break-even; {crossover.because}."
    return f"{pair}: break-even at {crossover.requests_per_day:,.0f} requests a day; {crossover.because}."


def people_margin(plan: Plan, first: Contender) -> str | None:
    """How many hours of work a month would eat up what hosting saves, if the spec names no people."""
    if first.kind != "hosted" or plan.policy.people is not None:
        return None
    apis = [c for c in plan.ranking.of(first.group) if c.kind == "api"]
    if not apis:
        return None
    saved = Decimal(repr(min(c.usd_per_day for c in apis) - first.usd_per_day)) * Decimal(str(DAYS_PER_MONTH))
    if saved <= 0:
        return None
    return (
        f"People are not counted; hosting stops winning above {saved:,.0f} USD a month of work "
        f"({saved / EXAMPLE_WAGE_USD_PER_HOUR:,.0f} hours a month at {EXAMPLE_WAGE_USD_PER_HOUR} USD an hour)."
    )
