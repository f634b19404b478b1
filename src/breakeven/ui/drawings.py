"""The pictures of a page, one at a time and each drawn once: those of the report, without what moves with the traffic.

The picture of costs is the same for every traffic, so it is kept while the traffic is dragged; what lies over it (your
traffic, and what each side costs there) is written here as a few lines of SVG in the picture's own coordinates.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

import altair as alt
import numpy as np
from markupsafe import Markup

from breakeven.errors import UnknownNameError
from breakeven.report.charts import CHARACTER, cost_chart, domains, label_width, load_chart, unmarked
from breakeven.report.figures import CostLines
from breakeven.report.pareto_chart import front_in_words, pareto_chart
from breakeven.report.pictures import LOW, NARROW, TALL, WIDE, costs_in_words, load_in_words
from breakeven.report.svg import render
from breakeven.report.tornado_chart import tornado_chart, tornado_in_words
from breakeven.report.words import usd
from breakeven.ui import marks
from breakeven.ui.answers import Answer
from breakeven.ui.kept import Kept
from breakeven.ui.now import Now
from breakeven.ui.texts import Texts
from breakeven.ui.tips import Tips

Width = Literal["wide", "half", "narrow"]
PIXELS: dict[Width, int] = {"wide": WIDE, "half": 480, "narrow": NARROW}
PAGE_WIDTHS: tuple[Width, ...] = ("wide", "narrow")
"""The widths of which a page shows one: for a screen or paper, and for a phone."""
PICTURES_KEPT = 96
FIRST_GROUP = re.compile(r'transform="translate\(([\d.]+),\s*([\d.]+)\)"')
VIEW_BOX = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
TITLES = {"load": "load.title", "tornado": "hangs.title", "pareto": "front.title"}
"""The text of the title of each of an answer's other pictures."""
LABEL = 12
"""Font size of what is written over a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One picture: its SVG, its size, and where its plot begins. Pixels."""

    svg: str
    width: float
    height: float
    left: float
    top: float


class Drawings:
    """Pictures, kept by what they show."""

    def __init__(self) -> None:
        self._kept: Kept[Drawn] = Kept(PICTURES_KEPT)

    def costs(self, lines: CostLines, width: Width, t: Texts, day: date, place: str = "") -> Drawn:
        """Cost against traffic, for any traffic, at the prices of a day.

        ``place``: where several stand on one page, what tells them apart.
        """
        bare = unmarked(lines)

        def chart() -> alt.TopLevelMixin:
            told = marks.of_costs(bare, day, t)
            return cost_chart(bare, PIXELS[width], _height(width), yours=False, say=t.say, told=told)

        told = t("costs.title"), t.say(costs_in_words(bare))
        return self._drawn(_key(bare, width, t, day, place), chart, told)

    def known_costs(self, lines: CostLines, width: Width, t: Texts, day: date) -> Drawn | None:
        """The same if it was drawn before."""
        return self._kept.known(_key(unmarked(lines), width, t, day, ""))

    def of_answer(self, answer: Answer, name: str, width: Width, t: Texts) -> Drawn:
        """One of the other pictures of an answer.

        Raises:
            UnknownNameError: if it has no such picture.
        """
        found = _others(answer, width, t)
        if name not in found:
            raise UnknownNameError("picture", name, found)
        description, chart = found[name]
        key = (name, width, id(answer), answer.scenario.query, t.lang)
        return self._drawn(key, chart, (t(TITLES[name]), t.say(description)))

    def names(self, answer: Answer) -> tuple[str, ...]:
        """The other pictures that an answer has."""
        section = answer.section
        has = {"load": section.load, "tornado": section.hangs_on, "pareto": answer.front}
        return tuple(name for name, shown in has.items() if shown is not None)

    def other(self, key: tuple[object, ...], chart: Callable[[], alt.TopLevelMixin], told: tuple[str, str]) -> Drawn:
        """A picture of another page; ``told``: its title and what it shows in words."""
        return self._drawn(key, chart, told)

    def _drawn(self, key: tuple[object, ...], chart: Callable[[], alt.TopLevelMixin], told: tuple[str, str]) -> Drawn:
        prefix = f"v{hashlib.sha256(repr(key).encode()).hexdigest()[:10]}"
        return self._kept.get(key, lambda: _measured(render(chart, prefix, *told)))


def _key(bare: CostLines, width: Width, t: Texts, day: date, place: str) -> tuple[object, ...]:
    """What a picture of costs shows: two with the same key are the same."""
    arrays = (bare.requests_per_day, bare.api_usd_per_day, bare.hosted_usd_per_day, *(bare.hosted_band or ()))
    shown = b"".join(array.tobytes() for array in arrays if array is not None)
    return "costs", width, t.lang, place, shown, repr((bare.crossover, bare.crossings, bare.api, bare.hosted, day))


def _height(width: Width) -> int:
    return TALL if width == "wide" else LOW


def _others(answer: Answer, width: Width, t: Texts) -> dict[str, tuple[str, Callable[[], alt.TopLevelMixin]]]:
    """What each picture shows in words, and how it is drawn."""
    found: dict[str, tuple[str, Callable[[], alt.TopLevelMixin]]] = {}
    section, front, pixels, day = answer.section, answer.front, PIXELS[width], answer.plan.as_of
    if section.load is not None:
        load, basis = section.load, Tips(t, answer.plan, answer.sources).load(answer.load_basis)
        found["load"] = load_in_words(load), lambda: load_chart(load, pixels, t.say, marks.of_load(load, basis, t))
    if section.hangs_on is not None and section.ranges is not None:
        swings, told = section.hangs_on, marks.of_swings(section.hangs_on, section.ranges, day, t)
        found["tornado"] = tornado_in_words(swings), lambda: tornado_chart(swings, pixels, t.say, told)
    if front is not None:
        points = marks.of_front(front, day, t)
        found["pareto"] = front_in_words(front), lambda: pareto_chart(front, pixels, LOW, t.say, points)
    return found


def _measured(svg: str) -> Drawn:
    """A picture with its size and the corner of its plot, read off the SVG itself."""
    box, corner = VIEW_BOX.search(svg), FIRST_GROUP.search(svg)
    width, height = (float(box[1]), float(box[2])) if box else (0.0, 0.0)
    left, top = (float(corner[1]), float(corner[2])) if corner else (0.0, 0.0)
    return Drawn(svg=svg, width=width, height=height, left=left, top=top)


def width_of(name: str) -> Width:
    """A width by its name.

    Raises:
        UnknownNameError: if there is none of that name.
    """
    if name not in get_args(Width):
        raise UnknownNameError("width", name, get_args(Width))
    return name  # type: ignore[return-value]


def over_costs(drawn: Drawn, lines: CostLines, now: Now, width: Width, t: Texts) -> Markup:
    """Your traffic as a dotted line over the picture of costs, with a dot where each side is.

    The plot is ``PIXELS`` wide; both axes are logarithmic between the ends of the picture's own axes.
    """
    (x_low, x_high), (y_low, y_high) = domains(unmarked(lines))
    group = next((one for one in now.groups if one.group == lines.group), None)
    x = drawn.left + PIXELS[width] * _share(now.requests_per_day, x_low, x_high)
    bottom = drawn.top + _height(width)
    parts = [
        Markup('<line x1="{0}" x2="{0}" y1="{1}" y2="{2}" class="you"/>').format(_px(x), _px(drawn.top), _px(bottom))
    ]
    label = t("costs.your_traffic", count=t.count(now.requests_per_day))
    fits = x + label_width(label) + 2 * CHARACTER < drawn.width
    anchor, dx = ("start", 6) if fits else ("end", -6)
    parts.append(_text(x + dx, drawn.top + LABEL, label, anchor, "told"))
    sides = [] if group is None else [("api", group.api), ("hosted", group.hosted)]
    known = [(kind, side.usd_per_day) for kind, side in sides if side is not None and np.isfinite(side.usd_per_day)]
    for kind, cost in known:
        y = bottom - _height(width) * min(max(_share(cost, y_low, y_high), 0.0), 1.0)
        upper = cost >= max(other for _, other in known)
        shape = '<circle cx="{x}" cy="{y}" r="5" class="dot {kind}"/>'
        if kind == "hosted":
            shape = '<rect x="{left}" y="{top}" width="9" height="9" class="dot {kind}"/>'
        places = {"x": _px(x), "y": _px(y), "left": _px(x - 4.5), "top": _px(y - 4.5), "kind": kind}
        parts.append(Markup(shape).format(**places))
        parts.append(_text(x + dx * 1.5, y + (-10 if upper else 20), usd(cost), anchor, f"told {kind}"))

    svg = '<svg class="picture" viewBox="0 0 {w} {h}" aria-hidden="true" focusable="false">{inner}</svg>'
    return Markup(svg).format(w=_px(drawn.width), h=_px(drawn.height), inner=Markup("").join(parts))


def _text(x: float, y: float, words: str, anchor: str, look: str) -> Markup:
    text = Markup('<text x="{}" y="{}" text-anchor="{}" class="{}" font-size="{}">{}</text>')
    return text.format(_px(x), _px(y), anchor, look, LABEL, words)


def _share(value: float, low: float, high: float) -> float:
    return float(np.log(value / low) / np.log(high / low))


def _px(value: float) -> str:
    return f"{value:.1f}"
