"""Result files of other load generators, written here in their documented form, become the same rows."""

import json
from datetime import date

import pytest

from breakeven.bench.others import read_results
from breakeven.bench.rows import System, csv_of, described
from breakeven.errors import SpecError

VLLM = {
    "date": "20261104-101500",
    "backend": "openai-chat",
    "model_id": "acme/llama-8b",
    "num_prompts": 80,
    "request_rate": "inf",
    "burstiness": 1.0,
    "max_concurrency": 16,
    "duration": 20.0,
    "completed": 79,
    "failed": 1,
    "total_input_tokens": 79_000,
    "total_output_tokens": 23_700,
    "request_throughput": 3.95,
    "output_throughput": 1185.0,
    "mean_ttft_ms": 90.0,
    "median_ttft_ms": 80.0,
    "mean_tpot_ms": 12.5,
    "p99_tpot_ms": 20.0,
}
"""What `vllm bench serve --save-result` writes (vllm/benchmarks/serve.py at 009e6d4), the fields that are read."""


def _all(mean):
    return {"successful": {"mean": mean, "median": mean, "percentiles": {"p95": mean}}, "errored": {"mean": 0.0}}


def guidellm(strategy, **document):
    """A report of guidellm (schemas/report.py at 2ffffa8 and metrics.py at 06cef29), the fields that are read."""
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
"""aiperf's profile_export_aiperf.json (export_models.py at 26240f9), the fields that are read."""
GENAI = {"input_config": {"model": ["m"], "perf_analyzer": {"stimulus": {"concurrency": [16]}}}, **METRICS}
"""genai-perf's profile_export_genai_perf.json (json_exporter.py at 09628cd), the fields that are read."""


@pytest.fixture
def reading(tmp_path):
    """The points in a document, or in several, one a line."""

    def read(*documents):
        path = tmp_path / "result.json"
        path.write_text("\n".join(json.dumps(one) for one in documents))
        return read_results(path)

    return read


def test_vllms_closed_run_is_a_row_with_means_over_its_good_requests(reading):
    (point,) = reading(VLLM)
    assert (point.mode, point.concurrency, point.request_rate_per_s) == ("closed", 16, None)
    assert (point.input_tokens, point.output_tokens) == (1000, 300)
    assert (point.requests, point.failed) == (79, 1)
    assert (point.ttft_s, point.tpot_s, point.output_tokens_per_s) == (0.09, 0.0125, 1185.0)
    assert (point.on, point.model) == (date(2026, 11, 4), "acme/llama-8b")


def test_vllms_paced_run_is_open_and_one_without_any_limit_sends_all_at_once(reading):
    (paced,) = reading(VLLM | {"request_rate": 4.0})
    assert (paced.mode, paced.request_rate_per_s, paced.concurrency) == ("open", 4.0, None)
    (unlimited,) = reading(VLLM | {"max_concurrency": None})
    assert (unlimited.mode, unlimited.concurrency) == ("closed", 80)


def test_vllms_appended_results_are_a_row_each(reading):
    assert [point.concurrency for point in reading(VLLM, VLLM | {"max_concurrency": 32})] == [16, 32]


@pytest.mark.parametrize(
    ("strategy", "mode", "concurrency", "rate"),
    [
        ({"type_": "concurrent", "streams": 8, "max_concurrency": 8}, "closed", 8, None),
        ({"type_": "synchronous"}, "closed", 1, None),
        ({"type_": "throughput"}, "closed", 7.9, None),
        ({"type_": "constant", "rate": 4.0}, "open", None, 4.0),
        ({"type_": "poisson", "rate": 2.5}, "open", None, 2.5),
    ],
)
def test_each_strategy_of_guidellm_is_the_load_that_it_is(reading, strategy, mode, concurrency, rate):
    (point,) = reading(guidellm(strategy))
    assert (point.mode, point.concurrency, point.request_rate_per_s) == (mode, concurrency, rate)
    assert (point.input_tokens, point.output_tokens, point.requests, point.failed) == (512, 256, 56, 2)
    assert (point.ttft_s, point.tpot_s, point.tool) == (0.15, 0.02, "guidellm 0.6.0")


def test_guidellms_model_is_found_in_both_versions_of_its_report(reading):
    strategy = {"type_": "synchronous"}
    (first,) = reading(guidellm(strategy, args={"backend_kwargs": {"model": "one"}}))
    (second,) = reading(guidellm(strategy, config={"spec": {"backend": {"model": "two"}}}))
    assert (first.model, second.model) == ("one", "two")


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
    header, row = csv_of(reading(VLLM), system, "my rack", date(2026, 11, 29)).decode().splitlines()
    told = dict(
        zip(header.split(","), row.replace('"vllm bench serve my rack, 1 failed"', "x").split(","), strict=True)
    )
    assert told["gpus_used"] == "6"
    assert told["date"] == "2026-11-04"
    assert told["id"] == "bench:20261129-1"
    with pytest.raises(SpecError, match="--on, --engine are not given"):
        described(given | {"--on": None, "--engine": None})
    with pytest.raises(SpecError, match="--format is q4"):
        described(given | {"--format": "q4"})
