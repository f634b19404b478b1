"""Arrivals in phases: an exact chain beside textbooks and beside the answers for independent arrivals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from breakeven.capacity.phases import Queueing, chain, phases
from breakeven.capacity.queueing import answer
from breakeven.capacity.service import Service
from breakeven.workload.profile import Burstiness


def places(count, load, bursts):
    """So many servers of rate 1 each behind one line."""
    arrivals = phases(bursts, 0.95)
    shape = (1, count + 1, len(arrivals.rate))
    up = np.ones(shape) * load * count * arrivals.rate
    down = np.ones(shape) * np.arange(count + 1.0)[None, :, None]
    return chain(up, down, arrivals, Queueing(np.ones(1), np.ones(1), arrivals.rate[None]))


def test_independent_arrivals_are_the_queue_of_every_textbook():
    found = places(1, 0.8, Burstiness())
    assert found.waits.sum() == pytest.approx(0.8)
    assert found.again[0, 0] == pytest.approx(0.8)
    assert found.seen.sum() + found.above[0] == pytest.approx(1)
    both = places(2, 0.5, Burstiness()).waits.sum()  # Erlang's C of 1 among 2 places
    assert both == pytest.approx(1 / 3)


@pytest.mark.parametrize("variation", [1.2, 2.0, 4.0])
def test_gaps_that_vary_wait_as_the_root_of_the_renewal_queue_says(variation):
    often = (1 + np.sqrt((variation**2 - 1) / (variation**2 + 1))) / 2
    kinds = np.array([often, 1 - often])
    rates = 2 * kinds * 0.5
    root = brentq(lambda s: (kinds * rates / (rates + 1 - s)).sum() - s, 0.01, 0.9999)
    found = places(1, 0.5, Burstiness(gap_variation=variation))
    assert found.waits.sum().real == pytest.approx(root)
    assert found.again.real.max() == pytest.approx(root)


def test_gaps_have_the_variation_that_was_asked_for():
    arrivals = phases(Burstiness(gap_variation=2.0), 0.95)
    often, rate = arrivals.after[0], arrivals.rate
    mean, square = (often / rate).sum(), (often * 2 / rate**2).sum()
    assert mean == pytest.approx(1)
    assert np.sqrt(square - mean**2) == pytest.approx(2.0)


def fleet(burstiness, load, places=24, replicas=2.0, quantile=0.95):
    levels = np.arange(1.0, places + 1)[None]
    service = Service(
        concurrency=levels, held_s=2 + 0.2 * levels, ttft_s=0.1 + 0.01 * levels, tpot_s=0.01 + 0.002 * levels
    )
    rate = load * replicas * service.full_rate_per_s
    return answer(service, rate, np.array([replicas]), burstiness, quantile)


def test_a_rate_that_hardly_stays_is_that_of_independent_arrivals_and_one_that_stays_long_is_met_where_it_reaches():
    still = fleet(Burstiness(), 0.7)
    brief = fleet(Burstiness(rate_variation=0.2, rate_stays_s=0.01), 0.7)
    long = fleet(Burstiness(rate_variation=0.2, rate_stays_s=1e6), 0.7)
    unknown = fleet(Burstiness(rate_variation=0.2), 0.7)
    for name in ("mean_in_flight", "mean_tpot_s", "tpot_s"):
        assert getattr(brief, name)[0] == pytest.approx(getattr(still, name)[0], rel=0.01)
        assert getattr(long, name)[0] == pytest.approx(getattr(unknown, name)[0], rel=0.02)
    assert brief.wait_probability[0] == pytest.approx(still.wait_probability[0], abs=0.01)
    assert long.wait_probability[0] == pytest.approx(unknown.wait_probability[0], abs=0.02)


def test_levels_of_several_requests_say_what_single_requests_say(monkeypatch):
    moving = Burstiness(rate_variation=0.15, rate_stays_s=60.0)
    exact = fleet(moving, 0.9, places=80)
    monkeypatch.setattr("breakeven.capacity.chains.NODES_IN_PHASES", 40)
    wide = fleet(moving, 0.9, places=80)
    for name, within in (("mean_in_flight", 0.01), ("wait_probability", 0.05), ("tpot_s", 0.02), ("wait_s", 0.05)):
        assert getattr(wide, name)[0] == pytest.approx(getattr(exact, name)[0], rel=within)


def two_fleets(places):
    levels = np.stack([np.linspace(1.0, most, 8) for most in places])
    return Service(concurrency=levels, held_s=2 + 0.2 * levels, ttft_s=0.1 * levels, tpot_s=0.01 * levels)


@pytest.mark.parametrize(
    ("places", "replicas", "bursts"),
    [
        ((6.0, 30.0), (1.0, 2.0), Burstiness(gap_variation=1.5, rate_variation=0.1, rate_stays_s=30.0)),
        ((8.0, 128.0), (1.0, 1.0), Burstiness(gap_variation=3.0)),
        ((8.0, 128.0), (1.0, 1.0), Burstiness(gap_variation=3.0, rate_variation=0.1, rate_stays_s=30.0)),
    ],
    ids=["of different size", "a small one beside a large one", "both of them in phases"],
)
def test_fleets_that_are_asked_about_together_are_answered_as_if_each_were_alone(places, replicas, bursts):
    service, fleets = two_fleets(places), np.array(replicas)
    rate = 0.8 * fleets * service.full_rate_per_s
    together = answer(service, rate, fleets, bursts, 0.95)
    for row in (0, 1):
        one = slice(row, row + 1)
        alone = answer(service.take(one), rate[one], fleets[one], bursts, 0.95)
        for name in ("mean_in_flight", "wait_probability", "ttft_s", "tpot_s", "mean_tpot_s", "wait_s"):
            assert getattr(together, name)[row] == pytest.approx(getattr(alone, name)[0]), name


def test_of_no_fleet_nothing_is_told():
    nobody = two_fleets((8.0, 128.0)).take(slice(0))
    assert len(answer(nobody, np.empty(0), np.empty(0), Burstiness(gap_variation=3.0), 0.95).ttft_s) == 0


@settings(max_examples=40, deadline=None)
@given(
    load=st.floats(0.02, 0.98),
    more=st.floats(0.0, 0.3),
    places=st.integers(1, 300),
    replicas=st.sampled_from([1.0, 3.0, 16.0]),
    bursts=st.builds(
        Burstiness,
        gap_variation=st.floats(1.0, 3.0),
        rate_variation=st.floats(0.01, 0.4),
        rate_stays_s=st.floats(1.0, 3600.0),
    ),
)
def test_shares_are_shares_and_more_arrivals_are_never_served_sooner(load, more, places, replicas, bursts):
    few, many = (fleet(bursts, part, places, replicas) for part in (load, load * (1 + more)))
    for one in (few, many):
        assert -1e-9 <= one.wait_probability[0] <= 1 + 1e-9
        assert 0 <= one.mean_in_flight[0] <= places * replicas * (1 + 1e-9)
        assert one.wait_s[0] >= -1e-9
    for name in ("utilisation", "mean_in_flight", "wait_probability", "wait_s", "ttft_s", "mean_tpot_s"):
        assert getattr(few, name)[0] <= getattr(many, name)[0] * (1 + 1e-5) + 1e-9, name
