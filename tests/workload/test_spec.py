from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from breakeven.errors import SpecError, UnknownNameError
from breakeven.workload.availability import Availability
from breakeven.workload.fine_tuning import FineTuning
from breakeven.workload.policy import ApiLatency, ApiLimit, FixedCost, LambdaConfig, Only, People, Policy, Spot, Stated
from breakeven.workload.profile import Slo
from breakeven.workload.spec import Spec, read_specs
from breakeven.workload.success import Answers, Checker, SuccessRate
from breakeven.workload.uncertainty import Growth, Uncertainty
from breakeven.workload.usage import TokenUsage

PROFILES = {"office": [0.0] * 12 + [1.0] * 12, "week": [1.0] * 168}
TRAFFIC = {"requests_per_day": 2400}
TOKENS = {"input": 1500, "output": 400}


def spec(**sections: object) -> Spec:
    """A spec from plain values, as a file or flags give them."""
    return msgspec.convert({"traffic": TRAFFIC, "tokens": TOKENS} | sections, Spec)


def workload_of(path: Path) -> None:
    for one in read_specs(path):
        one.workload(PROFILES)


SLIPS = {
    "negative traffic": ("traffic:\n  requests_per_day: -5\n", "line 2, traffic.requests_per_day: this is -5"),
    "no traffic": ("traffic: {requests_per_day: 0}\n", "line 1, traffic.requests_per_day: this is 0"),
    "endless traffic": ("traffic: {requests_per_day: .inf}\n", "line 1, traffic.requests_per_day: this is inf"),
    "traffic twice": ("traffic:\n  requests_per_hour: [1]\n  profile: flat\n", "line 1, traffic: traffic gives"),
    "few hours": ("traffic: {requests_per_hour: [1, 2]}\n", "line 1, traffic: traffic has 2 hours"),
    "few weights": ("traffic: {requests_per_day: 5, profile: [1, 2]}\n", "line 1, traffic: traffic has 2 hours"),
    "no weights": ("traffic: {requests_per_day: 5, profile: []}\n", "the hourly weights are no traffic"),
    "negative tokens": ("tokens:\n  output: 5\n  input: -1\n", "line 3, tokens.input: this is -1"),
    "a negative shape": (
        "tokens:\n  shapes:\n  - {share: 1, input: 5, output: -1}\n",
        "line 3, tokens.shapes.0.output: ",
    ),
    "shares": (
        "tokens:\n  shapes:\n  - {share: 0.9, input: 5}\n",
        "line 1, tokens: the shares of the token shapes add",
    ),
    "shares of nothing": ("tokens: {shapes: []}\n", "line 1, tokens: the shares of the token shapes add up to 0"),
    "cache": (
        "tokens:\n  input: 5\n  output: 1\n  cached_input: 6\n",
        "line 4, tokens.cached_input: cached_input + cac",
    ),
    "reasoning": (
        "tokens:\n  input: 5\n  output: 1\n  reasoning: 2\n",
        "line 4, tokens.reasoning: this is 2 of 1 output",
    ),
    "words and tokens": ("tokens: {words_per_request: 5, input: 5}\n", "line 1, tokens: tokens gives words and tokens"),
    "shapes and means": (
        "tokens: {shapes: [{share: 1, input: 5}], output: 5}\n",
        "tokens gives something beside shapes",
    ),
    "shapes and a cache": ("tokens: {shapes: [{share: 1, input: 5}], cached_input: 5}\n", "something beside shapes"),
    "no words": ("tokens: {words_per_request: 0}\n", "line 1, tokens.words_per_request: this is 0"),
    "no share": ("tokens: {words_per_request: 5, output_share: 20}\n", "line 1, tokens.output_share: this is 20"),
    "a latency": ("latency:\n  ttft_s: 0\n", "line 2, latency.ttft_s: this is 0"),
    "a quantile": ("latency:\n  quantile: 95\n", "line 2, latency.quantile: this is 95"),
    "replicas": ("hosting:\n  min_replicas: 0\n", "line 2, hosting.min_replicas: this is 0"),
    "a function": ("hosting:\n  lambda:\n    memory_mb: 64\n", "line 3, hosting.lambda.memory_mb: this is 64"),
    "a response": ("hosting:\n  response_s: -5\n", "line 2, hosting.response_s: this is -5"),
    "no response": (
        "hosting:\n  concurrency: 4\n",
        "line 2, hosting.concurrency: this is 4 without hosting.response_s",
    ),
    "a discount": ("prices: {api_discount: 20}\n", "line 1, prices.api_discount: this is 20.0 for all APIs"),
    "one discount": ("prices:\n  api_discount: {openai: 1.5}\n", "line 2, prices.api_discount: this is 1.5 for openai"),
    "people": ("people:\n  hours_per_month: -1\n  usd_per_hour: 9\n", "line 2, people.hours_per_month: this is -1"),
    "fixed costs": (
        "fixed_costs:\n- name: a\n  usd_per_month: .nan\n",
        "line 3, fixed_costs.0.usd_per_month: this is NaN",
    ),
    "a floor": ("at_least: .nan\n", "line 1, at_least: this is nan"),
    "a score": ("scores:\n  a: 1\n  b: .inf\n", "line 3, scores.b: this is inf"),
    "a measured latency": ("api_latency:\n  a/b:\n    ttft_s: 0\n", "line 3, api_latency.a/b.ttft_s: this is 0"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told_with_file_line_and_field(refused, slip):
    text, given = SLIPS[slip]
    told = refused(text, workload_of)
    assert told.startswith("slip.yaml, line ")
    assert given in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tokens: {input: 5, output: 5}\n", "the spec does not say how many requests there are"),
        ("traffic: {profile: flat}\ntokens: {input: 5, output: 5}\n", "how many requests there are"),
        ("traffic: {requests_per_day: 5}\n", "the spec does not say how long a request is"),
        ("traffic: {requests_per_day: 5}\ntokens: {input: 5}\n", "tokens.input but not tokens.output"),
        ("traffic: {requests_per_day: 5}\ntokens: {output: 5}\n", "how long a request is"),
        ("task: generate\ntraffic: {requests_per_day: 5}\ntokens: {input: 5, output: 0}\n", "has no output tokens"),
        ("task: encode\ntraffic: {requests_per_day: 5}\ntokens: {input: 5, output: 7}\n", "has 7 output tokens"),
    ],
)
def test_what_is_missing_or_does_not_go_together_is_told_with_the_fields(refused, text, told):
    assert told in refused(text, workload_of)


def test_what_is_missing_may_still_come_from_a_flag(tmp_path):
    path = tmp_path / "half.yaml"
    path.write_text("traffic: {profile: office}\ntokens: {input: 5}\n")
    assert read_specs(path)[0].tokens.input == 5


def test_an_unknown_profile_is_told_with_those_that_look_like_it():
    with pytest.raises(
        UnknownNameError, match=r"traffic profile 'ofice' is not in the catalogue.* Did you mean: office"
    ):
        spec(traffic={"requests_per_day": 5, "profile": "ofice"}).workload(PROFILES)


@pytest.mark.parametrize(
    ("traffic", "hours"),
    [
        ({"requests_per_day": 2400}, (100.0,) * 24),
        ({"requests_per_day": 2400, "profile": "flat"}, (100.0,) * 24),
        ({"requests_per_day": 2400, "profile": "office"}, (0.0,) * 12 + (200.0,) * 12),
        ({"requests_per_day": 2400, "profile": "week"}, (100.0,) * 168),
        ({"requests_per_day": 2400, "profile": [3.0] * 12 + [0.0] * 12}, (200.0,) * 12 + (0.0,) * 12),
        ({"requests_per_hour": [7.0] * 24}, (7.0,) * 24),
    ],
)
def test_traffic_may_be_given_in_four_ways(traffic, hours):
    assert spec(traffic=traffic).workload(PROFILES).requests_per_hour == pytest.approx(hours)


@pytest.mark.parametrize(
    ("traffic", "assumed"),
    [(TRAFFIC, True), (TRAFFIC | {"profile": "flat"}, False), ({"requests_per_hour": [1.0] * 24}, False)],
)
def test_a_flat_day_that_nobody_asked_for_is_told(traffic, assumed):
    assert bool(spec(traffic=traffic).workload(PROFILES).assumptions) is assumed


@pytest.mark.parametrize(
    ("tokens", "mean"),
    [
        (TOKENS, TokenUsage(input=1500, output=400)),
        (
            TOKENS | {"cached_input": 500, "cache_write": 100, "reasoning": 40},
            TokenUsage(input=1500, output=400, cached_input=500, cache_write=100, reasoning=40),
        ),
        ({"words_per_request": 750, "output_share": 0.2}, TokenUsage(input=800, output=200)),
        ({"words_per_request": 750}, TokenUsage(input=500, output=500)),
        (
            {"words_per_request": 750, "output_share": 0.2, "cached_input": 300},
            TokenUsage(input=800, output=200, cached_input=300),
        ),
        (
            {"shapes": [{"share": 0.5, "input": 100, "output": 10}, {"share": 0.5, "input": 300, "output": 30}]},
            TokenUsage(input=200, output=20),
        ),
    ],
)
def test_tokens_may_be_given_in_three_ways(tokens, mean):
    assert spec(tokens=tokens).workload(PROFILES).mix.mean == mean


def test_500_words_are_667_tokens_and_the_plan_says_so():
    found = spec(tokens={"words_per_request": 500}).workload(PROFILES)
    assert found.mix.mean.input + found.mix.mean.output == 667
    assert found.assumptions[:2] == (
        "500 words are 667 tokens (0.75 words a token, English)",
        "the split of words into input and output was not given: half and half",
    )


def test_a_split_that_was_given_is_no_assumption():
    found = spec(tokens={"words_per_request": 500, "output_share": 0.5}).workload(PROFILES)
    assert not any("half" in line for line in found.assumptions)


@pytest.mark.parametrize(
    ("sections", "task"),
    [
        ({}, "generate"),
        ({"tokens": {"input": 300, "output": 0}}, "encode"),
        ({"task": "encode", "tokens": {"input": 300}}, "encode"),
        ({"task": "encode", "tokens": {"words_per_request": 300}}, "encode"),
    ],
)
def test_the_task_is_the_one_named_or_told_by_the_output(sections, task):
    found = spec(**sections).workload(PROFILES)
    assert found.task == task
    assert (found.mix.mean.output == 0) == (task == "encode")


def test_every_field_of_the_policy_can_be_said_in_a_spec():
    said = spec(
        as_of="2023-04-24",
        region="eu-west-1",
        at_least=1200,
        quality_scale="mine",
        scores={"a": 1.0},
        only={"models": ["a*"], "kinds": ["hosted"]},
        hosting={
            "scaling": "fixed",
            "min_replicas": 2,
            "startup_minutes": 5.0,
            "spot": {"in_hybrids": True},
            "mixed_machines": True,
            "response_s": 5.0,
            "concurrency": 3,
            "lambda": {"memory_mb": 512, "architecture": "x86_64"},
        },
        prices={"api_discount": {"openai": 0.1}},
        quality={
            "success": {"a": 0.9},
            "floor": 0.95,
            "retries": 1,
            "cascade": True,
            "checker": {"sensitivity": 0.9},
            "shared_failures": 0.2,
        },
        fine_tuning=[{"model": "a", "method": "lora", "tokens": 1e6, "horizon_months": 12, "success": 0.9}],
        api_latency={"a/b": {"ttft_s": 0.5}},
        api_limits={"a/*": {"requests_per_minute": 60}},
        people={"hours_per_month": "20", "usd_per_hour": "90"},
        fixed_costs=[{"name": "audit", "usd_per_month": "100", "applies_to": "all"}],
        uncertainty={"horizon_months": 24, "growth": {"mid": 1.2}, "tokens_spread": 1.5, "price_scenarios": False},
        availability={
            "apis": {"openai/*": 0.998},
            "machines": {"ec2": 0.99},
            "failover": "lost",
            "lost_request_usd": "0.01",
        },
    ).policy()
    expected = Policy(
        as_of=date(2023, 4, 24),
        region="eu-west-1",
        at_least=1200.0,
        startup_minutes=5.0,
        spot=Spot(in_hybrids=True),
        quality_scale="mine",
        scores={"a": 1.0},
        only=Only(models=("a*",), kinds=("hosted",)),
        scaling="fixed",
        min_replicas=2,
        mixed_machines=True,
        api_discount={"openai": 0.1},
        api_latency={"a/b": ApiLatency(ttft_s=0.5)},
        api_limits={"a/*": ApiLimit(requests_per_minute=60.0)},
        people=People(hours_per_month=Decimal(20), usd_per_hour=Decimal(90)),
        fixed_costs=(FixedCost(name="audit", usd_per_month=Decimal(100), applies_to="all"),),
        lambda_=LambdaConfig(memory_mb=512, architecture="x86_64"),
        stated=Stated(response_s=5.0, concurrency=3),
        uncertainty=Uncertainty(horizon_months=24, growth=Growth(mid=1.2), tokens_spread=1.5, price_scenarios=False),
        availability=Availability(
            apis={"openai/*": 0.998}, machines={"ec2": 0.99}, failover="lost", lost_request_usd=Decimal("0.01")
        ),
        quality=Answers(
            success={"a": SuccessRate(rate=0.9)},
            floor=0.95,
            retries=1,
            cascade=True,
            checker=Checker(sensitivity=0.9),
            shared_failures=0.2,
        ),
        fine_tuning=(FineTuning(model="a", method="lora", tokens=1e6, horizon_months=12, success=0.9),),
    )
    assert said == expected
    usual = Policy()
    assert [name for name in Policy.__struct_fields__ if getattr(said, name) == getattr(usual, name)] == []


def test_a_spec_that_says_nothing_is_the_usual_policy():
    assert spec().policy() == Policy()


@pytest.mark.parametrize(("floor", "meant"), [("1200", 1200.0), (1200, 1200.0), ("gpt-4o", "gpt-4o"), (None, None)])
def test_a_floor_in_quotes_is_a_score_if_it_is_a_number(floor, meant):
    assert spec(at_least=floor).policy().at_least == meant


def test_one_discount_holds_for_all_providers():
    assert spec(prices={"api_discount": 0.2}).policy().api_discount == {"*": 0.2}
    assert spec().policy().api_discount == {}


def test_what_the_spec_promises_reaches_the_workload():
    found = spec(name="w", latency={"ttft_s": 1.0, "quantile": 0.99}, deferrable=True).workload(PROFILES)
    assert (found.name, found.slo, found.deferrable) == ("w", Slo(ttft_s=1.0, quantile=0.99), True)


def test_a_spec_survives_the_way_out_and_in_again():
    """The command line lays its flags over a spec in plain values."""
    full = spec(
        as_of="2023-04-24", people={"hours_per_month": "20.5", "usd_per_hour": "90"}, hosting={"response_s": 5.0}
    )
    assert msgspec.convert(msgspec.to_builtins(full), Spec, strict=False) == full


def test_an_error_in_python_is_the_same_error():
    with pytest.raises(SpecError, match="words and tokens at once"):
        Spec(tokens=msgspec.structs.replace(Spec().tokens, words_per_request=5.0, input=5.0))


def test_bursts_are_part_of_the_traffic_and_unknown_without_them():
    assert spec().workload(PROFILES).burstiness is None
    bursts = {"gap_variation": 1.5, "rate_variation": 0.2}
    found = spec(traffic=TRAFFIC | {"burstiness": bursts}).workload(PROFILES)
    assert (found.bursts.gap_variation, found.bursts.rate_variation) == (1.5, 0.2)


def test_a_variation_below_0_is_refused(refused):
    text = "traffic: {requests_per_day: 10, burstiness: {rate_variation: -1}}\n"
    assert "line 1, traffic.burstiness.rate_variation: this is -1" in refused(text, read_specs)


@pytest.mark.parametrize(
    ("bursts", "expected"),
    [
        ("{rate_variation: 7.7}", "at most 2, twice the mean up and down"),
        ("{rate_variation: 0.1, rate_stays_s: 1e9}", "0.01 to 1e+06 seconds"),
    ],
)
def test_bursts_beyond_what_can_be_meant_are_refused(refused, bursts, expected):
    text = f"traffic: {{requests_per_day: 10, burstiness: {bursts}}}\n"
    assert expected in refused(text, read_specs)


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"growth": {"low": 1.2, "mid": 1.0}}, "uncertainty.growth is 1.2, 1, 1.5"),
        ({"growth": {"low": 0.0}}, "uncertainty.growth.low is 0"),
        ({"tokens_spread": 0.8}, "uncertainty.tokens_spread is 0.8"),
        ({"horizon_months": 0}, "uncertainty.horizon_months is 0"),
    ],
    ids=str,
)
def test_an_uncertainty_that_makes_no_sense_is_refused(section, told):
    with pytest.raises(msgspec.ValidationError) as wrong:
        spec(uncertainty=section)
    assert told in str(wrong.value).replace("this is", f"{told.split(' is ')[0]} is")
