"""Pages as a browser without scripts gets them: the answer is in them, in every language, and bad values are told."""

import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from breakeven.ui.address import FIELDS
from breakeven.ui.answers import Planner
from breakeven.ui.app import application
from breakeven.ui.guard import Door
from breakeven.ui.site import Site

PAGES = ("/", "/?at_least=", "/beside", "/history", "/accuracy", "/api/v1/docs", "/enter")


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_there_in_every_language(client, path, lang):
    found = client.get(f"{path}{'&' if '?' in path else '?'}lang={lang}")
    assert found.status_code == 200
    assert f'<html lang="{ {"en": "en", "zh": "zh-Hans"}[lang] }">' in found.text
    assert "None" not in re.sub(r"<[^>]*>", " ", found.text)


def test_the_first_page_holds_the_answer_of_the_day(client, planner):
    from breakeven.ui.scenario import Scenario

    found, answer = client.get("/"), planner.answer(Scenario())
    winner = answer.now.winner
    assert f"${winner.usd_per_day:,.2f}" in found.text
    assert "2026-11-24" in found.text
    assert winner.model in found.text


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("traffic.requests_per_day=-5", "requests_per_day"),
        ("trafic=1", "address field"),
        ("at_least=llama-3.3-70", "Did you mean"),
        ("latency.ttft_s=0.0000001&only.kinds=hosted", "no option is left"),
        ("overlay=/etc/passwd", "overlay names a file"),
        ("as_of=2019-01-01", "2019-01-01"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/part/answer", "/part/step"])
def test_a_bad_value_gets_its_message_and_nothing_half_done(client, path, query, told):
    found = client.get(f"{path}?{query}")
    assert found.status_code == 422
    assert told in found.text
    assert 'class="lead"' not in found.text


def test_the_address_that_is_pushed_holds_only_what_differs(client):
    found = client.get("/part/answer?traffic.requests_per_day=2e5&traffic.profile=azure-chat-168h&tokens.input=1500")
    assert found.headers["HX-Push-Url"] == "/?traffic.requests_per_day=200000"


def test_what_a_user_named_is_escaped(client):
    found = client.get("/?name=<script>alert(1)</script>&only.models=<b>*")
    assert "<script>alert" not in found.text
    assert client.get("/history?name=<img src=x>").text.count("<img") == 0


def test_a_step_says_that_the_whole_catalogue_is_still_planned(client):
    client.get("/")
    step = client.get("/part/step?traffic.requests_per_day=777000").text
    assert 'class="narrowed"' in step
    assert "777" not in client.get("/").text
    assert 'class="whole"' in client.get("/part/answer?traffic.requests_per_day=777000").text


def test_a_bill_adds_up_to_what_the_ranking_says(client, planner):
    from breakeven.ui.scenario import Scenario

    row = planner.answer(Scenario()).section.groups[0].rows[0]
    bill = client.get("/part/bill", params={"option": row.verdict.option.id}).text
    assert f"${row.verdict.bill.usd_per_day:,.2f}" in bill
    for line in row.verdict.bill.lines:
        assert line.name in bill
    missing = client.get("/part/bill", params={"option": "host:nothing"})
    assert missing.status_code == 422


def test_every_number_says_where_it_comes_from(client):
    page = client.get("/").text
    facts = re.findall(r'<button type="button" class="fact" title="([^"]*)">', page)
    assert len(facts) > 60
    assert all(len(tip) > 20 for tip in facts)
    dated = [
        tip
        for tip in facts
        if re.search(r"20\d\d-\d\d-\d\d|basis|predicted|held-out|scenarios|workload", tip, re.IGNORECASE)
    ]
    assert len(dated) == len(facts)


@pytest.mark.parametrize(("find", "told"), [("gpt-4o", "gpt-4o"), ("fp8", "hardware"), ("zzzz", "Nothing fits")])
def test_what_was_ruled_out_can_be_searched(client, find, told):
    assert told in client.get("/part/out", params={"find": find}).text


def test_a_model_that_does_not_compete_says_why(client):
    found = client.get("/part/out", params={"find": "llama-3.1-8b-instruct"}).text
    assert "below" in found or "quality" in found or "competes" in found or "Did you mean" in found


def test_two_scenarios_side_by_side_tell_where_they_differ(client):
    found = client.get("/beside", params={"left": "", "right": "region=us-east-1&traffic.requests_per_day=5e6"}).text
    assert "traffic.requests_per_day" in found
    assert "5000000" in found
    ids = re.findall(r'\sid="([^"]+)"', found)
    assert len(ids) == len(set(ids))


def test_no_id_stands_twice_on_a_page(client):
    for path in PAGES:
        ids = re.findall(r'\sid="([^"]+)"', client.get(path).text)
        assert len(ids) == len(set(ids)), path


def test_prices_over_time_of_any_offer_or_machine(client):
    assert "63.296" in client.get("/history?name=ml.p5.48xlarge").text
    wrong = client.get("/history?name=p5.48xlrge")
    assert wrong.status_code == 422
    assert "p5.48xlarge" in wrong.text


def test_pages_hold_no_script_or_style_of_their_own(client):
    for path in PAGES:
        text = client.get(path).text
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", text), path
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', text), path


@settings(deadline=None, max_examples=60)
@given(
    name=st.sampled_from(sorted(FIELDS)),
    value=st.one_of(
        st.text(max_size=12),
        st.sampled_from(
            ["-1", "0", "1e400", "NaN", "[]", "{}", "[1]", '{"a": 1}', "null", "true", "9" * 30, "2019-02-30"]
        ),
    ),
)
def test_whatever_stands_in_an_address_is_planned_or_told(client, name, value):
    found = client.get(
        "/part/step", params={name: value, "only.kinds": "api"} if name != "only.kinds" else {name: value}
    )
    assert found.status_code in (200, 422)


def test_what_breaks_is_told_in_the_reader_s_language_and_as_a_part_where_a_part_was_asked(shipped):
    class Broken(Planner):
        def answer(self, scenario):
            raise ZeroDivisionError(scenario)

    app = application(Site(Broken(shipped)), Door(host="127.0.0.1"))
    client = TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)
    page, part = client.get("/?lang=zh"), client.get("/part/answer?lang=zh")
    assert (page.status_code, part.status_code) == (500, 500)
    assert "breakeven 自身出错" in page.text
    assert "breakeven 自身出错" in part.text
    assert "<html" in page.text
    assert "<html" not in part.text
    assert "ZeroDivision" not in page.text + part.text


def test_a_broken_address_keeps_what_can_be_read_of_it(client):
    found = client.get("/?traffic.requests_per_day=-5&at_least=1400&tokens.output=77&lang=zh")
    assert found.status_code == 422
    assert 'value="1400"' in found.text
    assert 'name="tokens.output" type="number" value="77"' in found.text
    assert 'name="lang" value="zh"' in found.text


def test_every_link_of_a_page_keeps_the_language_that_its_address_names(client):
    kept = "/?lang=zh&beside=at_least%3D1400&name=mine&hosting.concurrency=8&hosting.response_s=9"
    for path in (kept, "/beside?lang=zh", "/history?lang=zh", "/api/v1/docs?lang=zh", "/spend?lang=zh"):
        page = client.get(path)
        assert page.status_code == 200
        links = map(unescape, re.findall(r'<a href="(/[^"]*)"', page.text))
        pages = [link for link in links if not link.startswith(("/download/", "/api/v1/plan", "/api/v1/openapi"))]
        assert len(pages) > 6
        assert [link for link in pages if "lang=" not in link] == [], path
