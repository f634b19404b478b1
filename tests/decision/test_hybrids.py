from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven import Policy, Workload
from breakeven.capacity.overflow import share_turned_away
from breakeven.catalogue.load import load_catalogue
from breakeven.decision.hybrids import OVERFLOW, hybrids_at
from breakeven.planner import plan
from breakeven.workload.policy import FixedCost, Only, People
from breakeven.workload.profile import Slo

CATALOGUE = load_catalogue()
BUSY_DAYS = CATALOGUE.profiles["azure-chat-168h"].weights
PEAKED = CATALOGUE.profiles["azure-code-168h"].weights
MODELS = Only(models=("llama-3.3-70b", "gpt-oss-20b", "gpt-oss-120b", "qwen3-30b-a3b*", "*gemma-3-12b-it"))


def answer(requests_per_day=4e6, weights=BUSY_DAYS, slo=None, **policy):
    work = Workload.of(
        requests_per_day=requests_per_day, input_tokens=1500, output_tokens=300, weights=weights, slo=slo
    )
    return plan(work, CATALOGUE, Policy(**{"only": MODELS, "as_of": date(2026, 11, 1), "at_least": 1250.0} | policy))


@pytest.fixture(scope="module")
def usual():
    return answer(4e6)


def test_there_are_hybrids_to_test(usual):
    assert len(usual.hybrids.hosted)
    assert usual.ranking.winner.kind == "hybrid"
    assert 0.001 < usual.hybrids.share.max() < 0.6


@settings(max_examples=12)
@given(
    requests=st.floats(3e4, 3e7),
    weights=st.sampled_from([BUSY_DAYS, PEAKED, [1.0] * 24]),
    scaling=st.sampled_from(["hourly", "fixed"]),
    floor=st.sampled_from([None, 1250.0]),
    least=st.integers(1, 3),
)
def test_a_hybrid_is_never_dearer_than_both_its_ends_nor_than_either(requests, weights, scaling, floor, least):
    found = answer(requests, weights, scaling=scaling, at_least=floor, min_replicas=least)
    both = found.hybrids
    assert np.all(both.usd_per_day <= found.api.usd_per_day[both.api])
    assert np.all(both.usd_per_day <= found.hosted.usd_per_day[both.hosted])


def bill_by_hand(found, n, machines):
    """USD a day of hybrid ``n`` with other machines, from prices alone, with no bill of the product's."""
    both, options = found.hybrids, found.hosted.options
    of, api = int(both.hosted[n]), int(both.api[n])
    offer = options.offers[options.offer[of]]
    row = options.row[of]
    machines = np.maximum(machines, both.committed[n]) if np.ptp(machines) else machines
    places = machines * found.curves.per_machine[of] * found.speed.largest_concurrency[row]
    overflow = both.requests_per_hour[n] * share_turned_away(both.in_flight[n], places)
    served = (both.requests_per_hour[n] - overflow).mean() * 24
    with_requests = sum(
        c.usd_per_day[of] for c in found.hosted.charges if c.unit not in ("machine-hour", "GB-month", "day")
    )
    per_request = found.api.usd_per_day[api] / found.workload.requests_per_day
    disks = sum(c.usd_per_day[of] for c in found.hosted.charges if c.unit == "GB-month")
    disk = disks / found.hosted.machine_hours_per_day[of]
    base = both.committed[n, 0]
    if np.ptp(machines) == 0 and offer.term != "on-demand":
        base = machines[0]
    beside = float(offer.on_demand.usd_per_hour) * np.maximum(machines - base, 0).mean()
    return (
        (float(offer.price.usd_per_hour) * base + beside + disk * np.maximum(machines, base).mean()) * 24
        + with_requests / found.workload.requests_per_day * served
        + per_request * overflow.mean() * 24
    )


@pytest.mark.parametrize(
    ("weights", "volume"), [(BUSY_DAYS, 4e6), (PEAKED, 8e6), (BUSY_DAYS, 2e7)], ids=["chat", "code", "more chat"]
)
def test_no_other_number_of_machines_is_cheaper(weights, volume):
    found = answer(volume, weights, startup_minutes=0.0)
    assert len(found.hybrids.hosted)
    for n, usd in enumerate(found.hybrids.usd_per_day):
        machines = found.hybrids.machines[n]
        assert bill_by_hand(found, n, machines) == pytest.approx(usd, rel=2e-3)
        around_the_clock = np.ptp(machines) == 0
        if around_the_clock:
            others = [bill_by_hand(found, n, np.full_like(machines, m)) for m in range(1, int(machines.max()) + 12)]
        else:  # every hour for itself, and all of them moved
            others = [bill_by_hand(found, n, np.maximum(machines + step, 1)) for step in (-3, -2, -1, 1, 2, 3)]
            others += [bill_by_hand(found, n, machines + (np.arange(len(machines)) == h)) for h in range(0, 168, 7)]
        assert usd <= min(others) * (1 + 2e-3)


def test_the_bill_adds_up_over_both_halves(usual):
    for contender in (c for c in usual.ranking.contenders if c.kind == "hybrid"):
        verdict = usual.verdict(contender)
        assert float(verdict.bill.usd_per_day) == pytest.approx(contender.usd_per_day, abs=1e-6)
        names = [line.name for line in verdict.bill.lines]
        assert any(name.startswith(("machines", "committed machines")) for name in names)
        assert f"{OVERFLOW}input tokens" in names
        assert f"{OVERFLOW}output tokens" in names


def test_every_request_is_served_once(usual):
    both = usual.hybrids
    for n in range(len(both.hosted)):
        verdict = usual.verdict(next(c for c in usual.ranking.contenders if c.kind == "hybrid" and c.number == n))
        overflow = next(line for line in verdict.bill.lines if line.name == f"{OVERFLOW}input tokens")
        requests = float(overflow.quantity) * 1e6 / 1500
        assert requests == pytest.approx(both.overflow_per_hour[n].mean() * 24)
        assert 0 <= requests <= usual.workload.requests_per_day
        assert verdict.hybrid.overflow_share == pytest.approx(requests / usual.workload.requests_per_day)


def test_what_overflows_is_what_erlang_says(usual):
    both = usual.hybrids
    row = usual.hosted.options.row[both.hosted]
    places = (usual.speed.largest_concurrency[row] * usual.curves.per_machine[both.hosted])[:, None] * both.machines
    assert both.overflow_per_hour == pytest.approx(
        both.requests_per_hour * share_turned_away(both.in_flight, places), rel=1e-9
    )


def test_a_commitment_is_a_base_under_the_machines_of_every_hour_and_all_others_follow_the_hours():
    reserved, free = (
        answer(8e6, PEAKED, only=Only(models=("gpt-oss*", "qwen3*"), terms=(term,)))
        for term in ("reserved-1y", "on-demand")
    )
    assert len(reserved.hybrids.hosted)
    assert len(free.hybrids.hosted)
    assert reserved.hybrids.committed.min() > 0
    assert np.all(reserved.hybrids.machines >= reserved.hybrids.committed)
    assert not free.hybrids.committed.any()
    assert np.ptp(free.hybrids.machines, axis=1).max() > 0
    fixed = answer(8e6, PEAKED, scaling="fixed", only=Only(models=("gpt-oss*", "qwen3*"), terms=("on-demand",)))
    assert np.ptp(fixed.hybrids.machines, axis=1).max(initial=0) == 0


def test_the_base_never_falls_below_the_replicas_that_must_stand():
    found = answer(6e6, min_replicas=2)
    replicas = found.hybrids.machines * found.curves.per_machine[found.hybrids.hosted][:, None]
    assert len(replicas)
    assert replicas.min() >= 2


def test_a_hybrid_whose_api_is_not_known_to_keep_the_target_is_not_counted_as_keeping_it():
    found = answer(2e6, slo=Slo(ttft_s=2.0, tpot_s=0.08))
    hybrids = [c for c in found.ranking.contenders if c.kind == "hybrid"]
    assert hybrids
    assert all(c.meets_slo is None for c in hybrids)
    assert found.ranking.winner.kind == "hosted"


def test_people_and_fixed_costs_of_both_halves_are_paid_once():
    costs = tuple(FixedCost(name=name, usd_per_month=Decimal(73), applies_to=name) for name in ("api", "hosted", "all"))
    found = answer(5e6, people=People(hours_per_month=Decimal(1), usd_per_hour=Decimal(10)), fixed_costs=costs)
    contender = next(c for c in found.ranking.contenders if c.kind == "hybrid")
    names = [line.name for line in found.verdict(contender).bill.lines]
    assert [names.count(name) for name in ("api", "hosted", "all", "people, 1 hours a month")] == [1, 1, 1, 1]


def test_a_plan_of_one_kind_has_no_hybrids():
    for kinds in (("api",), ("hosted",), ("api", "hosted")):
        assert not len(answer(only=Only(kinds=kinds)).hybrids.hosted)
    assert len(answer(only=Only(models=MODELS.models, kinds=("api", "hosted", "hybrid"))).hybrids.hosted)


def test_a_hybrid_is_explained_by_its_id_with_and_without_the_kind(usual):
    contender = next(c for c in usual.ranking.contenders if c.kind == "hybrid")
    name = usual.option_id(contender)
    for spelt in (name, name.removeprefix("hybrid:")):
        verdict = usual.explain(spelt)
        assert verdict.option.id == name
        assert verdict.option.kind == "hybrid"
        assert verdict.rank == contender.rank
    assert "overflow to" in verdict.because


def test_the_traffic_over_which_a_hybrid_is_ahead_is_that_over_which_it_is_cheaper(usual):
    contender = usual.ranking.winner
    low, high = usual.hybrid_range(contender)
    assert low <= usual.workload.requests_per_day <= high
    n, curves = contender.number, usual.curves
    hosted, api = usual.hybrids.hosted[[n]], usual.hybrids.api[[n]]
    for volume, ahead in ((low, True), (low / 1.03, False)):
        both = hybrids_at((hosted, api), np.array([volume]), curves, ("",)).usd_per_day[0]
        end = min(
            curves.hosted_at(hosted, np.array([volume]))[0], curves.api_usd_per_day(int(api[0]), np.array([volume]))[0]
        )
        assert (both < end) == ahead


def test_its_band_holds_its_bill(usual):
    verdict = usual.winner
    assert verdict.usd_per_day_low < verdict.bill.usd_per_day < verdict.usd_per_day_high
