"""Rate limits, periods and amounts: small laws that the books rest on."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.errors import SpecError
from breakeven.gateway.books.keys import VirtualKey, digest_of, new_secret
from breakeven.gateway.books.money import MOST_USD, pico_usd_of, usd_of
from breakeven.gateway.books.periods import period_at
from breakeven.gateway.books.rates import Rate

MOMENTS = st.floats(0, 4e9)
STEPS = st.lists(st.tuples(st.floats(0, 30), st.integers(1, 5)), max_size=60)


@given(limit=st.integers(1, 20), steps=STEPS, start=st.floats(0, 1e6))
def test_no_sixty_seconds_see_more_than_the_limit(limit, steps, start):
    rate, now, let_in = Rate(), start, []
    for step, count in steps:
        now += step
        for _ in range(count):
            if rate.now(now) < limit:
                rate.add(1, now)
                let_in.append(now)
    for first in let_in:
        assert sum(first <= one < first + 60 for one in let_in) <= limit


@given(limit=st.integers(1, 20), steps=STEPS)
def test_after_the_wait_that_is_told_there_is_room(limit, steps):
    rate, now = Rate(), 0.0
    for step, count in steps:
        now += step
        rate.add(count, now)
        wait_s = rate.wait_s(limit, now)
        assert 0 <= wait_s <= 61
        fresh = Rate()
        fresh._seconds.extend(list(pair) for pair in rate._seconds)
        fresh.total = rate.total
        assert fresh.now(now + wait_s + 1e-6) < limit


@given(moment=MOMENTS, kind=st.sampled_from(["day", "month", "total"]))
def test_every_moment_lies_in_its_period_and_the_next_begins_where_it_ends(moment, kind):
    period = period_at(kind, moment)
    assert period.from_s <= moment < period.until_s
    if kind != "total":
        following = period_at(kind, period.until_s)
        assert following.from_s == period.until_s
        assert following.name > period.name


def test_periods_are_of_the_utc_calendar():
    moment = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
    assert period_at("day", moment).renews == "2027-01-01 00:00 UTC"
    assert period_at("month", moment).renews == "2027-01-01 00:00 UTC"
    assert period_at("total", moment).renews is None
    leap = datetime(2028, 2, 10, tzinfo=UTC)
    assert period_at("month", leap.timestamp()).until_s - leap.timestamp() == timedelta(days=20).total_seconds()


@given(st.integers(0, MOST_USD * 10**12))
def test_an_amount_comes_back_as_it_was_written(pico_usd):
    assert pico_usd_of(usd_of(pico_usd)) == pico_usd


@pytest.mark.parametrize("text", ["", "-1", "1.", ".5", "1e3", "0.1234567890123", "9000001", "1\n", "NaN", "١"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(SpecError):
        pico_usd_of(text)


def test_a_secret_is_long_random_and_kept_only_as_its_hash():
    secrets = {new_secret() for _ in range(50)}
    assert len(secrets) == 50
    assert all(one.startswith("be-") and len(one) == 3 + 43 for one in secrets)
    assert all(len(digest_of(one)) == 32 for one in secrets)
    assert len(digest_of("\ud800 no text")) == 32  # whatever a caller sends


@pytest.mark.parametrize(
    ("models", "model", "may"),
    [((), "any", True), (("a",), "a", True), (("a",), "ab", False), (("a*", "b"), "ab", True), (("*",), "x", True)],
)
def test_a_key_may_call_the_models_it_names(models, model, may):
    assert VirtualKey(id="k", name="n", models=models).may_call(model) is may
