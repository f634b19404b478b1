"""The closed forms against an exact event simulation, and against textbooks where these have an answer."""

import heapq
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.capacity.bursts import peakedness, raised, rates
from breakeven.capacity.largest_load import KNOTS, Promise, capacities, largest, shared_of
from breakeven.capacity.queueing import answer
from breakeven.capacity.service import Service
from breakeven.workload.profile import Burstiness

POISSON = Burstiness()


def service(places, alone_s, more_s):
    """A replica in which a request stays ``alone_s`` and so much more for each that is in it, itself included."""
    levels = np.unique(np.round(np.geomspace(1, places, 16)))
    held = alone_s + more_s * levels
    return Service(concurrency=levels[None], held_s=held[None], ttft_s=0.1 * held[None], tpot_s=held[None] / 100)


def asked(replica, load, replicas, bursts=POISSON, quantile=0.95):
    rate = load * replicas * replica.full_rate_per_s
    return answer(replica, rate, np.array([float(replicas)]), bursts, quantile)


class Replica:
    """One replica of an exact event simulation: its requests share its speed, the others wait in line."""

    def __init__(self, kind):
        every = np.arange(1.0, kind.cap[0] + 1)
        self.held_s = [0.0, *kind.at(kind.held_s, every[None])[0]]
        self.served, self.queued = [], []
        self.work, self.at_s = 0.0, 0.0

    def __len__(self):
        return len(self.served) + len(self.queued)

    def go_to(self, now_s):
        """Everybody gets so much further as one of so many does."""
        if self.served:
            self.work += (now_s - self.at_s) / self.held_s[len(self.served)]
        self.at_s = now_s

    def next_end_s(self):
        if not self.served:
            return math.inf
        return self.at_s + (self.served[0][0] - self.work) * self.held_s[len(self.served)]

    def come(self, request):
        if len(self.served) < len(self.held_s) - 1:
            heapq.heappush(self.served, (self.work + request[1], self.at_s, *request))
        else:
            self.queued.append(request)

    def end(self):
        """The time per unit of its length that the next request to end took."""
        _, begun_s, _, length = heapq.heappop(self.served)
        if self.queued:
            self.come(self.queued.pop(0))
        return (self.at_s - begun_s) / length


def paces(kind, replicas, arrivals_s, seed):
    """Time per token of every request, by an event simulation with lengths that spread a lot."""
    rng = np.random.default_rng(seed)
    lengths, ties = rng.lognormal(-0.5, 1.0, len(arrivals_s)), rng.random(len(arrivals_s))
    fleet, found = [Replica(kind) for _ in range(replicas)], []
    for n, now_s in enumerate(arrivals_s):
        while (first := min(fleet, key=Replica.next_end_s)).next_end_s() <= now_s:
            first.go_to(first.next_end_s())
            found.append(first.end() / 100)
        least = [replica for replica in fleet if len(replica) == min(map(len, fleet))]
        chosen = least[int(ties[n] * len(least))]
        chosen.go_to(now_s)
        chosen.come((n, lengths[n]))
    return np.array(found[len(found) // 20 :])


def many_fleets(kind, replicas, load, steps, fleets=600):
    """Mean number in service, share that waits and p95 of the time to the first token.

    Many fleets at once, as Markov chains in steps of equal rate; exact for lengths that are exponential.
    """
    rng, places, full = np.random.default_rng(7), int(kind.cap[0]), kind.full_rate_per_s[0]
    every = np.arange(places + 1.0)
    leaves = every / kind.at(kind.held_s, every[None])[0] / full
    present = np.full((fleets, replicas), int(0.8 * places))
    row = np.arange(fleets)
    in_service, joined, chance = [], [], load / (load + 1)
    for step in range(steps):
        comes = rng.random(fleets) < chance
        noise = rng.random((fleets, replicas))
        least = np.argmin(present + noise * 0.5, axis=1)
        other = rng.integers(0, replicas, fleets)
        ends = ~comes & (rng.random(fleets) < leaves[np.minimum(present[row, other], places)])
        if step > steps // 2:
            in_service.append(np.minimum(present, places).sum(axis=1).mean())
            joined.append(present[row, least][comes] + 1)
        present[row, least] += comes
        present[row, other] -= ends
    joined = np.concatenate(joined)
    ahead = np.maximum(joined - places, 0)
    wait_s = rng.gamma(np.maximum(ahead, 1), 1 / full) * (ahead > 0)
    first_s = wait_s + kind.at(kind.ttft_s, np.minimum(joined, places)[None].astype(float))[0]
    return np.mean(in_service), np.mean(ahead > 0), np.quantile(first_s, 0.95)


LLM = service(16, 2.0, 0.2)
"""Alone 2.2 s, full 5.2 s: decode steps that take longer with more requests in them."""


@pytest.mark.parametrize("replicas", [1, 2, 8])
@pytest.mark.parametrize(("load", "steps"), [(0.2, 800), (0.5, 1200), (0.8, 12000), (0.95, 12000)])
def test_closed_forms_keep_within_5_per_cent_on_means_and_10_per_cent_on_p95_of_exact_chains(load, steps, replicas):
    found = asked(LLM, load, replicas)
    in_service, waits, first_s = many_fleets(LLM, replicas, load, steps)
    assert found.mean_in_flight[0] == pytest.approx(in_service, rel=0.05)
    assert found.ttft_s[0] == pytest.approx(first_s, rel=0.10)
    assert found.wait_probability[0] == pytest.approx(waits, rel=0.10, abs=0.02)


@pytest.mark.parametrize("replicas", [1, 4])
@pytest.mark.parametrize("load", [0.2, 0.6, 0.9])
def test_the_time_per_token_is_that_of_an_event_simulation_with_lengths_of_any_kind(load, replicas):
    found = asked(LLM, load, replicas)
    rate = load * replicas * LLM.full_rate_per_s[0]
    pace = paces(LLM, replicas, np.cumsum(np.random.default_rng(5).exponential(1 / rate, 12_000)), 1)
    assert found.mean_tpot_s[0] == pytest.approx(pace.mean(), rel=0.05)
    assert found.tpot_s[0] == pytest.approx(np.quantile(pace, 0.95), rel=0.10)


def test_a_rate_that_moves_within_the_hour_is_met_where_it_reaches():
    rng, load, moves = np.random.default_rng(3), 0.5, 0.2
    rate = load * 4 * LLM.full_rate_per_s[0]
    spans = []
    for minute in range(100):
        now = rate * rng.gamma(1 / moves**2, moves**2)
        spans.append(60 * minute + 60 * np.sort(rng.random(rng.poisson(60 * now))))
    pace = paces(LLM, 4, np.concatenate(spans), 1)
    found = asked(LLM, load, 4, Burstiness(rate_variation=moves))
    assert found.tpot_s[0] == pytest.approx(np.quantile(pace, 0.95), rel=0.10)
    assert found.tpot_s[0] > asked(LLM, load, 4).tpot_s[0]


def test_one_at_a_time_is_the_queue_of_every_textbook():
    one = service(1, 1.0, 0.0)
    for load in (0.1, 0.5, 0.9):
        found = asked(one, load, 1)
        assert found.wait_probability[0] == pytest.approx(load, rel=1e-6)
        assert found.wait_s[0] == pytest.approx(load / (1 - load), rel=1e-6)
        assert found.wait_at_quantile_s[0] == pytest.approx(max(math.log(load / 0.05) / (1 - load), 0.0), rel=1e-6)


def test_a_replica_that_all_requests_share_holds_a_geometric_number_of_them():
    shared = service(200, 0.0, 1.0)
    assert asked(shared, 0.6, 1).mean_in_flight[0] == pytest.approx(0.6 / 0.4, rel=1e-6)


def test_a_replica_in_which_requests_do_not_meet_waits_by_erlang_s_formula():
    places, offered = 20, 16.0
    terms = [offered**k / math.factorial(k) for k in range(places)]
    last = offered**places / math.factorial(places) / (1 - offered / places)
    found = asked(service(places, 3.0, 0.0), offered / places, 1)
    assert found.wait_probability[0] == pytest.approx(last / (sum(terms) + last), rel=1e-6)


def test_an_overloaded_fleet_is_told_how_many_replicas_it_lacks_and_no_time():
    found = answer(LLM, 12.5 * LLM.full_rate_per_s, np.array([4.0]), POISSON, 0.95)
    assert not found.stable[0]
    assert found.least_replicas[0] == 13
    assert found.utilisation[0] == pytest.approx(12.5 / 4)
    assert np.isinf([found.ttft_s[0], found.wait_s[0], found.wait_at_quantile_s[0]]).all()
    assert found.wait_probability[0] == 1


def test_a_fleet_that_is_exactly_full_is_overloaded():
    assert not asked(LLM, 1.0, 3).stable[0]


def test_rows_do_not_depend_on_each_other():
    both = Service(**{n: np.vstack([getattr(LLM, n)] * 2) for n in ("concurrency", "held_s", "ttft_s", "tpot_s")})
    rate = LLM.full_rate_per_s[0] * np.array([0.5, 7.0])
    found = answer(both, rate, np.array([1.0, 8.0]), POISSON, 0.99)
    for row, (arrivals, replicas) in enumerate(zip(rate, (1.0, 8.0), strict=True)):
        alone = answer(LLM, np.array([arrivals]), np.array([replicas]), POISSON, 0.99)
        assert found.ttft_s[row] == pytest.approx(alone.ttft_s[0])
        assert found.tpot_s[row] == pytest.approx(alone.tpot_s[0])


def test_a_fleet_of_ten_thousand_replicas_is_as_its_mean():
    found = asked(LLM, 0.9, 10_000)
    assert found.wait_probability[0] < 1e-6
    assert found.tpot_s[0] == pytest.approx(found.mean_tpot_s[0], rel=0.03)


@settings(max_examples=60, deadline=None)
@given(
    replica=st.builds(service, st.integers(1, 64), st.floats(0.01, 10.0), st.floats(0.0, 1.0)),
    replicas=st.integers(1, 20),
    load=st.floats(0.01, 0.99),
    more=st.floats(0.0, 0.5),
    bursts=st.builds(Burstiness, gap_variation=st.floats(0.5, 3.0), rate_variation=st.floats(0.0, 0.4)),
)
def test_more_arrivals_are_never_served_sooner(replica, replicas, load, more, bursts):
    few, many = (asked(replica, load * factor, replicas, bursts) for factor in (1.0, 1.0 + more))
    for name in (
        "utilisation",
        "mean_in_flight",
        "wait_probability",
        "wait_s",
        "wait_at_quantile_s",
        "ttft_s",
        "tpot_s",
    ):
        low, high = getattr(few, name)[0], getattr(many, name)[0]
        assert low <= high * (1 + 1e-6) + 1e-9, name
    assert 0 <= few.wait_probability[0] <= 1


@settings(max_examples=60, deadline=None)
@given(
    places=st.integers(2, 200),
    alone_s=st.floats(0.05, 10.0),
    more_s=st.floats(0.0, 0.5),
    replicas=st.sampled_from([1.0, 2.0, 8.0, 32.0]),
    patience=st.sampled_from([0.0, 0.5, 5.0]),
    quantile=st.sampled_from([0.5, 0.9, 0.95, 0.99]),
)
def test_the_largest_load_of_the_grid_is_that_of_the_queue(places, alone_s, more_s, replicas, patience, quantile):
    replica = service(places, alone_s, more_s)
    held = replica.at(replica.held_s, np.array([[places / 2.0, float(places)]]))[0]
    promise = Promise(
        places=np.array([float(places)]),
        shared=shared_of(held[1:], held[:1]),
        patience=np.array([patience]),
        quantile=quantile,
        burstiness=POISSON,
    )
    first, carried = capacities(promise, np.array([replicas]), np.array([replicas * 1.01]))
    fleet = KNOTS[first[0]]
    load = carried[0, 0] / fleet
    allowed_s = patience / replica.full_rate_per_s[0]
    late = asked(replica, load * 0.98, int(fleet), quantile=quantile).wait_at_quantile_s[0]
    assert late <= allowed_s + 1e-9
    assert carried[0, 0] <= fleet


def test_the_largest_load_rises_with_the_fleet_and_falls_with_bursts():
    size, apart = np.geomspace(0.2, 5000, 200), np.full(200, 0.7)
    assert np.all(np.diff(largest(size, apart, 3.0)) > -1e-12)
    assert np.all(largest(size, apart, 3.0) >= largest(size, apart, 4.0))


def test_bursts_that_are_none_change_nothing_and_gaps_more_even_than_chance_count_as_chance():
    assert peakedness(POISSON) == peakedness(Burstiness(gap_variation=0.3)) == 1
    assert raised(POISSON, 0.95) == 0
    factor, share = rates(Burstiness(rate_variation=0.3), 0.95)
    assert factor @ share == pytest.approx(1)
    assert share.sum() == pytest.approx(1)
