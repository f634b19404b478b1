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
from breakeven.wording import joined, worded

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
        return [worded("Mixed machine types: {why}.", why=why)]
    return [_mixed_words(fleet) for fleet in plan.mixed]


def _mixed_words(fleet: MixedFleet) -> str:
    if len(fleet.pools) == 1:
        return worded("Mixed machine types for {model}: {because}.", model=fleet.model, because=fleet.because)
    pools = joined(
        "; ",
        (worded("{option} ({requests})", option=p.option, requests=joined(" and ", p.requests)) for p in fleet.pools),
    )
    return worded(
        "Mixed machine types for {model}: {usd} a day{band}, {because}, with {pools}.",
        model=fleet.model,
        usd=usd(fleet.usd_per_day),
        band=_band(fleet),
        because=fleet.because,
        pools=pools,
    )


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


def _band(one: Verdict | MixedFleet) -> str:
    told = bill_band(one)
    return worded(" ({told})", told=told) if told else ""


def bill_band(one: Verdict | MixedFleet) -> str:
    """The band of a bill that the speed's band makes; nothing where none is known."""
    low, high = one.usd_per_day_low, one.usd_per_day_high
    return "" if low is None or high is None else worded("80 % band: {usd} a day", usd=usd_range(low, high))


def _halves(plan: Plan) -> list[str]:
    """What a winning hybrid is made of, what either half alone would cost, and over which traffic it stays ahead."""
    first, winner = plan.ranking.winner, plan.winner
    if first is None or winner is None or winner.hybrid is None:
        return []
    both, fleet = winner.hybrid, winner.capacity.replicas_by_hour
    replicas = (
        f"{min(fleet)}" if min(fleet) == max(fleet) else worded("{low} to {high}", low=min(fleet), high=max(fleet))
    )
    ahead = ahead_words(plan.hybrid_range(first))
    return [
        worded(
            ("Its base is {n} replica; " if replicas == "1" else "Its base is {n} replicas; ")
            + "{share} of the requests overflow to {api}. That API alone would cost {usd} a day, the "
            "cheapest hosting of the model alone {hosted}.",
            n=replicas,
            share=small_share(both.overflow_share),
            api=both.overflow_to,
            usd=usd(both.usd_per_day_api_alone),
            hosted=usd(both.usd_per_day_hosted_alone),
        ),
        *([worded("The hybrid beats both its halves {ahead}.", ahead=ahead)] if ahead else []),
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
        return worded("only around {low} requests a day", low=count(low))
    if high >= HIGHEST_REQUESTS_PER_DAY * (1 - ROUNDING):
        return worded("from about {low} requests a day on", low=count(low))
    return worded("from about {low} to {high} requests a day", low=count(low), high=count(high))


def _commitment(plan: Plan) -> list[str]:
    """What it costs without the commitment that the winner asks for."""
    winner = plan.winner
    years = COMMITTED_YEARS.get(winner.option.term or "") if winner else None
    if winner is None or years is None or not winner.capacity.committed_machines:
        return []
    machines, peak = winner.capacity.committed_machines, winner.capacity.peak_machines or 0
    of_all = worded("{n} of its {of}", n=machines, of=peak) if machines < peak else f"{machines}"
    free = plan.cheapest_hosted("on-demand")
    instead = (
        worded("; on demand the cheapest self-hosting is {option} at {usd} a day", option=free[0], usd=usd(free[1]))
        if free
        else ""
    )
    term = {1: "one year", 3: "three years"}[years]
    return [
        worded(
            "That takes a commitment to {n} machines for {term}{instead}."
            if peak > 1
            else "That takes a commitment to {n} machine for {term}{instead}.",
            n=of_all,
            term=term,
            instead=instead,
        )
    ]


def _slowness(plan: Plan) -> list[str]:
    """Without a target a slow machine may win; that is said."""
    winner = plan.winner
    tpot = winner.performance.tpot_s if winner else None
    if tpot is None or plan.workload.slo.named or tpot.mid < SLOW_TPOT_S:
        return []
    return [
        worded(
            "It is slow, {seconds} a token when it is full; a latency target rules such answers out.",
            seconds=seconds(tpot.mid),
        )
    ]


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
        worded(
            "{option} {costs} {usd} a day, but {whose} is not known here: measure it and state it "
            "under api_latency before you choose it.",
            option=plan.option_id(cheapest),
            costs=costs,
            usd=usd(cheapest.usd_per_day),
            whose=whose,
        )
    ]


def break_even_sentence(crossover: Crossover) -> str:
    """One sentence about one pair."""
    pair = worded("{left} against {right}", left=crossover.left, right=crossover.right)
    if crossover.requests_per_day is None:
        return worded("{pair}: no break-even; {because}.", pair=pair, because=crossover.because)
    return worded(
        "{pair}: break-even at {count} requests a day; {because}.",
        pair=pair,
        count=count(crossover.requests_per_day),
        because=crossover.because,
    )


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
        worded(
            "People are not counted; against {option} {what} stops winning above {saved} a month of "
            "work ({hours} at {wage} USD).",
            option=plan.option_id(cheapest),
            what=what,
            saved=usd(saved),
            hours=worded("{n:,.0f} hour" if round(hours) == 1 else "{n:,.0f} hours", n=hours),
            wage=EXAMPLE_WAGE_USD_PER_HOUR,
        )
    ]
