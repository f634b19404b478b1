"""A measured log in the terminal: its requests, tokens and traffic, and what of it could not be used."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from breakeven.logs.measure import Measured, Measurement
from breakeven.logs.problems import Problem
from breakeven.logs.specs import bursts_told, parts_told, when
from breakeven.report.words import WIDTH, count

SHOWN_PROBLEMS, SHOWN_GROUPS = 12, 20


def print_measured(measured: Measured, output: Path | None) -> None:
    """The workload that a log shows, and where its spec was written."""
    console = Console(width=WIDTH, highlight=False, markup=False)
    _print_head(measured, console)
    if len(measured.workloads) > 1:
        _print_groups(measured, console)
    else:
        _print_one(measured.workloads[0], console)
    print_problems(measured.problems, console)
    if output:
        count = len(measured.workloads)
        what = "the workload" if count == 1 else f"{count} workloads, largest first"
        console.print(f"\n{output} holds {what}: breakeven compare {output}", soft_wrap=True)


def _print_head(measured: Measured, console: Console) -> None:
    requests = sum(one.requests for one in measured.workloads)
    failed = sum(one.failed for one in measured.workloads)
    console.print("THE LOG", style="bold")
    files = f"{measured.files} file{'s' if measured.files > 1 else ''}"
    console.print(f"  {', '.join(measured.layouts)}: {files}, {requests:,} requests, {when(measured.period)}")
    if failed:
        console.print(f"  {failed:,} more failed ({failed / (failed + requests):.1%}); they are not in what follows")
    if measured.not_calls:
        console.print(f"  {measured.not_calls:,} rows are no calls of a model (other spans, the proxy's own cache)")


def _print_one(one: Measurement, console: Console) -> None:
    console.print("\nTOKENS OF A REQUEST", style="bold")
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("", "mean", "p50", "p95", "p99"):
        table.add_column(name, justify="right" if name else "left")
    for name, found in (("input", one.input), ("output", one.output)):
        table.add_row(f"  {name}", *(f"{value:,.0f}" for value in (found.mean, found.p50, found.p95, found.p99)))
    console.print(table)
    for sentence in parts_told(one):
        console.print(f"  {sentence}")
    kept = one.kept
    console.print(
        f"  kept as {len(one.kinds)} kinds of request: means exact, E[input x output] at "
        f"{kept['input_x_output']:.1%}, E[output^2] at {kept['output_squared']:.1%}"
    )
    console.print("\nTRAFFIC", style="bold")
    volume = one.traffic.requests_per_day
    console.print(f"  {count(volume)} requests a day" if volume else "  requests a day: not known")
    if one.traffic.profile:
        hours = len(one.traffic.profile)
        console.print(
            f"  a profile of {hours} hours (UTC), {max(one.traffic.profile):.2f} of the mean at the busiest, "
            f"{min(one.traffic.profile):.2f} at the quietest"
        )
    for sentence in [*bursts_told(one), *(f"the log cannot tell {what}" for what in one.traffic.cannot_tell)]:
        console.print(f"  {sentence}")


def _print_groups(measured: Measured, console: Console) -> None:
    console.print("\nWORKLOADS", style="bold")
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in measured.workloads[0].group:
        table.add_column(name, overflow="fold")
    for name in ("requests", "a day", "input", "output", "cached", "failed"):
        table.add_column(name, justify="right")
    for one in measured.workloads[:SHOWN_GROUPS]:
        volume, cached = one.traffic.requests_per_day, one.cached_share
        table.add_row(
            *(value or "-" for value in one.group.values()),
            f"{one.requests:,}",
            count(volume) if volume else "?",
            f"{one.input.mean:,.0f}",
            f"{one.output.mean:,.0f}",
            "?" if cached is None else f"{cached:.0%}",
            f"{one.failed:,}",
        )
    console.print(table)
    if len(measured.workloads) > SHOWN_GROUPS:
        console.print(f"  and {len(measured.workloads) - SHOWN_GROUPS} more in the spec")
    for what in measured.workloads[0].traffic.cannot_tell:
        console.print(f"  the log cannot tell {what}")


def print_problems(problems: tuple[Problem, ...], console: Console) -> None:
    """What could not be used, by reason, with the first places."""
    if problems:
        console.print("\nNOT USED", style="bold")
    for problem in problems[:SHOWN_PROBLEMS]:
        console.print(f"  {problem.told}", soft_wrap=True)
