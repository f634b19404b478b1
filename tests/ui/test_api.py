"""The API: what it gives fits its own document, and agrees with the pages and with the command."""

import json
import re
from pathlib import Path
from urllib.parse import urlencode

import jsonschema
import pytest

import breakeven.ui
from breakeven.ui.api import OPERATIONS, V1
from breakeven.ui.app import GET
from breakeven.ui.openapi import PARTS
from breakeven.ui.scenario import Scenario

ASKED = {f"{V1}/history/{{name}}": f"{V1}/history/ml.p5.48xlarge", f"{V1}/option": f"{V1}/option?option=llama-3.3-70b"}


@pytest.fixture(scope="module")
def document(client):
    return client.get("/api/v1/openapi.json").json()


@pytest.mark.parametrize("path", OPERATIONS)
def test_every_operation_gives_what_the_document_says(client, document, path):
    found = client.get(ASKED.get(path, path))
    assert found.status_code == 200, found.text
    shape = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    schema = {**shape, "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(found.json())


@pytest.mark.parametrize("path", [path for path, one in OPERATIONS.items() if one.scenario])
def test_a_bad_value_is_told_in_parts(client, document, path):
    found = client.get(path, params={"latency.quantile": "7"} | ({"option": "x"} if path.endswith("/option") else {}))
    assert found.status_code == 422
    shape = document["paths"][path]["get"]["responses"]["422"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator({**shape, "components": document["components"]}).validate(found.json())
    assert found.json()["expected"] == "a share from 0.5 to below 1, for example 0.95"


def test_the_plan_is_the_document_of_the_command(client, planner):
    from breakeven.report.document import plan_document, to_json
    from breakeven.report.sections import shown_of

    answer = planner.answer(Scenario())
    plan = plan_document(answer.plan, shown_of(answer.plan), answer.section.ranges)
    assert client.get(f"{V1}/plan").content == to_json((plan,))


def test_the_step_agrees_with_the_plan(client):
    query = urlencode({"traffic.requests_per_day": "640000"})
    client.get(f"{V1}/plan")
    step, plan = client.get(f"{V1}/step?{query}").json(), client.get(f"{V1}/plan?{query}").json()
    assert step["winner"]["option"] == plan["winner"]
    first = next(one for one in plan["verdicts"] if one["option"]["id"] == plan["winner"])
    assert step["winner"]["usd_per_day"] == pytest.approx(first["bill"]["usd_per_day"])


def test_every_field_of_the_spec_is_a_parameter_with_its_meaning(document):
    told = document["components"]["parameters"]
    assert told["traffic.requests_per_day"]["description"].startswith("requests on a mean day")
    assert all(len(one["description"]) > 8 for one in told.values())


def test_the_document_is_one_that_others_can_read(document):
    """References lead somewhere; every operation has a name of its own, a summary and an answer."""
    text = json.dumps(document)
    for part in text.split('"$ref": "#/')[1:]:
        target = document
        for step in part.split('"')[0].split("/"):
            target = target[step.replace("~1", "/")]
    ids = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
    assert len(ids) == len(set(ids))
    assert document["openapi"].startswith("3.1")


def test_all_that_the_pages_ask_stands_in_the_document(document):
    """A page's own address and a plain form apart: they are the page."""
    asked = {path for path in GET if path.startswith(("/part/", "/download/"))}
    assert asked == set(PARTS)
    assert asked <= set(document["paths"])
    templates = Path(breakeven.ui.__file__).parent
    texts = [path.read_text() for path in (*templates.glob("templates/*.html"), *templates.glob("assets/app.js"))]
    for address in re.findall(r"/(?:part|download|api/v1)/[a-z/._-]+", " ".join(texts)):
        known = [path for path in document["paths"] if address.rstrip("/").startswith(path.split("/{")[0])]
        assert known or address.startswith("/api/v1/docs") or address.endswith("openapi.json"), address


@pytest.mark.parametrize(("path", "kind"), [(path, kind) for path, (_, kind, _) in PARTS.items() if "{" not in path])
def test_a_part_gives_the_kind_that_the_document_names(client, planner, path, kind):
    option = planner.answer(Scenario()).section.groups[0].rows[0].verdict.option.id
    found = client.get(path, params={"option": option} if path in {"/part/bill", "/download/stack.yaml"} else {})
    assert found.status_code in {200, 422}  # an option of which no stack can be made is told as such
    assert found.headers["content-type"].startswith(kind if found.status_code == 200 else "text/")


def test_prices_over_time_are_asked_for_by_region_span_and_kind(client):
    name = "ml.p5.48xlarge"
    whole = client.get(f"/api/v1/history/{name}").json()
    some = client.get(f"/api/v1/history/{name}", params={"since": "2026-01-01", "as_of": "2026-06-30"}).json()
    assert some["as_of"] == "2026-06-30"
    days = [
        [p["effective_from"] for one in found["entries"] for s in one["series"] for p in s["prices"]]
        for found in (whole, some)
    ]
    assert max(days[1]) <= "2026-06-30"
    assert len(days[1]) < len(days[0])
    offer = client.get("/api/v1/history/openai/gpt-4o", params={"token_kind": "output", "tier": "batch"}).json()
    assert {series["label"] for one in offer["entries"] for series in one["series"]} == {"output, batch"}
    for wrong in (
        {"region": "us-east-9"},
        {"since": "tomorrow"},
        {"tier": "gold"},
        {"since": "2027-01-01", "as_of": "2026-01-01"},
    ):
        assert client.get(f"/api/v1/history/{name}", params=wrong).status_code == 422
    assert client.get(f"/history?name={name}&since=2026-01-01&as_of=2026-06-30").status_code == 200
