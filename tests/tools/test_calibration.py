"""The fit, the bands and the gate: what they promise, on few rows."""

import sys
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from breakeven.performance import fit
from breakeven.performance.band import half_widths
from breakeven.performance.calibration import QUANTITIES, typical_parameters
from breakeven.performance.fit import Problem
from breakeven.performance.kinds import AXES
from breakeven.performance.measured import independent_measurements, shipped_measurements, table_of
from breakeven.performance.table import predict_runs

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(scope="module")
def tools():
    """The tools' modules, by name."""
    sys.path.insert(0, str(TOOLS))
    try:
        import banding
        import check_accuracy
        import fitting
        import heldout
        import learning
        import others

        yield {m.__name__: m for m in (banding, check_accuracy, fitting, heldout, learning, others)}
    finally:
        sys.path.remove(str(TOOLS))


@pytest.fixture(scope="module")
def priors(tools):
    return tools["fitting"].prior_parameters()


def slow_rows(runs_csv, shipped, priors, factor):
    """Rows of one device, each ``factor`` slower than physics says."""
    rows = [
        {"id": f"mine:{n}", "concurrency": str(n), "output_tokens_per_s": "", "ttft_s": "", "tpot_s": "1"}
        for n in (1, 2, 4, 8, 16, 32, 64)
    ]
    read = lambda some: table_of(runs_csv(*some), shipped, "mine.csv")  # noqa: E731
    plain = predict_runs(read(rows).runs, priors).tpot_s
    return read([{**row, "tpot_s": f"{factor * tpot:.6g}"} for row, tpot in zip(rows, plain, strict=True)])


def test_the_fit_finds_that_a_stack_is_slower_than_physics(tools, runs_csv, shipped, priors):
    table = slow_rows(runs_csv, shipped, priors, 1.3)
    problem = Problem(table, priors, tools["fitting"].TERMS)
    everything = np.ones(len(table.runs.kind), dtype=bool)
    logs = problem.predicted(problem.logs(problem.fit(everything)))[2]
    assert np.exp(logs) == pytest.approx(table.observed["tpot_s"], rel=0.05)


def test_what_one_pair_does_in_a_way_of_its_own_moves_the_others_little(tools, runs_csv, shipped, priors, monkeypatch):
    rows = [
        {"id": f"mine:{g}-{n}", "gpu": g, "concurrency": str(n), "output_tokens_per_s": "", "ttft_s": "", "tpot_s": "1"}
        for g in ("A100-80", "H100-SXM", "H200")
        for n in (1, 2, 4, 8, 16, 32, 64)
    ]
    read = lambda some: table_of(runs_csv(*some), shipped, "mine.csv")  # noqa: E731
    plain = predict_runs(read(rows).runs, priors).tpot_s
    odd = [3.0 if row["gpu"] == "A100-80" else 1.0 for row in rows]
    table = read([{**r, "tpot_s": f"{f * s:.6g}"} for r, f, s in zip(rows, odd, plain, strict=True)])
    terms = tools["fitting"].terms_of("pace: model=.05 gpu|model|stack=.05")
    problem = Problem(table, priors, terms)

    def moved(freedom):
        monkeypatch.setattr(fit, "FREEDOM", freedom)
        logs = problem.predicted(problem.logs(problem.fit(np.ones(len(rows), dtype=bool))))[2]
        return np.abs(logs - np.log(table.observed["tpot_s"]))[np.array(odd) == 1].max()

    assert moved(fit.FREEDOM) < 0.7 * moved(1e9)


def test_a_fit_that_saw_nothing_is_physics(tools, runs_csv, shipped, priors):
    table = slow_rows(runs_csv, shipped, priors, 1.3)
    problem = Problem(table, priors, tools["fitting"].TERMS)
    effects = problem.fit(np.zeros(len(table.runs.kind), dtype=bool))
    assert all(np.allclose(values, 0) for values in effects)


def test_a_pair_of_gpu_and_model_is_never_split_over_folds(tools, shipped):
    table = shipped_measurements(shipped)
    folds = tools["fitting"].folds_of(table)
    pairs = {}
    for gpu, model, fold in zip(table.texts["gpu"], table.texts["model"], folds, strict=True):
        pairs.setdefault((gpu, model), set()).add(int(fold))
    assert all(len(found) == 1 for found in pairs.values())
    assert set(folds.tolist()) == {0, 1, 2, 3, 4}


def test_the_gate_tells_what_got_worse_by_more_than_it_may(tools):
    worse = tools["check_accuracy"].worse
    committed = {"unseen / total all / ttft_s": 0.10, "unseen / mode open / ttft_s": 0.20}
    assert worse(committed, {"unseen / total all / ttft_s": 0.104, "unseen / mode open / ttft_s": 0.21}) == []
    assert len(worse(committed, {"unseen / total all / ttft_s": 0.106, "unseen / mode open / ttft_s": 0.23})) == 2
    assert worse(committed, {"unseen / total all / ttft_s": 0.1}) == ["unseen / mode open / ttft_s: no longer there"]


def test_widths_are_read_off_to_hold_a_little_more_than_is_stated(tools):
    random = np.random.default_rng(1)
    errors = np.abs(random.normal(0, 0.2, 4000))
    groups = (np.repeat(["a", "b"], 2000), np.repeat("x", 4000))
    width, factor = tools["banding"]._widths(errors, np.zeros(4000, dtype=np.int64), groups)
    assert width["pair"] * factor["a"] * factor["x"] == pytest.approx(NormalDist().inv_cdf(0.915) * 0.2, rel=0.06)


def test_the_width_for_strangers_is_read_off_to_hold_a_little_more_than_is_stated(tools):
    errors = np.random.default_rng(1).normal(0, 0.6, (3, 4000))
    widths, publishers = np.full((3, 4000), 0.2), [f"p{n % 40}" for n in range(4000)]
    found = tools["banding"].elsewhere_of(errors, widths, publishers)
    assert np.hypot(found["ttft_s"], 0.2) == pytest.approx(NormalDist().inv_cdf(0.915) * 0.6, rel=0.06)
    assert tools["banding"].elsewhere_of(errors / 100, widths, publishers)["ttft_s"] == 0.0
    one = np.array([name == "p0" for name in publishers])
    far = np.where(one, 10 * errors, errors)
    assert tools["banding"].elsewhere_of(far, widths, publishers, ~one) == pytest.approx(found, rel=0.03)


def test_many_rows_of_one_publisher_do_not_outvote_the_others(tools):
    publishers = ["many"] * 900 + [f"p{n}" for n in range(100)]
    errors = np.array([[0.1] * 900 + [0.5] * 100] * 3)
    assert tools["banding"].elsewhere_of(errors, np.full((3, 1000), 0.3), publishers)["tpot_s"] == pytest.approx(0.4)


def test_the_variance_of_strangers_is_parted_into_what_their_groups_share(tools, runs_csv, shipped):
    random = np.random.default_rng(3)
    parts = {"user": 0.3, "device": 0.25, "own": 0.35, "scatter": 0.2}  # standard deviations
    rows, errors = [], []
    for publisher in range(150):
        user = random.normal(0, parts["user"])
        for gpu in ("A100-80", "H100-SXM"):
            device = user + random.normal(0, parts["device"])
            for model in ("llama3-8b", "mistral-7b", "llama3-70b"):
                own = device + random.normal(0, parts["own"])
                errors += (own + random.normal(0, parts["scatter"], 4)).tolist()
                figures = {"ttft_s": "", "tpot_s": "", "output_tokens_per_s": ""}
                rows += [
                    {"id": f"p{publisher}:{len(rows) + n}", "gpu": gpu, "model": model, **figures} for n in range(4)
                ]
    table = table_of(runs_csv(*rows), shipped, "strangers")
    found = tools["banding"].variance_of(table, np.stack([np.array(errors), *[np.full(len(errors), np.nan)] * 2]))
    assert {part: np.sqrt(value) for part, value in found.items()} == pytest.approx(parts, abs=0.04)


def test_the_band_of_publishers_never_seen_holds_what_is_stated(tools, shipped):
    figures, _ = tools["heldout"].elsewhere(independent_measurements(shipped), typical_parameters())
    for target, score in figures.parts[0].scores.items():
        assert 0.7 < score.inside_band < 0.9, target


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, None),
        ({"inside": 0.69}, "the band holds 69.0%, not 70% to 90%"),
        ({"inside": 0.91}, "the band holds 91.0%, not 70% to 90%"),
        ({"median_after": 0.3}, "30.0% off in the median, 20.0% before"),
        ({"mean_after": 0.5}, "50.0% off in the mean, 40.0% before"),
        ({"inside": 0.2, "groups": 14}, None),
    ],
)
def test_the_gate_tells_where_own_rows_do_not_help_or_leave_a_band_that_does_not_hold(tools, changed, told):
    learning = tools["learning"]
    good = {"target": "tpot_s", "rows": 1, "groups": 20, "median_before": 0.2, "median_after": 0.1, "inside": 0.8}
    good |= {"mean_before": 0.4, "mean_after": 0.3, "remaining": 0.9}
    same = learning.Learnt(**good | changed)
    wide = learning.Learnt(**good | {"inside": 0.95, "remaining": 1.0})
    found = tools["check_accuracy"].loose(learning.Learning(same=(same,), others=(wide,)))
    assert found == ([f"tpot_s after 1 measured (20 groups): {told}"] if told else [])


def test_every_effect_that_ships_is_of_a_known_quantity_and_counts_its_evidence():
    p = typical_parameters()
    assert set(p.effects) <= set(QUANTITIES)
    for effects in p.effects.values():
        for effect in effects:
            assert set(effect.axes) <= set(AXES)
            assert all(count > 0 for count in effect.counts.values())
            assert all(0.02 < factor < 50 for factor in effect.factors.values())


def test_a_pair_of_encoder_and_device_is_judged_by_other_pairs_only(tools):
    other = tools["others"].Other
    mine = [other(gpu="A", model="m", shape="encoder", stack="s", error=0.7) for _ in range(9)]
    theirs = [other(gpu="B", model="m", shape="encoder", stack="s", error=0.1) for _ in range(9)]
    alone = [other(gpu="C", model="m", shape="encoder", stack="t", error=0.4)]
    found = tools["others"].held_out_others(mine + theirs + alone)
    shrunk = 1 / (1 + tools["others"].BELIEVED)  # nine runs of one pair are one pair
    assert found["stack"] == pytest.approx([0.7 - 0.1 * shrunk] * 9 + [0.1 - 0.7 * shrunk] * 9)
    assert len(found["none"]) == 19


def test_rows_that_are_alike_show_the_floor_under_every_error(tools, shipped):
    found = tools["heldout"].scatter_of(shipped_measurements(shipped))
    assert found.rows > found.groups > 100
    assert 0 <= found.median < found.mean < 1


def test_runs_under_a_latency_limit_get_the_band_that_was_read_off_such_runs(shipped):
    kinds, p = shipped_measurements(shipped).runs.kinds, typical_parameters()
    asked = {f"output_tokens_per_s | {stack.name} | {stack.mode}" for stack in kinds.stacks}
    name = "output_tokens_per_s | mlperf | offline server"
    assert name in asked
    assert name in p.bands["spread"]
    here = kinds.by_stack(lambda stack: stack.name == "mlperf") > 0
    width = half_widths(kinds, replace(p, bands=p.bands | {"spread": {name: 2.0}}))["output_tokens_per_s"]
    plain = half_widths(kinds, replace(p, bands=p.bands | {"spread": {}}))["output_tokens_per_s"]
    server = here & (kinds.by_stack(lambda stack: stack.mode == "offline server") > 0)
    assert width[server] == pytest.approx(2 * plain[server])
    assert width[~server] == pytest.approx(plain[~server])
