"""`breakeven simulate` as a person uses it."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from breakeven.catalogue.load import load_catalogue
from breakeven.cli import BAD_INPUT, check
from breakeven.report.simulation_told import sparkline

ROOT = Path(__file__).parents[2]
SPEC = str(ROOT / "examples/chat-assistant.yaml")
DAY = ("--as-of", "2026-11-24")
OPTION = "host:gemma-4-26b-a4b:fp8:g6e.xlarge:tp1:ec2"


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    """Ten minutes of a chat service, 2 requests a second."""
    rng = np.random.default_rng(1)
    at_ms = np.sort(rng.integers(0, 600_000, 1200))
    rows = [
        {"timestamp": int(at), "input_length": int(into), "output_length": int(out), "hash_ids": []}
        for at, into, out in zip(at_ms, rng.integers(50, 2000, 1200), rng.integers(1, 400, 1200), strict=True)
    ]
    path = tmp_path_factory.mktemp("log") / "chat.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return str(path)


def refused(run, *arguments):
    code, out, err = run("simulate", *arguments)
    assert code == BAD_INPUT
    assert out == ""
    assert err.count("\n") == 1
    assert err.count("Expected: ") == 1
    return err


def test_a_replay_says_whether_the_target_is_kept_and_what_it_cost(run, trace):
    code, out, _ = run("simulate", SPEC, "--option", OPTION, "--trace", trace, *DAY)
    assert code == 0
    for words in ("ANSWER", "is kept", "1,200 answered requests", "TIMES", "OVER TIME", "machine-hours at $1."):
        assert words in out
    assert max(len(line) for line in out.splitlines()) <= 100


def test_the_document_holds_every_figure_and_its_version(run, trace):
    code, out, _ = run("simulate", SPEC, "--option", OPTION, "--trace", trace, "--machines", "3", *DAY, "--json", "-")
    found = json.loads(out)
    assert code == 0
    assert found["schema"] == "breakeven-simulation/1"
    assert (found["served"], found["overload"]) == (1200, False)
    assert found["played"]["machines"] == 3
    assert found["ttft_s"]["p50"] <= found["ttft_s"]["p95"] <= found["ttft_s"]["p99"]
    assert 0 < found["share_within_target"] <= 1
    hours = found["costs"]["machine_hours"]
    assert found["costs"]["usd_machines"] == pytest.approx(hours * found["costs"]["usd_per_machine_hour"])
    assert {moment["replicas_serving"] for moment in found["over_time"]} == {3}


def test_machines_committed_to_are_paid_all_along_and_those_above_them_by_the_hour(run, trace):
    def costs(option, machines):
        arguments = ("--option", option, "--trace", trace, "--machines", f"{machines}", *DAY, "--json", "-")
        return json.loads(run("simulate", SPEC, *arguments)[1])

    free, reserved = costs(OPTION, 6)["costs"], costs(f"{OPTION}@reserved-1y", 6)
    base, paid = reserved["costs"]["committed_machine_hours"], reserved["costs"]["machine_hours"]
    assert free["committed_machine_hours"] == 0
    assert 0 < base < paid
    assert paid == pytest.approx(free["machine_hours"])
    rent = load_catalogue().on(date(2026, 11, 24), "us-east-1").machine_prices["g6e.xlarge", "reserved-1y"]
    usd = base * float(rent.usd_per_hour) + (paid - base) * free["usd_per_machine_hour"]
    assert reserved["costs"]["usd_machines"] == pytest.approx(usd)
    assert any("commits to" in note for note in reserved["notes"])


def test_the_same_seed_prints_the_same(run, trace):
    arguments = ("simulate", SPEC, "--option", OPTION, "--trace", trace, "--scale", "1.5", "--seed", "4", *DAY)
    assert run(*arguments)[1] == run(*arguments)[1]


def test_overload_is_an_answer_and_no_number(run, trace):
    arguments = ("simulate", SPEC, "--option", OPTION, "--trace", trace, "--scale", "20", "--machines", "1", *DAY)
    code, out, _ = run(*arguments)
    assert code == 0
    assert "grows without limit" in out
    assert "TIMES" not in out
    found = json.loads(run(*arguments, "--json", "-")[1])
    assert found["overload"]
    assert found["ttft_s"] is None
    assert f"at least {found['least_replicas']} replicas" in " ".join(out.split())
    enough = run(*arguments[:-4], "--machines", str(found["least_replicas"]), *DAY, "--json", "-")[1]
    assert not json.loads(enough)["overload"]


def test_what_overflows_is_counted_and_priced_at_the_api(run, trace):
    arguments = ("simulate", SPEC, "--option", OPTION, "--trace", trace, "--scale", "8", "--machines", "1", *DAY)
    limited = (*arguments, "--queue-limit", "2")
    told = run(*limited)[1]
    assert "were refused" in told
    found = json.loads(run(*limited, "--overflow", "api:deepinfra/openai/gpt-oss-120b", "--json", "-")[1])
    costs = found["costs"]
    assert found["served"] + costs["overflow_requests"] == found["played"]["requests"]
    assert costs["overflow_api"] == "api:deepinfra/openai/gpt-oss-120b"
    assert 0 < costs["usd_overflow"] / costs["overflow_requests"] < 0.01


def test_an_autoscaled_fleet_and_a_failure_are_told(run, trace):
    code, out, _ = run(
        "simulate", SPEC, "--option", OPTION, "--trace", trace, "--scale", "4", "--machines", "2", *DAY,
        "--target-in-flight", "8", "--starts-in-s", "60-90", "--fail", "120:60",
    )  # fmt: skip
    assert code == 0
    told = " ".join(out.split())
    assert "autoscaled from 1 to 4 at 8 requests a replica" in told
    assert "began again because the replica had failed" in told
    assert "60 to 90 s after its order" in told


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--option", f"{OPTION}x"), "Did you mean"),
        (("--option", "api:deepinfra/openai/gpt-oss-120b"), "is a paid API"),
        (("--option", OPTION, "--scale", "0"), "--scale is 0"),
        (("--option", OPTION, "--fail", "soon"), "--fail is soon"),
        (("--option", OPTION, "--fail", "1:2:99"), "replica 99"),
        (("--option", OPTION, "--starts-in-s", "9-3"), "--starts-in-s is 9-3"),
        (("--option", OPTION, "--overflow", "api:deepinfra/openai/gpt-oss-120b"), "without a limit"),
        (("--option", OPTION, "--queue-limit", "1", "--overflow", OPTION), "is no paid API"),
        (("--option", OPTION, "--target-in-flight", "-1"), "--target-in-flight is -1"),
        (("--option", OPTION, "--target-in-flight", "4", "--least-machines", "9", "--most-machines", "2"), "9 to 2"),
        (("--option", OPTION, "--cooldown-s", "-1", "--target-in-flight", "4"), "--cooldown-s is -1"),
    ],
)
def test_a_slip_is_told_in_one_message(run, trace, more, words):
    assert words in refused(run, SPEC, "--trace", trace, *DAY, *more)


def test_what_is_missing_is_named(run, trace):
    assert "--option is not given" in refused(run, SPEC, "--trace", trace)
    assert "SPEC and --option and --trace are not given" in refused(run)
    assert "--check stands beside SPEC" in refused(run, SPEC, "--check")


def test_a_log_that_does_not_exist_is_told(run, tmp_path):
    assert "nowhere.jsonl" in refused(run, SPEC, "--option", OPTION, "--trace", str(tmp_path / "nowhere.jsonl"), *DAY)


def test_the_check_prints_a_table_and_fails_where_a_bound_is_broken(run, monkeypatch):
    from breakeven.capacity import closed_form_check as checks

    few = checks.grid(kinds=[checks.KINDS[2]], replicas=[1], loads=[0.3], bursts=[checks.Burstiness()])
    monkeypatch.setattr(checks, "grid", lambda: few)
    monkeypatch.setattr(checks, "FEWEST", 20_000)
    code, out, _ = run("simulate", "--check")
    assert code == 0
    assert "TTFT, p95" in out
    assert "none" in out.split("BROKEN BOUNDS")[1]
    monkeypatch.setattr(checks, "MEAN_BOUND", -0.01)
    code, out, _ = run("simulate", "--check", "--json", "-")
    assert code == check.BROKEN
    assert json.loads(out)["broken"] > 0


def test_a_line_of_a_picture_shows_the_highest_of_each_part():
    assert sparkline([0] * 50 + [9] + [0] * 49, columns=10) == "     █    "
