"""What a file is: CSV, JSON or Parquet, and a first few of its records."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from breakeven.logs import remote
from breakeven.logs.extras import load
from breakeven.logs.fields import paths_of, quoted
from breakeven.logs.files import HEAD_BYTES, LogFile, longer_head
from breakeven.logs.problems import Problems
from breakeven.wording import quoting

Form = Literal["csv", "lines", "array", "document", "parquet"]
Record = dict[str, Any]
DELIMITERS = ",;\t|"
SAMPLES = 20
UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A file with its form and its first records. CSV and Parquet have ``columns``; JSON has none that are fixed."""

    file: LogFile
    form: Form
    records: tuple[Record, ...]
    columns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    delimiter: str = ","
    rows: float = 0
    """Rows of the file: counted for Parquet, else estimated from the first records."""

    @property
    def paths(self) -> frozenset[str]:
        """Everything that the records hold."""
        return frozenset(path for record in self.records for path in paths_of(record)) | frozenset(
            quoted(name) for name in self.columns
        )


def sample(file: LogFile, problems: Problems) -> Sample | None:
    """The form and first records of a file; ``None`` and a problem if it is no table of records."""
    if file.head.startswith(b"PAR1"):
        return _parquet(file, problems)
    if file.head.startswith(UTF16):
        problems.add("files", "it is UTF-16: save it as UTF-8", [file.path])
        return None
    text = file.head.decode("utf-8-sig", errors="replace")
    start = text.lstrip()
    found = _json(file, start) if start[:1] in ("{", "[") else _csv(file, text)
    if found is None:
        problems.add("files", "its form is not known: no CSV with a header, no JSON, no Parquet", [file.path])
    return found


def _json(file: LogFile, start: str) -> Sample | None:
    lines = start.splitlines()
    whole = lines if len(file.head) < HEAD_BYTES else lines[:-1]
    records = tuple(record for line in whole[: SAMPLES * 5] if (record := _object(line)) is not None)[:SAMPLES]
    if start.startswith("{") and records:
        length = len(start.encode()) / max(1, len(whole))
        return Sample(file=file, form="lines", records=records, rows=_bytes(file) / length)
    for text in (start, longer_head(file).decode("utf-8-sig", errors="replace").lstrip()):
        documents = tuple(_documents(text))
        if documents:
            form: Form = "array" if start.startswith("[") else "document"
            return Sample(file=file, form=form, records=documents, rows=_bytes(file) / len(text) * len(documents))
    return None


def _object(line: str) -> Record | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _documents(text: str) -> Iterator[Record]:
    """The first whole objects of a JSON text: those of an array, or one after the other."""
    decoder, at = json.JSONDecoder(), text.startswith("[") * 1
    for _ in range(SAMPLES):
        while at < len(text) and text[at] in ", \t\r\n":
            at += 1
        try:
            found, at = decoder.raw_decode(text, at)
        except ValueError:
            return
        if isinstance(found, dict):
            yield found


def _bytes(file: LogFile) -> float:
    """The size of the file once decompressed, as its head compresses."""
    if file.compression == "none":
        return file.size_bytes
    packed = min(file.size_bytes, HEAD_BYTES)
    return file.size_bytes * len(file.head) / packed


def _csv(file: LogFile, text: str) -> Sample | None:
    delimiter = max(DELIMITERS, key=text.split("\n", 1)[0].count)
    first = text.split("\n", 1)[0]
    if delimiter not in first or "\0" in text or "\ufffd" in first:
        return None
    rows = list(_rows(text, delimiter))
    if not rows:
        return None
    header = tuple(name.strip() for name in rows[0])
    if len(set(header)) != len(header) or any(_is_number(name) for name in header):
        return None
    records = tuple(dict(zip(header, row, strict=False)) for row in rows[1:])
    return Sample(
        file=file,
        form="csv",
        records=records,
        columns=header,
        types=("string",) * len(header),
        delimiter=delimiter,
        rows=_bytes(file) / max(1, len(text)) * text.count("\n"),
    )


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """The first rows, up to one that the reader refuses (a field of more than 128 KiB, for one)."""
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    with suppress(csv.Error, StopIteration):
        for _ in range(SAMPLES + 1):
            yield next(reader)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parquet(file: LogFile, problems: Problems) -> Sample | None:
    try:
        opened = load("pyarrow.parquet").ParquetFile(_seekable(file))
        schema, rows = opened.schema_arrow, opened.metadata.num_rows
        first = next(opened.iter_batches(batch_size=SAMPLES), None)
    except (OSError, ValueError) as wrong:
        problems.add(
            "files", quoting("its Parquet data are damaged: {why}", why=str(wrong).splitlines()[0]), [file.path]
        )
        return None
    columns = tuple(column.name for column in schema)
    types = tuple(str(column.type) for column in schema)
    records: tuple[Record, ...] = tuple(first.to_pylist()) if first is not None else ()
    nested = ({column.name: _empty(column.type) for column in schema},) if records else ()
    return Sample(file=file, form="parquet", records=nested + records, columns=columns, types=types, rows=rows)


def _seekable(file: LogFile) -> Any:  # noqa: ANN401 - a path, or pyarrow's file
    if not file.remote:
        return file.path
    return remote.store().open_input_file(remote.key(file.path))


def _empty(kind: Any) -> Any:  # noqa: ANN401 - pyarrow has no type information
    """A record of a nested Parquet type, without values, so that its paths can be told."""
    types = load("pyarrow.types")
    if types.is_struct(kind):
        return {inner.name: _empty(inner.type) for inner in kind}
    return [_empty(kind.value_type)] if types.is_list(kind) else None
