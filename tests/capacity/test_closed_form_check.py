"""The grid that holds the closed forms to the replay, on a few of its points."""

from dataclasses import replace

import numpy as np
import pytest

from breakeven.capacity import closed_form_check as check
from breakeven.capacity.closed_form_check import BURSTS, KINDS, LOADS, checked, grid
from breakeven.workload.profile import Burstiness

TYPICAL = next(kind for kind in KINDS if kind.name == "typical")
BURSTY = Burstiness(gap_variation=2.0)
MOVING = Burstiness(rate_variation=0.1, rate_stays_s=check.RATE_STAYS_S)


def cells(**axes):
    return grid(**{"kinds": [TYPICAL], "replicas": [1], "loads": [0.5], "bursts": [Burstiness()]} | axes)


def test_the_grid_goes_from_light_load_to_95_percent_over_all_kinds_of_replica():
    assert len(grid()) == len(KINDS) * 3 * len(BURSTS) * len(LOADS)
    assert (min(LOADS), max(LOADS)) == (0.1, 0.95)
    assert {kind.places for kind in KINDS} >= {1, 256}


def test_the_closed_form_keeps_its_bounds_at_a_few_points():
    found = list(checked(cells(replicas=[1, 4], loads=[0.3, 0.8]), shorter=4))
    assert len(found) == 4 * 6
    assert [figure for figure in found if figure.broken] == []


def test_a_closed_form_that_is_wrong_by_a_fifth_is_found(monkeypatch):
    right = check.answer

    def wrong(*asked):
        found = right(*asked)
        return replace(found, mean_in_flight=found.mean_in_flight * 1.2, ttft_s=found.ttft_s * 1.2)

    monkeypatch.setattr(check, "answer", wrong)
    broken = {figure.name for figure in checked(cells(), shorter=4) if figure.broken}
    assert {"in service, mean", "TTFT, p95"} <= broken


def test_it_keeps_them_where_bursts_meet_few_requests_and_where_a_rate_that_moves_fills_the_fleet():
    few = replace(TYPICAL, name="one", places=1)
    lone = cells(kinds=[few], loads=[0.3], bursts=[BURSTY])
    full = cells(loads=[0.9], bursts=[MOVING])
    found = list(checked([*lone, *full]))
    assert len(found) == 2 * 6
    assert [figure for figure in found if figure.broken] == []


def test_the_traffic_has_the_rate_and_the_bursts_that_the_closed_form_is_asked_for():
    for bursts, variation in ((Burstiness(), 1.0), (BURSTY, 2.0)):
        (cell,) = cells(bursts=[bursts])
        came = check._arrivals(cell, 60_000, np.random.default_rng(1))
        gaps = np.diff(came.at_s)
        assert 1 / gaps.mean() == pytest.approx(cell.arrivals_per_s)
        assert gaps.std() / gaps.mean() == pytest.approx(variation, rel=0.05)
        assert came.work.mean() == pytest.approx(cell.kind.tokens)


def test_a_rate_that_moves_does_so_by_the_variation_and_for_the_time_that_were_asked_for():
    (cell,) = cells(bursts=[MOVING], replicas=[16])
    count = check._count(cell, 1)
    came = check._arrivals(cell, count, np.random.default_rng(1))
    rate, stays_s = cell.arrivals_per_s, MOVING.rate_stays_s
    in_5_s = np.bincount((came.at_s // 5).astype(int))[:-1]
    assert np.sqrt(in_5_s.var() - in_5_s.mean()) / (5 * rate) == pytest.approx(0.1, rel=0.15)
    off = in_5_s - in_5_s.mean()
    later = round(stays_s / 5)
    alike = (off[later:] @ off[:-later] / (len(off) - later)) / (off[1:] @ off[:-1] / (len(off) - 1))
    assert alike == pytest.approx(np.exp(-(stays_s - 5) / stays_s), abs=0.12)


def test_the_same_seed_gives_the_same_figures():
    first, again = (list(checked(cells(), seed=3, shorter=10)) for _ in range(2))
    assert first == again
