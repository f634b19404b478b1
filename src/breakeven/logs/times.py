"""Times as microseconds since 1970-01-01 UTC, from every way in which logs write them, as Ibis expressions."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from breakeven.errors import SpecError
from breakeven.logs.extras import load
from breakeven.logs.layouts import TimeForm
from breakeven.units import HOURS_PER_DAY, HOURS_PER_WEEK, MILLISECONDS_PER_SECOND, SECONDS_PER_HOUR

Column = Any
"""An Ibis column; Ibis has no type information."""
Table = Any
"""An Ibis table."""
LARGEST_US = 9e18
"""Larger numbers are no time, and do not fit into 64 bits."""
US_PER_MS = MILLISECONDS_PER_SECOND
"""As many as milliseconds in a second."""
US_PER_SECOND = US_PER_MS * MILLISECONDS_PER_SECOND
US_PER_MINUTE = 60 * US_PER_SECOND
US_PER_HOUR = SECONDS_PER_HOUR * US_PER_SECOND
US_PER_DAY = HOURS_PER_DAY * US_PER_HOUR
NS_PER_US = US_PER_MS
US_PER_UNIT = {"s": US_PER_SECOND, "ms": US_PER_MS, "us": 1, "relative_ms": US_PER_MS}
THURSDAY = 3 * HOURS_PER_DAY
"""1970-01-01 was a Thursday; hour 0 of the week is Monday's first."""
FIRST_YEAR, LAST_YEAR = 2000, 2045
"""Years for which changes of summer time are looked up."""
DATE_LENGTH, LONGEST_OFFSET = len("2026-01-01"), len("+00:00")


def zone_named(name: str) -> ZoneInfo:
    """The time zone of that name.

    Raises:
        SpecError: if there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as wrong:
        raise SpecError(
            f"--time-zone {name} is not known",
            expected="a name of the time zone database, for example UTC or Europe/Berlin",
            do="Correct it",
        ) from wrong


def with_time(table: Table, name: str, value: Column, form: TimeForm, zone: str | None) -> Table:
    """The table with a time: microseconds since 1970 UTC (null: cannot be read), and ``name_bare``: has no zone.

    ``zone`` is the zone of times that carry none. The steps are columns of their own, so that none is computed twice.
    """
    ibis, kind = load("ibis"), value.type()
    if kind.is_timestamp() or kind.is_date():
        table = table.mutate(_wall=_since_1970(value.cast("timestamp")))
        if kind.is_timestamp() and kind.timezone is not None:
            return table.mutate(**{name: table["_wall"], f"{name}_bare": ibis.literal(False)})
        return _at_zone(table, name, zone)
    if form == "ns":
        return table.mutate(**{name: value.try_cast("int64") // NS_PER_US, f"{name}_bare": ibis.literal(False)})
    if form != "text":
        number = value.try_cast("float64") * float(US_PER_UNIT[form])
        inside = (number.abs() < LARGEST_US).ifelse(number, ibis.null("float64"))
        return table.mutate(**{name: (inside + 0.5).floor().cast("int64"), f"{name}_bare": ibis.literal(False)})
    return _written(table.mutate(_text=value.cast("string")), name, zone)


def _since_1970(moment: Column) -> Column:
    return moment.delta(load("ibis").timestamp("1970-01-01"), unit="microsecond")


def _written(table: Table, name: str, zone: str | None) -> Table:
    """``2026-01-01T00:00:00.000Z``, with an offset, or without either."""
    text = table["_text"]
    utc = text.endswith("Z") | text.endswith("z") | text.endswith("UTC") | text.endswith("GMT")
    table = table.mutate(_utc=utc, _tail_at=table["_text"].length() - LONGEST_OFFSET)
    timed = ~table["_utc"] & (table["_tail_at"] > DATE_LENGTH)
    table = table.mutate(_tail=timed.ifelse(table["_text"].substr(table["_tail_at"], LONGEST_OFFSET), ""))
    table = table.mutate(_plus=table["_tail"].find("+"), _minus=table["_tail"].find("-"))
    table = table.mutate(_sign=(table["_plus"] >= 0).ifelse(table["_plus"], table["_minus"]))
    table = table.mutate(_offset=table["_sign"] >= 0)
    body = table["_text"].substr(0, table["_tail_at"] + table["_sign"])
    table = table.mutate(  # engines differ in what they make of an offset, so it is cut off
        _body=table["_offset"].ifelse(body, table["_text"]),
        _digits=table["_offset"].ifelse(table["_tail"].substr(table["_sign"] + 1).replace(":", ""), ""),
    )
    hours = table["_digits"].substr(0, 2).try_cast("int64")
    minutes = table["_digits"].substr(2, 2).try_cast("int64").fill_null(0)
    ahead = (hours * 60 + minutes) * US_PER_MINUTE * (table["_plus"] >= 0).ifelse(1, -1)
    ahead = table["_offset"].ifelse(ahead, 0)
    table = table.mutate(_wall=_since_1970(table["_body"].try_cast("timestamp")), _ahead=ahead)
    table = _at_zone(table, "_bare", zone)
    wall, known = table["_wall"], table["_utc"] | table["_offset"]
    at = known.ifelse(wall - table["_ahead"], table["_bare"])
    return table.mutate(**{name: at, f"{name}_bare": ~known & table["_bare_bare"] & wall.notnull()})


def _at_zone(table: Table, name: str, zone: str | None) -> Table:
    """The wall time as a time of the zone."""
    ibis = load("ibis")
    if zone is None:
        return table.mutate(**{name: ibis.null("int64"), f"{name}_bare": ibis.literal(True)})
    at = table["_wall"] - _ahead(table["_wall"], changes(zone_named(zone)))
    return table.mutate(**{name: at, f"{name}_bare": ibis.literal(False)})


def _ahead(wall: Column, steps: list[tuple[int, int]]) -> Column:
    """How far the clock is ahead of UTC at a wall time: the last step that is not later, by halving."""
    if len(steps) == 1:
        return load("ibis").literal(steps[0][1], type="int64")
    middle = len(steps) // 2
    return (wall < steps[middle][0]).ifelse(_ahead(wall, steps[:middle]), _ahead(wall, steps[middle:]))


def changes(zone: ZoneInfo) -> list[tuple[int, int]]:
    """From which wall time on (µs) the clock is how far ahead of UTC (µs).

    A wall time that occurs twice counts as its first occurrence; one that never occurs as if the clock had not yet
    been put forward.

    >>> changes(ZoneInfo("UTC"))
    [(-9223372036854775808, 0)]
    """
    hour, end = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR, 1, 1, tzinfo=UTC)
    ahead = _offset_us(hour, zone)
    steps = [(-(2**63), ahead)]
    while hour < end:
        later = hour + timedelta(days=1)
        if _offset_us(later, zone) != ahead:
            low, high = hour, later
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                low, high = (middle, high) if _offset_us(middle, zone) == ahead else (low, middle)
            after = _offset_us(later, zone)
            change = round(high.timestamp()) * US_PER_SECOND
            steps.append((change + max(ahead, after), after))
            ahead = after
        hour = later
    return steps


def _offset_us(moment: datetime, zone: ZoneInfo) -> int:
    offset = moment.astimezone(zone).utcoffset() or timedelta()
    return int(offset.total_seconds()) * US_PER_SECOND


def hour_of_week(at_us: Column) -> Column:
    """The hour of the week, 0 = Monday 00:00 UTC."""
    return (at_us // US_PER_HOUR + THURSDAY) % HOURS_PER_WEEK


def hour_of_week_at(at_us: int) -> int:
    """The same of a number.

    >>> hour_of_week_at(0) // 24  # 1970-01-01 was a Thursday
    3
    """
    return (at_us // US_PER_HOUR + THURSDAY) % HOURS_PER_WEEK


def utc(at_us: int) -> datetime:
    """The moment.

    >>> utc(1_700_158_546_000_000).isoformat()
    '2023-11-16T18:15:46+00:00'
    """
    return datetime.fromtimestamp(at_us // US_PER_SECOND, UTC)
