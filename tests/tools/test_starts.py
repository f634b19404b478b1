"""The fit of what engines keep of the memory: what it promises, on starts whose truth is known."""

import csv
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

import starts
from breakeven.performance.calibration import typical_parameters


@pytest.fixture(scope="module")
def shipped_starts(shipped):
    return starts.shipped_starts(shipped)


@pytest.fixture(scope="module")
def rows():
    file = resources.files("breakeven.performance").joinpath("data", "starts.csv")
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


def planted(some, overhead_gib):
    return replace(some, kv_gib=some.budget_gib - overhead_gib)


def test_the_fit_finds_what_was_planted(shipped_starts):
    truth = {
        "overhead": {"gib": 2.0, "memory": 0.3, "hidden": 0.4, "devices": 0.1, "mixture": 0.3},
        "engine_overhead": {"sglang": 0.8, "vllm-v0": 1.2, "vllm-v1": 1.0},
    }
    plain = planted(shipped_starts, starts.expected_gib(shipped_starts, truth))
    found = starts.expected_gib(plain, starts.fitted(plain))
    assert found == pytest.approx(plain.overhead_gib, rel=0.1)


def test_a_pair_is_never_judged_by_a_fit_that_saw_it(shipped_starts):
    folds = starts.folds_of(shipped_starts)
    for group in set(shipped_starts.groups):
        assert len({folds[n] for n, name in enumerate(shipped_starts.groups) if name == group}) == 1
    mine = np.array(shipped_starts.groups) == shipped_starts.groups[0]
    odd = planted(shipped_starts, np.where(mine, 40.0, shipped_starts.overhead_gib))
    before, after = (starts.held_out_logs(some, folds)[mine] for some in (shipped_starts, odd))
    assert np.log(odd.overhead_gib[mine]) - after == pytest.approx(
        np.log(shipped_starts.overhead_gib[mine]) - before
    ), "what was expected of the pair does not depend on it"


def test_the_room_for_the_cache_of_held_out_starts_is_told_and_the_band_holds(shipped_starts):
    total = starts.judged_starts(shipped_starts)[0]
    assert total.median < total.assumed_median / 2
    assert total.mean < total.assumed_mean / 1.5
    assert abs(total.bias) < 0.01
    assert 0.77 <= total.inside <= 0.83


def test_the_shipped_parameters_are_those_of_the_shipped_starts(shipped_starts):
    p, told = typical_parameters(), starts.fitted(shipped_starts)
    assert {n: p.overhead[n] for n in told["overhead"]} == pytest.approx(told["overhead"], abs=1e-4)
    assert p.engine_overhead == pytest.approx(told["engine_overhead"], abs=1e-4)
    ends, spread = starts.ends_of(shipped_starts)
    assert {n: p.overhead[n] for n in ends} == pytest.approx(ends, abs=1e-4)
    assert p.engine_overhead_spread == pytest.approx(spread, abs=1e-4)
    assert set(spread) == {"vllm-v0", "vllm-v1"}, "four starts of SGLang are too few for a band of its own"


def test_the_tokens_that_an_engine_printed_are_the_gib_that_it_printed(shipped_starts, rows):
    told = np.array([float(row["kv_gib_per_device"] or "nan") for row in rows])
    printed = np.isfinite(told)
    assert printed.sum() > 50
    assert shipped_starts.kv_gib[printed] == pytest.approx(told[printed], rel=0.012)


def test_no_start_is_told_twice_and_every_one_says_where_and_when(rows):
    names = ("source", "model", "number_format", "gpu", "tensor_parallel", "kv_tokens")
    keys = [tuple(row[name] for name in names) for row in rows]
    assert len(set(keys)) == len(keys)
    for row in rows:
        assert row["source"].count("/") >= 1
        assert row["date"][:2] == "20"
        assert 4 <= float(row["memory_gib"]) <= 300
        assert 0.4 < float(row["memory_setting"]) < 1
        assert int(row["kv_tokens"]) > 0


def test_the_weights_that_the_catalogue_tells_leave_every_engine_some_overhead(shipped_starts):
    kept = shipped_starts.budget_gib - shipped_starts.kv_gib
    assert np.all(kept > 0)
