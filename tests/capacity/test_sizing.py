import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven import Workload
from breakeven.capacity.sizing import headroom, machine_pairs, size
from breakeven.units import HOURS_PER_DAY, SECONDS_PER_DAY, SECONDS_PER_HOUR
from breakeven.workload.policy import Policy, Stated
from breakeven.workload.profile import Slo

ONE_A10G = {"models": ("llama-8b",), "formats": ("bf16",), "machines": ("g5.xlarge",)}
FIVE_SECONDS = Stated(response_s=5.0)
OFFICE = [0.0] * 8 + [1.0] * 8 + [0.0] * 8
"""All traffic in eight hours of the day."""


def work(requests_per_day=1000.0, weights=None, **slo):
    return Workload.of(
        requests_per_day=requests_per_day, input_tokens=500, output_tokens=100, weights=weights, slo=Slo(**slo)
    )


def pair(found, entry, per_machine=1):
    pairs = zip(found.sizing.pair_row, found.sizing.pair_replicas_per_machine, strict=True)
    return next(n for n, (row, k) in enumerate(pairs) if row == entry and k == per_machine)


def test_headroom_is_the_mean_and_so_many_standard_deviations_of_poisson_arrivals():
    z = NormalDist().inv_cdf(0.95)  # 1.645
    assert headroom(np.array([100.0]), 0.95)[0] == pytest.approx(100 + z * 10)
    assert headroom(np.array([0.0]), 0.95)[0] == 0


def test_one_machine_at_five_seconds_and_one_at_a_time_serves_17280_requests_a_day_at_the_very_most(stages):
    # 86,400 s / 5 s; at p50 no head-room is added
    for requests, machines in ((17_280, 1), (17_281, 2), (1_000_000, math.ceil(1_000_000 / 17_280))):
        found = stages(work(requests, quantile=0.5), stated=FIVE_SECONDS, **ONE_A10G)
        assert found.sizing.peak_machines.tolist() == [machines], requests
    assert math.ceil(1_000_000 / 17_280) == 58


def test_at_p95_the_same_million_needs_room_for_arrivals_that_come_together(stages):
    found = stages(work(1_000_000), stated=FIVE_SECONDS, **ONE_A10G)
    a = 1_000_000 / SECONDS_PER_DAY * 5  # 57.9 in flight
    assert found.sizing.peak_machines.tolist() == [math.ceil(a + 1.6449 * math.sqrt(a))] == [71]


def test_a_request_alone_fills_no_machine_but_pays_for_a_whole_one(stages):
    found = stages(work(1), **ONE_A10G)
    assert found.sizing.replicas_by_hour.tolist() == [[1.0] * HOURS_PER_DAY]
    assert found.sizing.machine_hours_per_day.tolist() == [24.0]


def test_a_machine_is_paid_for_each_hour_it_stands_used_or_not(stages):
    # 8 hours of 72,000 requests: 20 a second x 5 s = 100 in flight and room for them; one machine in the other 16
    found = stages(work(8 * 72_000, OFFICE, quantile=0.5), stated=FIVE_SECONDS, **ONE_A10G)
    assert found.sizing.peak_machines.tolist() == [100]
    assert found.sizing.machine_hours_per_day.tolist() == [8 * 100 + 16 * 1]


def test_a_fixed_fleet_stands_at_its_peak_all_day(stages):
    found = stages(work(8 * 72_000, OFFICE, quantile=0.5), stated=FIVE_SECONDS, scaling="fixed", **ONE_A10G)
    assert found.sizing.machine_hours_per_day.tolist() == [24 * 100]


def test_a_week_counts_as_the_mean_of_its_days(stages):
    weekend_off = ([1.0] * 24) * 5 + ([0.0] * 24) * 2
    # 720,000 a working day: 30,000 an hour x 5 s = 41.7 in flight
    found = stages(work(720_000 * 5 / 7, weekend_off, quantile=0.5), stated=FIVE_SECONDS, **ONE_A10G)
    assert found.sizing.replicas_by_hour.shape == (1, 168)
    assert found.sizing.machine_hours_per_day[0] == pytest.approx((5 * 24 * 42 + 2 * 24 * 1) / 7)


def test_never_fewer_replicas_than_the_policy_wants(stages):
    found = stages(work(1), min_replicas=3, **ONE_A10G)
    assert found.sizing.replicas_by_hour.min() == 3
    assert found.sizing.peak_machines.tolist() == [3]


def test_replicas_that_share_a_machine_come_in_whole_machines(stages):
    # 5 s a response at 1 a time, 9 in flight at p50: 9 replicas; four on a g5.12xlarge
    found = stages(
        work(9 * 17_280, quantile=0.5), stated=FIVE_SECONDS, models=("llama-8b",), formats=("bf16",),
        machines=("g5.12xlarge",),
    )  # fmt: skip
    alone = pair(found, found.at("llama-8b", "bf16", "A10G"), 4)
    doubled = pair(found, found.at("llama-8b", "bf16", "A10G", 2), 2)
    assert found.sizing.peak_machines[alone] == 3  # 9 / 4
    assert found.sizing.peak_machines[doubled] == 5  # 9 / 2


def test_the_mean_time_in_service_times_the_arrivals_is_the_number_in_service(stages):
    found = stages(work(100_000), **ONE_A10G)
    held_s = found.speed.latency(found.speed.largest_concurrency).response_s[0]
    assert found.sizing.in_flight_by_hour[0, 0] == pytest.approx(100_000 / SECONDS_PER_DAY * held_s)


def test_a_caller_waits_as_long_as_the_load_of_the_replicas_says(stages):
    quiet, busy = stages(work(100), **ONE_A10G), stages(work(100_000), **ONE_A10G)
    alone = quiet.speed.latency(np.ones(1)).response_s[0]
    assert quiet.sizing.response_s()[0] == pytest.approx(alone, rel=0.02)
    assert quiet.sizing.response_s()[0] < busy.sizing.response_s()[0]


def test_another_volume_keeps_the_shape_of_the_day(stages):
    found = stages(work(1000, OFFICE), stated=FIVE_SECONDS, **ONE_A10G)
    pairs = machine_pairs(found.speed, found.grid)
    policy = Policy(stated=FIVE_SECONDS)
    directly = stages(work(50_000, OFFICE), stated=FIVE_SECONDS, **ONE_A10G).sizing
    scaled = size(found.speed, pairs, found.speed.workload, policy, np.array([50_000.0]))
    assert scaled.replicas_by_hour.tolist() == directly.replicas_by_hour.tolist()
    assert scaled.machine_hours_per_day.tolist() == directly.machine_hours_per_day.tolist()


@settings(max_examples=40)
@given(
    requests_per_day=st.floats(1, 1e8),
    weights=st.lists(st.floats(0, 10), min_size=24, max_size=24).filter(lambda w: sum(w) > 1),
    quantile=st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999]),
    least=st.integers(1, 4),
)
def test_every_hour_has_whole_replicas_enough_for_its_load_and_its_headroom(
    stages, requests_per_day, weights, quantile, least
):
    found = stages(work(requests_per_day, weights, quantile=quantile), min_replicas=least, models=("llama-8b",))
    replicas, load = found.sizing.replicas_by_hour, found.sizing.in_flight_by_hour
    room = replicas * found.speed.largest_concurrency[:, None]
    z = NormalDist().inv_cdf(quantile)
    assert np.all(replicas == np.floor(replicas))
    assert replicas.min() >= least
    assert np.all(room * (1 + 1e-6) >= load + z * np.sqrt(load))
    # and not one replica more than that takes
    fewer = (replicas - 1) * found.speed.largest_concurrency[:, None]
    assert np.all((replicas == least) | (fewer < load + z * np.sqrt(load)))
    machines = np.ceil(replicas[found.sizing.pair_row] / found.sizing.pair_replicas_per_machine[:, None])
    assert found.sizing.machine_hours_per_day == pytest.approx(machines.sum(axis=1))
    assert found.sizing.peak_machines.tolist() == machines.max(axis=1).tolist()


@settings(max_examples=40)
@given(volume=st.floats(1, 1e7), more=st.floats(1.0, 10.0))
def test_more_traffic_never_needs_fewer_machines(stages, volume, more):
    few, many = (stages(work(v, OFFICE), models=("llama-8b", "mixtral-8x7b")).sizing for v in (volume, volume * more))
    assert np.all(few.machine_hours_per_day <= many.machine_hours_per_day)
    assert np.all(few.peak_machines <= many.peak_machines)


def test_load_is_counted_in_seconds_of_the_hour_it_falls_into(stages):
    hour = [0.0] * 24
    hour[9] = 1.0
    found = stages(work(3600, hour, quantile=0.5), stated=FIVE_SECONDS, **ONE_A10G)
    in_flight = found.sizing.in_flight_by_hour[0]
    assert in_flight[9] == pytest.approx(3600 / SECONDS_PER_HOUR * 5)
    assert in_flight.sum() == in_flight[9]
