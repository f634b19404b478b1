"""Where the rows stand that could not be used: the file, and the line of the first few of each reason.

Runs only when there are such rows, and only over the files that hold them.
"""

import gzip
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from breakeven.logs.batches import Batch
from breakeven.logs.engines import DuckDb
from breakeven.logs.extras import load
from breakeven.logs.files import Compression
from breakeven.logs.log import Log
from breakeven.logs.problems import EXAMPLES
from breakeven.logs.rows import MISREAD, REASONS, Reader, Wanted, paths_needed, rows_of

NUMBER = "_number"
COUNTED = {"parquet": "row", "array": "record", "document": "record"}


def tell_unusable(log: Log, unusable: Mapping[tuple[int, str], int], wanted: Wanted) -> None:
    """Tell the log's problems how many rows of each reason there are, and where the first of them stand."""
    for kind in sorted({kind for kind, _ in unusable}):
        files = {file: count for (one, file), count in sorted(unusable.items()) if one == kind}
        examples: list[str] = []
        for file in files:
            if len(examples) < EXAMPLES:
                examples += _places(log, kind, file, wanted)[: EXAMPLES - len(examples)]
        log.problems.add("rows", REASONS[kind], examples, sum(files.values()))


def _places(log: Log, kind: int, file: str, wanted: Wanted) -> list[str]:
    """File and line of the first rows of one reason in one file; the file alone where lines cannot be told."""
    batch, path = log.opened_as(file)
    name = log.name_of(file)
    if path.startswith("s3://"):
        return [name]
    alone, counter = replace(batch, paths=(path,)), DuckDb(in_order=True)
    paths = paths_needed(batch, wanted)
    opened = counter.open(alone, paths)
    if kind == MISREAD:
        counter.run(opened.count().as_table())
        return [f"{name} line {line}" for line in sorted(counter.rejected_lines())[:EXAMPLES]] or [name]
    numbered = opened.mutate(**{NUMBER: load("ibis").row_number()})
    rows = rows_of(Reader(alone, numbered, paths), replace(wanted, texts=(), usd=False), keep=(NUMBER,))
    found = counter.run(rows.filter(rows.kind == kind).order_by(NUMBER).limit(EXAMPLES)).column(NUMBER).to_pylist()
    numbers = [int(number) + 1 for number in found]
    if batch.form in COUNTED:
        return [f"{name} {COUNTED[batch.form]} {number}" for number in dict.fromkeys(numbers)]
    lines = line_numbers(path, batch, numbers, counter.rejected_lines())
    return [f"{name} line {line}" for line in lines] or [name]


def line_numbers(path: str, batch: Batch, ordinals: Iterable[int], rejected: frozenset[int]) -> list[int]:
    """The line on which each of the records stands; empty lines, the header and rejected lines hold no record."""
    wanted, found, ordinal = set(ordinals), [], 0 if batch.form == "lines" else -1
    if not wanted:
        return []
    with _lines(path, batch.compression) as stream:
        quotes = 0
        for number, line in enumerate(stream, start=1):
            inside = quotes % 2 == 1
            quotes += line.count(b'"') if batch.form == "csv" else 0
            if inside or not line.strip() or number in rejected:
                continue
            ordinal += 1
            if ordinal in wanted:
                found.append(number)
            if ordinal >= max(wanted):
                break
    return found


def _lines(path: str, compression: Compression) -> Any:  # noqa: ANN401 - a stream of lines
    if compression == "gzip":
        return gzip.open(path, "rb")
    if compression == "zstd":
        return load("pyarrow").input_stream(path, compression="zstd")
    return Path(path).open("rb")
