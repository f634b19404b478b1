from dataclasses import replace
from datetime import date

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven import Policy, Workload, plan
from breakeven.decision.contest import chances, regrets
from breakeven.decision.scenarios import middle
from breakeven.decision.worth import ERRORS, value_of_knowing
from breakeven.performance.calibration import typical_parameters
from breakeven.planner.drawing import contest_of, drawing_of
from breakeven.planner.range_words import configuration
from breakeven.planner.ranges import _class, _members, ranges
from breakeven.workload.policy import Only, Stated
from breakeven.workload.profile import Slo
from breakeven.workload.uncertainty import Growth, Uncertainty

WORK = Workload.of(requests_per_day=300_000, input_tokens=500, output_tokens=100)
NOTHING = Uncertainty(
    growth=Growth(low=1.0, mid=1.0, high=1.0), tokens_spread=1.0, price_scenarios=False, horizon_months=12
)
COSTS = st.lists(st.lists(st.floats(0.1, 1e4), min_size=6, max_size=6), min_size=1, max_size=5).map(np.array)


def with_uncertainty(answer, **fields):
    unknown = msgspec.structs.replace(answer.policy.uncertainty, **fields)
    return replace(answer, policy=msgspec.structs.replace(answer.policy, uncertainty=unknown))


def exact(answer):
    """The same plan with speeds that are known for sure."""
    widths = {name: np.zeros_like(width) for name, width in answer.speed.widths.items()}
    speed = replace(answer.speed, widths=widths)
    return replace(answer, speed=speed, curves=replace(answer.curves, speed=speed))


def test_the_same_seed_gives_the_same_answer_and_another_seed_about_the_same(shipped_plan, shipped_ranges):
    assert ranges(shipped_plan) == shipped_ranges
    other = ranges(shipped_plan, seed=7)
    assert other.classes != shipped_ranges.classes
    mine, theirs = (one.classes[0].options[0] for one in (shipped_ranges, other))
    assert theirs.usd_per_day_mean == pytest.approx(mine.usd_per_day_mean, rel=0.05)
    assert theirs.chance_cheapest == pytest.approx(mine.chance_cheapest, abs=0.1)


def test_bands_hold_their_middle_and_chances_of_a_class_add_up_to_one(shipped):
    work = Workload.of(requests_per_day=1e6, input_tokens=1500, output_tokens=400)
    for one in ranges(plan(work, shipped, Policy())).classes:
        assert sum(option.chance_cheapest for option in one.options) == pytest.approx(1.0)
        for option in one.options:
            assert option.usd_per_day_low <= option.usd_per_day_mid <= option.usd_per_day_high
            assert option.regret_usd_per_day >= 0
        cross = one.crossover
        if cross and cross.requests_per_day_high is not None:
            ends = (cross.requests_per_day_low, cross.requests_per_day_mid, cross.requests_per_day_high)
            assert list(ends) == sorted(ends)


def test_today_and_with_every_input_at_its_middle_an_option_costs_what_its_bill_says(shipped_plan):
    (group,) = shipped_plan.ranking.groups
    members = _members(shipped_plan, group, 24)
    contest, _ = contest_of(drawing_of(shipped_plan, members, 0, 64), group, members)
    usd = contest.usd_per_day(middle(len(contest.contenders)), np.zeros(1))[:, 0]
    assert usd == pytest.approx([c.usd_per_day for c in contest.contenders], rel=1e-9)


def test_without_anything_unknown_nothing_is_regretted_and_no_benchmark_is_worth_a_cent(shipped_plan):
    (one,) = ranges(with_uncertainty(exact(shipped_plan), **msgspec.structs.asdict(NOTHING))).classes
    assert one.regret_usd_per_day == pytest.approx(0, abs=1e-9)
    assert one.of(one.chosen).chance_cheapest == pytest.approx(1.0)
    assert all(measured.usd_per_day == 0 for measured in one.measurements)
    assert one.tornado == ()
    for option in one.options:
        assert option.usd_per_day_low == pytest.approx(option.usd_per_day_today, rel=1e-6)
        assert option.usd_per_day_high == pytest.approx(option.usd_per_day_today, rel=1e-6)
    today = next(c for c in shipped_plan.crossovers)
    assert one.crossover.requests_per_day_mid == pytest.approx(today.requests_per_day, rel=0.15)


@pytest.mark.parametrize(
    "wider", [{"tokens_spread": 1.6}, {"growth": Growth(low=0.3, mid=1.0, high=3.0)}], ids=["tokens", "growth"]
)
def test_wider_inputs_never_make_a_narrower_band(shipped_plan, wider):
    base = with_uncertainty(shipped_plan, **msgspec.structs.asdict(NOTHING) | {"tokens_spread": 1.2})
    narrow, wide = (ranges(one).classes[0] for one in (base, with_uncertainty(base, **wider)))
    for option in narrow.options:
        there = wide.of(option.option)
        assert there.usd_per_day_high - there.usd_per_day_low >= 0.97 * (
            option.usd_per_day_high - option.usd_per_day_low
        )


@pytest.fixture(scope="module")
def with_hybrids(shipped):
    """A plan whose cheapest option is a hybrid."""
    weights = shipped.profiles["azure-chat-168h"].weights
    work = Workload.of(requests_per_day=4e6, input_tokens=1500, output_tokens=300, weights=weights)
    only = Only(models=("gpt-oss-20b", "gpt-oss-120b", "qwen3-30b-a3b*", "*gemma-3-12b-it"))
    found = plan(work, shipped, Policy(at_least=1250.0, only=only, as_of=date(2026, 11, 1)))
    assert found.ranking.winner.kind == "hybrid"
    return found


def test_a_hybrid_that_wins_has_a_band_and_a_chance_like_its_rivals(with_hybrids):
    (one,) = ranges(with_hybrids).classes
    assert one.chosen == with_hybrids.winner.option.id
    own = one.of(one.chosen)
    assert own.usd_per_day_low < own.usd_per_day_mid < own.usd_per_day_high
    assert own.chance_cheapest > 0
    machines = configuration(with_hybrids, with_hybrids.ranking.winner)
    assert machines in [measured.configuration for measured in one.measurements]
    assert one.commitment is None  # nobody can commit to half of an API


def test_without_anything_unknown_a_hybrid_costs_what_its_bill_says(with_hybrids):
    (one,) = ranges(with_uncertainty(exact(with_hybrids), **msgspec.structs.asdict(NOTHING))).classes
    own = one.of(one.chosen)
    for usd in (own.usd_per_day_low, own.usd_per_day_mid, own.usd_per_day_high):
        assert usd == pytest.approx(float(with_hybrids.winner.bill.usd_per_day), rel=1e-6)


def test_what_overflows_costs_what_the_api_asks_by_then(with_hybrids):
    (group,) = with_hybrids.ranking.groups
    members = _members(with_hybrids, group, 24)
    contest, _ = contest_of(drawing_of(with_hybrids, members, 0, 64), group, members)
    table = contest.hosted.table
    none = replace(table, overflow=np.zeros_like(table.overflow))
    alone = replace(contest, hosted=replace(contest.hosted, table=none))
    place, today = next(n for n, c in enumerate(members) if c.kind == "hybrid"), middle(len(members))
    api = contest.apis - 1

    def overflow(years):
        return (contest.usd_per_day(today, years) - alone.usd_per_day(today, years))[place, 0]

    def of_api(years):
        return contest.usd_per_day(today, years)[api, 0]

    now, then = np.zeros(1), np.full(1, 0.9)
    assert overflow(now) > 0
    assert overflow(then) / overflow(now) == pytest.approx(of_api(then) / of_api(now), rel=0.2)
    assert of_api(then) != of_api(now)


def test_growth_moves_the_bills_of_apis_in_proportion(shipped_plan):
    twice = msgspec.structs.asdict(NOTHING) | {"growth": Growth(low=4.0, mid=4.0, high=4.0)}
    (one,) = ranges(with_uncertainty(exact(shipped_plan), **twice)).classes
    mean = np.mean([4.0 ** ((quarter + 0.5) / 4) for quarter in range(4)])
    api = next(option for option in one.options if option.option.startswith("api:"))
    assert api.usd_per_day_mid == pytest.approx(api.usd_per_day_today * mean, rel=1e-6)


def test_the_next_step_is_the_benchmark_worth_most_and_no_more_than_the_regret_it_can_avoid(shipped):
    found = ranges(plan(WORK, shipped, Policy()))
    for one in found.classes:
        values = [measured.usd_per_day for measured in one.measurements]
        assert values == sorted(values, reverse=True)
        assert all(0 <= value <= one.regret_usd_per_day for value in values)
    worth = [one for one in found.classes if one.measurements and one.measurements[0].usd_per_day > 0]
    assert worth
    for one in worth:
        first = one.measurements[0]
        assert first.usd_per_day < one.regret_usd_per_day
        assert first.usd_over_horizon == pytest.approx(first.usd_per_day * 365, rel=1e-3)
        assert first.configuration.split()[0] in first.option


def test_what_all_options_of_a_user_share_makes_the_choice_among_machines_surer(shipped_plan, shipped_ranges):
    variance = shipped_plan.speed.parameters.bands["variance"]
    apart = {"user": 0.0, "device": 0.0, "own": sum(variance.values()) - variance["scatter"]}
    known = shipped_plan.speed.parameters
    alone = replace(known, bands={**known.bands, "variance": variance | apart})
    speed = replace(shipped_plan.speed, parameters=alone)
    (one,) = ranges(replace(shipped_plan, speed=speed, curves=replace(shipped_plan.curves, speed=speed))).classes
    (together,) = shipped_ranges.classes
    assert together.regret_usd_per_day < 0.9 * one.regret_usd_per_day
    assert together.of(together.chosen).chance_cheapest > one.of(one.chosen).chance_cheapest
    mine, theirs = (found.of(found.chosen) for found in (together, one))
    assert mine.usd_per_day_high - mine.usd_per_day_low == pytest.approx(
        theirs.usd_per_day_high - theirs.usd_per_day_low, rel=0.2
    )


def test_a_benchmark_of_one_configuration_tells_something_of_its_siblings(shipped_plan):
    siblings = shipped_plan.ranking.groups[0]
    members = _members(shipped_plan, siblings, 24)
    contest, _ = contest_of(drawing_of(shipped_plan, members, 0, 64), siblings, members)
    errors, place = contest.errors, contest.apis
    gpu = errors.labels[place][1]
    with_it = errors.shared(place, 2)
    assert with_it[place] == pytest.approx(1 - errors.shares[3])
    others = [n for n in range(contest.apis, len(members)) if errors.labels[n][2] != errors.labels[place][2]]
    near = [with_it[n] for n in others if errors.labels[n][1] == gpu]
    far = [with_it[n] for n in others if errors.labels[n][1] != gpu]
    assert near
    assert far
    assert far == pytest.approx([errors.shares[0]] * len(far)), "what all that a user runs has in common"
    assert errors.shares[0] > 0.1
    assert min(near) > max(far)


@pytest.mark.parametrize("end", ["low", "high"])
def test_the_tornado_says_that_the_winner_changes_exactly_where_it_does(shipped_ranges, end):
    (one,) = shipped_ranges.classes
    for swing in one.tornado:
        if getattr(swing, f"winner_{end}").removesuffix("@reserved-1y") != one.chosen.removesuffix("@reserved-1y"):
            assert swing.changes
        elif getattr(swing, f"margin_usd_per_day_{end}") < 0:
            pytest.fail(f"{swing} loses and wins at once")


def test_the_low_end_of_a_speed_is_the_slow_one(shipped, shipped_ranges):
    (one,) = shipped_ranges.classes
    for swing in (swing for swing in one.tornado if swing.input.startswith("speed of")):
        assert float(swing.low.removeprefix("x")) < 1 < float(swing.high.removeprefix("x"))
    # beside paid APIs alone: a rival on another machine is slower, too, when the model is
    work = Workload.of(requests_per_day=1e6, input_tokens=1500, output_tokens=400)
    only = Only(models=("qwen3.5-35b-a3b",), machines=("g6e.xlarge",))
    answer = plan(work, shipped, Policy(at_least=1380.0, only=only))
    assert [c.kind for c in answer.ranking.contenders].count("api") == len(answer.ranking.contenders) - 1
    (alone,) = ranges(answer).classes
    (winner,) = (swing for swing in alone.tornado if swing.input == "speed of qwen3.5-35b-a3b fp8 on g6e.xlarge")
    assert winner.margin_usd_per_day_low < winner.margin_usd_per_day_high


def test_of_stated_speeds_no_band_is_told(plan_small):
    answer = plan_small(WORK, stated=Stated(response_s=1.0), at_least=1150.0)
    (one,) = ranges(answer).classes
    hosted = [option for option in one.options if option.option.startswith("host:")]
    assert hosted
    assert all(option.usd_per_day_low is None and not option.speed_band_known for option in hosted)
    assert one.measurements == ()
    assert one.crossover is None
    assert any("not known" in sentence for sentence in ranges(answer).assumptions)


def test_apis_of_unknown_latency_are_not_drawn_beside_what_keeps_the_target(plan_small):
    slow = Workload.of(requests_per_day=300_000, input_tokens=500, output_tokens=100, slo=Slo(ttft_s=5.0, tpot_s=0.2))
    (one,) = ranges(plan_small(slow, at_least=1150.0)).classes
    assert all(option.option.startswith("host:") for option in one.options)
    assert one.left_out > 0


def test_classes_of_unknown_quality_are_not_drawn(plan_small):
    encode = Workload.of(requests_per_day=100_000, input_tokens=200)
    assert ranges(plan_small(encode)).classes == ()


@pytest.fixture(scope="module")
def reserved(plan_small):
    """A plan whose choice is a machine that can be had reserved and on demand."""
    found = plan_small(WORK, models=("llama-8b",), kinds=("hosted",), machines=("g5.xlarge",), at_least=1150.0)
    return exact(found)


def test_waiting_never_pays_where_prices_traffic_and_speed_stand_still(reserved):
    (one,) = ranges(with_uncertainty(reserved, **msgspec.structs.asdict(NOTHING))).classes
    assert one.commitment.now_usd_per_year < one.commitment.later_usd_per_year <= one.commitment.never_usd_per_year
    assert one.commitment.chance_waiting_pays == 0
    month = (one.commitment.never_usd_per_year - one.commitment.now_usd_per_year) / 12
    assert one.commitment.later_usd_per_year == pytest.approx(one.commitment.now_usd_per_year + month)


def test_waiting_pays_where_traffic_is_sure_to_go_away(plan_small):
    busy = Workload.of(requests_per_day=3e7, input_tokens=500, output_tokens=100)
    many = plan_small(busy, models=("llama-8b",), kinds=("hosted",), machines=("g5.xlarge",), at_least=1150.0)
    gone = msgspec.structs.asdict(NOTHING) | {"growth": Growth(low=0.01, mid=0.01, high=0.01)}
    (one,) = ranges(with_uncertainty(exact(many), **gone)).classes
    assert one.commitment.later_usd_per_year < one.commitment.now_usd_per_year
    assert one.commitment.chance_waiting_pays == 1


def test_a_narrower_band_of_the_speed_leaves_less_to_regret(shipped_plan, shipped_ranges):
    (one,) = ranges(exact(shipped_plan)).classes
    assert one.regret_usd_per_day < shipped_ranges.classes[0].regret_usd_per_day


@given(COSTS)
def test_chances_add_up_and_regrets_are_of_the_cheapest_of_each_scenario(usd):
    assert chances(usd).sum() == pytest.approx(1)
    lost = regrets(usd)
    assert np.all(lost >= 0)
    assert lost.min() == pytest.approx(usd.mean(axis=1).min() - usd.min(axis=0).mean())


@given(
    st.lists(st.lists(st.floats(1, 1e3), min_size=13, max_size=13).map(sorted), min_size=1, max_size=4).map(np.array),
    st.floats(0.0, 1.0),
)
def test_a_measurement_is_never_worth_less_than_nothing(costs, link):
    assert value_of_knowing(costs, np.full(len(costs), link)) >= 0


@given(st.lists(st.floats(1, 100), min_size=13, max_size=13).map(sorted).map(np.array), st.floats(0.1, 1.0))
def test_a_measurement_that_cannot_change_the_choice_is_worth_nothing(cost, link):
    far = np.stack([cost, np.full(len(ERRORS), cost.max() + 1)])
    assert value_of_knowing(far, np.array([link, 0.0])) == 0
    assert value_of_knowing(far, np.zeros(2)) == 0


def test_errors_of_speed_add_up_to_their_whole(shipped_plan):
    variance = typical_parameters().bands["variance"]
    members = _members(shipped_plan, shipped_plan.ranking.groups[0], 24)
    drawing = drawing_of(shipped_plan, members, 0, 4096)
    assert sum(drawing.errors.shares) == pytest.approx(1)
    assert drawing.errors.shares[2] == pytest.approx(variance["own"] / sum(variance.values()))
    drawn = drawing.errors.drawn(4096, seed=3)
    assert drawn.std(axis=1) == pytest.approx(np.ones(len(drawn)), rel=0.05)
    assert _class(drawing, shipped_plan.ranking.groups[0], members).options
