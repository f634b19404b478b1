import csv
import math
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven import best_base_capacity
from breakeven.catalogue.load import load_catalogue
from breakeven.errors import SpecError

CASES = (Path(__file__).parent.parent / "validation" / "hybrid_cases.csv").read_text(encoding="utf-8")
loads = st.lists(st.floats(0, 1e6), min_size=1, max_size=40).filter(lambda hours: max(hours) > 1e-6)
ratios = st.floats(0, 2)


def cost(load, ratio, base):
    """The bill in the words of the docstring, with nothing optimised."""
    hours = np.array(load) / np.mean(load)
    return ratio * base + np.maximum(hours - base, 0).mean()


@pytest.mark.parametrize(
    "case", list(csv.DictReader(CASES.splitlines())), ids=lambda row: f"{row['named_profile']} r={row['r']}"
)
def test_every_reference_case_is_met_to_three_digits(case):
    best = best_base_capacity(load_catalogue().profiles[case["named_profile"]].weights, float(case["r"]))
    for name in ("base_over_mean", "share_served", "utilisation", "cost_over_api", "saving_vs_best_pure"):
        assert getattr(best, name) == pytest.approx(float(case[name]), rel=5e-4, abs=1e-4, nan_ok=True), name
    hours = load_catalogue().profiles[case["named_profile"]].weights
    assert float(case["r"]) * max(hours) / np.mean(hours) == pytest.approx(float(case["all_own_over_api"]), rel=5e-4)


@given(loads, ratios)
def test_no_other_base_is_cheaper(load, ratio):
    best = best_base_capacity(load, ratio)
    assert best.cost_over_api == pytest.approx(cost(load, ratio, best.base_over_mean))
    others = np.linspace(0, 1.1 * max(load) / np.mean(load), 200)
    assert all(best.cost_over_api <= cost(load, ratio, base) + 1e-9 for base in others)


@given(loads, ratios)
def test_it_is_never_dearer_than_the_api_alone_or_own_capacity_for_the_busiest_hour(load, ratio):
    best = best_base_capacity(load, ratio)
    pure = min(1.0, ratio * max(load) / np.mean(load))
    assert best.cost_over_api <= pure + 1e-9
    assert best.saving_vs_best_pure == pytest.approx(pure - best.cost_over_api, abs=1e-9)


@given(loads, ratios, ratios)
def test_dearer_capacity_never_makes_the_base_larger_or_the_bill_smaller(load, one, other):
    cheap, dear = (best_base_capacity(load, ratio) for ratio in sorted((one, other)))
    assert cheap.cost_over_api <= dear.cost_over_api + 1e-9
    if other != one:
        assert dear.base_over_mean <= cheap.base_over_mean or dear.cost_over_api == pytest.approx(cheap.cost_over_api)


@given(loads, ratios, st.floats(1e-3, 1e3))
def test_only_the_shape_of_the_load_matters(load, ratio, factor):
    scaled = best_base_capacity([hour * factor for hour in load], ratio)
    assert scaled.cost_over_api == pytest.approx(best_base_capacity(load, ratio).cost_over_api, abs=1e-9)


def test_capacity_as_dear_as_the_api_is_not_built_and_free_capacity_carries_the_busiest_hour():
    none, all_of_it = best_base_capacity([1.0, 2.0, 3.0], 1.0), best_base_capacity([1.0, 2.0, 3.0], 0.0)
    assert (none.base_over_mean, none.share_served, none.cost_over_api) == (0.0, 0.0, 1.0)
    assert math.isnan(none.utilisation)
    assert (all_of_it.base_over_mean, all_of_it.share_served, all_of_it.cost_over_api) == (1.5, 1.0, 0.0)


def test_of_two_equally_cheap_bases_the_one_nearer_to_the_mean_is_taken():
    assert best_base_capacity([1.0, 2.0, 3.0, 10.0], 0.5).base_over_mean == pytest.approx(0.75)
    assert best_base_capacity([1.0, 8.0, 9.0, 10.0], 0.75).base_over_mean == pytest.approx(8 / 7)


def test_the_result_is_frozen():
    with pytest.raises(FrozenInstanceError):
        best_base_capacity([1.0], 0.5).base_over_mean = 2.0


@pytest.mark.parametrize("load", [[], [0.0, 0.0], [1.0, -1.0], [1.0, math.nan], [math.inf], [[1.0], [2.0]]], ids=str)
def test_a_load_that_is_no_traffic_is_refused(load):
    with pytest.raises(SpecError, match="the load is no traffic"):
        best_base_capacity(load, 0.5)


@pytest.mark.parametrize("ratio", [-0.1, math.nan, math.inf])
def test_a_ratio_that_is_no_ratio_is_refused(ratio):
    with pytest.raises(SpecError, match="capacity_cost_over_api_value"):
        best_base_capacity([1.0], ratio)
