"""The picture of prices over time: a line of steps for each price, with a dot on every dated row."""

from collections.abc import Sequence
from datetime import date

import altair as alt

from breakeven.catalogue.history import PriceHistory, Series
from breakeven.report.charts import INK, Rows, data, spoken, styled, texts
from breakeven.report.history import LOGARITHMIC_FROM
from breakeven.report.words import unit_price
from breakeven.wording import Say, joined, worded

LINES = (("var(--api)", [1, 0]), ("var(--hosted)", [7, 4]), ("var(--ink)", [2, 3]), ("var(--muted)", [10, 3, 2, 3]))
"""Colour and dashes of each line in turn: told apart without colour too."""


def history_chart(
    series: tuple[Series, ...], last: date, size: tuple[int, int], say: Say = str, told: Sequence[Sequence[str]] = ()
) -> alt.TopLevelMixin:
    """USD a unit over the days; the axis is logarithmic where prices are far apart.

    ``size``: pixels; ``told``: what the dots of each price say, which stand where it begins and ends.
    """
    width, height = size
    corners = [[(day, usd) for day, usd in one.steps(last) if usd is not None] for one in series]
    prices = [float(usd) for line in corners for _, usd in line]
    wide = max(prices) >= LOGARITHMIC_FROM * min(prices) > 0
    x = alt.X("x:T").axis(title=None, format="%Y-%m", tickCount=max(width // 110, 2), labelOverlap=True)
    scale = {"type": "log"} if wide else {"zero": True}
    y = (
        alt.Y("y:Q")
        .scale(**scale)
        .axis(title=say(worded("USD per {unit}", unit=series[0].unit)), tickCount=5, format="~r")
    )
    ends = {place: line[-1][1] for place, line in enumerate(corners) if line}
    lowest = min(ends, key=lambda place: ends[place]) if len(ends) > 1 else None
    layers: list[alt.Chart] = []
    for place, (one, line) in enumerate(zip(series, corners, strict=True)):
        colour, dashes = LINES[place % len(LINES)]
        rows: Rows = [{"x": day.isoformat(), "y": float(usd)} for day, usd in line]
        if not rows:
            continue
        base = alt.Chart(data(rows))
        layers.append(base.mark_line(color=colour, strokeDash=dashes, strokeWidth=2).encode(x, y))
        said = [words for words in told[place] for _ in ("begin", "end")] if told else []
        dots = spoken(rows, said).mark_point(filled=True, size=28, color=colour, opacity=1, aria=bool(said))
        layers.append(dots.encode(x, y))
        end = {**rows[-1], "text": f"{say(one.label)} {unit_price(line[-1][1])}"}
        layers.append(texts([end], x, y, align="right", dx=-4, dy=15 if place == lowest else -9, color=INK))
    return styled(alt.layer(*layers).properties(width=width, height=height))


def history_in_words(entry: PriceHistory, series: tuple[Series, ...], last: date) -> str:
    """What the picture shows, for those who do not see it."""
    told = []
    for one in series:
        known = [(day, usd) for day, usd in one.steps(last) if usd is not None]
        if known:
            (first_day, first), (last_day, end) = known[0], known[-1]
            told.append(
                worded(
                    "{line}: {first} on {since}, {last} on {until}",
                    line=one.label,
                    first=unit_price(first),
                    since=first_day,
                    last=unit_price(end),
                    until=last_day,
                )
            )
    return worded(
        "Prices of {name} in USD per {unit}: {told}.", name=entry.name, unit=series[0].unit, told=joined("; ", told)
    )
