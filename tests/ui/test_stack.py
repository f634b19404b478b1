"""The CloudFormation document of an option is the command's own, and what has none is told where it can be mended."""

import re
from html import unescape
from urllib.parse import urlencode

import msgspec
import pytest

from breakeven.deploy.choice import on_sagemaker
from breakeven.deploy.plan import Plan
from breakeven.deploy.server import Weights
from breakeven.deploy.stack import Wishes, template

ONLY = "only.machines=ml.*&only.models=llama-3.3-70b&only.kinds=hosted"


@pytest.fixture(scope="module")
def option(client):
    plan = client.get(f"/api/v1/plan?{ONLY}").json()
    fit = [v["option"]["id"] for v in plan["verdicts"] if v["option"]["serving_path"] == "direct"]
    return fit[0]


def test_the_document_is_what_the_command_writes_of_the_same_plan(client, option):
    query = urlencode({"option": option, "weights": "acme/weights", "quantized": "true"})
    found = client.get(f"/download/stack.yaml?{query}&{ONLY}")
    assert found.status_code == 200, found.text
    assert found.headers["content-disposition"] == 'attachment; filename="breakeven-stack.yaml"'
    plan = msgspec.json.decode(client.get(f"/api/v1/plan?{ONLY}").content, type=Plan)
    wishes = Wishes(weights=Weights(place="acme/weights", quantized=True))
    assert found.text == template(on_sagemaker((plan,), option), wishes)


@pytest.mark.parametrize("query", ["", f"{ONLY}&as_of=2026-11-20"])
def test_the_page_s_own_link_leads_to_an_option_of_sagemaker(client, query):
    """The cheapest shown, or its twin there; written once the weights are said, where the catalogue has none."""
    link = unescape(re.search(r'href="(/download/stack\.yaml\?[^"]+)"', client.get(f"/?{query}").text)[1])
    assert "%3Aml." in link
    found = client.get(f"{link}&weights=acme/weights&quantized=true")
    assert found.status_code == 200, found.text
    assert "AWSTemplateFormatVersion" in found.text


def test_a_bill_of_own_machines_leads_to_the_document_and_one_of_an_api_does_not(client, option):
    assert "/download/stack.yaml?option=" in client.get(f"/part/bill?{urlencode({'option': option})}&{ONLY}").text
    api = urlencode({"option": "api:openai/gpt-5-nano"})
    bill = client.get(f"/part/bill?{api}")
    assert bill.status_code == 200
    assert "stack.yaml" not in bill.text


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("api:openai/gpt-5-nano", "there is nothing to deploy"),
        ("host:gemma-3-27b:fp8:g6e.xlarge:tp1:ec2", "runs on aws-ec2, not on SageMaker"),
        ("nothing-of-the-kind", "nothing-of-the-kind"),
        ("", "option is not given"),
        ("x" * 400, "at most 300 characters"),
    ],
)
def test_a_refusal_is_a_message_beside_the_field_to_change(client, option, told):
    found = client.get("/download/stack.yaml", params={"option": option, "region": "us-east-1"})
    assert found.status_code == 422
    assert found.headers["content-type"].startswith("text/html")
    assert told in unescape(found.text)
    assert '<input type="hidden" name="region" value="us-east-1">' in found.text
    assert 'id="option"' in found.text


def test_a_scenario_that_cannot_be_planned_is_told_too(client):
    found = client.get("/download/stack.yaml?option=x&at_least=nothing")
    assert found.status_code == 422
    assert "nothing" in found.text
