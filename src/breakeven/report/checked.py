"""The closed forms beside the replay: a table of the worst deviations, and all of them as a document."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from breakeven.capacity.closed_form_check import Cell, Figure
from breakeven.report.words import WIDTH

SCHEMA = "breakeven-simulation-check/2"
SHOWN = 12


def print_check(figures: Sequence[Figure]) -> None:
    """The worst of every figure, and what is broken."""
    console = Console(width=WIDTH, highlight=False, markup=False)
    cells = len({id(figure.cell) for figure in figures})
    console.print(Text("CLOSED FORM OVER REPLAY, LESS 1", style="bold"))
    console.print(f"  {cells:,} fleets, {len(figures):,} figures")
    table = Table(box=box.SIMPLE_HEAD, width=WIDTH, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("  figure", no_wrap=True)
    for name in ("bound", "typical", "worst", "broken"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("where it is worst", ratio=1)
    for name in dict.fromkeys(figure.name for figure in figures):
        mine = [figure for figure in figures if figure.name == name]
        worst = max(mine, key=lambda figure: abs(figure.deviation))
        middle = sorted(abs(figure.deviation) for figure in mine)[len(mine) // 2]
        broken = sum(figure.broken for figure in mine)
        table.add_row(
            f"  {name}", f"{worst.bound:.0%}", f"{middle:.1%}", _off(worst), str(broken), cell_told(worst.cell)
        )
    console.print(table)
    _broken(figures, console)


def _off(figure: Figure) -> str:
    return f"{figure.deviation:+.1%} ± {figure.error:.1%}"


def cell_told(cell: Cell) -> str:
    """A point of the grid in words."""
    bursts = cell.bursts
    arrivals = "independent arrivals"
    if bursts.gap_variation > 1:
        arrivals = f"gaps vary by {bursts.gap_variation:g}"
    elif bursts.rate_variation:
        arrivals = f"the rate moves by {bursts.rate_variation:.0%} every {bursts.rate_stays_s:g} s"
    return f"{cell.kind.name}, {cell.replicas} x {cell.kind.places} places, {cell.load:.0%} full, {arrivals}"


def _broken(figures: Sequence[Figure], console: Console) -> None:
    broken = [figure for figure in figures if figure.broken]
    unsure = sum(abs(figure.deviation) > figure.bound for figure in figures) - len(broken)
    console.print(Text("\nBROKEN BOUNDS", style="bold"))
    if not broken:
        console.print("  none")
    for figure in sorted(broken, key=lambda one: -abs(one.deviation))[:SHOWN]:
        console.print(f"  {figure.name} {_off(figure)}: {cell_told(figure.cell)}", soft_wrap=True)
    if len(broken) > SHOWN:
        console.print(f"  and {len(broken) - SHOWN} more (--json holds all)")
    if unsure:
        console.print(f"  {unsure} more are beyond their bound, but by no more than twice the replay's own error")


def document(figures: Sequence[Figure], seed: int) -> dict[str, Any]:
    """Every figure, for programs."""
    return {
        "schema": SCHEMA,
        "seed": seed,
        "broken": sum(figure.broken for figure in figures),
        "figures": [
            {
                "kind": figure.cell.kind.name,
                "places": figure.cell.kind.places,
                "replicas": figure.cell.replicas,
                "load": figure.cell.load,
                "gap_variation": figure.cell.bursts.gap_variation,
                "rate_variation": figure.cell.bursts.rate_variation,
                "rate_stays_s": figure.cell.bursts.rate_stays_s,
                "figure": figure.name,
                "closed_form": figure.closed if isfinite(figure.closed) else None,
                "replay": figure.replayed,
                "deviation": figure.deviation if isfinite(figure.closed) else None,
                "error": figure.error,
                "bound": figure.bound,
                "broken": figure.broken,
            }
            for figure in figures
        ],
    }
