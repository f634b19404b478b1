"""An option made ready for the replay; and fleets that keep their target on paper keep it there."""

from dataclasses import replace

import numpy as np
import pytest

from breakeven import Workload
from breakeven.capacity.simulate import Fleet, places_of, simulate
from breakeven.decision.curves import take_one
from breakeven.errors import SpecError, UnknownNameError
from breakeven.performance.predict import take
from breakeven.planner.rehearsal import Requests, overflow_usd, rehearsal
from breakeven.report.simulated import simulation_share
from breakeven.workload.policy import Stated
from breakeven.workload.profile import Slo

OPTION = "llama-8b:bf16:g5.xlarge:tp1:ec2"
STATED_ERROR = 0.02
"""Share of the requests by which the replay may fall short of the quantile (docs/theory/replay.md)."""


def work(requests_per_day=100_000.0, **slo):
    return Workload.of(requests_per_day=requests_per_day, input_tokens=500, output_tokens=100, slo=Slo(**slo))


def requests(count=1000, per_s=1.0, input_tokens=500.0, output_tokens=100.0, seed=1):
    """Poisson arrivals of requests whose answers spread like an exponential."""
    rng = np.random.default_rng(seed)
    at_s = np.cumsum(rng.exponential(1 / per_s, count))
    output = 1 + rng.exponential(output_tokens - 1, count)
    return Requests(at_s=at_s - at_s[0], input=np.full(count, input_tokens), cached=np.zeros(count), output=output)


def equal(count=10, **tokens):
    return replace(requests(count), output=np.full(count, tokens.pop("output", 100.0)), **tokens)


@pytest.fixture(scope="module")
def planned(plan_small):
    return lambda workload=None, **fields: plan_small(
        workload or work(), **({"models": ("llama-8b",), "by": "option"} | fields)
    )


def test_the_curve_is_the_speed_of_the_plan_at_every_whole_concurrency(planned):
    plan = planned(work(tpot_s=0.05))
    found = rehearsal(plan, OPTION, equal())
    at = int(plan.hosted.options.row[plan.named(OPTION).number])
    one = take_one(plan.speed, at)
    wide = len(found.curve.held_s)
    speed = take(one, np.zeros(wide, dtype=np.int64), np.arange(1.0, wide + 1)).latency(np.arange(1.0, wide + 1))
    assert found.option == f"host:{OPTION}"
    assert np.allclose(found.curve.held_s, speed.held_s)
    assert np.allclose(found.curve.tpot_s, speed.tpot_s)
    assert np.allclose(found.curve.ttft_s, speed.ttft_s)
    assert found.curve.places == int(one.largest_concurrency[0]) < int(one.admitted[0])


def test_longer_requests_are_slower_than_those_of_the_spec(planned):
    short, long = (rehearsal(planned(), OPTION, equal(input=np.full(10, tokens))) for tokens in (500.0, 4000.0))
    assert np.all(long.curve.ttft_s > short.curve.ttft_s[: len(long.curve.ttft_s)])
    assert places_of(long.curve, long.arrivals) < places_of(short.curve, short.arrivals)


def test_memory_is_counted_request_by_request(planned):
    mixed = equal(2, input=np.array([100.0, 7900.0]))
    need = rehearsal(planned(), OPTION, mixed).arrivals.need
    assert need[1] / need[0] == pytest.approx(8000 / 200)


def test_cached_input_takes_no_prefill(planned):
    half = equal(2, input=np.array([4000.0, 4000.0]), cached=np.array([0.0, 3900.0]))
    longer = rehearsal(planned(), OPTION, half).arrivals.longer_s
    assert longer[0] > 0 > longer[1]
    assert longer.sum() == pytest.approx(0, abs=1e-12)


def test_a_stated_speed_is_taken_as_stated(planned):
    found = rehearsal(planned(stated=Stated(response_s=5.0, concurrency=3)), OPTION, equal())
    assert found.curve.held_s.tolist() == [5.0, 5.0, 5.0]
    replay = simulate(found.curve, replace(found.arrivals, at_s=np.arange(10.0) * 100), Fleet(machines=1))
    assert replay.response_s == pytest.approx(np.full(10, 5.0))


def test_a_paid_api_cannot_be_replayed_and_a_slip_is_told_with_near_matches(planned, plan_small):
    with pytest.raises(SpecError, match="is a paid API"):
        rehearsal(plan_small(work()), "api:acme/big", equal())
    with pytest.raises(UnknownNameError, match="Did you mean"):
        rehearsal(planned(), "llama-8b:bf16:g5.xlarge:tp1:ec3", equal())


def test_a_log_without_output_is_no_work_for_a_plan_that_generates(planned):
    with pytest.raises(SpecError, match="the log has no output"):
        rehearsal(planned(), OPTION, equal(output=0.0))


def test_overflow_costs_what_the_bill_of_the_api_would(plan_small):
    plan = plan_small(work())
    thousand = equal(1000)
    name, usd = overflow_usd(plan, "acme/big", thousand)
    assert name == "api:acme/big"
    assert usd == pytest.approx((500 * 1 + 100 * 4) * 1000 / 1e6)
    with pytest.raises(SpecError, match="is no paid API"):
        overflow_usd(plan, f"host:{OPTION}", thousand)


@pytest.mark.parametrize("per_day", [100_000.0, 1_000_000.0, 4_000_000.0])
@pytest.mark.parametrize("slo", [{"tpot_s": 0.05}, {"ttft_s": 1.0, "tpot_s": 0.04}, {"ttft_s": 2.0, "quantile": 0.9}])
def test_a_fleet_that_keeps_its_target_on_paper_keeps_it_in_the_replay(planned, per_day, slo):
    plan = planned(work(per_day, **slo))
    came = requests(8000, plan.workload.requests_per_hour[0] / 3600)
    ready = rehearsal(plan, OPTION, came)
    found = simulate(ready.curve, ready.arrivals, Fleet(machines=ready.planned_machines))
    start = 800
    promised = plan.workload.slo
    within = simulation_share(found.ttft_s[start:], found.tpot_s[start:], promised)
    assert within >= promised.quantile - STATED_ERROR, ready.planned_machines
