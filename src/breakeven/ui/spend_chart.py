"""The picture of what was spent: a bar an hour or a day."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import altair as alt

from breakeven.report.charts import USD_LABELS, spoken, styled
from breakeven.report.words import usd
from breakeven.wording import worded

STEPS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
FORMS = {"hour": "%Y-%m-%d %H:%M", "day": "%Y-%m-%d"}
GAP = 0.15
"""Share of a step between two bars."""
LABEL_WIDTH = 90


class Moment(NamedTuple):
    """The dollars of one hour or day, by its begin."""

    begin: datetime
    usd: float


def spend_chart(
    bars: Sequence[Moment], step: str, ends: tuple[datetime, datetime], size: tuple[int, int], told: Sequence[str] = ()
) -> alt.TopLevelMixin:
    """USD an hour or a day over the span, UTC. ``size``: pixels; ``told``: what each bar says."""
    width, height = size
    wide = STEPS[step] * (1 - GAP)
    rows = [{"x": one.begin.isoformat(), "end": (one.begin + wide).isoformat(), "y": one.usd} for one in bars]
    form = "%m-%d %H:%M" if step == "hour" else "%Y-%m-%d"
    domain = [moment.isoformat() for moment in (min(ends[0], bars[0].begin), ends[1])]
    x = alt.X("x:T").scale(type="utc", domain=domain, nice=False)
    x = x.axis(title="UTC", format=form, tickCount=max(width // LABEL_WIDTH, 2), labelOverlap=True, grid=False)
    top = max(one.usd for one in bars)
    scale = {"zero": True} if top > 0 else {"domain": [0, 1]}
    y = alt.Y("y:Q").scale(**scale).axis(title="USD", tickCount=4, labelExpr=USD_LABELS)
    marks = (
        spoken(rows, told)
        .mark_rect(color="var(--api)", opacity=1, aria=bool(told))
        .encode(x, y, x2="end:T", y2=alt.datum(0))
    )
    return styled(alt.layer(marks).properties(width=width, height=height))


def spend_in_words(bars: Sequence[Moment], step: str) -> str:
    """What the picture shows, for those who do not see it."""
    most = max(bars, key=lambda one: one.usd)
    form = FORMS[step]
    whole = sum(one.usd for one in bars)
    return worded(
        "USD by {step} (UTC) from {since} to {until}: {whole} in all, most in the {step} of {when}: {most}.",
        step=step,
        since=f"{bars[0].begin:{form}}",
        until=f"{bars[-1].begin:{form}}",
        whole=usd(whole),
        when=f"{most.begin:{form}}",
        most=usd(most.usd),
    )
