"""Prices over time in the terminal: a chart, the dated rows behind it, and what changed between two days."""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from breakeven.catalogue.diff import Change, Diff, Listed
from breakeven.catalogue.history import Histories, PriceHistory, Series, usd_of
from breakeven.catalogue.kinds import Line
from breakeven.catalogue.schema import ApiPrice, PriceRow, ServicePrice
from breakeven.report.catalogue import Footnotes, print_foot, print_hint, print_lines, print_title
from breakeven.report.facts import exact
from breakeven.report.text_chart import drawn
from breakeven.report.words import unit_price

CHART_HEIGHT = 12
SERIES_DRAWN = 4
LOGARITHMIC_FROM = 20
"""A chart whose largest price is so many times its smallest has a logarithmic axis."""
POWER = re.compile(r"10\^(-?\d+(?:\.\d+)?)")
SAME = "="
LAG = "a day is often that on which a public table first showed a price; the change may be older"


def print_histories(found: Histories, console: Console) -> None:
    """The prices of a name over time: drawn, and row by row with their sources."""
    notes = Footnotes(found.sources)
    for entry in found.entries:
        print_title(console, f"{entry.kind[:-1]} over time", f"{entry.name}, {_span(entry, found)}")
        first, last = max(entry.first_day, found.since or date.min), entry.gone_on or found.as_of
        if first < last:
            shown = drawn_series(entry)
            console.print(_chart(shown, first, last))
            _print_left(entry, len(shown), console)
        print_lines([_line(one, row, change, notes) for one, row, change in _by_day(entry)], console)
    bases = {row.date_basis for entry in found.entries for series in entry.series for row in series.rows}
    print_foot(bases, notes, console)


def _print_left(entry: PriceHistory, drawn: int, console: Console) -> None:
    """Say what the chart leaves out, and how to see it."""
    left = len(entry.series) - drawn
    if left:
        how = ": --tier and --kind choose" if entry.kind == "offers" else ""
        console.print(Text(f"  {left} more of its prices are not drawn{how}", style="dim"))


def _span(entry: PriceHistory, found: Histories) -> str:
    first = max(entry.first_day, found.since) if found.since else entry.first_day
    return f"{first} to {found.as_of}" + (f"; {entry.status}" if entry.status else "")


def drawn_series(entry: PriceHistory) -> list[Series]:
    """The series of the chart: those of the first tier, for short requests at the dearer hours, that are known."""
    first = entry.series[0].rows[0]
    same = [series for series in entry.series if _beside(first, series.rows[0])]
    moved = [series for series in same if len({usd_of(row) for row in series.rows}) > 1]
    return (same if len(same) <= SERIES_DRAWN else moved or same)[:SERIES_DRAWN]


def _beside(first: PriceRow, other: PriceRow) -> bool:
    """Whether two prices of one name are drawn in one chart: one tier, one length of prompt, one unit."""
    same = {ApiPrice: ("tier", "above_input_tokens", "window"), ServicePrice: ("item",)}.get(type(first), ())
    return all(getattr(first, field) == getattr(other, field) for field in same)


def _chart(series: Sequence[Series], first: date, last: date) -> Padding:
    """Each price as a line of steps over the days; the legend gives its first and its last price."""
    corners = [one.steps(last) for one in series]
    prices = [float(usd) for line in corners for _, usd in line if usd is not None]
    wide = max(prices) >= LOGARITHMIC_FROM * min(prices)
    text = drawn(
        xs=[np.array([max(day, first) for day, _ in line], dtype="datetime64[D]") for line in corners],
        ys=[[np.nan if usd is None else float(usd) for _, usd in line] for line in corners],
        y_as_log=wide,
        y_gridlines=[],
        lines=True,
        legend_labels=[_legend(one) for one in series],
        height=CHART_HEIGHT,
        title=f"USD per {series[0].unit}",
        **({} if wide else {"y_min": 0}),
    )
    text = POWER.sub(lambda found: f"{10 ** float(found[1]):.3g}", text)
    return Padding(Text.from_ansi(text), (1, 0, 0, 2))


def _legend(series: Series) -> str:
    first, last = usd_of(series.rows[0]), usd_of(series.rows[-1])
    return f"{series.label} {exact(first)}" + (f" > {exact(last)}" if first != last else "")


def _by_day(entry: PriceHistory) -> list[tuple[Series, PriceRow, Decimal | None]]:
    """Every row with its change, oldest first; rows of one day in the order of the series."""
    rows = [
        (series, row, change)
        for series in entry.series
        for row, change in zip(series.rows, series.changes, strict=True)
    ]
    return sorted(rows, key=lambda found: found[1].effective_from)


def _line(series: Series, row: PriceRow, change: Decimal | None, notes: Footnotes) -> Line:
    until = f" until {row.until}" if isinstance(row, ApiPrice) and row.until else ""
    return {
        "from": f"{row.effective_from}{until}",
        "price": series.label,
        "usd": usd_of(row),
        "per": series.unit,
        "change": percent(change),
        "dated": row.date_basis,
        "source": notes.mark(row.source, row.note),
    }


def percent(change: Decimal | None) -> str:
    """A change in percent, with its sign.

    >>> percent(Decimal("-0.5")), percent(Decimal("1.999")), percent(Decimal(0)), percent(Decimal("0.004"))
    ('-50 %', '+200 %', '=', '+0.4 %')
    """
    if change is None:
        return ""
    if not change:
        return SAME
    size = f"{change * 100:+.0f}" if abs(change) >= Decimal("0.1") else f"{change * 100:+.1f}"
    return f"{size} %"


def print_diff(found: Diff, console: Console, top: int) -> None:
    """What changed between two days, the largest changes first."""
    console.print(Text(f"Catalogue {found.catalogue_digest}", style="bold"))
    console.print(Text(f"from {found.before} to {found.after} in {found.region}"))
    _section(console, "prices changed", [_changed(one) for one in found.changed], top)
    _section(console, "offers that came", [_came(one) for one in found.offers_came], top)
    _section(console, "offers that went", [_went(one) for one in found.offers_went], top)
    _section(console, "machines first priced", [_came(one) for one in found.machines_came], top)
    _section(console, "machines that went", [_went(one) for one in found.machines_went], top)
    console.print(Text(f"\n  {_rest(found)}"))
    console.print(Text(f"  {LAG}", style="dim"))
    print_hint(console, "breakeven catalogue history NAME", "breakeven catalogue show NAME")


def _rest(found: Diff) -> str:
    counts = [f"{found.unchanged:,} prices unchanged"]
    counts += [f"{found.prices_came:,} tiers and kinds of token came"] if found.prices_came else []
    counts += [f"{found.prices_went:,} went"] if found.prices_went else []
    return "; ".join(counts)


def _section(console: Console, title: str, lines: list[Line], top: int) -> None:
    if not lines and title.startswith("machines"):
        return
    print_title(console, f"{title}: {len(lines):,}", "in USD" if lines else "")
    if lines:
        print_lines(lines[:top], console)
    if len(lines) > top:
        console.print(Text(f"  and {len(lines) - top:,} more: --top {len(lines)}", style="dim"))


def _changed(one: Change) -> Line:
    return {
        "name": one.name,
        "price": one.price,
        "old": unit_price(one.old),
        "new": unit_price(one.new),
        "per": one.unit,
        "change": percent(one.change),
        "since": one.since,
    }


def _came(one: Listed) -> Line:
    return {"name": one.name, "price": _prices(one), "since": one.since}


def _went(one: Listed) -> Line:
    return {"name": one.name, "price": _prices(one), "because": one.because}


def _prices(one: Listed) -> str:
    prices = ", ".join(f"{name} {unit_price(usd)}" for name, usd in one.prices.items())
    return f"{prices} per {one.unit}"
