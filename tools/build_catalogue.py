"""Build the catalogue's one file from its tables of rows; refuse any row without source, date or sense.

python tools/build_catalogue.py          write the built file
python tools/build_catalogue.py --check  exit 1 if the built file is not what the rows give
"""

import csv
import hashlib
import sys
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from breakeven.catalogue import schema
from breakeven.catalogue.load import BUILT_FILE
from breakeven.catalogue.tables import IDENTITY, CatalogueFile
from breakeven.errors import BreakevenError, CatalogueError
from breakeven.evidence import Source

DATA = Path(__file__).parent.parent / "src" / "breakeven" / "catalogue" / "data"

TABLES: dict[str, type[msgspec.Struct]] = {
    "sources": Source,
    "api_offers": schema.ApiOffer,
    "api_prices": schema.ApiPrice,
    "peak_windows": schema.PeakWindow,
    "machine_prices": schema.MachinePrice,
    "service_prices": schema.ServicePrice,
    "instances": schema.Instance,
    "accelerators": schema.Accelerator,
    "cpus": schema.Cpu,
    "models": schema.ModelSpec,
    "formats": schema.NumberFormat,
    "engines": schema.Engine,
    "paths": schema.ServingPath,
    "scores": schema.Score,
    "profiles": schema.Profile,
    "uptimes": schema.Uptime,
    "repositories": schema.Repository,
}
DATED = {"api_prices", "machine_prices", "service_prices"}
Placed = tuple[str, Any]
"""A row, after the file and line in which it stands."""


def rows_of(table: str, folder: Path) -> list[Placed]:
    """The rows of one table, typed; a row that the schema refuses is named with its file and line."""
    kind = TABLES[table]
    path = folder / f"{table}.csv"
    hints = get_type_hints(kind)
    with path.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        unknown = set(reader.fieldnames or ()) - set(kind.__struct_fields__)
        if unknown:
            raise CatalogueError(
                f"{path.name} has the columns {sorted(unknown)}",
                expected=f"columns among {', '.join(kind.__struct_fields__)}",
                do="Rename or remove them",
            )
        return [
            (where, _row(kind, hints, cells, where))
            for cells in reader
            if (where := f"{path.name}, line {reader.line_num}")
        ]


def _row(kind: type[msgspec.Struct], hints: dict[str, Any], cells: dict[Any, Any], where: str) -> Any:  # noqa: ANN401
    _check_length(cells, where)
    given = {name: _cell(hints[name], text) for name, text in cells.items() if text != ""}
    missing = [f.name for f in msgspec.structs.fields(kind) if f.required and f.name not in given]
    optional = [name for name in missing if type(None) in get_args(hints[name])]
    try:
        values = msgspec.convert({**given, **dict.fromkeys(optional)}, dict[str, Any])
        typed = {
            name: msgspec.convert(value, hints[name], strict=False) if value is not None else None
            for name, value in values.items()
        }
        return kind(**typed)
    except (msgspec.MsgspecError, TypeError, ValueError) as wrong:
        raise CatalogueError(
            f"{where} is refused: {wrong}",
            expected=f"a {kind.__name__} with source, date and sense",
            do="Mend the row, or leave it out if the figure is not known",
        ) from wrong


def _check_length(cells: dict[Any, Any], where: str) -> None:
    """Refuse a row with more cells than the table has columns, or with fewer."""
    columns = len(cells) - (None in cells)
    found = columns + len(cells.get(None) or ()) - sum(text is None for text in cells.values())
    if found != columns:
        raise CatalogueError(
            f"{where} is refused: it has {found} cells",
            expected=f"{columns}, one for each column",
            do="Mend the row; a text with a comma stands in quotes, and what is not known is left empty",
        )


def _cell(hint: Any, text: str) -> Any:  # noqa: ANN401
    return text.split() if get_origin(hint) is tuple else text


def build(folder: Path = DATA) -> bytes:
    """The bytes of the built file for the tables in ``folder``."""
    digest = hashlib.sha256()
    for table in TABLES:
        digest.update((folder / f"{table}.csv").read_bytes())
    placed = {name: rows_of(name, folder) for name in TABLES}
    for table, rows in placed.items():
        _check_once(table, rows)
    _check_references(placed)
    tables = {name: _in_order(name, [row for _, row in rows]) for name, rows in placed.items()}
    return msgspec.msgpack.encode(CatalogueFile(built_from=digest.hexdigest(), **tables))


def _in_order(table: str, rows: list[Any]) -> tuple[Any, ...]:
    return tuple(sorted(rows, key=lambda row: row.effective_from) if table in DATED else rows)


def _check_once(table: str, rows: list[Placed]) -> None:
    """Refuse a second row for the same thing (of the same day, where rows are dated)."""
    identity = IDENTITY.get(table, ("name",))
    first: dict[tuple[Any, ...], str] = {}
    for where, row in rows:
        key = tuple(getattr(row, column) for column in identity)
        if key in first:
            said = ", ".join(f"{column} {value}" for column, value in zip(identity, key, strict=True) if value != "")
            raise CatalogueError(
                f"{where} says again what {first[key]} says: {said}",
                expected="one row for each of them",
                do="Leave one out" + ("; a new price is a row with a later effective_from" if table in DATED else ""),
            )
        first[key] = where


def _check_references(placed: dict[str, list[Placed]]) -> None:
    """Refuse a row whose source is not in the table of sources, and a price of an offer that no table describes."""
    sources = {row.id for _, row in placed["sources"]}
    for where, row in (one for name, rows in placed.items() if name != "sources" for one in rows):
        if row.source not in sources:
            raise CatalogueError(
                f"{where} names the source {row.source!r}",
                expected="a source of sources.csv",
                do="Add the source with its title and the day on which it was read",
            )
    offers = {row.key for _, row in placed["api_offers"]}
    for where, row in placed["api_prices"]:
        if (row.provider, row.model) not in offers:
            raise CatalogueError(
                f"{where} prices {row.provider}/{row.model}",
                expected="an offer of api_offers.csv",
                do="Add the offer, or correct the name",
            )


def main() -> int:
    """Write or check the built file; the exit code."""
    target = DATA / BUILT_FILE
    try:
        built = build()
    except BreakevenError as wrong:
        print(wrong, file=sys.stderr)
        return 1
    if "--check" in sys.argv:
        same = target.exists() and target.read_bytes() == built
        print("the built catalogue is up to date" if same else "the built catalogue is stale: make catalogue")
        return 0 if same else 1
    target.write_bytes(built)
    print(f"{target.name}: {len(built):,} bytes, {sum(1 for _ in TABLES)} tables")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
