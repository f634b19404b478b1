"""Ranking by the cost of a right answer. The small catalogue: acme/big is llama-70b, acme/small is llama-8b."""

from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven import Workload
from breakeven.decision.rank import OVERALL
from breakeven.errors import NoDataError, SpecError, UnknownNameError
from breakeven.options.success import KNOWN_SUCCESS, UNKNOWN_SUCCESS
from breakeven.workload.success import Answers, Checker, SuccessRate, counted

WORK = Workload.of(requests_per_day=100_000, input_tokens=500, output_tokens=100)
SHARE = st.floats(0.05, 1)


def rates(**by_model):
    return {name.replace("_", "-"): SuccessRate(rate=rate) for name, rate in by_model.items()}


def figures(answer):
    """What each option costs, by id; groups and ranks apart."""
    return {answer.option_id(c): (c.usd_per_day, answer.verdict(c).bill) for c in answer.ranking.contenders}


def test_success_1_and_no_retries_gives_exactly_the_figures_without_any(plan_small, small_catalogue):
    names = {o.model for o in small_catalogue.tables.api_offers} | set(small_catalogue.models)
    sure = Answers(success={name: SuccessRate(rate=1.0) for name in names})
    plain = plan_small(WORK, by="option")
    certain = plan_small(WORK, by="option", quality=sure)
    assert figures(certain) == figures(plain)
    assert certain.competing == plain.competing
    curve = plain.curves.hosted_usd_per_day(np.arange(5), np.geomspace(1e2, 1e8, 7))
    assert np.array_equal(
        certain.curves.per_success().hosted_usd_per_day(np.arange(5), np.geomspace(1e2, 1e8, 7)), curve
    )


def test_the_ranking_is_by_the_cost_of_a_right_answer(plan_small):
    """Big costs 100,000 x (500 x 1 + 100 x 4) / 1e6 = 90 USD a day, small 36; 0.9 of one and 0.3 of the other."""
    answer = plan_small(WORK, quality=Answers(success=rates(llama_70b=0.9, llama_8b=0.3)), kinds=("api",))
    known = [(answer.option_id(c), c.usd_per_day) for c in answer.ranking.of(KNOWN_SUCCESS)]
    assert known == [("api:acme/big", pytest.approx(90)), ("api:acme/small", pytest.approx(36))]
    first, second = (answer.verdict(c).success for c in answer.ranking.of(KNOWN_SUCCESS))
    assert first.usd_per_right_answer == Decimal("0.00100000")
    assert second.usd_per_right_answer == Decimal("0.00120000")


def test_what_has_no_known_success_stands_last_and_apart_and_has_no_break_even(plan_small):
    answer = plan_small(WORK, quality=Answers(success=rates(llama_70b=0.9)))
    assert answer.ranking.groups == (KNOWN_SUCCESS, UNKNOWN_SUCCESS)
    apart = answer.ranking.of(UNKNOWN_SUCCESS)
    assert {"owl", "llama-8b"} <= {answer.model_of(c) for c in apart}
    assert all(answer.verdict(c).success is None for c in apart)
    assert [e.group for e in answer.envelopes] == [KNOWN_SUCCESS]
    assert answer.winner is None


def test_a_narrow_format_of_a_model_of_known_success_is_of_unknown_success_until_it_is_given(plan_small):
    only = {"models": ("llama-8b",), "kinds": ("hosted",), "formats": ("int4",)}
    answer = plan_small(WORK, quality=Answers(success=rates(llama_8b=0.9)), **only)
    assert answer.ranking.groups == (UNKNOWN_SUCCESS,)
    given_it = Answers(success={"llama-8b:int4": SuccessRate(rate=0.8), "llama-8b": SuccessRate(rate=0.9)})
    answer = plan_small(WORK, quality=given_it, **only)
    assert [c.success for c in answer.ranking.of(KNOWN_SUCCESS)] == [0.8]


def test_a_rate_of_an_offer_comes_before_that_of_its_model(plan_small):
    two = {"acme/big": SuccessRate(rate=0.7), "llama-70b": SuccessRate(rate=0.9)}
    answer = plan_small(WORK, quality=Answers(success=two), models=("llama-70b",))
    assert {answer.option_id(c): c.success for c in answer.ranking.contenders if c.kind == "api"} == {
        "api:acme/big": 0.7
    }
    assert {c.success for c in answer.ranking.of(KNOWN_SUCCESS) if c.kind == "hosted"} == {0.9}


def test_a_floor_rules_out_with_its_reason_and_makes_a_winner(plan_small):
    answer = plan_small(WORK, quality=Answers(success=rates(llama_70b=0.9, llama_8b=0.3), floor=0.8))
    assert {answer.model_of(c) for c in answer.ranking.of(OVERALL)} == {"llama-70b"}
    assert answer.winner.option.model == "llama-70b"
    reason = next(r for r in answer.rejected if "success floor" in r.because)
    assert reason.because == "below the success floor (at least 80 % of the answers right)"
    assert "api:acme/small: 0.3" in reason.examples
    assert answer.options_considered == answer.competing + sum(r.count for r in answer.rejected)
    with pytest.raises(NoDataError, match="below the success floor"):
        plan_small(WORK, models=("llama-8b",), formats=("bf16",), quality=answer.policy.quality)
    assert answer.explain("llama-8b").success is None  # as int4, of which nobody knows


def test_retries_can_lift_a_model_over_the_floor_and_are_billed(plan_small):
    once = Answers(success=rates(llama_8b=0.8), floor=0.9)
    only = {"models": ("llama-8b",), "kinds": ("api",)}
    with pytest.raises(NoDataError, match="below the success floor"):
        plan_small(WORK, quality=once, **only)
    twice = plan_small(WORK, quality=msgspec.structs.replace(once, retries=1), **only).winner
    assert twice.success.success == pytest.approx(0.96)
    assert twice.success.attempts == pytest.approx(1.2)
    assert float(twice.bill.usd_per_day) == pytest.approx(36 * 1.2)
    assert float(twice.success.usd_per_right_answer) == pytest.approx(36 * 1.2 / 96_000)


def test_machines_are_sized_for_all_attempts(plan_small):
    only = {"models": ("llama-8b",), "kinds": ("hosted",), "formats": ("bf16",)}
    much = WORK.scaled_to(3e6)
    tried = plan_small(much, quality=Answers(success=rates(llama_8b=0.5), retries=3), **only).ranking.contenders[0]
    as_many = plan_small(much.scaled_to(3e6 * 1.875), **only).ranking.contenders[0]
    assert tried.usd_per_day == pytest.approx(as_many.usd_per_day)


@settings(max_examples=15)
@given(weak=SHARE, strong=SHARE, retries=st.integers(0, 3), requests=st.floats(10, 1e7))
def test_a_higher_success_rate_is_never_dearer_for_a_right_answer(plan_small, weak, strong, retries, requests):
    weak, strong = sorted((weak, strong))
    costs = []
    for rate in (weak, strong):
        answers = Answers(success=rates(llama_8b=rate), retries=retries)
        answer = plan_small(WORK.scaled_to(requests), by="option", models=("llama-8b",), quality=answers)
        known = answer.ranking.of(KNOWN_SUCCESS)
        costs.append({answer.option_id(c): c.compared_usd_per_day for c in known})
    for option in costs[0].keys() & costs[1].keys():
        assert costs[1][option] <= costs[0][option] * (1 + 1e-9)
    assert costs[0].keys() <= costs[1].keys()


@settings(max_examples=8)
@given(rate=SHARE, retries=st.integers(0, 3), checks=st.none() | st.floats(0, 0.01), found=st.floats(0.5, 1))
def test_bills_add_up_to_what_the_ranking_used(plan_small, rate, retries, checks, found):
    checker = Checker(sensitivity=found, specificity=0.9, usd_per_answer=checks)
    some = rates(llama_8b=rate, llama_70b=min(1.0, rate + 0.1), owl=0.9)
    answers = Answers(success=some, retries=retries, checker=checker, cascade=True)
    answer = plan_small(WORK, by="machine", quality=answers, formats=("bf16",))
    for contender in answer.ranking.of(KNOWN_SUCCESS):
        verdict = answer.verdict(contender)
        assert float(verdict.bill.usd_per_day) == pytest.approx(contender.usd_per_day, rel=1e-7, abs=1e-6)
        right = float(verdict.success.usd_per_right_answer) * WORK.requests_per_day * contender.success
        assert right == pytest.approx(contender.usd_per_day, rel=1e-3)


def test_an_interval_of_the_rate_is_one_of_the_cost_and_holds_it(plan_small):
    answers = Answers(success={"llama-8b": counted(0.8, 100)}, retries=1, checker=Checker(usd_per_answer=0.0001))
    for contender in plan_small(WORK, models=("llama-8b",), quality=answers).ranking.of(KNOWN_SUCCESS):
        found = plan_small(WORK, models=("llama-8b",), quality=answers).verdict(contender).success
        assert found.first_attempt_low < 0.8 < found.first_attempt_high
        assert found.success_low < found.success < found.success_high
        assert found.usd_per_right_answer_low <= found.usd_per_right_answer <= found.usd_per_right_answer_high
    assert found.answers == 100


def test_the_cost_at_the_end_of_the_interval_is_that_of_a_plan_with_that_rate(plan_small):
    rate = counted(0.8, 100)
    rules = {"retries": 2, "checker": Checker(sensitivity=0.9, usd_per_answer=0.0001)}
    for kind in ("api", "hosted"):
        only = {"models": ("llama-8b",), "kinds": (kind,), "formats": ("bf16",)}
        here = plan_small(WORK, quality=Answers(success={"llama-8b": rate}, **rules), **only)
        there = plan_small(WORK, quality=Answers(success={"llama-8b": SuccessRate(rate=rate.low)}, **rules), **only)
        found, at_low = (answer.verdict(answer.ranking.contenders[0]).success for answer in (here, there))
        assert float(found.usd_per_right_answer_high) == pytest.approx(float(at_low.usd_per_right_answer), rel=1e-4)


def test_the_break_even_is_where_right_answers_cost_the_same(plan_small):
    """An API that is right half as often breaks even as one of twice its price would."""
    only = {"models": ("llama-70b",)}
    half = {"acme/big": SuccessRate(rate=0.5), "llama-70b": SuccessRate(rate=1.0)}
    answer = plan_small(WORK, quality=Answers(success=half), **only)
    plain = plan_small(WORK, at_least=1250, **only)
    assert answer.crossovers[0].requests_per_day < plain.crossovers[0].requests_per_day
    at, lines = np.array([answer.crossovers[0].requests_per_day]), answer.envelopes[0]
    hosted, api = lines.hosted, lines.paid.contender.number
    compared, plainly = answer.curves.per_success(), answer.curves
    assert compared.hosted_usd_per_day(hosted, at).min() == pytest.approx(plainly.hosted_usd_per_day(hosted, at).min())
    assert compared.api_usd_per_day(api, at)[0] == pytest.approx(2 * plainly.api_usd_per_day(api, at)[0])
    assert compared.hosted_usd_per_day(hosted, at).min() <= compared.api_usd_per_day(api, at)[0] * 1.002


def test_the_line_of_self_hosting_holds_the_cheapest_right_answer_at_every_volume(plan_small):
    """A weak model that is asked four times needs room for it, which the choice of what to draw must know."""
    answers = Answers(success=rates(llama_8b=0.22, mixtral_8x7b=0.9, llama_70b=0.95), retries=6)
    answer = plan_small(WORK, quality=answers, kinds=("hosted",))
    lines, compared = answer.envelopes[0], answer.curves.per_success()
    known = np.flatnonzero(answer.curves.successes.hosted.known[answer.hosted.options.row])
    some = slice(0, None, 16)
    least = compared.hosted_usd_per_day(known, lines.requests_per_day[some]).min(axis=0)
    assert lines.hosted_usd_per_day[some] == pytest.approx(least, rel=0.02)


def test_rules_without_any_rate_are_refused(plan_small):
    with pytest.raises(SpecError, match="gives no success rate"):
        plan_small(WORK, quality=Answers(floor=0.9))


def test_a_rate_of_a_model_that_nobody_knows_is_refused(plan_small):
    with pytest.raises(UnknownNameError, match="llama-8b"):
        plan_small(WORK, quality=Answers(success=rates(llama_8=0.9)))
