"""The budget of a key as a pure state machine: an account in the store, and a purse in each gateway.

A gateway never spends from the account. It leases a slice of it into a purse, and lets a request in only if the most
that the request can use fits into what is left there. So at any moment, for every order of events,

    spent (told to the account) + leased (to all purses, those of dead gateways included) <= limit

and what a purse holds, has used and has left is together never more than what was leased to it. A gateway that dies
leaves its slice leased: that can only make the key spend less than it may, never more.

Dollars and requests are two budgets that move together; one that a key does not have asks for nothing: amount 0.
"""

from dataclasses import dataclass, field
from typing import NamedTuple


class Amount(NamedTuple):
    """Some of a budget."""

    pico_usd: int = 0
    requests: int = 0

    def plus(self, other: "Amount") -> "Amount":
        """Both together."""
        return Amount(self.pico_usd + other.pico_usd, self.requests + other.requests)

    def less(self, other: "Amount") -> "Amount":
        """This without the other."""
        return Amount(self.pico_usd - other.pico_usd, self.requests - other.requests)

    def at_most(self, other: "Amount") -> "Amount":
        """The smaller of both, each for itself."""
        return Amount(min(self.pico_usd, other.pico_usd), min(self.requests, other.requests))

    def at_least(self, other: "Amount") -> "Amount":
        """The larger of both, each for itself."""
        return Amount(max(self.pico_usd, other.pico_usd), max(self.requests, other.requests))

    def covers(self, other: "Amount") -> bool:
        """Whether the other is no more than this, in dollars and in requests."""
        return self.pico_usd >= other.pico_usd and self.requests >= other.requests


NOTHING = Amount()


class Use(NamedTuple):
    """What a purse tells the account: used out of its slice, used beyond it, given back."""

    used: Amount = NOTHING
    beyond_pico_usd: int = 0
    """What requests cost above the most that they were said to cost; it is charged all the same."""
    returned: Amount = NOTHING


@dataclass(slots=True, kw_only=True)
class Account:
    """One key's budget in one period, as the store keeps it."""

    limit: Amount
    spent: Amount = NOTHING
    leased: Amount = NOTHING

    @property
    def room(self) -> Amount:
        """What may still be leased."""
        return self.limit.less(self.spent).less(self.leased).at_least(NOTHING)

    def lease(self, need: Amount, want: Amount) -> Amount | None:
        """A slice of at least ``need`` and at most ``want``; ``None`` where not even ``need`` is there."""
        if not self.room.covers(need):
            return None
        granted = self.room.at_most(want.at_least(need))
        self.leased = self.leased.plus(granted)
        return granted

    def tell(self, use: Use) -> None:
        """Book what a purse has used and given back."""
        self.leased = self.leased.less(use.used).less(use.returned)
        self.spent = self.spent.plus(use.used).plus(Amount(use.beyond_pico_usd))


@dataclass(slots=True, kw_only=True)
class Purse:
    """What one gateway has of one account."""

    left: Amount = NOTHING
    held: Amount = NOTHING
    told: Use = field(default_factory=Use)
    """What the account has not been told yet."""

    def hold(self, most: Amount) -> bool:
        """Hold back the most that a request can use, if it is there."""
        if not self.left.covers(most):
            return False
        self.left = self.left.less(most)
        self.held = self.held.plus(most)
        return True

    def settle(self, held: Amount, used: Amount) -> None:
        """End a hold: what was used is used, the rest is left again."""
        self.held = self.held.less(held)
        within = used.at_most(held)
        self.left = self.left.plus(held).less(within)
        over = used.pico_usd - within.pico_usd
        if over:  # it cost more than it could: what is left pays first, and the truth is booked in any case
            extra = Amount(min(over, self.left.pico_usd))
            self.left = self.left.less(extra)
            within, over = within.plus(extra), over - extra.pico_usd
        told = self.told
        self.told = Use(told.used.plus(within), told.beyond_pico_usd + over, told.returned)

    def add(self, granted: Amount) -> None:
        """Put a slice in."""
        self.left = self.left.plus(granted)

    def give_back(self, keep: Amount = NOTHING) -> None:
        """Give back what is left beyond ``keep``."""
        returned = self.left.less(keep).at_least(NOTHING)
        self.left = self.left.less(returned)
        self.told = self.told._replace(returned=self.told.returned.plus(returned))

    def tell(self) -> Use:
        """What the account has not been told; from here on it counts as told."""
        use, self.told = self.told, Use()
        return use


SHARE = 10
"""No slice is more than this part of the budget, unless one request needs more: other gateways want some too."""
BRISK_S, SLOW_S = 1.0, 4.0


def next_slice(last: Amount, lasted_s: float, limit: Amount) -> Amount:
    """How much to lease next: twice as much where the last slice was gone in a second, half where it lasted four.

    >>> next_slice(Amount(100, 8), 0.5, Amount(10_000, 1000)), next_slice(Amount(100, 8), 0.5, Amount(1000, 100))
    (Amount(pico_usd=200, requests=16), Amount(pico_usd=100, requests=10))
    """
    if lasted_s < BRISK_S:
        size = last.plus(last)
    else:
        size = last if lasted_s < SLOW_S else Amount(last.pico_usd // 2, last.requests // 2)
    return size.at_most(Amount(limit.pico_usd // SHARE, limit.requests // SHARE)).at_least(NOTHING)
