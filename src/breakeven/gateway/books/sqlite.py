"""The embedded store: one SQLite file in WAL mode, so that reading never stops writing."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from breakeven.gateway.books.database import Row, StoreAway, Values
from breakeven.units import MILLISECONDS_PER_SECOND
from breakeven.wording import quoting

AWAY = (sqlite3.OperationalError,)
MAGIC = b"SQLite format 3\0"


class Sqlite:
    """One connection to a SQLite file, for one thread at a time."""

    for_update = ""
    alone = ""

    def __init__(self, path: str, *, wait_s: float, durable: bool, existing: bool) -> None:
        if existing and not Path(path).is_file():
            raise StoreAway(quoting("there is no file {path}", path=path))
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # records and hashes are nobody else's business
        except OSError as wrong:
            raise StoreAway(quoting("{path}: {why}", path=path, why=wrong.strerror)) from wrong
        try:
            self._connection = sqlite3.connect(
                path, timeout=wait_s, isolation_level=None, check_same_thread=False, cached_statements=256
            )
            self._connection.execute(f"PRAGMA busy_timeout = {int(wait_s * MILLISECONDS_PER_SECOND)}")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        except sqlite3.DatabaseError as wrong:
            raise StoreAway(quoting("{path}: {why}", path=path, why=wrong)) from wrong
        self._path = path

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; the write lock is taken at the beginning, so that two cannot wait for each other."""
        self._execute("BEGIN IMMEDIATE", {})
        try:
            yield
            self._execute("COMMIT", {})
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def run(self, statement: str, values: Values = {}) -> list[Row]:  # noqa: B006 - never changed
        """The rows of a statement."""
        return self._execute(statement, values).fetchall()

    def changed(self, statement: str, values: Values) -> int:
        """How many rows a statement changed."""
        return self._execute(statement, values).rowcount

    def append(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Rows into a table."""
        names, places = ", ".join(columns), ", ".join("?" * len(columns))
        with self._told():
            self._connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", rows)

    def read(self, statement: str, values: Values, size: int) -> Iterator[list[Row]]:
        """The rows of a statement, so many at a time."""
        cursor = self._execute(statement, values)
        while rows := cursor.fetchmany(size):
            yield rows

    def close(self) -> None:
        """End the connection."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def _execute(self, statement: str, values: Values) -> sqlite3.Cursor:
        with self._told():
            return self._connection.execute(statement, dict(values))

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except AWAY as wrong:
            raise StoreAway(quoting("{path}: {why}", path=self._path, why=wrong)) from wrong
        except sqlite3.DatabaseError as wrong:
            if type(wrong) is sqlite3.DatabaseError:  # the file itself is damaged or no database
                raise StoreAway(quoting("{path}: {why}", path=self._path, why=wrong)) from wrong
            raise
