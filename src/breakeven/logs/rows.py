"""Every log as the same rows: when, how many tokens of which kind, for whom, and whether the row can be used.

One function, in Ibis expressions, for every layout and engine. A row that cannot be used keeps a reason code
instead of being left out, so that the same pass that measures the log counts what was unusable.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from breakeven.logs.batches import Batch
from breakeven.logs.engines import CORRUPT, FILE, WRONG_COUNT, Engine
from breakeven.logs.extras import load
from breakeven.logs.fields import Field, field
from breakeven.logs.layouts import Match, Role
from breakeven.logs.times import Column, Table, with_time

USABLE, FAILED, NO_CALL, MISREAD = 0, 1, 2, 14
REASONS = {
    NO_CALL: "it is no call of a model (another span or event, or an answer from the proxy's own cache)",
    3: "the line cannot be read, or holds neither time nor tokens",
    4: "its time is missing, before 1970 or cannot be read",
    5: "its time has no zone, and no --time-zone was given",
    6: "its input tokens are missing, no whole number or beyond 10^12",
    7: "its output tokens are missing, no whole number or beyond 10^12",
    8: "a number of cached, cache-write or reasoning tokens is no whole number",
    9: "a number of tokens is negative",
    10: "cached and cache-write tokens are more than the input",
    11: "reasoning tokens are more than the output",
    12: "it has no tokens at all",
    13: "it stands for no request",
    MISREAD: WRONG_COUNT,
}
LARGEST = 2.0**40
"""No row has more tokens: so sums of millions of rows fit, and doubles count exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the rows shall hold beside tokens and time."""

    texts: tuple[Role, ...] = ()
    usd: bool = False
    zone: str | None = None
    """The zone of times that carry none, for layouts whose source names none."""


class Reader:
    """The columns of an opened batch by path: lists unfolded into rows, pairs looked up, JSON texts searched."""

    def __init__(self, batch: Batch, table: Table, paths: Iterable[str]) -> None:
        self.batch = batch
        lists = sorted({inner for path in paths for inner in field(path).lists}, key=len)
        self._tops: dict[tuple[str, ...], str] = {}
        for number, inner in enumerate(lists):
            name = f"_list{number}"
            table = table.mutate(**{name: self._inner(table, inner)}).unnest(name, keep_empty=True)
            self._tops[inner] = name
        self.table = table

    def _inner(self, table: Table, names: tuple[str, ...]) -> Column:
        """The column at a way of names, from the nearest list on it that was unfolded already."""
        depth = next((n for n in range(len(names) - 1, 0, -1) if names[:n] in self._tops), 0)
        column = table[self._tops[names[:depth]]] if depth else table[names[0]]
        for name in names[max(depth, 1) :]:
            column = column[name]
        return column

    def column(self, path: str) -> Column | None:
        """The value at a path; ``None`` if the files have no such column."""
        wanted = field(path)
        if not self.batch.holds(path):
            return None
        column = self._inner(self.table, wanted.names)
        if wanted.key is not None:
            return _looked_up(column, wanted)
        if wanted.inside is not None:
            pattern = f'"{re.escape(wanted.inside)}"\\s*:\\s*"?([^",}}\\s]+)'
            return column.cast("string").re_extract(pattern, 1).nullif("null")
        return column

    def text(self, paths: Sequence[str]) -> Column:
        """The first of the paths that has a text, as text; null if none has."""
        found = [column.cast("string").nullif("") for path in paths if (column := self.column(path)) is not None]
        ibis = load("ibis")
        return ibis.coalesce(*found) if found else ibis.null("string")

    def number(self, paths: Sequence[str]) -> Column:
        """The same as a number; null also where the text is none."""
        columns = [column for path in paths if (column := self.column(path)) is not None]
        if len(columns) == 1 and columns[0].type().is_numeric():
            return columns[0].cast("float64")
        return self.text(paths).try_cast("float64")

    def is_integer(self, role: Role) -> bool:
        """Whether the column of a role holds whole numbers by its very type."""
        columns = [column for path in self.role(role) if (column := self.column(path)) is not None]
        return len(columns) == 1 and bool(columns[0].type().is_integer())

    def role(self, role: Role) -> tuple[str, ...]:
        """The paths of a role."""
        return self.batch.layout.fields.get(role, ())


def _looked_up(pairs: Column, wanted: Field) -> Column:
    """The value of a key in a list of pairs, whatever its kind; null if the key is not there."""
    found = pairs.filter(lambda pair: pair["key"] == wanted.key)
    kinds = ("stringValue", "intValue", "doubleValue")
    return load("ibis").coalesce(*(found.map(lambda pair, kind=kind: pair["value"][kind]).mins() for kind in kinds))


def paths_needed(batch: Batch, wanted: Wanted) -> list[str]:
    """The paths that must be read for the rows."""
    layout = batch.layout
    roles = [
        role
        for role in layout.fields
        if role not in ("model", "provider", "key", "team", "user", "tier", "usd")
        or role in (*wanted.texts, *layout.calls)
        or (role == "usd" and wanted.usd)
    ]
    matches = [match for match in (layout.only, layout.never, *layout.failed) if match]
    batch_flag = [layout.batch] if layout.batch and "tier" in wanted.texts else []
    return [*(path for role in roles for path in layout.fields[role]), *(path for path, _ in matches), *batch_flag]


def request_rows(engine: Engine, batch: Batch, wanted: Wanted) -> Table:
    """One row a request: ``file``, ``kind`` (0: usable), ``at_us``, ``span_us``, tokens, and what is ``wanted``."""
    paths = paths_needed(batch, wanted)
    return rows_of(Reader(batch, engine.open(batch, paths), paths), wanted)


def rows_of(reader: Reader, wanted: Wanted, keep: tuple[str, ...] = ()) -> Table:
    """The rows of an opened batch; ``keep`` names further columns to carry along."""
    layout, ibis = reader.batch.layout, load("ibis")
    for role in ("time", "end") if reader.role("end") else ("time",):
        column = next(column for path in reader.role(role) if (column := reader.column(path)) is not None)
        zone = layout.zone or wanted.zone
        reader.table = with_time(reader.table, f"_{role}", column, reader.batch.time, zone)
    names = ["input", *(name for name in ("output", *PARTS, "requests", "retries") if name in reader.batch.has)]
    raw = {name: reader.number(reader.role(name)) for name in names}
    unsure = [name for name in names if not reader.is_integer(name)]
    written = {name: reader.text(reader.role(name)) for name in PARTS if name in unsure}
    first = reader.table.select(
        *keep,
        file=reader.table[FILE],
        at_us=reader.table["_time"],
        span_us=reader.table["_end"] - reader.table["_time"] if reader.role("end") else ibis.literal(0, type="int64"),
        bare=reader.table["_time_bare"],
        unfit=_any(text.notnull() & raw[name].isnull() for name, text in written.items()),
        sort=_sort(reader),
        **raw,
        **_extras(reader, wanted),
    )
    return _judged(_whole(first, layout.parts, layout.reasoning_parts), unsure, wanted, keep)


PARTS = ("cached", "cache_write", "reasoning")
COUNTS = ("input", "output", *PARTS, "requests", "retries")


def _any(conditions: Iterable[Column]) -> Column:
    found = load("ibis").literal(False)
    for condition in conditions:
        found = found | condition
    return found


def _all(conditions: Iterable[Column]) -> Column:
    found = load("ibis").literal(True)
    for condition in conditions:
        found = found & condition
    return found


def _sort(reader: Reader) -> Column:
    """0: a call that was answered, 1: one that failed, 2: no call of a model, 14: a line of another form."""
    layout, ibis = reader.batch.layout, load("ibis")
    other = ibis.literal(False)
    if layout.only:
        text = reader.text([layout.only[0]])
        other = other | (text.notnull() & ~text.isin(layout.only[1]))
    if layout.never:
        other = other | reader.text([layout.never[0]]).isin(layout.never[1]).fill_null(False)
    if layout.calls:
        other = other | ~_any(reader.text(reader.role(role)).notnull() for role in layout.calls)
    failed = _any(_matches(reader, match) for match in layout.failed)
    misread = reader.table[CORRUPT].notnull() if CORRUPT in reader.table.columns else ibis.literal(False)
    return ibis.cases((misread, MISREAD), (other, NO_CALL), (failed, FAILED), else_=USABLE)


def _matches(reader: Reader, match: Match) -> Column:
    text = reader.text([match[0]])
    return text.isin(match[1]).fill_null(False) if match[1] else text.notnull()


def _extras(reader: Reader, wanted: Wanted) -> dict[str, Column]:
    layout, ibis = reader.batch.layout, load("ibis")
    found = {
        role: ibis.literal(layout.fixed[role]) if role in layout.fixed else reader.text(reader.role(role))
        for role in wanted.texts
    }
    if "tier" in found and layout.batch:
        batched = reader.text([layout.batch]).lower().isin(("true", "1")).fill_null(False)
        found["tier"] = batched.ifelse("batch", found["tier"])
    if wanted.usd:
        found["usd"] = reader.number(reader.role("usd"))
    return found


def _whole(rows: Table, parts: str, reasoning_parts: str) -> Table:
    """Input and output with all their parts counted in; a part that a row does not give is 0."""
    held = [name for name in PARTS if name in rows.columns]
    rows = rows.mutate(given_input=rows.input, **{name: rows[name].fill_null(0.0) for name in held})
    rows = rows.mutate(given_output=rows.output) if "output" in rows.columns else rows
    added = sum((rows[name] for name in held if name != "reasoning"), start=load("ibis").literal(0.0))
    if parts == "either":
        added = (added > rows.input).ifelse(added, 0.0)
    if parts != "inside":
        rows = rows.mutate(input=rows.input + added)
    if reasoning_parts == "beside" and "reasoning" in held:
        rows = rows.mutate(output=rows.output + rows.reasoning)
    return rows


def _judged(rows: Table, unsure: Sequence[str], wanted: Wanted, keep: tuple[str, ...]) -> Table:
    """The rows with their reason code, and whole numbers where the code is 0."""
    ibis = load("ibis")
    rows = rows.mutate(kind=ibis.cases(*_reasons(rows, unsure), else_=USABLE).cast("int64"))
    good = rows.kind == USABLE
    absent = {name: ibis.literal(1 if name == "requests" else 0, type="int64") for name in COUNTS}
    held = {name: good.ifelse(rows[name], 0.0).try_cast("int64") for name in COUNTS if name in rows.columns}
    return rows.select(
        *keep,
        "file",
        "kind",
        "at_us",
        *wanted.texts,
        *(["usd"] if wanted.usd else []),
        span_us=good.ifelse(rows.span_us, 0),
        **absent | held,
    )


def _reasons(rows: Table, unsure: Sequence[str]) -> list[tuple[Column, int]]:
    """Conditions and codes, the first that holds decides."""
    held = [name for name in PARTS if name in rows.columns]
    tokens = [rows[name] for name in ("input", "output", *held) if name in rows.columns]
    read = sum((rows[name] for name in held if name != "reasoning"), start=load("ibis").literal(0.0))
    given = [rows.given_input, *([rows.given_output] if "given_output" in rows.columns else [])]
    reasons = [
        (rows.sort > FAILED, rows.sort),
        (_all(column.isnull() for column in (rows.at_us, *given)) & ~rows.bare, 3),
        (rows.sort == FAILED, FAILED),
        (rows.bare, 5),
        (rows.at_us.isnull() | (rows.at_us < 0), 4),
        *(
            (~_is_whole(column, name in unsure), code)
            for column, name, code in zip(given, COUNTS, (6, 7), strict=False)
        ),
        (rows.unfit | ~_all(_is_whole(rows[name], name in unsure) for name in held), 8),
        (_any(column < 0 for column in tokens), 9),
    ]
    reasons += [(read > rows.input, 10)] if set(held) & {"cached", "cache_write"} else []
    reasons += [(rows.reasoning > rows.output, 11)] if "reasoning" in held else []
    reasons.append((sum(tokens[: len(given)], start=load("ibis").literal(0.0)) == 0, 12))
    return reasons + ([(~(rows.requests > 0).fill_null(False), 13)] if "requests" in rows.columns else [])


def _is_whole(number: Column, unsure: bool) -> Column:
    """Whether it is there and whole; a cast that rounds or cuts off gives another number back."""
    if not unsure:
        return number.notnull()
    return ((number.try_cast("int64").cast("float64") == number) & (number.abs() < LARGEST)).fill_null(False)
