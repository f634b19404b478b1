"""An own machine's hour, shared out: what is charged and what is idle add up to the price, to the picodollar."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.gateway.hire import HOUR_NS, hire_of

EVENTS = st.lists(st.tuples(st.integers(0, 10**13), st.booleans()), max_size=60)
PRICES = st.decimals("0.000001", "200", places=6)


def played(hire, events):
    """Enter or leave at each event; the shares of those who left, the starts of those present, the last time."""
    now_ns, present, shares = 0, [], []
    for passed_ns, comes in events:
        now_ns += passed_ns
        if comes or not present:
            present.append(hire.enter(now_ns))
        else:
            shares.append(hire.leave(present.pop(0), now_ns))
    return shares, present, now_ns


@given(PRICES, st.integers(1, 256), EVENTS)
def test_shares_and_idle_time_add_up_to_price_times_hours(price, concurrency, events):
    hire = hire_of(price, concurrency=concurrency, now_ns=0)
    shares, present, now_ns = played(hire, events)
    shares += [hire.leave(start, now_ns) for start in present]
    total = int(price * 10**12) * now_ns // HOUR_NS
    assert sum(shares) + hire.idle_pico_usd(now_ns) == total
    assert hire.total_pico_usd(now_ns) == total


@given(PRICES, st.integers(1, 256), EVENTS)
def test_nothing_is_ever_negative_and_nobody_pays_for_more_than_a_place(price, concurrency, events):
    hire = hire_of(price, concurrency=concurrency, now_ns=0)
    shares, _, now_ns = played(hire, events)
    assert all(share >= 0 for share in shares)
    assert hire.idle_pico_usd(now_ns) >= 0
    assert hire.running_pico_usd(now_ns) >= 0
    most = int(price * 10**12) * now_ns // (HOUR_NS * concurrency) + 1
    assert all(share <= most for share in shares)


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 10**12))
def test_a_full_machine_has_no_idle_time_beyond_rounding(concurrency, more, span_ns):
    hire = hire_of(Decimal("3.6"), concurrency=concurrency, now_ns=0)
    starts = [hire.enter(0) for _ in range(concurrency + more)]
    for start in starts:
        hire.leave(start, span_ns)
    assert 0 <= hire.idle_pico_usd(span_ns) <= len(starts) + 1


@pytest.mark.parametrize(("present", "usd"), [(1, "0.25"), (4, "0.25"), (8, "0.125")])
def test_an_hour_is_shared_by_places_until_it_is_full_and_by_heads_beyond(present, usd):
    hire = hire_of(Decimal(1), concurrency=4, now_ns=0)
    starts = [hire.enter(0) for _ in range(present)]
    assert hire.leave(starts[0], HOUR_NS) == int(Decimal(usd) * 10**12)


def test_the_most_that_a_request_can_cost_is_a_place_for_the_longest_time():
    hire = hire_of(Decimal("3.6"), concurrency=4, now_ns=0)
    start = hire.enter(0)
    assert hire.leave(start, 900 * 10**9) <= hire.most_pico_usd(900.0)
    assert hire.most_pico_usd(900.0) == pytest.approx(0.225 * 10**12, rel=1e-9)


def test_a_clock_that_stands_still_or_goes_back_costs_nothing():
    hire = hire_of(Decimal(1), concurrency=1, now_ns=100)
    start = hire.enter(100)
    assert hire.leave(start, 50) == 0
