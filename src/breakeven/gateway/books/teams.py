"""Teams in the store: who pays for keys, and the budget that the keys of a team share."""

from collections.abc import Mapping
from typing import Any

import msgspec

from breakeven.errors import SpecError, near_matches
from breakeven.gateway.books.database import Database
from breakeven.gateway.books.periods import PeriodKind


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """A team. A budget that is ``None`` is not there.

    Attributes:
        id: Its name in records and in the admin API.
        name: What people call it.
        created_us: When it was made.
        budget_pico_usd: Dollars that its keys may use together in a period.
        budget_requests: Requests that they may send together.
        period: What a budget is for, in UTC.
    """

    id: str
    name: str
    created_us: int
    budget_pico_usd: int | None = None
    budget_requests: int | None = None
    period: PeriodKind = "month"


FIELDS = tuple(field.name for field in msgspec.structs.fields(Team))
NAMES = ", ".join(FIELDS)
TABLE = """CREATE TABLE IF NOT EXISTS teams (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, created_us BIGINT NOT NULL,
    budget_pico_usd BIGINT, budget_requests BIGINT, period TEXT NOT NULL DEFAULT 'month')"""
WITH_BUDGETS = (
    "ALTER TABLE teams ADD COLUMN budget_pico_usd BIGINT",
    "ALTER TABLE teams ADD COLUMN budget_requests BIGINT",
    "ALTER TABLE teams ADD COLUMN period TEXT NOT NULL DEFAULT 'month'",
)
"""What makes the table of a store that knows no budgets of teams."""


class UnknownTeam(SpecError):  # noqa: N818 - says what is unknown
    """A key for a team that there is not."""


def teams(database: Database) -> list[Team]:
    """All teams."""
    found = database.run(f"SELECT {NAMES} FROM teams ORDER BY id")
    return [msgspec.convert(dict(zip(FIELDS, row, strict=True)), Team) for row in found]


def add(database: Database, team: Team) -> bool:
    """A new team; false where there is one of that id."""
    values = ", ".join(f":{name}" for name in FIELDS)
    return bool(
        database.changed(
            f"INSERT INTO teams ({NAMES}) VALUES ({values}) ON CONFLICT (id) DO NOTHING", msgspec.structs.asdict(team)
        )
    )


def change(database: Database, name: str, changes: Mapping[str, Any]) -> Team | None:
    """Change some fields of a team; ``None`` where there is no such team."""
    known = next((team for team in teams(database) if team.id == name), None)
    if known is None:
        return None
    team = msgspec.structs.replace(known, **changes)
    places = ", ".join(f"{field} = :{field}" for field in FIELDS if field != "id")
    database.run(f"UPDATE teams SET {places} WHERE id = :id", msgspec.structs.asdict(team))
    return team


def delete(database: Database, name: str) -> bool:
    """A team goes; false where there is none."""
    return bool(database.changed("DELETE FROM teams WHERE id = :id", {"id": name}))


def check(database: Database, name: str | None) -> None:
    """Whether a key may be this team's.

    Raises:
        UnknownTeam: if there is no such team.
    """
    if name is None:
        return
    known = [team.id for team in teams(database)]
    if name not in known:
        near = near_matches(name, known)
        raise UnknownTeam(
            f"there is no team {name!r}",
            expected=f"one of {len(known)} teams" if known else "a team that was made before its keys",
            do=f"Did you mean: {', '.join(near)}?" if near else "Make it first",
        )
