from datetime import date

import msgspec
import pytest
from rich.console import Console

from breakeven import Policy, Workload, plan
from breakeven.catalogue.load import load_catalogue
from breakeven.report.answer import ahead_words, answer
from breakeven.report.document import plan_document, to_json
from breakeven.report.explained import print_verdict
from breakeven.report.page import html_page
from breakeven.report.tables import print_plan
from breakeven.workload.availability import Availability
from breakeven.workload.policy import Only

CATALOGUE = load_catalogue()


@pytest.fixture(scope="module")
def found():
    work = Workload.of(
        requests_per_day=4e6,
        input_tokens=1500,
        output_tokens=300,
        weights=CATALOGUE.profiles["azure-chat-168h"].weights,
    )
    only = Only(models=("gpt-oss-20b", "gpt-oss-120b", "qwen3-30b-a3b*", "*gemma-3-12b-it"))
    away = Availability(apis={"*": 0.999})
    return plan(work, CATALOGUE, Policy(only=only, as_of=date(2026, 11, 25), at_least=1250.0, availability=away))


def printed(show) -> str:
    console = Console(width=100, highlight=False)
    with console.capture() as caught:
        show(console)
    return caught.get()


def test_the_answer_names_base_overflow_both_ends_and_the_traffic_over_which_it_is_ahead(found):
    told = " ".join(answer(found))
    both = found.winner.hybrid
    assert "A base of one's own with a paid API for the overflow is cheapest" in told
    assert f"overflow to {both.overflow_to}" in told
    assert "That API alone would cost" in told
    assert "The hybrid beats both its halves" in told
    assert "hybrid stops winning above" in told


def test_the_table_and_the_explanation_show_it_within_100_columns(found):
    table = printed(lambda console: print_plan(found, console, 5))
    one = printed(lambda console: print_verdict(found.winner, found, console))
    assert "hybrid:" in table
    for words in (
        "overflow to the API: input tokens",
        "own machines: failover to",
        "overflow goes to",
        "cheaper than both",
    ):
        assert words in one, words
    assert max(len(line) for line in (table + one).splitlines()) <= 100


def test_the_document_has_both_halves(found):
    document = msgspec.json.decode(to_json((plan_document(found),)))
    first = next(v for v in document["verdicts"] if v["option"]["kind"] == "hybrid")
    assert document["winner"] == first["option"]["id"]
    assert 0 < first["hybrid"]["overflow_share"] < 1
    assert len(first["hybrid"]["overflow_by_hour"]) == len(first["capacity"]["replicas_by_hour"]) == 168
    assert first["bill"]["usd_per_day"] == pytest.approx(sum(line["usd"] or 0 for line in first["bill"]["lines"]))
    assert all(v["hybrid"] is None for v in document["verdicts"] if v["option"]["kind"] != "hybrid")


def test_the_page_shows_it(found):
    page = html_page([found], [5]).decode()
    assert "of requests that overflow" in page
    assert "overflow to the API: input tokens" in page


def test_the_traffic_over_which_it_is_ahead_is_told_as_one_figure_where_it_is_narrow():
    assert ahead_words((1e6, 1.001e6)) == "only around 1 million requests a day"
