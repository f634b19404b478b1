"""The answer in sentences: who wins, what would change it, and what was left out of the sum."""

from math import isnan

from breakeven.decision.crossover import Crossover
from breakeven.decision.curves import HIGHEST_REQUESTS_PER_DAY
from breakeven.decision.rank import Contender
from breakeven.options.success import UNKNOWN_SUCCESS
from breakeven.options.terms import COMMITTED_YEARS
from breakeven.planner import Plan
from breakeven.planner.mixed import MixedFleet
from breakeven.planner.verdict import Verdict
from breakeven.report.changed import changed_sentences
from breakeven.report.right_answers import percent, thousand_words
from breakeven.report.words import count, seconds, small_share, usd, usd_range
from breakeven.units import DAYS_PER_MONTH

SLOW_TPOT_S = 0.2
"""Five tokens a second: about the pace at which people read aloud."""
KINDS = {
    "hosted": "self-hosting",
    "api": "a paid API",
    "hybrid": "a base of one's own with a paid API for the overflow",
    "cascade": "a cheap model with a stronger one as fall-back",
}
ROUNDING = 1e-6
NARROW = 1.02
"""An interval whose ends are closer than this is told as one figure."""
EXAMPLE_WAGE_USD_PER_HOUR = 100
"""Only to put dollars of margin into hours; nobody's wage is assumed in any bill."""


def answer(plan: Plan) -> tuple[str, ...]:
    """The answer of a plan with a quality floor, in sentences; without one, why there is no single answer."""
    ranking = plan.ranking
    if not ranking.floor and plan.by_success:
        return (
            "No floor is set, and a cheap model that often fails does not beat a good one: below stands what is of "
            "known success by the cost of a right answer. Set quality.floor to get one answer.",
            *changed_sentences(plan.measured),
        )
    if not ranking.floor:
        return (
            "No quality floor is set, and a cheap weak model does not beat a good one: below stands the cheapest of "
            "each class of quality. Set at_least to a model or a score to get one answer.",
            *changed_sentences(plan.measured),
            *_mixed(plan),
        )
    return (
        _winner(plan),
        *changed_sentences(plan.measured),
        *_halves(plan),
        *_commitment(plan),
        *_slowness(plan),
        *_cheaper_but_unknown(plan),
        *map(break_even_sentence, plan.crossovers),
        *_mixed(plan),
        *people_margin(plan),
    )


def _mixed(plan: Plan) -> list[str]:
    """Fleets of several machine types, where they were asked for."""
    if plan.policy.mixed_machines and not plan.mixed:
        one = len(plan.workload.mix.shapes) == 1
        why = "all requests are of one kind (tokens.shapes)" if one else "no model that is hosted carries every kind"
        return [f"Mixed machine types: {why}."]
    return [_mixed_words(fleet) for fleet in plan.mixed]


def _mixed_words(fleet: MixedFleet) -> str:
    if len(fleet.pools) == 1:
        return f"Mixed machine types for {fleet.model}: {fleet.because}."
    pools = "; ".join(f"{pool.option} ({' and '.join(pool.requests)})" for pool in fleet.pools)
    return f"Mixed machine types for {fleet.model}: {usd(fleet.usd_per_day)} a day, {fleet.because}, with {pools}."


def _winner(plan: Plan) -> str:
    first = plan.ranking.winner
    if first is None:
        return (
            "Nothing that passes is known or predicted to keep the latency target: self-hosting misses it, and the "
            "latency of paid APIs is not known here. Measure one and state it under api_latency."
        )
    verdict = plan.verdict(first)
    least = " at least" if verdict.bill.unpriced else ""
    what = KINDS[first.kind]
    among = "Of what is known or predicted to keep the target, " if plan.workload.slo.named else ""
    sentence = f"{among}{what} is cheapest{_measure(plan)} with {plan.floor_words}: "
    return (
        f"{sentence[0].upper()}{sentence[1:]}{verdict.option.id} costs{least} {usd(first.usd_per_day)} a day, "
        f"{usd(first.usd_per_day * DAYS_PER_MONTH)} a month{_band(verdict)}{_right(verdict)}."
    )


def _measure(plan: Plan) -> str:
    return " for a right answer" if plan.by_success else ""


def _right(verdict: Verdict) -> str:
    """What a winner's right answers cost."""
    if verdict.success is None:
        return ""
    thousand = thousand_words(verdict)
    return f"; {percent(verdict.success.success)} of its answers are right, which makes {thousand} for 1,000 of them"


def _band(verdict: Verdict) -> str:
    low, high = verdict.usd_per_day_low, verdict.usd_per_day_high
    return "" if low is None or high is None else f" (80 % band: {usd_range(low, high)} a day)"


def _halves(plan: Plan) -> list[str]:
    """What a winning hybrid is made of, what either half alone would cost, and over which traffic it stays ahead."""
    first, winner = plan.ranking.winner, plan.winner
    if first is None or winner is None or winner.hybrid is None:
        return []
    both, fleet = winner.hybrid, winner.capacity.replicas_by_hour
    replicas = f"{min(fleet)}" if min(fleet) == max(fleet) else f"{min(fleet)} to {max(fleet)}"
    ahead = ahead_words(plan.hybrid_range(first))
    return [
        f"Its base is {replicas} replica{'' if replicas == '1' else 's'}; {small_share(both.overflow_share)} of the "
        f"requests overflow to {both.overflow_to}. That API alone would cost {usd(both.usd_per_day_api_alone)} a day, "
        f"the cheapest hosting of the model alone {usd(both.usd_per_day_hosted_alone)}.",
        *([f"The hybrid beats both its halves {ahead}."] if ahead else []),
    ]


def ahead_words(between: tuple[float, float] | None) -> str:
    """Over which traffic a hybrid is cheaper than both its halves, in words; nothing where it is nowhere.

    >>> ahead_words((1e4, 1e6)), ahead_words((1e4, 1e8)), ahead_words(None)
    ('from about 10,000 to 1 million requests a day', 'from about 10,000 requests a day on', '')
    """
    if between is None:
        return ""
    low, high = between
    if high < low * NARROW:
        return f"only around {count(low)} requests a day"
    if high >= HIGHEST_REQUESTS_PER_DAY * (1 - ROUNDING):
        return f"from about {count(low)} requests a day on"
    return f"from about {count(low)} to {count(high)} requests a day"


def _commitment(plan: Plan) -> list[str]:
    """What it costs without the commitment that the winner asks for."""
    winner = plan.winner
    years = COMMITTED_YEARS.get(winner.option.term or "") if winner else None
    if winner is None or years is None or not winner.capacity.committed_machines:
        return []
    machines, peak = winner.capacity.committed_machines, winner.capacity.peak_machines or 0
    of_all = f"{machines} of its {peak}" if machines < peak else f"{machines}"
    free = plan.cheapest_hosted("on-demand")
    instead = f"; on demand the cheapest self-hosting is {free[0]} at {usd(free[1])} a day" if free else ""
    term = {1: "one year", 3: "three years"}[years]
    return [f"That takes a commitment to {of_all} machine{'s' if peak > 1 else ''} for {term}{instead}."]


def _slowness(plan: Plan) -> list[str]:
    """Without a target a slow machine may win; that is said."""
    winner = plan.winner
    tpot = winner.performance.tpot_s if winner else None
    if tpot is None or plan.workload.slo.named or tpot.mid < SLOW_TPOT_S:
        return []
    return [f"It is slow, {seconds(tpot.mid)} a token when it is full; a latency target rules such answers out."]


def _unknown(plan: Plan) -> list[Contender]:
    """Contenders of which it is not known whether they keep the target."""
    return [c for c in plan.ranking.contenders if c.meets_slo is None and c.group != UNKNOWN_SUCCESS]


def _cheaper_but_unknown(plan: Plan) -> list[str]:
    first, unknown = plan.ranking.winner, _unknown(plan)
    if not unknown:
        return []
    cheapest = min(unknown, key=lambda c: c.compared_usd_per_day)
    if first is not None and cheapest.compared_usd_per_day >= first.compared_usd_per_day:
        return []
    costs, whose = ("comes to", "the latency of its API") if cheapest.kind == "hybrid" else ("lists at", "its latency")
    return [
        f"{plan.option_id(cheapest)} {costs} {usd(cheapest.usd_per_day)} a day, but {whose} is not known here: "
        "measure it and state it under api_latency before you choose it."
    ]


def break_even_sentence(crossover: Crossover) -> str:
    """One sentence about one pair."""
    pair = f"{crossover.left} against {crossover.right}"
    if crossover.requests_per_day is None:
        return f"{pair}: no break-even; {crossover.because}."
    return f"{pair}: break-even at {count(crossover.requests_per_day)} requests a day; {crossover.because}."


def people_margin(plan: Plan) -> list[str]:
    """How many hours of work a month would eat up what hosting saves, if the spec names no people."""
    first = plan.ranking.winner
    apis = [c for c in plan.ranking.contenders if c.kind == "api" and c.group != UNKNOWN_SUCCESS]
    if first is None or first.kind in ("api", "cascade") or plan.policy.people is not None or not apis:
        return []
    cheapest = min(apis, key=lambda c: (c.meets_slo is None, c.compared_usd_per_day))
    success = 1.0 if isnan(first.success) else first.success
    saved = (cheapest.compared_usd_per_day - first.compared_usd_per_day) * success * DAYS_PER_MONTH
    if saved <= 0:
        return []
    hours = saved / EXAMPLE_WAGE_USD_PER_HOUR
    what = "hosting" if first.kind == "hosted" else "the hybrid"
    return [
        f"People are not counted; against {plan.option_id(cheapest)} {what} stops winning above {usd(saved)} a month "
        f"of work ({hours:,.0f} hour{'' if round(hours) == 1 else 's'} at {EXAMPLE_WAGE_USD_PER_HOUR} USD)."
    ]
