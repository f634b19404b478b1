import csv
import io
import json
import math

import pytest
from typer.testing import CliRunner

from breakeven.cli.app import app
from breakeven.errors import BreakevenError
from breakeven.performance.measured import doubts


def run(*words):
    found = CliRunner().invoke(app, list(words))
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.output


def test_predict_tells_figures_with_their_bands_and_the_nearest_measurements():
    told = run("predict", "--model", "llama3-8b", "--on", "g5.xlarge", "--concurrency", "8")
    for word in ("output tokens/s", "TTFT", "TPOT", "largest concurrency", "80 % between", "nearest measurements"):
        assert word in told


def test_predict_as_json_carries_a_band_for_each_figure():
    told = json.loads(run("predict", "--model", "llama3-8b", "--on", "H100-SXM", "--rate", "2", "--json", "-"))
    for name in ("ttft_s", "tpot_s"):
        assert told[name]["low"] < told[name]["mid"] < told[name]["high"]
    assert told["output_tokens_per_s"]["mid"] == pytest.approx(600, rel=0.01)


def test_no_more_is_put_out_than_arrives_and_at_the_low_end_of_the_band_what_is_carried():
    def output(rate):
        words = ("--model", "llama3-8b", "--on", "H100-SXM", "--rate", rate, "--json", "-")
        return json.loads(run("predict", *words))["output_tokens_per_s"]

    assert output("0.01") == output("0.01") | {"low": 3.0, "mid": 3.0, "high": 3.0}
    busy = output("15")
    assert busy["low"] < busy["mid"] == busy["high"] == pytest.approx(4500, rel=0.01)


def test_where_the_slow_end_of_the_band_does_not_carry_the_arrivals_a_queue_is_told():
    words = ("--model", "llama3-8b", "--on", "H100-SXM", "--json", "-")
    calm, busy = (json.loads(run("predict", *words, "--rate", rate)) for rate in ("2", "15"))
    assert calm["notices"] == []
    (told,) = busy["notices"]
    assert f"carries {busy['output_tokens_per_s']['low'] / 300:.3g} requests/s: a queue grows" in told


def test_what_was_measured_on_a_machine_may_be_asked_of_it():
    words = ("--model", "llama2-13b", "--on", "inf2.48xlarge", "--tensor-parallel", "24", "--engine", "djl-neuron")
    assert "24 x Inferentia2-core" in run("predict", *words)


def test_no_band_reaches_below_what_the_datasheet_allows():
    found = json.loads(run("predict", "--model", "llama3-8b", "--on", "L4", "--concurrency", "2", "--json", "-"))
    read_once_s = 2 * (8.03e9 - 128256 * 4096) / 300e9  # of the input embeddings a token looks up one row
    multiplied_s = 1000 * 2 * (8.03e9 - 2 * 128256 * 4096) / 121e12
    assert found["tpot_s"]["low"] == pytest.approx(read_once_s, rel=0.01)
    assert found["output_tokens_per_s"]["high"] <= 2 / found["tpot_s"]["low"]
    assert found["ttft_s"]["low"] == pytest.approx(multiplied_s, rel=0.01)


def test_arrivals_and_clients_meet_the_same_server():
    def told(*load):
        return json.loads(run("predict", "--model", "llama3-8b", "--on", "H100-SXM", *load, "--json", "-"))

    idle, alone = told("--rate", "0.001"), told("--concurrency", "1")
    assert idle["ttft_s"]["mid"] == pytest.approx(alone["ttft_s"]["mid"], rel=0.01)
    assert idle["bound_by"] == alone["bound_by"] == "weights"


def test_the_fewest_devices_are_those_that_keep_up_with_the_arrivals():
    words = ("--model", "llama3-8b", "--on", "H100-SXM", "--json", "-")
    calm, busy = (json.loads(run("predict", *words, "--rate", rate))["tensor_parallel"] for rate in ("1", "25"))
    assert calm < busy


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--format", "fp8", "--on", "V100-SXM"), "no engine of the catalogue runs llama3-8b in fp8 on V100"),
        (("--engine", "quickserve", "--on", "L4"), "quickserve was never measured"),
        (("--on", "H100-SXM", "--tensor-parallel", "5"), "32 attention heads, 8 of them for keys and values, do not"),
        (("--format", "fp4", "--on", "A100-80"), "no engine of the catalogue runs llama3-8b in fp4 on A100-80"),
        (("--model", "flan-ul2", "--on", "H100-SXM", "--input-tokens", "100"), "vllm-v1 is not known to run flan-ul2"),
    ],
)
def test_what_a_plan_would_leave_out_is_noted(words, told):
    assert told in " ".join(run("predict", "--model", "llama3-8b", *words).split())


def test_a_number_format_as_plans_print_it_is_the_one_that_was_measured():
    def told(name):
        return json.loads(run("predict", "--model", "llama3-8b", "--on", "L4", "--format", name, "--json", "-"))

    assert told("int4") == told("w4a16")


def test_a_model_of_the_same_dimensions_is_as_near_as_the_same_one():
    found = json.loads(run("predict", "--model", "llama3.1-8b", "--on", "H100-SXM", "--json", "-"))["nearest"]
    assert {row["model"] for row in found} == {"llama3-8b"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--model", "llama3-8x", "--on", "H100-SXM"), "llama3-8b"),
        (("--model", "llama3-8b", "--on", "H100-SXY"), "H100-SXM"),
        (("--model", "llama3-405b", "--on", "g5.xlarge"), "does not fit"),
        (("--model", "llama3-8b", "--on", "L4", "--concurrency", "-1"), "more than 0"),
        (("--model", "llama3-8b", "--on", "L4", "--format", "fp3"), "one of bf16"),
        (("--model", "bert-base", "--on", "L4"), "puts out no tokens"),
        (("--model", "llama3-8b", "--on", "L4", "--concurrency", "0"), "more than 0"),
        (("--model", "llama3-8b", "--on", "L4", "--rate", "0"), "--rate is 0"),
        (("--model", "llama3-8b", "--on", "H100-SXM", "--rate", "1000"), "a queue would grow"),
        (("--model", "llama3-8b", "--on", "p5.4xlarge", "--tensor-parallel", "8"), "has 1 device"),
        (("--model", "llama3-8b", "--on", "H100-SXM", "--engine", "VLLM"), "Did you mean: vllm"),
        (("--model", "llama2-7b", "--on", "H100-SXM", "--input-tokens", "30000"), "sees 4,096 tokens"),
        (("--model", "llama3-8b", "--on", "dl1.24xlarge"), "of Gaudi1? is not known"),
    ],
)
def test_a_slip_is_told_with_what_was_expected(words, told):
    with pytest.raises(BreakevenError, match=told):
        run("predict", *words)


def test_accuracy_scores_a_table_and_writes_a_prediction_for_every_row(tmp_path, runs_csv):
    table, rows = tmp_path / "table.csv", tmp_path / "rows.csv"
    table.write_text(runs_csv({}, {"id": "mine:2", "model": "llama-9"}), encoding="utf-8")
    found = json.loads(run("accuracy", str(table), "--rows", str(rows), "--json", "-"))
    assert (found["rows"], found["covered"], found["coverage"]) == (2, 1, 0.5)
    assert {part["by"] for part in found["parts"]} == {"total", "file", "mode", "generation", "network"}
    written = list(csv.DictReader(io.StringIO(rows.read_text(encoding="utf-8"))))
    assert list(written[0]) == [
        "id",
        *(f"{t}{end}" for t in ("output_tokens_per_s", "ttft_s", "tpot_s") for end in ("", "_low", "_high")),
    ]
    assert float(written[0]["tpot_s_low"]) < float(written[0]["tpot_s"]) < float(written[0]["tpot_s_high"])
    assert written[1]["tpot_s"] == ""


def test_accuracy_in_the_terminal_is_a_table_for_each_figure(tmp_path, runs_csv):
    table = tmp_path / "table.csv"
    table.write_text(runs_csv({}), encoding="utf-8")
    found = json.loads(run("accuracy", str(table), "--json", "-"))["parts"][0]["scores"]["tpot_s"]
    told = run("accuracy", str(table))
    assert "1 of 1 rows covered" in told
    assert "file: mine" in told
    above = math.exp(found["bias"]) - 1  # of one row its error, not the logarithm
    assert abs(above) == pytest.approx(found["median_absolute_error"])
    assert f"{above:+.1%}" in told


def test_a_table_of_which_nothing_is_known_is_scored_and_says_why(tmp_path, runs_csv):
    table, rows = tmp_path / "table.csv", tmp_path / "rows.csv"
    table.write_text(runs_csv({"gpu": "h100-sxm"}, {"gpu": "h100-sxm"}, {"model": "bert-base"}), encoding="utf-8")
    told = run("accuracy", str(table), "--rows", str(rows))
    assert "0 of 3 rows covered" in told
    assert "2 rows, the first is row 2: GPU 'h100-sxm' is not known (did you mean H100-SXM?)" in told
    assert "row 4: model bert-base puts out no tokens" in told
    assert len(rows.read_text(encoding="utf-8").splitlines()) == 4
    found = json.loads(run("accuracy", str(table), "--json", "-"))
    assert (found["covered"], found["not_covered"][0]["rows"], found["fitted_on"]) == (0, 2, 0)


def test_rows_that_the_calibration_was_fitted_on_are_counted(tmp_path, runs_csv):
    table = tmp_path / "table.csv"
    table.write_text(runs_csv({"id": "accelmark:s0"}, {}), encoding="utf-8")
    assert "1 of 2 rows are ones that the calibration was fitted on" in run("accuracy", str(table))
    repeated, unknown = [{"id": "accelmark:s0"}] * 3, {"id": "accelmark:s1", "gpu": "X"}
    doubted = {"id": next(iter(doubts()))}
    table.write_text(runs_csv(*repeated, unknown, doubted), encoding="utf-8")
    assert json.loads(run("accuracy", str(table), "--json", "-"))["fitted_on"] == 3


def test_accuracy_refuses_a_bad_row_by_number(tmp_path, runs_csv):
    table = tmp_path / "table.csv"
    table.write_text(runs_csv({}, {"ttft_s": "-3"}), encoding="utf-8")
    with pytest.raises(BreakevenError, match="row 3: ttft_s is -3"):
        run("accuracy", str(table))


def test_a_measurement_of_my_own_moves_the_dollars_of_the_plan(tmp_path, runs_csv):
    mine = tmp_path / "mine.csv"
    slow = {"gpu": "H100-SXM", "output_tokens_per_s": "", "ttft_s": "", "tpot_s": "0.05"}
    mine.write_text(runs_csv(slow), encoding="utf-8")
    words = ("compare", "--requests-per-day", "3e6", "--input-tokens", "1000", "--output-tokens", "300")
    words += ("--model", "llama3-8b", "--machine", "p5.*", "--as-of", "2026-11-24", "--json", "-", "--by", "machine")

    def bills(*more):
        found = json.loads(run(*words, *more))["verdicts"]
        return [v["bill"] for v in found if v["option"]["kind"] == "hosted"]

    before, after = bills(), bills("--measured", str(mine))
    assert after[0]["usd_per_day"] > before[0]["usd_per_day"]
    assert all(b["usd_per_day_low"] <= b["usd_per_day"] <= b["usd_per_day_high"] for b in before + after)


def test_measurements_that_change_nothing_are_told_by_their_row(tmp_path, runs_csv):
    mine = tmp_path / "mine.csv"
    rows = {}, {"id": "mine:2", "model": "llama3-8bb"}, {"id": "mine:3", "gpu": "H100-SXM", "ttft_s": "300"}
    mine.write_text(runs_csv(*rows), encoding="utf-8")
    asked = ["predict", "--model", "llama3-8b", "--on", "H100-SXM", "--json", "-"]
    found = CliRunner().invoke(app, [*asked, "--measured", str(mine)])
    assert json.loads(found.stdout) != json.loads(run(*asked))
    assert "2 of 3 rows change nothing, or less than they say" in found.stderr
    assert "row 3: no speeds of model llama3-8bb on GPU H100-SXM are predicted: " in found.stderr
    assert "model 'llama3-8bb' is not known (did you mean llama3-8b?)" in found.stderr
    assert "row 4: ttft_s is 300, " in found.stderr
