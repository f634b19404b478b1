"""The gateway's meter as the pages ask it: a store that is only read, and questions about a span of time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec

from breakeven.errors import SpecError, UnknownNameError
from breakeven.gateway import admin_shapes as shapes
from breakeven.gateway.books.database import Database, StoreAway, connect, is_postgres, shown
from breakeven.gateway.books.hires import machines
from breakeven.gateway.books.spend import BY, MOST_ROWS, spent
from breakeven.gateway.books.sqlite import MAGIC
from breakeven.gateway.books.store import Store
from breakeven.wording import quoting, worded

WAIT_S, ANSWER_S = 2.0, 20.0
"""How long a page waits for a lock, and for PostgreSQL to add up."""
DAYS = 30
"""Days up to today where no span is given."""
LONGEST_NAME = 200
SPAN_FIELDS = ("since", "until")
SPEND_FIELDS = ("by", *SPAN_FIELDS, "key", "team")
HEAD_BYTES, WAL = 19, 2
"""The last byte of so many at the begin of a SQLite file says whether it is in WAL mode."""
NEEDED = ("usage", "hires", "keys")
"""Tables that make a store a gateway's."""
Found = TypeVar("Found")


class StoreSilentError(SpecError):
    """The store cannot be asked now, is not there, or is no gateway's."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """From when until when, UTC."""

    since: datetime
    until: datetime

    @property
    def in_us(self) -> dict[str, int]:
        """Both ends as the books take them."""
        return {"since_us": shapes.us_of(self.since), "until_us": shapes.us_of(self.until)}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the records: grouped by what, of when, and of which key or team alone."""

    by: tuple[str, ...]
    span: Span
    key: str | None = None
    team: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A store at a path or ``postgresql://`` address. Nothing is ever written to it."""

    place: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def shown(self) -> str:
        """The place without user and password."""
        return shown(self.place)

    def ask(self, question: Callable[[Database], Found]) -> Found:
        """What a question finds, on a connection of its own on which nothing changes meanwhile.

        Raises:
            StoreSilentError: if the store is away, absent, or no gateway's.
        """
        self._refuse_strangers()
        try:
            with closing(connect(self.place, wait_s=WAIT_S, answer_s=ANSWER_S, existing=True)) as database:
                self._only_read(database)
                return question(database)
        except StoreAway as wrong:
            raise _silent(wrong.args[0]) from wrong

    def _refuse_strangers(self) -> None:
        """A file that is no store in WAL mode is left as it is: the gateway's way of opening would turn it into one."""
        file = Path(self.place)
        if is_postgres(self.place) or not file.is_file():
            return
        try:
            with file.open("rb") as opened:
                head = opened.read(HEAD_BYTES)
        except OSError as wrong:
            raise _silent(quoting("{path} cannot be read: {why}", path=self.place, why=wrong.strerror)) from wrong
        if not head.startswith(MAGIC) or head[-1] != WAL:
            raise _silent(quoting("{path} is not a database that a gateway made", path=self.place))

    def _only_read(self, database: Database) -> None:
        """Let the database itself refuse to write, and see one moment of it."""
        tables = "SELECT name FROM sqlite_master"
        if is_postgres(self.place):
            database.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            tables = (
                "SELECT table_name FROM information_schema.tables WHERE table_schema = ANY (current_schemas(false))"
            )
        else:
            database.run("PRAGMA query_only = ON")
            database.run("BEGIN")
        standing = {str(name) for (name,) in database.run(tables)}
        missing = [name for name in NEEDED if name not in standing]
        if missing:
            raise StoreSilentError(
                quoting("{place} has no table {names}", place=self.shown, names=", ".join(missing)),
                expected="the store of a gateway of this version",
                do="Start the gateway with it once, or choose another --store",
            )


def _silent(why: str) -> StoreSilentError:
    return StoreSilentError(
        worded("the store does not answer: {why}", why=why),
        expected="the store of a gateway, in reach",
        do="Check --store (or BREAKEVEN_STORE), and that the file or server is there; then load this again",
    )


def asked_of(pairs: Iterable[tuple[str, str]], now: datetime) -> Asked:
    """What a query asks of the records.

    Raises:
        SpecError: if a value does not fit.
        UnknownNameError: if there is no such field or grouping.

    >>> asked_of([("by", "team,day"), ("since", "2026-11-01")], datetime(2026, 11, 3, 9, tzinfo=UTC)).by
    ('team', 'day')
    """
    query = _known(pairs, SPEND_FIELDS)
    by = tuple(dict.fromkeys(query.get("by", "key").split(",")))
    for name in by:
        if name not in BY:
            raise UnknownNameError("grouping", name, BY)
    return Asked(by=by, span=_span(query, now), key=query.get("key"), team=query.get("team"))


def span_of(pairs: Iterable[tuple[str, str]], now: datetime) -> Span:
    """The span that a query asks for; without one, the last ``DAYS`` days."""
    return _span(_known(pairs, SPAN_FIELDS), now)


def spend_of(database: Database, asked: Asked) -> shapes.Spend:
    """The groups, dearest first."""
    found = spent(database, asked.by, **asked.span.in_us, key=asked.key, team=asked.team)
    rows = [shapes.shown_spend([*asked.by], one) for one in found]
    complete = len(rows) < MOST_ROWS
    return shapes.Spend(by=[*asked.by], **_ends(asked.span), rows=rows, complete=complete)


def machines_of(database: Database, span: Span) -> shapes.Machines:
    """Own machines, by the hours that begin in the span, dearest first."""
    found = machines(database, **span.in_us)
    return shapes.Machines(**_ends(span), rows=[shapes.shown_machine(one) for one in found])


def key_names(database: Database) -> dict[str, str]:
    """What people call each key that there is."""
    return {key.id: key.name for key in Store(database).living_keys()}


def _ends(span: Span) -> dict[str, datetime]:
    return {"since": span.since, "until": span.until}


def _known(pairs: Iterable[tuple[str, str]], names: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, text in pairs:
        if name == "lang":
            continue
        if name not in names:
            raise UnknownNameError("address field", name, names)
        if name in found:
            raise SpecError(
                quoting("{name} is given twice", name=name), expected="each field once", do="Leave one of them out"
            )
        if len(text) > LONGEST_NAME or not (text.isprintable() or not text):
            raise SpecError(
                quoting(
                    "{name} is {count:,} characters long or holds what cannot be printed", name=name, count=len(text)
                ),
                expected=quoting("at most {most} characters of text", most=LONGEST_NAME),
                do="Correct it",
            )
        if text.strip():
            found[name] = text.strip()
    return found


def _span(query: Mapping[str, str], now: datetime) -> Span:
    """A day stands for its begin as ``since`` and for its end as ``until``: both days count."""
    midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    until = _moment(query, "until", midnight + timedelta(days=1), whole_days=1)
    since = _moment(query, "since", until - timedelta(days=DAYS), whole_days=0)
    if since >= until:
        raise SpecError(
            quoting(
                "since is {since} and until {until}", since=f"{since:%Y-%m-%d %H:%M}", until=f"{until:%Y-%m-%d %H:%M}"
            ),
            expected="a span that begins before it ends",
            do="Swap them",
        )
    return Span(since=since, until=until)


def _moment(query: Mapping[str, str], name: str, otherwise: datetime, *, whole_days: int) -> datetime:
    text = query.get(name)
    if text is None:
        return otherwise
    try:
        if len(text) == len("2026-11-01"):
            day = datetime.combine(date.fromisoformat(text), time(), UTC)
            return _in_reach(day) + timedelta(days=whole_days)
        return _in_reach(msgspec.convert(text, shapes.Time))
    except (ValueError, OverflowError) as wrong:
        raise SpecError(
            quoting("{field} is {value}", field=name, value=text),
            expected="a day from 1970 on, like 2026-11-01, or a moment with its zone, like 2026-11-01T08:00:00Z",
            do="Correct it",
        ) from wrong


def _in_reach(moment: datetime) -> datetime:
    """A moment that the books can count in, and from which a span can be taken."""
    if not 1970 <= moment.year < 9999:
        raise ValueError(moment)
    return moment.astimezone(UTC)
