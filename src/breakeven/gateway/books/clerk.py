"""The clerk: the one thread that talks to the store, so that no request ever waits for a commit."""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple, Protocol

from breakeven.gateway.books.budget import NOTHING, Amount
from breakeven.gateway.books.database import StoreAway
from breakeven.gateway.books.hires import Hired
from breakeven.gateway.books.keys import VirtualKey
from breakeven.gateway.books.meter import Meter
from breakeven.gateway.books.purses import Purses, Slice
from breakeven.gateway.books.store import LEASE_S, Batch, Store, Told, now_us
from breakeven.gateway.books.teams import Team

LOG = logging.getLogger(__name__)
TICK_S = 0.25
"""How often records are written; with a store that answers, none waits for a second."""
CHUNK = 500
"""Records of one transaction: so few that a lease does not wait long behind them."""
CHUNKS = 20
LONGEST_PAUSE_S = 2.0
TELL_LOSSES_S = 10.0
FORGOTTEN_AT_ONCE = 5000


class Pace(NamedTuple):
    """How often changed keys are read, and for how long records are kept (``None``: for ever)."""

    refresh_s: float
    keep_us: int | None


class Hears(Protocol):
    """Who is told of changed keys, and of all teams."""

    def changed(self, digest: bytes, key: VirtualKey) -> None:
        """A key is new, or has changed."""
        ...

    def teams(self, teams: Sequence[Team]) -> None:
        """A key or a team has changed: these are the teams."""
        ...


class Lease:
    """One request that waits for its budget to be held back; without ``waits``, only the next slice is fetched."""

    __slots__ = ("abandoned", "held", "most", "slice", "waits")

    def __init__(self, wanted: Slice, most: Amount, waits: "Future[bool] | None") -> None:
        self.slice, self.most, self.waits = wanted, most, waits
        self.held = self.abandoned = False

    def abandon(self) -> None:
        """Nobody waits any more: what was held back for it is free again."""
        with self.slice.lock:
            self.abandoned = True
            if self.held:
                self.held = False
                self.slice.purse.settle(self.most, NOTHING)


class Written(Future[None]):
    """Asks for what waits to be written, and is done when that was tried."""


class Clerk(threading.Thread):
    """Writes batches, leases slices, and reads changed keys."""

    def __init__(
        self, gateway: str, open_store: Callable[[], Store], meter: Meter, purses: Purses, hears: Hears, *,
        pace: Pace,
    ) -> None:  # fmt: skip
        super().__init__(name="breakeven-books", daemon=True)
        self._gateway, self._open, self._meter, self._purses, self._hears = gateway, open_store, meter, purses, hears
        self._jobs: queue.SimpleQueue[Lease | Future[None] | None] = queue.SimpleQueue()
        self._refresh_s, self._keep_us = pace
        self._store: Store | None = None
        self._pending: deque[Batch] = deque()
        self._hired: dict[tuple[str, int], Hired] = {}
        self._number, self._revision = 0, -1
        self._next_tick = self._next_refresh = self._next_try = self._written_at = 0.0
        self._pause_s = TICK_S
        self._lost_told, self._lost_told_at = 0, 0.0
        self._ended = False
        self.away_since: float | None = None
        """Since when the store has been away, by the monotonic clock; ``None`` while it answers."""

    @property
    def waiting(self) -> int:
        """Records that were taken and are not written yet."""
        return sum(len(batch.rows) for batch in list(self._pending))

    def begin(self) -> None:
        """Open the store, read all keys and start. Raises ``StoreAway``."""
        self._store = self._open()
        self._refresh()
        self.start()

    def lease(self, job: Lease) -> None:
        """Ask for a lease."""
        self._jobs.put(job)

    def hear(self, hired: Sequence[Hired]) -> None:
        """What own machines stood and served; written within ``refresh_s``."""
        self._hired.update({(one.upstream, one.hour_us): one for one in hired})

    def refresh(self) -> "Future[None]":
        """Read changed keys now."""
        done: Future[None] = Future()
        self._jobs.put(done)
        return done

    def flush(self) -> "Future[None]":
        """Write now what waits."""
        done = Written()
        self._jobs.put(done)
        return done

    def end(self, wait_s: float) -> None:
        """Write what is left and stop."""
        self._jobs.put(None)
        self.join(wait_s)
        if self.is_alive():
            LOG.error("the store does not answer: %d usage records are lost", self.waiting + self._meter.waiting)

    def run(self) -> None:
        """Until the end: a job, or the next tick."""
        while not self._ended:
            try:
                self._step()
            except Exception:
                self._meter.faults += 1
                LOG.exception("the clerk of the books stumbled; it goes on")
                time.sleep(TICK_S)
        self._last_step()

    def _step(self) -> None:
        try:
            job = self._jobs.get(timeout=max(0.0, self._next_tick - time.monotonic()))
        except queue.Empty:
            self._tick()
            return
        if job is None:
            self._ended = True
        elif isinstance(job, Lease):
            self._lease(job)
        elif job.set_running_or_notify_cancel():
            self._guarded(self._flush if isinstance(job, Written) else self._refresh)
            job.set_result(None)
        if time.monotonic() >= self._next_tick:
            self._tick()

    def _tick(self) -> None:
        now = time.monotonic()
        self._next_tick = now + TICK_S
        self._tell_losses(now)
        if now < self._next_try:
            return
        if self._guarded(self._flush) and now >= self._next_refresh:
            self._next_refresh = now + self._refresh_s
            self._guarded(self._refresh)
            self._guarded(self._write_hires)
            self._guarded(self._forget)

    def _flush(self) -> None:
        """Write all that waits; between two chunks, those who wait for a lease go first."""
        self._write_pending()
        beats = time.monotonic() - self._written_at > LEASE_S / 3
        for number in range(CHUNKS):
            rows = self._meter.take(CHUNK)
            told = [] if number else self._purses.told()
            if rows or told or beats:
                self._add(rows, told)
                self._write_pending()
            if len(rows) < CHUNK:
                return
            beats = False
            if not self._jobs.empty():
                break
        self._next_tick = 0.0

    def _add(self, rows: Sequence[tuple[Any, ...]], told: Sequence[Told]) -> None:
        """Put a batch in line; its number is larger than that of every batch before it."""
        self._number += 1
        self._pending.append(Batch(self._number, rows, told))

    def _write_pending(self) -> None:
        """Write what is not written yet, in order; a batch that the store refuses is parted into its records."""
        store = self._opened()
        while self._pending:
            batch = self._pending[0]
            try:
                lost = store.write(self._gateway, batch)
            except StoreAway:
                raise
            except Exception as wrong:
                self._pending.popleft()
                self._part(batch, wrong)
                continue
            self._pending.popleft()
            self._written_at = time.monotonic()
            self._meter.written += len(batch.rows)
            for place in lost:
                self._purses.lose(place)

    def _part(self, batch: Batch, wrong: Exception) -> None:
        """What purses tell and the other records must not be lost with one that is no good."""
        if len(batch.rows) + bool(batch.told) > 1:
            self._add([], batch.told)
            for row in batch.rows:
                self._add([row], [])
            return
        self._meter.unfit += len(batch.rows)
        LOG.error("a record cannot be kept: %s", type(wrong).__name__)  # its text may hold a caller's words

    def _lease(self, job: Lease) -> None:
        """Hold back what a request can use, from what is left or from a new slice."""
        one, answer = job.slice, False
        if job.waits and not job.waits.set_running_or_notify_cancel():
            return
        try:
            if time.monotonic() < self._next_try:
                raise StoreAway("the store is away")
            answer = self._held(job) or self._leased(job)
        except StoreAway as wrong:
            self._went_away(wrong)
            if job.waits:
                job.waits.set_exception(wrong)
            return
        except Exception as wrong:
            if job.waits:
                job.waits.set_exception(StoreAway(type(wrong).__name__))
            raise
        finally:
            if job.waits is None:
                one.asked = False
        if job.waits:
            job.waits.set_result(answer)

    def _held(self, job: Lease) -> bool:
        """Whether what is left is enough. A closed slice holds nothing: whoever waits asks again."""
        one = job.slice
        with one.lock:
            if job.waits is None or job.abandoned:
                return job.abandoned
            job.held = not one.closed and one.purse.hold(job.most)
            return job.held

    def _leased(self, job: Lease) -> bool:
        one = job.slice
        self._write_pending()  # a slice that ended must be written before another begins in its place
        with one.lock:
            if one.closed:
                return False
            need, limit = job.most.less(one.purse.left).at_least(NOTHING), one.limit
            want = one.wanted(need)
        granted, account = self._opened().lease(self._gateway, one.place, limit, need, want)
        with one.lock:
            if granted is None:
                one.dry(job.most, account)
                return False
            one.leased(granted)
            if not granted.covers(want):
                one.dry_until = time.monotonic() + TICK_S
                one.dry_most = NOTHING
            job.held = job.waits is not None and not job.abandoned and one.purse.hold(job.most)
            return job.held

    def _refresh(self) -> None:
        store = self._opened()
        revision = store.revision()
        if revision != self._revision:
            keys = store.keys_since(self._revision)
            self._hears.teams(store.teams())  # read after the keys and told before them: no key without its team
            for digest, key in keys:
                self._hears.changed(digest, key)
            self._revision = revision

    def _write_hires(self) -> None:
        told = list(self._hired.items())
        if told:
            self._opened().keep_hires(self._gateway, [one for _, one in told])
        for at, one in told:  # what was told anew meanwhile stays
            if self._hired.get(at) is one:
                del self._hired[at]

    def _forget(self) -> None:
        """Records that were kept long enough go, some at a time."""
        if self._keep_us is not None:
            self._opened().forget(now_us() - self._keep_us, FORGOTTEN_AT_ONCE)

    def _opened(self) -> Store:
        if self._store is None:
            self._store = self._open()
        return self._store

    def _guarded(self, work: Callable[[], Any]) -> bool:
        """Do some work; whether the store answered."""
        try:
            work()
        except StoreAway as wrong:
            self._went_away(wrong)
            return False
        if self.away_since is not None:
            LOG.warning("the store answers again after %.1f s", time.monotonic() - self.away_since)
            self.away_since, self._pause_s = None, TICK_S
        return True

    def _went_away(self, wrong: StoreAway) -> None:
        now = time.monotonic()
        if self.away_since is None:
            self.away_since = now
            LOG.warning("the store does not answer, records wait in memory: %s", wrong)
        if now >= self._next_try:
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
            self._next_try = now + self._pause_s
            if self._store:
                self._store.close()
                self._store = None

    def _tell_losses(self, now: float) -> None:
        if self._meter.lost > self._lost_told and now - self._lost_told_at > TELL_LOSSES_S:
            LOG.error("%d usage records are lost so far: the store cannot take them", self._meter.lost)
            self._lost_told, self._lost_told_at = self._meter.lost, now

    def _last_step(self) -> None:
        """Everything that waits, and the slices back."""

        def leave() -> None:
            self._write_pending()
            told = self._purses.told(ending=True)
            while (rows := self._meter.take(CHUNK)) or told:
                self._add(rows, told)
                self._write_pending()
                told = []
            self._write_hires()
            self._opened().leave(self._gateway)

        self._guarded(leave)
        if self.waiting or self._meter.waiting:
            self._meter.unfit += self.waiting + self._meter.waiting
            LOG.error("%d usage records are lost: the store did not answer at the end", self._meter.lost)
        if self._store:
            self._store.close()
