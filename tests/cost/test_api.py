from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven import Workload
from breakeven.workload.usage import TokenMix, TokenShape, TokenUsage

THOUSAND_A_DAY = 1000


def work(requests_per_day=THOUSAND_A_DAY, weights=None, deferrable=False, **usage):
    base = Workload.of(requests_per_day=requests_per_day, input_tokens=1, output_tokens=1, weights=weights)
    mix = TokenMix.of(TokenUsage(**{"input": 1000, "output": 100} | usage))
    return msgspec.structs.replace(base, mix=mix, deferrable=deferrable)


@pytest.fixture(scope="module")
def bill(plan_small):
    """The bill of one paid API."""

    def found(option, workload, **fields):
        return plan_small(workload, kinds=("api",), by="option", **fields).explain(option).bill

    return found


def usd(found):
    return {line.name: line.usd for line in found.lines}


def test_tokens_of_each_kind_times_the_list_price(bill):
    # 1,000 x 1,000 in at 1 USD and 1,000 x 100 out at 4 USD a million
    assert usd(bill("acme/big", work())) == {"input tokens": Decimal("1.00"), "output tokens": Decimal("0.40")}


def test_cached_and_written_tokens_are_parts_of_the_input_at_their_own_prices(bill):
    found = bill("acme/big", work(input=1000, cached_input=600, cache_write=100))
    assert usd(found) == {
        "input tokens": Decimal("0.30"),  # the 300 that are left
        "cached input tokens": Decimal("0.15"),  # 600 at 0.25
        "cache-write tokens": Decimal("0.125"),  # 100 at 1.25
        "output tokens": Decimal("0.40"),
    }


def test_without_a_price_of_their_own_they_are_charged_as_plain_input_and_cite_its_source(bill):
    found = bill("acme/small", work(input=1000, cached_input=600, cache_write=100))
    assert usd(found)["cached input tokens"] == Decimal("0.24")  # 600 at 0.40
    assert usd(found)["cache-write tokens"] == Decimal("0.04")
    assert all(line.source == ("by-hand",) for line in found.lines)


def test_the_batch_tier_has_prices_of_its_own(bill):
    found = bill("acme/big@batch", work(deferrable=True))
    assert usd(found) == {"input tokens": Decimal("0.50"), "output tokens": Decimal("0.20")}


def test_a_long_prompt_is_charged_the_long_price_for_all_its_tokens_and_its_answer(bill):
    at, above = bill("acme/big", work(input=200_000)), bill("acme/big", work(input=200_001))
    assert usd(at) == {"input tokens": Decimal(200), "output tokens": Decimal("0.4")}
    assert usd(above) == {"input tokens": Decimal("400.002"), "output tokens": Decimal("0.6")}


def test_in_a_mix_only_the_long_prompts_pay_the_long_price(bill):
    mix = TokenMix(
        shapes=(
            TokenShape(share=0.9, usage=TokenUsage(input=1000, output=100)),
            TokenShape(share=0.1, usage=TokenUsage(input=300_000, output=100)),
        )
    )
    found = bill("acme/big", msgspec.structs.replace(work(), mix=mix))
    assert usd(found)["input tokens"] == Decimal("60.9")  # 900 x 0.001 + 100 x 0.3 x 2
    assert usd(found)["output tokens"] == Decimal("0.42")  # 900 x 0.0004 + 100 x 0.0006


def test_a_cached_price_without_a_long_one_holds_for_long_prompts(bill):
    found = bill("acme/big", work(input=300_000, cached_input=100_000))
    assert usd(found)["cached input tokens"] == Decimal("25")  # 100 M at 0.25
    assert usd(found)["input tokens"] == Decimal("400")  # 200 M at 2.00


def test_an_even_day_pays_the_peak_price_for_its_8_hours_of_24(bill):
    found = bill("night/owl", work())
    assert usd(found)["input tokens"] == pytest.approx(Decimal("0.4"), rel=Decimal("1e-9"))  # (8 x 0.6 + 16 x 0.3) / 24
    assert usd(found)["output tokens"] == pytest.approx(Decimal("0.08"), rel=Decimal("1e-9"))


def test_traffic_by_night_pays_the_price_of_the_night(bill):
    night = [1.0] * 8 + [0.0] * 16
    noon = [0.0] * 12 + [1.0] + [0.0] * 11
    assert usd(bill("night/owl", work(weights=night)))["input tokens"] == Decimal("0.3")
    assert usd(bill("night/owl", work(weights=noon)))["input tokens"] == Decimal("0.6")


def test_a_week_meets_the_peak_hours_of_its_own_days(bill, with_rows, small_catalogue):
    windows = tuple(
        msgspec.structs.replace(row, hours_of_week_utc=tuple(range(24))) for row in small_catalogue.tables.peak_windows
    )
    monday_peaks = with_rows(peak_windows=windows)
    mondays, tuesdays = [1.0] * 24 + [0.0] * 144, [0.0] * 24 + [1.0] * 24 + [0.0] * 120
    assert usd(bill("night/owl", work(weights=mondays), catalogue=monday_peaks))["input tokens"] == Decimal("0.6")
    assert usd(bill("night/owl", work(weights=tuesdays), catalogue=monday_peaks))["input tokens"] == Decimal("0.3")


def test_where_nobody_knows_the_peak_hours_every_hour_is_charged_as_one(bill, with_rows):
    assert usd(bill("night/owl", work(), catalogue=with_rows(peak_windows=())))["input tokens"] == Decimal("0.6")


def test_a_cached_price_for_all_hours_is_not_replaced_by_the_input_price_of_an_hour(bill, with_rows, small_catalogue):
    old = small_catalogue.tables.api_prices
    owl = next(row for row in old if row.model == "owl")
    cached = msgspec.structs.replace(owl, token_kind="cached_input", usd_per_mtok=Decimal("0.03"), window="")
    found = bill("night/owl", work(cached_input=1000), catalogue=with_rows(api_prices=(*old, cached)))
    assert usd(found)["cached input tokens"] == Decimal("0.03")


def test_a_price_that_holds_in_peak_hours_alone_leaves_the_others_at_the_plain_one(bill, with_rows, small_catalogue):
    rows = tuple(
        msgspec.structs.replace(row, window="") if row.window == "off_peak" else row
        for row in small_catalogue.tables.api_prices
    )
    found = bill("night/owl", work(), catalogue=with_rows(api_prices=rows))
    assert usd(found)["input tokens"] == pytest.approx(Decimal("0.4"), rel=Decimal("1e-9"))


def test_a_discount_is_a_line_of_its_own_and_the_other_lines_keep_the_list_price(bill):
    shape = {"cached_input": 600, "cache_write": 100}
    listed, paid = bill("acme/big", work(**shape)), bill("acme/big", work(**shape), api_discount={"*": 0.25})
    assert paid.lines[:-1] == listed.lines
    discount = paid.lines[-1]
    assert (discount.quantity, discount.usd_per_unit) == (listed.usd_per_day, Decimal("-0.25"))
    assert discount.source == ("your spec",)
    assert paid.usd_per_day == listed.usd_per_day * Decimal("0.75")


def test_a_discount_of_one_provider_leaves_the_others_at_their_list_price(bill):
    cut = {"acme": 0.5, "*": 0.1}
    assert bill("acme/big", work(), api_discount=cut).usd_per_day == bill("acme/big", work()).usd_per_day / 2
    owl = bill("night/owl", work()).usd_per_day
    assert bill("night/owl", work(), api_discount=cut).usd_per_day == pytest.approx(owl * Decimal("0.9"))


def test_1000_requests_of_667_tokens_at_2_usd_a_million_cost_1_33_usd_a_day(bill, with_rows, small_catalogue):
    # the article of April 2023: 500 words a request are 667 tokens, gpt-3.5-turbo at 0.002 USD a thousand
    rows = tuple(
        msgspec.structs.replace(row, usd_per_mtok=Decimal(2)) if row.model == "small" else row
        for row in small_catalogue.tables.api_prices
    )
    flat = with_rows(api_prices=rows)
    for requests, expected in ((1000, "1.334"), (1_000_000, "1334")):
        found = bill("acme/small", work(requests, input=333.5, output=333.5), catalogue=flat)
        assert found.usd_per_day == Decimal(expected)


tokens = st.integers(0, 130_000)


@settings(max_examples=25)
@given(fresh=tokens, cached=tokens, written=tokens, output=st.integers(1, 8000), share=st.floats(0.0, 0.9))
def test_a_cached_token_never_costs_more_than_a_plain_one_and_caching_never_touches_output(
    bill, fresh, cached, written, output, share
):
    total = fresh + cached + written + 1
    plain = bill("acme/big", work(input=total, output=output, cache_write=written), api_discount={"*": share})
    shape = {"input": total, "output": output, "cache_write": written, "cached_input": cached}
    some = bill("acme/big", work(**shape), api_discount={"*": share})
    assert some.usd_per_day <= plain.usd_per_day
    assert usd(some)["output tokens"] == usd(plain)["output tokens"]


@settings(max_examples=25)
@given(
    requests=st.floats(1, 1e8), more=st.floats(1, 100), option=st.sampled_from(["acme/big", "acme/small", "night/owl"])
)
def test_a_paid_api_costs_in_proportion_to_its_requests(bill, requests, more, option):
    few, many = bill(option, work(requests)), bill(option, work(requests * more))
    assert float(many.usd_per_day) == pytest.approx(float(few.usd_per_day) * more, rel=1e-6, abs=1e-6)


@settings(max_examples=25)
@given(input_tokens=st.integers(1, 390_000), output=st.integers(1, 4000), more=st.integers(0, 4000))
def test_longer_requests_never_cost_less_at_the_same_api(bill, input_tokens, output, more):
    base = bill("acme/big", work(input=input_tokens, output=output)).usd_per_day
    assert base <= bill("acme/big", work(input=input_tokens, output=output + more)).usd_per_day
    assert base <= bill("acme/big", work(input=input_tokens + more, output=output)).usd_per_day
