"""The 2023 article that started it: what was right is reproduced, what was wrong is shown wrong."""

from decimal import Decimal
from pathlib import Path

import pytest

from breakeven.cli.plans import plans_of

ROOT = Path(__file__).parents[1]
ARTICLE = ROOT / "examples" / "article-2023.yaml"


@pytest.fixture(scope="module")
def plans():
    return plans_of(ARTICLE, {})


def bill(plan, model):
    return plan.explain(model).bill


def line(plan, model, name):
    return next(line for line in bill(plan, model).lines if line.name == name)


def test_the_api_costs_1_33_and_1334_usd_a_day(plans):
    thousand, million, _ = plans
    assert bill(thousand, "gpt-3.5-turbo").usd_per_day == Decimal("1.334")
    assert bill(million, "gpt-3.5-turbo").usd_per_day == Decimal("1334")


def test_lambda_costs_a_cent_and_about_ten_dollars_with_its_wait(plans):
    thousand, million, _ = plans
    # 0.125 GB x 5 s x 0.0000166667 USD
    assert line(thousand, "flan-ul2", "Lambda, waiting for the model").usd == Decimal("0.01041669")
    assert line(million, "flan-ul2", "Lambda, waiting for the model").usd == Decimal("10.4166875")
    assert line(million, "flan-ul2", "Lambda requests").usd == Decimal("0.2")


def test_the_http_api_takes_a_dollar_a_million(plans):
    assert line(plans[1], "flan-ul2", "API Gateway requests").usd == Decimal(1)


def test_bert_on_ml_m5_xlarge_costs_5_52_usd_a_day(plans):
    assert line(plans[2], "bert-base", "machines").usd == Decimal("5.52")


def test_the_machine_costs_48_72_usd_a_day_not_150(plans):
    machines = line(plans[0], "flan-ul2", "machines")
    assert (machines.quantity, machines.usd_per_unit, machines.usd) == (24, Decimal("2.03"), Decimal("48.72"))


def test_one_machine_does_not_serve_a_million_requests_of_five_seconds(plans):
    verdict = plans[1].explain("flan-ul2")
    carried = verdict.capacity.peak_machines * 86_400 / 5
    assert carried >= 1_000_000
    assert verdict.capacity.peak_machines == 68  # 57.9 in flight, and room for requests that come together


def test_self_hosting_is_not_cheaper_at_a_million_a_day_nor_at_any_traffic(plans):
    (found,) = plans[1].crossovers
    assert bill(plans[1], "flan-ul2").usd_per_day > 2 * bill(plans[1], "gpt-3.5-turbo").usd_per_day
    assert found.requests_per_day is None
    assert found.first_requests_per_day is None


def test_the_model_in_16_bits_does_not_fit_the_machine(plans):
    examples = [example for reason in plans[0].rejected for example in reason.examples]
    assert any("flan-ul2 bf16 on A10G: weights 39.2 GB do not fit" in example for example in examples)


def test_the_day_offers_nothing_later(plans):
    for plan in plans:
        assert plan.as_of.isoformat() == "2023-04-24"
        assert max(d.price.effective_from for d in plan.hosted.options.offers if d.price) <= plan.as_of
