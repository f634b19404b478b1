"""Read prices anew and add what changed as dated rows: nothing that stands is overwritten or removed.

python tools/refresh_prices.py --aws --litellm FILE@DAY --genai-prices FILE@DAY           show what would be added
python tools/refresh_prices.py --aws --litellm FILE@DAY --genai-prices FILE@DAY --write   add it, then: make catalogue

``FILE`` is a table as it is published (or a wheel of litellm), ``DAY`` the day of it; ``installed`` in place of
``FILE`` takes the table of an installed package. docs/guides/refresh.md tells the rules.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from rich.console import Console

from breakeven.catalogue.load import catalogue_of
from breakeven.errors import BreakevenError, SpecError
from build_catalogue import DATA, build
from refresh import aws_prices, files, genai_table, litellm_table
from refresh.decide import Outcome, decide
from refresh.quotes import Reading
from refresh.show import WIDTH, show
from refresh.standing import Standing, standing_on

BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None, client: aws_prices.Client | None = None) -> int:
    """Read, decide, show, and write if asked to; the exit code. ``client``: in place of boto3's, for the tests."""
    asked = _parser().parse_args(arguments)
    console = Console(width=WIDTH, highlight=False)
    try:
        day = files.day_of(asked.day, "--day") if asked.day else date.today()
        catalogue = catalogue_of(build(asked.data))
        standing = standing_on(day, catalogue)
        readings = _readings(asked, day, standing, frozenset(catalogue.instances), client)
        outcome = decide(readings, standing)
        show(outcome, readings, console, asked.top)
        _finish(asked, outcome, console)
    except BreakevenError as wrong:
        print(f"refresh_prices: {wrong}", file=sys.stderr)
        return BAD_INPUT
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aws", action="store_true", help="ask the AWS Price List API (boto3 and credentials)")
    parser.add_argument("--region", default=aws_prices.HOME, help="AWS region (default: %(default)s)")
    parser.add_argument("--litellm", metavar="FILE@DAY", help="litellm's table: JSON, a wheel, or `installed`")
    parser.add_argument("--genai-prices", metavar="FILE@DAY", help="genai-prices' table: JSON, or `installed`")
    parser.add_argument("--day", metavar="YYYY-MM-DD", help="the day of reading (default: today)")
    parser.add_argument("--write", action="store_true", help="add the rows; without it nothing is changed")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the CSV files")
    parser.add_argument("--top", type=int, default=30, help="lines shown of each table (default: %(default)s)")
    return parser


def _readings(
    asked: argparse.Namespace,
    day: date,
    standing: Standing,
    machines: frozenset[str],
    client: aws_prices.Client | None,
) -> list[Reading]:
    """One reading for each source that was asked for."""
    readings: list[Reading] = []
    if asked.aws:
        readings += aws_prices.read(client or aws_prices.client(), asked.region, day, machines)
    for name, given, read in (
        ("litellm", asked.litellm, litellm_table.read),
        ("genai-prices", asked.genai_prices, genai_table.read),
    ):
        if given:
            content, origin = files.table(name, given, day)
            try:
                readings.append(read(content, origin, standing.on_offer))
            except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as wrong:
                raise SpecError(
                    f"--{name} {given} does not look like the table of {name}: {wrong!r}",
                    expected="the table as it is published",
                    do="Check the file; if its form has changed, tools/refresh has to learn it",
                ) from wrong
    if not readings:
        raise SpecError(
            "no source is given",
            expected="one or more of --aws, --litellm FILE@DAY, --genai-prices FILE@DAY",
            do="Name one; --help tells more",
        )
    return readings


def _finish(asked: argparse.Namespace, outcome: Outcome, console: Console) -> None:
    """Write what was decided, or say that nothing was."""
    quotes = [decision.taken for decision in outcome.of("added") if decision.taken]
    if not quotes:
        console.print("nothing is new: the files are as they were")
    elif not asked.write:
        console.print("nothing is written: --write adds these rows")
    else:
        rows = [row for quote in quotes for row in quote.rows]
        origins = {quote.origin.id: quote.origin for quote in quotes}
        contents = files.with_rows(asked.data, rows, [origin.source() for origin in origins.values()])
        files.replace_all(asked.data, contents, build)
        console.print(f"{len(rows):,} rows are added to {', '.join(sorted(contents))}; now run: make catalogue")


if __name__ == "__main__":
    raise SystemExit(main())
