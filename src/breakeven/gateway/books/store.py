"""What the books ask of a store: keys and teams, slices of budgets, and batches of records written exactly once."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from breakeven.gateway.books import hires, teams
from breakeven.gateway.books.budget import Account, Amount, Use
from breakeven.gateway.books.database import Database
from breakeven.gateway.books.keys import VirtualKey
from breakeven.gateway.books.schema import COLUMNS
from breakeven.gateway.books.teams import Team
from breakeven.units import MICROSECONDS_PER_SECOND

LEASE_S = 30
"""A gateway that has written nothing for so long counts as gone; what it had leased is then in doubt."""


class Place(NamedTuple):
    """Which account: that of a key, or of a team, in a period. The tables call the account ``key``."""

    key: str
    period: str


class Told(NamedTuple):
    """What one purse tells its account. ``last``: nothing is held or left, so the slice ends."""

    place: Place
    use: Use
    last: bool = False


class Batch(NamedTuple):
    """Records and what purses tell, in one transaction. The number grows, so that none is written twice."""

    number: int
    rows: Sequence[tuple[Any, ...]]
    told: Sequence[Told] = ()


class Standing(NamedTuple):
    """Where an account stands. ``doubt`` is the part of ``leased`` that gateways had which are gone."""

    spent: Amount
    leased: Amount
    doubt: Amount


def now_us() -> int:
    """The wall clock."""
    return time.time_ns() // 1000


class Store:
    """The statements over one connection. Every method may raise ``StoreAway``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def close(self) -> None:
        """End the connection."""
        self._database.close()

    def write(self, gateway: str, batch: Batch) -> list[Place]:
        """Keep a batch, once, however often it is tried. Returns accounts whose slice is no longer the gateway's."""
        database = self._database
        with database.transaction():
            fresh = database.changed(
                "INSERT INTO gateways (id, seen_us, batch) VALUES (:id, :now, :batch) ON CONFLICT (id) "
                "DO UPDATE SET seen_us = :now, batch = :batch WHERE gateways.batch < :batch",
                {"id": gateway, "now": now_us(), "batch": batch.number},
            )
            if not fresh:
                return []
            if batch.rows:
                database.append("usage", COLUMNS, batch.rows)
            return [told.place for told in batch.told if not self._tell(gateway, told)]

    def keep_hires(self, gateway: str, hired: Sequence[hires.Hired]) -> None:
        """What own machines stood and served, hour by hour."""
        hires.keep(self._database, gateway, hired)

    def _tell(self, gateway: str, told: Told) -> bool:
        """Book what a purse tells; whether the slice is still the gateway's own."""
        database, use = self._database, told.use
        where = {"gateway": gateway, "key": told.place.key, "period": told.place.period}
        gone = use.used.plus(use.returned)
        mine = database.changed(
            "UPDATE slices SET pico_usd = pico_usd - :pico_usd, requests = requests - :requests "
            "WHERE gateway = :gateway AND key = :key AND period = :period",
            where | gone._asdict(),
        )
        gone = gone if mine else Amount()
        if told.last and mine:
            rest = database.run(
                "SELECT pico_usd, requests FROM slices WHERE gateway = :gateway AND key = :key AND period = :period",
                where,
            )
            gone = gone.plus(Amount(*rest[0]))
            database.run("DELETE FROM slices WHERE gateway = :gateway AND key = :key AND period = :period", where)
        spent = use.used.plus(Amount(use.beyond_pico_usd))
        self._move(told.place, spent, Amount().less(gone))
        return bool(mine)

    def _move(self, place: Place, spent: Amount, leased: Amount) -> None:
        self._database.run(
            "UPDATE accounts SET spent_pico_usd = spent_pico_usd + :spent_pico_usd, "
            "spent_requests = spent_requests + :spent_requests, leased_pico_usd = leased_pico_usd + :leased_pico_usd, "
            "leased_requests = leased_requests + :leased_requests WHERE key = :key AND period = :period",
            {
                **place._asdict(),
                "spent_pico_usd": spent.pico_usd,
                "spent_requests": spent.requests,
                "leased_pico_usd": leased.pico_usd,
                "leased_requests": leased.requests,
            },
        )

    def lease(
        self, gateway: str, place: Place, limit: Amount, need: Amount, want: Amount
    ) -> tuple[Amount | None, Account]:
        """A slice of an account, and where the account stands then. Nobody else changes it meanwhile."""
        database, where = self._database, place._asdict()
        with database.transaction():
            database.run(
                "INSERT INTO accounts (key, period) VALUES (:key, :period) ON CONFLICT (key, period) DO NOTHING", where
            )
            ((spent_pico, spent_requests, leased_pico, leased_requests),) = database.run(
                "SELECT spent_pico_usd, spent_requests, leased_pico_usd, leased_requests FROM accounts "
                f"WHERE key = :key AND period = :period {database.for_update}",
                where,
            )
            account = Account(
                limit=limit,
                spent=Amount(spent_pico, spent_requests),
                leased=Amount(leased_pico, leased_requests),
            )
            granted = account.lease(need, want)
            if granted:
                self._move(place, Amount(), granted)
                database.run(
                    "INSERT INTO slices (gateway, key, period, pico_usd, requests) "
                    "VALUES (:gateway, :key, :period, :pico_usd, :requests) ON CONFLICT (gateway, key, period) "
                    "DO UPDATE SET pico_usd = slices.pico_usd + :pico_usd, requests = slices.requests + :requests",
                    where | granted._asdict() | {"gateway": gateway},
                )
                database.run(
                    "INSERT INTO gateways (id, seen_us, batch) VALUES (:id, :now, 0) "
                    "ON CONFLICT (id) DO UPDATE SET seen_us = :now",
                    {"id": gateway, "now": now_us()},
                )
        return granted, account

    def leave(self, gateway: str) -> None:
        """A gateway ends: whatever slices it still has go back."""
        with self._database.transaction():
            self._end_slices("gateway = :gateway", {"gateway": gateway})
            self._database.run("DELETE FROM gateways WHERE id = :gateway", {"gateway": gateway})

    def release(self, key: str) -> int:
        """Give back what gateways that are gone had leased of an account. Returns how many slices that were."""
        gone = {"key": key, "since": now_us() - LEASE_S * MICROSECONDS_PER_SECOND}
        with self._database.transaction():
            return self._end_slices(
                "key = :key AND NOT EXISTS "
                "(SELECT 1 FROM gateways WHERE gateways.id = slices.gateway AND gateways.seen_us >= :since)",
                gone,
            )

    def _end_slices(self, which: str, values: dict[str, Any]) -> int:
        found = self._database.run(
            f"SELECT gateway, key, period, pico_usd, requests FROM slices WHERE {which} {self._database.for_update}",
            values,
        )
        for gateway, key, period, pico_usd, requests in found:
            self._move(Place(key, period), Amount(), Amount(-pico_usd, -requests))
            self._database.run(
                "DELETE FROM slices WHERE gateway = :gateway AND key = :key AND period = :period",
                {"gateway": gateway, "key": key, "period": period},
            )
        return len(found)

    def standing(self, place: Place) -> Standing:
        """Where one account stands."""
        return self.standings([place.period], place.key).get(place, Standing(Amount(), Amount(), Amount()))

    def standings(self, periods: Sequence[str], key: str | None = None) -> dict[Place, Standing]:
        """Where accounts stand: those of some periods, of all keys or of one."""
        names = {f"period_{number}": name for number, name in enumerate(periods)}
        values: dict[str, Any] = {**names, "key": key, "since": now_us() - LEASE_S * MICROSECONDS_PER_SECOND}
        which = f"period IN ({', '.join(f':{name}' for name in names)}){' AND key = :key' if key else ''}"
        doubt = {
            Place(*row[:2]): Amount(int(row[2]), int(row[3]))
            for row in self._database.run(
                f"SELECT key, period, sum(pico_usd), sum(requests) FROM slices WHERE {which} AND NOT EXISTS "
                "(SELECT 1 FROM gateways WHERE gateways.id = slices.gateway AND gateways.seen_us >= :since) "
                "GROUP BY key, period",
                values,
            )
        }
        found = self._database.run(
            "SELECT key, period, spent_pico_usd, spent_requests, leased_pico_usd, leased_requests FROM accounts "
            f"WHERE {which}",
            values,
        )
        return {
            Place(*row[:2]): Standing(Amount(*row[2:4]), Amount(*row[4:6]), doubt.get(Place(*row[:2]), Amount()))
            for row in found
        }

    def forget(self, before_us: int, most: int) -> None:
        """Delete the oldest records from before a moment, at most so many."""
        with self._database.transaction():
            self._database.run(
                "DELETE FROM usage WHERE id IN (SELECT id FROM usage WHERE at_us < :before ORDER BY at_us LIMIT :most)",
                {"before": before_us, "most": most},
            )

    def revision(self) -> int:
        """A number that grows with every change of a key or a team."""
        return int(self._database.run("SELECT value FROM books WHERE name = 'revision'")[0][0])

    def keys_since(self, revision: int) -> list[tuple[bytes, VirtualKey]]:
        """The keys that were changed after a revision, deleted ones too, with the hash of their secret."""
        found = self._database.run(
            "SELECT digest, settings FROM keys WHERE revision > :revision ORDER BY revision", {"revision": revision}
        )
        return [(bytes.fromhex(digest), msgspec.json.decode(text, type=VirtualKey)) for digest, text in found]

    def key(self, name: str) -> VirtualKey | None:
        """A key by its id; ``None`` where there is none, or no longer."""
        found = self._database.run("SELECT settings FROM keys WHERE id = :id", {"id": name})
        key = msgspec.json.decode(found[0][0], type=VirtualKey) if found else None
        return None if key is None or key.deleted else key

    def add_key(self, key: VirtualKey, digest: bytes) -> None:
        """A new key. Raises ``UnknownTeam``."""
        with self._database.transaction():
            values = {"digest": digest.hex(), **self._settings(key)}
            teams.check(self._database, key.team)
            self._database.run(
                "INSERT INTO keys (id, digest, revision, settings) VALUES (:id, :digest, :revision, :settings)", values
            )

    def change_key(self, name: str, changes: Mapping[str, Any]) -> VirtualKey | None:
        """Change some fields of a key; ``None`` where there is no such key. Raises ``UnknownTeam``."""
        with self._database.transaction():
            revision = self._next_revision()  # first, so that two changes of one key follow one another
            known = self.key(name)
            if known is None:
                return None
            teams.check(self._database, changes.get("team"))
            key = msgspec.structs.replace(known, **changes)
            values = self._settings(key, revision)
            self._database.run("UPDATE keys SET revision = :revision, settings = :settings WHERE id = :id", values)
        return key

    def _settings(self, key: VirtualKey, revision: int | None = None) -> dict[str, Any]:
        return {
            "id": key.id,
            "revision": self._next_revision() if revision is None else revision,
            "settings": msgspec.json.encode(key).decode(),
        }

    def _next_revision(self) -> int:
        self._database.run("UPDATE books SET value = value + 1 WHERE name = 'revision'")
        return self.revision()

    def living_keys(self) -> list[VirtualKey]:
        """All keys that are there, the oldest first."""
        found = (key for _, key in self.keys_since(-1) if not key.deleted)
        return sorted(found, key=lambda key: (key.created_us, key.id))

    def teams(self) -> list[Team]:
        """All teams."""
        return teams.teams(self._database)

    def add_team(self, team: Team) -> bool:
        """A new team; false where there is one of that id."""
        with self._database.transaction():
            self._next_revision()
            return teams.add(self._database, team)

    def change_team(self, name: str, changes: Mapping[str, Any]) -> Team | None:
        """Change some fields of a team; ``None`` where there is no such team."""
        with self._database.transaction():
            self._next_revision()
            return teams.change(self._database, name, changes)

    def delete_team(self, name: str) -> tuple[bool, int]:
        """A team goes, if it has no keys: whether there was one, and how many keys it has."""
        with self._database.transaction():
            self._next_revision()  # first, so that no key becomes the team's meanwhile
            keys = sum(key.team == name for key in self.living_keys())
            return (False, keys) if keys else (teams.delete(self._database, name), 0)
