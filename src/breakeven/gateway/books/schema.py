"""The tables of the store, in the SQL that SQLite and PostgreSQL share."""

from typing import Any

import msgspec

from breakeven.gateway.books import hires, teams
from breakeven.gateway.books.database import Database, StoreAway
from breakeven.gateway.records import UsageRecord
from breakeven.wording import quoting

VERSION = 2
UPGRADES = {2: teams.WITH_BUDGETS}
"""What each version adds to the one before it. A store is brought up when it is opened, in one transaction."""
COLUMNS = tuple(field.name for field in msgspec.structs.fields(UsageRecord))
KINDS = {"at_us": "BIGINT", "status": "INTEGER", "attempts": "INTEGER", "streamed": "BOOLEAN"}
NEEDED = frozenset(field.name for field in msgspec.structs.fields(UsageRecord) if field.required)


def _kind(name: str) -> str:
    if name.endswith(("_tokens", "_pico_usd")):
        return "BIGINT"
    return "DOUBLE PRECISION" if name.endswith("_s") else KINDS.get(name, "TEXT")


def _column(name: str) -> str:
    unknown = name in {"model"} or name not in NEEDED
    return f"{name} {_kind(name)}{' PRIMARY KEY' if name == 'id' else '' if unknown else ' NOT NULL'}"


TABLES = (
    "CREATE TABLE IF NOT EXISTS books (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
    f"CREATE TABLE IF NOT EXISTS usage ({', '.join(map(_column, COLUMNS))})",
    "CREATE INDEX IF NOT EXISTS usage_by_time ON usage (at_us)",
    teams.TABLE,
    """CREATE TABLE IF NOT EXISTS keys (
        id TEXT PRIMARY KEY, digest TEXT NOT NULL UNIQUE, revision BIGINT NOT NULL, settings TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS keys_by_revision ON keys (revision)",
    """CREATE TABLE IF NOT EXISTS accounts (
        key TEXT NOT NULL, period TEXT NOT NULL,
        spent_pico_usd BIGINT NOT NULL DEFAULT 0, spent_requests BIGINT NOT NULL DEFAULT 0,
        leased_pico_usd BIGINT NOT NULL DEFAULT 0, leased_requests BIGINT NOT NULL DEFAULT 0,
        PRIMARY KEY (key, period))""",
    """CREATE TABLE IF NOT EXISTS slices (
        gateway TEXT NOT NULL, key TEXT NOT NULL, period TEXT NOT NULL,
        pico_usd BIGINT NOT NULL, requests BIGINT NOT NULL,
        PRIMARY KEY (gateway, key, period))""",
    "CREATE TABLE IF NOT EXISTS gateways (id TEXT PRIMARY KEY, seen_us BIGINT NOT NULL, batch BIGINT NOT NULL)",
    hires.TABLE,
)


def set_up(database: Database) -> None:
    """Make the tables that are not there yet, and bring those of an earlier version up to this one.

    Raises:
        StoreAway: if the store cannot be written, or was made by a later version.
    """
    with database.transaction():
        if database.alone:
            database.run(database.alone)
        for statement in TABLES:
            database.run(statement)
        for name, value in (("version", VERSION), ("revision", 0)):
            values: dict[str, Any] = {"name": name, "value": value}
            database.run("INSERT INTO books (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING", values)
        ((found,),) = database.run("SELECT value FROM books WHERE name = 'version'")
        for version in range(found + 1, VERSION + 1):
            for statement in UPGRADES[version]:
                database.run(statement)
        if found < VERSION:
            database.run("UPDATE books SET value = :version WHERE name = 'version'", {"version": VERSION})
    if found > VERSION:
        raise StoreAway(
            quoting(
                "the store has version {found}, and this breakeven knows version {known}: upgrade it",
                found=found,
                known=VERSION,
            )
        )
