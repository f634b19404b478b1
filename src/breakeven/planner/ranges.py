"""``ranges(plan, seed)``: bands, chances, regret, a tornado and the value of measuring, held beside the plan.

The scenarios touch only the contenders that matter, the cheapest of every class; their costs are read off a small table
that the plan's own sizing and charges fill.
"""

from dataclasses import replace

import numpy as np

from breakeven.decision.contest import Contest, Trends, chances, regrets
from breakeven.decision.crossing import Crossing, break_evens, crossing_volumes, ends_of
from breakeven.decision.rank import Contender
from breakeven.decision.scenarios import (
    SCENARIOS,
    Draws,
)
from breakeven.decision.tornado import swings
from breakeven.decision.waiting import waiting
from breakeven.decision.worth import worths
from breakeven.options.columns import Floats, Ints
from breakeven.options.quality import UNKNOWN_CLASS
from breakeven.options.success import UNKNOWN_SUCCESS
from breakeven.options.terms import COMMITTED_YEARS, ON_DEMAND
from breakeven.planner.drawing import (
    CROSSING_OPTIONS,
    KINDS,
    Drawing,
    contest_of,
    drawing_of,
    level_of,
    lines_of,
    paid_lines,
)
from breakeven.planner.range_words import assumptions_of, configuration, inputs_of, swing_range
from breakeven.planner.spine import Plan
from breakeven.planner.spread import ClassRange, Commitment, CrossoverRange, Measurement, OptionRange, Ranges
from breakeven.units import DAYS_PER_MONTH, HOURS_PER_DAY, HOURS_PER_YEAR

WITH_FLOOR, PER_CLASS = 24, 10
"""Contenders drawn of one class: if it is the only one, and of each of several."""
MOST_OF = {"hybrid": (2, 1), "cascade": (4, 2)}
"""And at most so many of these among them."""
ONE_YEAR = tuple(term for term, years in COMMITTED_YEARS.items() if years == 1)
"""The commitments of which it is told when to wait."""
DAYS_PER_YEAR = HOURS_PER_YEAR / HOURS_PER_DAY


def ranges(plan: Plan, seed: int = 0, scenarios: int = SCENARIOS) -> Ranges:
    """Draw the plan's contenders over the scenarios of its policy's ``uncertainty``.

    The same plan and seed give the same figures. Classes of unknown quality or success are not drawn: the cheapest of
    them is not known to do what the next one does.

    >>> from breakeven import Workload, load_catalogue, plan
    >>> from breakeven.workload.policy import Policy
    >>> work = Workload.of(requests_per_day=1e6, input_tokens=1500, output_tokens=400)
    >>> (found,) = ranges(plan(work, load_catalogue(), Policy(at_least=1400.0))).classes
    >>> round(sum(option.chance_cheapest for option in found.options), 9)
    1.0
    """
    groups = [group for group in plan.ranking.groups if group not in (UNKNOWN_CLASS, UNKNOWN_SUCCESS)]
    most = WITH_FLOOR if plan.ranking.floor else PER_CLASS
    members = {group: _members(plan, group, most) for group in groups}
    drawing = drawing_of(plan, [c for found in members.values() for c in found], seed, scenarios)
    classes = tuple(_class(drawing, group, found) for group, found in members.items() if found)
    return Ranges(
        seed=seed,
        scenarios=scenarios,
        horizon_months=plan.policy.uncertainty.horizon_months,
        as_of=plan.as_of,
        inputs=inputs_of(plan, [(group, drawing.trends(level_of(plan, group))) for group in groups]),
        assumptions=assumptions_of(plan, most),
        classes=classes,
    )


def _members(plan: Plan, group: str, most: int) -> list[Contender]:
    """The contenders drawn: the cheapest known to keep the target (all, if that is known of none), APIs first."""
    several = not plan.ranking.floor
    beyond = [
        c
        for kind, most_of in MOST_OF.items()
        for c in [c for c in plan.ranking.of(group) if c.kind == kind][most_of[several] :]
    ]
    ranked = [c for c in plan.ranking.of(group) if c not in beyond and np.isfinite(c.compared_usd_per_day)]
    known = [c for c in ranked if c.meets_slo] or ranked
    kept = known[:most]
    for kind in ("api", "hosted"):
        kept += [c for c in known if c.kind == kind and c not in kept][: 0 if any(c.kind == kind for c in kept) else 1]
    best = next((c for c in kept if c.kind == "hosted"), None)
    twin = None if best is None else _twin(plan, best)
    if twin is not None and all((c.kind, c.number) != (twin.kind, twin.number) for c in kept):
        kept.append(twin)
    return sorted(kept, key=lambda c: KINDS.index(c.kind))


def _twin(plan: Plan, contender: Contender) -> Contender | None:
    """The same machines on demand where they were committed to for a year, and the other way round."""
    of = plan.hosted.options
    mine = of.offers[of.offer[contender.number]]
    others = (ON_DEMAND,) if mine.term in ONE_YEAR else ONE_YEAR if mine.term == ON_DEMAND else ()
    for number in np.flatnonzero(of.pair == of.pair[contender.number]).tolist():
        offer = of.offers[of.offer[number]]
        if (offer.machine, offer.path.name) == (mine.machine, mine.path.name) and offer.term in others:
            usd = float(plan.hosted.usd_per_day[number])
            return replace(contender, number=number, usd_per_day=usd)
    return None


def _class(drawing: Drawing, group: str, members: list[Contender]) -> ClassRange:
    plan = drawing.plan
    contest, draws = contest_of(drawing, group, members)
    usd = contest.usd_per_day(draws)
    compared = contest.compared(usd)
    ids = [plan.option_id(c) for c in contest.contenders]
    ranked = sorted(
        range(len(members)), key=lambda n: (contest.contenders[n].rank, contest.contenders[n].compared_usd_per_day)
    )
    chosen, lost = ranked[0], regrets(compared)
    margin, moved = swings(contest, chosen, plan.policy.uncertainty)
    options = _options(contest, ids, usd, (chances(compared), lost))
    return ClassRange(
        group=group,
        chosen=ids[chosen],
        margin_usd_per_day=_finite(margin),
        regret_usd_per_day=_finite(float(lost[chosen])),
        cheapest_on_average=ids[int(compared.mean(axis=1).argmin())],
        options=tuple(options[n] for n in ranked),
        left_out=len(plan.ranking.of(group)) - sum(1 for c in plan.ranking.of(group) if c in members),
        crossover=_crossover(drawing, group, contest.trends),
        tornado=tuple(swing_range(plan, contest, swing, chosen, ids) for swing in moved),
        measurements=_measurements(plan, contest, draws, ids),
        commitment=_commitment(plan, contest, draws, ids, chosen),
    )


def _options(contest: Contest, ids: list[str], usd: Floats, against: tuple[Floats, Floats]) -> list[OptionRange]:
    """``against``: the chance that each is the cheapest, and its regret."""
    found, (share, lost) = [], against
    for n, contender in enumerate(contest.contenders):
        low, mid, high = ends_of(usd[n])
        told = contest.banded(n)
        found.append(
            OptionRange(
                option=ids[n],
                usd_per_day_today=contender.usd_per_day,
                usd_per_day_low=_finite(low) if told else None,
                usd_per_day_mid=_finite(mid) if told else None,
                usd_per_day_high=_finite(high) if told else None,
                usd_per_day_mean=_finite(float(usd[n].mean())) if told else None,
                chance_cheapest=float(share[n]),
                regret_usd_per_day=_finite(float(lost[n])),
                speed_band_known=told,
            )
        )
    return found


def _crossover(drawing: Drawing, group: str, trends: Trends) -> CrossoverRange | None:
    plan = drawing.plan
    lines = next((envelope for envelope in plan.envelopes if envelope.group == group), None)
    paid = None if lines is None or lines.paid is None else lines.paid.contender
    if lines is None or paid is None or not len(lines.hosted) or not np.isfinite(paid.compared_usd_per_day):
        return None
    options = lines.hosted[:CROSSING_OPTIONS]
    errors = drawing.errors.take(drawing.place(options))
    if not errors.known.all():
        return None
    right = _right_shares(plan, paid, options)
    crossing = Crossing(
        api=paid_lines(plan, paid),
        hosted=lines_of(drawing, options, trends, crossing_volumes()),
        errors=errors,
        trends=trends,
        requests_per_day=plan.workload.requests_per_day,
        horizon_months=plan.policy.uncertainty.horizon_months,
        api_success=right[0],
        hosted_success=right[1],
    )
    draws = replace(drawing.draws, speed=errors.drawn(len(drawing.draws.rent), drawing.seed))
    found = break_evens(crossing, draws)
    low, mid, high = ends_of(found)
    return CrossoverRange(
        left=plan.option_id(paid),
        requests_per_day_low=_finite(low),
        requests_per_day_mid=_finite(mid),
        requests_per_day_high=_finite(high),
        chance_never=float(np.isinf(found).mean()),
    )


def _right_shares(plan: Plan, paid: Contender, options: Ints) -> tuple[float, Floats]:
    """The shares of right answers of both sides of a break-even; 1 where they are not compared by them."""
    found = plan.curves.successes
    if found is None:
        return 1.0, np.ones(len(options))
    rows = plan.hosted.options.row[options]
    return paid.success, found.hosted.success[rows]


def _measurements(plan: Plan, contest: Contest, draws: Draws, ids: list[str]) -> tuple[Measurement, ...]:
    days = plan.policy.uncertainty.horizon_months * DAYS_PER_MONTH
    return tuple(
        Measurement(
            configuration=configuration(plan, contest.contenders[worth.contender]),
            option=ids[worth.contender],
            usd_per_day=worth.usd_per_day,
            usd_over_horizon=worth.usd_per_day * days,
            informs=worth.informs,
        )
        for worth in worths(contest, draws)
    )


def _commitment(plan: Plan, contest: Contest, draws: Draws, ids: list[str], chosen: int) -> Commitment | None:
    """Of the option chosen, where it can be had reserved and on demand."""
    of = plan.hosted.options

    def kept(n: int) -> tuple[int, str, str]:
        number = contest.contenders[n].number
        offer = of.offers[of.offer[number]]
        return int(of.pair[number]), offer.machine, offer.path.name

    hosted = range(len(contest.contenders))
    kind = contest.contenders[chosen].kind
    same = [n for n in hosted if contest.contenders[n].kind == kind == "hosted" and kept(n) == kept(chosen)]
    terms = {of.offers[of.offer[contest.contenders[n].number]].term: n for n in same}
    committed = next((terms[term] for term in ONE_YEAR if term in terms), None)
    if committed is None or ON_DEMAND not in terms:
        return None
    wait = waiting(contest, committed, terms[ON_DEMAND], draws)
    year = DAYS_PER_YEAR
    if not np.isfinite([wait.now_usd_per_day, wait.later_usd_per_day]).all():
        return None
    return Commitment(
        reserved=ids[wait.reserved],
        on_demand=ids[wait.free],
        now_usd_per_year=wait.now_usd_per_day * year,
        later_usd_per_year=wait.later_usd_per_day * year,
        wait_months=wait.months,
        never_usd_per_year=wait.never_usd_per_day * year,
        chance_waiting_pays=wait.chance_waiting_pays,
    )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
