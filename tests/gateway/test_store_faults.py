"""The store fails while callers ask over real sockets: nobody but a budget that cannot be checked notices."""

import pytest
from tests.gateway.bookkeeping import USD, Server, add_key, opened, record, wait_until
from tests.gateway.scripted import CHAT


@pytest.fixture
def before(serve, upstream):
    """A gateway with real books before an own machine."""

    def start(books):
        own = {"url": upstream.url, "concurrency": 4, "usd_per_hour": 3.6}
        return serve(upstreams={"own": own}, models={"chat": ["own"]}, ledger=books)

    return start


def ask(gateway, secret):
    return gateway.ask(CHAT, f"authorization: Bearer {secret}")


def asked_while_away(gateway, free, bought) -> list[str]:
    """Requests while the store does not answer; the ids of those that were answered."""
    answers = [ask(gateway, free) for _ in range(10)]
    assert [answer.status for answer in answers] == [200] * 10
    refused = ask(gateway, bought)
    assert (refused.status, refused.json["error"]["code"]) == (503, "books_unavailable")
    assert int(refused.header("retry-after")) >= 1
    return [answer.header("x-request-id") for answer in answers]


def all_kept(place, ids) -> bool:
    store = opened(place)
    try:
        return {row[0] for row in store._database.run("SELECT id FROM usage")} >= set(ids)
    finally:
        store.close()


def test_while_the_disk_is_full_callers_are_answered_and_every_record_is_written_later(before, books, tiny_disk):
    folder, make_larger = tiny_disk
    place = str(folder / "gateway.db")
    free, _ = add_key(place)
    bought, _ = add_key(place, budget_pico_usd=100 * USD)
    open_books = books(place)
    gateway = before(open_books)
    for number in range(100_000):
        open_books.settle(None, record(number, id=f"{number:08}"))
        if number % 200 == 0 and open_books.counters.store_away_s:
            break
        if number % 2_000 == 0:
            open_books.flush()
    wait_until(lambda: open_books.counters.store_away_s > 0)
    ids = asked_while_away(gateway, free, bought)
    assert open_books.counters.records_waiting >= 10
    make_larger()
    wait_until(lambda: open_books.counters.records_waiting == 0)
    wait_until(lambda: all_kept(place, ids))
    assert open_books.counters.records_lost == 0
    wait_until(lambda: ask(gateway, bought).status == 200)


def test_while_postgresql_is_away_callers_are_answered_and_every_record_is_written_later(
    before, books, cluster: Server, postgres
):
    free, _ = add_key(postgres)
    bought, _ = add_key(postgres, budget_pico_usd=100 * USD)
    open_books = books(postgres)
    gateway = before(open_books)
    first = ask(gateway, free).header("x-request-id")
    cluster.stop()
    ids = [first, *asked_while_away(gateway, free, bought)]
    cluster.start()
    wait_until(lambda: ask(gateway, bought).status == 200)
    wait_until(lambda: all_kept(postgres, ids))
    assert open_books.counters.records_lost == 0
