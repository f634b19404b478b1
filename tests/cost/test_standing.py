"""What stands around an endpoint is charged where a stack can be set up, and nowhere else."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from breakeven.catalogue.load import load_catalogue
from breakeven.cost.bill import bill_of
from breakeven.cost.standing import LOG_RETENTION_DAYS, standing_charges
from breakeven.units import DAYS_PER_MONTH

DAY = date(2026, 11, 29)


@pytest.fixture(scope="module")
def shipped():
    return load_catalogue()


def lines(snapshot, deployed=True, scaling=True, gb=2.0):
    charges = standing_charges(np.array([deployed]), np.array([scaling]), np.array([gb]), snapshot)
    return {line.name: line for line in bill_of(charges, 0).lines}


def test_a_month_of_it_costs_a_dashboard_two_alarms_thirty_days_of_logs_and_one_invocation(shipped):
    found = lines(shipped.on(DAY, "us-east-1"))
    month = {name: float(line.usd) * DAYS_PER_MONTH for name, line in found.items()}
    assert month["dashboard"] == pytest.approx(3.0, rel=1e-6)
    assert month["alarms of the autoscaling"] == pytest.approx(2 * 0.30, rel=1e-6)
    assert month["logs kept"] == pytest.approx(2.0 * LOG_RETENTION_DAYS * 0.03, rel=1e-6)
    assert month["removal at the end"] == pytest.approx(1e-6, rel=0.1)
    assert found["removal at the end"].usd == Decimal("0.00000003")


def test_a_fleet_that_does_not_scale_has_no_alarms(shipped):
    assert "alarms of the autoscaling" not in lines(shipped.on(DAY, "us-east-1"), scaling=False)


def test_what_no_template_sets_up_pays_nothing_of_it(shipped):
    assert lines(shipped.on(DAY, "us-east-1"), deployed=False) == {}


def test_before_the_schedule_has_a_price_there_is_no_such_stack_and_bills_stay_as_they_were(shipped):
    assert lines(shipped.on(date(2023, 4, 24), "us-east-1")) == {}


def test_every_line_names_its_source(shipped):
    for line in lines(shipped.on(DAY, "us-east-1")).values():
        assert line.source
        assert set(line.source) <= shipped.sources.keys()
