"""The picture of what the answer hangs on: a bar an input, from the margin at its low end to that at its high end."""

from collections.abc import Sequence

import altair as alt

from breakeven.planner.spread import ClassRange
from breakeven.report.charts import BAR, BAR_STEP, INK, MUTED, PAPER, Rows, data, label_width, spoken, styled, texts
from breakeven.report.spread import signed_usd
from breakeven.wording import Say, joined, worded

ROOM = 0.12
"""Share of the width on each side for the words at the ends of a bar."""

LABELS = "(datum.value < 0 ? '-$' : '$') + format(abs(datum.value), '~s')"


def tornado_chart(found: ClassRange, width: int, say: Say = str, told: Sequence[str] = ()) -> alt.TopLevelMixin:
    """USD a day that the choice is ahead of its best rival; left of 0 another option is the cheapest.

    The part of a bar towards the input's low end is drawn in another colour than that towards its high end. ``told``:
    what each part says, low end first.
    """
    middle = found.margin_usd_per_day or 0.0
    bars, names, ends = rows_of(found, middle, width, say)
    every = [0.0, middle, *(row["x"] for row in bars), *(row["end"] for row in bars)]
    reach = (max(every) - min(every)) or 1.0
    domain = [min(every) - ROOM * reach, max(every) + ROOM * reach]
    y = alt.Y("row:O").axis(None).scale(paddingInner=0, paddingOuter=0)
    x = alt.X("x:Q").scale(domain=domain, nice=False)
    x = x.axis(labelExpr=LABELS, tickCount=max(width // 120, 2), title=say("USD a day ahead of the best rival"))
    fill = alt.Color("end_of:N").legend(None).scale(domain=["low", "high"], range=["var(--api)", "var(--hosted)"])
    marks = spoken(bars, told).mark_bar(size=BAR, stroke=PAPER, strokeWidth=1.5, yOffset=10, aria=bool(told))
    left = alt.X("x:Q").scale(domain=domain, nice=False)
    layers = [
        marks.encode(x, alt.X2("end:Q"), y, fill),
        alt.Chart(data([{"x": middle}])).mark_rule(color=MUTED, strokeDash=[2, 3]).encode(x),
        alt.Chart(data([{"x": 0.0}])).mark_rule(color=INK, strokeWidth=1.5).encode(x),
        texts([row | {"x": domain[0]} for row in names], left, y, align="left", dx=2, dy=-8, color=INK),
        *(
            texts([row for row in ends if row["side"] == side], left, y, dy=10, color=INK, **look)
            for side, look in (("left", {"align": "right", "dx": -5}), ("right", {"align": "left", "dx": 5}))
        ),
    ]
    return styled(alt.layer(*layers).properties(width=width, height=alt.Step(BAR_STEP)))


def rows_of(found: ClassRange, middle: float, width: int, say: Say = str) -> tuple[Rows, Rows, Rows]:
    """Bars, names and the words at their ends, one row an input."""
    bars: Rows = []
    names: Rows = []
    ends: Rows = []
    for row, swing in enumerate(found.tornado):
        both = (("low", swing.margin_usd_per_day_low, swing.low), ("high", swing.margin_usd_per_day_high, swing.high))
        leftmost = min(margin for _, margin, _ in both)
        for end, margin, words in both:
            bars.append({"row": row, "x": middle, "end": margin, "end_of": end})
            side = "left" if margin == leftmost else "right"
            ends.append({"row": row, "x": min(margin, middle) if side == "left" else max(margin, middle), "side": side})
            ends[-1]["text"] = say(words)
        changes = say(" (another option wins)") if swing.changes else ""
        name, most = say(swing.input), width * (1 + 2 * ROOM) - label_width(changes)
        if label_width(name) > most:
            while name and label_width(f"{name}…") > most:
                name = name[:-1]
            name = f"{name}…"
        names.append({"row": row, "text": name + changes})
    return bars, names, ends


def tornado_in_words(found: ClassRange) -> str:
    """What the picture shows, for those who do not see it."""
    told = joined(
        "; ",
        (
            worded(
                "{input} from {low} to {high}: {usd} to {usd_high}{wins}",
                input=swing.input,
                low=swing.low,
                high=swing.high,
                usd=signed_usd(swing.margin_usd_per_day_low),
                usd_high=signed_usd(swing.margin_usd_per_day_high),
                wins=", another option wins" if swing.changes else "",
            )
            for swing in found.tornado
        ),
    )
    return worded(
        "USD a day that {option} is ahead of its best rival, with one input at each end at a time: {told}.",
        option=found.chosen,
        told=told,
    )
