from datetime import date
from decimal import Decimal

import pytest

from breakeven import Policy, Workload, plan
from breakeven.errors import NoDataError, UnknownNameError
from breakeven.report.answer import answer as sentences
from breakeven.workload.policy import Only, People
from breakeven.workload.profile import Slo

WORK = Workload.of(requests_per_day=100_000, input_tokens=500, output_tokens=100)
ENCODE = Workload.of(requests_per_day=100_000, input_tokens=200)
PROMPT = Workload.of(requests_per_day=100_000, input_tokens=500, output_tokens=100, slo=Slo(ttft_s=1.0, tpot_s=0.03))


def ruled_out(answer):
    return sum(found.count for found in answer.rejected)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"at_least": 1200.0},
        {"at_least": "llama-70b"},
        {"as_of": date(2024, 5, 1)},
        {"kinds": ("api",)},
        {"kinds": ("hosted",)},
        {"machines": ("ml.*",), "terms": ("on-demand",)},
        {"terms": ("reserved-1y",)},
        {"min_replicas": 3, "scaling": "fixed"},
    ],
    ids=str,
)
@pytest.mark.parametrize("workload", [WORK, PROMPT], ids=["no target", "target"])
def test_every_option_considered_either_competes_or_is_ruled_out_for_a_reason(plan_small, workload, fields):
    answer = plan_small(workload, **dict(fields))
    assert answer.options_considered == answer.competing + ruled_out(answer)
    assert all(found.examples and found.because for found in answer.rejected)


def test_so_it_is_for_encoding(plan_small):
    answer = plan_small(ENCODE)
    assert answer.options_considered == answer.competing + ruled_out(answer)
    assert {answer.model_of(c) for c in answer.ranking.contenders} == {"bert-base", "vectors"}


@pytest.mark.parametrize("at_least", [None, 1300.0], ids=["no floor", "floor"])
def test_so_it_is_for_the_whole_shipped_catalogue(shipped, at_least):
    answer = plan(WORK, shipped, Policy(at_least=at_least))
    assert answer.options_considered > 10_000
    assert answer.options_considered == answer.competing + ruled_out(answer)


def test_every_reason_of_the_spec_is_told_when_it_is_provoked(plan_small):
    long = Workload.of(requests_per_day=1000, input_tokens=10_000, output_tokens=4000, slo=Slo(ttft_s=5.0))
    answers = [plan_small(long, at_least=at_least, as_of=date(2026, 4, 1)) for at_least in (None, 1190)]
    told = {found.because for answer in answers for found in answer.rejected}
    for because in (
        "weights do not fit",
        "no memory left for the KV cache",
        "no fp8 on this hardware",
        "TTFT target missed",
        "30 s limit of lambda-http",
        "below the quality floor",
        "quality not known",
        "context too short",
        "not released by 2026-04-01",
        "no machine price known on 2026-04-01",
        "the weights are not public",
        "the model does not generate text",
    ):
        assert any(reason.startswith(because) for reason in told), f"{because} is not among {sorted(told)}"


def test_the_plan_carries_its_day_and_the_digest_of_its_facts(plan_small, small_catalogue):
    answer = plan_small(WORK, as_of=date(2024, 5, 1))
    assert (answer.as_of, answer.catalogue_digest) == (date(2024, 5, 1), small_catalogue.digest)
    assert plan_small(WORK).as_of == small_catalogue.last_day


def test_the_same_question_has_the_same_answer(plan_small):
    first, second = plan_small(WORK), plan_small(WORK)
    assert repr(first.ranking) == repr(second.ranking)  # as text: an unknown score is not equal to itself
    assert first.rejected == second.rejected
    assert first.crossovers == second.crossovers


def test_a_day_before_the_first_price_is_an_error_that_names_the_first_day(plan_small):
    with pytest.raises(NoDataError, match="2022-06-01"):
        plan_small(WORK, as_of=date(2022, 5, 31))


def test_a_region_without_prices_is_an_error_that_names_those_with(plan_small):
    with pytest.raises(NoDataError, match="us-east-1"):
        plan_small(WORK, region="mars-north-1")


def test_nothing_left_is_an_error_that_says_what_ruled_it_out(plan_small):
    with pytest.raises(NoDataError, match="weights do not fit"):
        plan_small(WORK, models=("llama-70b",), machines=("g4dn.xlarge",), kinds=("hosted",))


def test_explain_finds_an_option_by_its_id_with_or_without_its_kind(plan_small):
    answer = plan_small(WORK)
    for name, found in (
        ("api:acme/big", "api:acme/big"),
        ("acme/big", "api:acme/big"),
        (
            "llama-8b:bf16:g5.xlarge:tp1:ec2",
            "host:llama-8b:bf16:g5.xlarge:tp1:ec2",
        ),  # not the cheapest: found all the same
        ("host:llama-8b:bf16:g5.xlarge:tp1:ec2@reserved-1y", "host:llama-8b:bf16:g5.xlarge:tp1:ec2@reserved-1y"),
    ):
        assert answer.explain(name).option.id == found


def test_explain_takes_a_model_for_its_cheapest_option(plan_small):
    answer = plan_small(WORK, formats=("bf16", "int8"))
    cheapest = min(
        (c for c in answer.ranking.contenders if answer.model_of(c) == "mixtral-8x7b"), key=lambda c: c.usd_per_day
    )
    assert answer.explain("mixtral-8x7b").option.id == answer.option_id(cheapest)


def test_explain_takes_a_place_where_there_is_one_ranking(plan_small):
    answer = plan_small(WORK, at_least=1150)
    assert answer.explain("1").option.id == answer.winner.option.id
    with pytest.raises(UnknownNameError):
        plan_small(WORK).explain("1")  # without a floor there are several first places


def test_explain_names_near_matches_of_an_option_that_does_not_compete(plan_small):
    with pytest.raises(UnknownNameError, match=r"llama-8b:bf16:g5\.xlarge:tp1:ec2"):
        plan_small(WORK).explain("llama-8b:bf16:g5.xlage:tp1:ec2")


def test_hosting_stops_winning_above_so_much_work_a_month(plan_small):
    answer = plan_small(WORK, at_least=1150)
    hosted = answer.ranking.winner
    api = min(c.usd_per_day for c in answer.ranking.contenders if c.kind == "api")
    margin = (api - hosted.usd_per_day) * 730 / 24
    assert hosted.kind == "hosted"
    assert margin > 0
    (said,) = [s for s in sentences(answer) if s.startswith("People are not counted")]
    # just below the margin hosting still wins, just above it does not
    for usd, kind in ((margin * 0.999, "hosted"), (margin * 1.001, "api")):
        people = People(hours_per_month=Decimal(1), usd_per_hour=Decimal(str(usd)))
        counted = plan_small(WORK, at_least=1150, people=people)
        assert counted.ranking.winner.kind == kind
        assert not any(s.startswith("People are not counted") for s in sentences(counted))
    assert f"{margin:.2f}" in said


def test_asking_for_a_model_that_nobody_knows_is_refused_with_near_matches(plan_small):
    with pytest.raises(UnknownNameError, match="llama-70b"):
        plan_small(WORK, models=("llama-70",))


@pytest.mark.parametrize("requests", [0.01, 1.0, 1e9])
def test_odd_volumes_give_finite_answers(plan_small, requests):
    answer = plan_small(Workload.of(requests_per_day=requests, input_tokens=1, output_tokens=1))
    for verdict in answer.verdicts(top=100):
        assert verdict.bill.usd_per_day.is_finite()
        assert verdict.bill.usd_per_day >= 0


@pytest.mark.parametrize(("input_tokens", "output_tokens"), [(0, 50), (1, 1), (500, 100), (1, 8000)])
def test_odd_shapes_give_answers_of_a_sane_size(plan_small, input_tokens, output_tokens):
    _a_thousand_requests_a_day_fit_one_machine(plan_small, input_tokens, output_tokens)


@pytest.mark.parametrize("input_tokens", [8000, 100_000])
def test_a_label_after_a_long_prompt_is_served_by_one_machine(plan_small, input_tokens):
    _a_thousand_requests_a_day_fit_one_machine(plan_small, input_tokens, 1)


def _a_thousand_requests_a_day_fit_one_machine(plan_small, input_tokens, output_tokens):
    work = Workload.of(requests_per_day=1000, input_tokens=input_tokens, output_tokens=output_tokens)
    answer = plan_small(work, kinds=("hosted",), models=("llama-8b",), machines=("p5.48xlarge",))
    costs = [float(v.bill.usd_per_day) for v in answer.verdicts()]
    assert costs == pytest.approx([24 * 55.04] * len(costs), rel=0.05)


def test_only_what_was_asked_for_is_considered(shipped):
    model = next(name for name in shipped.models if name.startswith("llama"))
    answer = plan(WORK, shipped, Policy(only=Only(models=(model,), kinds=("hosted",))))
    assert {row.name for row in answer.grid.models} == {model}
    assert {c.kind for c in answer.ranking.contenders} == {"hosted"}
