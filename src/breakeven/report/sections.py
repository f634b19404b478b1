"""One plan as the page shows it: the answer, pictures with the tables behind them, the ranking, what was left out."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from breakeven.decision.rank import Contender
from breakeven.options.success import UNKNOWN_SUCCESS
from breakeven.planner import Plan
from breakeven.planner.spread import ClassRange, Ranges
from breakeven.planner.verdict import Option, Verdict
from breakeven.report.answer import answer, bill_band
from breakeven.report.cited import Figure, Sources, figures
from breakeven.report.document import usd_per_mtok
from breakeven.report.figures import Bars, CostLines, Load, best_load, bill_bars, cost_lines
from breakeven.report.right_answers import thousand_words
from breakeven.report.spread import band_of, range_sentences, target_words
from breakeven.report.words import count, seconds, share, small_share, usd
from breakeven.units import DAYS_PER_WEEK, HOURS_PER_DAY, HOURS_PER_WEEK
from breakeven.wording import joined, worded

TOP_WITH_FLOOR, TOP_PER_CLASS = 10, 2
TARGET_WORDS = {
    False: ("Keeps the target", "keeps the target"),
    True: (
        "Latency not known here, never counted as keeping the target",
        "latency not known here, never counted as keeping the target",
    ),
}
"""Whether the latency is unknown, as a sentence of its own and behind a colon."""
EVEN = 1.001
"""Up to here the busiest hour is as busy as the mean one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """One line of the ranking with all that unfolds from it."""

    verdict: Verdict
    title: str
    detail: str
    band: str
    """The 80 % band of its USD a day."""
    target: str
    """Whether the latency target is kept."""
    usd_per_mtok: Decimal | None
    figures: list[Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedGroup:
    """Lines of the ranking under one heading (empty: none is needed)."""

    heading: str
    rows: list[Ranked]
    of: int
    """How many there are, shown or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The cheapest of one kind in one group."""

    kind: str
    verdict: Verdict
    title: str
    detail: str
    wins: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Both sides of one group and the traffic from which hosting stays cheaper."""

    group: str
    sides: list[Side]
    break_even: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Section:
    """Everything of one plan that the template shows."""

    plan: Plan
    key: str
    demand: str
    promise: str
    lead: str
    changes: list[str]
    contests: list[Contest]
    costs: tuple[CostLines, ...]
    bars: Bars
    load: Load | None
    groups: list[RankedGroup]
    stale: str
    ranges: Ranges | None = None
    """What the answer is worth over its horizon; ``None`` where it was not drawn."""

    @property
    def told(self) -> tuple[str, ...]:
        """The range of the one class in sentences; nothing where there are several."""
        drawn = self.ranges
        return range_sentences(drawn.classes[0], drawn.horizon_months) if drawn and len(drawn.classes) == 1 else ()

    @property
    def hangs_on(self) -> ClassRange | None:
        """The one class whose tornado is drawn."""
        classes = self.ranges.classes if self.ranges else ()
        return classes[0] if len(classes) == 1 and classes[0].tornado else None


def section(
    plan: Plan,
    top: int,
    sources: Sources,
    ranges: Ranges | None = None,
    *,
    key: str = "p1",
    banded: int | None = None,
) -> Section:
    """The section of one plan with the first ``top`` of every group; what it cites is handed to ``sources``.

    ``banded``: so many pictures of costs get their band; ``None``: all.
    """
    plan.prepare((*plan.ranking.first(top), *_best_hosted(plan)))
    groups = _groups(plan, top, ranges)
    for group in groups:
        for row in group.rows:
            sources.cite(s for line in row.verdict.bill.lines for s in line.source)
            sources.cite(s for figure in row.figures for s in figure.sources)
    first, *changes = answer(plan)
    fresh = plan.freshness(top)
    return Section(
        plan=plan,
        key=key,
        demand=_demand(plan),
        promise=_promise(plan),
        lead=_lead(plan) or first,
        changes=changes,
        contests=[found for group in plan.ranking.groups if (found := _contest(plan, group))],
        costs=cost_lines(plan, banded),
        bars=bill_bars(_compared([row.verdict for group in groups for row in group.rows])),
        load=best_load(plan),
        groups=groups,
        ranges=ranges,
        stale=worded(
            "{item}, dated {day} ({age:,} days old)",
            item=fresh.item,
            day=fresh.oldest_effective_from,
            age=fresh.age_days,
        ),
    )


def _best_hosted(plan: Plan) -> list[Contender]:
    """The cheapest self-hosting of each group, which is told beside the cheapest API."""
    best: dict[str, Contender] = {}
    for contender in plan.ranking.contenders:
        known = best.get(contender.group)
        if contender.kind == "hosted" and (known is None or contender.usd_per_day < known.usd_per_day):
            best[contender.group] = contender
    return list(best.values())


def shown_of(plan: Plan) -> int:
    """How many of each group are shown where nobody said: few of each class, more where all compete."""
    return TOP_WITH_FLOOR if plan.ranking.floor else TOP_PER_CLASS


def _compared(verdicts: list[Verdict]) -> list[Verdict]:
    """The verdicts less what stands apart because its success is not known, if there is anything else."""
    return [v for v in verdicts if v.group != UNKNOWN_SUCCESS] or verdicts


def _lead(plan: Plan) -> str | None:
    """The answer in one sentence with its dollars; ``None`` without a winner."""
    winner = plan.winner
    if winner is None:
        return None
    option, bill = winner.option, winner.bill
    least = "at least " if bill.unpriced else ""
    what = f"The paid API {option.provider}/{option.model}"
    if option.kind == "cascade":
        what = "{} with {} as fall-back".format(*option.model.split("+", 1))
    elif option.kind != "api":
        what = f"Self-hosting {option.model} in {option.number_format} on {option.machine}"
    if winner.hybrid is not None:
        what = (
            f"{what}, with {winner.hybrid.overflow_to.removeprefix('api:')} for the "
            f"{small_share(winner.hybrid.overflow_share)} of requests that overflow,"
        )
    right = ""
    if winner.success is not None:
        right = f", {thousand_words(winner)} for 1,000 right answers"
    band = f"; {bill_band(winner)}" if bill_band(winner) else ""
    known = "known or predicted to keep the latency target " if plan.workload.slo.named else ""
    measure = "for a right answer " if plan.by_success else ""
    return (
        f"{what} costs {least}{usd(bill.usd_per_day)} a day ({least}{usd(bill.usd_per_month)} a month{right}{band}): "
        f"the cheapest way {known}{measure}with {plan.floor_words}."
    )


def _demand(plan: Plan) -> str:
    workload, mean = plan.workload, plan.workload.mix.mean
    peak = max(workload.requests_per_hour) * HOURS_PER_DAY / workload.requests_per_day
    hours = f"busiest hour {peak:.1f} times the mean" if peak > EVEN else "the same in every hour"
    cached = f" ({share(mean.cached_input / mean.input)} cached)" if mean.cached_input else ""
    out = f", {mean.output:,.0f} out" if workload.task == "generate" else ""
    shapes = f", in {len(workload.mix.shapes)} kinds of request" if len(workload.mix.shapes) > 1 else ""
    return (
        f"{count(workload.requests_per_day)} requests a day, {hours}; {mean.input:,.0f} tokens in{cached}{out}{shapes}"
    )


def _promise(plan: Plan) -> str:
    slo = plan.workload.slo
    named = (("first token", slo.ttft_s), ("each further token", slo.tpot_s))
    targets = [f"{name} within {seconds(value)}" for name, value in named if value is not None]
    if not targets:
        return "no latency target" + (", an answer within a day will do" if plan.workload.deferrable else "")
    return f"{', '.join(targets)} for {share(slo.quantile)} of requests"


def titled(option: Option) -> tuple[str, str]:
    """What an option is called, and what else tells it from others.

    >>> titled(Option(id="x", kind="api", model="m", provider="p", quality_score=None, quality_class="", tier="batch"))
    ('m', 'paid API, p, batch tier')
    """
    if option.kind == "api":
        return option.model, worded("paid API, {provider}, {tier} tier", provider=option.provider, tier=option.tier)
    if option.kind == "cascade":
        return joined(
            ", then ", option.model.split("+")
        ), "cascade: a cheap model first, its failures to a stronger one"
    where = worded(
        "{format} on {machine}, {device} x{degree}",
        format=option.number_format,
        machine=option.machine,
        device=option.accelerator,
        degree=option.tensor_parallel,
    )
    hosted = worded("{where}, path {path}, {term}", where=where, path=option.serving_path, term=option.term)
    if option.kind == "hybrid":
        return worded("{model} with an API", model=option.model), worded(
            "base self-hosted, {hosted}; overflow to {api}", hosted=hosted, api=option.id.rsplit("+", 1)[1]
        )
    return option.model, worded("self-hosted, {hosted}", hosted=hosted)


def heading(plan: Plan, group: str) -> str:
    """A group of quality in words.

    With a floor there is one group; a class of quality is told with its scale.
    """
    return f"{plan.quality.scale} {group}" if group[:1].isdigit() or group[:1] == "-" else group


def _groups(plan: Plan, top: int, ranges: Ranges | None) -> list[RankedGroup]:
    """Lines of the ranking by group, those whose latency is not known apart."""
    found: dict[tuple[str, bool], list[Contender]] = {}
    for contender in plan.ranking.first(top):
        found.setdefault((contender.group, contender.meets_slo is None), []).append(contender)
    return [
        RankedGroup(
            heading=_group_words(plan, group, unknown),
            rows=[_ranked(plan, contender, ranges) for contender in contenders],
            of=sum(1 for c in plan.ranking.of(group) if (c.meets_slo is None) == unknown),
        )
        for (group, unknown), contenders in found.items()
    ]


def _group_words(plan: Plan, group: str, unknown: bool) -> str:
    alone, kept = TARGET_WORDS[unknown] if plan.workload.slo.named else ("", "")
    if plan.ranking.floor and group != UNKNOWN_SUCCESS:
        return alone
    name = "Success not known, not compared" if group == UNKNOWN_SUCCESS else heading(plan, group)
    return joined(": ", filter(None, (name, kept)))


def _ranked(plan: Plan, contender: Contender, ranges: Ranges | None) -> Ranked:
    verdict = plan.verdict(contender)
    title, detail = titled(verdict.option)
    return Ranked(
        verdict=verdict,
        title=title,
        detail=detail,
        band=band_of(verdict, ranges),
        target=target_words(verdict),
        usd_per_mtok=usd_per_mtok(verdict.bill, plan),
        figures=figures(verdict, contender, plan),
    )


def _contest(plan: Plan, group: str) -> Contest | None:
    """The cheapest of each kind of one group; ``None`` where options have no known quality to compare them by."""
    lines = next((envelope for envelope in plan.envelopes if envelope.group == group), None)
    if lines is None:
        return None
    members = plan.ranking.of(group)
    winner = next((c for c in members if c.meets_slo), None)
    sides = []
    for kind in ("hosted", "api"):
        best = min((c for c in members if c.kind == kind), key=lambda c: c.compared_usd_per_day, default=None)
        if best is not None:
            verdict = plan.verdict(best)
            title, detail = titled(verdict.option)
            sides.append(Side(kind=kind, verdict=verdict, title=title, detail=detail, wins=best == winner))
    told = next((c for c in plan.crossovers if c.group == group), None)
    if told is None:
        break_even, because = "none", "only one side is in the ranking"
    elif told.requests_per_day is None:
        break_even, because = "none", told.because
    else:
        break_even, because = f"{count(told.requests_per_day)} requests a day", told.because
    return Contest(group=heading(plan, group), sides=sides, break_even=break_even, because=because)


def cost_table(lines: CostLines) -> list[tuple[float, float | None, float | None, str]]:
    """Requests a day, USD a day of both sides and the self-hosted option, at powers of ten."""
    rows = []
    for place, volume in enumerate(lines.requests_per_day.tolist()):
        if abs(np.log10(volume) - round(np.log10(volume))) < 1e-9:
            api = None if lines.api_usd_per_day is None else float(lines.api_usd_per_day[place])
            hosted = None if lines.hosted_usd_per_day is None else float(lines.hosted_usd_per_day[place])
            rows.append((volume, api, hosted, lines.hosted[place] if lines.hosted else ""))
    return rows


def load_table(load: Load) -> list[list[tuple[float, float, float]]]:
    """Requests in flight, room and replicas: a row an hour of the day, a column a day."""
    days = DAYS_PER_WEEK if len(load.in_flight) == HOURS_PER_WEEK else 1
    cells = list(zip(load.in_flight.tolist(), load.room.tolist(), load.replicas.tolist(), strict=True))
    return [[cells[day * HOURS_PER_DAY + hour] for day in range(days)] for hour in range(HOURS_PER_DAY)]
