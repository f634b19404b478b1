"""What each resource of a stack costs, in the terminal: the lines of the plan's bill, and their sum."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from breakeven.deploy.bill import Share
    from breakeven.deploy.choice import Chosen

TO_ZERO = (
    "The plan's bill has machines at every hour of its week. Without any in quiet hours it is lower; one alarm of "
    "CloudWatch that wakes the first comes on top (breakeven catalogue show cloudwatch). Neither is counted here."
)


def print_shares(chosen: "Chosen", shares: "tuple[Share, ...]", *, to_zero: bool = False) -> None:
    """A table of resources with their lines, quantity, dollars and source; then the sum."""
    from rich import box  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from breakeven.deploy.bill import sources, total_usd_per_day, unpriced  # noqa: PLC0415
    from breakeven.report.words import WIDTH, quantity, unit_price, usd  # noqa: PLC0415

    console = Console(width=WIDTH, highlight=False)
    numbers = {source: n for n, source in enumerate(sources(chosen), start=1)}
    table = Table(box=box.HORIZONTALS, title=chosen.verdict.option.id, title_justify="left", width=WIDTH)
    table.add_column("resource")
    table.add_column("what is paid for")
    for column in ("quantity a day", "USD a unit", "USD a day"):
        table.add_column(column, justify="right")
    table.add_column("source")
    free = [share.resource for share in shares if share.line is None]
    for share in shares:
        if line := share.line:
            table.add_row(
                share.resource,
                line.name,
                f"{quantity(float(line.quantity))} {line.unit}",
                unit_price(line.usd_per_unit),
                usd(line.usd),
                " ".join(f"\\[{numbers[source]}]" for source in line.source),
            )
    console.print(table)
    missing = unpriced(shares)
    least = "at least " if missing else ""
    console.print(f"sum: {least}{total_usd_per_day(shares):f} USD a day, the plan's bill of this option")
    if missing:
        console.print(f"not priced: {', '.join(missing)}")
    if free:
        console.print(f"without a charge of their own: {', '.join(free)}")
    if to_zero:
        console.print(TO_ZERO)
    for source, title in sources(chosen).items():
        console.print(f"  \\[{numbers[source]}] {title}", style="dim")
