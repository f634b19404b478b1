"""The ledger that the door asks: keys, rate limits, budgets of keys and teams in memory; records in the store."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import Future

import msgspec

from breakeven.errors import SpecError
from breakeven.gateway.accounts import Accounts
from breakeven.gateway.books import refusals
from breakeven.gateway.books.allowance import Allowance, of_key, of_team
from breakeven.gateway.books.budget import NOTHING, Amount
from breakeven.gateway.books.clerk import Clerk, Lease, Pace
from breakeven.gateway.books.database import StoreAway, connect, shown
from breakeven.gateway.books.hires import Hired
from breakeven.gateway.books.keys import VirtualKey, digest_of
from breakeven.gateway.books.meter import Meter
from breakeven.gateway.books.purses import Purses, Slice
from breakeven.gateway.books.rates import Rate
from breakeven.gateway.books.schema import set_up
from breakeven.gateway.books.store import Store
from breakeven.gateway.books.teams import Team
from breakeven.gateway.ledger import Admission, Ledger, Refused
from breakeven.gateway.records import UsageRecord
from breakeven.units import MICROSECONDS_PER_SECOND, SECONDS_PER_DAY

LOG = logging.getLogger(__name__)
US_PER_DAY = SECONDS_PER_DAY * MICROSECONDS_PER_SECOND
ANSWER_S = 2.0
"""How long a request waits for a slice of its budget before it is refused."""
END_S = 10.0
LONGEST_SECRET = 200
OPEN = Admission()


class Payer:
    """A budget in memory, a key's or a team's, with the slice of it that is in use."""

    __slots__ = ("allowance", "slice")

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self.slice: Slice | None = None


class Known:
    """A key in memory, with what it does at this gateway."""

    __slots__ = ("key", "own", "requests", "running", "tokens")

    def __init__(self, key: VirtualKey) -> None:
        self.key, self.own = key, Payer(of_key(key))
        self.requests, self.tokens = Rate(), Rate()
        self.running = 0


class Hold:
    """What ``settle`` must give back, once: from the key's own budget, its team's, both or neither."""

    __slots__ = ("known", "open", "parts")

    def __init__(self, known: Known, parts: Sequence[tuple[Slice, Amount]] = ()) -> None:
        self.known, self.parts = known, parts
        self.open = True


class Entry(Admission, frozen=True, kw_only=True):
    """An admission that remembers what it holds."""

    hold: Hold


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """How the books are doing, for metrics and logs.

    Attributes:
        records_written: Usage records that are in the store.
        records_waiting: Those that wait in memory.
        records_lost: Those that could not be kept.
        faults: Times that something went wrong in the books that should not; each is in the log.
        store_away_s: For how long the store has not answered; 0 while it does.
        keys: Virtual keys that are known.
        held_pico_usd: Dollars held back for requests that run.
    """

    records_written: int
    records_waiting: int
    records_lost: int
    faults: int
    store_away_s: float
    keys: int
    held_pico_usd: int


class Books(Ledger):
    """Keys, budgets and records over one store. Used from one event loop."""

    def __init__(self, accounts: Accounts, place: str | None = None) -> None:
        self.accounts = accounts
        self.place = place or accounts.place()
        self.gateway = "gw_" + secrets.token_hex(8)
        self._meter = Meter(accounts.most_records_waiting)
        self._purses = Purses()
        self._known: dict[bytes, Known] = {}
        self._teams: dict[str, Payer] = {}
        """The teams that have a budget."""
        keep_us = None if accounts.keep_days is None else accounts.keep_days * US_PER_DAY
        self._clerk = Clerk(
            self.gateway, self._open, self._meter, self._purses, self, pace=Pace(accounts.refresh_s, keep_us)
        )
        self._unknown_cost = accounts.unknown_cost_pico_usd

    def begin(self) -> "Books":
        """Open the store, read the keys, and start writing.

        Raises:
            SpecError: if the store cannot be opened.
        """
        try:
            self._clerk.begin()
        except StoreAway as wrong:
            raise SpecError(
                f"the store of the gateway's books cannot be opened: {wrong}",
                expected="a file that can be written, or the address of a PostgreSQL server that answers",
                do=f"Check `store` ({shown(self.place)})",
            ) from wrong
        return self

    def end(self) -> None:
        """Write what is left, give slices back, stop. Call it when no request runs any more."""
        self._clerk.end(END_S)

    async def admit(self, secret: str | None, *, model: str | None, most_pico_usd: int | None) -> Admission:
        """Let a request in and hold back the most it can cost; one that asks no model counts against no limit."""
        if not self.accounts.keys:
            return OPEN
        known = self._find(secret)
        key = known.key
        try:
            self._check_key(key)
            if model is None:
                return Admission(key=key.id, team=key.team)
            self._check(known, model)
            payers = self._payers(known)
            mosts = [self._most(payer.allowance, model, most_pico_usd) for payer in payers]
            known.running += 1
            if key.requests_per_minute is not None:
                known.requests.add(1, time.monotonic())
            if not payers:
                return Entry(key=key.id, team=key.team, hold=Hold(known))
            return await self._with_budgets(known, payers, mosts)
        except Refused as refused:
            refused.whose = Admission(key=key.id, team=key.team)
            raise

    def settle(self, admission: Admission | None, record: UsageRecord) -> None:
        """Give back what was held, charge what was used, keep the record. Never waits and never raises."""
        try:
            self._meter.keep(record)
            if type(admission) is Entry and admission.hold.open:
                admission.hold.open = False
                self._leave(admission.hold, record)
        except Exception:  # a request must not fail because of its record
            self._meter.faults += 1
            LOG.exception("a request could not be settled")

    def changed(self, digest: bytes, key: VirtualKey) -> None:
        """A key is new, or has changed. Called by the clerk's thread."""
        known = self._known.get(digest)
        if key.deleted:
            self._known.pop(digest, None)
        elif known is None:
            self._known[digest] = Known(key)
        else:
            known.key, known.own = key, Payer(of_key(key))
        self._purses.change(of_key(key))

    def teams(self, teams: Sequence[Team]) -> None:
        """These are the teams; some may have another budget than before. Called by the clerk's thread."""
        found: dict[str, Payer] = {}
        for team in teams:
            allowance, known = of_team(team), self._teams.get(team.id)
            if known is None or known.allowance != allowance:
                self._purses.change(allowance)
                known = Payer(allowance)
            if allowance.is_set:
                found[team.id] = known
        self._teams = found

    def hired(self, hours: Sequence[Hired]) -> None:
        """Keep what own machines stood and served."""
        self._clerk.hear(hours)

    def flush(self) -> None:
        """Write what waits, and wait for it a little: for a process that may be stopped any time after a request."""
        with contextlib.suppress(TimeoutError):
            self._clerk.flush().result(END_S)

    async def refresh(self) -> None:
        """Take over changes of keys now."""
        await asyncio.wrap_future(self._clerk.refresh())

    @property
    def counters(self) -> Counters:
        """How the books are doing."""
        away = self._clerk.away_since
        return Counters(
            records_written=self._meter.written,
            records_waiting=self._meter.waiting + self._clerk.waiting,
            records_lost=self._meter.lost,
            faults=self._meter.faults,
            store_away_s=0.0 if away is None else time.monotonic() - away,
            keys=len(self._known),
            held_pico_usd=self._purses.held_pico_usd,
        )

    def _open(self) -> Store:
        database = connect(self.place, durable=True)
        try:
            set_up(database)
        except BaseException:
            database.close()
            raise
        return Store(database)

    def _find(self, secret: str | None) -> Known:
        if not secret:
            raise refusals.no_key()
        known = self._known.get(digest_of(secret)) if len(secret) <= LONGEST_SECRET else None
        if known is None:
            raise refusals.wrong_key()
        return known

    @staticmethod
    def _check_key(key: VirtualKey) -> None:
        """Whether the key may be used now."""
        if key.disabled:
            raise refusals.disabled_key()
        if key.expires_us is not None and time.time() * MICROSECONDS_PER_SECOND >= key.expires_us:
            raise refusals.expired_key(key.expires_us)

    @staticmethod
    def _check(known: Known, model: str) -> None:
        """Whether it may be used for this model, within its rates."""
        key = known.key
        if key.models and not key.may_call(model):
            raise refusals.model_not_allowed(model, key.models)
        if key.concurrent_requests is not None and known.running >= key.concurrent_requests:
            raise refusals.too_many("requests at a time", key.concurrent_requests, 1.0)
        if key.requests_per_minute is None and key.tokens_per_minute is None:
            return
        now = time.monotonic()
        limits = (
            (known.requests, key.requests_per_minute, "requests"),
            (known.tokens, key.tokens_per_minute, "tokens"),
        )
        for rate, limit, what in limits:
            if limit is not None and rate.now(now) >= limit:
                raise refusals.too_many(f"{what} a minute", limit, rate.wait_s(limit, now))

    def _payers(self, known: Known) -> list[Payer]:
        """Whose budgets a request of this key is taken from; always in the same order, the key's own first."""
        own, team = known.own, self._teams.get(known.key.team) if known.key.team else None
        return [payer for payer in (own, team) if payer is not None and payer.allowance.is_set]

    def _most(self, allowance: Allowance, model: str, most_pico_usd: int | None) -> Amount:
        """What is held back of a budget for a request."""
        if allowance.pico_usd is not None and most_pico_usd is None:
            if self._unknown_cost is None:
                raise refusals.no_known_cost(model, allowance.whose)
            most_pico_usd = self._unknown_cost
        return allowance.most(max(0, most_pico_usd or 0))

    async def _with_budgets(self, known: Known, payers: Sequence[Payer], mosts: Sequence[Amount]) -> Admission:
        """Hold back from every budget, or from none: what one has held is free again where another refuses."""
        until = time.monotonic() + ANSWER_S
        held: list[tuple[Slice, Amount]] = []
        try:
            for payer, most in zip(payers, mosts, strict=True):
                held.append((await self._hold(payer, most, until), most))
        except BaseException:
            for one, most in held:
                one.settle(most, NOTHING)
            known.running -= 1
            raise
        key, pico_usd = known.key, max(most.pico_usd for most in mosts)
        return Entry(key=key.id, team=key.team, held_pico_usd=pico_usd, hold=Hold(known, held))

    async def _hold(self, payer: Payer, most: Amount, until: float) -> Slice:
        """The slice in which the amount is held back; from memory, or after asking the store for more."""
        while True:
            now_s = time.time()
            one = payer.slice
            if one is None or one.closed or not one.period.from_s <= now_s < one.period.until_s:
                one = payer.slice = self._purses.slice(payer.allowance, now_s)
            if one.hold(most):
                if one.low:
                    one.asked = True
                    self._clerk.lease(Lease(one, NOTHING, None))
                return one
            if one.is_dry(most):
                raise refusals.spent_budget(one, most, now_s)
            if await self._leased(one, most, until - time.monotonic()):
                return one

    async def _leased(self, one: Slice, most: Amount, wait_s: float) -> bool:
        answer: Future[bool] = Future()
        job = Lease(one, most, answer)
        self._clerk.lease(job)
        try:
            async with asyncio.timeout(max(0.0, wait_s)):
                return await asyncio.wrap_future(answer)
        except (StoreAway, TimeoutError):
            job.abandon()
            raise refusals.books_away() from None
        except BaseException:
            job.abandon()
            raise

    def _leave(self, hold: Hold, record: UsageRecord) -> None:
        known = hold.known
        known.running -= 1
        if known.key.tokens_per_minute is not None:
            tokens = (record.input_tokens or 0) + (record.output_tokens or 0)
            known.tokens.add(tokens, time.monotonic())
        for one, most in hold.parts:
            one.settle(most, used_of(one.allowance, most, record))


def used_of(allowance: Allowance, held: Amount, record: UsageRecord) -> Amount:
    """What a request takes from a budget: its cost, or what was held where nobody knows that.

    A request for which no upstream was asked takes nothing.
    """
    if not record.attempts and not record.cost_pico_usd:
        return NOTHING
    if allowance.pico_usd is None:
        return Amount(0, held.requests)
    cost = record.cost_pico_usd
    return Amount(held.pico_usd if cost is None else cost, held.requests)
