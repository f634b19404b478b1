"""What every mark of a picture says when it is pointed at: its numbers, and their source, date and basis."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from breakeven.catalogue.history import Series, usd_of
from breakeven.catalogue.schema import PriceRow
from breakeven.evidence import Source
from breakeven.planner.spread import ClassRange, Ranges
from breakeven.report.figures import CostLines, Load
from breakeven.report.pareto_chart import Front
from breakeven.report.spread import signed_usd
from breakeven.report.words import unit_price, usd
from breakeven.ui.measured import Pair
from breakeven.ui.spend_chart import FORMS, Moment
from breakeven.ui.texts import Texts
from breakeven.units import HOURS_PER_DAY

Told = tuple[str, ...]


def of_costs(lines: CostLines, day: date, t: Texts) -> Told:
    """At each traffic, what either side costs there."""
    return tuple(_at_volume(lines, place, day, t) for place in range(len(lines.requests_per_day)))


def _at_volume(lines: CostLines, place: int, day: date, t: Texts) -> str:
    api, hosted, band = lines.api_usd_per_day, lines.hosted_usd_per_day, lines.hosted_band
    sides = []
    if api is not None and np.isfinite(api[place]):
        sides.append(t("marks.side", option=lines.api or "", usd=usd(api[place]), band=""))
    if hosted is not None and np.isfinite(hosted[place]):
        ends = [] if band is None else [float(end[place]) for end in band]
        known = bool(ends) and bool(np.isfinite(ends).all())
        wide = t("marks.band", low=usd(ends[0]), high=usd(ends[1])) if known else ""
        sides.append(t("marks.side", option=lines.hosted[place], usd=usd(hosted[place]), band=wide))
    told = t.say("; ").join(sides) or t("marks.neither")
    return t("marks.volume", count=t.count(float(lines.requests_per_day[place])), sides=told, day=day)


def of_load(load: Load, basis: str, t: Texts) -> Told:
    """Of each hour, what is in flight and the room for it."""
    days = t("load.days").split(",") if len(load.in_flight) > HOURS_PER_DAY else [t("load.every_day")]
    return tuple(
        t(
            "marks.hour",
            when=f"{days[hour // HOURS_PER_DAY]} {hour % HOURS_PER_DAY:02d}:00",
            used=f"{load.in_flight[hour]:,.1f}",
            needed=f"{load.needed[hour]:,.1f}",
            room=f"{load.room[hour]:,.0f}",
            replicas=f"{load.replicas[hour]:,.0f}",
            basis=basis,
        )
        for hour in range(len(load.in_flight))
    )


def of_front(front: Front, day: date, t: Texts) -> Told:
    """Of each option, its cost and the time of an answer."""
    basis = t("tips.point", day=day)
    return tuple(
        t("marks.point", option=p.option, usd=usd(p.usd_per_day), seconds=f"{p.response_s:.3g}", basis=basis)
        for p in front.points
    )


def of_swings(found: ClassRange, ranges: Ranges, day: date, t: Texts) -> Told:
    """Of each input, first its low end and then its high one."""
    basis = t("tips.swing", scenarios=ranges.scenarios, seed=ranges.seed, day=day)
    ends = (
        (swing.input, words, margin)
        for swing in found.tornado
        for words, margin in ((swing.low, swing.margin_usd_per_day_low), (swing.high, swing.margin_usd_per_day_high))
    )
    return tuple(
        t("marks.swing", input=t.say(name), end=t.say(words), usd=signed_usd(margin), basis=basis)
        for name, words, margin in ends
    )


def dated(source: Source, row: PriceRow, t: Texts) -> str:
    """Where and when a price was read, and what its date rests on."""
    kind, basis = (t.say(word.replace("_", " ")) for word in (source.kind, row.date_basis))
    return t("tips.dated", title=source.title, kind=kind, read=source.read, basis=basis)


def of_prices(series: Sequence[Series], sources: Mapping[str, Source], t: Texts) -> tuple[Told, ...]:
    """Of each series each dated price."""
    return tuple(
        tuple(
            t(
                "marks.price",
                price=t.say(one.label),
                usd=unit_price(usd_of(row)),
                unit=t.say(one.unit),
                day=row.effective_from,
                dated=dated(sources[row.source], row, t),
            )
            for row in one.rows
        )
        for one in series
    )


def of_pairs(rows: Sequence[Pair], t: Texts) -> Told:
    """Of each measurement what was predicted for it."""
    return tuple(
        t("marks.pair", gpu=row.gpu, model=row.model, measured=_three(row.measured), predicted=_three(row.predicted))
        for row in rows
    )


def _three(value: float) -> str:
    """A figure with three digits, as people write it."""
    return f"{float(f'{value:.3g}'):,g}"


def of_spent(bars: Sequence[Moment], step: str, t: Texts) -> Told:
    """Of each hour or day what it cost."""
    return tuple(t("marks.spent", when=f"{one.begin:{FORMS[step]}}", usd=usd(one.usd)) for one in bars)
