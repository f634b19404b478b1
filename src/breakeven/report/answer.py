"""The answer in sentences: who wins, what would change it, and what was left out of the sum."""

from breakeven.decision.crossover import Crossover
from breakeven.decision.rank import Contender
from breakeven.planner import Plan
from breakeven.report.words import count, usd
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
    sentences = [_winner(plan), *_cheaper_but_unknown(plan), *map(break_even_sentence, plan.crossovers)]
    margin = people_margin(plan)
    return (*sentences, margin) if margin else tuple(sentences)


def _winner(plan: Plan) -> str:
    first = plan.ranking.winner
    if first is None:
        return (
            "Nothing that passes is known to keep the latency target: self-hosting misses it, and the latency of paid "
            "APIs is not known here. Measure one and state it under api_latency."
        )
    verdict = plan.verdict(first)
    least = " at least" if verdict.bill.unpriced else ""
    what = "self-hosting" if first.kind == "hosted" else "a paid API"
    among = "Of what is known to keep the target, " if _unknown(plan) else ""
    sentence = f"{among}{what} is cheapest with {plan.quality.floor_words}: "
    return (
        f"{sentence[0].upper()}{sentence[1:]}{verdict.option.id} costs{least} {usd(first.usd_per_day)} a day, "
        f"{usd(first.usd_per_day * DAYS_PER_MONTH)} a month."
    )


def _unknown(plan: Plan) -> list[Contender]:
    """Contenders of which it is not known whether they keep the target."""
    return [c for c in plan.ranking.contenders if c.meets_slo is None]


def _cheaper_but_unknown(plan: Plan) -> list[str]:
    first, unknown = plan.ranking.winner, _unknown(plan)
    if not unknown:
        return []
    cheapest = min(unknown, key=lambda c: c.usd_per_day)
    if first is not None and cheapest.usd_per_day >= first.usd_per_day:
        return []
    return [
        f"{plan.option_id(cheapest)} lists at {usd(cheapest.usd_per_day)} a day, but its latency is not known here: "
        "measure it and state it under api_latency before you choose it."
    ]


def break_even_sentence(crossover: Crossover) -> str:
    """One sentence about one pair."""
    pair = f"{crossover.left} against {crossover.right}"
    if crossover.requests_per_day is None:
        return f"{pair}: no break-even; {crossover.because}."
    return f"{pair}: break-even at {count(crossover.requests_per_day)} requests a day; {crossover.because}."


def people_margin(plan: Plan) -> str | None:
    """How many hours of work a month would eat up what hosting saves, if the spec names no people."""
    first = plan.ranking.winner
    apis = [c.usd_per_day for c in plan.ranking.contenders if c.kind == "api"]
    if first is None or first.kind != "hosted" or plan.policy.people is not None or not apis:
        return None
    saved = (min(apis) - first.usd_per_day) * DAYS_PER_MONTH
    if saved <= 0:
        return None
    return (
        f"People are not counted; hosting stops winning above {usd(saved)} a month of work "
        f"({saved / EXAMPLE_WAGE_USD_PER_HOUR:,.0f} hours a month at {EXAMPLE_WAGE_USD_PER_HOUR} USD an hour)."
    )
