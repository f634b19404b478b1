import heapq
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.capacity.overflow import about_turned_away, share_turned_away

loads = st.floats(0.01, 500)


def erlang_b(places: int, load: float) -> float:
    """The textbook recursion, one place after the other."""
    share = 1.0
    for k in range(1, places + 1):
        share = load * share / (k + load * share)
    return share


@pytest.mark.parametrize("places", [0, 1, 2, 5, 16, 64, 256, 1000, 20_000])
@pytest.mark.parametrize("filled", [0.1, 0.5, 0.8, 0.95, 1.0, 1.1, 2.0, 50.0])
def test_the_share_turned_away_is_erlangs(places, filled):
    load = filled * max(places, 1)
    expected = erlang_b(places, load)
    found = float(share_turned_away(np.array(load), np.array(float(places))))
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-12)


@given(loads, st.floats(0, 800), st.floats(0, 800))
def test_more_places_never_turn_more_away(load, one, other):
    few, many = (float(share_turned_away(np.array(load), np.array(n))) for n in sorted((one, other)))
    assert many <= few * (1 + 1e-5)


@given(loads, st.floats(0, 800))
def test_at_least_the_excess_over_the_places_is_turned_away(load, places):
    assert float(share_turned_away(np.array(load), np.array(places))) >= (1 - places / load) * (1 - 1e-5)


def test_no_request_is_turned_away_where_none_comes():
    assert float(share_turned_away(np.array(0.0), np.array(0.0))) == 0.0


def test_the_rough_figure_is_near_the_exact_one_for_many_places():
    places = np.arange(900.0, 1100.0)
    exact = 1000 * share_turned_away(np.full_like(places, 1000.0), places)
    assert about_turned_away(np.full_like(places, 1000.0), places) == pytest.approx(exact, rel=0.15, abs=0.5)


def test_the_rough_figure_is_convex_in_the_places():
    falls = np.diff(about_turned_away(np.full(400, 100.0), np.arange(400.0)), 2)
    assert falls.min() > -1e-9


@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0], ids=["all alike", "as exponential", "long tail"])
def test_a_simulated_base_turns_away_what_the_formula_says_whatever_the_lengths(spread):
    random, places, load, requests = Random(7), 12, 10.0, 60_000
    mean = 1.0 if not spread else np.exp(spread**2 / 8)
    busy: list[float] = []
    now, away = 0.0, 0
    for _ in range(requests):
        now += random.expovariate(load)
        while busy and busy[0] <= now:
            heapq.heappop(busy)
        if len(busy) >= places:
            away += 1
        else:
            heapq.heappush(busy, now + random.lognormvariate(0.0, spread / 2) / mean)
    expected = float(share_turned_away(np.array(load), np.array(float(places))))
    assert away / requests == pytest.approx(expected, rel=0.06)
