"""What a deployment would be, before it is one."""

from decimal import Decimal

import pytest

from breakeven.deploy.bill import RESOURCES
from breakeven.deploy.intent import intent_of, refuse_dearer
from breakeven.errors import SpecError

from .conftest import wishes


@pytest.mark.parametrize("option", ["direct", "by_lambda"])
def test_an_hour_costs_the_machines_that_stand_and_the_rest_by_the_hours_load(request, option):
    chosen = request.getfixturevalue(option)
    intent = intent_of(chosen, wishes())
    lines = {line.name: line for line in chosen.verdict.bill.lines if line.name in RESOURCES}
    machines = lines.pop("machines").usd_per_unit * intent.machines[1]
    hours = chosen.plan.workload.requests_per_hour
    rest = float(sum(line.usd for line in lines.values())) / 24 * max(hours) / (sum(hours) / len(hours))
    assert float(intent.usd_per_hour_most) == pytest.approx(float(machines) + rest, abs=0.01)
    assert intent.usd_per_hour_least < intent.usd_per_hour_most


def test_the_busiest_hour_is_no_cheaper_than_the_mean_one(by_lambda):
    at_aws = sum(line.usd for line in by_lambda.verdict.bill.lines if line.name in RESOURCES)
    assert intent_of(by_lambda, wishes()).usd_per_hour_most >= at_aws / 24


def test_quotas_are_those_of_the_busiest_hour(by_lambda, direct):
    found = {quota.name: quota.needed for quota in intent_of(by_lambda, wishes()).quotas}
    assert found == {
        f"{by_lambda.machine} for endpoint usage": by_lambda.capacity.peak_machines,
        "Concurrent executions": by_lambda.places,
    }
    assert [quota.service for quota in intent_of(direct, wishes()).quotas] == ["SageMaker"]


def test_what_may_cost_more_than_allowed_is_refused(direct):
    intent = intent_of(direct, wishes())
    refuse_dearer(intent, None)
    refuse_dearer(intent, float(intent.usd_per_hour_most))
    with pytest.raises(SpecError, match=r"at most 0\.5 USD"):
        refuse_dearer(intent, 0.5)


def test_an_unknown_price_is_not_below_any_limit(direct):
    from dataclasses import replace

    intent = replace(intent_of(direct, wishes()), usd_per_hour_most=None)
    with pytest.raises(SpecError, match="an unknown amount"):
        refuse_dearer(intent, 1e9)


def test_without_any_machine_an_hour_costs_nothing(direct):
    assert intent_of(direct, wishes(to_zero=True)).usd_per_hour_least == Decimal("0.00")
