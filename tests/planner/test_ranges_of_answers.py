"""Ranges where answers may be wrong: cascades among the contenders, compared by what a right answer costs."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from breakeven import Policy, Workload, plan
from breakeven.decision.contest import Trends, regrets
from breakeven.decision.rank import OVERALL
from breakeven.decision.scenarios import middle
from breakeven.planner.drawing import contest_of, drawing_of, paid_lines
from breakeven.planner.ranges import _crossover, _members, ranges
from breakeven.workload.availability import Availability
from breakeven.workload.policy import FixedCost, Only
from breakeven.workload.success import Answers, Checker, SuccessRate
from breakeven.workload.uncertainty import Growth, Uncertainty

RATES = {"gpt-4o-mini": 0.78, "gpt-4o": 0.93, "llama3.1-8b": 0.7, "llama-3.3-70b": 0.9}
ANSWERS = Answers(
    success={name: SuccessRate(rate=rate) for name, rate in RATES.items()},
    floor=0.9,
    retries=1,
    cascade=True,
    checker=Checker(usd_per_answer=0.00002),
    shared_failures=0.3,
)
WORK = Workload.of(requests_per_day=200_000, input_tokens=1500, output_tokens=300)

LITTLE = WORK.scaled_to(5_000)


@pytest.fixture(scope="module")
def answered(shipped):
    """Retries, checks, a fixed cost of both kinds and outages on the bills, and cascades of APIs and of machines."""
    policy = Policy(
        quality=ANSWERS,
        only=Only(models=tuple(RATES), providers=("openai",)),
        availability=Availability(),
        fixed_costs=(FixedCost(name="gateway", usd_per_month=Decimal(300), applies_to="all"),),
    )
    return plan(WORK, shipped, policy, by="machine")


def _overall(answered, **how):
    return next(one for one in ranges(answered, **how).classes if one.group == OVERALL)


def drawn(answered):
    group = OVERALL
    members = _members(answered, group, 24)
    return contest_of(drawing_of(answered, members, 0, 64), group, members)


def test_today_and_with_every_input_at_its_middle_all_of_them_cost_what_their_bills_say(answered):
    contest, _ = drawn(answered)
    kinds = [c.kind for c in contest.contenders]
    assert {"api", "hosted", "cascade"} == set(kinds)
    halves = [answered.cascades[c.number] for c in contest.contenders if c.kind == "cascade"]
    assert {half.kind for one in halves for half in (one.first, one.fallback)} == {"api", "hosted"}
    usd = contest.usd_per_day(middle(contest.rows), np.zeros(1))[:, 0]
    assert usd == pytest.approx([c.usd_per_day for c in contest.contenders], rel=1e-6)


def test_the_option_chosen_is_the_first_of_the_ranking_also_where_that_is_a_cascade(answered):
    assert answered.winner.option.kind == "cascade"
    one = _overall(answered)
    assert one.chosen == answered.winner.option.id
    own = one.of(one.chosen)
    assert own.usd_per_day_low < own.usd_per_day_mid < own.usd_per_day_high
    assert sum(option.chance_cheapest for option in one.options) == pytest.approx(1)


def test_chance_and_regret_are_told_by_what_a_right_answer_costs(answered):
    contest, draws = drawn(answered)
    usd = contest.usd_per_day(draws)
    per_right = usd / np.array([[c.success] for c in contest.contenders])
    one = _overall(answered, scenarios=64)
    lost = dict(zip([answered.option_id(c) for c in contest.contenders], regrets(per_right), strict=True))
    for option in one.options:
        assert option.regret_usd_per_day == pytest.approx(lost[option.option])


def test_twice_the_traffic_costs_a_cascade_of_apis_twice_as_much_but_for_what_is_fixed(answered):
    contest, _ = drawn(answered)
    place = next(
        n
        for n, c in enumerate(contest.contenders)
        if c.kind == "cascade"
        and {answered.cascades[c.number].first.kind, answered.cascades[c.number].fallback.kind} == {"api"}
    )
    today = middle(contest.rows)
    year = np.array([1.0])
    grown = middle(contest.rows, growth_per_year=2.0)
    one, two = (contest.usd_per_day(draws, year)[place, 0] for draws in (today, grown))
    fixed = answered.curves.api_fixed_usd_per_day
    assert fixed > 0
    assert two - fixed == pytest.approx(2 * (one - fixed))


def test_without_anything_unknown_the_break_even_is_where_the_lines_of_right_answers_cross(shipped):
    nothing = Uncertainty(growth=Growth(low=1.0, mid=1.0, high=1.0), tokens_spread=1.0, price_scenarios=False)
    success = {"gpt-4o": SuccessRate(rate=0.95), "llama-3.3-70b": SuccessRate(rate=0.5)}
    only = Only(models=tuple(success), providers=("openai",))
    answered = plan(WORK, shipped, Policy(quality=Answers(success=success), only=only, uncertainty=nothing))
    widths = {name: np.zeros_like(width) for name, width in answered.speed.widths.items()}
    speed = replace(answered.speed, widths=widths)
    sure = replace(answered, speed=speed, curves=replace(answered.curves, speed=speed))
    (told,) = answered.crossovers
    (one,) = ranges(sure).classes
    assert one.crossover.requests_per_day_mid == pytest.approx(told.requests_per_day, rel=0.3)  # between 37 volumes
    bare = replace(sure.curves, successes=None)
    as_if_right = _crossover(drawing_of(sure, [], 0, 8), one.group, Trends(api=None, models=None, rents=None))
    assert as_if_right.requests_per_day_mid == one.crossover.requests_per_day_mid
    without = replace(sure, curves=bare)
    wrong = _crossover(drawing_of(without, [], 0, 8), one.group, Trends(api=None, models=None, rents=None))
    assert wrong.requests_per_day_mid < 0.8 * one.crossover.requests_per_day_mid  # every answer taken as right


@pytest.fixture(scope="module")
def cascade_paid(shipped):
    """A cascade of two APIs is the cheapest without machines of one's own."""
    success = {"gpt-4o-mini": SuccessRate(rate=0.78), "gpt-4o": SuccessRate(rate=0.93)}
    success["llama-3.3-70b"] = SuccessRate(rate=0.99)
    answers = Answers(success=success, floor=0.95, cascade=True, checker=Checker(usd_per_answer=0.00002))
    only = Only(models=tuple(success), providers=("openai",))
    return plan(LITTLE, shipped, Policy(quality=answers, only=only))


def test_the_line_of_what_is_paid_may_be_a_cascade_and_at_your_traffic_it_is_its_bill(cascade_paid):
    (lines,) = [envelope for envelope in cascade_paid.envelopes if envelope.group == OVERALL]
    assert lines.paid.contender.kind == "cascade"
    one = cascade_paid.cascades[lines.paid.contender.number]
    assert (one.first.kind, one.fallback.kind) == ("api", "api")
    here = lines.paid.usd_per_day(np.array([LITTLE.requests_per_day]))[0]
    assert here == pytest.approx(lines.paid.contender.compared_usd_per_day)


def test_its_break_even_is_where_both_cost_the_same_and_the_scenarios_draw_the_same_line(cascade_paid):
    (told,) = cascade_paid.crossovers
    assert told.left.startswith("cascade:api:openai/gpt-4o-mini+api:openai/gpt-4o")
    (lines,) = [envelope for envelope in cascade_paid.envelopes if envelope.group == OVERALL]
    at = np.array([told.requests_per_day])
    hosted = cascade_paid.curves.per_success().hosted_usd_per_day(lines.hosted, at).min()
    assert lines.paid.usd_per_day(at)[0] == pytest.approx(hosted, rel=0.01)
    drawn_line = paid_lines(cascade_paid, lines.paid.contender)
    usd = sum(
        float(getattr(drawn_line, name)[0])
        for name in ("input_usd_per_day", "output_usd_per_day", "beside_usd_per_day", "fixed_usd_per_day")
    )
    assert usd == pytest.approx(lines.paid.contender.usd_per_day)
    crossover = _overall(cascade_paid).crossover
    assert crossover.left == told.left


def test_a_model_that_is_never_right_is_not_drawn_and_changes_nothing_for_the_others(shipped):
    rates = {"gpt-4o-mini": SuccessRate(rate=0.0), "gpt-4o": SuccessRate(rate=0.9)}
    only = Only(models=tuple(rates), providers=("openai",), kinds=("api",))
    found = plan(WORK, shipped, Policy(quality=Answers(success=rates), only=only))
    (one,) = ranges(found).classes
    assert one.chosen == one.cheapest_on_average == found.option_id(found.ranking.contenders[0])
    assert all("mini" not in option.option for option in one.options)
