from datetime import date

import numpy as np
import pytest

from breakeven import Policy, Workload, plan
from breakeven.catalogue.load import load_catalogue
from breakeven.cost.api import api_costs, usd_per_request_by_hour
from breakeven.workload.policy import Only

CATALOGUE = load_catalogue()
PEAKED = CATALOGUE.profiles["azure-code-168h"].weights
DAY = CATALOGUE.profiles["deepseek-24h"].weights


@pytest.mark.parametrize("weights", [PEAKED, DAY], ids=["week", "day"])
def test_hour_by_hour_a_request_costs_what_it_costs_over_the_week_peak_prices_included(weights):
    work = Workload.of(requests_per_day=1e5, input_tokens=1500, output_tokens=300, weights=weights)
    policy = Policy(as_of=date(2026, 11, 1), only=Only(providers=("deepseek", "openai"), kinds=("api",)))
    found = plan(work, CATALOGUE, policy)
    by_hour = usd_per_request_by_hour(found.api.options, work, policy, found.snapshot.windows)
    per_day = (by_hour * np.array(work.requests_per_hour)).mean(axis=1) * 24
    assert per_day == pytest.approx(found.api.usd_per_day, rel=1e-9)
    windowed = [n for n, o in enumerate(found.api.options) if o.tariff.offer.provider == "deepseek"]
    assert any(np.ptp(by_hour[n]) > 0 for n in windowed)


def test_other_traffic_is_charged_as_a_workload_of_its_own_would_be():
    whole = Workload.of(requests_per_day=1e5, input_tokens=1500, output_tokens=300, weights=PEAKED)
    policy = Policy(as_of=date(2026, 11, 1), only=Only(providers=("deepseek", "openai"), kinds=("api",)))
    found = plan(whole, CATALOGUE, policy)
    hours = np.maximum(np.array(whole.requests_per_hour) - 5000, 0.0)
    part = api_costs(
        found.api.options, whole, policy, found.snapshot.windows, (), np.tile(hours, (len(found.api.options), 1))
    )
    alone = Workload.of(requests_per_day=hours.mean() * 24, input_tokens=1500, output_tokens=300, weights=list(hours))
    assert part.usd_per_day == pytest.approx(plan(alone, CATALOGUE, policy).api.usd_per_day, rel=1e-9)
