from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven import Workload
from breakeven.decision.curves import volumes
from breakeven.workload.policy import FixedCost

OFFICE = [0.1] * 8 + [1.0] * 10 + [0.1] * 6


def work(requests_per_day, weights=None):
    return Workload.of(requests_per_day=requests_per_day, input_tokens=500, output_tokens=100, weights=weights)


def test_volumes_reach_from_a_hundred_to_a_hundred_million_requests_a_day():
    assert volumes()[0] == pytest.approx(100)
    assert volumes()[-1] == pytest.approx(1e8)
    assert np.all(np.diff(np.log(volumes())) > 0)


@settings(max_examples=10)
@given(here=st.floats(100, 1e6), there=st.floats(100, 1e6), weights=st.sampled_from([None, OFFICE]))
def test_a_curve_says_what_a_plan_at_that_volume_would(plan_small, here, there, weights):
    narrow = {"models": ("llama-8b", "big"), "by": "option"}
    curve, plan_there = plan_small(work(here, weights), **narrow), plan_small(work(there, weights), **narrow)
    numbers = np.arange(len(curve.hosted.usd_per_day))
    names = [curve.option_id(c) for c in curve.ranking.contenders if c.kind == "hosted"]
    assert len(names) == len(numbers)
    at = {
        curve.option_id(c): curve.curves.hosted_usd_per_day(np.array([c.number]), np.array([there]))[0, 0]
        for c in curve.ranking.contenders
        if c.kind == "hosted"
    }
    exact = {plan_there.option_id(c): c.usd_per_day for c in plan_there.ranking.contenders if c.kind == "hosted"}
    assert at == pytest.approx(exact, rel=1e-9)
    api = next(c for c in curve.ranking.contenders if c.kind == "api")
    exact_api = next(c for c in plan_there.ranking.contenders if c.kind == "api").usd_per_day
    assert curve.curves.api_usd_per_day(api.number, np.array([there]))[0] == pytest.approx(exact_api, rel=1e-9)


def test_only_the_fixed_part_of_an_api_stays_when_traffic_goes(plan_small):
    support = FixedCost(name="support", usd_per_month=Decimal(730), applies_to="api")  # 24 a day
    answer = plan_small(work(1000), models=("big",), kinds=("api",), fixed_costs=(support,))
    # 1,000 requests x (500 x 1 + 100 x 4) / 1e6 = 0.90 a day
    assert answer.curves.api_usd_per_day(0, np.array([0.0, 1000.0, 10_000.0])) == pytest.approx([24.0, 24.9, 33.0])


def test_a_curve_ends_where_the_machines_run_out(plan_small, with_rows, small_catalogue):
    import msgspec

    rows = tuple(
        msgspec.structs.replace(row, count=2) if row.name == "g5.xlarge" else row
        for row in small_catalogue.tables.instances
    )
    answer = plan_small(
        work(1000), catalogue=with_rows(instances=rows), models=("llama-8b",), machines=("g5.xlarge",),
        formats=("bf16",), terms=("on-demand",), kinds=("hosted",),
    )  # fmt: skip
    drawn = answer.curves.hosted_usd_per_day(np.array([0]), volumes())[0]
    assert np.isfinite(drawn[0])
    assert np.isinf(drawn[-1])
    assert np.all(np.diff(np.isinf(drawn).astype(int)) >= 0)  # once gone, gone for good


def test_bands_found_together_are_those_found_one_by_one(plan_small):
    one_by_one, together = (plan_small(work(200_000.0)).curves for _ in range(2))
    numbers = np.arange(len(together.hosted.options.row))
    together.find_bands(numbers, 200_000.0)
    assert [together.band_at(n, 200_000.0) for n in numbers] == [one_by_one.band_at(n, 200_000.0) for n in numbers]
