"""`breakeven workload` as a person or a CI job uses it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from breakeven.cli import BAD_INPUT
from breakeven.logs import extras

ROOT = Path(__file__).parents[2]
LOG = str(ROOT / "examples/usage.jsonl")


def test_a_log_becomes_a_spec_that_compare_plans(run, tmp_path):
    spec = tmp_path / "spec.yaml"
    code, out, _ = run("workload", LOG, "-o", str(spec))
    assert code == 0
    assert "190 requests" in out
    assert f"breakeven compare {spec}" in out
    assert "# burstiness: the log cannot tell" in spec.read_text()  # 190 requests in two weeks
    code, plan, _ = run("compare", str(spec), "--as-of", "2026-11-24", "--json", "-")
    assert code == 0
    workload = json.loads(plan)["workload"]
    assert workload["requests_per_day"] == pytest.approx(23.4, abs=0.5)


def test_each_group_is_a_document_of_the_spec_largest_first(run, tmp_path):
    spec = tmp_path / "spec.yaml"
    code, out, _ = run("workload", LOG, "--group-by", "model,team", "-o", str(spec))
    assert code == 0
    assert out.index("gpt-4o-mini") < out.index("claude-sonnet-4-5")
    documents = spec.read_text().split("---\n")
    assert ['name: "gpt-4o-mini, support"' in documents[0], 'name: "claude-sonnet-4-5, research"' in documents[1]] == [
        True,
        True,
    ]


def test_what_is_not_used_is_shown_with_file_and_line(run):
    _, out, _ = run("workload", LOG)
    assert "1 row: the line cannot be read" in out
    assert "usage.jsonl line 122" in out


def test_the_json_holds_every_figure_and_the_spec_can_go_to_stdout(run):
    _, out, _ = run("workload", LOG, "--json", "-")
    document = json.loads(out)
    assert document["schema"] == "breakeven-workload/1"
    (one,) = document["workloads"]
    assert one["failed"] == 2
    assert one["traffic"]["dispersion_per_minute"] == pytest.approx(1, abs=0.1)
    assert len(one["traffic"]["profile"]) == 168
    _, out, _ = run("workload", LOG, "-o", "-")
    assert out.startswith("# Measured from ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-log.csv"], "there is no file no-such-log.csv"),
        ([LOG, "--group-by", "colour"], "--group-by colour is not known"),
        ([LOG, "--time-zone", "Mars/North"], "--time-zone Mars/North is not known"),
        ([LOG, "--engine", "sql"], "--engine sql is not known"),
        ([LOG, "--columns", "time"], "role=column"),
        ([LOG, "--columns", "time=a,input=b"], "it has no column"),
        ([str(ROOT / "README.md")], "its form is not known"),
    ],
)
def test_a_slip_is_one_message_and_exit_code_2(run, arguments, said):
    code, out, err = run("workload", *arguments)
    assert (code, out) == (BAD_INPUT, "")
    assert said in err
    assert "Traceback" not in err
    assert err.count("\n") == 1


def test_a_missing_extra_is_named_with_the_command_that_brings_it(run, monkeypatch):
    def missing(name: str):
        raise ImportError(name=name.split(".", maxsplit=1)[0])

    monkeypatch.setattr(extras.importlib, "import_module", missing)
    code, _, err = run("workload", LOG)
    assert code == BAD_INPUT
    assert "pip install 'breakeven[logs]'" in err


@pytest.mark.parametrize("code", ["import breakeven", "import breakeven.cli.app"])
def test_heavy_packages_are_loaded_only_by_the_commands_that_need_them(code):
    heavy = "{'ibis', 'duckdb', 'pyspark', 'pandas', 'pyarrow'}"
    script = (
        f"import sys; {code}; sys.exit(str(sorted({heavy} & set(sys.modules))) if {heavy} & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})


def test_a_log_is_read_while_the_terminal_shows_progress(run, monkeypatch):
    from rich.console import Console

    monkeypatch.setattr(Console, "is_terminal", property(lambda _: True))
    code, out, err = run("workload", LOG, "-o", "-")
    assert code == 0
    assert "name: " in out
    assert "reading" in err


def test_a_copy_of_the_log_gives_the_same_spec_but_for_its_name(run, tmp_path):
    copy = tmp_path / "usage.jsonl"
    shutil.copy(LOG, copy)
    texts = [run("workload", path, "-o", "-")[1].replace(path, "") for path in (LOG, str(copy))]
    assert texts[0] == texts[1]
