import csv
import importlib.util
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from breakeven.catalogue.load import catalogue_of
from breakeven.errors import CatalogueError

ROOT = Path(__file__).parent.parent.parent
_spec = importlib.util.spec_from_file_location("build_catalogue", ROOT / "tools" / "build_catalogue.py")
tool = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tool)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case tuple():
            return " ".join(str(one) for one in value)
    return str(value)


@pytest.fixture
def tables(small_catalogue):
    """The catalogue made by hand, as rows of text can say it: a required text is not empty."""
    scores = tuple(msgspec.structs.replace(row, conditions="by hand") for row in small_catalogue.tables.scores)
    return msgspec.structs.replace(small_catalogue.tables, scores=scores)


@pytest.fixture
def folder(tmp_path: Path, tables) -> Path:
    """A folder of tables, one file each."""
    for table, kind in tool.TABLES.items():
        with (tmp_path / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(kind.__struct_fields__)
            for row in getattr(tables, table):
                writer.writerow([_cell(getattr(row, name)) for name in kind.__struct_fields__])
    return tmp_path


@pytest.fixture
def change(folder: Path) -> Callable[[str, int, str, str], None]:
    """Puts another text into one cell: ``change("models", 2, "layers", "many")`` for the row in line 2."""

    def put(table: str, line: int, column: str, text: str) -> None:
        path = folder / f"{table}.csv"
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
        rows[line - 1][rows[0].index(column)] = text
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)

    return put


def test_what_the_rows_say_is_what_is_built(folder, tables):
    built = catalogue_of(tool.build(folder)).tables
    for table in tool.TABLES:
        assert getattr(built, table) == getattr(tables, table), table


def test_the_same_rows_give_the_same_bytes(folder):
    assert tool.build(folder) == tool.build(folder)


def test_another_row_gives_another_digest(folder, change):
    before = catalogue_of(tool.build(folder))
    change("machine_prices", 2, "note", "read again")
    after = catalogue_of(tool.build(folder))
    assert before.digest != after.digest
    assert before.tables.built_from != after.tables.built_from


def test_dated_rows_are_built_in_the_order_of_their_days(folder):
    path = folder / "api_prices.csv"
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([head, *reversed(rows)]), encoding="utf-8")
    days = [row.effective_from for row in catalogue_of(tool.build(folder)).tables.api_prices]
    assert days == sorted(days)


@pytest.mark.parametrize(
    ("table", "column", "text", "told"),
    [
        ("models", "source", "", "source"),
        ("machine_prices", "source", "", "source"),
        ("machine_prices", "usd_per_hour", "0", "a price is above 0"),
        ("machine_prices", "usd_per_hour", "-1", "a price is above 0"),
        ("machine_prices", "usd_per_hour", "NaN", "a price is above 0"),
        ("machine_prices", "usd_per_hour", "", "usd_per_hour"),
        ("machine_prices", "usd_per_hour", "dear", "Invalid decimal string"),
        ("machine_prices", "effective_from", "2023-02-30", "Invalid RFC3339 encoded date"),
        ("machine_prices", "effective_from", "", "effective_from"),
        ("machine_prices", "term", "futures", "Invalid enum value 'futures'"),
        ("models", "layers", "many", "Expected `int`"),
        ("models", "name", "", "name"),
        ("instances", "sagemaker_endpoint", "maybe", "Expected `bool`"),
        ("sources", "title", " ", "a source needs an id and a title"),
        ("sources", "kind", "hearsay", "Invalid enum value 'hearsay'"),
        ("peak_windows", "hours_of_week_utc", "1 2 x", "Expected `int`"),
        ("formats", "weight_bits", "half", "Expected `float`"),
    ],
)
def test_a_row_that_the_schema_refuses_is_named_with_file_and_line(folder, change, table, column, text, told):
    change(table, 2, column, text)
    with pytest.raises(CatalogueError) as wrong:
        tool.build(folder)
    given = str(wrong.value)
    assert given.startswith(f"{table}.csv, line 2 is refused: ")
    assert told in given.partition("Expected: a ")[0]
    assert given.endswith("Mend the row, or leave it out if the figure is not known.")


def test_what_is_not_known_is_left_empty_and_never_0(folder, change):
    change("accelerators", 2, "bandwidth_gb_per_s", "")
    assert catalogue_of(tool.build(folder)).tables.accelerators[0].bandwidth_gb_per_s is None


def test_a_column_that_the_schema_does_not_know_is_named(folder, change):
    change("machine_prices", 1, "usd_per_hour", "usd_an_hour")
    with pytest.raises(CatalogueError, match=r"machine_prices\.csv has the columns \['usd_an_hour'\].*usd_per_hour"):
        tool.build(folder)


def test_a_source_that_nobody_described_is_named_with_the_row(folder, change):
    change("machine_prices", 2, "source", "hearsay")
    with pytest.raises(CatalogueError) as wrong:
        tool.build(folder)
    told = str(wrong.value)
    assert told.startswith("machine_prices.csv, line 2 names the source 'hearsay'. Expected: a source of sources.csv. ")


@pytest.mark.parametrize(("slip", "cells"), [(",one too many", 11), (None, 6)])
def test_a_row_of_another_length_is_named_with_file_and_line(folder, slip, cells):
    path = folder / "engines.csv"
    head, first, *rest = path.read_text(encoding="utf-8").splitlines()
    columns = head.count(",") + 1
    first = first + slip if slip else ",".join(first.split(",")[:6])
    path.write_text("\n".join([head, first, *rest]), encoding="utf-8")
    with pytest.raises(CatalogueError) as wrong:
        tool.build(folder)
    found = columns + 1 if slip else cells
    assert str(wrong.value).startswith(
        f"engines.csv, line 2 is refused: it has {found} cells. Expected: {columns}, one for each column. "
    )


@pytest.mark.parametrize("table", [table for table in tool.TABLES if table != "profiles"])
def test_the_same_thing_said_twice_is_refused_even_if_the_second_row_says_it_otherwise(folder, table):
    path = folder / f"{table}.csv"
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    again = dict(zip(rows[0], rows[1], strict=True))
    again |= {name: "in other words" for name in ("note", "title", "conditions") if name in again}
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow(again.values())
    with pytest.raises(CatalogueError) as wrong:
        tool.build(folder)
    assert f"{table}.csv, line {len(rows) + 1} says again what {table}.csv, line 2 says: " in str(wrong.value)


def test_a_price_of_a_later_day_is_no_second_row(folder):
    path = folder / "machine_prices.csv"
    head, first, *_ = csv.reader(path.read_text(encoding="utf-8").splitlines())
    first[head.index("effective_from")] = "2026-05-31"
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow(first)
    assert tool.build(folder)


def test_a_price_of_an_offer_that_nobody_described_is_named_with_the_row(folder, change):
    change("api_prices", 2, "model", "bgi")
    with pytest.raises(CatalogueError, match=r"api_prices\.csv, line 2 prices \w+/bgi\. Expected: an offer of"):
        tool.build(folder)


@pytest.fixture
def at_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The tool run over the folder, with arguments; its exit code."""
    build = tool.build
    monkeypatch.setattr(tool, "DATA", folder)
    monkeypatch.setattr(tool, "build", lambda: build(folder))

    def run(*arguments: str) -> int:
        monkeypatch.setattr(tool.sys, "argv", ["build_catalogue.py", *arguments])
        return tool.main()

    return run


def test_the_tool_writes_a_file_that_its_own_check_accepts(change, at_work):
    assert at_work("--check") == 1  # there is none yet
    assert at_work() == 0
    assert at_work("--check") == 0
    change("machine_prices", 2, "note", "read again")
    assert at_work("--check") == 1


def test_the_tool_writes_nothing_when_a_row_is_refused(folder, change, at_work, capsys):
    change("models", 3, "source", "")
    assert at_work() == 1
    assert capsys.readouterr().err.startswith("models.csv, line 3 is refused: ")
    assert not (folder / "catalogue.msgpack").exists()


def test_the_file_that_ships_is_what_its_rows_give():
    assert (tool.DATA / tool.BUILT_FILE).read_bytes() == tool.build(), "the built catalogue is stale: make catalogue"
