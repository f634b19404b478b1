"""A database behind the store: transactions, statements and rows, and one way to say that it is away."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from breakeven.errors import SpecError
from breakeven.wording import quoting

Row = tuple[Any, ...]
Values = Mapping[str, Any]
POSTGRES = ("postgresql://", "postgres://")


class StoreAway(Exception):  # noqa: N818 - a state, not a fault of the caller
    """The store cannot be asked now: away, locked, full or damaged. The text holds no password."""


class Database(Protocol):
    """One connection. Statements are written with ``:name`` for values, in the SQL that SQLite and PostgreSQL share."""

    for_update: str
    """What a SELECT ends with so that nobody else changes the row until the transaction ends."""
    alone: str
    """A statement after which no other connection sets up tables until the transaction ends; empty: none is needed."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements inside, or none. Raises ``StoreAway``."""
        ...

    def run(self, statement: str, values: Values = {}) -> list[Row]:  # noqa: B006 - never changed
        """The rows of a statement."""
        ...

    def changed(self, statement: str, values: Values) -> int:
        """How many rows a statement changed."""
        ...

    def append(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Rows into a table, in the fastest way that there is."""
        ...

    def read(self, statement: str, values: Values, size: int) -> Iterator[list[Row]]:
        """The rows of a statement, so many at a time."""
        ...

    def close(self) -> None:
        """End the connection. Never raises."""
        ...


def is_postgres(place: str) -> bool:
    """Whether a store lies in PostgreSQL."""
    return place.startswith(POSTGRES)


def shown(place: str) -> str:
    """A store as it may be shown: without user and password.

    >>> shown("postgresql://ann:secret@db.example/usage?sslmode=require&password=x")
    'postgresql://db.example/usage'
    """
    if not is_postgres(place):
        return place
    scheme, _, rest = place.partition("://")
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"


def connect(
    place: str, *, wait_s: float = 0.25, answer_s: float = 5.0, durable: bool = False, existing: bool = False
) -> Database:
    """A connection to the store at a path or ``postgresql://`` address.

    Args:
        place: Where it is.
        wait_s: How long to wait for a lock that somebody else holds.
        answer_s: How long a statement may take before PostgreSQL counts as away.
        durable: Whether a commit shall outlive a loss of power (SQLite; PostgreSQL does in any case).
        existing: Whether the file must be there already.

    Raises:
        StoreAway: if it cannot be reached.
        SpecError: if the package for it is missing.
    """
    if is_postgres(place):
        try:
            from breakeven.gateway.books.postgres import Postgres  # noqa: PLC0415 - an optional package
        except ImportError as wrong:
            raise SpecError(
                quoting(
                    "{package} is not installed, and a store in PostgreSQL needs it", package=wrong.name or "psycopg"
                ),
                expected="the extra `postgres`",
                do="pip install 'breakeven[postgres]'",
            ) from wrong
        return Postgres(place, wait_s=wait_s, answer_s=answer_s)
    from breakeven.gateway.books.sqlite import Sqlite  # noqa: PLC0415 - loaded where it is used

    return Sqlite(place, wait_s=wait_s, durable=durable, existing=existing)
