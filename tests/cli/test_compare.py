"""`breakeven compare` as a person or a CI job uses it."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import jsonschema
import pytest

from breakeven.cli import BAD_INPUT
from breakeven.report.document import json_schema

ROOT = Path(__file__).parents[2]
COMMON = ["--requests-per-day", "1000000", "--words-per-request", "500", "--as-of", "2026-11-24"]


@pytest.fixture
def run(run):
    """Run `breakeven compare` with these arguments."""
    return partial(run, "compare")


def test_the_common_case_needs_no_file(run):
    code, out, _ = run(*COMMON)
    assert code == 0
    assert "1 million requests a day" in out
    assert "half and half" in out, "a split that nobody gave is said to be assumed"


def test_without_a_floor_there_is_no_winner_and_the_answer_says_why(run):
    _, out, _ = run(*COMMON, "--json", "-")
    document = json.loads(out)
    assert document["winner"] is None
    assert len({verdict["group"] for verdict in document["verdicts"]}) > 2
    _, text, _ = run(*COMMON)
    assert "cheap weak model does not beat a good one" in text


def test_the_json_fits_its_own_schema(run):
    _, out, _ = run(str(ROOT / "examples/chat-assistant.yaml"), "--as-of", "2026-11-24", "--json", "-")
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(out))


def test_the_json_keeps_its_contract(run):
    _, out, _ = run(str(ROOT / "examples/chat-assistant.yaml"), "--as-of", "2026-11-24", "--json", "-")
    document = json.loads(out)
    assert {"schema_version", "as_of", "catalogue_digest", "options_considered", "workload"} <= document.keys()
    verdict = document["verdicts"][0]
    assert {"rank", "option", "meets_slo", "because", "basis", "bill", "performance", "capacity"} <= verdict.keys()
    assert {"usd_per_day", "usd_per_day_low", "usd_per_day_high", "usd_per_month"} <= verdict["bill"].keys()
    for shown in document["verdicts"]:
        low, usd, high = (shown["bill"][f"usd_per_day{end}"] for end in ("_low", "", "_high"))
        assert (low is None) == (high is None) == (shown["option"]["kind"] == "api")
        assert low is None or low <= usd <= high
    lines = verdict["bill"]["lines"]
    assert sum(line["usd"] or 0 for line in lines) == pytest.approx(verdict["bill"]["usd_per_day"], abs=1e-6)
    assert {"name", "quantity", "unit", "usd_per_unit", "usd", "source"} == lines[0].keys()
    assert {"because", "count", "examples", "about"} == document["rejected"][0].keys()
    assert {"left", "right", "requests_per_day", "low", "high", "because"} <= document["crossovers"][0].keys()


def test_every_source_on_a_bill_is_told_with_its_day(run):
    _, out, _ = run(str(ROOT / "examples/chat-assistant.yaml"), "--as-of", "2026-11-24", "--json", "-")
    document = json.loads(out)
    told = {source["id"] for source in document["sources"]}
    cited = {s for v in document["verdicts"] for line in v["bill"]["lines"] for s in line["source"]}
    assert cited <= told
    assert all(source["read"] for source in document["sources"])


def test_an_unknown_latency_is_null_in_json_and_never_a_pass(run):
    _, out, _ = run(str(ROOT / "examples/chat-assistant.yaml"), "--as-of", "2026-11-24", "--json", "-")
    verdicts = json.loads(out)["verdicts"]
    apis = [v for v in verdicts if v["option"]["kind"] == "api"]
    assert apis
    assert all(v["meets_slo"] is None for v in apis)
    assert all(v["rank"] > w["rank"] for v in apis for w in verdicts if w["meets_slo"])


def test_a_latency_that_the_user_measured_lets_an_api_win(run, tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "traffic: {requests_per_day: 2000, profile: flat}\ntokens: {input: 500, output: 100}\nas_of: 2026-11-24\n"
        "at_least: llama-3.3-70b\nlatency: {ttft_s: 1}\napi_latency: {'*': {ttft_s: 0.4}}\n"
    )
    _, out, _ = run(str(spec), "--json", "-")
    document = json.loads(out)
    assert document["winner"].startswith("api:")
    spec.write_text(spec.read_text().replace("0.4", "1.4"))
    _, out, _ = run(str(spec), "--json", "-")
    assert "latency target missed, as you measured it" in {r["because"] for r in json.loads(out)["rejected"]}


def test_explain_takes_an_id_a_model_or_a_place(run):
    spec = str(ROOT / "examples/chat-assistant.yaml")
    _, out, _ = run(spec, "--as-of", "2026-11-24", "--json", "-")
    winner = json.loads(out)["winner"]
    model = winner.split(":")[1]
    for name in (winner, winner.removeprefix("host:"), model, "1"):
        _, shown, _ = run(spec, "--as-of", "2026-11-24", "--explain", name)
        assert shown.startswith(winner)
        assert "machine-hour" in shown
        assert "SOURCES" in shown


def test_a_model_that_was_ruled_out_is_explained_by_its_reasons_and_nothing_is_written(run, tmp_path):
    target = tmp_path / "plan.json"
    code, _, err = run(*COMMON, "--at-least", "1400", "--explain", "gpt-3.5-turbo", "--json", str(target))
    assert code == BAD_INPUT
    assert "retired by its provider" in err
    assert not target.exists()


@pytest.mark.parametrize(
    ("arguments", "given", "hint"),
    [
        (["--model", "gpt4o"], "model 'gpt4o'", "gpt-4o"),
        (["--machine", "ml.g5.4xlrage"], "machine 'ml.g5.4xlrage'", "ml.g5.4xlarge"),
        (["--requests-per-day", "-5"], "-5", "more than 0"),
        (["--as-of", "1999-01-01"], "1999-01-01", "a day from"),
        (["--as-of", "yesterday"], "yesterday", "2023-04-24"),
        (["--region", "eu-west-9"], "eu-west-9", "overlay"),
        (["--explain", "host:nothing"], "host:nothing", "competing"),
        (["--by", "colour"], "colour", "machine"),
        (["--at-least", "gpt-99"], "gpt-99", "scored model"),
        (["--provider", "opnai"], "opnai", "openai"),
        (["--output-share", "1.5"], "1.5", "0 to 1"),
        (["--task", "encod"], "encod", "generate"),
        (["--quantile", "95"], "95", "0.95"),
        (["--profile", "azure-chat"], "azure-chat", "azure-chat-168h"),
    ],
)
def test_bad_input_is_one_clear_message_and_exit_code_2(run, arguments, given, hint):
    code, out, err = run(*COMMON, *arguments)
    assert code == BAD_INPUT
    assert out == ""
    assert err.count("breakeven:") == 1
    assert given in err
    assert hint in err
    assert "Traceback" not in err


def test_missing_traffic_is_told_with_the_flag_that_gives_it(run):
    code, _, err = run("--input-tokens", "10", "--output-tokens", "10")
    assert code == BAD_INPUT
    assert "--requests-per-day" in err


def test_a_yaml_slip_is_told_with_line_and_field(run, tmp_path):
    spec = tmp_path / "slip.yaml"
    spec.write_text("traffic:\n  requests_per_dya: 10\ntokens: {input: 1, output: 1}\n")
    code, _, err = run(str(spec))
    assert code == BAD_INPUT
    assert "line 2" in err
    assert "traffic.requests_per_dya" in err
    assert "requests_per_day?" in err


def test_a_failed_plan_leaves_the_old_json_whole(run, tmp_path):
    target = tmp_path / "plan.json"
    target.write_text("the old plan")
    code, _, _ = run(*COMMON, "--model", "nothing-like-it", "--json", str(target))
    assert code == BAD_INPUT
    assert target.read_text() == "the old plan"
    assert list(tmp_path.iterdir()) == [target], "nothing half-written is left behind"


def test_a_folder_that_is_not_there_is_told_and_nothing_is_written(run, tmp_path):
    code, _, err = run(*COMMON, "--json", str(tmp_path / "no" / "plan.json"))
    assert code == BAD_INPUT
    assert "cannot be written" in err


def test_the_terminal_table_fits_100_columns(run):
    for arguments in ([*COMMON], [str(ROOT / "examples/own-machines.yaml")], [*COMMON, "--explain", "llama-3.3-70b"]):
        _, out, _ = run(*arguments)
        assert max(len(line) for line in out.splitlines()) <= 100


def test_the_command_runs_from_a_shell_and_a_closed_pipe_is_no_error():
    breakeven = Path(sys.executable).parent / "breakeven"
    shell = f"set -o pipefail; {breakeven} compare {' '.join(COMMON)} | head -1"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert done.stdout.startswith("workload: 2026-11-24")
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_day_after_the_last_reading_says_what_it_cannot_know(run):
    _, out, _ = run(*COMMON[:4], "--as-of", "2030-01-01")
    assert "what changed since is not known" in " ".join(out.split())
    _, out, _ = run(*COMMON)
    assert "what changed since is not known" not in " ".join(out.split())


def test_a_plan_can_be_made_again_from_its_json(run):
    _, out, _ = run(str(ROOT / "examples/chat-assistant.yaml"), "--as-of", "2026-11-24", "--json", "-")
    policy = json.loads(out)["policy"]
    assert policy["at_least"] == "llama-3.3-70b"
    assert policy["min_replicas"] == 2


def test_a_break_even_is_drawn_against_an_api_that_is_known_to_keep_the_target(run, tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "traffic: {requests_per_day: 200000, profile: flat}\ntokens: {input: 1000, output: 200}\nas_of: 2026-11-24\n"
        "at_least: llama-3.3-70b\nlatency: {ttft_s: 1}\napi_latency: {'openai/*': {ttft_s: 0.4}}\n"
    )
    _, out, _ = run(str(spec), "--json", "-")
    (crossover,) = json.loads(out)["crossovers"]
    assert crossover["left"].startswith("api:openai/")
    assert "not known" not in crossover["because"]


def test_a_plan_of_a_past_day_offers_no_later_model_and_that_days_prices(run):
    _, out, _ = run(*COMMON[:4], "--as-of", "2023-04-24", "--json", "-", "--top", "100")
    document = json.loads(out)
    models = {v["option"]["model"] for v in document["verdicts"]}
    assert "gpt-3.5-turbo" in models
    assert not models & {"gpt-4o", "llama-3.3-70b", "llama2-70b", "deepseek-v3"}
    bill = next(v["bill"] for v in document["verdicts"] if v["option"]["id"] == "api:openai/gpt-3.5-turbo")
    assert {line["usd_per_unit"] for line in bill["lines"]} == {2.0}


def test_the_workload_can_be_scaled_and_narrowed_by_flags_over_a_file(run):
    spec = str(ROOT / "examples/chat-assistant.yaml")
    flags = ["--requests-per-day", "5000", "--machine", "g6e.*", "--model", "qwen*"]
    _, out, _ = run(spec, "--as-of", "2026-11-24", *flags, "--json", "-", "--top", "99")
    document = json.loads(out)
    assert document["workload"]["requests_per_day"] == pytest.approx(5000)
    hosted = [v["option"] for v in document["verdicts"] if v["option"]["kind"] == "hosted"]
    assert hosted
    assert all(o["machine"].startswith("g6e.") for o in hosted)


def test_without_a_terminal_the_output_holds_no_colour_codes():
    breakeven = Path(sys.executable).parent / "breakeven"
    environment = {**os.environ, "TERM": "dumb"}
    done = subprocess.run(
        [breakeven, "compare", *COMMON], capture_output=True, text=True, env=environment, timeout=60, check=True
    )
    assert "\x1b[" not in done.stdout


def test_bands_are_drawn_unless_they_are_switched_off_and_a_seed_repeats_them(run):
    first, again, other, off = (
        json.loads(run(*COMMON, "--json", "-", *flags)[1])["ranges"]
        for flags in ([], ["--seed", "0"], ["--seed", "5"], ["--no-bands"])
    )
    assert first == again
    assert first["classes"] != other["classes"]
    assert off is None
    assert sum(option["chance_cheapest"] for option in first["classes"][0]["options"]) == pytest.approx(1)


def test_success_rates_come_from_evaluations_beside_the_spec(run):
    _, out, _ = run(str(ROOT / "examples/support-tickets.yaml"), "--as-of", "2026-11-24", "--json", "-", "--top", "50")
    document = json.loads(out)
    jsonschema.Draft202012Validator(json_schema()).validate(document)
    told = {v["option"]["model"]: v["success"] for v in document["verdicts"] if v["success"] and not v["cascade"]}
    assert told["llama-3.3-70b"]["basis"] == "measured"
    assert told["llama-3.3-70b"]["answers"] == 400
    assert told["llama3.1-8b-tuned"]["success"] > 0.9
    assert "llama3.1-8b" not in told
    assert any("below the success floor" in reason["because"] for reason in document["rejected"])


def test_an_evaluation_that_cannot_be_read_is_told_in_one_message(run, tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "traffic: {requests_per_day: 1}\ntokens: {input: 1, output: 1}\nquality: {evaluations: [none.json]}\n"
    )
    code, _, err = run(str(spec))
    assert code == BAD_INPUT
    assert "none.json cannot be read" in err
