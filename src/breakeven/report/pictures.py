"""Every picture of a page in the widths it is shown in, with its title and its description in words."""

from collections.abc import Callable
from dataclasses import dataclass

import altair as alt

from breakeven.planner.spread import ClassRange
from breakeven.report.charts import bars_chart, cost_chart, load_chart
from breakeven.report.figures import Bars, CostLines, Load
from breakeven.report.sections import Section, heading
from breakeven.report.svg import render
from breakeven.report.tornado_chart import tornado_chart, tornado_in_words
from breakeven.report.words import count, usd
from breakeven.units import HOURS_PER_DAY
from breakeven.wording import joined, worded

WIDE, NARROW, HALF = 850, 270, 370
"""Widths of the plots: for a screen or paper, for a phone, and for two beside each other."""
TALL, LOW = 400, 260
AXES = 60
"""What axes take beside the plot, for pictures without any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A drawing, once or in two widths of which the page shows one."""

    title: str
    wide: str
    narrow: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """The pictures of one section, in the order of its figures."""

    costs: list[Picture]
    bars: Picture
    load: Picture | None
    tornado: Picture | None


def pictures(section: Section) -> Pictures:
    """Draw them all."""
    plan, costs = section.plan, []
    for place, lines in enumerate(section.costs):
        title = f"Cost against traffic: {heading(plan, lines.group)}"
        costs.append(_costs(lines, f"{section.key}-cost{place}", title, large=place == 0))
    bills = _bills(section.bars, f"{section.key}-bars")
    return Pictures(
        costs=costs,
        bars=bills,
        load=None if section.load is None else _load(section.load, f"{section.key}-load"),
        tornado=None if section.hangs_on is None else _tornado(section.hangs_on, f"{section.key}-tornado"),
    )


def _both(chart: Callable[[int], alt.TopLevelMixin], key: str, title: str, description: str) -> Picture:
    return Picture(
        title=title,
        wide=render(lambda: chart(WIDE), f"{key}-wide", title, description),
        narrow=render(lambda: chart(NARROW), f"{key}-narrow", title, description),
    )


def _costs(lines: CostLines, key: str, title: str, *, large: bool) -> Picture:
    description = costs_in_words(lines)
    if not large:
        return Picture(title=title, wide=render(lambda: cost_chart(lines, HALF, LOW), key, title, description))
    return _both(lambda width: cost_chart(lines, width, TALL if width == WIDE else LOW), key, title, description)


def costs_in_words(lines: CostLines) -> str:
    """What the picture of costs shows, for those who do not see it."""
    first, last = lines.requests_per_day[0], lines.requests_per_day[-1]
    sides = [("the cheapest paid API", lines.your_api_usd_per_day), ("self-hosting", lines.your_hosted_usd_per_day)]
    here = [worded("{side} costs {usd} a day", side=name, usd=usd(cost)) for name, cost in sides if cost is not None]
    yours = count(lines.your_requests_per_day)
    costs = worded("At your traffic of {count} requests a day {here}.", count=yours, here=joined(" and ", here))
    sentences: list[str] = [
        worded(
            "USD a day against requests a day, both logarithmic, from {low} to {high}.",
            low=count(first),
            high=count(last),
        ),
        *([costs] if here else []),
    ]
    told = lines.crossover
    if told is not None:
        at = told.requests_per_day
        if at is None:
            sentences.append(worded("There is no break-even: {because}.", because=told.because))
        else:
            sentences.append(
                worded(
                    "Break-even at {count} requests a day: {because}.",
                    count=count(at),
                    because=told.because,
                )
            )
    return joined(" ", sentences)


def _bills(bars: Bars, key: str) -> Picture:
    totals = "; ".join(f"{bar.verdict.option.id} {usd(bar.verdict.bill.usd_per_day)}" for bar in bars.bars)
    unit = "the shares of each bill" if bars.shares else "USD a day"
    description = f"Stacked bars of {unit} by line; the totals a day: {totals}."
    return _both(lambda width: bars_chart(bars, width + AXES), key, "Bills", description)


def _tornado(found: ClassRange, key: str) -> Picture:
    title = "What the answer hangs on"
    return _both(lambda width: tornado_chart(found, width), key, title, tornado_in_words(found))


def _load(load: Load, key: str) -> Picture:
    title = f"The {_hours(load)}'s load against capacity"
    return _both(lambda width: load_chart(load, width), key, title, load_in_words(load))


def _hours(load: Load) -> str:
    return "week" if len(load.in_flight) > HOURS_PER_DAY else "day"


def load_in_words(load: Load) -> str:
    """What the picture of the load shows, for those who do not see it."""
    return worded(
        "Requests in flight by hour of the {span}: {low:,.0f} to {high:,.0f} on the mean, room for {least:,.0f} to "
        "{most:,.0f}, on {few:,.0f} to {many:,.0f} replicas.",
        span=_hours(load),
        low=load.in_flight.min(),
        high=load.in_flight.max(),
        least=load.room.min(),
        most=load.room.max(),
        few=load.replicas.min(),
        many=load.replicas.max(),
    )
