"""A table of measurements as a file: its rows, on which line each stands, and what is wrong with it in a sentence."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from breakeven.errors import SpecError

REASONS_TOLD = 8
NAMES_TOLD = 3
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of a file by column, and the line on which each begins (the header is line 1, if no blank ones lead)."""

    rows: list[dict[str, str]]
    lines: list[int]


def text_of(path: Path) -> str:
    """The text of a table.

    Raises:
        SpecError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as wrong:
        raise SpecError(
            f"{path} cannot be read: {wrong}", expected="a CSV file in UTF-8", do="Check the path"
        ) from wrong


def rows_in(text: str, columns: Sequence[str], name: str) -> Rows:
    """The rows of a table that has certain columns, in any order and beside others; blank lines are none.

    Raises:
        SpecError: columns are missing, there is no row, or it is no CSV.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""))
    found = Rows(rows=[], lines=[])
    try:
        reader.fieldnames = next((header for header in reader.reader if header), [])
        _refuse_header(list(reader.fieldnames), columns, name)
        for row in reader:
            inside = sum(value.count("\n") for value in row.values() if isinstance(value, str))
            found.rows.append(row)
            found.lines.append(reader.line_num - inside)
    except csv.Error as wrong:
        raise SpecError(
            f"{name} is no CSV after line {reader.line_num}: {wrong}",
            expected="fields parted by commas",
            do="Correct it",
        ) from wrong
    if not found.rows:
        raise SpecError(f"{name} has a header and no rows", expected="a row for each measurement", do="Add them")
    return found


def _refuse_header(header: list[str], columns: Sequence[str], name: str) -> None:
    missing = [column for column in columns if column not in header]
    if not missing:
        return
    if not header:
        raise SpecError(f"{name} is empty", expected="a header and a row for each measurement", do="Check the path")
    parted = [word for sign, word in SEPARATORS.items() if len(header) == 1 and header[0].count(sign) > 1]
    if parted:
        raise SpecError(
            f"the columns of {name} are parted by {parted[0]}", expected="commas", do="Export it as CSV with commas"
        )
    spelt = {one.strip().lower(): one for one in header}
    otherwise = [repr(spelt[column]) for column in missing if column in spelt]
    if otherwise:
        more = f" and {len(otherwise) - NAMES_TOLD} more" if len(otherwise) > NAMES_TOLD else ""
        raise SpecError(
            f"{name} spells columns otherwise: {', '.join(otherwise[:NAMES_TOLD])}{more}",
            expected="names in lower case without spaces around them",
            do="Rename them in the header",
        )
    raise SpecError(
        f"{name} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}",
        expected=f"a header with all {len(columns)} columns of a measurement",
        do="Add them; a figure that is not known stays empty",
    )


def by_row(reasons: Mapping[int, str], lines: Sequence[int]) -> str:
    """Reasons by the line on which the row begins in the file (the header is row 1), the first ones.

    >>> by_row({2: "ttft_s is -1", 0: "id is empty"}, [2, 3, 6])
    'row 2: id is empty; row 6: ttft_s is -1'
    """
    first = "; ".join(f"row {lines[n]}: {why}" for n, why in sorted(reasons.items())[:REASONS_TOLD])
    return first + (f"; and {len(reasons) - REASONS_TOLD} more" if len(reasons) > REASONS_TOLD else "")


def refuse(wrong: Mapping[int, str], lines: Sequence[int], name: str) -> None:
    """Refuse a table that has rows which cannot be right.

    Raises:
        SpecError: with the row and the reason of each.
    """
    if not wrong:
        return
    raise SpecError(
        f"{name} has {len(wrong)} row{'s' if len(wrong) > 1 else ''} that cannot be right: {by_row(wrong, lines)}",
        expected="figures that are positive and no faster than the device allows (the header is row 1)",
        do="Correct or remove them",
    )
