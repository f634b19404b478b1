"""Tables in from files and packages; new rows out at the end of the catalogue's CSV files, all or none."""

import csv
import hashlib
import importlib.metadata
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from breakeven.catalogue.schema import ApiPrice, MachinePrice, PriceRow, ServicePrice
from breakeven.errors import SpecError
from breakeven.evidence import Source
from refresh import genai_table
from refresh.quotes import Origin

LITELLM_FILE = "litellm/model_prices_and_context_window_backup.json"
TABLE_OF = {ApiPrice: "api_prices", MachinePrice: "machine_prices", ServicePrice: "service_prices"}
INSTALLED = "installed"


def table(name: str, asked: str, day: date) -> tuple[Any, Origin]:
    """The content of a table and where it comes from, for ``FILE@DAY`` or ``installed@DAY``.

    Raises:
        SpecError: if the day is missing or wrong, or the file cannot be read or is not JSON.
    """
    where, _, told = asked.rpartition("@")
    if not where:
        raise SpecError(
            f"--{name} {asked} does not say of which day the table is",
            expected=f"{asked}@{day}, with the day on which it was published",
            do="An older table must not overrule a newer price: its day decides",
        )
    published = day_of(told, f"--{name} {asked}")
    if published > day:
        raise SpecError(f"--{name} {asked} is of a day after {day}", expected=f"{day} or before", do="Correct it")
    content, title = _installed(name) if where == INSTALLED else _from_file(name, Path(where))
    return content, Origin(name=name, title=f"{title}, published {published}", published=published, read=day)


def day_of(text: str, given: str) -> date:
    """A day in the form 2026-11-25.

    Raises:
        SpecError: if it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as wrong:
        raise SpecError(f"{given}: {text!r} is not a day", expected="a day like 2026-11-25", do="Correct it") from wrong


def _installed(name: str) -> tuple[Any, str]:
    try:
        package = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError as wrong:
        raise SpecError(f"{name} is not installed", expected=f"pip install {name}", do="Or give a file") from wrong
    title = f"{name}=={package.version}"
    if name == genai_table.PACKAGE:
        return genai_table.installed(), f"{title}:genai_prices/data.py"
    raw = Path(str(package.locate_file(LITELLM_FILE))).read_bytes()
    return _json(raw, name), f"{title}:{LITELLM_FILE}"


def _from_file(name: str, path: Path) -> tuple[Any, str]:
    """A JSON file, or a wheel of litellm, which carries one."""
    try:
        raw = path.read_bytes()
        if path.suffix == ".whl":
            raw = zipfile.ZipFile(io.BytesIO(raw)).read(LITELLM_FILE)
    except (OSError, KeyError, zipfile.BadZipFile) as wrong:
        raise SpecError(f"{path} cannot be read: {wrong}", expected=f"the table of {name}", do="Check it") from wrong
    return _json(raw, str(path)), f"{name}: {path.name}, SHA-256 {hashlib.sha256(raw).hexdigest()[:16]}"


def _json(raw: bytes, where: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(raw, parse_float=Decimal)
    except ValueError as wrong:
        raise SpecError(
            f"{where} is not whole JSON: {wrong}", expected="the table as published", do="Get it again"
        ) from wrong


def with_rows(folder: Path, rows: Iterable[PriceRow], sources: Iterable[Source]) -> dict[str, bytes]:
    """The new content of every file that changes: what stood there, byte for byte, and the rows behind it."""
    by_table: dict[str, list[msgspec.Struct]] = {"sources": []}
    known = {line["id"] for line in csv.DictReader(_text(folder / "sources.csv").splitlines())}
    by_table["sources"] += [source for source in sources if source.id not in known]
    for row in rows:
        by_table.setdefault(TABLE_OF[type(row)], []).append(row)
    return {f"{name}.csv": _appended(folder / f"{name}.csv", added) for name, added in by_table.items() if added}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _appended(path: Path, rows: list[msgspec.Struct]) -> bytes:
    old = path.read_bytes()
    columns = next(csv.reader(_text(path).splitlines()))
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for row in rows:
        writer.writerow([_cell(getattr(row, column)) for column in columns])
    return old + (b"" if old.endswith(b"\n") else b"\n") + lines.getvalue().encode()


def _cell(value: object) -> str:
    if value is None or value == 0:
        return ""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def replace_all(folder: Path, contents: dict[str, bytes], build: Callable[[Path], bytes]) -> None:
    """Put the new contents in place, if the catalogue can be built from them; otherwise nothing is touched.

    Sources go first, so that at no moment a row stands without its source.

    Raises:
        CatalogueError: if the catalogue refuses one of the new rows.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
        trial = Path(beside)
        for path in folder.glob("*.csv"):
            shutil.copy2(path, trial)
        for name, content in contents.items():
            (trial / name).write_bytes(content)
        build(trial)
        for name in sorted(contents, key=lambda name: name != "sources.csv"):
            (trial / name).replace(folder / name)
