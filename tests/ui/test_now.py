"""While the traffic is dragged the answer is that of a whole plan, from a few options."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.options.quality import UNKNOWN_CLASS
from breakeven.planner.moved import moved
from breakeven.ui.now import now_at, now_of
from breakeven.workload.profile import Slo, Workload

BASE = Workload.of(requests_per_day=200_000, input_tokens=1_000, output_tokens=200, slo=Slo(ttft_s=3.0))


@pytest.fixture(scope="module", params=[1180.0, None], ids=["floor", "no floor"])
def base(request, plan_small):
    return plan_small(BASE, at_least=request.param)


def _cheapest(ranking, group, kind):
    return min((c.usd_per_day for c in ranking.of(group) if c.kind == kind), default=None)


@settings(deadline=None, max_examples=25)
@given(volume=st.floats(2.0, 8.0).map(lambda power: 10**power))
def test_the_cheapest_of_each_kind_is_that_of_a_whole_plan(volume, base, plan_small):
    whole = plan_small(BASE.scaled_to(volume), at_least=base.policy.at_least)
    found = moved(base, volume)
    for group in set(whole.ranking.groups) - {UNKNOWN_CLASS}:
        for kind in ("api", "hosted"):
            assert _cheapest(found.ranking, group, kind) == pytest.approx(_cheapest(whole.ranking, group, kind))


def test_at_the_plan_s_own_traffic_nothing_moves(base):
    here, there = now_of(base), now_at(base, base.workload.requests_per_day)
    assert there.winner == here.winner
    assert [g.hosted and g.hosted.usd_per_day for g in there.groups] == pytest.approx(
        [g.hosted and g.hosted.usd_per_day for g in here.groups]
    )
    assert here.whole
    assert not there.whole
    assert there.options < here.options


def test_the_winner_is_cheapest_and_its_band_holds_it(plan_small):
    found = now_at(plan_small(BASE, at_least=1180.0), 3e6)
    assert found.winner is not None
    low, high = found.winner.usd_per_day_low, found.winner.usd_per_day_high
    assert low is None or low <= found.winner.usd_per_day <= high


def test_a_hybrid_that_is_no_longer_cheaper_than_both_its_halves_is_left_out(plan_small):
    base = plan_small(BASE, at_least=1180.0, kinds=("api", "hosted", "hybrid"))
    for volume in (1e3, 1e5, 1e7):
        ranking = moved(base, volume).ranking
        for contender in ranking.contenders:
            if contender.kind == "hybrid":
                alone = base.curves.api_usd_per_day(base.hybrids.api[contender.number], [volume])[0]
                assert contender.usd_per_day < alone
