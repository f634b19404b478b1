"""`breakeven price` as a person or a CI job uses it."""

import json
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from breakeven.cli import BAD_INPUT

ROOT = Path(__file__).parents[2]
LOG = str(ROOT / "examples/usage.jsonl")


@pytest.fixture
def run(run):
    """Run `breakeven price` with these arguments."""
    return partial(run, "price")


def test_the_cost_stands_beside_what_the_log_says(run):
    code, out, _ = run(LOG)
    assert code == 0
    assert "priced as anthropic/claude-sonnet-4-5, openai/gpt-4o-mini" in out
    assert "2 failed requests are taken as not billed" in out
    assert "line 122" in out


def test_the_json_is_exact_and_agrees_with_the_logs_own_cost(run):
    _, out, _ = run(LOG, "--by", "model,day,key", "--json", "-")
    document = json.loads(out)
    total = document["total"]
    assert document["by"] == ["model", "day", "key"]
    assert sum(Decimal(cost["usd"]) for cost in document["costs"]) == Decimal(total["usd"])
    assert sum(Decimal(usd) for usd in total["usd_by_kind"].values()) == Decimal(total["usd"])
    assert Decimal(total["usd"]) == pytest.approx(Decimal(total["logged_usd"]), abs=Decimal("1e-5"))


def test_candidates_are_ranked_and_all_of_them_are_in_the_json(run):
    _, out, _ = run(LOG, "--candidates", "gpt-4o-mini,claude-sonnet-4-5")
    assert "WHAT IT WOULD HAVE COST" in out
    _, out, _ = run(LOG, "--candidates", "all", "--json", "-")
    found = json.loads(out)["candidates"]
    assert len(found) > 100
    priced = [Decimal(one["usd"]) for one in found if not one["unpriced_requests"] and not one["context_too_short"]]
    assert priced == sorted(priced)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([LOG, "--by", "colour"], "--by colour is not known"),
        ([LOG, "--candidates", "gpt-4o-minni"], "Did you mean: "),
        ([LOG, "--as", "x=openai/nothing"], "is not in the catalogue"),
        ([LOG, "--as", "x"], "names no offer"),
        (["nothing.csv"], "there is no file nothing.csv"),
    ],
)
def test_a_slip_is_one_message_and_exit_code_2(run, arguments, said):
    code, out, err = run(*arguments)
    assert (code, out) == (BAD_INPUT, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_model_without_a_price_is_never_free(run, tmp_path):
    log = tmp_path / "own.csv"
    log.write_text("t,i,o,m\n2026-09-07T00:00:00Z,1000,10,our-own-model\n")
    code, out, _ = run(str(log), "--columns", "time=t,input=i,output=o,model=m")
    assert code == 0
    assert "not priced: 1 request: the catalogue does not know the model our-own-model" in out
    assert "$0" not in out


def test_a_trace_without_models_is_priced_as_what_it_is_said_to_be(run, tmp_path):
    log = tmp_path / "trace.csv"
    log.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2026-09-07 00:00:00,1000000,0\n")
    _, out, _ = run(str(log), "--time-zone", "UTC", "--as", "*=openai/gpt-4o-mini", "--json", "-")
    assert Decimal(json.loads(out)["total"]["usd"]) == Decimal("0.15")
