"""`breakeven accuracy`: the predictor scored on any table of measurements."""

from pathlib import Path
from typing import Annotated

import typer


def accuracy(
    table: Annotated[Path, typer.Argument(help="CSV with the columns of the shipped measurements.")],
    rows: Annotated[Path | None, typer.Option(help="Write the prediction and band of every row (CSV).")] = None,
    measured: Annotated[Path | None, typer.Option(help="Measurements of your own stack to learn from first.")] = None,
    json: Annotated[str | None, typer.Option(help="Write it as JSON to a file, or - for stdout.")] = None,
) -> None:
    """Coverage, errors, bias and share inside the 80 % band, in total and for each part of the table; dollar regret."""
    from breakeven.catalogue.load import load_catalogue  # noqa: PLC0415
    from breakeven.cli.files import write_json, write_whole  # noqa: PLC0415
    from breakeven.cli.plans import parameters_with  # noqa: PLC0415
    from breakeven.performance.measured import read_table  # noqa: PLC0415
    from breakeven.report.scored import print_scores, rows_csv, scored  # noqa: PLC0415

    catalogue = load_catalogue()
    read = read_table(table, catalogue)
    found, predicted = scored(read, catalogue, parameters_with(measured, catalogue))
    if rows:
        write_whole(rows, rows_csv(read, predicted))
    if json:
        write_json(found, json)
    if json != "-":
        print_scores(found)
