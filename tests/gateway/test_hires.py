"""Own machines in the books: every second of every hour, and what of it nobody was charged."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.bookkeeping import USD

from breakeven.gateway.accounts import Accounts
from breakeven.gateway.books import hires
from breakeven.gateway.books.books import Books
from breakeven.gateway.books.database import connect
from breakeven.gateway.books.hires import US_PER_HOUR, HireClock, Hired, keep, machines
from breakeven.gateway.books.schema import set_up
from breakeven.gateway.hire import HOUR_NS, hire_of

S = 10**9
NOON_US = 500_000 * US_PER_HOUR


@pytest.fixture
def database(place):
    opened = connect(place)
    set_up(opened)
    yield opened
    opened.close()


@given(st.lists(st.tuples(st.integers(1, 900), st.sampled_from(["enter", "leave", "wait"])), min_size=1, max_size=40))
def test_hours_add_up_to_the_price_of_the_time_and_shares_to_what_requests_were_charged(steps):
    hire, now, present, charged = hire_of(Decimal("2.5"), concurrency=3, now_ns=0), 0, [], 0
    clock, hours = HireClock({"own": hire}), {}
    for seconds, what in steps:
        now += seconds * S
        if what == "enter":
            present.append(hire.enter(now))
        elif what == "leave" and present:
            charged += hire.leave(present.pop(), now)
        hours.update({one.hour_us: one for one in clock.sample(now, NOON_US + now // 1000)})
    while present:
        charged += hire.leave(present.pop(), now)
    hours.update({one.hour_us: one for one in clock.sample(now, NOON_US + now // 1000)})
    assert sum(one.pico_usd for one in hours.values()) == hire.total_pico_usd(now)
    assert sum(one.served_pico_usd for one in hours.values()) == charged
    assert sum(one.stood_us for one in hours.values()) == now // 1000


def test_a_clock_that_is_set_back_loses_no_time():
    hire = hire_of(Decimal(1), concurrency=1, now_ns=0)
    clock, hours = HireClock({"own": hire}), {}
    for now, wall in ((600, 0), (1200, 3600), (1800, 0), (2400, 3600)):
        hours.update({one.hour_us: one for one in clock.sample(now * S, NOON_US + wall * 1_000_000)})
    assert [one.stood_us // 1_000_000 for one in hours.values()] == [1200, 1200]


def test_gateways_that_share_a_machine_pay_for_it_once(database):
    hour = {"hour_us": NOON_US, "upstream": "own"}
    keep(database, "gw_1", [Hired(**hour, stood_us=US_PER_HOUR, pico_usd=10 * USD, served_pico_usd=2 * USD)])
    keep(database, "gw_2", [Hired(**hour, stood_us=US_PER_HOUR // 2, pico_usd=5 * USD, served_pico_usd=3 * USD)])
    (found,) = machines(database, since_us=NOON_US, until_us=NOON_US + 1)
    assert (found.pico_usd, found.served_pico_usd, found.idle_pico_usd) == (10 * USD, 5 * USD, 5 * USD)
    assert found.stood_us == US_PER_HOUR


def test_an_hour_told_again_takes_the_place_of_what_was_told_before(database):
    for part in (1, 2, 3):
        one = Hired("own", NOON_US, part * 1_000_000, part * USD, 0)
        keep(database, "gw_1", [one])
    (found,) = machines(database, since_us=NOON_US, until_us=NOON_US + 1)
    assert (found.pico_usd, found.stood_us) == (3 * USD, 3_000_000)


def test_only_hours_of_the_span_count(database):
    for hour in range(3):
        keep(database, "gw_1", [Hired("own", NOON_US + hour * US_PER_HOUR, US_PER_HOUR, USD, 0)])
    span = {"since_us": NOON_US + US_PER_HOUR, "until_us": NOON_US + 2 * US_PER_HOUR}
    assert machines(database, **span)[0].pico_usd == USD
    assert machines(database, since_us=0, until_us=NOON_US) == []


def test_what_books_were_told_at_the_end_is_written(tmp_path):
    place = str(tmp_path / "gateway.db")
    books = Books(Accounts(store=place)).begin()
    hire = hire_of(Decimal("3.6"), concurrency=1, now_ns=0)
    books.hired(HireClock({"own": hire}).sample(HOUR_NS, NOON_US))
    books.end()
    database = connect(place)
    (found,) = hires.machines(database, since_us=NOON_US, until_us=NOON_US + 1)
    database.close()
    assert (found.pico_usd, found.idle_pico_usd) == (36 * USD // 10, 36 * USD // 10)
