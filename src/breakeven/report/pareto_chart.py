"""The picture of cost against latency: the options that no other beats on both, and the paid APIs beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from breakeven.decision.rank import Contender
from breakeven.planner import Plan
from breakeven.report.charts import API as PAID
from breakeven.report.charts import (
    COLOURS,
    HOSTED,
    INK,
    LIVELY,
    USD_LABELS,
    Rows,
    data,
    label_width,
    log_ticks,
    spoken,
    styled,
    texts,
)
from breakeven.report.words import seconds, usd
from breakeven.wording import Say, joined, worded

SHOWN = 24
"""Points of the front that are drawn; between more of them nothing could be told apart."""
ASIDE = 8
"""Pixels between a point and its name."""
Ends = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One option: what it costs and how long an answer takes on a replica that is full."""

    option: str
    model: str
    usd_per_day: float
    response_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The self-hosted options of one group that no other beats on both cost and time, fastest first."""

    group: str
    points: tuple[Point, ...]
    of: int
    """Among so many."""
    api: str | None
    api_usd_per_day: float | None
    """The cheapest paid API, whose time is not known here unless it was stated."""


def front_of(plan: Plan) -> Front | None:
    """The front of the first group that has self-hosted options; ``None`` where none has.

    The time is that of a whole answer when as many requests are in flight as the replica admits: the longest that
    the fleet is sized for, on the mean of the requests.
    """
    first = next((c for c in plan.ranking.contenders if c.kind == "hosted"), None)
    if first is None:
        return None
    options = plan.hosted.options
    same = np.flatnonzero(_of_group(plan, first))
    taken = plan.speed.latency(plan.speed.largest_concurrency).response_s[options.row[same]]
    cost = plan.hosted.usd_per_day[same]
    order = np.lexsort((cost, taken))
    best = np.minimum.accumulate(cost[order])
    leads = np.concatenate([[True], cost[order][1:] < best[:-1] * (1 - 1e-9)])
    kept = order[leads]
    if len(kept) > SHOWN:
        kept = kept[np.unique(np.linspace(0, len(kept) - 1, SHOWN).round().astype(int))]
    points = [_point(plan, first, int(same[n]), float(cost[n]), float(taken[n])) for n in kept.tolist()]
    apis = [c for c in plan.ranking.of(first.group) if c.kind == "api"]
    api = min(apis, key=lambda c: c.usd_per_day, default=None)
    return Front(
        group=first.group,
        points=tuple(points),
        of=len(same),
        api=None if api is None else plan.option_id(api),
        api_usd_per_day=None if api is None else api.usd_per_day,
    )


def _of_group(plan: Plan, first: Contender) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which hosted options compete in the group of a contender."""
    if plan.ranking.floor:
        return np.ones(len(plan.hosted.usd_per_day), dtype=np.bool_)
    scores = plan.grid.score[plan.speed.rows[plan.hosted.options.row]]
    unique, place = np.unique(scores, return_inverse=True)
    names = np.array([plan.quality.class_of(float(score)) for score in unique])
    chosen: np.ndarray[tuple[int], np.dtype[np.bool_]] = (names == first.group)[place]
    return chosen


def _point(plan: Plan, like: Contender, number: int, usd_per_day: float, response_s: float) -> Point:
    contender = Contender(
        kind="hosted",
        number=number,
        usd_per_day=usd_per_day,
        score=like.score,
        group=like.group,
        rank=0,
        meets_slo=True,
    )
    return Point(
        option=plan.option_id(contender),
        model=plan.model_of(contender),
        usd_per_day=usd_per_day,
        response_s=response_s,
    )


def front_in_words(front: Front) -> str:
    """What the picture shows, for those who do not see it."""
    points = (
        worded(
            "{option} {usd} a day, {seconds}", option=p.option, usd=usd(p.usd_per_day), seconds=seconds(p.response_s)
        )
        for p in front.points
    )
    told = worded(
        "USD a day against the time of a whole answer on a full replica, both logarithmic: {told}.",
        told=joined("; ", points),
    )
    if front.api is None:
        return told
    return joined(" ", (told, worded("The cheapest paid API costs {usd} a day.", usd=usd(front.api_usd_per_day))))


def pareto_chart(front: Front, width: int, height: int, say: Say = str, told: Sequence[str] = ()) -> alt.TopLevelMixin:
    """USD a day against the time of an answer, both logarithmic; the steps are the front.

    ``told``: what each point says.
    """
    costs = [p.usd_per_day for p in front.points] + ([front.api_usd_per_day] if front.api_usd_per_day else [])
    times = [p.response_s for p in front.points]
    ends = (min(times) / 1.3, max(times) * 1.5), (min(costs) / 1.6, max(costs) * 1.6)
    x = alt.X("x:Q").scale(type="log", domain=ends[0], nice=False)
    x = x.axis(title=say("seconds for a whole answer"), values=log_ticks(*ends[0]), format="~r")
    y = alt.Y("y:Q").scale(type="log", domain=ends[1], nice=False)
    y = y.axis(title=say("USD a day"), values=log_ticks(*ends[1]), labelExpr=USD_LABELS)
    rows: Rows = [
        {"x": p.response_s, "y": p.usd_per_day, "order": n, "text": p.model} for n, p in enumerate(front.points)
    ]
    base = alt.Chart(data(rows))
    layers: list[alt.Chart | alt.LayerChart] = [
        base.mark_line(color=COLOURS[HOSTED], strokeWidth=2, interpolate="step-after").encode(x, y, order="order:Q"),
        spoken(rows, told)
        .mark_point(filled=True, size=55, shape="square", color=COLOURS[HOSTED], opacity=1, aria=bool(told))
        .encode(x, y),
        *_names(rows, x, y, [_pixels(row, ends, (width, height)) for row in rows], width),
        *_paid(front, x, y, ends[0][1], say),
    ]
    return styled(alt.layer(*layers).properties(width=width, height=height))


def _pixels(row: dict[str, Any], ends: tuple[Ends, Ends], size: tuple[int, int]) -> Ends:
    """Where a point lies in the plot, from its left and its bottom."""
    places = zip((row["x"], row["y"]), ends, size, strict=True)
    x, y = (float(np.log(value / low) / np.log(high / low)) * pixels for value, (low, high), pixels in places)
    return x, y


def _names(rows: Rows, x: alt.X, y: alt.Y, places: list[Ends], width: int) -> list[alt.Chart]:
    """The model at every point at which it changes, where the name does not lie on another; the table has them all."""
    sides: dict[str, Rows] = {"left": [], "right": []}
    taken: list[tuple[float, float, float]] = []
    for n, (row, (left, up)) in enumerate(zip(rows, places, strict=True)):
        if n and row["text"] == rows[n - 1]["text"]:
            continue
        long = label_width(row["text"])
        align = "left" if left + ASIDE + long <= width else "right"
        start = left + ASIDE if align == "left" else left - ASIDE - long
        if any(start < end and begin < start + long and abs(up - other) < LIVELY + 2 for begin, end, other in taken):
            continue
        taken.append((start, start + long, up))
        sides[align].append(row)
    return [
        texts(told, x, y, align=align, dx=ASIDE if align == "left" else -ASIDE, dy=-ASIDE, color=INK)
        for align, told in sides.items()
        if told
    ]


def _paid(front: Front, x: alt.X, y: alt.Y, right: float, say: Say) -> list[alt.Chart]:
    if front.api_usd_per_day is None:
        return []
    row = [{"x": right, "y": front.api_usd_per_day, "text": say("cheapest paid API, time not known")}]
    rule = alt.Chart(data(row)).mark_rule(color=COLOURS[PAID], strokeDash=[7, 4], strokeWidth=2).encode(y)
    return [rule, texts(row, x, y, align="right", dx=-4, dy=-8, color=COLOURS[PAID], fontWeight="bold")]
