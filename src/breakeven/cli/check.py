"""`breakeven simulate --check`: the grid that holds the closed forms to the replay."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from breakeven.capacity.closed_form_check import Cell, Figure

BROKEN = 1


def check_closed_forms(seed: int, json: str | None) -> None:
    """Play the grid, print the worst deviations, and exit with 1 if a bound is broken."""
    from breakeven.capacity.closed_form_check import grid  # noqa: PLC0415 - each command loads what it needs
    from breakeven.cli.files import write_json  # noqa: PLC0415
    from breakeven.report.checked import document, print_check  # noqa: PLC0415

    figures = _played(grid(), seed)
    if json:
        write_json(document(figures, seed), json)
    if json != "-":
        print_check(figures)
    if any(figure.broken for figure in figures):
        raise typer.Exit(BROKEN)


def _played(cells: "list[Cell]", seed: int) -> "list[Figure]":
    """The figures of all cells, with the progress shown on a terminal while it lasts."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    from breakeven.capacity.closed_form_check import checked  # noqa: PLC0415
    from breakeven.capacity.simulate import can_compile  # noqa: PLC0415

    console = Console(stderr=True)
    if not can_compile():
        typer.echo("without numba (pip install 'breakeven[replay]') this takes about half an hour", err=True)
    if not console.is_terminal:
        return list(checked(cells, seed))
    columns = TextColumn("replaying {task.completed} of {task.total} fleets"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("", total=len(cells))
        return list(checked(cells, seed, progress=lambda done: shown.update(task, completed=done)))
