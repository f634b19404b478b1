"""The ledger: who may enter, and in which words the others are refused."""

import asyncio
import time

import pytest
from tests.gateway.bookkeeping import USD, add_key, opened, record, wait_until

from breakeven.errors import SpecError
from breakeven.gateway.books.periods import period_at
from breakeven.gateway.books.store import Place, now_us
from breakeven.gateway.ledger import Refused


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path) -> str:
    """The same promises hold in both stores."""
    return request.getfixturevalue("postgres") if request.param == "postgres" else str(tmp_path / "gateway.db")


def admit(books, secret, model="small", most=USD // 100):
    return asyncio.run(books.admit(secret, model=model, most_pico_usd=most))


def refused(books, secret, **how) -> Refused:
    with pytest.raises(Refused) as told:
        admit(books, secret, **how)
    return told.value


def standing(place, key):
    store = opened(place)
    try:
        return store.standing(Place(key.id, period_at(key.period, time.time()).name))
    finally:
        store.close()


def test_a_key_that_is_known_enters_and_its_team_stands_on_the_admission(books, place):
    secret, key = add_key(place, team="research")
    found = admit(books(), secret)
    assert (found.key, found.team, found.held_pico_usd) == (key.id, "research", 0)


@pytest.mark.parametrize("secret", [None, "", "be-wrong", "x" * 100_000, "\ud800"])
def test_a_wrong_key_is_401(books, place, secret):
    add_key(place)
    told = refused(books(), secret)
    assert (told.status, told.code) == (401, "invalid_api_key")
    assert told.whose is None


@pytest.mark.parametrize(
    ("facts", "word"), [({"disabled": True}, "disabled"), ({"expires_us": 1_700_000_000_000_000}, "2023-11-14")]
)
def test_a_key_that_is_disabled_or_expired_is_401_and_says_so(books, place, facts, word):
    secret, key = add_key(place, **facts)
    told = refused(books(), secret)
    assert (told.status, told.code) == (401, "invalid_api_key")
    assert word in told.message
    assert told.whose.key == key.id


def test_a_model_that_the_key_may_not_call_is_403_and_says_which_it_may(books, place):
    secret, _ = add_key(place, models=("small", "mini*"))
    open_books = books()
    assert admit(open_books, secret, model="mini-2").key
    told = refused(open_books, secret, model="large")
    assert (told.status, told.code) == (403, "model_not_allowed")
    assert "small, mini*" in told.message


def test_without_keys_everybody_enters(books):
    assert admit(books(keys=False), None).key is None


def test_a_rate_limit_is_429_with_the_time_to_wait(books, place):
    secret, _ = add_key(place, requests_per_minute=2)
    open_books = books()
    for _ in range(2):
        open_books.settle(admit(open_books, secret), record())
    told = refused(open_books, secret)
    assert (told.status, told.code) == (429, "rate_limit_exceeded")
    assert 50 < told.retry_after_s <= 61


def test_tokens_count_once_they_are_known(books, place):
    secret, _ = add_key(place, tokens_per_minute=100)
    open_books = books()
    open_books.settle(admit(open_books, secret), record(input_tokens=90, output_tokens=20))
    assert "100 tokens a minute" in refused(open_books, secret).message


def test_requests_at_the_same_time_are_limited_and_end_once_each(books, place):
    secret, _ = add_key(place, concurrent_requests=1)
    open_books = books()
    first = admit(open_books, secret)
    assert refused(open_books, secret).code == "rate_limit_exceeded"
    open_books.settle(first, record())
    open_books.settle(first, record(1))  # a second time changes nothing
    second = admit(open_books, secret)
    assert refused(open_books, secret).code == "rate_limit_exceeded"
    open_books.settle(second, record(2))


def test_a_spent_budget_is_429_with_when_it_renews(books, place):
    secret, key = add_key(place, budget_pico_usd=USD // 20, period="day")
    open_books = books()
    for number in range(5):
        open_books.settle(admit(open_books, secret), record(number, key=key.id))
    told = refused(open_books, secret)
    assert (told.status, told.code, told.kind) == (429, "insufficient_quota", "insufficient_quota")
    assert "budget of $0.05 a day is spent" in told.message
    period = period_at("day", time.time())
    assert period.renews in told.message
    assert told.retry_after_s == pytest.approx(period.until_s - time.time(), abs=5)


def test_a_request_that_can_cost_more_than_is_left_says_both_amounts(books, place):
    secret, _ = add_key(place, budget_pico_usd=USD)
    told = refused(books(), secret, most=2 * USD)
    assert "has $1 left, and this request can cost $2" in told.message


def test_what_is_held_back_is_not_there_for_others_but_comes_back(books, place):
    secret, key = add_key(place, budget_pico_usd=USD, period="total")
    open_books = books()
    first = admit(open_books, secret, most=USD)
    assert first.held_pico_usd == USD
    told = refused(open_books, secret, most=USD)
    assert "held back for requests that are running" in told.message
    assert told.retry_after_s == 1
    open_books.settle(first, record(key=key.id))
    assert admit(open_books, secret, most=USD * 99 // 100)


def test_a_request_that_is_refused_does_not_count_as_running(books, place):
    secret, _ = add_key(place, budget_pico_usd=USD, concurrent_requests=1)
    open_books = books()
    for _ in range(2):
        assert refused(open_books, secret, most=2 * USD).code == "insufficient_quota"


def test_a_budget_in_requests_counts_requests_that_were_sent(books, place):
    secret, key = add_key(place, budget_requests=2, period="total")
    open_books = books()
    for attempts in (0, 1, 1):
        open_books.settle(
            admit(open_books, secret, most=None), record(key=key.id, attempts=attempts, cost_pico_usd=None)
        )
    assert "has used its 2 requests in all. It does not renew" in refused(open_books, secret).message


def test_a_cost_that_nobody_knows_takes_what_was_held(books, place):
    secret, key = add_key(place, budget_pico_usd=USD)
    open_books = books()
    open_books.settle(admit(open_books, secret, most=USD), record(key=key.id, cost_pico_usd=None))
    assert refused(open_books, secret).code == "insufficient_quota"


def test_with_a_budget_the_most_a_request_can_cost_must_be_known_or_capped(books, place):
    secret, _ = add_key(place, budget_pico_usd=USD)
    told = refused(books(), secret, most=None)
    assert (told.status, told.code) == (403, "cost_unknown")
    assert admit(books(unknown_cost_usd="0.25"), secret, most=None).held_pico_usd == USD // 4


def test_what_was_spent_is_known_to_the_next_gateway_and_nothing_stays_leased(books, place):
    secret, key = add_key(place, budget_pico_usd=USD, budget_requests=100)
    first = books()
    for number in range(30):
        first.settle(admit(first, secret), record(number, key=key.id))
    first.end()
    found = standing(place, key)
    assert found.spent == (30 * USD // 100, 30)
    assert found.leased == (0, 0)
    second = books()
    for number in range(70):
        second.settle(admit(second, secret), record(100 + number, key=key.id))
    assert refused(second, secret).code == "insufficient_quota"


def test_a_slice_that_nobody_uses_goes_back_while_the_gateway_runs(books, place):
    secret, key = add_key(place, budget_pico_usd=100 * USD)
    open_books = books()
    open_books.settle(admit(open_books, secret), record(key=key.id, cost_pico_usd=USD // 200))
    assert standing(place, key).leased.pico_usd == USD // 100
    wait_until(lambda: standing(place, key).leased == (0, 0))
    assert standing(place, key).spent.pico_usd == USD // 200


def test_parallel_requests_of_one_gateway_cannot_pass_the_budget(books, place):
    secret, key = add_key(place, budget_pico_usd=USD)
    open_books = books()

    async def one(number):
        try:
            admission = await open_books.admit(secret, model="small", most_pico_usd=USD // 50)
        except Refused:
            return 0
        await asyncio.sleep(0.01)
        open_books.settle(admission, record(number, key=key.id, cost_pico_usd=USD // 50))
        return 1

    async def all_at_once():
        return sum(await asyncio.gather(*map(one, range(300))))

    assert asyncio.run(all_at_once()) <= 50
    admitted = asyncio.run(all_at_once())
    open_books.end()
    assert standing(place, key).spent.pico_usd <= USD
    assert admitted <= 50


@pytest.mark.parametrize("answered", [False, True])
def test_a_caller_who_leaves_while_the_store_is_asked_holds_nothing(books, place, answered):
    secret, _ = add_key(place, budget_pico_usd=USD)
    open_books = books()

    async def leaves():
        asked = asyncio.create_task(open_books.admit(secret, model="small", most_pico_usd=USD))
        await asyncio.sleep(0)
        if answered:
            time.sleep(0.3)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await asyncio.sleep(0.3)
        return await open_books.admit(secret, model="small", most_pico_usd=USD)

    assert asyncio.run(leaves()).held_pico_usd == USD


def test_a_change_of_a_key_is_known_soon(books, place):
    secret, key = add_key(place)
    open_books = books()
    assert admit(open_books, secret)
    store = opened(place)
    store.change_key(key.id, {"disabled": True})
    wait_until(lambda: _is_refused(open_books, secret))
    store.change_key(key.id, {"disabled": False, "models": ("other",)})
    asyncio.run(open_books.refresh())
    assert refused(open_books, secret).code == "model_not_allowed"
    store.change_key(key.id, {"deleted": True})
    asyncio.run(open_books.refresh())
    assert refused(open_books, secret).code == "invalid_api_key"
    store.close()


def test_a_budget_that_was_lowered_holds_for_what_is_leased_from_then_on(books, place):
    secret, key = add_key(place, budget_pico_usd=100 * USD, period="total")
    open_books = books()
    open_books.settle(admit(open_books, secret), record(key=key.id))
    store = opened(place)
    store.change_key(key.id, {"budget_pico_usd": USD // 100})
    store.close()
    asyncio.run(open_books.refresh())
    assert "is spent" in refused(open_books, secret).message


def test_a_clock_that_jumps_spends_from_the_period_it_shows_and_never_more(books, place, monkeypatch):
    secret, key = add_key(place, budget_pico_usd=USD // 100, period="day")
    open_books, today = books(), time.time()
    for days, may in ((0, True), (0, False), (1, True), (0, False), (-400, True), (1, False)):
        monkeypatch.setattr(time, "time", lambda days=days: today + days * 86_400)
        if may:
            open_books.settle(admit(open_books, secret), record(key=key.id))
        else:
            time.sleep(0.3)
            assert refused(open_books, secret).code == "insufficient_quota"


def test_settling_never_raises_whatever_it_is_given(books):
    open_books = books()
    open_books.settle(None, record())
    open_books.settle(None, None)
    open_books.settle("no admission", record(1))
    wait_until(lambda: open_books.counters.records_written == 2)
    assert open_books.counters.records_lost + open_books.counters.faults == 1


def test_a_store_that_cannot_be_opened_is_one_message(tmp_path, books):
    (tmp_path / "text.db").write_text("this is no database, it only looks long enough to be one " * 20)
    for path in (tmp_path / "none" / "gateway.db", tmp_path / "text.db", tmp_path):
        with pytest.raises(SpecError, match="cannot be opened"):
            books(str(path))


def test_a_store_of_a_later_version_is_left_alone(place, books):
    store = opened(place)
    store._database.run("UPDATE books SET value = 99 WHERE name = 'version'")
    store.close()
    with pytest.raises(SpecError, match="upgrade"):
        books()


def test_a_key_that_was_made_by_another_process_is_known_within_the_stated_time(books, place):
    open_books = books(refresh_s=0.2)
    secret, _ = add_key(place)
    wait_until(lambda: not _is_refused(open_books, secret), within_s=5)


def test_an_expired_key_is_refused_at_that_moment(books, place):
    secret, _ = add_key(place, expires_us=now_us() + 300_000)
    open_books = books()
    assert admit(open_books, secret)
    time.sleep(0.35)
    assert "expired" in refused(open_books, secret).message


def _is_refused(books, secret) -> bool:
    try:
        admit(books, secret)
    except Refused:
        return True
    return False
