from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven import Policy, Workload, plan
from breakeven.catalogue.load import load_catalogue
from breakeven.cost.outages import outages_of
from breakeven.errors import SpecError
from breakeven.workload.availability import Availability
from breakeven.workload.policy import Only

CATALOGUE = load_catalogue()
DAY = date(2026, 11, 25)
WORK = Workload.of(
    requests_per_day=1e6, input_tokens=1500, output_tokens=300, weights=CATALOGUE.profiles["azure-chat-168h"].weights
)
MODELS = Only(models=("gpt-oss-20b", "gpt-oss-120b", "*gemma-3-12b-it"))


def answer(availability=None, work=WORK, **policy):
    usual = {"only": MODELS, "as_of": DAY, "at_least": 1250.0, "availability": availability}
    return plan(work, CATALOGUE, Policy(**usual | policy))


def lines(found, kind, **facts):
    """The bill of the cheapest option of a kind, by the names of its lines."""
    for contender in found.ranking.contenders:
        verdict = found.verdict(contender)
        if contender.kind == kind and all(getattr(verdict.option, name) == value for name, value in facts.items()):
            return {line.name: line for line in verdict.bill.lines}
    raise AssertionError(f"no {kind} with {facts}")


RESERVED = "committed machines, reserved-1y"
ALL_UP = {"apis": {"*": 0.99}, "machines": {"ec2": 0.98, "sagemaker": 0.97, "own": 0.9}}


def test_without_the_section_no_bill_counts_outages_and_the_plan_says_so():
    found = answer()
    assert not any(
        "away" in name or "availability" in name for kind in ("api", "hosted") for name in lines(found, kind)
    )
    assert any("outages are not counted" in sentence for sentence in found.assumptions)


def test_an_api_fails_over_to_the_cheapest_other_provider_for_the_hours_in_which_it_is_away():
    found = answer(Availability(**ALL_UP))
    first = next(c for c in found.ranking.contenders if c.kind == "api")
    option = found.api.options[first.number]
    bill = {line.name: line for line in found.verdict(first).bill.lines}
    (line,) = (line for name, line in bill.items() if name.startswith("failover to api:"))
    assert line.unit == "hour away"
    assert float(line.quantity) == pytest.approx(0.24)
    plain = answer()
    others = [
        float(plain.api.usd_per_day[n])
        for n, other in enumerate(plain.api.options)
        if other.tariff.offer.provider != option.tariff.offer.provider
    ]
    assert float(line.usd_per_unit) == pytest.approx(min(others) / 24)
    own = float(plain.api.usd_per_day[[o.id for o in plain.api.options].index(option.id)])
    assert float(bill["not charged while away"].usd) == pytest.approx(-0.24 * own / 24, rel=1e-6)
    assert first.usd_per_day == pytest.approx(own * 0.99 + min(others) * 0.01)


def test_machines_of_ones_own_are_paid_on_while_the_api_takes_over():
    found, plain = answer(Availability(**ALL_UP)), answer()
    bill = lines(found, "hosted", provider="aws-ec2")
    (line,) = (line for name, line in bill.items() if name.startswith("failover to api:"))
    assert float(line.quantity) == pytest.approx(24 * 0.02)
    assert bill[RESERVED] == lines(plain, "hosted", provider="aws-ec2")[RESERVED]
    assert bill["not charged while away"].usd < 0
    assert line.source == ("your spec",)


def test_a_hybrid_has_both_parts_fail_over_its_base_to_its_own_api():
    weights = CATALOGUE.profiles["azure-chat-168h"].weights
    busy = Workload.of(requests_per_day=4e6, input_tokens=1500, output_tokens=300, weights=weights)
    found = answer(Availability(**ALL_UP), busy, only=Only(models=(*MODELS.models, "qwen3-30b-a3b*")))
    contender = next(c for c in found.ranking.contenders if c.kind == "hybrid")
    verdict = found.verdict(contender)
    names = [line.name for line in verdict.bill.lines]
    assert f"own machines: failover to {verdict.hybrid.overflow_to}" in names
    (other,) = (name for name in names if name.startswith("overflow to the API: failover to "))
    assert verdict.hybrid.overflow_to not in other
    assert float(verdict.bill.usd_per_day) == pytest.approx(contender.usd_per_day, abs=1e-6)


def test_a_published_service_level_stands_where_nothing_is_stated_with_its_source():
    bill = lines(answer(Availability()), "hosted", provider="aws-ec2")
    (line,) = (line for name, line in bill.items() if name.startswith("failover to api:"))
    assert float(line.quantity) == pytest.approx(24 * 0.005)
    (source,) = line.source
    assert "cloud-sla" in CATALOGUE.sources[source].title


def test_what_nobody_published_is_unknown_and_makes_the_bill_a_lower_bound():
    found = answer(Availability())
    first = next(
        c
        for c in found.ranking.contenders
        if c.kind == "api" and found.api.options[c.number].tariff.offer.provider == "deepinfra"
    )
    bill = found.verdict(first).bill
    assert bill.unpriced == ("availability not known",)
    assert not any(line.unit == "hour away" for line in bill.lines)


def test_a_service_level_does_not_hold_before_its_day():
    quality = answer().quality
    before, after = (
        outages_of(Availability(), CATALOGUE.tables.uptimes, day, quality, 1e6)
        for day in (date(2022, 5, 4), date(2022, 5, 5))
    )
    assert "ec2" not in before.promised
    assert after.promised["ec2"].share == 0.995


def test_with_nothing_to_fail_over_to_the_price_is_unknown_not_zero():
    found = plan(
        WORK,
        CATALOGUE,
        Policy(as_of=DAY, only=Only(models=("gpt-oss-20b",), kinds=("hosted",)), availability=Availability()),
    )
    bill = lines(found, "hosted", provider="aws-ec2")
    assert bill["failover to nothing known"].usd is None


def test_a_machine_that_stands_by_costs_a_machine_and_no_hours():
    bill = lines(answer(Availability(failover="replica")), "hosted", provider="aws-ec2")
    assert float(bill["standby machine"].quantity) == 24
    assert bill["standby machine"].usd_per_unit == bill[RESERVED].usd_per_unit
    assert not any(name.startswith("failover") for name in bill)


def test_lost_requests_cost_what_the_user_says():
    found = answer(Availability(failover="lost", lost_request_usd=Decimal("0.01"), **ALL_UP))
    line = lines(found, "api")["requests lost while away"]
    assert float(line.usd) == pytest.approx(1e6 * 0.01 * 0.01)


@settings(max_examples=8)
@given(st.floats(0.5, 1.0), st.floats(0.5, 1.0))
def test_a_machine_that_is_up_less_never_costs_less_where_requests_are_lost(one, other):
    costs = []
    for up in sorted((one, other)):
        away = Availability(apis={"*": 1.0}, machines={"ec2": up}, failover="lost", lost_request_usd=Decimal("0.001"))
        found = answer(away)
        costs.append(min(c.usd_per_day for c in found.ranking.contenders if c.kind == "hosted"))
    assert costs[0] >= costs[1] - 1e-9


def test_the_break_even_counts_outages_as_the_bills_do():
    found = answer(Availability(**ALL_UP))
    at = found.workload.requests_per_day
    for contender in (c for c in found.ranking.contenders if c.kind == "hosted"):
        usd = found.curves.hosted_at(np.array([contender.number]), np.array([at]))[0]
        assert usd == pytest.approx(contender.usd_per_day)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"apis": {"*": 99.9}}, "availability.apis.\\* is 99.9"),
        ({"machines": {"ec2": 0.0}}, "availability.machines.ec2 is 0"),
        ({"failover": "lost"}, "lost_request_usd is None"),
        ({"lost_request_usd": Decimal(1)}, "availability.failover is api"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(fields, told):
    with pytest.raises(SpecError, match=told):
        Availability(**fields)
