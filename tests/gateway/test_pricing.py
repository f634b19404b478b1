"""What an API's answer costs: the catalogue's price of the day, by kind of token, exact to the picodollar."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.gateway.pricing import prices_of
from breakeven.gateway.rules import Replica, Target
from breakeven.gateway.usage import UNKNOWN, Tokens

REPLICAS = (Replica(name="api", url="https://api"),)


def at_us(*moment):
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 10**6


def target(provider, model, tier="standard"):
    return Target(name=model + tier, kind="x", replicas=REPLICAS, provider=provider, model=model, tier=tier)


GPT = target("openai", "gpt-4o-mini")
NOON = at_us(2026, 11, 24, 12)
COUNTS = st.integers(0, 10**6)


@pytest.fixture(scope="module")
def prices(shipped):
    return prices_of(shipped)


def usd_per_mtok(shipped, provider, model, day, tier="standard"):
    tariff = next(
        one for one in shipped.on(day, "us-east-1").tariffs
        if (one.offer.key, one.tier) == ((provider, model), tier)
    )  # fmt: skip
    return {kind: row.usd_per_mtok for (kind, window, above), row in tariff.prices.items() if not window and not above}


def test_each_kind_of_token_has_its_price(prices, shipped):
    row = usd_per_mtok(shipped, "openai", "gpt-4o-mini", date(2026, 11, 24))
    tokens = Tokens(input=1000, cached_input=400, output=50, basis="upstream")
    usd = (600 * row["input"] + 400 * row["cached_input"] + 50 * row["output"]) / 10**6
    assert prices.cost_pico_usd(GPT, tokens, NOON) == usd * 10**12


@given(COUNTS, COUNTS, COUNTS)
def test_a_request_never_costs_more_than_is_held_back_for_it(prices, read, cached, written):
    tokens = Tokens(input=read + cached, cached_input=cached, output=written, basis="upstream")
    cost = prices.cost_pico_usd(GPT, tokens, NOON)
    assert 0 <= cost <= prices.most_pico_usd(GPT, read + cached, written, NOON)


def test_the_price_is_that_of_the_day_and_changes_with_it(prices, shipped):
    old = usd_per_mtok(shipped, "openai", "gpt-4o", date(2024, 6, 1))
    new = usd_per_mtok(shipped, "openai", "gpt-4o", date(2026, 11, 24))
    assert old["input"] != new["input"]
    tokens = Tokens(input=10**6, output=0, basis="upstream")
    for moment, row in ((at_us(2024, 6, 1), old), (NOON, new), (at_us(2024, 6, 1), old)):
        cost = prices.cost_pico_usd(target("openai", "gpt-4o"), tokens, moment)
        assert cost == row["input"] * 10**12


def test_peak_hours_cost_more_where_a_provider_has_them(prices):
    deepseek = target("deepseek", "deepseek-chat")
    tokens = Tokens(input=10**6, output=0, basis="upstream")
    costs = {prices.cost_pico_usd(deepseek, tokens, at_us(2025, 3, 4, hour)) for hour in range(24)}
    assert costs == {135 * 10**9, 270 * 10**9}


def test_a_long_prompt_is_charged_by_the_price_for_long_prompts(prices, shipped):
    above = [row for row in shipped.tables.api_prices if row.above_input_tokens and row.tier == "standard"]
    row = max(above, key=lambda row: row.effective_from)
    one = target(row.provider, row.model)
    costs = [
        prices.cost_pico_usd(one, Tokens(input=count, output=0, basis="upstream"), NOON)
        for count in (row.above_input_tokens, row.above_input_tokens + 1)
    ]
    assert costs[1] > Decimal("1.2") * costs[0]


@pytest.mark.parametrize(
    ("who", "tokens"),
    [
        (GPT, UNKNOWN),
        (GPT, Tokens(input=5, basis="upstream")),
        (target("openai", "no-such-model"), Tokens(input=5, output=5, basis="upstream")),
        (target("openai", "gpt-4o-mini", "flex"), Tokens(input=5, output=5, basis="upstream")),
    ],
)
def test_what_is_not_known_has_no_price_and_never_zero(prices, who, tokens):
    assert prices.cost_pico_usd(who, tokens, NOON) is None


def test_without_a_limit_the_most_is_not_known(prices):
    assert prices.most_pico_usd(GPT, 10, None, NOON) is None
    assert prices.most_pico_usd(target("openai", "no-such-model"), 10, 10, NOON) is None
    assert prices.offer_output_limit(GPT) == 16_384


def test_a_day_before_the_first_price_has_none(prices):
    assert not prices.known(GPT, at_us(2020, 1, 1))
    assert prices.known(GPT, NOON)
