import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven import Workload
from breakeven.capacity.queueing import answer
from breakeven.capacity.sizing import machine_pairs, service_of, size
from breakeven.units import HOURS_PER_DAY, SECONDS_PER_DAY, SECONDS_PER_HOUR
from breakeven.workload.policy import Policy, Stated
from breakeven.workload.profile import Burstiness, Slo

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


def may_wait(requests_per_day):
    return msgspec.structs.replace(work(requests_per_day), deferrable=True)


def test_one_machine_at_five_seconds_and_one_at_a_time_serves_17280_requests_a_day_at_the_very_most(stages):
    # 86,400 s / 5 s, of requests that may all wait
    for requests, machines in ((17_280, 1), (17_281, 2), (1_000_000, 58)):
        found = stages(may_wait(requests), stated=FIVE_SECONDS, **ONE_A10G)
        assert found.sizing.peak_machines.tolist() == [machines], requests


def test_requests_that_come_when_they_like_need_room_beside_the_mean(stages):
    # 57.9 at a time; at p95 no wait longer than the five seconds of an answer
    found = stages(work(1_000_000), stated=FIVE_SECONDS, **ONE_A10G)
    assert found.sizing.peak_machines.tolist() == [68]
    held, arrivals = service_of(found.speed), np.array([1_000_000 / SECONDS_PER_DAY])
    waits = [answer(held, arrivals, np.array([n]), Burstiness(), 0.95).wait_at_quantile_s[0] for n in (64.0, 68.0)]
    assert waits[0] > 5.0 >= waits[1]


def test_a_request_alone_fills_no_machine_but_pays_for_a_whole_one(stages):
    found = stages(work(1), **ONE_A10G)
    assert found.sizing.replicas_by_hour.tolist() == [[1.0] * HOURS_PER_DAY]
    assert found.sizing.machine_hours_per_day.tolist() == [24.0]


def test_a_machine_is_paid_for_each_hour_it_stands_used_or_not(stages):
    # 8 hours of 72,000 requests: 20 a second x 5 s = 100 at a time, and 102 machines at p50; one in the other 16
    found = stages(work(8 * 72_000, OFFICE, quantile=0.5), stated=FIVE_SECONDS, startup_minutes=0.0, **ONE_A10G)
    assert found.sizing.peak_machines.tolist() == [102]
    assert found.sizing.machine_hours_per_day.tolist() == [8 * 102 + 16 * 1]


def test_a_fixed_fleet_stands_at_its_peak_all_day(stages):
    found = stages(work(8 * 72_000, OFFICE, quantile=0.5), stated=FIVE_SECONDS, scaling="fixed", **ONE_A10G)
    assert found.sizing.machine_hours_per_day.tolist() == [24 * 102]


def test_a_week_counts_as_the_mean_of_its_days(stages):
    weekend_off = ([1.0] * 24) * 5 + ([0.0] * 24) * 2
    # 720,000 a working day: 30,000 an hour x 5 s = 41.7 at a time, and 43 machines at p50
    week = work(720_000 * 5 / 7, weekend_off, quantile=0.5)
    found = stages(week, stated=FIVE_SECONDS, startup_minutes=0.0, **ONE_A10G)
    assert found.sizing.replicas_by_hour.shape == (1, 168)
    assert found.sizing.machine_hours_per_day[0] == pytest.approx((5 * 24 * 43 + 2 * 24 * 1) / 7)


def test_never_fewer_replicas_than_the_policy_wants(stages):
    found = stages(work(1), min_replicas=3, **ONE_A10G)
    assert found.sizing.replicas_by_hour.min() == 3
    assert found.sizing.peak_machines.tolist() == [3]


def test_replicas_that_share_a_machine_come_in_whole_machines(stages):
    # 5 s a response at 1 a time, 9 at a time: 10 replicas at p50; four on a g5.12xlarge
    found = stages(
        work(9 * 17_280, quantile=0.5), stated=FIVE_SECONDS, models=("llama-8b",), formats=("bf16",),
        machines=("g5.12xlarge",),
    )  # fmt: skip
    alone = pair(found, found.at("llama-8b", "bf16", "A10G"), 4)
    doubled = pair(found, found.at("llama-8b", "bf16", "A10G", 2), 2)
    assert found.sizing.peak_machines[alone] == 3  # 10 / 4
    assert found.sizing.peak_machines[doubled] == 5  # 10 / 2


def test_the_load_is_told_in_full_replicas(stages):
    found = stages(work(100_000), **ONE_A10G)
    full = found.speed.largest_concurrency
    a_replica_per_s = full / found.speed.latency(full).held_s
    assert found.sizing.load_by_hour[0, 0] == pytest.approx(100_000 / SECONDS_PER_DAY / a_replica_per_s[0])


def test_a_caller_waits_as_long_as_the_load_of_the_replicas_says(stages):
    quiet, busy = stages(work(100), **ONE_A10G), stages(work(100_000), **ONE_A10G)
    alone = quiet.speed.latency(np.ones(1)).response_s[0]
    assert quiet.sizing.response_s(np.array([0]))[0] == pytest.approx(alone, rel=0.02)
    assert quiet.sizing.response_s(np.array([0]))[0] < busy.sizing.response_s(np.array([0]))[0]


def test_another_volume_keeps_the_shape_of_the_day(stages):
    found = stages(work(1000, OFFICE), stated=FIVE_SECONDS, **ONE_A10G)
    pairs = machine_pairs(found.speed, found.grid)
    policy = Policy(stated=FIVE_SECONDS)
    directly = stages(work(50_000, OFFICE), stated=FIVE_SECONDS, **ONE_A10G).sizing
    scaled = size(found.speed, pairs, found.speed.workload, policy, np.array([50_000.0]))
    assert scaled.replicas_by_hour.tolist() == directly.replicas_by_hour.tolist()
    assert scaled.machine_hours_per_day.tolist() == directly.machine_hours_per_day.tolist()


@settings(max_examples=30, deadline=None)
@given(
    requests_per_day=st.floats(1, 1e8),
    weights=st.lists(st.floats(0, 10), min_size=24, max_size=24).filter(lambda w: sum(w) > 1),
    slo=st.sampled_from([{}, {"quantile": 0.5}, {"ttft_s": 3.0}, {"ttft_s": 2.0, "tpot_s": 0.08, "quantile": 0.99}]),
    least=st.integers(1, 4),
)
def test_every_hour_has_whole_replicas_that_keep_the_promise_and_machines_for_them(
    stages, requests_per_day, weights, slo, least
):
    found = stages(work(requests_per_day, weights, **slo), min_replicas=least, models=("llama-8b",))
    sizing, service = found.sizing, service_of(found.speed)
    replicas = sizing.replicas_by_hour
    assert np.all(replicas == np.floor(replicas))
    assert replicas.min() >= least
    assert np.all(replicas >= sizing.load_by_hour)
    machines = np.ceil(replicas[sizing.pair_row] / sizing.pair_replicas_per_machine[:, None])
    starts = np.maximum(machines - np.roll(machines, 1, axis=1), 0).sum(axis=1)
    assert sizing.machine_hours_per_day == pytest.approx(machines.sum(axis=1) + starts * 7.5 / 60)
    assert sizing.peak_machines.tolist() == machines.max(axis=1).tolist()
    busiest = int(np.argmax(weights))
    arrivals = np.full(len(replicas), sizing.arrivals_of(0)[busiest])
    queue = answer(service, arrivals, replicas[:, busiest], Burstiness(), found.speed.workload.slo.quantile)
    assert queue.stable.all()
    if "ttft_s" in slo:  # read off a grid: right to a few hundredths
        assert np.all(queue.ttft_s <= slo["ttft_s"] * 1.05)
    else:
        assert np.all(queue.wait_at_quantile_s <= service.held_s[:, -1] * 1.05)


@settings(max_examples=40, deadline=None)
@given(volume=st.floats(1, 1e7), more=st.floats(1.0, 10.0))
def test_more_traffic_never_needs_fewer_machines(stages, volume, more):
    few, many = (stages(work(v, OFFICE), models=("llama-8b", "mixtral-8x7b")).sizing for v in (volume, volume * more))
    assert np.all(few.machine_hours_per_day <= many.machine_hours_per_day)
    assert np.all(few.peak_machines <= many.peak_machines)


@settings(max_examples=40, deadline=None)
@given(
    volume=st.floats(1, 1e7),
    ttft_s=st.one_of(st.none(), st.floats(0.5, 20.0)),
    tpot_s=st.one_of(st.none(), st.floats(0.03, 0.3)),
    looser=st.floats(1.0, 3.0),
    open_end=st.booleans(),
)
def test_a_looser_target_never_needs_more_machines(stages, volume, ttft_s, tpot_s, looser, open_end):
    def sized(**slo):
        return stages(work(volume, OFFICE, **slo), models=("llama-8b", "mixtral-8x7b"))

    tight = sized(ttft_s=ttft_s, tpot_s=tpot_s)
    wide = sized(ttft_s=None if open_end or ttft_s is None else ttft_s * looser, tpot_s=tpot_s and tpot_s * looser)
    place = {int(row): n for n, row in enumerate(wide.speed.rows)}
    same = np.array(
        [place[int(row)] for row in tight.speed.rows], dtype=np.int64
    )  # what keeps a target keeps a looser one
    assert np.all(wide.sizing.replicas_by_hour[same] <= tight.sizing.replicas_by_hour)


@settings(max_examples=40, deadline=None)
@given(
    volume=st.floats(1, 1e7),
    gaps=st.floats(0.5, 4.0),
    rate=st.floats(0.0, 0.8),
    more=st.floats(0.0, 1.0),
    ttft_s=st.sampled_from([None, 2.0]),
)
def test_arrivals_that_are_burstier_never_need_fewer_machines(stages, volume, gaps, rate, more, ttft_s):
    def replicas(**bursts):
        bursty = msgspec.structs.replace(work(volume, OFFICE, ttft_s=ttft_s), burstiness=Burstiness(**bursts))
        return stages(bursty, models=("llama-8b",)).sizing.replicas_by_hour

    calm = replicas(gap_variation=gaps, rate_variation=rate)
    assert np.all(calm <= replicas(gap_variation=gaps + more, rate_variation=rate))
    assert np.all(calm <= replicas(gap_variation=gaps, rate_variation=rate + more))


def test_load_is_counted_in_seconds_of_the_hour_it_falls_into(stages):
    hour = [0.0] * 24
    hour[9] = 1.0
    found = stages(work(3600, hour, quantile=0.5), stated=FIVE_SECONDS, **ONE_A10G)
    load = found.sizing.load_by_hour[0]
    assert load[9] == pytest.approx(3600 / SECONDS_PER_HOUR * 5)
    assert load.sum() == load[9]


def test_more_machines_than_any_fleet_that_was_computed_are_still_counted(stages):
    found = stages(work(1e13), stated=FIVE_SECONDS, **ONE_A10G)
    assert found.sizing.peak_machines[0] >= 1e13 * 5 / SECONDS_PER_DAY
