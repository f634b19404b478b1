"""The pictures of the page: cost against traffic, bills as bars, the week's load. Numbers in, Altair charts out."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np

from breakeven.options.columns import Floats
from breakeven.report.figures import OTHER, Bars, CostLines, Load
from breakeven.report.svg import MEASURED_FONT
from breakeven.report.words import count, usd
from breakeven.units import DAYS_PER_WEEK, HOURS_PER_DAY
from breakeven.wording import Say, worded

API, HOSTED = "paid API", "self-hosting"
INK, MUTED, GRID, PAPER = "var(--ink)", "var(--muted)", "var(--rule)", "var(--paper)"
COLOURS = {API: "var(--api)", HOSTED: "var(--hosted)"}
DASHES = {API: [7, 4], HOSTED: [1, 0]}
SHAPES = {API: "circle", HOSTED: "square"}
SERIES = {
    "input tokens": "input",
    "cached input tokens": "cached",
    "cache-write tokens": "written",
    "output tokens": "output",
    "machines": "machines",
    OTHER: "rest",
}
"""Lines of a bill that always have the same colour; the others take the free ones in turn."""
FREE_SERIES = 6
LIVELY = 12
"""Font size of what is read first."""
BAR_STEP, BAR = 46, 18
FEW_DECADES = 500
"""An axis over less than this, last over first, is labelled at 2 and 5 too."""
NARROW_FROM = 320
"""In a narrower picture the names of break-evens take the corner in which lines are named otherwise."""
TOTALS_LEFT = 0.84
"""Share of the width that bars take; the rest is for their totals."""
CHARACTER, WIDE_CHARACTER = 6.3, 12.0
"""Mean width of a character at the font size of labels, and that of a Chinese one, in pixels."""
WIDE_FROM = "\u2e80"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
USD_LABELS = (
    "'$' + (datum.value >= 1e9 ? datum.value / 1e9 + 'B' : datum.value >= 1e6 ? datum.value / 1e6 + 'M' : "
    "datum.value >= 1e3 ? datum.value / 1e3 + 'k' : datum.value)"
)
COUNT_LABELS = USD_LABELS.removeprefix("'$' + ")
Rows = list[dict[str, Any]]


def series_classes(series: tuple[str, ...]) -> dict[str, str]:
    """The style-sheet name of each series' colour.

    >>> series_classes(("machines", "logs", "people", "other lines"))
    {'machines': 'machines', 'logs': 'free1', 'people': 'free2', 'other lines': 'rest'}
    """
    free = [name for name in series if name not in SERIES]
    turns = {name: f"free{n % FREE_SERIES + 1}" for n, name in enumerate(free)}
    return {name: SERIES.get(name) or turns[name] for name in series}


def cost_chart(
    lines: CostLines, width: int, height: int, *, yours: bool = True, say: Say = str, told: Sequence[str] = ()
) -> alt.TopLevelMixin:
    """USD a day against requests a day, both logarithmic, with the band, the crossings and the reader's traffic.

    Without ``yours`` the reader's traffic is left out, so that the picture is the same for every traffic. ``told``:
    what the picture says at each traffic.
    """
    lines = lines if yours else unmarked(lines)
    x_domain, y_domain = domains(lines)
    x = alt.X("x:Q").scale(type="log", domain=x_domain, nice=False)
    x = x.axis(values=_decades(*x_domain, most=width // 45), labelExpr=COUNT_LABELS, title=say("requests a day"))
    y = alt.Y("y:Q").scale(type="log", domain=y_domain, nice=False)
    y = y.axis(values=_decades(*y_domain, most=height // 24), labelExpr=USD_LABELS, title=say("USD a day"))
    sides = [(API, lines.api_usd_per_day), (HOSTED, lines.hosted_usd_per_day)]
    volume = lines.requests_per_day.tolist()
    drawn = [
        alt.Chart(data([{"x": v, "y": c} for v, c in zip(volume, cost.tolist(), strict=True) if np.isfinite(c)]))
        .mark_line(color=COLOURS[side], strokeDash=DASHES[side], strokeWidth=2.5, strokeJoin="round", clip=True)
        .encode(x, y)
        for side, cost in sides
        if cost is not None
    ]
    marks = [*_named_lines(lines, x, y, width, say), *_crossing_marks(lines, x, y, width, say)]
    marks += _your_marks(lines, x, y, width) if yours else []
    marks += unseen_columns(_halfway(lines.requests_per_day), x, told)
    return styled(alt.layer(*_band_area(lines, x, y), *drawn, *marks).properties(width=width, height=height))


def _halfway(volumes: Floats) -> list[float]:
    """From where to where each of some volumes is the nearest, on a logarithmic axis."""
    inner = np.sqrt(volumes[:-1] * volumes[1:])
    return [float(volumes[0]), *inner.tolist(), float(volumes[-1])]


def unmarked(lines: CostLines) -> CostLines:
    """The lines as if the reader's traffic were in the middle of the picture and cost nothing that is known."""
    middle = float(np.sqrt(lines.requests_per_day[0] * lines.requests_per_day[-1]))
    return replace(lines, your_requests_per_day=middle, your_api_usd_per_day=None, your_hosted_usd_per_day=None)


def _band_area(lines: CostLines, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """The cost of self-hosting between both ends of the speed's band, as an area behind the lines."""
    if lines.hosted_band is None:
        return []
    rows = [
        {"x": volume, "y": low, "high": high}
        for volume, low, high in zip(lines.requests_per_day.tolist(), *map(list, lines.hosted_band), strict=True)
        if np.isfinite(low) and np.isfinite(high)
    ]
    if len(rows) < 2:
        return []
    area = alt.Chart(data(rows)).mark_area(color=COLOURS[HOSTED], opacity=0.16, clip=True)
    return [area.encode(x, y, y2="high:Q")]


def _named_lines(lines: CostLines, x: alt.X, y: alt.Y, width: int, say: Say) -> list[alt.Chart]:
    """The name of each line, on the line, where the two are far apart and nothing else is named."""
    api, hosted, volume = lines.api_usd_per_day, lines.hosted_usd_per_day, lines.requests_per_day
    left = 0.04 if width >= NARROW_FROM else 0.22
    place = round(len(volume) * (left if _share(lines.your_requests_per_day, lines) > 0.4 else 0.6))
    found = []
    for name, cost, other in ((API, api, hosted), (HOSTED, hosted, api)):
        if cost is None or not np.isfinite(cost[place]):
            continue
        above = other is None or cost[place] >= other[place]
        row = {"x": float(volume[place]), "y": float(cost[place]), "text": say(name)}
        look: dict[str, Any] = {"dx": 0 if above else 12, "dy": -10 if above else 14}
        found.append(texts([row], x, y, align="left", color=COLOURS[name], fontWeight="bold", **look))
    return found


def _crossing_marks(lines: CostLines, x: alt.X, y: alt.Y, width: int, say: Say) -> list[alt.Chart]:
    """A dot at every crossing, and a line down from the break-even and from where hosting is first cheaper."""
    cost, volume = lines.api_usd_per_day, lines.requests_per_day
    if cost is None:
        return []
    marks = []
    dots = [{"x": v, "y": _at(v, volume, cost)} for v in lines.crossings]
    told = lines.crossover
    named = [] if told is None else [("break-even", told.requests_per_day)]
    if told and told.first_requests_per_day != told.requests_per_day:
        named.append(("first cheaper", told.first_requests_per_day))
    bottom = domains(lines)[1][0]
    for place, (words, at) in enumerate(named):
        if at is None or at <= volume[0]:
            continue
        top = _at(at, volume, cost)
        label = say(worded("{what}: {count}", what=words, count=count(at)))
        drop = [{"x": at, "y": bottom, "top": top, "text": label}]
        rule = alt.Chart(data(drop)).mark_rule(color=INK, strokeWidth=1, opacity=0.8)
        marks.append(rule.encode(x, y, y2="top:Q"))
        side = _beside(label, _share(at, lines) * width, width)
        marks.append(texts(drop, x, y, baseline="bottom", dy=-6 - 17 * place, color=INK, **side))
    if dots:
        look: dict[str, Any] = {"fill": PAPER, "stroke": INK, "strokeWidth": 1.6, "opacity": 1}
        marks.append(alt.Chart(data(dots)).mark_point(filled=True, size=46, **look).encode(x, y))
    return marks


def _your_marks(lines: CostLines, x: alt.X, y: alt.Y, width: int) -> list[alt.Chart]:
    """The reader's traffic as a dotted line, and on it what each side costs there."""
    you = lines.your_requests_per_day
    rule = alt.Chart(data([{"x": you}])).mark_rule(color=INK, strokeDash=[2, 3], strokeWidth=1.2)
    label = f"your traffic: {count(you)}"
    row = [{"x": you, "y": domains(lines)[1][1], "text": label}]
    side = _beside(label, _share(you, lines) * width, width)
    told = texts(row, x, y, baseline="top", dy=3, color=INK, fontWeight="bold", **side)
    marks = [rule.encode(x), told]
    here = [(API, lines.your_api_usd_per_day), (HOSTED, lines.your_hosted_usd_per_day)]
    known = [(side, cost) for side, cost in here if cost is not None]
    for name, cost in known:
        row = [{"x": you, "y": cost, "text": usd(cost)}]
        dot = alt.Chart(data(row)).mark_point(shape=SHAPES[name], filled=True, size=80, color=COLOURS[name], opacity=1)
        upper = cost >= max(other for _, other in known)
        right: dict[str, Any] = {"align": "left", "dx": 9, "dy": 13}
        left: dict[str, Any] = {"align": "right", "dx": -9, "dy": -12}
        if upper and _share(you, lines) < 0.2:
            left = {"align": "left", "dx": 9, "dy": -12}
        if not upper and _share(you, lines) > 0.8:
            right = {"align": "right", "dx": -6, "dy": 20}
        where = left if upper else right
        marks += [dot.encode(x, y), texts(row, x, y, color=COLOURS[name], fontWeight="bold", **where)]
    return marks


def _beside(label: str, at: float, width: int) -> dict[str, Any]:
    """A label to the right of a vertical line, or to its left where the plot ends too soon. Pixels."""
    fits = at + label_width(label) + 2 * CHARACTER <= width
    return {"align": "left", "dx": 6} if fits else {"align": "right", "dx": -6}


def label_width(label: str) -> float:
    """About how wide a label is. Pixels.

    >>> label_width("your traffic"), label_width("你的流量")
    (75.6, 48.0)
    """
    wide = sum(character >= WIDE_FROM for character in label)
    return wide * WIDE_CHARACTER + (len(label) - wide) * CHARACTER


def _share(volume: float, lines: CostLines) -> float:
    low, high = domains(lines)[0]
    return float(np.log(volume / low) / np.log(high / low))


def _at(volume: float, volumes: Floats, cost: Floats) -> float:
    """The cost at a volume, straight between the drawn points in the logarithm."""
    return float(np.exp(np.interp(np.log(volume), np.log(volumes), np.log(cost))))


def domains(lines: CostLines) -> tuple[tuple[float, float], tuple[float, float]]:
    """From and to of both axes, so that everything that is marked lies inside."""
    here = [lines.your_api_usd_per_day, lines.your_hosted_usd_per_day]
    sides = [side for side in (lines.api_usd_per_day, lines.hosted_usd_per_day) if side is not None]
    costs = np.concatenate([*sides, [cost for cost in here if cost is not None]])
    costs = costs[np.isfinite(costs) & (costs > 0)]
    you = lines.your_requests_per_day
    x = (min(float(lines.requests_per_day[0]), you / 2), max(float(lines.requests_per_day[-1]), you * 2))
    return x, (float(costs.min()) / 4, float(costs.max()) * 4)


def _decades(low: float, high: float, most: int) -> list[float]:
    """Powers of ten between two values, at most so many."""
    powers = list(range(int(np.ceil(np.log10(low))), int(np.floor(np.log10(high))) + 1))
    step = -(-len(powers) // max(most, 1)) or 1
    return [float(f"1e{power}") for power in powers[::step]]


def log_ticks(low: float, high: float) -> list[float]:
    """Where a logarithmic axis is labelled: powers of ten, with 2 and 5 times these where there are few.

    >>> log_ticks(2.5, 16.0), log_ticks(0.5, 2e4)
    ([5.0, 10.0], [1.0, 10.0, 100.0, 1000.0, 10000.0])
    """
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = (1, 2, 5) if high / low < FEW_DECADES else (1,)
    return [value for power in powers for step in steps if low <= (value := float(f"{step}e{power}")) <= high]


def bars_chart(bars: Bars, width: int) -> alt.TopLevelMixin:
    """The bills as stacked bars, each named above its bar, with its total at the end.

    Bills of unlike quality are drawn as shares of each, so that no length compares them.
    """
    wholes = [sum(usd_a_day for _, usd_a_day in bar.parts) or 1.0 for bar in bars.bars]
    top = 1.0 if bars.shares else max(wholes)
    classes = series_classes(bars.series)
    parts, names, totals = [], [], []
    for row, bar in enumerate(bars.bars):
        start = 0.0
        for name, cost in ((name, cost / (wholes[row] if bars.shares else 1.0)) for name, cost in bar.parts):
            wide = cost / top * width * TOTALS_LEFT
            label = name if wide > len(name) * CHARACTER + 12 else ""
            parts.append({"row": row, "x": start, "end": start + cost, "part": name, "text": label})
            start += cost
        least = "≥ " if bar.verdict.bill.unpriced else ""
        unknown = " (latency not known)" if bar.verdict.meets_slo is None else ""
        names.append({"row": row, "x": 0, "text": _shortened(bar.verdict.option.id, unknown, int(width / CHARACTER))})
        totals.append({"row": row, "x": start, "text": least + usd(bar.verdict.bill.usd_per_day)})
    y = alt.Y("row:O").axis(None).scale(paddingInner=0, paddingOuter=0)
    x = alt.X("x:Q").scale(domain=[0, top / TOTALS_LEFT], nice=False).axis(None)
    names_of = list(classes)
    fill = alt.Color("part:N").legend(None).scale(domain=names_of, range=[f"var(--{classes[n]})" for n in names_of])
    bar_marks = alt.Chart(data(parts)).mark_bar(size=BAR, stroke=PAPER, strokeWidth=1.5, yOffset=10)
    layers = [
        bar_marks.encode(x, alt.X2("end:Q"), y, fill),
        texts(parts, x, y, align="left", dx=6, dy=10, color="var(--on-bar)"),
        texts(names, x, y, align="left", dy=-8, color=INK),
        texts(totals, x, y, align="left", dx=7, dy=10, color=INK, fontWeight="bold"),
    ]
    return styled(alt.layer(*layers).properties(width=width, height=alt.Step(BAR_STEP)))


def _shortened(option: str, remark: str, most: int) -> str:
    """An option's id without its kind, cut so that it and a remark take no more characters.

    >>> _shortened("host:qwen3-32b:fp8:g6e.xlarge", " (x)", 16)
    'qwen3-32b:f… (x)'
    """
    name = option.split(":", 1)[1]
    room = most - len(remark)
    return (name if len(name) <= room else f"{name[: room - 1]}…") + remark


def load_chart(load: Load, width: int, say: Say = str, told: Sequence[str] = ()) -> alt.TopLevelMixin:
    """Requests in flight against room, and replicas, hour by hour. ``told``: what the picture says at each hour."""
    hours = len(load.in_flight)
    weekly = hours > HOURS_PER_DAY
    ticks = [HOURS_PER_DAY * day for day in range(DAYS_PER_WEEK)] if weekly else [0, 6, 12, 18, HOURS_PER_DAY]
    words = (
        f"{[say(day) for day in DAYS]}[datum.value / 24]"
        if weekly
        else "(datum.value < 10 ? '0' : '') + datum.value + ':00'"
    )
    axis = alt.Axis(values=ticks, labelExpr=words, labelAlign="left" if weekly else "center", title=None)
    x = alt.X("x:Q").scale(domain=[0, hours], nice=False).axis(axis)
    bare = x.axis(values=ticks, labels=False, ticks=False, title=None)
    shown = {"used": load.in_flight, "needed": load.needed, "room": load.room, "replicas": load.replicas}
    columns = {name: [*column.tolist(), column[-1].item()] for name, column in shown.items()}
    every = zip(range(hours + 1), *columns.values(), strict=True)
    rows = [dict(zip(("x", *columns), row, strict=True)) for row in every]

    def count_axis(name: str, title: str, ticks: int) -> alt.Y:
        return alt.Y(f"{name}:Q").scale(zero=True).axis(title=title, tickCount=ticks, labelExpr=COUNT_LABELS)

    base = alt.Chart(data(rows))
    in_flight = alt.layer(
        base.mark_area(color="var(--load)", interpolate="step-after").encode(
            bare, count_axis("used", say("requests in flight"), 4)
        ),
        base.mark_line(color="var(--hosted)", strokeDash=[3, 3], strokeWidth=1.5, interpolate="step-after").encode(
            bare, alt.Y("needed:Q")
        ),
        base.mark_line(color=INK, strokeWidth=2, interpolate="step-after").encode(bare, alt.Y("room:Q")),
        *unseen_columns(range(hours + 1), bare, told),
    ).properties(width=width, height=190)
    most = max(float(load.replicas.max()), load.paid_replicas or 0.0)
    replicas = alt.layer(
        base.mark_area(color="var(--load)", line={"color": INK, "strokeWidth": 1.5}, interpolate="step-after").encode(
            x, count_axis("replicas", say("replicas"), int(min(most, 3)))
        ),
        *([] if load.paid_replicas is None else [_paid_rule(load.paid_replicas)]),
        *unseen_columns(range(hours + 1), x, told),
    ).properties(width=width, height=80)
    return styled(alt.vconcat(in_flight, replicas, spacing=14))


def _paid_rule(replicas: float) -> alt.Chart:
    rule = alt.Chart(data([{"y": replicas}])).mark_rule(color="var(--hosted)", strokeDash=[7, 4], strokeWidth=1.5)
    placed: alt.Chart = rule.encode(alt.Y("y:Q"))
    return placed


def texts(rows: Rows, x: alt.X, y: alt.Y, **look: Any) -> alt.Chart:  # noqa: ANN401 - Altair's own options
    """Words at places."""
    chart: alt.Chart = alt.Chart(data(rows)).mark_text(fontSize=LIVELY, **look).encode(x, y, text=alt.Text("text:N"))
    return chart


def spoken(rows: Rows, told: Sequence[str]) -> alt.Chart:
    """A chart of rows whose marks say something when they are pointed at, where it is told; they need ``aria`` too."""
    if not told:
        return alt.Chart(data(rows))
    found: alt.Chart = alt.Chart(data([row | {"told": words} for row, words in zip(rows, told, strict=True)]))
    return found.encode(description="told:N")


def unseen_columns(ends: Sequence[float], x: alt.X, told: Sequence[str]) -> list[alt.Chart]:
    """Unseen columns over the whole height, which say what stands in them when they are pointed at."""
    if not told:
        return []
    rows: Rows = [{"x": low, "end": high} for low, high in pairwise(ends)]
    return [spoken(rows, told).mark_rect(fill=INK, opacity=0, aria=True).encode(x, x2="end:Q")]


def data(rows: Rows) -> alt.InlineData:
    """Rows as the data of a layer."""
    return alt.InlineData(values=rows)


def styled(chart: Any) -> alt.TopLevelMixin:  # noqa: ANN401 - layered or concatenated
    """The look that all pictures share."""
    styled: alt.TopLevelMixin = (
        chart.configure(aria=False, background="transparent", font=MEASURED_FONT, padding=2)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=MUTED,
            labelFontSize=LIVELY,
            titleColor=MUTED,
            titleFontSize=LIVELY,
            titleFontWeight="normal",
            titlePadding=8,
            gridColor=GRID,
            domainColor=MUTED,
            tickColor=MUTED,
        )
    )
    return styled
