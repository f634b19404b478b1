"""The closed forms beside the replay: a table of the worst deviations, and all of them as a document."""

from collections import defaultdict
from collections.abc import Sequence
from math import isfinite
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from breakeven.capacity.closed_form_check import Cell, Figure
from breakeven.report.words import WIDTH

SCHEMA = "breakeven-simulation-check/1"
SHOWN = 12


def print_check(figures: Sequence[Figure]) -> None:
    """The worst of every figure, what is broken, and what is not claimed."""
    console = Console(width=WIDTH, highlight=False, markup=False)
    cells = len({id(figure.cell) for figure in figures})
    judged = [figure for figure in figures if figure.not_claimed is None]
    console.print(Text("CLOSED FORM OVER REPLAY, LESS 1", style="bold"))
    console.print(f"  {cells:,} fleets, {len(judged):,} figures judged")
    table = Table(box=box.SIMPLE_HEAD, width=WIDTH, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("  figure", no_wrap=True)
    for name in ("bound", "typical", "worst", "broken"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("where it is worst", ratio=1)
    for name in dict.fromkeys(figure.name for figure in figures):
        mine = [figure for figure in judged if figure.name == name]
        if mine:
            worst = max(mine, key=lambda figure: abs(figure.deviation))
            middle = sorted(abs(figure.deviation) for figure in mine)[len(mine) // 2]
            broken = sum(figure.broken for figure in mine)
            table.add_row(
                f"  {name}", f"{worst.bound:.0%}", f"{middle:.1%}", _off(worst), str(broken), cell_told(worst.cell)
            )
    console.print(table)
    _broken(judged, console)
    _not_claimed([figure for figure in figures if figure.not_claimed], console)


def _off(figure: Figure) -> str:
    return f"{figure.deviation:+.1%} ± {figure.error:.1%}"


def cell_told(cell: Cell) -> str:
    """A point of the grid in words."""
    bursts = cell.bursts
    arrivals = "independent arrivals"
    if bursts.gap_variation > 1:
        arrivals = f"gaps vary by {bursts.gap_variation:g}"
    elif bursts.rate_variation:
        arrivals = f"the rate moves by {bursts.rate_variation:.0%}"
    return f"{cell.kind.name}, {cell.replicas} x {cell.kind.places} places, {cell.load:.0%} full, {arrivals}"


def _broken(judged: list[Figure], console: Console) -> None:
    broken = [figure for figure in judged if figure.broken]
    unsure = sum(abs(figure.deviation) > figure.bound for figure in judged) - len(broken)
    console.print(Text("\nBROKEN BOUNDS", style="bold"))
    if not broken:
        console.print("  none")
    for figure in sorted(broken, key=lambda one: -abs(one.deviation))[:SHOWN]:
        console.print(f"  {figure.name} {_off(figure)}: {cell_told(figure.cell)}", soft_wrap=True)
    if len(broken) > SHOWN:
        console.print(f"  and {len(broken) - SHOWN} more (--json holds all)")
    if unsure:
        console.print(f"  {unsure} more are beyond their bound, but by no more than twice the replay's own error")


def _not_claimed(figures: list[Figure], console: Console) -> None:
    if not figures:
        return
    console.print(Text("\nTOLD, NOT JUDGED", style="bold"))
    groups: dict[str, list[Figure]] = defaultdict(list)
    for figure in figures:
        groups[figure.not_claimed or ""].append(figure)
    for reason, mine in groups.items():
        off = [figure for figure in mine if abs(figure.deviation) > figure.bound + 2 * figure.error]
        endless = sum(not isfinite(figure.closed) for figure in mine)
        known = [figure for figure in mine if isfinite(figure.closed)]
        low, high = (worst(known, key=lambda figure: figure.deviation) for worst in (min, max))
        ends = f"from {low.deviation:+.0%} ({low.name}) to {high.deviation:+.0%} ({high.name})"
        ends += f"; {endless} are without end in the closed form" if endless else ""
        told = f"{reason}: {len(off)} of {len(mine)} figures are off by more than their bound, {ends}"
        console.print(Padding(told, (0, 2)))


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
                "figure": figure.name,
                "closed_form": figure.closed if isfinite(figure.closed) else None,
                "replay": figure.replayed,
                "deviation": figure.deviation if isfinite(figure.closed) else None,
                "error": figure.error,
                "bound": figure.bound,
                "not_claimed": figure.not_claimed,
                "broken": figure.broken,
            }
            for figure in figures
        ],
    }
