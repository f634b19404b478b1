"""Every dollar of the plan's bill belongs to a resource of the stack or is outside it, and there is no other dollar."""

from decimal import Decimal

import pytest

from breakeven.deploy.bill import (
    OUTSIDE,
    RESOURCES,
    at_aws_usd_per_month,
    on_a_cluster,
    shares,
    total_usd_per_day,
    unpriced,
)
from breakeven.deploy.choice import on_sagemaker
from breakeven.deploy.stack import document

from .conftest import wishes

EXAMPLES = ["chat-assistant", "nightly-batch", "support-tickets"]


def split(chosen, **given):
    return shares(chosen, tuple(document(chosen, wishes(**given))["Resources"]))


@pytest.mark.parametrize("path", ["direct", "lambda"])
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_sum_is_the_plans_bill_to_the_last_digit(planned, example, path):
    found = planned(example, path)
    for verdict in found.plans[0].verdicts:
        if verdict.option.engine != "vllm" or "inf2" in verdict.option.id or "trn" in verdict.option.id:
            continue
        chosen = on_sagemaker(found.plans, verdict.option.id)
        assert total_usd_per_day(split(chosen)) == verdict.bill.usd_per_day
        assert total_usd_per_day(on_a_cluster(chosen)) == verdict.bill.usd_per_day
        assert unpriced(split(chosen)) == ()


@pytest.mark.parametrize("chosen", ["direct", "by_lambda"])
def test_each_line_belongs_to_a_resource_that_stands_in_the_stack(request, chosen):
    option = request.getfixturevalue(chosen)
    standing = set(document(option, wishes())["Resources"])
    for share in split(option):
        assert share.resource in standing, share


def test_what_a_stack_holds_beside_machines_is_on_the_bill(by_lambda):
    paid = {share.resource for share in split(by_lambda) if share.line}
    assert {"Endpoint", "Function", "ApiMethod", "Dashboard", "ScalingPolicy", "FunctionLogs", "Removal"} <= paid


def test_the_alarms_of_the_autoscaling_are_billed_where_there_is_one(planned, by_lambda):
    for example in EXAMPLES:
        for path in ("direct", "lambda"):
            found = planned(example, path)
            chosen = on_sagemaker(found.plans, found.best())
            scaled = "ScalingPolicy" in document(chosen, wishes())["Resources"]
            assert scaled == any(share.line and share.line.name.startswith("alarms") for share in split(chosen))
    assert any(share.line and share.line.name.startswith("alarms") for share in split(by_lambda))


def test_people_are_on_the_bill_but_not_in_the_stack_nor_in_its_budget(planned):
    found = planned("chat-assistant", "direct", spec={"people": {"hours_per_month": 10, "usd_per_hour": 90}})
    chosen = on_sagemaker(found.plans, found.best())
    outside = [share for share in split(chosen) if share.resource == OUTSIDE]
    assert [share.line.name for share in outside] == ["people, 10 hours a month"]
    assert total_usd_per_day(split(chosen)) == chosen.verdict.bill.usd_per_day
    at_aws = sum(line.usd for line in chosen.verdict.bill.lines if line.name in RESOURCES)
    assert at_aws_usd_per_month(chosen.verdict.bill) == at_aws * Decimal(repr(730 / 24))


def test_a_resource_without_a_charge_of_its_own_is_named_as_such(by_lambda):
    free = {share.resource for share in split(by_lambda) if share.line is None}
    assert {"Budget", "ServerRole", "ApiKey", "Model"} <= free
