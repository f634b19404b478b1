"""The age of an answer is that of the oldest price in the bills shown, and of no other price."""

from datetime import date

import msgspec
import pytest

from breakeven import Workload

TODAY = date(2026, 6, 1)
OLD = date(2022, 6, 1)
"""Since when the small catalogue's API prices stand; its machines and services are older."""
WORK = Workload.of(requests_per_day=1000, input_tokens=500, output_tokens=100)


@pytest.fixture
def planned(plan_small, with_rows, small_catalogue):
    """A plan over API prices of which those that ``older`` picks are of an earlier day."""

    def made(older, workload=WORK, day=date(2021, 3, 4), **fields):
        rows = [
            msgspec.structs.replace(row, effective_from=day) if older(row) else row
            for row in small_catalogue.tables.api_prices
        ]
        catalogue = with_rows(api_prices=tuple(sorted(rows, key=lambda row: row.effective_from)))
        return plan_small(workload, catalogue=catalogue, kinds=("api",), **fields)

    return made


def test_it_is_the_oldest_price_that_a_bill_shown_is_charged_by(planned):
    found = planned(lambda row: row.model == "big" and row.token_kind == "output", models=("big", "small")).freshness()
    assert found.oldest_effective_from == date(2021, 3, 4)
    assert found.item == "acme/big output"
    assert found.age_days == (TODAY - date(2021, 3, 4)).days


@pytest.mark.parametrize(
    ("what", "older"),
    [
        ("a longer prompt", lambda row: row.above_input_tokens > 0),
        ("another tier", lambda row: row.tier == "batch"),
        ("tokens that nobody asks for", lambda row: row.token_kind in ("cached_input", "cache_write")),
        ("an offer that does not compete", lambda row: row.model in ("gone", "unlisted", "tuned", "half-known")),
    ],
)
def test_prices_that_no_bill_uses_do_not_make_it_older(planned, what, older):
    assert planned(older, models=("big", "small")).freshness().oldest_effective_from == OLD, what


def test_a_longer_prompt_is_charged_by_the_price_of_its_length(planned):
    long = Workload.of(requests_per_day=1000, input_tokens=300_000, output_tokens=100)
    found = planned(lambda row: row.above_input_tokens > 0, long, models=("big",)).freshness()
    assert found.oldest_effective_from == date(2021, 3, 4)


def test_hours_without_requests_do_not_count(planned):
    """night/owl has prices for 8 hours of peak a day and others for the rest."""
    by_day = [float(8 <= hour < 16) for hour in range(24)]
    busy = Workload.of(requests_per_day=1000, input_tokens=500, output_tokens=100, weights=by_day)
    off_peak = {"older": lambda row: row.window == "off_peak", "models": ("owl",)}
    assert planned(workload=busy, **off_peak).freshness().oldest_effective_from == OLD
    assert planned(workload=WORK, **off_peak).freshness().oldest_effective_from == date(2021, 3, 4)


def test_only_the_bills_shown_count(planned):
    answer = planned(lambda row: row.model == "big", at_least=1150, models=("big", "small"))
    assert [verdict.option.id for verdict in answer.verdicts(top=1)] == ["api:acme/small"]
    assert answer.freshness(top=1).oldest_effective_from == OLD
    assert answer.freshness(top=10).oldest_effective_from == date(2021, 3, 4)


def test_of_prices_of_one_day_one_is_named_the_same_every_time(planned):
    names = {planned(lambda _: False, models=("big", "small")).freshness().item for _ in range(3)}
    assert names == {"acme/big input"}


def test_a_machine_is_as_old_as_its_price_and_its_serving_path(plan_small, with_rows, small_catalogue):
    tables = small_catalogue.tables
    fields = {"kinds": ("hosted",), "models": ("llama-8b",), "machines": ("ml.g5.xlarge",)}
    services = [msgspec.structs.replace(row, effective_from=date(2024, 5, 6)) for row in tables.service_prices]
    young = with_rows(service_prices=tuple(services))
    found = plan_small(WORK, catalogue=young, **fields).freshness()
    assert (found.item, found.oldest_effective_from) == ("ml.g5.xlarge on-demand", date(2022, 1, 1))
    aged = [
        msgspec.structs.replace(row, effective_from=date(2021, 12, 1)) if row.service == "cloudwatch-logs" else row
        for row in services
    ]
    found = plan_small(WORK, catalogue=with_rows(service_prices=tuple(aged)), **fields).freshness()
    assert (found.item, found.oldest_effective_from) == ("cloudwatch-logs ingestion", date(2021, 12, 1))


def test_services_that_no_path_shown_goes_through_do_not_count(plan_small, with_rows, small_catalogue):
    aged = [
        msgspec.structs.replace(row, effective_from=date(2021, 1, 1))
        if row.service in ("lambda", "apigateway")
        else row
        for row in small_catalogue.tables.service_prices
    ]
    fields = {"kinds": ("hosted",), "models": ("llama-8b",), "machines": ("g5.xlarge",)}
    found = plan_small(WORK, catalogue=with_rows(service_prices=tuple(aged)), **fields).freshness()
    assert found.oldest_effective_from > date(2021, 1, 1)


def test_amounts_that_are_not_reached_do_not_count(plan_small, with_rows, small_catalogue):
    """100 tokens a request leave too little for the second tier of data transfer."""
    aged = [
        msgspec.structs.replace(row, effective_from=date(2021, 1, 1)) if row.tier_from > 0 else row
        for row in small_catalogue.tables.service_prices
    ]
    fields = {"kinds": ("hosted",), "models": ("llama-8b",), "machines": ("g5.xlarge",)}
    found = plan_small(WORK, catalogue=with_rows(service_prices=tuple(aged)), **fields).freshness()
    assert found.oldest_effective_from == date(2022, 1, 1)


def test_every_line_of_a_bill_cites_the_rows_it_is_charged_by_and_no_others(planned):
    answer = planned(lambda _: False, models=("big",))
    (contender,) = answer.ranking.contenders
    rows = [row for charge in answer.api.charges for row in charge.prices(contender.number)]
    assert {(row.token_kind, row.tier, row.above_input_tokens) for row in rows} == {
        ("input", "standard", 0),
        ("output", "standard", 0),
    }


def test_where_nothing_is_shown_nothing_is_old(planned):
    found = planned(lambda _: False, models=("big",)).freshness(top=0)
    assert (found.item, found.age_days) == ("nothing is charged", 0)
