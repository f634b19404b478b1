"""The store in PostgreSQL, for several gateways."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import sql

from breakeven.gateway.books.database import Row, StoreAway, Values, shown
from breakeven.units import MILLISECONDS_PER_SECOND
from breakeven.wording import quoting

CONNECT_S = 2
SILENT_S = 5
"""How long a network may keep silent before the server counts as away."""
VALUE = re.compile(r"(?<![:\w]):(\w+)")
AWAY = (psycopg.OperationalError, psycopg.InterfaceError)


class Postgres:
    """One connection to a PostgreSQL server, for one thread at a time."""

    for_update = "FOR UPDATE"
    alone = "SELECT pg_advisory_xact_lock(7217)"

    def __init__(self, place: str, *, wait_s: float, answer_s: float) -> None:
        self._shown = shown(place)
        with self._told():
            self._connection = psycopg.connect(
                place,
                autocommit=True,
                connect_timeout=CONNECT_S,
                tcp_user_timeout=SILENT_S * MILLISECONDS_PER_SECOND,
                keepalives_idle=SILENT_S,
                application_name="breakeven gateway",
            )
            self._connection.execute(f"SET lock_timeout = '{max(1, int(wait_s * MILLISECONDS_PER_SECOND))}ms'")
            self._connection.execute(f"SET statement_timeout = '{int(answer_s * MILLISECONDS_PER_SECOND)}ms'")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        with self._told(), self._connection.transaction():
            yield

    def run(self, statement: str, values: Values = {}) -> list[Row]:  # noqa: B006 - never changed
        """The rows of a statement."""
        with self._told():
            cursor = self._connection.execute(_written(statement), dict(values))
            return cursor.fetchall() if cursor.description else []

    def changed(self, statement: str, values: Values) -> int:
        """How many rows a statement changed."""
        with self._told():
            return self._connection.execute(_written(statement), dict(values)).rowcount

    def append(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Rows into a table, by COPY."""
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
        with self._told(), self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

    def read(self, statement: str, values: Values, size: int) -> Iterator[list[Row]]:
        """The rows of a statement, so many at a time, held by the server meanwhile."""
        with self.transaction(), self._connection.cursor(name="rows") as cursor:
            cursor.execute(_written(statement), dict(values))
            while rows := cursor.fetchmany(size):
                yield rows

    def close(self) -> None:
        """End the connection."""
        with suppress(psycopg.Error):
            self._connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except AWAY as wrong:
            first = next(iter(str(wrong).splitlines()), type(wrong).__name__)
            raise StoreAway(quoting("{path}: {why}", path=self._shown, why=first)) from wrong


def _written(statement: str) -> Any:  # noqa: ANN401 - psycopg takes literal text only; all statements are our own
    """Values as psycopg names them.

    >>> _written("SELECT a FROM b WHERE c = :c AND d LIKE '%/e'")
    "SELECT a FROM b WHERE c = %(c)s AND d LIKE '%%/e'"
    """
    return VALUE.sub(r"%(\1)s", statement.replace("%", "%%"))
