"""The meter: what it keeps, what a crash can take, and what it does while the store cannot be written."""

import asyncio
import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.gateway.bookkeeping import USD, add_key, hammer, killed, opened, record, wait_until

from breakeven.gateway.books.budget import Amount, Use
from breakeven.gateway.books.clerk import CHUNK
from breakeven.gateway.books.meter import Meter
from breakeven.gateway.books.periods import period_at
from breakeven.gateway.books.schema import COLUMNS
from breakeven.gateway.books.store import Batch, Place, Told, now_us
from breakeven.gateway.ledger import Refused
from breakeven.gateway.records import UsageRecord


def rows(place):
    with closing(sqlite3.connect(place)) as database:
        return database.execute(f"SELECT {', '.join(COLUMNS)} FROM usage ORDER BY id").fetchall()


def kept(place):
    with closing(sqlite3.connect(place)) as database:
        return database.execute("SELECT count(*), coalesce(sum(cost_pico_usd), 0) FROM usage").fetchone()


def test_every_field_of_a_record_is_kept_as_it_was(books, place):
    open_books = books()
    whole = record(
        key="key_1", team="research", streamed=True, cached_input_tokens=40, cache_write_tokens=5, reasoning_tokens=3,
        ttft_s=0.125, cost_pico_usd=2**62, outcome="cut_by_client", status=499,
    )  # fmt: skip
    bare = UsageRecord(id="z", at_us=1, path="/v1/models", model=None, status=401, outcome="refused", duration_s=0.0)
    for one in (whole, bare):
        open_books.settle(None, one)
    open_books.end()
    found = [msgspec.convert(dict(zip(COLUMNS, row, strict=True)), UsageRecord, strict=False) for row in rows(place)]
    assert found == [whole, bare]


def test_names_that_no_store_can_hold_are_made_fit(books, place):
    open_books = books()
    odd = {"0": "a\0b", "1": "\ud800", "2": "x" * 100_000, "3": "naïve", "4": "a\nb"}
    for name, model in odd.items():
        open_books.settle(None, record(id=name, model=model))
    open_books.settle(None, record(id="5", input_tokens=2**70))
    open_books.settle(None, record(id="6", duration_s=float("nan")))  # SQLite takes it for NULL, and refuses it
    open_books.settle(None, record(id="7"))
    open_books.end()
    found = {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in rows(place)}
    assert [found[name]["model"] for name in odd] == ["a\N{REPLACEMENT CHARACTER}b", "?", "x" * 300, "naïve", "a\nb"]
    assert found["5"]["input_tokens"] is None
    assert "7" in found
    assert "6" not in found
    assert open_books.counters.records_lost == 1


def test_records_are_in_the_store_soon(books, place):
    open_books = books()
    for number in range(3 * CHUNK):
        open_books.settle(None, record(number))
    wait_until(lambda: kept(place)[0] == 3 * CHUNK, within_s=3)  # 0.3 s on a machine that does nothing else
    assert open_books.counters.records_waiting == 0


def test_a_sigkill_takes_at_most_the_last_second_and_forgets_no_spending(place):
    secret, key = add_key(place, budget_pico_usd=1000 * USD, period="total")
    process = hammer(place, secret, 1_000_000, USD // 100, USD // 200)
    said: list[tuple[int, float]] = []
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        count, at = process.stdout.readline().split()
        said.append((int(count), float(at)))
    killed(process)
    died = time.monotonic()
    count, _ = kept(place)
    assert count >= max(number for number, at in said if at < died - 1.0) > 0
    store = opened(place)
    total = Place(key.id, "total")
    found = store.standing(total)
    settled = max(number for number, _ in said)
    assert found.spent.pico_usd + found.leased.pico_usd >= settled * USD // 200, "some spending is forgotten"
    assert found.doubt.pico_usd == 0  # the gateway was seen a moment ago
    store._database.run("UPDATE gateways SET seen_us = 0")
    assert store.standing(total).doubt == found.leased
    assert store.release(key.id) == 1
    assert store.standing(total) == (found.spent, (0, 0), (0, 0))
    store.close()


def test_a_full_disk_makes_records_wait_and_no_request_fail(books, tiny_disk, caplog):
    folder, make_larger = tiny_disk
    place = str(folder / "gateway.db")
    secret, _ = add_key(place)
    open_books = books(place)
    sent = 0
    until = time.monotonic() + 20
    while not open_books.counters.store_away_s:
        assert time.monotonic() < until
        for number in range(sent, sent + 200):
            admission = asyncio.run(open_books.admit(secret, model="small", most_pico_usd=None))
            open_books.settle(admission, record(number, id=f"{number:08}"))
        sent += 200
        time.sleep(0.05)
    assert "records wait in memory" in caplog.text
    assert open_books.counters.records_waiting > 0
    make_larger()
    wait_until(lambda: open_books.counters.records_waiting == 0)
    assert open_books.counters.records_lost == 0
    open_books.end()
    assert kept(place)[0] == sent


def test_a_locked_store_makes_records_wait_and_only_unchecked_budgets_503(books, place):
    free, _ = add_key(place)
    bought, key = add_key(place, budget_pico_usd=USD)
    open_books = books()
    with closing(sqlite3.connect(place, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for number in range(10):
            admission = asyncio.run(open_books.admit(free, model="small", most_pico_usd=None))
            open_books.settle(admission, record(number))
        with pytest.raises(Refused) as told:
            asyncio.run(open_books.admit(bought, model="small", most_pico_usd=USD // 2))
        assert (told.value.status, told.value.code, told.value.whose.key) == (503, "books_unavailable", key.id)
        wait_until(lambda: open_books.counters.store_away_s > 0)
        other.execute("ROLLBACK")
    wait_until(lambda: kept(place)[0] == 10)
    wait_until(lambda: open_books.counters.store_away_s == 0)
    assert asyncio.run(open_books.admit(bought, model="small", most_pico_usd=USD)), "the refused one holds nothing"


def test_beyond_the_bound_records_are_counted_as_lost_and_told(books, place, caplog):
    caplog.set_level(logging.ERROR)
    open_books = books(most_records_waiting=10)
    with closing(sqlite3.connect(place, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for number in range(25):
            open_books.settle(None, record(number))
        assert open_books.counters.records_lost == 15
        wait_until(lambda: "15 usage records are lost" in caplog.text)
        other.execute("ROLLBACK")
    wait_until(lambda: kept(place)[0] == 10)


def test_a_batch_is_written_once_however_often_it_is_tried(place):
    _, key = add_key(place, budget_pico_usd=USD)
    store, at = opened(place), Place(key.id, period_at("month", time.time()).name)
    granted, _ = store.lease("gw", at, Amount(USD), Amount(10), Amount(10))
    for _ in range(3):
        store.write("gw", Batch(1, [msgspec.structs.astuple(record(id="a"))], [Told(at, Use(used=granted))]))
    assert store.standing(at).spent.pico_usd == 10
    assert kept(place)[0] == 1
    store.close()


def test_records_go_when_they_were_kept_long_enough(books, place):
    open_books = books(keep_days=30)
    day_us = 86_400_000_000
    for days in (0, 29, 31, 400):
        open_books.settle(None, record(days, id=str(days), at_us=now_us() - days * day_us))
    wait_until(lambda: open_books.counters.records_written == 4 and kept(place)[0] == 2)
    assert sorted(row[0] for row in rows(place)) == ["0", "29"]


def test_only_its_owner_may_read_the_store(place):
    opened(place).close()
    assert Path(place).stat().st_mode & 0o077 == 0


def test_the_queue_is_bounded():
    meter = Meter(3)
    for number in range(5):
        meter.keep(record(number))
    assert (meter.waiting, meter.lost, len(meter.take(10))) == (3, 2, 3)
