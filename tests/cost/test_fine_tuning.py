"""Fine-tuning on the small catalogue, by hand: llama-8b has 8,030,261,248 parameters."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven import Workload
from breakeven.cost.extras import EXAMPLES, TRAINING
from breakeven.cost.fine_tuning import trainings_of
from breakeven.errors import NoDataError, SpecError, UnknownNameError
from breakeven.options.success import KNOWN_SUCCESS
from breakeven.options.tuned import with_tuned
from breakeven.performance.calibration import typical_parameters
from breakeven.performance.training import training_bytes, training_flops
from breakeven.units import DAYS_PER_MONTH
from breakeven.workload.fine_tuning import FineTuning
from breakeven.workload.policy import Policy
from breakeven.workload.success import Answers, CountedSuccess, SuccessRate

WORK = Workload.of(requests_per_day=100_000, input_tokens=500, output_tokens=100)
PARAMS = 8_030_261_248


def lora(**said):
    return FineTuning(
        **{"model": "llama-8b", "method": "lora", "tokens": 1e8, "horizon_months": 10, "success": 0.9} | said
    )


@pytest.fixture
def trained(small_catalogue):
    """The training of one model on the small catalogue, with half of every datasheet's rate reached."""
    half = replace(typical_parameters(), flops_share=dict.fromkeys(typical_parameters().flops_share, 0.5))

    def train(tuning, catalogue=small_catalogue):
        known, policy = with_tuned(catalogue, Policy(fine_tuning=(tuning,)))
        snapshot = known.on(known.last_day, policy.region)
        (training,), (cost,) = trainings_of(policy.fine_tuning, known, snapshot, half)
        return training, cost

    return train


def test_operations_and_memory_are_those_of_the_equations(small_catalogue):
    model = small_catalogue.models["llama-8b"]
    assert training_flops(model, lora(), "full") == 6 * PARAMS * 1e8
    assert training_flops(model, lora(epochs=3), "lora") == 4 * PARAMS * 3e8
    assert training_flops(model, lora(recompute=True), "lora") == 6 * PARAMS * 1e8
    assert training_bytes(model, "full") == 16 * PARAMS
    assert training_bytes(model, "lora") == pytest.approx(2.16 * PARAMS)


def test_experts_that_a_token_does_not_use_are_held_but_not_computed(small_catalogue):
    mixtral = small_catalogue.models["mixtral-8x7b"]
    assert training_flops(mixtral, lora(), "full") == 6 * mixtral.params_active * 1e8
    assert training_bytes(mixtral, "full") == 16 * mixtral.params_total


def test_whole_machines_are_paid_for_started_hours(trained, small_catalogue):
    """LoRA of 1e8 tokens: 4 x 8.03e9 x 1e8 = 3.21e18 operations, 17.3 GB of state."""
    training, cost = trained(lora(runs=2))
    accelerator = small_catalogue.accelerators[small_catalogue.instances[training.machine].accelerator]
    rate = accelerator.bf16_dense_tflops * 1e12 * 0.5
    hours = 4 * PARAMS * 1e8 / (rate * training.devices * training.machines) / 3600
    assert training.hours == pytest.approx(hours)
    assert training.machine_hours == training.machines * math.ceil(hours) * 2
    prices = small_catalogue.on(small_catalogue.last_day, "us-east-1").machine_prices
    price = float(prices[training.machine, "on-demand"].usd_per_hour)
    assert float(training.usd) == pytest.approx(training.machine_hours * price)
    assert cost.usd_per_day == pytest.approx(training.machine_hours * price / (10 * DAYS_PER_MONTH))


def test_the_cheapest_machine_that_holds_it_is_taken_and_no_other_is_cheaper(trained, small_catalogue):
    best = trained(lora())[0].usd
    for name in small_catalogue.instances:
        try:
            assert trained(lora(machine=name))[0].usd >= best
        except NoDataError:
            continue


def test_full_training_takes_more_memory_and_half_as_many_operations_again(trained):
    small, whole = trained(lora())[0], trained(lora(method="full"))[0]
    assert whole.flops == pytest.approx(1.5 * small.flops)
    assert whole.usd >= small.usd


def test_what_has_to_end_sooner_stands_on_more_machines(trained):
    alone = trained(lora(machine="p5.48xlarge", tokens=1e11))[0]
    sooner = trained(lora(machine="p5.48xlarge", tokens=1e11, within_hours=alone.hours / 3))[0]
    assert alone.machines == 1
    assert sooner.machines == 3
    assert sooner.hours == pytest.approx(alone.hours / 3)


@settings(max_examples=20)
@given(tokens=st.floats(1e4, 1e11), more=st.floats(1, 10))
def test_more_tokens_never_cost_less(small_catalogue, tokens, more):
    both = lora(tokens=tokens), lora(tokens=tokens * more, name="b")
    known, policy = with_tuned(small_catalogue, Policy(fine_tuning=both))
    (few, many), _ = trainings_of(
        policy.fine_tuning, known, known.on(known.last_day, "us-east-1"), typical_parameters()
    )
    assert few.usd <= many.usd


def test_what_no_machine_holds_says_so(trained):
    with pytest.raises(NoDataError, match=r"no machine g4dn.xlarge with a price"):
        trained(lora(model="llama-70b", method="full", machine="g4dn.xlarge"))
    with pytest.raises(NoDataError, match="ends it in time"):
        trained(lora(tokens=1e15, horizon_months=0.1))


def test_the_result_competes_as_fast_as_its_base_with_its_training_on_the_bill(plan_small):
    only = {"models": ("llama-8b*",), "kinds": ("hosted",), "formats": ("bf16",)}
    quality = Answers(success={"llama-8b": SuccessRate(rate=0.5)})
    tuning = lora(success=CountedSuccess(answers=100, right=90), examples_usd=3000)
    answer = plan_small(WORK, quality=quality, fine_tuning=(tuning,), **only)
    tuned, base = (next(c for c in answer.ranking.of(KNOWN_SUCCESS) if answer.model_of(c) == name)
                   for name in ("llama-8b-tuned", "llama-8b"))  # fmt: skip
    (training,) = answer.trainings
    assert tuned.success == 0.9
    extra = float(training.usd + training.examples_usd) / (10 * DAYS_PER_MONTH)
    assert tuned.usd_per_day == pytest.approx(base.usd_per_day + extra)
    lines = {line.name: line for line in answer.verdict(tuned).bill.lines}
    assert lines[EXAMPLES].source == ("your spec",)
    assert lines[TRAINING].source == ("by-hand",)
    assert TRAINING not in {line.name for line in answer.verdict(base).bill.lines}
    assert answer.verdict(tuned).performance == answer.verdict(base).performance
    assert answer.verdict(tuned).success.first_attempt_low < 0.9


def test_the_training_does_not_grow_with_traffic(plan_small):
    only = {"models": ("llama-8b*",), "kinds": ("hosted",), "formats": ("bf16",)}
    costs = []
    for volume in (1e3, 1e8):
        answer = plan_small(WORK.scaled_to(volume), fine_tuning=(lora(),), **only)
        lines = answer.verdict(answer.ranking.of(KNOWN_SUCCESS)[0]).bill.lines
        costs.append(next(line.usd for line in lines if line.name == TRAINING))
        found = answer.ranking.of(KNOWN_SUCCESS)[0]
        drawn = answer.curves.hosted_usd_per_day([found.number], [volume])[0, 0]
        assert drawn == pytest.approx(found.usd_per_day)
    assert costs[0] == costs[1]


def test_a_fine_tuned_offer_of_an_api_competes_once_its_training_is_priced(plan_small):
    tuning = FineTuning(model="tuned", tokens=1e6, epochs=2, horizon_months=10, success=0.9, usd_per_million_tokens=3)
    answer = plan_small(WORK, fine_tuning=(tuning,), kinds=("api",))
    (found,) = answer.ranking.of(KNOWN_SUCCESS)
    assert answer.option_id(found) == "api:acme/tuned"
    training = 2 * 3 / (10 * DAYS_PER_MONTH)
    assert found.usd_per_day == pytest.approx(100_000 * 600 * 0.01 / 1e6 + training)
    assert answer.curves.api_usd_per_day(found.number, np.array([2e5]))[0] == pytest.approx(1.2 + training)


def test_what_does_not_fit_is_refused(plan_small):
    for tuning, error, told in (
        (lora(model="llama-9b"), UnknownNameError, "llama-8b"),
        (lora(method=None), SpecError, "does not say how"),
        (lora(name="owl"), SpecError, "gives the name owl, which is taken"),
        (lora(model="tuned"), SpecError, "no price of training"),
    ):
        with pytest.raises(error, match=told):
            plan_small(WORK, fine_tuning=(tuning,))
    with pytest.raises(SpecError, match=r"fine_tuning.success is 90"):
        lora(success=90)
    with pytest.raises(SpecError, match=r"fine_tuning.horizon_months is 0"):
        lora(horizon_months=0)
