"""The spend page: what the gateway's meter says of requests and of own machines, as a picture and tables."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from breakeven.errors import BreakevenError, SpecError
from breakeven.gateway.admin_shapes import MachineRow, Machines, Spend, SpendRow
from breakeven.gateway.books.database import Database
from breakeven.gateway.books.spend import BY
from breakeven.report.pictures import LOW
from breakeven.ui import marks
from breakeven.ui.drawings import PAGE_WIDTHS, PIXELS, Drawn, Width
from breakeven.ui.meter import (
    SPEND_FIELDS,
    Asked,
    Meter,
    StoreSilentError,
    asked_of,
    key_names,
    machines_of,
    span_of,
    spend_of,
)
from breakeven.ui.pages import UNPROCESSABLE
from breakeven.ui.site import Site
from breakeven.ui.spend_chart import Moment, spend_chart, spend_in_words
from breakeven.ui.texts import Texts

UNAVAILABLE = 503
HOURS_DRAWN = timedelta(days=4)
"""Up to here the picture has a bar an hour, beyond it one a day."""
MOST_SHOWN = 500
"""Rows of a table on the page; the API has the rest."""
TIMES = {"hour": "%Y-%m-%d %H:00", "day": "%Y-%m-%d"}


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page tells, as of one moment."""

    asked: Asked
    spend: Spend
    total: SpendRow | None
    by_time: Spend
    machines: Machines
    names: dict[str, str]


def meter_of(site: Site) -> Meter:
    """The meter of a site.

    Raises:
        SpecError: if it was started without one.
    """
    if site.meter is None:
        raise SpecError(
            "no store of a gateway is given",
            expected="the store in which a gateway keeps its records",
            do="Start `breakeven ui --store gateway.db`, or set BREAKEVEN_STORE to a postgresql:// address",
        )
    return site.meter


def spend_document(site: Site, request: Request) -> Spend:
    """Dollars, tokens and requests of a span, by group."""
    meter = meter_of(site)
    asked = asked_of(request.query_params.multi_items(), meter.now())
    return meter.ask(lambda database: spend_of(database, asked))


def machines_document(site: Site, request: Request) -> Machines:
    """Own machines of a span."""
    meter = meter_of(site)
    span = span_of(request.query_params.multi_items(), meter.now())
    return meter.ask(lambda database: machines_of(database, span))


def spend_page(site: Site, request: Request) -> Response:
    """What was spent, over a span that stands in the address."""
    t, told, status, found = site.texts(request), None, 200, None
    given = {name: request.query_params.get(name, "") for name in SPEND_FIELDS}
    if site.meter is not None:
        try:
            asked = asked_of(request.query_params.multi_items(), site.meter.now())
            found = site.meter.ask(lambda database: _shown(database, asked))
        except BreakevenError as wrong:
            told, status = wrong.told, UNAVAILABLE if isinstance(wrong, StoreSilentError) else UNPROCESSABLE
    values: dict[str, Any] = {"found": found, "given": given, "problem": told, "groupings": [*BY]}
    values |= {"place": None if site.meter is None else site.meter.shown, "drawn": None}
    if found is not None:
        values |= _values(site, found, t)
    return site.render(request, "spend.html", t, status, here="spend", **values)


def _shown(database: Database, asked: Asked) -> Shown:
    span = asked.span
    step = "hour" if span.until - span.since <= HOURS_DRAWN else "day"
    total = spend_of(database, msgspec.structs.replace(asked, by=()))
    return Shown(
        asked=asked,
        spend=spend_of(database, asked),
        total=total.rows[0] if total.rows else None,
        by_time=spend_of(database, msgspec.structs.replace(asked, by=(step,))),
        machines=machines_of(database, span),
        names=key_names(database),
    )


def _values(site: Site, found: Shown, t: Texts) -> dict[str, Any]:
    rows = found.spend.rows
    timed = [name for name in found.asked.by if name in TIMES]
    if timed:
        rows = sorted(rows, key=lambda row: [str(row.labels[name]) for name in timed])
    bars = _bars(found.by_time)
    drawn = {width: _drawn(site, found, bars, width, t) for width in PAGE_WIDTHS} if bars else None
    span = found.asked.span
    last = span.until - timedelta(microseconds=1)
    return {
        "drawn": drawn,
        "step": found.by_time.by[0],
        "rows": rows[:MOST_SHOWN],
        "of": len(rows),
        "label": lambda name, value: _label(found, name, value, t),
        "cost": lambda row: row_cost(row, t),
        "exact": exact_usd,
        "hours": hours_of,
        "days": {"since": f"{span.since:%Y-%m-%d}", "until": f"{last:%Y-%m-%d}"},
        "span": {"since": f"{span.since:%Y-%m-%d %H:%M}", "until": f"{span.until:%Y-%m-%d %H:%M}"},
    }


def _bars(by_time: Spend) -> list[Moment]:
    """What is drawn, in order: an hour or day of which no cost at all is known has no bar."""
    (step,) = by_time.by
    known = [row for row in by_time.rows if row.usd != "0" or not row.requests_of_unknown_cost]
    return sorted(Moment(datetime.fromisoformat(str(row.labels[step])), float(row.usd)) for row in known)


def _drawn(site: Site, found: Shown, bars: list[Moment], width: Width, t: Texts) -> Drawn:
    (step,) = found.by_time.by
    span = found.asked.span
    told = t(f"spend.chart_{step}"), t.say(spend_in_words(bars, step))
    key = ("spend", width, t.lang, str(span), *bars)
    ends, size = (span.since, span.until), (PIXELS[width], LOW // 2)
    return site.drawings.other(key, lambda: spend_chart(bars, step, ends, size, marks.of_spent(bars, step, t)), told)


def _label(found: Shown, name: str, value: str | None, t: Texts) -> str:
    if value is None:
        return t("spend.no_label")
    if name in TIMES:
        return f"{datetime.fromisoformat(value):{TIMES[name]}}"
    if name == "key" and value in found.names:
        return f"{found.names[value]} ({value})"
    return value


def row_cost(row: SpendRow, t: Texts) -> str:
    """The dollars of a group: at least so many where some of its requests have no known cost."""
    if not row.requests_of_unknown_cost:
        return exact_usd(row.usd)
    return f"≥ {exact_usd(row.usd)}" if row.usd != "0" else t("words.unknown")


def exact_usd(text: str) -> str:
    """Dollars in decimal text as people write them, with every digit that there is, and two at least.

    >>> exact_usd("1234.5"), exact_usd("0.000000000001"), exact_usd("7")
    ('$1,234.50', '$0.000000000001', '$7.00')
    """
    whole, _, part = text.partition(".")
    return f"${int(whole):,}.{part.ljust(2, '0')}"


def hours_of(row: MachineRow) -> str:
    """Hours with two digits behind the point.

    >>> hours_of(MachineRow(upstream="a", hours=1234.5, usd="1", served_usd="1", idle_usd="0"))
    '1,234.50'
    """
    return f"{row.hours:,.2f}"
