"""Budgets of teams: all keys of a team together stay within it, and each key within its own beside."""

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.gateway.bookkeeping import USD, add_key, add_team, hammer, killed, opened, record, wait_until

from breakeven.gateway.accounts import Accounts
from breakeven.gateway.books import purses
from breakeven.gateway.books.allowance import account_of_team
from breakeven.gateway.books.books import Books
from breakeven.gateway.books.database import connect
from breakeven.gateway.books.schema import VERSION, set_up
from breakeven.gateway.books.store import Place
from breakeven.gateway.books.teams import UnknownTeam
from breakeven.gateway.ledger import Refused

CENT = USD // 100
AT = Place(account_of_team("research"), "total")
VERSION_1 = (
    "CREATE TABLE books (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
    "CREATE TABLE teams (id TEXT PRIMARY KEY, name TEXT NOT NULL, created_us BIGINT NOT NULL)",
    "INSERT INTO books VALUES ('version', 1)",
    "INSERT INTO books VALUES ('revision', 7)",
    "INSERT INTO teams VALUES ('research', 'Research', 5)",
)
"""A store as the version before budgets of teams made it."""


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path) -> str:
    """The same promises hold in both stores."""
    return request.getfixturevalue("postgres") if request.param == "postgres" else str(tmp_path / "gateway.db")


def team_of(place, **budget) -> None:
    store = opened(place)
    add_team(store, "research", **{"period": "total", **budget})
    store.close()


def change_team(books, place, **changes) -> None:
    store = opened(place)
    store.change_team("research", changes)
    store.close()
    asyncio.run(books.refresh())


def admit(books, secret, most=CENT):
    return asyncio.run(books.admit(secret, model="small", most_pico_usd=most))


def refused(books, secret, most=CENT) -> Refused:
    with pytest.raises(Refused) as told:
        admit(books, secret, most)
    return told.value


def standing(place, at=AT):
    store = opened(place)
    try:
        return store.standing(at)
    finally:
        store.close()


def test_the_keys_of_a_team_share_its_budget(books, place):
    team_of(place, budget_pico_usd=5 * CENT)
    first, _ = add_key(place, team="research")
    second, _ = add_key(place, team="research")
    other, _ = add_key(place)
    open_books = books(place)
    for number in range(5):
        open_books.settle(admit(open_books, (first, second)[number % 2]), record(number))
    for secret in (first, second):
        told = refused(open_books, secret)
        assert (told.status, told.code) == (429, "insufficient_quota")
        assert "team's budget of $0.05 in all is spent" in told.message
        assert told.whose.team == "research"
    assert admit(open_books, other).team is None


def test_a_request_takes_from_the_budgets_of_its_key_and_of_its_team(books, place):
    team_of(place, budget_pico_usd=USD)
    secret, key = add_key(place, team="research", budget_requests=10, period="total")
    open_books = books(place)
    admission = admit(open_books, secret, most=5 * CENT)
    assert admission.held_pico_usd == 5 * CENT
    open_books.settle(admission, record(cost_pico_usd=3 * CENT))
    open_books.end()
    assert standing(place)[:2] == ((3 * CENT, 0), (0, 0))
    assert standing(place, Place(key.id, "total"))[:2] == ((0, 1), (0, 0))


@pytest.mark.parametrize("empty", ["key", "team"])
def test_what_one_budget_refuses_is_held_by_neither(books, place, empty):
    team_of(place, budget_pico_usd=CENT if empty == "team" else USD)
    own = CENT if empty == "key" else USD
    secret, _ = add_key(place, team="research", budget_pico_usd=own, period="total")
    colleague, _ = add_key(place, team="research")
    open_books = books(place)
    for _ in range(3):
        told = refused(open_books, secret, most=2 * CENT)
        assert told.message.startswith("This API key's team's budget" if empty == "team" else "This API key's budget")
    assert open_books.counters.held_pico_usd == 0
    rich = secret if empty == "team" else colleague
    assert admit(open_books, rich, most=CENT), "what was held for a moment is free again"


def test_a_team_may_have_a_budget_in_requests(books, place):
    team_of(place, budget_requests=2)
    secrets = [add_key(place, team="research")[0] for _ in range(3)]
    open_books = books(place)
    for number, attempts in enumerate((0, 1, 1)):
        open_books.settle(
            admit(open_books, secrets[number], most=None), record(number, attempts=attempts, cost_pico_usd=None)
        )
    assert "team has used its 2 requests in all" in refused(open_books, secrets[0]).message


def test_with_a_budget_of_the_team_the_most_a_request_can_cost_must_be_known(books, place):
    team_of(place, budget_pico_usd=USD)
    secret, _ = add_key(place, team="research")
    told = refused(books(place), secret, most=None)
    assert (told.status, told.code) == (403, "cost_unknown")
    assert told.message.startswith("This API key's team has a budget in dollars")


def test_a_budget_that_a_team_is_given_raised_or_loses_holds_from_then_on(books, place):
    team_of(place)
    secret, _ = add_key(place, team="research")
    open_books = books(place)
    open_books.settle(admit(open_books, secret, most=USD), record())
    change_team(open_books, place, budget_pico_usd=2 * CENT)
    open_books.settle(admit(open_books, secret, most=2 * CENT), record(cost_pico_usd=2 * CENT))
    refused(open_books, secret)
    change_team(open_books, place, budget_pico_usd=4 * CENT)
    assert admit(open_books, secret, most=2 * CENT)
    change_team(open_books, place, budget_pico_usd=None)
    assert admit(open_books, secret, most=100 * USD)


def test_a_key_that_changes_its_team_pays_from_the_other_budget(books, place):
    team_of(place, budget_pico_usd=CENT)
    store = opened(place)
    add_team(store, "sales", budget_pico_usd=USD, period="total")
    secret, key = add_key(place, team="research")
    open_books = books(place)
    open_books.settle(admit(open_books, secret), record())
    refused(open_books, secret)
    store.change_key(key.id, {"team": "sales"})
    asyncio.run(open_books.refresh())
    assert admit(open_books, secret)
    store.close()


def test_no_key_becomes_a_team_that_is_not_there(place):
    store = opened(place)
    _, key = add_key(place)
    with pytest.raises(UnknownTeam):
        store.change_key(key.id, {"team": "gone"})
    assert store.key(key.id).team is None
    store.close()


def test_two_gateways_in_two_processes_never_pass_the_budget_of_a_team(place):
    team_of(place, budget_pico_usd=5 * USD, budget_requests=1000)
    secrets = [add_key(place, team="research", budget_pico_usd=4 * USD, period="total")[0] for _ in range(2)]
    two = [hammer(place, secret, 1500, CENT, CENT) for secret in secrets]
    let_in = [int(one.communicate(timeout=60)[0].split()[-1]) for one in two]
    found = standing(place)
    assert sum(let_in) <= 500
    assert found.spent == (sum(let_in) * CENT, sum(let_in))
    assert found.leased == (0, 0)
    assert sum(let_in) >= 400, "much of the budget lay idle"


def test_what_a_killed_gateway_had_of_a_teams_budget_stays_taken_until_it_is_released(place):
    team_of(place, budget_pico_usd=2 * USD)
    first, second = (add_key(place, team="research")[0] for _ in range(2))
    process, settled = hammer(place, first, 100_000, CENT, CENT), 0
    while settled < 60:
        settled = int(process.stdout.readline().split()[0])
    killed(process)
    more = int(hammer(place, second, 1000, CENT, CENT).communicate(timeout=60)[0].split()[-1])
    assert settled + more <= 200
    store = opened(place)
    store._database.run("UPDATE gateways SET seen_us = 0")
    in_doubt = store.standing(AT).doubt
    assert store.release(AT.key) == (in_doubt != (0, 0))
    assert store.standing(AT).leased == (0, 0)
    store.close()


def test_a_store_of_the_version_before_is_brought_up_by_whoever_opens_it_first(place, books):
    database = connect(place, wait_s=5.0)
    for statement in VERSION_1:
        database.run(statement)
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: opened(place), range(4)))
    for store in stores:
        store.close()
    ((version,),) = database.run("SELECT value FROM books WHERE name = 'version'")
    database.close()
    assert version == VERSION
    secret, _ = add_key(place, team="research")
    open_books = books(place)
    assert admit(open_books, secret)
    change_team(open_books, place, budget_pico_usd=CENT)
    assert refused(open_books, secret, most=2 * CENT).code == "insufficient_quota"
    store = opened(place)
    (team,) = store.teams()
    store.close()
    assert (team.name, team.created_us, team.period) == ("Research", 5, "month")


def test_a_store_that_could_not_be_brought_up_is_left_as_it_was(tmp_path):
    database = connect(str(tmp_path / "old.db"))
    for statement in (*VERSION_1, "ALTER TABLE teams ADD COLUMN period TEXT"):  # so that the last step fails
        database.run(statement)
    with pytest.raises(Exception, match="period"):
        set_up(database)
    assert database.run("SELECT value FROM books WHERE name = 'version'") == [(1,)]
    assert len(database.run("SELECT * FROM teams")[0]) == 4
    database.close()


class PlayTeams(RuleBasedStateMachine):
    """Two gateways on one store, and requests of a team's keys in any order; what they cost is written down beside."""

    def __init__(self) -> None:
        super().__init__()
        self.folder, self.loop = tempfile.TemporaryDirectory(), asyncio.new_event_loop()
        self.place = f"{self.folder.name}/gateway.db"
        self.idle_s, purses.IDLE_S = purses.IDLE_S, 0.0  # slices go back with the next commit

    @initialize(team=st.integers(0, 60), own=st.integers(0, 40), requests=st.integers(1, 30))
    def begin(self, team, own, requests) -> None:
        team_of(self.place, budget_pico_usd=team, budget_requests=requests)
        budgets = ({"budget_pico_usd": own, "period": "total"}, {}, {"budget_requests": requests, "period": "total"})
        self.keys = [add_key(self.place, team="research", **budget) for budget in budgets]
        self.team, self.own, self.requests = team, own, requests
        self.gateways = [self.opened(), self.opened()]
        self.charged = [[0, 0], [0, 0], [0, 0]]
        self.running = []

    def opened(self) -> Books:
        return Books(Accounts(store=self.place)).begin()

    @rule(wanted=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 20)), min_size=1, max_size=8))
    def requests_come_at_once(self, wanted) -> None:
        async def one(at, key, most):
            try:
                admission = await self.gateways[at].admit(self.keys[key][0], model="small", most_pico_usd=most)
            except Refused as told:
                assert told.status == 429, told.message
                return
            self.running.append((at, key, most, admission))

        async def all_of_them():
            await asyncio.gather(*(one(*each) for each in wanted))

        self.loop.run_until_complete(all_of_them())

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 10**6), share=st.integers(0, 100) | st.none())
    def a_request_ends(self, which, share) -> None:
        at, key, most, admission = self.running.pop(which % len(self.running))
        cost = None if share is None else most * share // 100
        self.gateways[at].settle(admission, record(len(self.running), cost_pico_usd=cost))
        self.charge(key, most if cost is None else cost)

    @rule(at=st.integers(0, 1))
    def a_gateway_commits(self, at) -> None:
        self.gateways[at].flush()

    @rule(at=st.integers(0, 1))
    def a_gateway_restarts(self, at) -> None:
        self.gateways[at].end()
        for one, key, most, _ in self.running:
            if one == at:  # nobody will say what they cost
                self.charge(key, most)
        self.running = [one for one in self.running if one[0] != at]
        self.gateways[at] = self.opened()

    def charge(self, key, cost) -> None:
        self.charged[key][0] += cost
        self.charged[key][1] += 1

    @invariant()
    def neither_the_team_nor_a_key_passes_its_budget(self) -> None:
        most = [list(sums) for sums in self.charged]
        for _, key, usd, _ in self.running:
            most[key][0] += usd
            most[key][1] += 1
        assert sum(usd for usd, _ in most) <= self.team
        assert sum(requests for _, requests in most) <= self.requests
        assert most[0][0] <= self.own
        assert most[2][1] <= self.requests

    def teardown(self) -> None:
        for one in self.gateways:
            one.end()
        for _, key, most, _ in self.running:
            self.charge(key, most)
        purses.IDLE_S = self.idle_s
        found = standing(self.place)
        self.loop.close()
        self.folder.cleanup()
        assert found.spent == tuple(map(sum, zip(*self.charged, strict=True)))
        assert found.leased == (0, 0)


TestPlayTeams = PlayTeams.TestCase
TestPlayTeams.settings = settings(max_examples=20, stateful_step_count=12, deadline=None)


def test_what_a_team_has_used_is_known_to_the_next_gateway(books, place):
    team_of(place, budget_pico_usd=10 * CENT)
    secret, _ = add_key(place, team="research")
    first = books(place)
    for number in range(9):
        first.settle(admit(first, secret), record(number))
    wait_until(lambda: standing(place).leased == (0, 0))
    second = books(place)
    second.settle(admit(second, secret), record(10))
    refused(second, secret)
