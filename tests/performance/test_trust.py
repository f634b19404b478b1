"""Bands, posterior, accuracy: how far a prediction is to be trusted."""

from dataclasses import replace

import numpy as np
import pytest

from breakeven import Workload
from breakeven.performance.accuracy import Banded, lies_above, regrets, score
from breakeven.performance.ask import ask
from breakeven.performance.band import EVIDENCE, WIDEST, evidence, half_widths
from breakeven.performance.calibration import typical_parameters
from breakeven.performance.known import not_covered
from breakeven.performance.measured import TARGETS, shipped_measurements, table_of
from breakeven.performance.posterior import counted, moved, once, remaining, unused, updated
from breakeven.performance.question import Question
from breakeven.performance.table import predict_runs

P = typical_parameters()


@pytest.fixture(scope="module")
def table(shipped):
    return shipped_measurements(shipped)


@pytest.fixture
def mine(shipped, runs_csv):
    """A table of my own rows."""
    return lambda *rows: table_of(runs_csv(*rows), shipped, "mine.csv")


def test_less_evidence_never_makes_the_band_narrower():
    for target in TARGETS:
        widths = [P.bands[target][name] for name in EVIDENCE]
        assert widths == sorted(widths)
        assert 0 < widths[0] < widths[-1]


def test_a_stack_that_was_never_measured_has_the_least_evidence(table):
    kinds = table.runs.kinds
    new = replace(kinds, stacks=tuple(replace(s, name="new") for s in kinds.stacks))
    assert set(evidence(new, P)) == {EVIDENCE.index("none")}
    assert set(evidence(kinds, P)) == {EVIDENCE.index("pair")}


def test_the_band_is_symmetric_in_the_logarithm(shipped, table):
    found = ask(Question(model="llama3-8b", on="H100-SXM", concurrency=16), shipped, P, table).output_tokens_per_s
    assert found.mid / found.low == pytest.approx(found.high / found.mid)


def test_who_published_nothing_has_a_wider_band_until_they_measure(mine):
    row = {"output_tokens_per_s": "", "ttft_s": "0.1", "tpot_s": "0.02"}
    known, new = mine(row | {"id": "accelmark:1"}), mine(row | {"id": "mine:1"})
    for target in TARGETS:
        narrow, wide = (half_widths(rows.runs.kinds, P)[target][0] for rows in (known, new))
        assert wide == pytest.approx(min(np.hypot(narrow, P.bands["elsewhere"][target]), WIDEST))
        assert wide > narrow
        measured = half_widths(new.runs.kinds, updated(P, new))[target][0]
        told = once(new, P)
        (count,) = counted(moved(P, told), told)[target].values()
        assert 0.5 < count < 1 if target == "ttft_s" else count == pytest.approx(1)  # a burst explains some of it
        assert measured == pytest.approx(wide * remaining(P.bands["remaining"], target, count))


def test_one_measurement_moves_its_group_towards_it_and_narrows_its_band(mine):
    row = mine({"output_tokens_per_s": "", "ttft_s": "", "tpot_s": "0.02"})
    before = predict_runs(row.runs, P).tpot_s[0]
    after = updated(P, row)
    moved = predict_runs(row.runs, after).tpot_s[0]
    assert before < moved < 0.02
    assert half_widths(row.runs.kinds, after)["tpot_s"][0] < half_widths(row.runs.kinds, P)["tpot_s"][0]


def test_more_measurements_move_it_further(mine):
    slow = {"output_tokens_per_s": "", "ttft_s": "", "tpot_s": "0.02"}
    one, repeated = mine(slow), mine(*[{**slow, "id": f"mine:{n}"} for n in range(5)])
    clients = (14, 15, 16, 17, 18)
    five = mine(*[{**slow, "id": f"mine:{n}", "concurrency": f"{n}"} for n in clients])
    moved = [predict_runs(one.runs, updated(P, rows)).tpot_s[0] for rows in (one, repeated, five)]
    assert moved[0] < moved[2] <= 0.02 * 1.01
    assert moved[1] == pytest.approx(moved[0]), "repeats of one configuration are one"
    named = mine(*[{**slow, "id": f"run-{n}"} for n in range(5)])
    assert predict_runs(one.runs, updated(P, named)).tpot_s[0] == pytest.approx(moved[0]), "whatever their ids are"


def moved_by(parameters, before, rows, target="tpot_s"):
    """By how much predictions of some rows move from one set of parameters to the next, in the logarithm."""
    told = [getattr(predict_runs(rows.runs, p), target)[0] for p in (before, parameters)]
    return np.log(told[1] / told[0])


def test_another_device_under_the_engine_follows_less_and_another_engine_not_at_all(mine):
    here, there, elsewhere = (mine(row) for row in ({"tpot_s": "0.04"}, {"gpu": "A100-80"}, {"engine": "sglang"}))
    after = updated(P, here)
    assert 0.02 < moved_by(after, P, there) < 0.7 * moved_by(after, P, here)
    assert moved_by(after, P, elsewhere) == 0


def test_an_odd_machine_is_followed_nearly_whole(mine):
    run = mine({})
    usual = predict_runs(run.runs, P).tpot_s[0]
    for times in (0.7, 1.5, 5):
        row = mine({"output_tokens_per_s": "", "ttft_s": "", "tpot_s": f"{times * usual:g}"})
        assert moved_by(updated(P, row), P, run) == pytest.approx(np.log(times), rel=0.15)


def test_a_late_first_token_of_many_clients_says_little_of_one_client(mine):
    crowd, alone = (mine({"concurrency": n, "output_tokens_per_s": ""}) for n in ("200", "1"))
    late = 6 * predict_runs(crowd.runs, P).ttft_s[0]
    row = mine({"concurrency": "200", "output_tokens_per_s": "", "tpot_s": "", "ttft_s": f"{late:g}"})
    after = updated(P, row)
    assert moved_by(after, P, crowd, "ttft_s") > 0.6 * np.log(6)
    assert moved_by(after, P, alone, "ttft_s") < 0.4 * moved_by(after, P, crowd, "ttft_s")


def test_what_a_burst_of_the_benchmark_explains_is_not_expected_of_the_plan(mine, shipped, table):
    crowd = mine({"concurrency": "100"})
    late = 6 * predict_runs(crowd.runs, P).ttft_s[0]
    row = mine({"concurrency": "100", "output_tokens_per_s": "", "tpot_s": "", "ttft_s": f"{late:g}"})
    after = updated(P, row)
    model, device = crowd.runs.kinds.models[0].name, crowd.runs.kinds.devices[0].name
    asked = Question(model=model, on=device, concurrency=100)
    planned = np.log(ask(asked, shipped, after, table).ttft_s.mid / ask(asked, shipped, P, table).ttft_s.mid)
    assert 0 < planned < 0.8 * moved_by(after, P, crowd, "ttft_s")


def kept(row, target="ttft_s"):
    """The share of its width that a band keeps once a row is measured."""
    return half_widths(row.runs.kinds, updated(P, row))[target][0] / half_widths(row.runs.kinds, P)[target][0]


def test_a_first_token_that_a_burst_explains_narrows_the_band_of_a_plan_less(mine):
    def narrowed(clients):
        run = mine({"concurrency": clients, "output_tokens_per_s": ""})
        late = 3 * predict_runs(run.runs, P).ttft_s[0]
        return kept(mine({"concurrency": clients, "output_tokens_per_s": "", "tpot_s": "", "ttft_s": f"{late:g}"}))

    assert narrowed("1") == pytest.approx(remaining(P.bands["remaining"], "ttft_s", 1), rel=0.01)
    assert narrowed("1") < narrowed("30") < narrowed("200") < 1


def test_tokens_per_second_that_arrivals_limit_tell_no_pace(mine):
    slow = {"mode": "open", "concurrency": "", "request_rate_per_s": "0.5", "ttft_s": "", "tpot_s": ""}
    waiting = mine({**slow, "output_tokens_per_s": "100"})
    assert kept(waiting, "output_tokens_per_s") > 0.95
    assert kept(waiting, "tpot_s") > 0.95


def test_the_first_token_of_work_handed_over_at_once_is_a_wait_and_tells_little(mine):
    heap = mine({"mode": "offline", "concurrency": "", "requests": "5000", "output_tokens_per_s": "", "tpot_s": ""})
    late = predict_runs(heap.runs, P).ttft_s[0]
    row = {"mode": "offline", "concurrency": "", "requests": "5000", "output_tokens_per_s": "", "tpot_s": ""}
    assert kept(mine({**row, "ttft_s": f"{late:g}"})) > 0.9


def test_repeats_are_one_although_their_mean_lengths_differ_a_little(mine):
    rows = [{"id": f"mine:{n}", "output_tokens": f"{300.1 + 0.07 * n:g}", "ttft_s": ""} for n in range(10)]
    assert kept(mine(*rows), "tpot_s") == pytest.approx(kept(mine(rows[0]), "tpot_s"), rel=0.01)


def test_rows_without_a_pace_move_it_only_by_what_prompts_take_from_it(mine):
    run = mine({"output_tokens_per_s": ""})
    for times in (0.2, 5):
        ttft = times * predict_runs(run.runs, P).ttft_s[0]
        after = updated(P, mine({"output_tokens_per_s": "", "tpot_s": "", "ttft_s": f"{ttft:g}"}))
        assert abs(moved_by(after, P, run, "ttft_s")) > 0.5 * abs(np.log(times))
        assert abs(moved_by(after, P, run, "tpot_s")) < 0.1 * abs(np.log(times))


def test_a_row_that_is_further_than_twenty_times_off_is_told_and_narrows_nothing(mine):
    run = mine({"output_tokens_per_s": ""})
    slow = 50 * predict_runs(run.runs, P).tpot_s[0]
    row = mine({"ttft_s": "", "output_tokens_per_s": "", "tpot_s": f"{slow:g}"})
    assert np.log(10) < moved_by(updated(P, row), P, run) < np.log(25)
    assert kept(row, "tpot_s") == 1
    (told,) = unused(row, P).values()
    assert told == f"tpot_s is {slow:g}, 50 times more than predicted; it counts as 20 times, check its unit"
    assert unused(mine({}), P) == {}


def test_an_engine_as_people_name_it_is_the_one_that_plans_use(mine):
    row = mine({"engine": "vllm", "engine_version": "0.12.0", "tpot_s": "0.02"})
    assert (row.texts["engine"], row.texts["engine_version"]) == (["vllm-v1"], ["vllm 0.12.0"])
    old = mine({"engine": "vllm", "engine_version": "0.6.3"})
    assert old.texts["engine"] == ["vllm-v0"]


def test_a_table_that_tells_nothing_changes_nothing(mine):
    silent, strange = mine({"output_tokens_per_s": "", "ttft_s": "", "tpot_s": ""}), mine({"model": "nobody-knows-it"})
    assert updated(P, silent) is P
    assert updated(P, strange) is P
    assert unused(silent, P) == {0: "it has none of output_tokens_per_s, ttft_s, tpot_s"}
    assert unused(strange, P) == {0: "no speeds of model nobody-knows-it on GPU H100-SXM are predicted"}


def test_a_row_that_is_not_covered_is_told_by_every_name_that_is_not_known(mine, shipped):
    slips = {}, {"gpu": "h100-sxm"}, {"model": "bert-base", "gpu": "X"}, {"model": "llama3-8B ", "gpu": "X"}
    assert not_covered(mine(*slips), shipped) == {
        1: "GPU 'h100-sxm' is not known (did you mean H100-SXM?)",
        2: "model bert-base puts out no tokens; GPU 'X' is not known",
        3: "model 'llama3-8B ' is not known (did you mean llama3-8b?); GPU 'X' is not known",
    }


def test_a_run_that_tells_no_ttft_leaves_the_band_of_ttft_alone(mine):
    row = mine({"ttft_s": "", "tpot_s": "0.02"})
    before, after = (half_widths(row.runs.kinds, p) for p in (P, updated(P, row)))
    assert after["ttft_s"] == pytest.approx(before["ttft_s"])
    assert after["output_tokens_per_s"][0] < before["output_tokens_per_s"][0]


@pytest.mark.parametrize("target", TARGETS)
def test_the_band_never_gets_wider_with_another_measurement(target):
    shares = [remaining(P.bands["remaining"], target, rows) for rows in (0, 0.3, *range(1, 30))]
    assert shares[0] == 1
    assert shares == sorted(shares, reverse=True)
    assert 0.3 < shares[-1] < shares[2] < 1


def test_scores_are_what_they_are_called():
    observed = np.array([100.0, 100.0, 100.0, np.nan])
    mid = np.array([110.0, 100.0, 150.0, 1.0])
    found = score(Banded(mid=mid, low=mid / 1.2, high=mid * 1.2), observed, np.ones(4, dtype=bool))
    assert (found.measured, found.predicted) == (3, 3)
    assert found.median_absolute_error == pytest.approx(0.1)
    assert found.mean_absolute_error == pytest.approx(0.2)
    assert found.bias == pytest.approx(np.log(1.1))
    assert lies_above(found.bias) == pytest.approx(0.1)
    assert found.inside_band == pytest.approx(2 / 3)


def test_regret_is_what_a_wrong_choice_costs_more(mine):
    # the H100 at 2 USD really gives 2000 tokens/s, the A100 at 1.5 USD 1000: the A100 costs half as much again
    rows = mine({"output_tokens_per_s": "2000"}, {"id": "mine:2", "gpu": "A100-80", "output_tokens_per_s": "1000"})
    prices = {"H100-SXM": 2.0, "A100-80": 1.5}
    wrong = regrets(rows, np.array([1000.0, 1000.0]), prices)["device"]
    right = regrets(rows, np.array([1900.0, 1100.0]), prices)["device"]
    assert (wrong.works, wrong.mean, right.mean) == (1, pytest.approx(0.5), pytest.approx(0.0))


def test_an_answer_names_the_nearest_measurements_first(shipped, table):
    found = ask(Question(model="llama3-70b", on="p5.48xlarge", number_format="fp8", concurrency=32), shipped, P, table)
    assert found.nearest[0].model == "llama3-70b"
    assert found.nearest[0].gpu == "H100-SXM"
    assert found.bound_by in ("weights", "KV cache", "compute", "links", "launches")
    assert found.basis == "calibrated"


def test_an_encoder_that_was_never_measured_has_the_wider_band(stages):
    encode = Workload.of(requests_per_day=1000, input_tokens=200)
    found = stages(encode, models=("bert-base",), formats=("bf16",))
    widths = found.speed.widths["ttft_s"]
    assert np.all(np.isfinite(widths) & (widths > 0))
    assert set(np.round(widths, 4)) <= {P.bands["pass"]["stack"], P.bands["pass"]["none"]}
    assert P.bands["pass"]["stack"] <= P.bands["pass"]["none"]
    assert np.all(np.isnan(found.speed.widths["tpot_s"]))
