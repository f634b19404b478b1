from decimal import Decimal

import pytest

from breakeven import Workload
from breakeven.cost.bill import bill_of
from breakeven.cost.fixed import SPEC_SOURCE, fixed_charges, fixed_costs
from breakeven.workload.policy import FixedCost, People, Policy

TUNING = FixedCost(name="fine-tuning", usd_per_month=Decimal(730), applies_to="hosted")
SEAT = FixedCost(name="support plan", usd_per_month=Decimal(73), applies_to="api")
RENT = FixedCost(name="rent", usd_per_month=Decimal(365), applies_to="all")
PEOPLE = People(hours_per_month=Decimal(20), usd_per_hour=Decimal(73))


def test_nothing_is_charged_that_the_user_did_not_name():
    assert fixed_costs(Policy(), "hosted") == ()
    assert fixed_costs(Policy(), "api") == ()


def test_a_fixed_cost_joins_the_bills_it_applies_to():
    policy = Policy(fixed_costs=(TUNING, SEAT, RENT))
    assert dict(fixed_costs(policy, "hosted")) == pytest.approx({"fine-tuning": 24.0, "rent": 12.0})
    assert dict(fixed_costs(policy, "api")) == pytest.approx({"support plan": 2.4, "rent": 12.0})


def test_people_are_charged_to_self_hosting_alone():
    policy = Policy(people=PEOPLE)
    ((name, usd),) = fixed_costs(policy, "hosted")
    assert "20 hours a month" in name
    assert usd == pytest.approx(20 * 73 / (730 / 24))  # 48 USD a day
    assert fixed_costs(policy, "api") == ()


def test_a_fixed_cost_is_a_line_of_the_bill_that_names_the_spec_as_its_source():
    charges = fixed_charges(fixed_costs(Policy(people=PEOPLE), "hosted"), 3)
    (line,) = bill_of(charges, 2).lines
    assert (line.quantity, line.unit, line.source) == (Decimal("1.0"), "day", (SPEC_SOURCE,))
    assert line.usd == Decimal("48.00000000")


def test_fixed_costs_stand_in_the_ranking_as_in_the_bill(plan_small):
    work = Workload.of(requests_per_day=1000, input_tokens=500, output_tokens=100)
    plain = plan_small(work, by="option")
    loaded = plan_small(work, by="option", people=PEOPLE, fixed_costs=(TUNING, SEAT, RENT))
    assert loaded.hosted.usd_per_day == pytest.approx(plain.hosted.usd_per_day + 48 + 24 + 12)
    assert loaded.api.usd_per_day == pytest.approx(plain.api.usd_per_day + 2.4 + 12)
