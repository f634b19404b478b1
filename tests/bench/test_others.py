"""Result files of other load generators become the same rows.

``recorded/`` holds files that the tools wrote. Written by hand here is what could not be run (genai-perf), older
forms of a tool, and faults.
"""

import json
from datetime import date
from pathlib import Path

import pytest

from breakeven.bench.others import read_results
from breakeven.bench.rows import System, csv_of, described
from breakeven.errors import SpecError

RECORDED = Path(__file__).parent / "recorded"


def real(name):
    """The one row of a file that a tool wrote."""
    (point,) = read_results(RECORDED / f"{name}.json")
    return point


VLLM = json.loads((RECORDED / "vllm-0.33.0-concurrency.json").read_text())


def _all(mean):
    return {"successful": {"mean": mean, "median": mean, "percentiles": {"p95": mean}}, "errored": {"mean": 0.0}}


def guidellm(strategy, **document):
    """By hand: a report of guidellm 0.6 (schemas/report.py at 2ffffa8, metrics.py at 06cef29), the fields read."""
    run = {
        "type_": "generative_benchmark",
        "start_time": 1_793_000_000.0,
        "config": {"strategy": strategy},
        "metrics": {
            "request_totals": {"successful": 56, "errored": 2, "incomplete": 1, "total": 59},
            "request_concurrency": _all(7.9),
            "prompt_token_count": _all(512.0),
            "output_token_count": _all(256.0),
            "output_tokens_per_second": _all(400.0),
            "time_to_first_token_ms": _all(150.0),
            "time_per_output_token_ms": _all(20.5),
            "inter_token_latency_ms": _all(20.0),
        },
    }
    return {"metadata": {"version": 1, "guidellm_version": "0.6.0"}, "benchmarks": [run]} | document


def _metric(avg, unit):
    return {"unit": unit, "avg": avg, "p50": avg, "p99": avg}


METRICS = {
    "request_throughput": _metric(2.5, "requests/sec"),
    "request_count": _metric(64.0, "requests"),
    "error_request_count": _metric(3.0, "requests"),
    "time_to_first_token": _metric(250.0, "ms"),
    "inter_token_latency": _metric(15.0, "ms"),
    "input_sequence_length": _metric(2048.0, "tokens"),
    "output_sequence_length": _metric(128.0, "tokens"),
    "output_token_throughput": _metric(320.0, "tokens/sec"),
}
AIPERF = {
    "schema_version": "1.0",
    "aiperf_version": "0.10.0",
    "input_config": {"endpoint": {"model_names": ["acme/llama-8b"]}, "loadgen": {"concurrency": 8}},
    "start_time": "2026-11-04T10:00:00",
    **METRICS,
}
"""By hand: aiperf 0.10's profile_export_aiperf.json (export_models.py at 26240f9), the fields that are read."""
GENAI = {"input_config": {"model": ["m"], "perf_analyzer": {"stimulus": {"concurrency": [16]}}}, **METRICS}
"""By hand: genai-perf's profile_export_genai_perf.json (json_exporter.py at 09628cd), the fields that are read."""


@pytest.fixture
def reading(tmp_path):
    """The points in a document, or in several, one a line."""

    def read(*documents):
        path = tmp_path / "result.json"
        path.write_text("\n".join(json.dumps(one) for one in documents))
        return read_results(path)

    return read


def test_vllms_closed_run_is_a_row_with_means_over_its_good_requests(reading):
    point = real("vllm-0.33.0-concurrency")
    assert (point.mode, point.concurrency, point.request_rate_per_s) == ("closed", 2, None)
    assert (point.input_tokens, point.output_tokens, point.requests, point.failed) == (90, 16, 4, 0)
    assert point.ttft_s == pytest.approx(VLLM["mean_ttft_ms"] / 1000)
    assert point.output_tokens_per_s == pytest.approx(4 * 16 / VLLM["duration"])
    assert (point.on, point.model) == (date(2026, 11, 30), "smollm2-135m")
    (failing,) = reading(VLLM | {"completed": 3, "failed": 1, "total_input_tokens": 270, "total_output_tokens": 48})
    assert (failing.input_tokens, failing.output_tokens, failing.requests, failing.failed) == (90, 16, 3, 1)


def test_vllms_paced_run_is_open_and_one_without_any_limit_sends_all_at_once():
    paced, unlimited = real("vllm-0.33.0-rate"), real("vllm-0.33.0-unlimited")
    assert (paced.mode, paced.request_rate_per_s, paced.concurrency) == ("open", 0.5, None)
    assert (unlimited.mode, unlimited.concurrency) == ("closed", 2)


def test_vllms_appended_results_are_a_row_each():
    rows = read_results(RECORDED / "vllm-0.33.0-appended.json")
    assert [point.concurrency for point in rows] == [1, 2]


@pytest.mark.parametrize(
    ("name", "mode", "concurrency", "rate", "requests"),
    [
        ("concurrent", "closed", 2, None, 6),
        ("synchronous", "closed", 1, None, 4),
        ("throughput", "closed", 2, None, 4),
        ("poisson", "open", None, 0.2, 4),
    ],
)
def test_each_strategy_of_guidellm_is_the_load_that_it_is(name, mode, concurrency, rate, requests):
    point = real(f"guidellm-0.8.1-{name}")
    assert (point.mode, point.concurrency, point.request_rate_per_s) == (mode, concurrency, rate)
    assert (point.input_tokens, point.output_tokens, point.requests, point.failed) == (90, 16, requests, 0)
    assert (point.model, point.tool) == ("smollm2-135m", "guidellm 0.8.1")
    assert point.on == date(2026, 11, 29)


def test_guidellms_figures_are_of_good_requests_and_add_up():
    point = real("guidellm-0.8.1-failed")
    assert (point.requests, point.failed) == (9, 3)
    server = (0.02, 0.005)  # what known_server.py was told: the first token after 20 ms, then one every 5 ms
    assert (point.ttft_s, point.tpot_s) == (pytest.approx(server[0], abs=0.01), pytest.approx(server[1], abs=0.001))
    slow = real("guidellm-0.8.1-synchronous")
    alone = slow.output_tokens / (slow.ttft_s + slow.tpot_s * (slow.output_tokens - 1))
    assert slow.output_tokens_per_s == pytest.approx(alone, rel=0.02)


@pytest.mark.parametrize(
    ("strategy", "mode", "concurrency", "rate"),
    [
        ({"type_": "throughput"}, "closed", 7.9, None),
        ({"type_": "constant", "rate": 4.0}, "open", None, 4.0),
    ],
)
def test_strategies_that_were_not_run_are_read_by_guidellms_own_names(reading, strategy, mode, concurrency, rate):
    (point,) = reading(guidellm(strategy))
    assert (point.mode, point.concurrency, point.request_rate_per_s) == (mode, concurrency, rate)
    assert (point.ttft_s, point.tpot_s, point.tool) == (0.15, 0.02, "guidellm 0.6.0")


def test_guidellms_model_is_found_in_both_versions_of_its_report(reading):
    strategy = {"type_": "synchronous"}
    (first,) = reading(guidellm(strategy, args={"backend_kwargs": {"model": "one"}}))
    (second,) = reading(guidellm(strategy, config={"spec": {"backend": {"model": "two"}}}))
    assert (first.model, second.model) == ("one", "two")


def test_aiperfs_warm_up_is_no_part_of_the_load_that_was_measured():
    point = real("aiperf-0.13.0-warm")
    assert (point.mode, point.concurrency, point.request_rate_per_s) == ("closed", 3, None)
    assert (point.requests, point.failed, point.model, point.tool) == (6, 0, "smollm2-135m", "aiperf 0.13.0")


def test_aiperfs_paced_run_is_open():
    point = real("aiperf-0.13.0-rate")
    assert (point.mode, point.concurrency, point.request_rate_per_s) == ("open", None, 0.5)
    assert (point.requests, point.on) == (4, date(2026, 11, 30))


def test_the_prompt_is_as_long_as_the_server_says_whichever_tool_asked():
    tools = ("guidellm-0.8.1-poisson", "aiperf-0.13.0-rate", "vllm-0.33.0-rate")
    assert {real(name).input_tokens for name in tools} == {90}


def test_several_measured_phases_are_no_one_load(reading):
    phases = [{"kind": "profiling", "concurrency": 2}, {"kind": "profiling", "concurrency": 4}]
    with pytest.raises(SpecError, match="several measured phases"):
        reading(AIPERF | {"input_config": {"phases": phases}})


def test_aiperf_and_genai_perf_are_told_apart_and_read_alike(reading):
    (aiperf,), (genai,) = reading(AIPERF), reading(GENAI)
    assert (aiperf.tool, genai.tool) == ("aiperf 0.10.0", "genai-perf")
    assert (aiperf.concurrency, genai.concurrency) == (8, 16)
    assert (aiperf.on, genai.on) == (date(2026, 11, 4), None)
    for point in (aiperf, genai):
        assert (point.mode, point.requests, point.failed) == ("closed", 64, 3)
        assert (point.ttft_s, point.tpot_s, point.output_tokens_per_s) == (0.25, 0.015, 320.0)


def test_aiperfs_older_nesting_and_a_rate_are_read(reading):
    nested = {"records": METRICS, "input_config": {"loadgen": {"concurrency": 99, "request_rate": 5.0}}}
    (point,) = reading(nested)
    assert (point.mode, point.request_rate_per_s, point.concurrency) == ("open", 5.0, None)


def test_a_unit_other_than_milliseconds_is_heeded(reading):
    (point,) = reading(AIPERF | {"time_to_first_token": _metric(0.25, "s")})
    assert point.ttft_s == 0.25


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"not": "a result"}, "no load generator that is known"),
        ([1, 2], "no load generator that is known"),
        ({k: v for k, v in AIPERF.items() if k != "time_to_first_token"}, "lacks a figure: KeyError"),
        (AIPERF | {"input_config": {}}, "does not say a concurrency"),
        (VLLM | {"completed": 0}, "holds no run"),
        (guidellm({"type_": "poisson"}), "lacks a figure"),
    ],
)
def test_a_file_that_cannot_be_a_row_is_told_in_one_message(reading, document, told):
    with pytest.raises(SpecError, match=told):
        reading(document)


def test_what_is_no_json_is_told(tmp_path):
    (tmp_path / "x.json").write_text("nothing")
    with pytest.raises(SpecError, match="is no JSON"):
        read_results(tmp_path / "x.json")
    with pytest.raises(SpecError, match="cannot be read"):
        read_results(tmp_path / "none.json")


def test_rows_say_on_what_they_were_measured_or_are_not_written(reading):
    given = {"--on": "L4", "--catalogue-model": "llama-8b", "--format": "int4", "--engine": "vllm"}
    system = described(given | {"--engine-version": "0.19.0"}, 2, 3)
    assert system == System(
        gpu="L4",
        model="llama-8b",
        number_format="w4a16",
        engine="vllm-v1",
        engine_version="vllm 0.19.0",
        tensor_parallel=2,
        replicas=3,
    )
    header, row = csv_of(reading(VLLM | {"failed": 1}), system, "my rack", date(2026, 12, 1)).decode().splitlines()
    told = dict(
        zip(header.split(","), row.replace('"vllm bench serve my rack, 1 failed"', "x").split(","), strict=True)
    )
    assert told["gpus_used"] == "6"
    assert told["date"] == "2026-11-30"
    assert told["id"] == "bench:20261201-1"
    with pytest.raises(SpecError, match="--on, --engine are not given"):
        described(given | {"--on": None, "--engine": None})
    with pytest.raises(SpecError, match="--format is q4"):
        described(given | {"--format": "q4"})
