import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.capacity.purchases import Purchases, Ways, bought_by_hour
from breakeven.capacity.spares import largest_mean, spares
from breakeven.capacity.valleys import Waiting, filled, work_by_hour
from breakeven.capacity.week import week_of
from breakeven.options.machines import Rents
from breakeven.options.terms import BY_THE_HOUR, Buying

HOURS = st.lists(st.integers(0, 9), min_size=24, max_size=24).filter(any)
STARTUPS = st.sampled_from([0.0, 0.125, 0.5, 1.0])
RATIOS = st.floats(0.05, 0.99)


def rents(buying):
    """One offer that is bought so."""
    nothing, no = np.full(1, np.nan), np.zeros(1, dtype=np.bool_)
    return Rents(
        usd_per_hour=nothing,
        beside_usd_per_hour=nothing,
        owned=no,
        spot=no,
        buyings=(buying,),
        buying=np.zeros(1, dtype=np.int64),
    )


def carrying(week, per_machine):
    """Whole machines at each level of some hours."""
    return np.ceil(week.levels[None] * 3 / per_machine) + 1


def bought(week, machines, ratio, startup_hours, fill=None):
    """What is bought at a committed price of ``ratio`` and a price on demand of 1: machines, hours, and USD a day."""
    ways = Ways.of(week, rents(Buying(commit_from=ratio)), startup_hours, 0.95, prices_count=True)
    found = Purchases.empty(1, ways)
    found.put(np.array([0]), machines, fill, ways)
    way = ways.way[0]
    committed, hours = found.committed[0, way], found.hours_per_day[0, way]
    return committed, hours, committed * 24 * ratio + hours


def paid_by_hand(by_hour, committed, startup_hours):
    """Machine-hours a day of the machines above those committed to, starts included, counted hour by hour."""
    above = np.maximum(by_hour - committed, 0)
    starts = sum(max(above[h] - above[h - 1], 0) for h in range(len(above)))
    return (above.sum() + startup_hours * starts) * 24 / len(above)


@settings(max_examples=60)
@given(hours=HOURS, per_machine=st.floats(0.1, 3.0), ratio=RATIOS, startup_hours=STARTUPS)
def test_no_other_number_of_committed_machines_costs_less(hours, per_machine, ratio, startup_hours):
    week = week_of(np.array(hours, dtype=float), startup_hours, fixed=False)
    machines = carrying(week, per_machine)
    committed, paid_hours, usd = bought(week, machines, ratio, startup_hours)
    by_hour = machines[0, week.level]
    assert paid_hours == pytest.approx(paid_by_hand(by_hour, committed, startup_hours))
    every = [k * 24 * ratio + paid_by_hand(by_hour, k, startup_hours) for k in range(int(by_hour.max()) + 2)]
    assert usd == pytest.approx(min(every))


@settings(max_examples=30)
@given(hours=HOURS, per_machine=st.floats(0.1, 3.0), ratio=RATIOS, startup_hours=STARTUPS)
def test_a_commitment_with_hours_beside_it_is_never_dearer_than_either_alone(hours, per_machine, ratio, startup_hours):
    week = week_of(np.array(hours, dtype=float), startup_hours, fixed=False)
    machines = carrying(week, per_machine)
    usd = bought(week, machines, ratio, startup_hours)[2]
    assert usd <= machines.max() * 24 * ratio + 1e-9
    assert usd <= paid_by_hand(machines[0, week.level], 0, startup_hours) + 1e-9


def test_a_commitment_that_is_no_cheaper_than_an_hour_is_not_made():
    week = week_of(np.array([1.0, 2.0, 3.0, 2.0]), 0.1, fixed=False)
    machines = carrying(week, 1.0)
    assert bought(week, machines, 1.0, 0.1)[:2] == (
        0.0,
        pytest.approx(paid_by_hand(machines[0, week.level], 0, 0.1)),
    )


def test_where_nothing_is_to_be_had_by_the_hour_the_busiest_hour_is_paid_in_all():
    week = week_of(np.array([1.0, 2.0, 3.0, 2.0]), 0.1, fixed=False)
    assert bought(week, carrying(week, 1.0), 0.0, 0.1)[:2] == (carrying(week, 1.0).max(), 0.0)


def test_a_fleet_carries_what_the_traffic_grows_to_while_one_more_machine_starts():
    week = week_of(np.array([1.0, 3.0, 2.0, 2.0]), 0.25, fixed=False)
    assert (week.levels[week.level] * 2).tolist() == [1.5, 3.0, 2.0, 2.0]


@settings(max_examples=30)
@given(hours=HOURS, per_machine=st.floats(0.1, 3.0), startup_hours=STARTUPS)
def test_machines_given_hour_by_hour_are_bought_as_those_of_levels_are(hours, per_machine, startup_hours):
    week = week_of(np.array(hours, dtype=float), startup_hours, fixed=False)
    machines = carrying(week, per_machine)
    ways = Ways.of(week, rents(BY_THE_HOUR), startup_hours, 0.95, prices_count=False)
    by_level = Purchases.empty(1, ways)
    by_level.put(np.array([0]), machines, None, ways)
    by_hour = bought_by_hour(machines[:, week.level], np.zeros((1, 1)), ways, np.array([0]))
    assert by_hour.hours_per_day == pytest.approx(by_level.hours_per_day)
    assert by_hour.peak.tolist() == by_level.peak.tolist()


@settings(max_examples=60)
@given(
    hours=HOURS,
    per_machine=st.floats(0.3, 3.0),
    work=st.floats(0.01, 9.0),
    ratio=RATIOS,
    startup_hours=STARTUPS,
    within_h=st.sampled_from([1.0, 3.0, 12.0, 24.0]),
)
def test_work_in_the_valleys_is_never_dearer_than_the_same_work_hour_by_hour(
    hours, per_machine, work, ratio, startup_hours, within_h
):
    traffic = np.array(hours, dtype=float) / np.mean(hours)
    week = week_of(traffic, startup_hours, fixed=False)
    machines = carrying(week, per_machine)
    load = np.array([3 / per_machine]), np.array([work])
    waiting = Waiting(load=load[1], within_h=within_h)
    fill = filled(machines, load, waiting, week, traffic, fixed=False)
    at_once = np.maximum(machines, np.ceil(week.levels * load[0] + work))
    before = bought(week, machines, ratio, startup_hours)[2]
    after = bought(week, fill.machines, ratio, startup_hours, fill)[2]
    flat = bought(week, at_once, ratio, startup_hours)[2]
    assert before - 1e-9 <= after <= flat + 1e-9


@settings(max_examples=60)
@given(hours=HOURS, per_machine=st.floats(0.3, 3.0), work=st.floats(0.01, 9.0))
def test_no_machine_hour_is_added_for_work_that_finds_room_and_no_more_than_it_lacks(hours, per_machine, work):
    traffic = np.array(hours, dtype=float) / np.mean(hours)
    week = week_of(traffic, 0.0, fixed=False)
    machines = carrying(week, per_machine)
    load = np.array([3 / per_machine]), np.array([work])
    fill = filled(machines, load, Waiting(load=load[1], within_h=24.0), week, traffic, fixed=False)
    standing = machines[0, week.level].sum()
    wanted = np.ceil((load[0][0] + work) * 24 - 1e-9)
    bill = fill.machines[0, week.level].sum() + fill.rest_hours_per_day[0]
    assert bill == pytest.approx(max(standing, wanted))
    assert np.all(fill.machines >= machines)


@settings(max_examples=40)
@given(hours=HOURS, per_machine=st.floats(0.3, 3.0), work=st.floats(0.01, 9.0), ratio=RATIOS)
def test_no_other_commitment_is_cheaper_where_work_waits_for_a_valley(hours, per_machine, work, ratio):
    traffic = np.array(hours, dtype=float) / np.mean(hours)
    week = week_of(traffic, 0.0, fixed=False)
    machines = carrying(week, per_machine)
    load = np.array([3 / per_machine]), np.array([work])
    fill = filled(machines, load, Waiting(load=load[1], within_h=24.0), week, traffic, fixed=False)
    usd = bought(week, fill.machines, ratio, 0.0, fill)[2]
    by_hour = machines[0, week.level]
    wanted = np.ceil((load[0][0] + work) * 24 - 1e-9)
    every = [
        k * 24 * ratio + max(np.maximum(by_hour - k, 0).sum(), wanted - 24 * k)
        for k in range(int(max(by_hour.max(), wanted / 24)) + 3)
    ]
    assert usd == pytest.approx(min(every))


@settings(max_examples=60)
@given(
    hours=HOURS,
    per_machine=st.floats(0.3, 3.0),
    work=st.floats(0.01, 9.0),
    within_h=st.sampled_from([1.0, 2.0, 6.0, 12.0, 23.0]),
)
def test_no_work_waits_longer_than_it_may(hours, per_machine, work, within_h):
    traffic = np.array(hours, dtype=float) / np.mean(hours)
    week = week_of(traffic, 0.0, fixed=False)
    load = np.array([3 / per_machine]), np.array([work])
    waiting = Waiting(load=load[1], within_h=within_h)
    fill = filled(carrying(week, per_machine), load, waiting, week, traffic, fixed=False)
    standing = fill.machines[:, week.level]
    emptiest = standing == fill.floor[:, None]
    standing = standing + emptiest * fill.rest_hours_per_day[:, None] / max(emptiest.sum(), 1)
    busy = load[0][:, None] * traffic
    done = work_by_hour(standing, busy, load[1], within_h)[0]
    assert np.all(busy[0] + done <= standing[0] + 1e-6)
    came, served = np.arange(1, 24 * 9 + 1) * work, np.cumsum(np.tile(done, 9))
    before = max((served - came).max(), 0.0)  # what waits at the beginning, so that there is always work to do
    oldest = (came + before - served) / work
    assert oldest.max() <= within_h + 1e-6


@settings(max_examples=20)
@given(machines=st.integers(1, 5000), away=st.floats(1e-4, 0.2), quantile=st.sampled_from([0.5, 0.95, 0.99]))
def test_spares_are_as_few_as_keep_enough_machines_at_work(machines, away, quantile):
    (few,) = spares(np.array([float(machines)]), away, quantile)
    random = np.random.default_rng(7)
    left = [machines + k - random.poisson((machines + k) * away, 20_000) for k in (few, few - 1)]
    assert (left[0] >= machines).mean() >= quantile - 0.02
    if few and few <= 256:
        assert (left[1] >= machines).mean() <= quantile + 0.02


def test_the_two_formulas_of_the_poisson_distribution_meet():
    assert np.all(np.diff(largest_mean(np.arange(200.0), 0.95), 2) > -1e-4)
