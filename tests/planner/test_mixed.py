from datetime import date
from decimal import Decimal
from itertools import chain, combinations
from random import Random

import msgspec
import pytest

from breakeven import Policy, Slo, Workload, plan
from breakeven.catalogue.load import load_catalogue
from breakeven.decision.mixed import Fleet, cheapest_cover
from breakeven.report.answer import answer as sentences
from breakeven.report.document import plan_document, to_json
from breakeven.workload.policy import FixedCost, Only
from breakeven.workload.usage import TokenMix, TokenShape, TokenUsage

pytest.importorskip("scipy")
CATALOGUE = load_catalogue()
SHORT_AND_LONG = ((0.9, 500, 200), (0.1, 30_000, 500))


def mix(shapes):
    return TokenMix(shapes=tuple(TokenShape(share=s, usage=TokenUsage(input=i, output=o)) for s, i, o in shapes))


def work(shapes=SHORT_AND_LONG, requests_per_day=300_000, slo=None):
    even = Workload.of(
        requests_per_day=requests_per_day,
        input_tokens=1,
        output_tokens=1,
        weights=CATALOGUE.profiles["azure-chat-168h"].weights,
        slo=slo or Slo(ttft_s=2.0, tpot_s=0.05),
    )
    return msgspec.structs.replace(even, mix=mix(shapes))


def answer(workload, models=("gemma-3-4b",), **policy):
    only = Only(models=models, kinds=("hosted",))
    wanted = {"only": only, "as_of": date(2026, 11, 1), "at_least": 1250.0, "mixed_machines": True} | policy
    return plan(workload, CATALOGUE, Policy(**wanted))


def fleet(kinds, usd, machine="m", machines=1.0, available=float("inf")):
    return Fleet(
        kinds=frozenset(kinds), usd_per_day=usd, machine=machine, machines=machines, available=available, option=0
    )


def by_trying_all(fleets, kinds):
    """The least cost over every choice of fleets."""
    best = float("inf")
    for some in chain.from_iterable(combinations(fleets, n) for n in range(1, kinds + 1)):
        once = sorted(kind for f in some for kind in f.kinds) == list(range(kinds))
        fits = all(sum(f.machines for f in some if f.machine == one.machine) <= one.available for one in some)
        if once and fits:
            best = min(best, sum(f.usd_per_day for f in some))
    return best


@pytest.mark.parametrize("seed", range(12))
def test_the_choice_of_fleets_is_the_cheapest_of_all_choices(seed):
    random, kinds = Random(seed), 4
    limit = {"a": 2.0, "b": 3.0, "c": float("inf")}
    fleets = [
        fleet(some, random.uniform(1, 4) * len(some) ** 0.7, machine, random.randint(1, 2), limit[machine])
        for n in range(1, kinds + 1)
        for some in combinations(range(kinds), n)
        for machine in random.sample("abc", 2)
    ]
    best = cheapest_cover(fleets, kinds)
    assert best.usd_per_day == pytest.approx(by_trying_all(fleets, kinds))
    assert best.gap == 0
    assert sorted(kind for f in best.fleets for kind in f.kinds) == list(range(kinds))


def test_machines_that_do_not_exist_are_not_used_twice():
    fleets = [fleet([0], 1.0, "own", 1, 1), fleet([1], 1.0, "own", 1, 1), fleet([1], 5.0), fleet([0, 1], 7.0)]
    assert cheapest_cover(fleets, 2).usd_per_day == 6.0


def test_fleets_that_leave_a_kind_without_machines_are_no_answer():
    assert cheapest_cover([fleet([0], 1.0)], 2) is None


SMALL_AND_LARGE = Only(models=("gemma-3-12b",), kinds=("hosted",), machines=("g5.xlarge", "p4d.24xlarge"))
PATIENT = {"requests_per_day": 800_000, "slo": Slo(ttft_s=5.0, tpot_s=0.1)}


def test_a_small_machine_for_short_prompts_and_a_large_one_for_long_ones_beat_one_type_for_all():
    found = answer(work(**PATIENT), only=SMALL_AND_LARGE, at_least=None, scaling="fixed")
    (both,) = found.mixed
    assert len(both.pools) == 2
    assert both.usd_per_day == pytest.approx(sum(pool.usd_per_day for pool in both.pools))
    assert both.usd_per_day < both.single_usd_per_day
    assert both.gap == 0
    assert "less than one fleet for all (optimal among 3 fleets)" in both.because
    machines = {pool.requests: pool.machine for pool in both.pools}
    assert len(set(machines.values())) == 2
    assert any(both.pools[0].option in sentence for sentence in sentences(found))


def test_the_single_fleet_is_the_one_that_the_ranking_has():
    found = answer(work())
    first = next(c for c in found.ranking.contenders if c.kind == "hosted")
    assert found.mixed[0].single == found.option_id(first)
    assert found.mixed[0].single_usd_per_day == pytest.approx(first.usd_per_day)


def test_a_pool_costs_what_a_plan_of_its_requests_alone_costs():
    whole = work(**PATIENT)
    found = answer(whole, only=SMALL_AND_LARGE, at_least=None, scaling="fixed")
    long_ones = next(pool for pool in found.mixed[0].pools if pool.requests[0].startswith("30,000"))
    alone = msgspec.structs.replace(
        whole, mix=mix([(1.0, 30_000, 500)]), requests_per_hour=tuple(r * 0.1 for r in whole.requests_per_hour)
    )
    cheapest = next(c for c in answer(alone, only=SMALL_AND_LARGE, at_least=None, scaling="fixed").ranking.contenders)
    assert long_ones.usd_per_day == pytest.approx(cheapest.usd_per_day)


def test_the_bill_of_a_mix_has_the_band_of_its_pools_speeds():
    cost = FixedCost(name="audit", usd_per_month=Decimal(7300), applies_to="hosted")
    whole = work(**PATIENT)
    found, dearer = (
        answer(whole, only=SMALL_AND_LARGE, at_least=None, scaling="fixed", fixed_costs=fixed).mixed[0]
        for fixed in ((), (cost,))
    )
    assert len(found.pools) == 2
    assert found.usd_per_day_low < found.usd_per_day < found.usd_per_day_high
    assert dearer.usd_per_day_low == pytest.approx(found.usd_per_day_low + 240)
    assert dearer.usd_per_day_high == pytest.approx(found.usd_per_day_high + 240)


@pytest.mark.parametrize("volume", [3e4, 3e6])
def test_a_mix_is_never_dearer_than_one_fleet_and_says_when_none_is_cheaper(volume):
    found = answer(work(requests_per_day=volume), ("gemma-3-4b", "gpt-oss-20b", "qwen3-30b-a3b*"))
    assert found.mixed
    for both in found.mixed:
        assert both.usd_per_day <= both.single_usd_per_day
        if len(both.pools) == 1:
            assert both.because.startswith("no mix of machines is cheaper")
            assert both.usd_per_day == both.single_usd_per_day


def test_fixed_costs_are_paid_once_and_not_once_a_fleet():
    cost = FixedCost(name="audit", usd_per_month=Decimal(7300), applies_to="hosted")
    plain, dearer = answer(work()), answer(work(), fixed_costs=(cost,))
    assert dearer.mixed[0].usd_per_day == pytest.approx(plain.mixed[0].usd_per_day + 240)
    assert dearer.mixed[0].single_usd_per_day == pytest.approx(plain.mixed[0].single_usd_per_day + 240)


def test_many_kinds_are_parted_by_the_length_of_their_prompts():
    kinds = [(1 / 6, 100 * 3**n, 200) for n in range(6)]
    (both,) = answer(work(kinds, 2e6)).mixed
    assert both.fleets_considered <= 21
    assert sum(len(pool.requests) for pool in both.pools) == 6


def test_it_is_looked_for_only_when_asked_and_only_with_several_kinds():
    assert answer(work(), mixed_machines=False).mixed == ()
    alone = answer(work([(1.0, 500, 200)]))
    assert alone.mixed == ()
    assert any("all requests are of one kind" in sentence for sentence in sentences(alone))


def test_the_document_holds_the_fleets():
    document = plan_document(answer(work()))
    assert document.mixed[0].pools
    assert to_json((document,))
