import math
from decimal import Decimal

import pytest

from breakeven.errors import SpecError
from breakeven.workload.policy import ApiLatency, FixedCost, LambdaConfig, People, Policy, Stated
from breakeven.workload.profile import Slo


@pytest.mark.parametrize("replicas", [0, -1])
def test_at_least_one_replica_stands(replicas):
    with pytest.raises(SpecError, match=rf"hosting\.min_replicas is {replicas}\. Expected: more than 0"):
        Policy(min_replicas=replicas)


@pytest.mark.parametrize("share", [-0.1, 1.0, 20, math.nan, math.inf])
@pytest.mark.parametrize(("provider", "told"), [("*", "all APIs"), ("openai", "openai")])
def test_a_discount_is_a_share_below_one(provider, told, share):
    with pytest.raises(SpecError, match=rf"prices\.api_discount is {share} for {told}\. .* Write 0\.1 for 10 %\.$"):
        Policy(api_discount={provider: share})


def test_a_discount_of_nothing_is_allowed():
    assert Policy(api_discount={"*": 0.0, "openai": 0.999}).api_discount["*"] == 0


@pytest.mark.parametrize("floor", [math.nan, math.inf, -math.inf])
def test_a_quality_floor_is_a_model_or_a_number(floor):
    with pytest.raises(SpecError, match=r"at_least is .*\. Expected: a model or a score\."):
        Policy(at_least=floor)


def test_a_score_that_is_no_number_is_refused_by_its_model():
    with pytest.raises(SpecError, match=r"scores\.gpt-4\.1 is nan"):
        Policy(scores={"flan-ul2": 55.0, "gpt-4.1": math.nan})


@pytest.mark.parametrize("memory", [0, 127, 10241])
def test_a_function_has_memory_that_can_be_bought(memory):
    with pytest.raises(SpecError, match=rf"lambda\.memory_mb is {memory}\. Expected: 128 to 10240 MB\."):
        LambdaConfig(memory_mb=memory)


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ({"response_s": 0}, "response_s is 0"),
        ({"response_s": math.nan}, "response_s is nan"),
        ({"response_s": math.inf}, "response_s is inf"),
        ({"response_s": 5, "concurrency": 0}, "concurrency is 0"),
    ],
)
def test_a_stated_response_takes_time_and_serves_somebody(stated, told):
    with pytest.raises(SpecError, match=rf"hosting\.{told}\. Expected: more than 0"):
        Stated(**stated)


@pytest.mark.parametrize("odd", [Decimal(-1), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity")])
def test_what_people_and_fixed_things_cost_is_a_number_of_0_or_more(odd):
    with pytest.raises(SpecError, match=r"people\.hours_per_month is "):
        People(hours_per_month=odd, usd_per_hour=Decimal(90))
    with pytest.raises(SpecError, match=r"people\.usd_per_hour is "):
        People(hours_per_month=Decimal(20), usd_per_hour=odd)
    with pytest.raises(SpecError, match=r"fixed_costs\.usd_per_month is "):
        FixedCost(name="licence", usd_per_month=odd)


@pytest.mark.parametrize("measured", [{"ttft_s": 0}, {"tpot_s": -1}, {"ttft_s": math.nan}])
def test_a_measured_latency_is_a_time(measured):
    (name,) = measured
    with pytest.raises(SpecError, match=rf"api_latency\.{name} is "):
        ApiLatency(**measured)


@pytest.mark.parametrize(
    ("measured", "target", "kept"),
    [
        ({"ttft_s": 0.5}, {"ttft_s": 1.0}, True),
        ({"ttft_s": 1.0}, {"ttft_s": 1.0}, True),
        ({"ttft_s": 1.1}, {"ttft_s": 1.0}, False),
        ({"ttft_s": 0.5}, {"ttft_s": 1.0, "tpot_s": 0.05}, None),  # half is not known, so the whole is not
        ({"tpot_s": 0.06}, {"ttft_s": 1.0, "tpot_s": 0.05}, False),  # one miss is enough
        ({}, {"ttft_s": 1.0}, None),
        ({}, {}, True),  # nothing was asked
    ],
)
def test_an_unmeasured_latency_is_never_a_pass(measured, target, kept):
    assert ApiLatency(**measured).keeps(Slo(**target)) is kept
