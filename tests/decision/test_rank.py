from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven import Workload
from breakeven.decision.rank import OVERALL
from breakeven.options.quality import UNKNOWN_CLASS
from breakeven.workload.policy import ApiLatency
from breakeven.workload.profile import Slo

WORK = Workload.of(requests_per_day=100_000, input_tokens=500, output_tokens=100)
PROMPT = Workload.of(requests_per_day=100_000, input_tokens=500, output_tokens=100, slo=Slo(ttft_s=2.0))


def models(answer, contenders):
    return [(c.kind, answer.model_of(c)) for c in contenders]


def test_without_a_floor_there_is_no_overall_winner_but_a_ranking_for_each_class(plan_small):
    answer = plan_small(WORK)
    assert answer.winner is None
    assert answer.ranking.groups == ("1250-1299", "1150-1199", UNKNOWN_CLASS)
    for group in answer.ranking.groups:
        costs = [c.usd_per_day for c in answer.ranking.of(group)]
        assert costs == sorted(costs)
        assert [c.rank for c in answer.ranking.of(group)] == list(range(1, len(costs) + 1))


def test_a_cheap_weak_model_does_not_stand_before_a_good_one(plan_small):
    answer = plan_small(WORK)
    best = answer.ranking.contenders[0]
    cheapest = min(answer.ranking.contenders, key=lambda c: c.usd_per_day)
    assert best.group == "1250-1299"
    assert cheapest.usd_per_day < best.usd_per_day


def test_with_a_floor_all_that_pass_compete_and_the_cheapest_wins(plan_small):
    answer = plan_small(WORK, at_least=1150)
    assert answer.ranking.groups == (OVERALL,)
    assert answer.winner.option.id == answer.option_id(answer.ranking.contenders[0])
    assert answer.ranking.winner.usd_per_day == min(c.usd_per_day for c in answer.ranking.contenders)
    assert answer.winner.option.model == "llama-8b"


def test_a_higher_floor_never_makes_the_winner_cheaper(plan_small):
    costs = [plan_small(WORK, at_least=floor).winner.bill.usd_per_day for floor in (1150, 1180, 1250, 1262)]
    assert costs == sorted(costs)


def test_options_of_unknown_quality_stand_last_and_apart(plan_small):
    answer = plan_small(WORK)
    apart = answer.ranking.of(UNKNOWN_CLASS)
    assert {"flan-ul2", "nameless"} <= {model for _, model in models(answer, apart)}
    assert answer.ranking.contenders[-len(apart) :] == apart


def test_a_narrow_format_of_a_scored_model_is_a_choice_of_its_own_of_unknown_quality(plan_small):
    answer = plan_small(WORK, models=("llama-8b",), kinds=("hosted",))
    ids = {c.group: answer.option_id(c) for c in answer.ranking.contenders}
    assert set(ids) == {"1150-1199", UNKNOWN_CLASS}
    assert ":int4:" in ids[UNKNOWN_CLASS]


def test_one_line_stands_for_a_model_a_machine_or_an_option_as_asked(plan_small):
    narrow = {"models": ("llama-8b",), "formats": ("bf16", "int8"), "kinds": ("hosted",)}
    by_model = plan_small(WORK, by="model", **narrow)
    by_machine = plan_small(WORK, by="machine", **narrow)
    by_option = plan_small(WORK, by="option", **narrow)
    assert len(by_model.ranking.contenders) == 1
    machines = [by_machine.verdict(c).option.machine for c in by_machine.ranking.contenders]
    assert sorted(machines) == sorted(set(machines))
    assert len(by_option.ranking.contenders) == by_option.competing
    cheapest = {len(answer.ranking.contenders): answer.ranking.contenders[0].usd_per_day for answer in
                (by_model, by_machine, by_option)}  # fmt: skip
    assert len(set(cheapest.values())) == 1


def test_each_tier_of_an_api_is_an_option_and_the_cheapest_stands_for_the_offer(plan_small):
    waits = msgspec.structs.replace(WORK, deferrable=True)
    answer = plan_small(waits, models=("big",), kinds=("api",))
    assert [answer.option_id(c) for c in answer.ranking.contenders] == ["api:acme/big@batch"]
    every = plan_small(waits, models=("big",), kinds=("api",), by="option")
    assert {every.option_id(c) for c in every.ranking.contenders} == {"api:acme/big", "api:acme/big@batch"}


def test_an_api_of_unknown_latency_never_counts_as_keeping_a_target(plan_small):
    answer = plan_small(PROMPT, at_least=1250)
    apis = [c for c in answer.ranking.contenders if c.kind == "api"]
    assert {c.meets_slo for c in apis} == {None}
    assert min(c.usd_per_day for c in apis) < answer.ranking.winner.usd_per_day
    assert answer.ranking.winner.kind == "hosted"
    # known to keep it first, then not known
    assert [c.meets_slo for c in answer.ranking.contenders] == [True] * 2 + [None] * len(apis)


def test_nobody_wins_if_nothing_is_known_to_keep_the_target(plan_small):
    answer = plan_small(PROMPT, at_least=1250, kinds=("api",))
    assert answer.ranking.contenders
    assert answer.winner is None


def test_an_api_that_the_user_measured_can_win(plan_small):
    answer = plan_small(PROMPT, at_least=1250, api_latency={"night/owl": ApiLatency(ttft_s=1.0)})
    assert answer.winner.option.id == "api:night/owl"
    assert answer.winner.meets_slo is True


def test_the_first_few_are_those_known_to_keep_the_target_and_as_many_of_which_it_is_not_known(plan_small):
    answer = plan_small(PROMPT, at_least=1250)
    first = answer.ranking.first(1)
    assert [c.meets_slo for c in first] == [True, None]
    assert first[0] == answer.ranking.winner


def test_equal_costs_are_ordered_the_same_way_every_time(plan_small, with_rows, small_catalogue):
    rows = tuple(msgspec.structs.replace(row, usd_per_mtok=Decimal(1)) for row in small_catalogue.tables.api_prices)
    catalogue = with_rows(api_prices=rows)
    orders = [
        [answer.option_id(c) for c in answer.ranking.contenders]
        for answer in (plan_small(WORK, catalogue=catalogue, kinds=("api",)) for _ in range(3))
    ]
    assert orders[0] == orders[1] == orders[2]


@settings(max_examples=10)
@given(
    requests=st.floats(1, 1e7),
    input_tokens=st.integers(1, 2000),
    output_tokens=st.integers(1, 1000),
    discount=st.floats(0, 0.9),
)
def test_every_bill_says_what_the_ranking_used(plan_small, requests, input_tokens, output_tokens, discount):
    work = Workload.of(requests_per_day=requests, input_tokens=input_tokens, output_tokens=output_tokens)
    answer = plan_small(work, by="option", api_discount={"*": discount})
    assert {c.kind for c in answer.ranking.contenders} >= {"api", "hosted"}
    for contender in answer.ranking.contenders:
        bill = answer.verdict(contender).bill
        assert bill.usd_per_day == sum((line.usd for line in bill.lines if line.usd is not None), Decimal(0))
        assert float(bill.usd_per_day) == pytest.approx(contender.usd_per_day, rel=1e-9, abs=1e-6)
