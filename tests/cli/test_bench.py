"""`breakeven bench` as a user runs it: against a real small model, on result files, and refused."""

import asyncio
import csv
import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from breakeven.cli import BAD_INPUT, bench_run
from breakeven.model_server import weights
from breakeven.model_server.process import ModelServer
from breakeven.model_server.serve import Served
from breakeven.performance.measured import read_table

PATIENCE_S = 240
SPEC = """
name: short
traffic: {requests_per_day: 8640000}
tokens: {input: 90, output: 4}
latency: {ttft_s: 60, tpot_s: 30}
"""
SYSTEM = ("--on", "L4", "--catalogue-model", "llama-3.1-8b", "--format", "bf16", "--engine", "vllm")
BREAKEVEN = [sys.executable, "-c", "from breakeven.cli import main; main()", "bench"]


@pytest.fixture(scope="module")
def model():
    with ModelServer(Served(path=str(weights.bundled()), name="smollm2-135m", slots=2, context_tokens=512)) as server:
        yield server


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return str(path)


def test_a_real_model_is_measured_in_its_own_tokens_and_the_table_is_one_that_accuracy_reads(
    run_apart, model, spec, tmp_path, shipped
):
    out, figures = tmp_path / "mine.csv", tmp_path / "mine.json"
    loads = ("--concurrency", "2", "--rate", "50", "--requests", "3", "--warm-up", "1", "--usd-per-hour", "0.1")
    done = run_apart(model.base_url, "--spec", spec, *loads, *SYSTEM, "-o", str(out), "--json", str(figures))
    assert done.returncode == 0, done.stderr
    closed, opened = json.loads(figures.read_text())
    for one in (closed, opened):
        assert (one["good"], one["sent"], one["errors"]) == (3, 3, {})
        assert one["input_tokens"] == pytest.approx(90, abs=1)
        assert one["output_tokens"] == 4
        assert one["goodput_share"] == 1
        assert float(one["usd_per_mtok_output"]) == pytest.approx(0.1e6 / (one["output_tokens_per_s"] * 3600))
    assert "3 of 3" in done.stdout
    assert "goodput: TTFT ≤ 60 s, TPOT ≤ 30 s" in done.stdout
    table = read_table(out, shipped)
    assert table.texts["mode"] == ["closed", "open"]
    assert table.texts["gpu"] == ["L4", "L4"]
    assert "compare SPEC --measured" in done.stderr


def test_ctrl_c_gives_what_was_measured_so_far(model, spec, tmp_path):
    figures = tmp_path / "so-far.json"
    words = [model.base_url, "--spec", spec, "--concurrency", "1", "--requests", "5000", "--warm-up", "0"]
    process = subprocess.Popen([*BREAKEVEN, *words, "--json", str(figures)], stderr=subprocess.PIPE, text=True)
    _until_it_writes(model)
    process.send_signal(2)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    (one,) = json.loads(figures.read_text())
    assert 1 <= one["good"] < 5000
    assert one["ended"] == "it was stopped"
    assert one["asked"] == 5000


def test_the_first_ctrl_c_stops_a_run_and_the_next_one_does_what_it_did_before():
    heard = []

    async def twice():
        stop = asyncio.Event()
        with bench_run._stopped_by_ctrl_c(stop):
            signal.raise_signal(signal.SIGINT)
            await asyncio.wait_for(stop.wait(), 10)
            assert heard == []
            signal.raise_signal(signal.SIGINT)
            assert heard == [signal.SIGINT]

    before = signal.signal(signal.SIGINT, lambda number, _frame: heard.append(number))
    try:
        asyncio.run(twice())
        signal.raise_signal(signal.SIGINT)
        assert heard == [signal.SIGINT] * 2, "it is as before once the run is over"
    finally:
        signal.signal(signal.SIGINT, before)


def test_beside_the_main_thread_a_run_leaves_signals_alone():
    async def found():
        with bench_run._stopped_by_ctrl_c(asyncio.Event()):
            return signal.getsignal(signal.SIGINT)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(asyncio.run, found()).result(10) is signal.getsignal(signal.SIGINT)


def _until_it_writes(model):
    """Until some requests of a run are answered: a few more than the calibration's."""
    import re
    import urllib.request

    def written():
        with urllib.request.urlopen(model.base_url.removesuffix("/v1") + "/metrics", timeout=PATIENCE_S) as reply:
            return float(re.search(r"^llamacpp:tokens_predicted_total (\S+)$", reply.read().decode(), re.MULTILINE)[1])

    before = written()
    for _ in range(PATIENCE_S * 5):
        if written() > before + 20:
            return
        time.sleep(0.2)
    raise AssertionError("it never wrote")


@pytest.fixture
def run_apart():
    """The command in a process of its own."""

    def run(*words):
        return subprocess.run([*BREAKEVEN, *words], capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    return run


def test_results_of_other_tools_become_a_table_that_compare_takes(run, tmp_path, shipped):
    result, out = tmp_path / "vllm.json", tmp_path / "mine.csv"
    told = {"completed": 10, "total_input_tokens": 10_000, "total_output_tokens": 3000, "max_concurrency": 16}
    speeds = {"output_throughput": 300.0, "mean_ttft_ms": 100.0, "mean_tpot_ms": 50.0, "request_rate": "inf"}
    result.write_text(json.dumps(told | speeds))
    system = ("--on", "H100-SXM", "--catalogue-model", "llama3-8b", "--format", "bf16", "--engine", "vllm")
    code, said, _ = run("bench", "--read", str(result), *system, "-o", str(out))
    assert code == 0
    assert "vllm bench serve" in said
    assert read_table(out, shipped).runs.covered.all()
    words = ("--requests-per-day", "3e6", "--input-tokens", "1000", "--output-tokens", "300", "--model", "llama3-8b")
    more = ("--machine", "p5.*", "--as-of", "2026-11-24", "--no-bands")
    code, said, _ = run("compare", *words, *more, "--measured", str(out))
    assert code == 0
    assert "Your measurements changed the dollars of" in " ".join(said.split())
    code, said, _ = run("compare", *words, *more, "--measured", str(out), "--json", "-")
    assert {one["kind"] for one in json.loads(said)["measured"]["changed"]} <= {"hosted", "hybrid", "api"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "no URL and no result file is given"),
        (("http://127.0.0.1:1/v1",), "no workload is given"),
        (("http://127.0.0.1:1/v1", "--read", "x.json"), "a URL and --read are both given"),
        (("https://api.example.com/v1", "--spec", "SPEC"), "may charge for what is sent to it: 108 requests"),
        (("https://api.example.com/v1", "--spec", "SPEC", "--max-requests", "9"), "at most --max-requests 9"),
        (("http://127.0.0.1:1/v1", "--spec", "SPEC", "--max-usd", "1"), "--max-usd 1.0 is given, but no price"),
        (("http://127.0.0.1:1/v1", "--spec", "SPEC", "--api", "openai/gpt-4p"), "Did you mean: openai/gpt-4"),
        (("http://127.0.0.1:1/v1", "--spec", "SPEC", "--machine", "g6.xlarg"), "Did you mean: g6.xlarge"),
        (("http://127.0.0.1:1/v1", "--spec", "SPEC", "-o", "m.csv"), "--on, --catalogue-model, --format, --engine are"),
        (("http://127.0.0.1:1/v1", "--spec", "SPEC", "--concurrency", "0"), "a --concurrency or --rate is 0 or less"),
        (("http://127.0.0.1:1/v1", "--spec", "SPEC", "--model", "m"), "does not answer a chat of model m"),
        (("http://127.0.0.1:1/v1", "--spec", "SPEC"), "http://127.0.0.1:1/v1/models cannot be read"),
    ],
)
def test_what_cannot_be_run_is_told_in_one_message(run, spec, words, told):
    code, out, err = run("bench", *(spec if word == "SPEC" else word for word in words))
    assert code == BAD_INPUT
    assert told in err
    assert err.count("Expected: ") == 1
    assert out == ""


def test_embeddings_are_refused(run, tmp_path):
    path = tmp_path / "encode.yaml"
    path.write_text("task: encode\ntraffic: {requests_per_day: 10}\ntokens: {input: 10}\n")
    code, _, err = run("bench", "http://127.0.0.1:1/v1", "--spec", str(path))
    assert code == BAD_INPUT
    assert "a workload of task encode" in err


def test_a_plan_says_what_was_set_up_and_what_it_costs(run, tmp_path):
    plan, result, out = tmp_path / "plan.json", tmp_path / "vllm.json", tmp_path / "mine.csv"
    words = ("--requests-per-day", "3e6", "--input-tokens", "1000", "--output-tokens", "300", "--model", "llama3-8b")
    run("compare", *words, "--machine", "p5.*", "--as-of", "2026-11-24", "--no-bands", "--json", str(plan))
    verdicts = json.loads(plan.read_text())["verdicts"]
    option = next(v["option"] for v in verdicts if v["option"]["kind"] == "hosted")
    told = {"completed": 10, "total_input_tokens": 10_000, "total_output_tokens": 3000, "max_concurrency": 16}
    result.write_text(json.dumps(told | {"output_throughput": 300.0, "mean_ttft_ms": 100.0, "mean_tpot_ms": 50.0}))
    code, _, err = run("bench", "--read", str(result), "--plan", str(plan), "--option", option["id"], "-o", str(out))
    assert code == 0, err
    (row,) = csv.DictReader(Path(out).read_text().splitlines())
    assert row["gpu"] == option["accelerator"]
    assert row["model"] == option["model"]
    assert row["tensor_parallel"] == str(option["tensor_parallel"])
    code, _, err = run("bench", "--read", str(result), "--plan", str(plan), "--option", "host:none", "-o", str(out))
    assert code == BAD_INPUT
    assert "self-hosted option of the plan" in err
