"""What a log cost: exact to the last digit, at the prices of each request's own day."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, getcontext

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.logs.forms import FORMS, MONDAY, Request, lines

from breakeven.catalogue.load import Catalogue, index
from breakeven.catalogue.schema import ApiOffer, ApiPrice, PeakWindow
from breakeven.errors import SpecError, UnknownNameError
from breakeven.logs.candidates import on_candidates
from breakeven.logs.log import Asked, Log
from breakeven.logs.names import Names, Unknown, stated_offers
from breakeven.logs.price import price
from breakeven.logs.tariffs import Tariffs

COLUMNS = {
    name: name
    for name in (
        "time", "input", "output", "cached", "cache_write", "reasoning", "model", "provider", "key", "tier", "usd",
    )
}  # fmt: skip
NIGHT = tuple(hour for hour in range(168) if hour % 24 < 6)
RISE, END = date(2026, 9, 9), date(2026, 9, 12)


def _rows(offer: str, tier: str = "standard", **facts) -> list[ApiPrice]:
    """One row for each kind of token that is priced."""
    provider, model = offer.split("/")
    plain = {"effective_from": date(2026, 1, 1), "date_basis": "announced", "source": "by-hand"}
    kinds = {name: facts.pop(name) for name in ("input", "cached_input", "cache_write", "output") if name in facts}
    return [
        ApiPrice(
            provider=provider, model=model, tier=tier, token_kind=kind, usd_per_mtok=Decimal(usd), **(plain | facts)
        )
        for kind, usd in kinds.items()
    ]


PRICES = [
    *_rows("acme/small", input="0.15", cached_input="0.075", output="0.6"),
    *_rows("acme/small", input="0.3", output="1.2", effective_from=RISE),
    *_rows("acme/small", "batch", input="0.075", output="0.3"),
    *_rows("acme/large", input="3", cached_input="0.3", cache_write="3.75", output="15"),
    *_rows("acme/large", input="6", cached_input="0.6", cache_write="7.5", output="22.5", above_input_tokens=1000),
    *_rows("owl/night", input="1", cached_input="0.1", output="2"),
    *_rows("owl/night", input="0.333333", cached_input="0.1", output="0.7", window="off_peak", until=END),
    *_rows("owl/night", input="1.1", cached_input="0.11", output="2.2", window="peak", until=END),
    *_rows("acme/later", input="1", output="1", effective_from=date(2026, 9, 10)),
    *_rows("acme/half", input="1"),
    *_rows("owl/small", input="9", output="9"),
]
OFFERS = sorted({(row.provider, row.model) for row in PRICES})


@pytest.fixture(scope="module")
def catalogue(small_catalogue: Catalogue) -> Catalogue:
    plain = {"source": "by-hand", "mode": "chat"}
    limits = {"small": 128_000, "half": 1000}
    offers = [
        ApiOffer(provider=provider, model=model, max_input_tokens=limits.get(model), **plain)
        for provider, model in OFFERS
    ]
    days = tuple(hour for hour in range(168) if hour not in NIGHT)
    window = PeakWindow(provider="owl", hours_of_week_utc=days, source="by-hand")
    tables = msgspec.structs.replace(
        small_catalogue.tables,
        api_offers=tuple(offers),
        api_prices=tuple(sorted(PRICES, key=lambda row: row.effective_from)),
        peak_windows=(window,),
    )
    return index(tables, "by-hand")


@pytest.fixture
def priced(catalogue, logged):
    """Price rows by some labels; each row is a request by the names of the roles."""

    def of(rows: list[dict], *by: str, stated: dict | None = None, name: str = "log.jsonl"):
        tariffs = Tariffs(catalogue)
        with Log(Asked(paths=(logged(name, lines(rows)),), columns=COLUMNS)) as log:
            return price(log, by or ("model",), tariffs, Names(tariffs.offers, stated))

    return of


def _request(model="acme/small", day=0, hour=12, **tokens) -> dict:
    at = MONDAY + timedelta(days=day, hours=hour)
    plain = {"input": 1_000_000, "output": 0, "cached": 0, "cache_write": 0, "reasoning": 0}
    provider, name = model.split("/")
    return (
        {"time": at.isoformat(), "model": name, "provider": provider, "key": "k", "tier": "", "usd": None}
        | plain
        | tokens
    )


def test_a_request_costs_what_its_own_day_charged(priced):
    found = priced([_request(day=1), _request(day=2)], "day")
    assert {label: cost.usd for (label,), cost in found.costs.items()} == {
        "2026-09-08": Decimal("0.15"),
        "2026-09-09": Decimal("0.3"),
    }


def test_cached_tokens_are_part_of_the_input_and_never_make_output_cheaper(priced):
    plain = priced([_request(day=1, output=500_000)]).total
    cached = priced([_request(day=1, output=500_000, cached=400_000)]).total
    assert cached.usd_by_kind["output"] == plain.usd_by_kind["output"] == Decimal("0.3")
    assert cached.usd == Decimal("0.6") * Decimal("0.15") + Decimal("0.4") * Decimal("0.075") + Decimal("0.3")


def test_writing_to_the_cache_costs_more_than_plain_input(priced):
    small = {"input": 1000, "output": 0}
    plain, written = (priced([_request("acme/large", **small, cache_write=n)]).total.usd for n in (0, 1000))
    assert (plain, written) == (Decimal("0.003"), Decimal("0.00375"))


def test_reasoning_is_charged_once_as_output(priced):
    thinking, plain = (priced([_request(output=100_000, reasoning=n)]).total.usd for n in (90_000, 0))
    assert thinking == plain


def test_a_long_prompt_is_charged_as_long_from_its_first_token(priced):
    short, long = (priced([_request("acme/large", input=n, output=10)]).total.usd for n in (1000, 1001))
    assert short == Decimal("0.003") + Decimal("0.00015")
    assert long == Decimal("0.006006") + Decimal("0.000225")


def test_the_batch_tier_has_its_own_prices_and_no_cached_price_means_plain_input(priced):
    found = priced([_request(tier="batch", output=1_000_000, cached=500_000)])
    assert found.total.usd == Decimal("0.075") + Decimal("0.3")


def test_a_tier_that_is_not_sold_is_unpriced_and_not_charged_as_standard(priced):
    found = priced([_request(tier="priority"), _request(day=0)])
    assert found.unpriced == {"no price of acme/small in the priority tier is known": 1}
    assert found.total.usd == Decimal("0.15")
    assert found.total.unpriced_requests == 1


@pytest.mark.parametrize(("day", "hour", "usd"), [(0, 3, "0.333333"), (0, 6, "1.1"), (4, 23, "1.1"), (5, 3, "1")])
def test_peak_hours_are_hours_of_the_week_in_utc_and_end_with_the_discount(priced, day, hour, usd):
    assert priced([_request("owl/night", day=day, hour=hour)]).total.usd == Decimal(usd)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (_request("acme/huge"), "the catalogue does not know the model huge at acme"),
        (_request("zebra/small"), "no prices of the provider zebra"),
        (_request("acme/small") | {"provider": None}, "small is sold by acme, owl, and the log does not say by whom"),
        (_request("acme/later"), "acme/later has no known price before 2026-09-10"),
        (_request("acme/half", output=1), "has no known price for a kind of token on some days"),
        (_request("acme/small") | {"model": None}, "the log names no model"),
    ],
)
def test_what_has_no_price_is_counted_and_named_and_never_free(priced, request_, said):
    found = priced([request_])
    assert not found.total.priced
    assert found.total.usd == 0
    assert found.total.unpriced_requests == 1
    ((reason, count),) = found.unpriced.items()
    assert said in reason
    assert count == 1


def test_a_name_can_be_stated_to_be_an_offer(priced):
    found = priced([_request("zebra/stripes")], stated={"stripes": ("acme", "small")})
    assert (found.total.usd, found.total.priced_as) == (Decimal("0.15"), {"acme/small"})


def test_failed_requests_are_not_billed(logged, catalogue):
    requests = (Request(0, "small", 100, 10), Request(1, "small", 100, 10, failed=True))
    tariffs = Tariffs(catalogue)
    path = logged("a.jsonl", FORMS["litellm.jsonl"](requests).replace('"openai"', '"acme"'))
    with Log(Asked(paths=(path,))) as log:
        found = price(log, ["model", "key"], tariffs, Names(tariffs.offers))
    assert (found.total.requests, found.failed, found.not_calls) == (1, 1, 1)
    assert found.costs["small", "key-a"].usd == Decimal("0.000021")
    assert found.total.logged_usd == Decimal("0.001"), "the log's own cost stands beside ours"


def test_a_trace_without_days_cannot_be_priced(logged, catalogue):
    path = logged("a.jsonl", lines([{"timestamp": 0, "input_length": 1, "output_length": 1}]))
    tariffs = Tariffs(catalogue)
    with Log(Asked(paths=(path,))) as log, pytest.raises(SpecError, match="no request has a day"):
        price(log, ["model"], tariffs, Names(tariffs.offers))


def _slowly(row: dict) -> Decimal | None:
    """The cost of one request by the table above, written out by hand."""
    at = datetime.fromisoformat(row["time"]).astimezone(UTC)
    held: dict[tuple[str, str, int], ApiPrice] = {}
    for one in sorted(PRICES, key=lambda found: found.effective_from):
        same = (one.provider, one.model, one.tier) == (row["provider"], row["model"], row["tier"] or "standard")
        if same and one.effective_from <= at.date():
            held[one.token_kind, one.window, one.above_input_tokens] = one
    held = {key: one for key, one in held.items() if one.until is None or at.date() < one.until}
    hours = "peak" if row["provider"] != "owl" or at.weekday() * 24 + at.hour not in NIGHT else "off_peak"
    amounts = {
        "input": row["input"] - row["cached"] - row["cache_write"],
        "cached_input": row["cached"],
        "cache_write": row["cache_write"],
        "output": row["output"],
    }
    total = Decimal(0)
    for kind, amount in amounts.items():
        own = [key for key in held if key[0] == kind]
        of = kind if own or kind in ("input", "output") else "input"
        fitting = [key for key in held if key[0] == of and (key[2] == 0 or row["input"] > key[2])]
        best = [key for key in fitting if key[1] == hours] or [key for key in fitting if key[1] == ""]
        if amount and not best:
            return None
        if amount:
            total += amount * held[max(best, key=lambda key: key[2])].usd_per_mtok / 1_000_000
    return total


@st.composite
def requests(draw) -> dict:
    whole = draw(st.integers(1, 3000))
    cached = draw(st.integers(0, whole))
    out = draw(st.integers(0, 10_000))
    return _request(
        draw(st.sampled_from(["acme/small", "acme/large", "owl/night", "acme/later", "acme/half", "owl/small"])),
        day=draw(st.integers(0, 8)),
        hour=draw(st.integers(0, 23)) + draw(st.floats(0, 0.999)),
        input=whole,
        cached=cached,
        cache_write=draw(st.integers(0, whole - cached)),
        output=out,
        reasoning=draw(st.integers(0, out)),
        tier=draw(st.sampled_from(["", "standard", "batch"])),
        key=draw(st.sampled_from(["a", "b", None])),
    )


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(requests(), min_size=1, max_size=300))
def test_the_total_is_the_sum_of_the_exact_costs_of_the_requests(priced, rows):
    getcontext().prec = 50
    expected, unpriced = defaultdict(Decimal), 0
    for row in rows:
        usd = _slowly(row)
        expected[row["model"], row["time"][:10], row["key"] or ""] += usd or Decimal(0)
        unpriced += usd is None
    found = priced(rows, "model", "day", "key")
    assert {label: cost.usd for label, cost in found.costs.items()} == expected
    assert found.total.usd == sum(expected.values())
    assert found.total.unpriced_requests == unpriced
    assert sum(found.unpriced.values()) == unpriced


def test_a_candidate_costs_the_same_tokens_at_the_same_hours(priced, catalogue):
    rows = [_request(day=day, hour=hour, input=900, output=70, cached=300) for day in range(8) for hour in (2, 14)]
    found = priced(rows)
    elsewhere = {one.offer: one for one in on_candidates(["all"], found.lines, Tariffs(catalogue))}
    for offer in ("acme/small", "acme/large", "owl/night"):
        provider, model = offer.split("/")
        moved = [row | {"provider": provider, "model": model} for row in rows]
        assert elsewhere[offer].usd == sum(_slowly(row) for row in moved) == priced(moved, name="m.jsonl").total.usd
    assert elsewhere["acme/later"].unpriced_requests == 6
    assert next(iter(elsewhere)) == "acme/small"
    assert list(elsewhere)[-1] == "acme/half", "no price of output: never the cheapest"


def test_a_candidate_without_the_tier_is_priced_as_standard_and_says_so(priced, catalogue):
    found = priced([_request(tier="batch"), _request()])
    (one,) = on_candidates(["acme/large"], found.lines, Tariffs(catalogue))
    assert (one.requests, one.standard_instead) == (2, 1)


def test_a_candidate_whose_context_is_too_short_is_marked(priced, catalogue):
    found = priced([_request(input=200_000)])
    marked = {one.offer: one.context_too_short for one in on_candidates(["acme/*"], found.lines, Tariffs(catalogue))}
    assert marked["acme/small"]
    assert not marked["acme/large"]


def test_a_candidate_that_nobody_sells_is_an_error_with_near_matches(catalogue):
    with pytest.raises(UnknownNameError, match=r"Did you mean: acme/small"):
        on_candidates(["acme/smal"], (), Tariffs(catalogue))


@pytest.mark.parametrize(
    ("provider", "model", "offer"),
    [
        ("openai", "gpt-4o", ("openai", "gpt-4o")),
        (None, "gpt-4o", ("openai", "gpt-4o")),
        (None, "openai/gpt-4o", ("openai", "gpt-4o")),
        ("OpenAI", "GPT-4o", ("openai", "gpt-4o")),
        ("bedrock", "us.anthropic.claude-v2:1", ("aws-bedrock", "anthropic.claude-v2:1")),
        ("aws.bedrock", "anthropic.claude-v2:1", ("aws-bedrock", "anthropic.claude-v2:1")),
        (
            "aws-bedrock",
            "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-v2:1",
            ("aws-bedrock", "anthropic.claude-v2:1"),
        ),
        (None, "bedrock/anthropic.claude-v2:1", ("aws-bedrock", "anthropic.claude-v2:1")),
        ("together_ai", "together_ai/meta/Llama-3", ("together", "meta/Llama-3")),
    ],
)
def test_names_of_logs_are_found_in_the_catalogue(provider, model, offer):
    offers = [("openai", "gpt-4o"), ("aws-bedrock", "anthropic.claude-v2:1"), ("together", "meta/Llama-3")]
    assert Names(offers).offer(provider, model) == offer


def test_an_azure_deployment_is_not_taken_for_openais_own_price():
    found = Names([("openai", "gpt-4o")]).offer("azure", "gpt-4o")
    assert isinstance(found, Unknown)
    assert "no prices of the provider azure" in found.because


def test_a_stated_offer_must_be_in_the_catalogue():
    with pytest.raises(UnknownNameError, match="openai/gpt-4o"):
        stated_offers(["x=openai/gpt4o"], [("openai", "gpt-4o")])
    with pytest.raises(SpecError, match="--as NAME=provider/model"):
        stated_offers(["gpt-4o"], [])


def test_the_shipped_catalogue_can_be_asked_for_every_offer_and_day(shipped):
    tariffs = Tariffs(shipped)
    for row in shipped.tables.api_prices:
        tariff = tariffs.on((row.provider, row.model), row.tier, row.effective_from)
        assert tariff is not None
    assert len(tariffs.hour_classes) <= 8
