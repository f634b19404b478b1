"""Several gateways on one store: a budget is one budget, whoever dies, stalls or loses the server."""

import asyncio
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from tests.gateway.bookkeeping import USD, Server, add_key, hammer, killed, opened, record, wait_until

from breakeven.gateway.books.allowance import of_key
from breakeven.gateway.books.budget import Amount, Use
from breakeven.gateway.books.clerk import Clerk, Lease, Pace
from breakeven.gateway.books.database import shown
from breakeven.gateway.books.meter import Meter
from breakeven.gateway.books.purses import Purses
from breakeven.gateway.books.store import Batch, Place, Told
from breakeven.gateway.ledger import Refused

TOTAL = "total"


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path) -> str:
    return request.getfixturevalue("postgres") if request.param == "postgres" else str(tmp_path / "gateway.db")


def admit(books, secret, most=USD // 100):
    return asyncio.run(books.admit(secret, model="small", most_pico_usd=most))


def may_enter(books, secret, most=USD // 100) -> bool:
    try:
        admission = admit(books, secret, most)
    except Refused:
        return False
    books.settle(admission, record(cost_pico_usd=0))
    return True


def test_two_gateways_in_two_processes_never_pass_the_budget_of_a_key(place):
    secret, key = add_key(place, budget_pico_usd=5 * USD, budget_requests=1000, period=TOTAL)
    two = [hammer(place, secret, 1500, USD // 100, USD // 100) for _ in range(2)]
    let_in = [int(one.communicate(timeout=60)[0].split()[-1]) for one in two]
    store = opened(place)
    found = store.standing(Place(key.id, TOTAL))
    store.close()
    assert sum(let_in) <= 500
    assert found.spent == Amount(sum(let_in) * USD // 100, sum(let_in))
    assert found.leased == (0, 0)
    assert sum(let_in) >= 400, "much of the budget lay idle"


def test_a_gateway_that_is_killed_leaves_a_budget_that_another_cannot_pass(place):
    secret, key = add_key(place, budget_pico_usd=2 * USD, period=TOTAL)
    first = hammer(place, secret, 100_000, USD // 100, USD // 100)
    settled = 0
    while settled < 60:
        settled = int(first.stdout.readline().split()[0])
    killed(first)
    second = hammer(place, secret, 1000, USD // 100, USD // 100)
    more = int(second.communicate(timeout=60)[0].split()[-1])
    assert settled + more <= 200
    store = opened(place)
    at = Place(key.id, TOTAL)
    store._database.run("UPDATE gateways SET seen_us = 0")
    in_doubt = store.standing(at).doubt
    assert store.release(key.id) == (1 if in_doubt != (0, 0) else 0) or in_doubt == (0, 0)
    assert store.standing(at).leased == (0, 0)
    store.close()


def test_of_many_who_want_the_whole_budget_at_once_one_gets_it(place):
    opened(place).close()
    together = threading.Barrier(4, timeout=30)

    def one(number: int) -> list[bool]:
        store, got = opened(place), []
        for turn in range(1, 41):  # each time there is room for one more
            together.wait()
            granted, _ = store.lease(f"gw{number}", Place("key_1", TOTAL), Amount(10 * turn), Amount(10), Amount(10))
            got.append(granted is not None)
        store.close()
        return got

    with ThreadPoolExecutor(4) as pool:
        turns = zip(*pool.map(one, range(4)), strict=True)
        assert {sum(won) for won in turns} == {1}


def test_a_slice_that_ended_gives_nothing_back_of_the_one_that_follows_it(place):
    _, key = add_key(place, budget_pico_usd=100, period=TOTAL)
    store, purses, now = opened(place), Purses(), time.time()
    clerk = Clerk("gw", lambda: store, Meter(10), purses, None, pace=Pace(1.0, None))
    first = purses.slice(of_key(key), now)
    clerk._lease(Lease(first, Amount(60), Future()))
    first.settle(Amount(60), Amount(10))
    clerk._add([], purses.told(ending=True))  # and the store did not take it yet
    second = purses.slice(of_key(key), now)
    clerk._lease(Lease(second, Amount(80), answer := Future()))
    assert answer.result()
    clerk._flush()
    found = store.standing(second.place)
    assert (found.spent, found.leased) == (Amount(10), second.purse.held.plus(second.purse.left))
    assert found.leased.pico_usd >= 80
    store.close()


def test_a_gateway_that_was_taken_for_dead_tells_its_spending_and_loses_its_slice(place):
    _, key = add_key(place, budget_pico_usd=1000, period=TOTAL)
    store, at = opened(place), Place(key.id, TOTAL)
    granted, _ = store.lease("gw", at, Amount(1000), Amount(100), Amount(100))
    store._database.run("UPDATE gateways SET seen_us = 0")
    assert store.release(key.id) == 1
    lost = store.write("gw", Batch(1, [], [Told(at, Use(used=Amount(60)))]))
    assert lost == [at]
    assert granted == Amount(100)
    assert store.standing(at)[:2] == (Amount(60), Amount(0))
    store.close()


def test_a_slice_that_one_gateway_gives_back_is_there_for_the_other(place, books):
    secret, _ = add_key(place, budget_pico_usd=USD, period=TOTAL)
    one, other = books(place), books(place)
    one.settle(admit(one, secret, most=USD), record(cost_pico_usd=0))
    assert not may_enter(other, secret, most=USD)
    wait_until(lambda: may_enter(other, secret, most=USD))


def test_a_server_that_goes_away_and_returns_costs_no_record_and_no_request(cluster: Server, postgres, books):
    free, _ = add_key(postgres)
    bought, key = add_key(postgres, budget_pico_usd=100 * USD, period=TOTAL)
    fresh, _ = add_key(postgres, budget_pico_usd=100 * USD, period=TOTAL)
    open_books = books(postgres)
    running = [admit(open_books, bought, most=USD)]
    cluster.stop()
    for number in range(20):
        open_books.settle(admit(open_books, free), record(number))
    open_books.settle(running.pop(), record(20, key=key.id, cost_pico_usd=USD // 2))
    open_books.settle(admit(open_books, bought, most=USD // 2), record(21, key=key.id, cost_pico_usd=0))
    wait_until(lambda: open_books.counters.store_away_s > 0)
    with pytest.raises(Refused, match="cannot be checked now") as told:
        admit(open_books, fresh)
    assert told.value.status == 503
    cluster.start()
    wait_until(lambda: open_books.counters.records_waiting == 0)
    assert open_books.counters.records_lost == 0
    wait_until(lambda: may_enter(open_books, fresh))
    store = opened(postgres)
    assert store._database.run("SELECT count(*) FROM usage")[0][0] >= 22
    assert store.standing(Place(key.id, TOTAL)).spent == Amount(USD // 2, 0)
    store.close()


def test_a_record_that_postgresql_refuses_costs_no_other(postgres, books):
    open_books = books(postgres)
    open_books.settle(None, record(id="a", status=2**40))
    open_books.settle(None, record(id="b", model="a\0b"))
    wait_until(lambda: open_books.counters.records_written == 1)
    assert open_books.counters.records_lost == 1


def test_an_address_is_shown_without_its_password():
    assert shown("postgresql://ann:s3cret@db.example:5432/usage") == "postgresql://db.example:5432/usage"
    assert shown("gateway.db") == "gateway.db"


def test_what_went_wrong_is_told_without_the_password(books):
    with pytest.raises(Exception, match="cannot be opened") as told:
        books("postgresql://ann:s3cret@127.0.0.1:1/usage")
    assert "s3cret" not in str(told.value)
