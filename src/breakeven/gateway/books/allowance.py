"""A budget and whose it is: a key's own, or that of a team, which all keys of the team share."""

from typing import NamedTuple

from breakeven.gateway.books.budget import Amount
from breakeven.gateway.books.keys import VirtualKey
from breakeven.gateway.books.periods import PeriodKind
from breakeven.gateway.books.teams import Team

TEAM = "team:"
"""Accounts of teams are named apart from those of keys: no id of a key or a team holds a colon."""


class Allowance(NamedTuple):
    """What may be used in a period, and from which account of the store it is taken. ``None``: no such budget."""

    account: str
    whose: str
    pico_usd: int | None
    requests: int | None
    period: PeriodKind

    @property
    def is_set(self) -> bool:
        """Whether there is a budget at all."""
        return self.pico_usd is not None or self.requests is not None

    @property
    def limit(self) -> Amount:
        """The budget; one that is not there is 0, and asks for nothing."""
        return Amount(self.pico_usd or 0, self.requests or 0)

    def most(self, pico_usd: int) -> Amount:
        """What one request holds back that costs so much at most."""
        return Amount(0 if self.pico_usd is None else pico_usd, 0 if self.requests is None else 1)


def account_of_team(team: str) -> str:
    """The name of a team's account.

    >>> account_of_team("research")
    'team:research'
    """
    return TEAM + team


def of_key(key: VirtualKey) -> Allowance:
    """The budget of a key alone."""
    return Allowance(key.id, "This API key", key.budget_pico_usd, key.budget_requests, key.period)


def of_team(team: Team) -> Allowance:
    """The budget that the keys of a team share."""
    return Allowance(
        account_of_team(team.id), "This API key's team", team.budget_pico_usd, team.budget_requests, team.period
    )
