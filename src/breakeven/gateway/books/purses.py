"""The purses of this gateway: what it has leased, by key and period, shared by the door and the clerk's thread."""

import threading
import time
from collections.abc import Iterator

from breakeven.gateway.books.allowance import Allowance
from breakeven.gateway.books.budget import NOTHING, Account, Amount, Purse, next_slice
from breakeven.gateway.books.periods import Period, period_at
from breakeven.gateway.books.store import Place, Told

IDLE_S = 2.0
"""A slice that nobody has used for so long goes back: another gateway may want it."""
DRY_S = 0.25
"""So long a refusal is repeated without asking the store again."""
LOW = 4
"""The next slice is asked for when less than this part of the last one is left."""


class Slice:
    """A purse with what surrounds it. Changed under the lock of ``Purses`` only."""

    __slots__ = (
        "account", "allowance", "asked", "closed", "dry_most", "dry_until", "last", "leased_at", "limit", "lock",
        "period", "place", "purse", "used_at",
    )  # fmt: skip

    def __init__(self, allowance: Allowance, period: Period, lock: threading.Lock) -> None:
        self.allowance, self.period, self.lock = allowance, period, lock
        self.place = Place(allowance.account, period.name)
        self.limit = allowance.limit
        self.purse = Purse()
        self.last = NOTHING
        self.leased_at = self.used_at = time.monotonic()
        self.asked = False
        """Whether the next slice has been asked for."""
        self.dry_until, self.dry_most = 0.0, NOTHING
        self.account = Account(limit=self.limit)
        """Where the account stood when the store was asked last."""
        self.closed = False

    def hold(self, most: Amount) -> bool:
        """Hold back an amount, if it is there."""
        with self.lock:
            if self.closed or not self.purse.hold(most):
                return False
            self.used_at = time.monotonic()
            return True

    def settle(self, held: Amount, used: Amount) -> None:
        """End a hold."""
        with self.lock:
            self.purse.settle(held, used)
            self.used_at = time.monotonic()

    @property
    def low(self) -> bool:
        """Whether it is time to ask for the next slice."""
        if self.asked or time.monotonic() < self.dry_until:
            return False
        left, last, budget = self.purse.left, self.last, self.allowance
        short_of_usd = budget.pico_usd is not None and left.pico_usd * LOW < last.pico_usd
        return short_of_usd or (budget.requests is not None and left.requests * LOW < last.requests)

    def is_dry(self, most: Amount) -> bool:
        """Whether the store has just said that there is not so much."""
        return time.monotonic() < self.dry_until and self.dry_most != NOTHING and most.covers(self.dry_most)

    def wanted(self, need: Amount) -> Amount:
        """How much to lease for a need."""
        lasted_s = time.monotonic() - self.leased_at
        return next_slice(self.last, lasted_s, self.limit).at_least(need)

    def leased(self, granted: Amount) -> None:
        """A slice has come. Under the lock."""
        self.purse.add(granted)
        self.last, self.leased_at = granted, time.monotonic()

    def dry(self, most: Amount, account: Account) -> None:
        """There is not so much. Under the lock."""
        account.spent = account.spent.plus(self.purse.told.used)  # spent here, and not yet told
        self.dry_most, self.dry_until, self.account = most, time.monotonic() + DRY_S, account


class Purses:
    """All slices of this gateway."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._slices: dict[Place, Slice] = {}
        self._newest: dict[str, Allowance] = {}
        """Budgets by account. Who asks for a slice just when its budget changes may still know the old one."""

    def slice(self, allowance: Allowance, now_s: float) -> Slice:
        """The slice of a budget in the period of a moment; an empty one where there is none yet."""
        with self.lock:
            allowance = self._newest.get(allowance.account, allowance)
            period = period_at(allowance.period, now_s)
            known = self._slices.get(Place(allowance.account, period.name))
            if known is None:
                known = Slice(allowance, period, self.lock)
                self._slices[known.place] = known
            return known

    @property
    def held_pico_usd(self) -> int:
        """Dollars held back in all of them."""
        with self.lock:
            return sum(one.purse.held.pico_usd for one in self._slices.values())

    def change(self, allowance: Allowance) -> None:
        """A budget has changed: its slices go back, and what is leased from now on obeys the new one."""
        with self.lock:
            self._newest[allowance.account] = allowance
            for one in self._of(allowance.account):
                one.purse.give_back()
                one.allowance, one.limit, one.dry_until = allowance, allowance.limit, 0.0

    def lose(self, place: Place) -> None:
        """A slice was taken back while this gateway seemed gone: what is left of it is no longer here."""
        with self.lock:
            if place in self._slices:
                self._slices[place].purse.left = NOTHING

    def told(self, *, ending: bool = False) -> list[Told]:
        """What the accounts have not been told, in an order that all gateways share; idle slices end.

        When the gateway is ``ending``, whatever is still held counts as used: nobody will say any more what it cost.
        """
        found: list[Told] = []
        idle_before = time.monotonic() - IDLE_S
        with self.lock:
            for place, one in list(self._slices.items()):
                purse = one.purse
                if ending and purse.held != NOTHING:
                    purse.settle(purse.held, purse.held)
                ends = purse.held == NOTHING and (ending or one.used_at < idle_before)
                if ends:
                    purse.give_back()
                    one.closed = True
                    del self._slices[place]
                use = purse.tell()
                if ends or any(use.used) or any(use.returned) or use.beyond_pico_usd:
                    found.append(Told(place, use, ends))
        return sorted(found)

    def _of(self, account: str) -> Iterator[Slice]:
        return (one for place, one in self._slices.items() if place.key == account)
