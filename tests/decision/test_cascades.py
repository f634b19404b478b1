"""A cheap model first, a stronger one behind it. The small catalogue: acme/big is llama-70b, acme/small llama-8b."""

from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven import Workload
from breakeven.cost.extras import CHECKS
from breakeven.decision.rank import OVERALL
from breakeven.workload.policy import ApiLatency, FixedCost, People
from breakeven.workload.profile import Slo
from breakeven.workload.success import Answers, Checker, SuccessRate

WORK = Workload.of(requests_per_day=100_000, input_tokens=500, output_tokens=100)


def rates(**by_model):
    return {name.replace("_", "-"): SuccessRate(rate=rate) for name, rate in by_model.items()}


TWO = Answers(success=rates(llama_8b=0.7, llama_70b=0.95), cascade=True)


def cascades(answer):
    return {answer.option_id(c): answer.verdict(c) for c in answer.ranking.contenders if c.kind == "cascade"}


def test_its_bill_is_that_of_all_requests_first_and_of_the_failures_behind(plan_small):
    """Small carries everything, 36 USD; big the 30 % that fail, 0.3 x 90; 0.7 + 0.3 x 0.95 end right."""
    (found,) = cascades(plan_small(WORK, kinds=("api",), quality=TWO)).values()
    assert found.option.id == "cascade:api:acme/small+api:acme/big"
    assert {line.name: float(line.usd) for line in found.bill.lines} == pytest.approx(
        {"first: input tokens": 20, "first: output tokens": 16, "fall-back: input tokens": 15,
         "fall-back: output tokens": 12}
    )  # fmt: skip
    assert found.success.success == pytest.approx(0.985)
    assert found.cascade.escalated == pytest.approx(0.3)
    assert float(found.success.usd_per_right_answer) == pytest.approx(63 / 98_500, rel=1e-4)
    assert "30.0% of the requests go on to llama-70b" in found.because
    assert "no answer can be shown before it is checked" in found.because


def test_checks_are_a_line_of_their_own(plan_small):
    checked = msgspec.structs.replace(TWO, checker=Checker(usd_per_answer=0.00001))
    (found,) = cascades(plan_small(WORK, kinds=("api",), quality=checked)).values()
    (checks,) = [line for line in found.bill.lines if line.name == CHECKS]
    assert (float(checks.quantity), float(checks.usd)) == (pytest.approx(100_000), pytest.approx(1.0))


def test_a_cascade_that_a_single_model_beats_on_both_counts_is_no_option(plan_small):
    """A first model that nearly always fails costs its own bill for nothing."""
    useless = msgspec.structs.replace(TWO, success=rates(llama_8b=0.01, llama_70b=1.0))
    assert cascades(plan_small(WORK, kinds=("api",), quality=useless)) == {}


def test_a_model_below_the_floor_may_be_the_first_half_of_a_cascade_above_it(plan_small):
    floored = msgspec.structs.replace(TWO, floor=0.98)
    answer = plan_small(WORK, kinds=("api",), quality=floored)
    assert [c.kind for c in answer.ranking.of(OVERALL)] == ["cascade"]
    assert answer.winner.option.kind == "cascade"
    assert answer.explain("1") == answer.winner
    assert answer.explain("acme/small+api:acme/big".join(["api:", ""])) == answer.winner


def test_a_cascade_may_be_all_that_passes_the_floor(plan_small):
    floored = msgspec.structs.replace(TWO, floor=0.98)
    answer = plan_small(WORK, kinds=("api",), models=("big", "small"), quality=floored)
    assert [c.kind for c in answer.ranking.contenders] == ["cascade"]
    assert answer.winner.option.kind == "cascade"


def test_a_fall_back_on_machines_is_sized_for_what_reaches_it(plan_small):
    much = WORK.scaled_to(3e7)
    answer = plan_small(much, by="machine", models=("llama-8b", "llama-70b"), kinds=("hosted",), quality=TWO)
    found = next(iter(cascades(answer).values()))
    one = answer.cascades[0]
    alone = answer.curves.hosted_at(np.array([one.fallback.number]), np.array([much.requests_per_day * 0.3]))[0]
    billed = sum(line.usd for line in found.bill.lines if line.name.startswith("fall-back: "))
    assert float(billed) == pytest.approx(alone, rel=1e-6)
    assert one.fallback_share == pytest.approx(0.3)


def test_what_two_halves_share_is_paid_once(plan_small):
    people = People(hours_per_month=Decimal(73), usd_per_hour=Decimal(100))
    audit = FixedCost(name="audit", usd_per_month=Decimal(730), applies_to="all")
    answer = plan_small(WORK, quality=TWO, people=people, fixed_costs=(audit,), by="machine")
    for contender in (c for c in answer.ranking.contenders if c.kind == "cascade"):
        found = answer.verdict(contender)
        assert float(found.bill.usd_per_day) == pytest.approx(contender.usd_per_day)
        names = [line.name.split(": ")[-1] for line in found.bill.lines]
        assert names.count("audit") == 1
        assert names.count("people, 73 hours a month") == int("host:" in found.option.id)


def test_a_cascade_keeps_a_target_only_if_both_halves_are_known_to(plan_small):
    prompt = msgspec.structs.replace(WORK, slo=Slo(ttft_s=2.0))
    kept = {name: ApiLatency(ttft_s=1.0) for name in ("acme/small", "acme/big")}
    (both,) = cascades(plan_small(prompt, kinds=("api",), quality=TWO, api_latency=kept)).values()
    assert both.meets_slo is True
    assert "the latency target is kept by each half for itself" in both.because
    one = {"acme/small": kept["acme/small"]}
    (half,) = cascades(plan_small(prompt, kinds=("api",), quality=TWO, api_latency=one)).values()
    assert half.meets_slo is None


@settings(max_examples=12)
@given(
    success=st.tuples(*[st.floats(0.05, 1)] * 3),
    retries=st.integers(0, 2),
    shared=st.none() | st.floats(0, 1),
    requests=st.floats(100, 1e7),
)
def test_nothing_in_the_ranking_beats_a_cascade_on_both_counts_and_its_bill_adds_up(
    plan_small, success, retries, shared, requests
):
    some = rates(**dict(zip(("llama_8b", "llama_70b", "owl"), success, strict=True)))
    answers = Answers(success=some, cascade=True, retries=retries, shared_failures=shared)
    answer = plan_small(WORK.scaled_to(requests), quality=answers)
    known = [c for c in answer.ranking.contenders if not np.isnan(c.success)]
    for contender in (c for c in known if c.kind == "cascade"):
        verdict, one = answer.verdict(contender), answer.cascades[contender.number]
        assert float(verdict.bill.usd_per_day) == pytest.approx(contender.usd_per_day, rel=1e-7, abs=1e-6)
        assert contender.success >= max(one.first.success, one.fallback.success) - 1e-12
        assert not [
            c for c in known
            if c is not contender and c.success >= contender.success
            and c.compared_usd_per_day < contender.compared_usd_per_day
        ]  # fmt: skip


def test_without_asking_for_it_there_is_no_cascade(plan_small):
    assert cascades(plan_small(WORK, quality=msgspec.structs.replace(TWO, cascade=False))) == {}
