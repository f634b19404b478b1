"""One prediction in the terminal: figures with their bands, what bounds it, the nearest measurements."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from breakeven.evidence import Estimate
from breakeven.performance.ask import Answer, Neighbour
from breakeven.report.words import WIDTH, seconds


def print_answer(answer: Answer) -> None:
    """The answer, at most 100 columns wide."""
    console = Console(width=WIDTH, highlight=False)
    load = f"{answer.concurrency:g} in flight" if answer.concurrency else f"{answer.request_rate_per_s:g} requests/s"
    console.print(
        Text(
            f"{answer.model} {answer.compute_format} on {answer.tensor_parallel} x {answer.device}, {answer.engine} "
            f"{answer.engine_version}".rstrip(),
            style="bold",
        )
    )
    console.print(f"{answer.input_tokens:g} tokens in, {answer.output_tokens:g} out, {load}; basis: {answer.basis}")
    rows = (
        ("output tokens/s", answer.output_tokens_per_s, lambda v: f"{v:,.0f}"),
        ("TTFT", answer.ttft_s, seconds),
        ("TPOT", answer.tpot_s, seconds),
        ("largest concurrency", answer.largest_concurrency, lambda v: f"{v:,.0f}"),
    )
    for name, estimate, told in rows:
        limit = name == "largest concurrency" and answer.concurrency_bound_by == "engine"
        beside = "   what the engine lets in; memory holds more" if limit else _band(estimate, told)
        console.print(f"  {name:<22}{told(estimate.mid):>9}{beside}")
    console.print(f"  {'each step bound by':<22}{answer.bound_by:>9}")
    for notice in answer.notices:
        console.print(f"[yellow]note:[/yellow] {escape(notice)}")
    console.print(_nearest(answer.nearest))


def _band(estimate: Estimate, told: object) -> str:
    if estimate.low is None or estimate.high is None or not callable(told):
        return ""
    return f"   80 % between {told(estimate.low)} and {told(estimate.high)}"


def _nearest(neighbours: tuple[Neighbour, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, width=WIDTH, title="nearest measurements", title_justify="left", padding=(0, 1))
    table.add_column("measurement", ratio=1)
    for name in ("in", "out", "at once", "tokens/s", "TTFT", "TPOT"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in neighbours:
        what = f"{row.model} {row.compute_format}, {row.tensor_parallel} x {row.gpu}, {row.engine_version} ({row.id})"
        table.add_row(
            what,
            f"{row.input_tokens:.0f}",
            f"{row.output_tokens:.0f}",
            "" if row.concurrency is None else f"{row.concurrency:.0f}",
            "" if row.output_tokens_per_s is None else f"{row.output_tokens_per_s:,.0f}",
            "" if row.ttft_s is None else seconds(row.ttft_s),
            "" if row.tpot_s is None else seconds(row.tpot_s),
        )
    return table
