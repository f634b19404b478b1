import numpy as np
import pytest

from breakeven import Workload, plan
from breakeven.options.quality import UNKNOWN_CLASS

ONE_HOUR = [0.0] * 9 + [1.0] + [0.0] * 14
OFFICE = [0.1] * 8 + [1.0] * 10 + [0.1] * 6


def work(requests_per_day=100_000.0, weights=None):
    return Workload.of(requests_per_day=requests_per_day, input_tokens=500, output_tokens=100, weights=weights)


def test_every_group_of_known_quality_has_its_lines_in_the_order_of_the_ranking(plan_small):
    answer = plan_small(work())
    assert tuple(line.group for line in answer.envelopes) == ("1250-1299", "1150-1199")
    assert UNKNOWN_CLASS in answer.ranking.groups


def test_the_line_of_self_hosting_is_the_cheapest_of_its_options_at_each_volume(plan_small):
    answer = plan_small(work())
    for lines in answer.envelopes:
        drawn = answer.curves.hosted_usd_per_day(lines.hosted, lines.requests_per_day)
        assert np.allclose(drawn.min(axis=0), lines.hosted_usd_per_day)
        assert set(lines.hosted_best.tolist()) == set(lines.hosted.tolist())


@pytest.mark.parametrize("weights", [None, OFFICE, ONE_HOUR], ids=["flat", "office hours", "one hour a day"])
@pytest.mark.parametrize("base", [1e2, 1e5, 1e7])
def test_no_option_left_out_of_the_line_is_cheaper_than_it_by_more_than_a_little(plan_small, weights, base):
    answer = plan_small(work(base, weights))
    scores = answer.grid.score[answer.speed.rows[answer.hosted.options.row]]
    at = np.geomspace(1e2, 1e8, 13)
    for lines in answer.envelopes:
        members = np.flatnonzero([answer.quality.class_of(float(s)) == lines.group for s in scores])
        every = answer.curves.hosted_usd_per_day(members, at).min(axis=0)
        line = answer.curves.hosted_usd_per_day(lines.hosted, at).min(axis=0)
        assert line == pytest.approx(every, rel=0.05), lines.group


@pytest.mark.parametrize("weights", [OFFICE, ONE_HOUR], ids=["office hours", "one hour a day"])
def test_on_the_shipped_catalogue_the_lines_agree_with_the_ranking_at_the_volume_of_the_plan(shipped, weights):
    base = 1e6
    answer = plan(Workload.of(requests_per_day=base, input_tokens=1500, output_tokens=400, weights=weights), shipped)
    for lines in answer.envelopes:
        ranked = [c.usd_per_day for c in answer.ranking.of(lines.group) if c.kind == "hosted"]
        if ranked:
            line = answer.curves.hosted_usd_per_day(lines.hosted, np.array([base])).min()
            assert line == pytest.approx(min(ranked), rel=0.05), lines.group


def test_the_line_of_apis_is_the_cheapest_api_of_the_group(plan_small):
    answer = plan_small(work())
    best = answer.envelopes[0]
    assert answer.option_id(best.paid.contender) == "api:night/owl"
    cheapest = min(c.usd_per_day for c in answer.ranking.of(best.group) if c.kind == "api")
    here = answer.curves.api_usd_per_day(best.paid.contender.number, np.array([100_000.0]))[0]
    assert here == pytest.approx(cheapest)


def test_a_side_without_an_option_has_no_line(plan_small):
    apis = plan_small(work(), kinds=("api",)).envelopes[0]
    assert (apis.hosted_usd_per_day, apis.hosted_best, apis.hosted.tolist()) == (None, None, [])
    hosts = plan_small(work(), kinds=("hosted",)).envelopes[0]
    assert (hosts.paid, hosts.api_usd_per_day) == (None, None)
