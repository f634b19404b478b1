"""What the reports say of success: the small catalogue, acme/big is llama-70b and acme/small llama-8b."""

import io
import json

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from breakeven import Workload
from breakeven.report.answer import answer
from breakeven.report.document import json_schema, plan_document, to_json
from breakeven.report.explained import print_verdict
from breakeven.report.page import html_page
from breakeven.report.tables import WIDTH, print_plan
from breakeven.workload.fine_tuning import FineTuning
from breakeven.workload.success import Answers, Checker, SuccessRate, counted

WORK = Workload.of(requests_per_day=100_000, input_tokens=500, output_tokens=100)
RULES = Answers(
    success={"llama-8b": counted(0.7, 200), "llama-70b": SuccessRate(rate=0.95)},
    floor=0.9,
    cascade=True,
    checker=Checker(usd_per_answer=0.00001),
)
TUNING = FineTuning(
    model="llama-8b", method="lora", tokens=1e7, horizon_months=12, success=0.92, examples_usd=200_000, runs=2
)


@pytest.fixture(scope="module")
def found(plan_small):
    return plan_small(WORK, quality=RULES, fine_tuning=(TUNING,))


def printed(show, width=WIDTH):
    out = io.StringIO()
    show(Console(width=width, file=out))
    return out.getvalue()


def test_the_table_ranks_by_the_cost_of_a_right_answer_and_shows_the_unknown_apart(found):
    text = printed(lambda console: print_plan(found, console, 10))
    assert "USD/1k right" in text
    assert "98.5 %" in text  # 0.7 + 0.3 x 0.95
    assert text.index("all that pass the floor") < text.index("success unknown, not compared:")
    assert "by the cost of a right answer" in text


def test_the_answer_says_what_right_answers_cost_and_by_which_floor(found):
    first = answer(found)[0]
    assert "for a right answer with at least 90 % of the answers right" in first
    assert "of its answers are right, which makes $" in first
    assert "for 1,000 of them" in first


def test_without_a_floor_the_answer_asks_for_one(plan_small):
    plain = plan_small(WORK, quality=Answers(success=RULES.success))
    assert "Set quality.floor to get one answer" in answer(plain)[0]


def test_the_explanation_says_where_the_cost_of_a_right_answer_comes_from(found):
    cascade = next(c for c in found.ranking.contenders if found.model_of(c) == "llama-8b+llama-70b")
    both, tuned = (
        printed(lambda console, name=name: print_verdict(found.explain(name), found, console), width=300)
        for name in (found.option_id(cascade), "llama-8b-tuned")
    )
    assert "go on to the fall-back" in both
    assert "200 answers judged (stated: your spec)" in both
    assert "checks of answers" in both
    assert "20 million tokens read in 2 runs, lora on" in tuned
    assert "$200,000 for examples, over 12 months" in tuned


def test_the_document_holds_success_cascade_and_training_and_fits_its_schema(found):
    document = json.loads(to_json((plan_document(found, 50),)))
    Draft202012Validator(json_schema()).validate(document)
    by_kind = {row["option"]["kind"]: row for row in document["verdicts"] if row["success"]}
    assert set(by_kind) == {"api", "hosted", "cascade"}
    whole = next(row for row in document["verdicts"] if row["option"]["model"] == "llama-8b+llama-70b")
    assert whole["cascade"]["escalated"] == pytest.approx(0.3)
    assert whole["success"]["success"] == pytest.approx(0.985)
    right = whole["success"]["usd_per_right_answer"] * WORK.requests_per_day * whole["success"]["success"]
    assert right == pytest.approx(whole["bill"]["usd_per_day"], rel=1e-3)
    assert [row["success"] for row in document["verdicts"] if row["group"] == "success unknown"] == [None] * 3
    assert document["fine_tunings"][0]["name"] == "llama-8b-tuned"
    assert document["policy"]["quality"]["floor"] == 0.9


def test_the_page_shows_the_same(found):
    pytest.importorskip("altair")
    page = html_page([found], [10]).decode()
    assert "USD/1,000 right" in page
    assert "then llama" in page
    assert "as many right answers as there are requests" in page
    assert "Success not known, not compared" in page
    assert "1,000 right answers" in page


def test_the_assumptions_say_what_the_rates_take_for_granted(found):
    told = " ".join(found.assumptions)
    assert "attempts fail by chance alone" in told
    assert "the success after fine-tuning is what you stated" in told
    assert "gathering examples is not counted" not in told
    assert "checks of answers are not counted" not in told
