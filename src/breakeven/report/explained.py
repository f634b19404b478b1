"""One option in the terminal: its bill line by line, what it does, and where each figure comes from."""

from collections.abc import Callable

from rich import box
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from breakeven.evidence import Estimate
from breakeven.planner import Plan
from breakeven.planner.spread import Ranges
from breakeven.planner.verdict import Verdict
from breakeven.report.answer import ahead_words
from breakeven.report.cited import with_band
from breakeven.report.document import usd_per_mtok
from breakeven.report.right_answers import right_answers
from breakeven.report.spread import band_words
from breakeven.report.tables import titled
from breakeven.report.words import WIDTH, count, quantity, seconds, share, small_share, unit_price, usd

NEXT_TO_NEVER = 1e-4


def print_verdict(verdict: Verdict, plan: Plan, console: Console, ranges: Ranges | None = None) -> None:
    """One option with its bill: every line with quantity, unit price and the number of its source."""
    console.print(Text(verdict.option.id, style="bold"))
    console.print(Text(f"rank {verdict.rank} in {verdict.group}; {verdict.because}"))
    sources = list(dict.fromkeys(source for line in verdict.bill.lines for source in line.source))
    console.print(_bill(verdict, plan, {source: f"[{n}]" for n, source in enumerate(sources, 1)}))
    for name, value in (*_facts(verdict, plan), *_halves(verdict, plan), *_ranged(verdict, ranges)):
        console.print(Text(f"  {name:<24}{value}"))
    console.print(titled("Sources"))
    console.print(_sources(sources, plan))


def _bill(verdict: Verdict, plan: Plan, numbers: dict[str, str]) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, width=WIDTH, pad_edge=False, padding=(0, 1))
    table.add_column("line", ratio=1)
    for name in ("quantity a day", "USD a unit", "USD a day"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("source", no_wrap=True)
    for line in verdict.bill.lines:
        table.add_row(
            line.name,
            f"{quantity(float(line.quantity))} {line.unit}",
            unit_price(line.usd_per_unit),
            usd(line.usd),
            escape("".join(numbers[source] for source in line.source)),
        )
    table.add_section()
    table.add_row(_total_words(verdict, plan), "", "", usd(verdict.bill.usd_per_day), "")
    return table


def _sources(sources: list[str], plan: Plan) -> RenderableType:
    table = Table(box=None, width=WIDTH, pad_edge=False, padding=(0, 1), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for number, source_id in enumerate(sources, 1):
        source = plan.catalogue.sources.get(source_id)
        told = f"{source.title} ({source.kind}, read {source.read})" if source else source_id
        table.add_row(escape(f"  [{number}]"), escape(told), style="dim")
    return table


def _total_words(verdict: Verdict, plan: Plan) -> str:
    month = usd(verdict.bill.usd_per_month)
    missing = f"; not priced: {', '.join(verdict.bill.unpriced)}" if verdict.bill.unpriced else ""
    return f"total: {month} a month, {usd(usd_per_mtok(verdict.bill, plan))} a million tokens{missing}"


def rarely(part: float) -> str:
    """A small chance in words.

    >>> rarely(0.032), rarely(1e-7)
    ('3.2 % of the requests', 'next to never')
    """
    return f"{part * 100:.2g} % of the requests" if part >= NEXT_TO_NEVER else "next to never"


def _ranged(verdict: Verdict, ranges: Ranges | None) -> list[tuple[str, str]]:
    """What was drawn of the option over the horizon; that it was not, where it is not among the cheapest."""
    if ranges is None:
        return []
    found = ranges.of(verdict.option.id)
    name = f"next {ranges.horizon_months} months"
    if found is None:
        return [(name, "not drawn: not among the cheapest of its class that are known to keep the target")]
    middle = "" if found.usd_per_day_mid is None else f", {usd(found.usd_per_day_mid)} in the middle"
    rows = [
        (
            name,
            f"{band_words(found)} a day (80 %){middle}" if found.speed_band_known else "its speed's band is unknown",
        ),
        ("cheapest of its class", f"in {share(found.chance_cheapest)} of {ranges.scenarios} scenarios"),
        ("expected regret", f"{usd(found.regret_usd_per_day)} a day"),
    ]
    worth = [m for one in ranges.classes for m in one.measurements if m.option == verdict.option.id]
    return rows + [("a benchmark is worth", f"up to {usd(m.usd_over_horizon)} over these months") for m in worth]


def _facts(verdict: Verdict, plan: Plan) -> list[tuple[str, str]]:
    option, found, fleet = verdict.option, verdict.performance, verdict.capacity

    def told(estimate: Estimate | None, tell: Callable[[float], str] = seconds) -> str | None:
        return None if estimate is None else f"{with_band(estimate, tell)} ({estimate.basis})"

    score = None if option.quality_score is None else f"{option.quality_score:g} (class {option.quality_class})"
    engine = f"{option.engine} {option.engine_version}, {option.number_format}" if option.engine else None
    on = f"{option.accelerator} x{option.tensor_parallel}" if option.accelerator else None
    hours = f"{min(fleet.replicas_by_hour)} to {max(fleet.replicas_by_hour)}" if fleet.replicas_by_hour else None
    kept = verdict.meets_slo_probability
    rows = [
        ("quality", score),
        ("engine", engine),
        ("replica on", on),
        ("requests at a time", None if found.largest_concurrency is None else f"{found.largest_concurrency}"),
        ("bound by", found.bound_by),
        ("TTFT, busiest hour", told(found.ttft_s)),
        ("TPOT, busiest hour", told(found.tpot_s)),
        ("waits for a place", None if found.wait_probability is None else rarely(found.wait_probability)),
        ("keeps the target", None if kept is None else f"with a chance of {share(kept)}, given the band of its speed"),
        ("whole answer", told(found.response_s)),
        ("tokens/s, full replica", told(found.output_tokens_per_s, count)),
        ("replicas by hour", hours),
        ("machines at peak", None if fleet.peak_machines is None else f"{fleet.peak_machines}"),
        ("paid around the clock", f"{fleet.committed_machines} of them" if fleet.committed_machines else None),
        ("mean utilisation", None if fleet.mean_utilisation is None else share(fleet.mean_utilisation)),
    ]
    known = [(name, value) for name, value in rows if value is not None]
    return [*known, *right_answers(verdict, plan)]


def _halves(verdict: Verdict, plan: Plan) -> list[tuple[str, str]]:
    """What a hybrid is made of, what either half alone would cost, and over which traffic it is ahead of both."""
    both = verdict.hybrid
    if both is None:
        return []
    contender = next(
        c for c in plan.ranking.contenders if c.kind == "hybrid" and plan.option_id(c) == verdict.option.id
    )
    ahead = ahead_words(plan.hybrid_range(contender)) or "nowhere around your traffic"
    busiest = max(both.overflow_by_hour)
    return [
        ("overflow", f"{small_share(both.overflow_share)} of the requests, {count(busiest)} in the busiest hour"),
        ("overflow goes to", both.overflow_to),
        ("that API alone", f"{usd(both.usd_per_day_api_alone)} a day"),
        ("hosting the model alone", f"{usd(both.usd_per_day_hosted_alone)} a day"),
        ("cheaper than both", ahead),
    ]
