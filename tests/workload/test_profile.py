import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.errors import SpecError
from breakeven.workload.profile import Slo, Workload, spread
from breakeven.workload.usage import TokenMix, TokenUsage

VOLUMES = st.floats(1e-3, 1e12)
DAY = st.lists(st.just(0.0) | st.floats(1e-6, 1e6), min_size=24, max_size=24).filter(any)
WEIGHTS = DAY | st.tuples(DAY, DAY).map(lambda days: days[0] * 5 + days[1] * 2)
"""A day, or a week of five days of one kind and two of another."""


def workload(hours: tuple[float, ...]) -> Workload:
    return Workload(
        name="w", task="generate", mix=TokenMix.of(TokenUsage(input=10, output=10)), requests_per_hour=hours
    )


@given(VOLUMES, WEIGHTS)
def test_spreading_keeps_the_daily_volume_and_the_shape(volume, weights):
    hours = spread(volume, weights)
    assert workload(hours).requests_per_day == pytest.approx(volume)
    busiest = max(weights)
    assert [rate / max(hours) for rate in hours] == pytest.approx([weight / busiest for weight in weights])


@given(VOLUMES, WEIGHTS, st.floats(1e-3, 1e3))
def test_only_the_ratio_of_weights_matters(volume, weights, factor):
    assert spread(volume, [weight * factor for weight in weights]) == pytest.approx(spread(volume, weights))


@pytest.mark.parametrize("weights", [[5e-324] + [0.0] * 167, [1e18] * 24])
def test_extreme_weights_neither_overflow_nor_vanish(weights):
    assert workload(spread(1000, weights)).requests_per_day == pytest.approx(1000)


@pytest.mark.parametrize(
    "weights",
    [[], [0.0] * 24, [-1.0] + [1.0] * 23, [math.nan] * 24, [1.0, math.nan] * 12, [math.inf, 1.0] * 12,
     [math.inf, -math.inf] * 12, [1e308] * 24],
)  # fmt: skip
def test_weights_that_are_no_traffic_are_refused(weights):
    with pytest.raises(SpecError, match="the hourly weights are no traffic"):
        spread(1000, weights)


@pytest.mark.parametrize("volume", [0, -1, math.nan, math.inf, -math.inf])
def test_a_volume_that_is_no_positive_number_is_refused(volume):
    with pytest.raises(SpecError, match=r"traffic\.requests_per_day is "):
        spread(volume, [1.0] * 24)


@pytest.mark.parametrize("count", [0, 1, 23, 25, 167, 169])
def test_traffic_is_a_day_or_a_week_of_hours(count):
    with pytest.raises(SpecError, match=rf"traffic has {count} hours\. Expected: 24 hours .* or 168"):
        workload((1.0,) * count)


@pytest.mark.parametrize("odd", [-1.0, math.nan, math.inf, 1e300])
def test_no_hour_is_negative_or_endless(odd):
    with pytest.raises(SpecError, match="traffic has an hour of "):
        workload((1.0,) * 23 + (odd,))


def test_traffic_of_nothing_is_no_workload():
    with pytest.raises(SpecError, match="traffic is 0 requests a day"):
        workload((0.0,) * 24)


@given(WEIGHTS, VOLUMES, VOLUMES)
def test_another_volume_keeps_the_shape(weights, volume, other):
    before = workload(spread(volume, weights))
    after = before.scaled_to(other)
    assert after.requests_per_day == pytest.approx(other)
    assert after.requests_per_hour == pytest.approx(spread(other, weights))
    assert (after.mix, after.slo, after.task, after.name) == (before.mix, before.slo, before.task, before.name)


@pytest.mark.parametrize("volume", [0, -5, math.nan, math.inf])
def test_a_workload_is_not_scaled_to_nothing(volume):
    with pytest.raises(SpecError):
        Workload.of(requests_per_day=10, input_tokens=10, output_tokens=1).scaled_to(volume)


def test_a_week_counts_as_seven_days():
    assert workload((10.0,) * 168).requests_per_day == pytest.approx(240)
    assert workload((0.0,) * 84 + (10.0,) * 84).requests_per_day == pytest.approx(120)


def test_the_common_case_needs_three_numbers_and_says_what_it_assumed():
    found = Workload.of(requests_per_day=2400, input_tokens=1500, output_tokens=400)
    assert found.requests_per_hour == (100.0,) * 24
    assert found.task == "generate"
    assert found.mix.mean == TokenUsage(input=1500, output=400)
    assert found.assumptions == ("no hourly profile given: the same traffic in every hour",)


def test_stated_weights_are_no_assumption():
    found = Workload.of(requests_per_day=2400, input_tokens=1500, output_tokens=400, weights=[0.0] * 12 + [1.0] * 12)
    assert found.requests_per_hour == (0.0,) * 12 + (200.0,) * 12
    assert found.assumptions == ()


def test_a_request_without_output_is_encoded():
    assert Workload.of(requests_per_day=10, input_tokens=100).task == "encode"


@pytest.mark.parametrize("target", [{"ttft_s": 0}, {"ttft_s": -1}, {"tpot_s": math.inf}, {"tpot_s": math.nan}])
def test_a_latency_target_is_a_time(target):
    (name,) = target
    with pytest.raises(SpecError, match=rf"latency\.{name} is "):
        Slo(**target)


@pytest.mark.parametrize("quantile", [0.0, 0.49, 1.0, 95, math.nan])
def test_a_promise_holds_for_a_share_of_the_requests(quantile):
    with pytest.raises(SpecError, match=r"latency\.quantile is .* Write 0\.95 for p95\.$"):
        Slo(quantile=quantile)


@pytest.mark.parametrize(("slo", "named"), [(Slo(), False), (Slo(quantile=0.99), False), (Slo(tpot_s=0.05), True)])
def test_a_quantile_alone_is_no_target(slo, named):
    assert slo.named is named
