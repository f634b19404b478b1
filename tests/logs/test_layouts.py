"""The forms of log: the same requests are read from each."""

import pytest
from tests.logs.forms import FORMS, MONDAY, OWN, REQUESTS, lines, table

from breakeven.errors import BreakevenError
from breakeven.logs.layouts import LAYOUTS, ROLES

GOOD = [one for one in REQUESTS if not one.failed]
WITHOUT_PARTS = {"azure.csv"}
WITHOUT_REASONING = {"azure.csv", "bedrock.jsonl", "openai.json", "openai.csv"}
WITHOUT_FAILURES = {"azure.csv", "openai.json", "openai.csv"}


def _how(form: str) -> dict:
    return {"azure.csv": {"zone": "UTC"}, "own.jsonl": {"columns": OWN}}.get(form, {})


@pytest.mark.parametrize("form", FORMS)
def test_each_form_tells_the_same_requests(form, logged, asked):
    found = asked(logged(form, FORMS[form](REQUESTS)), **_how(form))
    assert not found.problems
    (one,) = found.workloads
    assert one.requests == len(GOOD)
    assert one.input.mean == pytest.approx(sum(r.input for r in GOOD) / len(GOOD))
    assert one.output.mean == pytest.approx(sum(r.output for r in GOOD) / len(GOOD))
    assert one.failed == (0 if form in WITHOUT_FAILURES else 1)
    total = sum(r.input for r in GOOD)
    if form not in WITHOUT_PARTS:
        assert one.cached_share == pytest.approx(sum(r.cached for r in GOOD) / total)
        assert one.cache_write_share == pytest.approx(sum(r.cache_write for r in GOOD) / total)
    if form not in WITHOUT_REASONING:
        assert one.reasoning_share == pytest.approx(250 / sum(r.output for r in GOOD))


@pytest.mark.parametrize("form", sorted(FORMS.keys() - {"openai.json", "openai.csv"}))
def test_each_form_tells_the_same_times(form, logged, asked):
    found = asked(logged(form, FORMS[form](REQUESTS)), **_how(form))
    assert found.workloads[0].first_us == MONDAY.timestamp() * 1e6
    assert found.workloads[0].last_us == pytest.approx((MONDAY.timestamp() + 7205.25) * 1e6)


@pytest.mark.parametrize("form", sorted(WITHOUT_REASONING - {"azure.csv"}))
def test_what_a_form_does_not_say_is_unknown_and_not_0(form, logged, asked):
    assert asked(logged(form, FORMS[form](REQUESTS))).workloads[0].reasoning_share is None


@pytest.mark.parametrize("form", ["litellm.jsonl", "langfuse.jsonl", "bedrock.jsonl", "otlp.jsonl", "openai.csv"])
def test_requests_can_be_grouped_by_team_and_model_largest_first(form, logged, asked):
    found = asked(logged(form, FORMS[form](REQUESTS)), groups=("model", "team"))
    groups = [tuple(one.group.values()) for one in found.workloads]
    assert groups == [("gpt-4o", "search"), ("gpt-4o", "chat"), ("o4-mini", "chat")]


def test_spans_of_agents_are_not_counted_beside_the_calls_that_they_repeat(logged, asked):
    found = asked(logged("otlp.jsonl", FORMS["otlp.jsonl"](REQUESTS)))
    assert found.not_calls == 2 * len(REQUESTS)


def test_answers_from_the_cache_of_the_proxy_are_no_calls(logged, asked):
    assert asked(logged("litellm.jsonl", FORMS["litellm.jsonl"](REQUESTS))).not_calls == 1


def test_litellm_rows_of_anthropics_own_api_keep_cached_tokens_beside_the_prompt(logged, asked):
    row = {"startTime": "2026-09-07T00:00:00Z", "prompt_tokens": 3, "completion_tokens": 9, "spend": 0.1}
    usage = {"usage_object": {"cache_read_input_tokens": 2000, "cache_creation_input_tokens": 97}}
    found = asked(logged("a.jsonl", lines([{**row, "metadata": usage}])))
    assert found.workloads[0].input.mean == 2100


def test_buckets_count_as_many_requests_as_they_say(logged, asked):
    row = {"start_time": 1_788_739_200, "end_time": 1_788_825_600, "num_model_requests": 10}
    rows = [{**row, "input_tokens": 1000, "output_tokens": 50, "input_cached_tokens": 100}]
    one = asked(logged("openai.csv", table(rows))).workloads[0]
    assert (one.requests, one.input.mean, one.output.mean, one.cached_share) == (10, 100, 5, 0.1)
    assert one.traffic.requests_per_day == 10
    assert any("sums over 24 h" in what for what in one.traffic.cannot_tell)


def test_files_of_several_forms_make_one_log(logged, asked):
    paths = [logged(form, FORMS[form](REQUESTS)) for form in ("litellm.jsonl", "bedrock.jsonl", "otlp.jsonl")]
    found = asked(*paths)
    assert found.workloads[0].requests == 3 * len(GOOD)
    assert len(found.layouts) == 3


@pytest.mark.parametrize("name", ["litellm.jsonl.gz", "litellm.csv.gz"])
def test_compressed_logs_are_read_as_they_are(name, logged, asked):
    form = name.removesuffix(".gz")
    assert asked(logged(name, FORMS[form](REQUESTS))).workloads[0].requests == len(GOOD)


def test_zstd_and_parquet_are_read_as_well(tmp_path, logged, asked):
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    plain = logged("azure.csv", FORMS["azure.csv"](REQUESTS))
    packed, columns = tmp_path / "azure.csv.zst", tmp_path / "azure.parquet"
    with pa.CompressedOutputStream(str(packed), "zstd") as out:
        out.write(FORMS["azure.csv"](REQUESTS).encode())
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(plain), columns)
    expected = asked(plain, zone="UTC").workloads
    assert asked(str(packed), zone="UTC").workloads == expected
    assert asked(str(columns), zone="UTC").workloads == expected


def test_parquet_times_with_a_zone_need_no_flag(tmp_path, asked):
    import pyarrow as pa
    import pyarrow.parquet

    times = pa.array([one.at for one in GOOD], pa.timestamp("us", tz="Europe/Berlin"))
    tokens = {"ContextTokens": [one.input for one in GOOD], "GeneratedTokens": [one.output for one in GOOD]}
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pa.table({"TIMESTAMP": times, **tokens}), path)
    assert asked(str(path)).workloads[0].first_us == MONDAY.timestamp() * 1e6


def test_every_layout_names_its_source_and_known_roles():
    for layout in LAYOUTS:
        assert layout.source
        assert layout.fields.keys() <= ROLES.keys()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"time": "when", "tokens": "x"}, "--columns says tokens=..."),
        ({"input": "usage.in"}, "does not say which column holds time"),
        ({"time": "when", "input": "usage.["}, "names no column"),
    ],
)
def test_columns_that_make_no_sense_are_refused(columns, said, logged, asked):
    with pytest.raises(BreakevenError, match=said.replace("[", r"\[")):
        asked(logged("own.jsonl", FORMS["own.jsonl"](REQUESTS)), columns=columns)
