"""The replay: nothing is lost, the same seed gives the same answer, and queues that have a formula obey it."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.capacity import simulate as simulated
from breakeven.capacity.simulate import Arrivals, Autoscaling, Curve, Failure, Fleet, can_compile, simulate
from breakeven.errors import SpecError

COMPILED = pytest.mark.skipif(
    not can_compile(),
    reason="numba (the extra `replay`, which `make install` brings) is not installed",
)


def curve(held_s, **more):
    """A replica whose requests are one piece of work each."""
    held = np.asarray(held_s, dtype=np.float64)
    plain = {"ttft_s": np.zeros_like(held), "tpot_s": np.zeros_like(held), "tokens": 0.0}
    return Curve(held_s=held, **plain | more)


def tokens_curve(places=16, tokens=99.0, **more):
    """A replica that generates: 10 ms a token alone, slower with each request more."""
    k = np.arange(1.0, places + 1)
    tpot, enter = 0.01 + 0.001 * k, 0.05 + 0.01 * k
    return Curve(held_s=enter + tokens * tpot, ttft_s=enter, tpot_s=tpot, tokens=tokens, **more)


def arrivals(at_s, work=None, need=None, longer_s=None):
    count = len(at_s)
    return Arrivals(
        at_s=np.asarray(at_s, dtype=np.float64),
        work=np.ones(count) if work is None else np.asarray(work, dtype=np.float64),
        longer_s=np.zeros(count) if longer_s is None else np.asarray(longer_s, dtype=np.float64),
        need=np.zeros(count) if need is None else np.asarray(need, dtype=np.float64),
    )


def independent(count, per_s, seed=1, work=None):
    """Poisson arrivals, the first at 0, with exponential work unless told otherwise."""
    rng = np.random.default_rng(seed)
    at_s = np.cumsum(rng.exponential(1 / per_s, count))
    return arrivals(at_s - at_s[0], rng.exponential(1.0, count) if work is None else np.full(count, work))


def erlang_b(places, offered):
    """The share that finds all places taken and goes away."""
    lost = 1.0
    for n in range(1, places + 1):
        lost = offered * lost / (n + offered * lost)
    return lost


def erlang_c(places, offered):
    """The share that finds all places taken and waits."""
    lost = erlang_b(places, offered)
    return lost / (1 - offered / places * (1 - lost))


def same(one, other):
    """Two replays, to the bit."""
    names = [field.name for field in fields(one)]
    return all(np.array_equal(getattr(one, n), getattr(other, n), equal_nan=n == "tpot_s") for n in names)


EVENTFUL = Fleet(
    machines=2,
    per_machine=2,
    queue_limit=3,
    autoscaling=Autoscaling(target=6.0, most=5, period_s=20.0, cooldown_s=40.0, starts_in_s=(30.0, 60.0)),
    failures=(Failure(at_s=50.0, replica=1, away_s=30.0), Failure(at_s=200.0, away_s=50.0)),
)


def eventful(count=3000):
    """A day in minutes: a crowd, a lull, prompts of all lengths."""
    rng = np.random.default_rng(3)
    at_s = np.sort(np.concatenate([rng.uniform(0, 150, count // 2), rng.uniform(0, 600, count - count // 2)]))
    return arrivals(
        at_s - at_s[0], rng.integers(0, 300, count), rng.exponential(1.0, count), rng.exponential(0.02, count)
    )


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    traffic=st.tuples(st.floats(0.5, 60.0), st.integers(1, 4)),
    limit=st.none() | st.integers(0, 5),
    one_line=st.booleans(),
    fails=st.lists(st.tuples(st.floats(0, 20), st.integers(0, 3), st.floats(0.1, 30)), max_size=3),
    grows=st.booleans(),
)
def test_every_request_is_answered_or_sent_elsewhere_and_none_twice(seed, traffic, limit, one_line, fails, grows):
    (per_s, machines), rng = traffic, np.random.default_rng(seed)
    at_s = np.cumsum(rng.exponential(1 / per_s, 120))
    came = arrivals(at_s - at_s[0], rng.integers(0, 60, 120), rng.exponential(1.0, 120), rng.exponential(0.05, 120))
    scaling = Autoscaling(target=4.0, most=machines + 2, period_s=2.0, cooldown_s=4.0, starts_in_s=(1.0, 5.0))
    fleet = Fleet(
        machines=machines,
        queue_limit=limit,
        one_line=one_line,
        autoscaling=scaling if grows else None,
        failures=tuple(Failure(at_s=t, replica=r, away_s=a) for t, r, a in fails if r < machines),
    )
    found = simulate(tokens_curve(places=4, room=4.0), came, fleet, seed)
    everyone = np.concatenate([found.served, found.overflowed, found.too_long])
    assert sorted(everyone) == list(range(120))
    assert len(found.overflowed) == 0 or limit is not None
    assert set(found.too_long) == set(np.flatnonzero(came.need > 4.0))
    assert np.all(found.wait_s >= 0)
    assert np.all(found.in_flight_s > 0)
    assert np.all((found.joined >= 1) & (found.joined <= 4))
    assert found.utilisation > 0
    assert found.machine_hours * 3600 <= (machines + 2) * 2 * found.duration_s + 1e-6


def test_the_same_seed_gives_the_same_replay_and_another_one_other_starts():
    first, again = (simulate(tokens_curve(room=8.0), eventful(), EVENTFUL, seed=5) for _ in range(2))
    assert same(first, again)
    assert first.starts > 0
    assert first.retried > 0
    assert len(first.overflowed) > 0
    other = simulate(tokens_curve(room=8.0), eventful(), EVENTFUL, seed=6)
    assert not same(first, other)


@COMPILED
@pytest.mark.parametrize("one_line", [False, True])
def test_compiled_and_plain_python_agree_to_the_bit(one_line):
    fleet = replace(EVENTFUL, one_line=one_line)
    plain = simulate(tokens_curve(room=8.0), eventful(), fleet, compiled=False)
    quick = simulate(tokens_curve(room=8.0), eventful(), fleet, compiled=True)
    assert same(plain, quick)


def test_without_numba_asking_for_the_compiled_loop_names_the_extra(monkeypatch):
    monkeypatch.setattr(simulated, "can_compile", lambda: False)
    simulated._compiled.cache_clear()
    with pytest.raises(SpecError, match="extra `replay`"):
        simulate(curve([1.0]), arrivals([0.0]), Fleet(machines=1), compiled=True)
    assert simulate(curve([1.0]), arrivals([0.0]), Fleet(machines=1)).response_s.tolist() == [1.0]


@pytest.mark.parametrize("work", [None, 1.0], ids=["exponential lengths", "equal lengths"])
def test_a_server_shared_by_all_answers_in_one_over_mu_less_lambda_whatever_the_lengths(work):
    shared = curve(np.arange(1.0, 201.0))  # k requests take k times as long
    found = simulate(shared, independent(40_000, 0.7, work=work), Fleet(machines=1))
    assert found.response_s.mean() == pytest.approx(1 / (1 - 0.7), rel=0.06)
    assert found.utilisation == pytest.approx(0.7, rel=0.02)


def test_places_that_do_not_slow_each_other_wait_as_erlang_says():
    found = simulate(curve(np.ones(10)), independent(40_000, 8.5), Fleet(machines=1))
    waits = erlang_c(10, 8.5)
    assert (found.wait_s > 0).mean() == pytest.approx(waits, rel=0.06)
    assert found.wait_s.mean() == pytest.approx(waits / (10 - 8.5), rel=0.1)


def test_one_line_before_ten_single_places_is_the_same_queue():
    one = simulate(curve(np.ones(10)), independent(5000, 8.5), Fleet(machines=1))
    ten = simulate(curve([1.0]), independent(5000, 8.5), Fleet(machines=10, one_line=True))
    assert np.allclose(one.wait_s, ten.wait_s)


def test_with_no_room_to_wait_the_overflow_is_what_erlang_says():
    found = simulate(curve(np.ones(10)), independent(40_000, 8.0), Fleet(machines=1, queue_limit=0))
    assert len(found.overflowed) / 40_000 == pytest.approx(erlang_b(10, 8.0), rel=0.06)
    assert found.wait_s.max() == 0


def test_a_request_alone_takes_what_the_curve_says():
    alone = tokens_curve()
    found = simulate(alone, arrivals([0.0], work=[99.0]), Fleet(machines=1))
    assert found.ttft_s[0] == pytest.approx(0.06)
    assert found.tpot_s[0] == pytest.approx(0.011)
    assert found.response_s[0] == pytest.approx(alone.held_s[0])


def test_a_longer_prompt_delays_the_first_token_by_its_own_prefill():
    found = simulate(tokens_curve(), arrivals([0.0, 100.0], [99.0, 99.0], longer_s=[0.0, 2.0]), Fleet(machines=1))
    assert found.ttft_s[1] - found.ttft_s[0] == pytest.approx(2.0)


def test_those_who_wait_are_served_in_the_order_in_which_they_came():
    found = simulate(curve([1.0]), arrivals([0.0, 0.1, 0.2, 0.3]), Fleet(machines=1))
    assert np.allclose(found.wait_s, [0.0, 0.9, 1.8, 2.7])


def test_requests_go_to_the_replica_with_the_fewest():
    found = simulate(curve([1.0, 2.0]), arrivals([0.0, 0.1, 0.2]), Fleet(machines=2))
    assert found.joined.tolist() == [1, 1, 2]


def test_memory_bounds_the_requests_at_a_time_as_places_do():
    roomy = simulate(curve(np.ones(8), room=8.0), arrivals([0.0] * 8, need=[2.0] * 8), Fleet(machines=1))
    assert sorted(roomy.wait_s) == [0.0] * 4 + [1.0] * 4
    assert simulated.places_of(curve(np.ones(8), room=8.0), arrivals([0.0], need=[2.0])) == 4


def test_a_request_beyond_the_memory_of_a_replica_is_never_let_in():
    found = simulate(curve(np.ones(8), room=8.0), arrivals([0.0, 0.1], need=[9.0, 1.0]), Fleet(machines=1))
    assert found.too_long.tolist() == [0]
    assert found.served.tolist() == [1]


def test_a_new_machine_serves_only_after_it_has_started():
    scaling = Autoscaling(target=1.0, most=4, period_s=60.0, starts_in_s=(420.0, 420.0))
    crowd = arrivals(np.arange(0.0, 1800.0, 0.5))  # 2 a second, of 1 s each: two replicas' work
    found = simulate(curve([1.0]), crowd, Fleet(machines=1, autoscaling=scaling))
    up = dict(zip(found.sample_s.tolist(), found.samples[0].tolist(), strict=True))
    paid = dict(zip(found.sample_s.tolist(), found.samples[1].tolist(), strict=True))
    assert max(up[t] for t in up if t < 60 + 420) == 1  # ordered at the first look, 60 s in
    assert max(paid[t] for t in paid if 60 < t < 480) == 4
    assert max(up[t] for t in up if 480 < t < 600) == 4
    assert found.wait_s.max() > 200  # the queue of seven minutes


def test_after_a_crowd_machines_go_one_cool_down_after_the_last_change():
    scaling = Autoscaling(target=2.0, most=4, cooldown_s=300.0, starts_in_s=(60.0, 60.0))
    at_s = np.concatenate([np.arange(0.0, 600.0, 0.25), np.arange(600.0, 3600.0, 5.0)])
    found = simulate(curve([1.0, 1.5]), arrivals(at_s), Fleet(machines=1, autoscaling=scaling))
    assert found.samples[0].max() == 4
    assert found.samples[0][-1] == 1
    assert found.scaled_in >= 1
    always = simulate(curve([1.0, 1.5]), arrivals(at_s), Fleet(machines=4))
    assert found.machine_hours < always.machine_hours


def test_a_machine_that_leaves_answers_what_it_holds_and_is_paid_until_then():
    scaling = Autoscaling(target=10.0, most=2, period_s=10.0, cooldown_s=10.0)
    long = arrivals([0.0, 0.0], work=[100.0, 100.0])  # 100 s each, one on each of two machines
    found = simulate(curve(np.ones(4)), long, Fleet(machines=2, autoscaling=scaling))
    assert found.scaled_in == 1
    assert found.response_s.tolist() == [100.0, 100.0]
    assert found.machine_hours * 3600 == pytest.approx(200.0)


def test_what_a_failing_replica_held_begins_again_on_the_others():
    fleet = Fleet(machines=2, failures=(Failure(at_s=0.5, replica=0, away_s=600.0),))
    found = simulate(curve([1.0, 1.0]), arrivals([0.0, 0.1]), fleet)
    assert found.retried == 1
    assert found.response_s == pytest.approx([1.5, 1.0])


def test_a_request_whose_prompt_is_being_read_begins_again_too():
    fleet = Fleet(machines=2, failures=(Failure(at_s=0.03, replica=0, away_s=600.0),))
    found = simulate(tokens_curve(), arrivals([0.0], work=[99.0]), fleet)
    assert found.retried == 1
    assert found.ttft_s[0] == pytest.approx(0.03 + 0.06)


def test_a_fleet_of_one_that_fails_makes_all_wait_until_it_is_back():
    fleet = Fleet(machines=1, failures=(Failure(at_s=0.5, away_s=60.0),))
    found = simulate(curve([1.0, 1.0]), arrivals([0.0, 30.0]), fleet)
    assert found.wait_s == pytest.approx([60.5, 30.5])
    assert found.replica_hours * 3600 == pytest.approx(1.5)
    assert found.machine_hours * 3600 == pytest.approx(61.5)


def test_more_replicas_never_make_the_mean_wait_longer():
    came = independent(4000, 5.0)
    waits = [simulate(curve(np.ones(2)), came, Fleet(machines=n)).wait_s.mean() for n in (3, 4, 6, 9)]
    assert waits == sorted(waits, reverse=True)


def test_a_load_of_one_or_more_is_seen_before_the_queue_has_grown():
    assert simulate(curve(np.ones(2)), independent(2000, 5.0), Fleet(machines=2)).load == pytest.approx(1.25, rel=0.05)


def test_the_progress_ends_at_one_and_never_goes_back():
    told: list[float] = []
    simulate(curve([1.0]), independent(500, 0.5), Fleet(machines=1), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


@pytest.mark.parametrize(
    ("came", "fleet", "words"),
    [
        (arrivals([]), Fleet(machines=1), "0 requests"),
        (arrivals([0.0]), Fleet(machines=50_000_000), "replicas of 1 places"),
    ],
)
def test_what_cannot_be_replayed_is_refused_in_one_message(came, fleet, words):
    with pytest.raises(SpecError, match=words):
        simulate(curve([1.0]), came, fleet)


def test_numbers_stay_finite_over_a_long_time():
    far = arrivals([0.0, 1e9, 1e9 + 0.5])
    assert all(math.isfinite(value) for value in simulate(curve([1.0]), far, Fleet(machines=1)).response_s)
