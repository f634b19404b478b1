from decimal import Decimal

import msgspec
import numpy as np
import pytest

from breakeven import Policy, Workload, plan
from breakeven.decision.crossover import TOLERANCE, _start_of_tail
from breakeven.workload.policy import FixedCost, Stated
from breakeven.workload.profile import Slo

SMALL = {"models": ("llama-8b", "small"), "formats": ("bf16",), "machines": ("g5.xlarge",), "terms": ("on-demand",)}


def work(requests_per_day=10_000.0, **slo):
    return Workload.of(requests_per_day=requests_per_day, input_tokens=500, output_tokens=100, slo=Slo(**slo))


def both(answer, crossover, volume):
    """USD a day of the API and of the cheapest self-hosting of the crossover's group, at a volume."""
    lines = next(e for e in answer.envelopes if e.group == crossover.group)
    hosted = answer.curves.hosted_usd_per_day(lines.hosted, np.atleast_1d(volume)).min(axis=0)
    return answer.curves.api_usd_per_day(lines.paid.contender.number, np.atleast_1d(volume)), hosted


def test_the_break_even_by_hand(plan_small):
    # API: 500 x 0.40 + 100 x 1.60 = 360 USD a million requests. One g5.xlarge: 24.144 USD a day, and a million
    # requests leave 100 x 220 + 1,000 = 23 GB at 0.09 and 1 GB of logs at 0.50: 2.57 USD a million.
    (found,) = plan_small(work(), **SMALL).crossovers
    assert found.requests_per_day == pytest.approx(24.144 / (360 - 2.57) * 1e6, rel=TOLERANCE)
    assert (found.left, found.right) == ("api:acme/small", "host:llama-8b:bf16:g5.xlarge:tp1:ec2")


def test_both_cost_the_same_at_the_break_even_and_self_hosting_is_cheaper_above_and_dearer_below(plan_small):
    answer = plan_small(work(), **SMALL)
    (found,) = answer.crossovers
    api, hosted = both(answer, found, np.array([0.99, 1.0, 1.01]) * found.requests_per_day)
    assert hosted[1] == pytest.approx(api[1], rel=2 * TOLERANCE)
    assert hosted[0] > api[0]
    assert hosted[2] < api[2]


def test_the_machines_at_the_break_even_carry_its_traffic(plan_small):
    answer = plan_small(work(), **SMALL)
    (found,) = answer.crossovers
    volume = found.requests_per_day * 1.01
    there = plan_small(work(volume), **SMALL)
    hosted = next(c for c in there.ranking.contenders if c.kind == "hosted")
    capacity = there.verdict(hosted).capacity
    assert max(capacity.utilisation_by_hour) <= 1
    assert hosted.usd_per_day == pytest.approx(both(answer, found, volume)[1][0], rel=1e-9)
    assert f"{capacity.peak_machines} x g5.xlarge" in found.because


def test_the_break_even_does_not_hang_on_the_traffic_that_the_plan_was_made_for(plan_small):
    found = {plan_small(work(volume), **SMALL).crossovers[0].requests_per_day for volume in (100, 10_000, 1e7)}
    assert max(found) == pytest.approx(min(found), rel=2 * TOLERANCE)


def test_a_machine_that_is_full_before_it_is_paid_off_never_breaks_even(plan_small):
    # the article: 5 s a response, one at a time: 17,280 requests a day for 24.144 USD are 1,397 a million
    (found,) = plan_small(work(), stated=Stated(response_s=5.0), **SMALL).crossovers
    assert found.requests_per_day is None
    assert found.first_requests_per_day is None
    assert found.because.startswith("even at 100 million requests a day full machines cost")


def test_why_nowhere_tells_both_prices_of_a_million_tokens_at_full_load(plan_small):
    (found,) = plan_small(work(quantile=0.5), stated=Stated(response_s=5.0), **SMALL).crossovers
    # (24.144 / 17,280 + 2.57e-6) USD a request of 600 tokens against 360e-6
    hosted, api = (24.144 / 17_280 + 2.57e-6) / 600 * 1e6, 0.6
    assert f"{hosted:.3g} USD a million tokens against {api:.3g}" in found.because


def test_a_fixed_cost_of_hosting_moves_the_break_even_up(plan_small):
    base = plan_small(work(), **SMALL).crossovers[0].requests_per_day
    tuning = FixedCost(name="tuning", usd_per_month=Decimal(365))  # 12 USD a day
    loaded = plan_small(work(), fixed_costs=(tuning,), **SMALL).crossovers[0].requests_per_day
    assert loaded == pytest.approx((24.144 + 12) / 24.144 * base, rel=2 * TOLERANCE)


def test_a_discount_of_the_api_moves_it_up_too(plan_small):
    base = plan_small(work(), **SMALL).crossovers[0].requests_per_day
    cut = plan_small(work(), api_discount={"acme": 0.25}, **SMALL).crossovers[0].requests_per_day
    assert cut == pytest.approx(base * (360 - 2.57) / (0.75 * 360 - 2.57), rel=2 * TOLERANCE)


def test_a_price_that_is_below_every_api_from_the_start_says_so(plan_small):
    support = FixedCost(name="support", usd_per_month=Decimal(7300), applies_to="api")  # 240 USD a day
    (found,) = plan_small(work(), fixed_costs=(support,), **SMALL).crossovers
    assert found.because.startswith("self-hosting is cheaper at every traffic from 100 requests a day on")


def test_hosting_that_is_cheaper_only_for_little_traffic_says_where(plan_small):
    support = FixedCost(name="support", usd_per_month=Decimal(7300), applies_to="api")
    (found,) = plan_small(work(), fixed_costs=(support,), stated=Stated(response_s=5.0), **SMALL).crossovers
    assert found.requests_per_day is None
    assert found.first_requests_per_day == pytest.approx(100)


def test_machines_that_run_out_are_the_reason_where_they_do(plan_small, with_rows, small_catalogue):
    rows = tuple(
        msgspec.structs.replace(row, count=2) if row.name == "g5.xlarge" else row
        for row in small_catalogue.tables.instances
    )
    (found,) = plan_small(work(), catalogue=with_rows(instances=rows), **SMALL).crossovers
    assert found.requests_per_day is None
    assert found.because.startswith("the machines there are carry at most about")
    assert "cheaper in places from" in found.because
    assert found.first_requests_per_day == pytest.approx(24.144 / (360 - 2.57) * 1e6, rel=TOLERANCE)


def test_from_the_break_even_on_self_hosting_stays_cheaper_through_every_step_of_its_machines(plan_small):
    # 1 s a response, one at a time and no head-room: a machine carries 86,400 requests for 24.144 USD and the API
    # asks 1.02 times as much for them: cheaper when full, dearer just after each of the first 50 steps or so
    barely = 24.144 / 86_400 * 1.02 + 2.57e-6
    discount = 1 - barely / 360e-6
    answer = plan_small(work(quantile=0.5), stated=Stated(response_s=1.0), api_discount={"*": discount}, **SMALL)
    (found,) = answer.crossovers
    assert found.requests_per_day > 2_000_000
    api, hosted = both(answer, found, np.geomspace(found.requests_per_day, 1e8, 20_000))
    assert np.all(hosted <= api * 1.001)


@pytest.mark.parametrize("weights", [None, [0.1] * 8 + [1.0] * 10 + [0.1] * 6], ids=["flat", "office hours"])
def test_on_the_shipped_catalogue_costs_meet_at_every_break_even_and_stay_on_their_side(shipped, weights):
    base = Workload.of(requests_per_day=1e5, input_tokens=1500, output_tokens=400, weights=weights)
    answer = plan(base, shipped, Policy())
    for found in answer.crossovers:
        if found.requests_per_day is None or found.because.startswith("self-hosting is cheaper at every"):
            continue
        at = found.requests_per_day
        api, hosted = both(answer, found, at * np.array([0.9999, 1.0, 1.002]))
        assert hosted[0] > api[0] * (1 - 2 * TOLERANCE), found
        assert hosted[1] <= api[1] * (1 + 2 * TOLERANCE), found
        assert hosted[2] <= api[2] * (1 + 2 * TOLERANCE), found
        api, hosted = both(answer, found, np.geomspace(at, 1e8, 500))
        assert np.all(hosted <= api * 1.005), found


def test_a_tail_begins_after_the_last_break():
    assert _start_of_tail(np.array([True, True])) == 0
    assert _start_of_tail(np.array([False, True, False, True])) == 3
    assert _start_of_tail(np.array([True, False])) is None


def test_a_break_even_lies_between_those_of_the_fast_and_the_slow_end_of_the_speed(shipped):
    base = Workload.of(requests_per_day=1e5, input_tokens=4000, output_tokens=800)
    found = [c for c in plan(base, shipped, Policy()).crossovers if c.requests_per_day and c.low and c.high]
    assert found
    assert all(c.low <= c.requests_per_day <= c.high for c in found)
    assert any(c.low < 0.9 * c.requests_per_day for c in found)
