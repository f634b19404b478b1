"""A plan in the terminal: an answer, a ranking, the break-even drawn, what was ruled out and assumed."""

from collections.abc import Sequence

import numpy as np
from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from breakeven.decision.crossover import Crossover
from breakeven.decision.envelope import Envelope
from breakeven.options.quality import UNKNOWN_CLASS
from breakeven.options.success import UNKNOWN_SUCCESS
from breakeven.planner import Plan
from breakeven.planner.spread import Ranges
from breakeven.planner.verdict import Verdict
from breakeven.report.answer import answer, break_even_sentence
from breakeven.report.range_table import range_part
from breakeven.report.right_answers import AS_MANY, success_words, thousand_words
from breakeven.report.spread import band_of, range_foot, target_words
from breakeven.report.text_chart import drawn
from breakeven.report.words import WIDTH, count, folded, seconds, share, usd
from breakeven.units import HOURS_PER_DAY

REASONS_SHOWN = 12
CHART_HEIGHT = 13
CHARTS_SHOWN = 1
OPTION_WIDTH, TARGET_WIDTH = 48, 11
ONE_LINE = {
    "model": "one line a model: its cheapest tier, or format, machine, path and term",
    "machine": "one line a model on a machine: its cheapest format, path and term",
    "option": "one line an option",
}


def print_plan(plan: Plan, console: Console, top: int, ranges: Ranges | None = None) -> None:
    """The whole answer, at most 100 columns wide. ``ranges``: with bands over the horizon."""
    parts = [_head(plan), _answer(plan), _ranking(plan, top, ranges), _break_evens(plan)]
    if ranges is not None and ranges.classes:
        parts.append(Group(titled(f"Range: the next {ranges.horizon_months} months"), range_part(ranges, WIDTH)))
    for part in (*parts, _ruled_out(plan), _foot(plan, top, ranges)):
        console.print(part)


def titled(text: str) -> Text:
    """The heading of a section."""
    return Text(f"\n{text.upper()}", style="bold cyan")


def _head(plan: Plan) -> RenderableType:
    workload, mean = plan.workload, plan.workload.mix.mean
    slo = workload.slo
    targets = [f"{name} ≤ {seconds(value)}" for name, value in (("TTFT", slo.ttft_s), ("TPOT", slo.tpot_s)) if value]
    promise = f"{', '.join(targets)} at p{slo.quantile * 100:g}" if targets else "no latency target"
    shapes = f" in {len(workload.mix.shapes)} kinds of request" if len(workload.mix.shapes) > 1 else ""
    peak = max(workload.requests_per_hour) * HOURS_PER_DAY / workload.requests_per_day
    cached = f" ({share(mean.cached_input / mean.input)} cached)" if mean.cached_input else ""
    return Group(
        Text(f"{workload.name}: {plan.as_of}, catalogue {plan.catalogue_digest}", style="bold"),
        Text(
            f"{count(workload.requests_per_day)} requests a day (busiest hour {peak:.1f}x the mean), "
            f"{mean.input:,.0f} tokens in{cached}, {mean.output:,.0f} out{shapes}"
        ),
        Text(f"{promise}; {plan.policy.region}; {plan.options_considered:,} options considered"),
    )


def _answer(plan: Plan) -> RenderableType:
    first, *rest = answer(plan)
    styled = [Text(first, style="bold"), *map(Text, rest)]
    return Group(titled("Answer"), *(Padding(sentence, (0, 0, 0, 2)) for sentence in styled))


def _ranking(plan: Plan, top: int, ranges: Ranges | None) -> RenderableType:
    promised = plan.workload.slo.named
    table = Table(box=box.SIMPLE_HEAD, width=WIDTH, pad_edge=False, padding=(0, 0, 0, 1))
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("option", ratio=1)
    band_name = "80 % band" if ranges is None else f"{ranges.horizon_months}m, 80 %"
    names = ("right", "USD/day", band_name, "USD/1k right", "TPOT")
    for name in names if plan.by_success else ("score", "USD/day", band_name, "USD/month", "TPOT"):
        table.add_column(name, justify="right", no_wrap=True)
    if promised:
        table.add_column("target", no_wrap=True)
    group, known = "", True
    for verdict in plan.verdicts(top):
        if verdict.group != group and (not plan.ranking.floor or len(plan.ranking.groups) > 1):
            table.add_row("", Text(_group_words(verdict.group, plan), style="bold"))
        if verdict.meets_slo is None and (known or verdict.group != group):
            table.add_row("", Text("latency not known, never a pass:", style="dim"))
        group, known = verdict.group, verdict.meets_slo is not None
        table.add_row(*_row(verdict, plan, band_of(verdict, ranges), OPTION_WIDTH - (TARGET_WIDTH if promised else 0)))
    first = "" if not plan.by_success else "by the cost of a right answer, retries and checks counted; "
    number = ", its model or its number" if plan.ranking.floor else " or its model"
    note = f"  {first}{ONE_LINE[plan.by]}; --explain shows the bill of one, by its id{number}"
    return Group(titled("Ranking"), table, Text(note, style="dim"))


def _group_words(group: str, plan: Plan) -> str:
    if group == UNKNOWN_SUCCESS:
        return "success unknown, not compared:"
    return group if plan.by_success else f"{plan.quality.scale} {group}"


def _row(verdict: Verdict, plan: Plan, band_told: str, width: int) -> Sequence[RenderableType]:
    bill, option, tpot = verdict.bill, verdict.option, verdict.performance.tpot_s
    least = "≥ " if bill.unpriced else ""
    score = "unknown" if option.quality_score is None else f"{option.quality_score:.0f}"
    right = "" if verdict.success is None else least
    return (
        str(verdict.rank),
        escape(folded(option.id, width)),
        success_words(verdict) if plan.by_success else score,
        least + usd(bill.usd_per_day),
        band_told,
        right + thousand_words(verdict) if plan.by_success else least + usd(bill.usd_per_month),
        "-" if tpot is None else seconds(tpot.mid),
        *([target_words(verdict)] if plan.workload.slo.named else []),
    )


def _break_evens(plan: Plan) -> RenderableType:
    parts: list[RenderableType] = [titled("Break-even")]
    drawn = 0
    if not plan.ranking.floor:  # with a floor the one sentence stands in the answer
        parts += [
            Padding(Text(f"{crossover.group}: {break_even_sentence(crossover)}"), (0, 0, 0, 2))
            for crossover in plan.crossovers
        ]
    for lines in plan.envelopes:
        if drawn < CHARTS_SHOWN and _worth_drawing(lines, plan):
            parts.append(_chart(lines, plan, _crossover_of(lines, plan)))
            drawn += 1
    if not plan.crossovers:
        parts.append(Padding(Text(_no_pair(plan)), (0, 0, 0, 2)))
    return Group(*parts)


def _no_pair(plan: Plan) -> str:
    if plan.by_success:
        return "nothing to compare: what is of known success has not both a paid API and self-hosting"
    if plan.ranking.groups == (UNKNOWN_CLASS,):
        return (
            f"nothing to compare: the quality of these models is not known on {plan.quality.scale}; give your own "
            "scores and at_least in the spec"
        )
    return "nothing to compare: no class of quality has both a paid API and self-hosting"


def _crossover_of(lines: Envelope, plan: Plan) -> Crossover | None:
    return next((c for c in plan.crossovers if c.group == lines.group), None)


def _worth_drawing(lines: Envelope, plan: Plan) -> bool:
    crossover = _crossover_of(lines, plan)
    crossing = crossover is not None and crossover.requests_per_day is not None
    any_crossing = any(c.requests_per_day is not None for c in plan.crossovers)
    both = lines.api_usd_per_day is not None and lines.hosted_usd_per_day is not None
    return both and (crossing or not any_crossing)


def _chart(lines: Envelope, plan: Plan, crossover: Crossover | None) -> RenderableType:
    """Cost a day against requests a day, both logarithmic: the API as a line, self-hosting as steps of dots."""
    volume, api, hosted = lines.requests_per_day, lines.api_usd_per_day, lines.hosted_usd_per_day
    if api is None or hosted is None:
        return Text("")
    finite = np.isfinite(hosted)
    you = plan.workload.requests_per_day
    here = float(np.exp(np.interp(np.log(you), np.log(volume), np.log(np.minimum(api, hosted)))))
    xs, ys = [volume, volume[finite], [you]], [api, hosted[finite], [here]]
    labels = ["paid API (line)", "self-hosting (dots)", "your traffic"]
    if crossover and crossover.requests_per_day:
        at = crossover.requests_per_day
        xs.append([at])
        ys.append([float(np.exp(np.interp(np.log(at), np.log(volume), np.log(api))))])
        labels.append("break-even")
    text = drawn(
        xs=xs,
        ys=ys,
        x_as_log=True,
        y_as_log=True,
        lines=[True, False, False, False][: len(xs)],
        legend_labels=labels,
        height=CHART_HEIGHT,
        title=f"USD a day{f' {AS_MANY}' if plan.by_success else ''} against requests a day ({lines.group})",
    )
    return Padding(Text.from_ansi(text), (1, 0, 0, 2))


def _ruled_out(plan: Plan) -> RenderableType:
    table = Table(box=None, width=WIDTH, pad_edge=False, padding=(0, 1), show_header=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for reason in plan.rejected[:REASONS_SHOWN]:
        example = f"  [dim]{escape(reason.examples[0])}[/dim]" if reason.examples else ""
        table.add_row(f"{reason.count:,}", escape(reason.because) + example)
    rest = plan.rejected[REASONS_SHOWN:]
    if rest:
        left = sum(reason.count for reason in rest)
        table.add_row(f"{left:,}", f"{len(rest)} more reasons (--json lists all of them)")
    total = sum(reason.count for reason in plan.rejected)
    return Group(titled(f"Ruled out: {total:,} of {plan.options_considered:,}"), table)


def _foot(plan: Plan, top: int, ranges: Ranges | None) -> RenderableType:
    fresh = plan.freshness(top)
    oldest = (
        f"oldest price in these bills: {fresh.item}, dated {fresh.oldest_effective_from} ({fresh.age_days:,} days old)"
    )
    lines = Table(box=None, width=WIDTH, pad_edge=False, padding=(0, 1), show_header=False)
    of_ranges = () if ranges is None else range_foot(ranges)
    for sentence in (*plan.assumptions, *of_ranges, oldest):
        lines.add_row(" -", escape(sentence))
    return Group(titled("Assumed"), lines)
