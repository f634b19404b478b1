"""Budgets are never passed, for any order of events: the pure state machine, played at random."""

import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from breakeven.gateway.books.budget import NOTHING, Account, Amount, Purse, next_slice
from breakeven.gateway.books.database import connect
from breakeven.gateway.books.schema import set_up
from breakeven.gateway.books.store import Batch, Place, Store, Told

COSTS = st.integers(0, 40)
GATEWAYS = st.integers(0, 2)


class Play(RuleBasedStateMachine):
    """Three gateways on one key; what upstreams really charge is written down beside the books."""

    @initialize(pico_usd=st.integers(0, 200), requests=st.integers(0, 30))
    def begin(self, pico_usd: int, requests: int) -> None:
        self.limit = Amount(pico_usd, requests)
        self.renew()

    def open_account(self) -> None:
        self.account = Account(limit=self.limit)

    def lease(self, _: int, need: Amount, want: Amount) -> Amount | None:
        return self.account.lease(need, want)

    def tell(self, at: int) -> None:
        self.account.tell(self.purses[at].tell())

    def renew(self) -> None:
        self.open_account()
        self.purses = [Purse() for _ in range(3)]
        self.running: list[tuple[Purse, Amount]] = []
        self.charged = NOTHING
        """The truth: what upstreams charge, crashed requests at the most they can cost."""
        self.in_doubt = NOTHING
        """What dead gateways had leased and not told."""

    @rule()
    def a_period_begins(self) -> None:
        self.renew()

    @rule(at=GATEWAYS, pico_usd=COSTS, ahead=COSTS)
    def a_request_comes(self, at: int, pico_usd: int, ahead: int) -> None:
        purse, most = self.purses[at], Amount(pico_usd, 1)
        if not purse.hold(most):
            need = most.less(purse.left).at_least(NOTHING)
            granted = self.lease(at, need, need.plus(Amount(ahead, ahead)))
            if granted is None:
                return
            purse.add(granted)
            assert purse.hold(most)
        self.running.append((purse, most))

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 10**6), share=st.integers(0, 100), sent=st.booleans())
    def a_request_ends(self, which: int, share: int, sent: bool) -> None:
        purse, most = self.running.pop(which % len(self.running))
        used = Amount(most.pico_usd * share // 100, 1) if sent else NOTHING
        purse.settle(most, used)
        self.charged = self.charged.plus(used)

    @rule(at=GATEWAYS)
    def a_gateway_commits(self, at: int) -> None:
        self.tell(at)

    @rule(at=GATEWAYS, keep=COSTS)
    def a_gateway_gives_back(self, at: int, keep: int) -> None:
        self.purses[at].give_back(Amount(keep, 1))

    @rule(at=GATEWAYS)
    def a_gateway_is_killed(self, at: int) -> None:
        dead = self.purses[at]
        died = [most for purse, most in self.running if purse is dead]
        self.running = [one for one in self.running if one[0] is not dead]
        for most in died:  # the upstream may well charge for what it had begun
            self.charged = self.charged.plus(most)
        told = dead.told
        self.in_doubt = self.in_doubt.plus(dead.left).plus(dead.held).plus(told.used).plus(told.returned)
        self.purses[at] = Purse()
        self.forget(at)

    def forget(self, at: int) -> None:
        """A gateway that starts again has a name of its own."""

    @invariant()
    def what_is_charged_and_what_may_be_is_within_the_budget(self) -> None:
        at_most = self.charged
        for _, most in self.running:
            at_most = at_most.plus(most)
        assert self.limit.covers(at_most)

    @invariant()
    def every_part_of_the_budget_is_somewhere(self) -> None:
        leased = self.in_doubt
        for purse in self.purses:
            told = purse.told
            assert purse.left.covers(NOTHING)
            assert purse.held.covers(NOTHING)
            leased = leased.plus(purse.left).plus(purse.held).plus(told.used).plus(told.returned)
        assert self.account.leased == leased
        assert self.limit.covers(self.account.spent.plus(self.account.leased))

    @invariant()
    def what_was_spent_is_forgotten_by_no_account(self) -> None:
        assert self.account.spent.plus(self.account.leased).covers(self.charged)


TestPlay = Play.TestCase
TestPlay.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


class PlayOnStore(Play):
    """The same with the account in a real store: SQLite, with the statements that PostgreSQL gets too."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        database = connect(f"{self.folder.name}/gateway.db")
        set_up(database)
        self.store, self.period, self.number = Store(database), 0, 0
        self.names = ["gw0", "gw1", "gw2"]

    def open_account(self) -> None:
        self.period += 1
        self.place = Place("key_1", str(self.period))
        self.account = Account(limit=self.limit)

    def lease(self, at: int, need: Amount, want: Amount) -> Amount | None:
        granted, _ = self.store.lease(self.names[at], self.place, self.limit, need, want)
        self.look()
        return granted

    def tell(self, at: int) -> None:
        self.number += 1
        self.store.write(self.names[at], Batch(self.number, [], [Told(self.place, self.purses[at].tell())]))
        self.look()

    def forget(self, at: int) -> None:
        self.names[at] = f"gw{len(self.names)}"
        self.names.append("")

    def look(self) -> None:
        found = self.store.standing(self.place)
        self.account.spent, self.account.leased = found.spent, found.leased

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


TestPlayOnStore = PlayOnStore.TestCase
TestPlayOnStore.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_a_request_that_costs_more_than_it_could_is_charged_in_full():
    account, purse = Account(limit=Amount(100)), Purse()
    purse.add(account.lease(Amount(10), Amount(12)))
    assert purse.hold(Amount(10))
    purse.settle(Amount(10), Amount(17))
    assert purse.left == NOTHING
    account.tell(purse.tell())
    assert (account.spent, account.leased) == (Amount(17), NOTHING)


def test_what_a_request_did_not_use_is_there_for_the_next():
    purse = Purse(left=Amount(10, 2))
    assert purse.hold(Amount(10, 1))
    assert not purse.hold(Amount(1, 1))
    purse.settle(Amount(10, 1), Amount(4, 1))
    assert purse.left == Amount(6, 1)


@given(last=COSTS, lasted_s=st.floats(0, 100), limit=st.integers(0, 1000))
def test_a_slice_is_never_more_than_its_share(last, lasted_s, limit):
    size = next_slice(Amount(last, last), lasted_s, Amount(limit, limit))
    assert Amount(limit // 10, limit // 10).covers(size)
    assert size.covers(NOTHING)
