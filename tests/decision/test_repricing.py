from dataclasses import replace

import numpy as np
import pytest

from breakeven import Policy, Workload, plan
from breakeven.decision.contest import Trends
from breakeven.decision.hybrids import hybrids_at
from breakeven.decision.repricing import _charged, parts_of, scaled
from breakeven.decision.scenarios import middle
from breakeven.performance.predict import paced, take
from breakeven.planner.drawing import contest_of, drawing_of
from breakeven.planner.ranges import _members

WORK = Workload.of(requests_per_day=5e6, input_tokens=1500, output_tokens=400)
FLOOR = Policy(at_least=1380.0)


@pytest.fixture(scope="module")
def answer(shipped):
    return plan(WORK, shipped, FLOOR)


@pytest.fixture(scope="module")
def drawn(answer):
    """The contest of the one class with prices that stay, and its draws."""
    (group,) = answer.ranking.groups
    members = _members(answer, group, 24)
    contest, draws = contest_of(drawing_of(answer, members, 0, 128), group, members)
    return replace(contest, trends=Trends(api=None, models=None, rents=None)), draws


def test_the_table_says_on_the_mean_what_sizing_and_charges_say_at_every_draw(answer, drawn):
    contest, draws = drawn
    none = np.zeros(128)
    only = replace(draws, log_input=none, log_output=none)
    read = contest.usd_per_day(only, np.array([0.5]))[contest.apis :]
    volume = contest.requests_per_day * np.exp(draws.log_growth_per_year * 0.5)
    assert any(contender.kind == "hybrid" for contender in contest.contenders)
    for n, option in enumerate(contest.hosted.options.tolist()):
        rows, contender = np.repeat(answer.hosted.options.row[option], 128), contest.contenders[contest.apis + n]
        logs = contest.errors.deviation[contest.apis + n] * draws.speed[contest.apis + n]
        held = np.maximum(volume, contest.requests_per_day)  # for which what is committed to is paid
        if contender.kind == "hybrid":
            pairs = np.full(128, option), np.full(128, answer.hybrids.api[contender.number])
            bills = [hybrids_at(pairs, at, answer.curves, ("",) * 128, logs) for at in (volume, held)]
            now, then = (parts_of(bill.charges, bill.usd_per_day) for bill in bills)
        else:
            moved = paced(take(answer.speed, rows, answer.speed.largest_concurrency[rows]), logs)
            now, then = (_charged(answer.curves, np.repeat(option, 128), moved, at) for at in (volume, held))
        exact = then[0] + now[1] + now[2]
        assert read[n].mean() == pytest.approx(exact.mean(), rel=0.03)
        assert np.median(np.abs(read[n] / exact - 1)) < 0.05


@pytest.mark.parametrize(("more", "log"), [({"input_by": 1.2}, "log_input"), ({"output_by": 1.2}, "log_output")])
def test_longer_requests_cost_about_what_a_plan_of_longer_requests_says(shipped, answer, drawn, more, log):
    contest, _ = drawn
    there = plan(scaled(WORK, **more), shipped, FLOOR)
    longer = replace(middle(len(contest.contenders)), **{log: np.log(np.array([1.2]))})
    read = contest.usd_per_day(longer, np.zeros(1))[:, 0]
    formed = {there.option_id(c) for c in there.ranking.contenders}
    for n, contender in enumerate(contest.contenders):
        name = answer.option_id(contender)
        if contender.kind == "hybrid" and name not in formed:  # not every hybrid pays at longer requests too
            continue
        exact = float(there.explain(name).bill.usd_per_day)
        assert read[n] == pytest.approx(exact, rel=1e-6 if contender.kind == "api" else 0.15), name


def test_more_traffic_slower_passes_and_longer_requests_never_cost_less(drawn):
    contest, _ = drawn
    base = middle(len(contest.contenders))
    for name in ("log_input", "log_output", "log_growth_per_year"):
        low, high = (replace(base, **{name: np.array([value])}) for value in (-0.3, 0.3))
        assert np.all(contest.usd_per_day(low) <= contest.usd_per_day(high) * (1 + 1e-9)), name
    fast, slow = (replace(base, speed=np.full_like(base.speed, value)) for value in (-1.0, 1.0))
    assert np.all(contest.usd_per_day(fast) <= contest.usd_per_day(slow) * (1 + 1e-9))


def test_a_commitment_keeps_its_rent_for_a_year_and_on_demand_follows_the_market(answer):
    (group,) = answer.ranking.groups
    members = _members(answer, group, 24)
    contest, _ = contest_of(drawing_of(answer, members, 0, 64), group, members)
    still, risen = (replace(middle(len(members)), rent=np.array([chance])) for chance in (0.5, 0.95))
    within, after = np.array([0.5]), np.array([1.5])
    for n in range(contest.apis, len(members)):
        reserved = bool(contest.hosted.committed_years[n - contest.apis])
        rises = contest.usd_per_day(risen, within)[n, 0] > 1.1 * contest.usd_per_day(still, within)[n, 0]
        assert rises == (not reserved)
        assert contest.usd_per_day(risen, after)[n, 0] > 1.1 * contest.usd_per_day(still, after)[n, 0]
