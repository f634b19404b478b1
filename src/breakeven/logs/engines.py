"""Where the expressions run: DuckDB on this machine, or Spark. Only opening the files differs."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from breakeven.errors import SpecError
from breakeven.logs import remote
from breakeven.logs.batches import Batch
from breakeven.logs.extras import load
from breakeven.logs.fields import field
from breakeven.logs.problems import EXAMPLES
from breakeven.wording import quoting

EngineName = Literal["duckdb", "spark"]
LONGEST_LINE_BYTES = 16_000_000
"""A longer line is no usage record; it is dropped, counted and named without being held in memory."""
FILE = "filename"
CORRUPT = "_corrupt"
PAIRS = "array<struct<key: string, value: struct<stringValue: string, intValue: string, doubleValue: string>>>"
WRONG_COUNT = "the line has more or fewer fields than the header, or its quotes never close"
REJECTED: Mapping[str, str] = {
    "INVALID ENCODING": "the line is not UTF-8",
    "LINE SIZE OVER MAXIMUM": quoting("the line is longer than {most:,} bytes", most=LONGEST_LINE_BYTES),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Rows that a reader left out: why, how many, and the file and line of the first."""

    reason: str
    count: int
    places: tuple[tuple[str, int], ...]


class Engine(Protocol):
    """What the rest needs of an engine."""

    def open(self, batch: Batch, paths: Iterable[str]) -> Any:  # noqa: ANN401 - an Ibis table
        """The files of a batch as a table that holds at least the top of those paths, and ``filename``."""

    def run(self, expression: Any) -> Any:  # noqa: ANN401 - an Ibis table in, a pyarrow table out
        """The rows of an expression."""

    def rejected(self) -> list[Rejected]:
        """The rows that the reader itself left out."""

    def reads_remote(self) -> bool:
        """Whether it can read an object store itself."""

    def progress(self) -> float | None:
        """How much of what is running is done, 0 to 1; ``None`` if the engine does not say."""

    def stop(self) -> None:
        """Give up what is running."""


def engine(name: str) -> Engine:
    """The engine of that name.

    Raises:
        SpecError: if there is none, or what it needs is not installed.
    """
    if name == "duckdb":
        return DuckDb()
    if name == "spark":
        from breakeven.logs.spark import Spark  # noqa: PLC0415 - starts a Java machine

        return Spark()
    raise SpecError(f"--engine {name} is not known", expected="duckdb or spark", do="Choose one of them")


@contextmanager
def stepwise() -> Iterator[None]:
    """Compile each step as a query of its own: merged, a column would be written out wherever it is used."""
    options = load("ibis").options.sql
    before, options.fuse_selects = options.fuse_selects, False
    try:
        yield
    finally:
        options.fuse_selects = before


def json_schema(batch: Batch, paths: Iterable[str]) -> dict[str, Any]:
    """The Ibis type of each top-level field of a JSON log, as far as the paths need it."""
    tree: dict[str, Any] = {}
    for path in paths:
        wanted, at = field(path), tree
        for name, many in list(zip(wanted.names, wanted.many, strict=True))[:-1]:
            at = at.setdefault(f"{name}[]" if many else name, {})
        kind = "float64" if path in batch.numbers else "string"
        at.setdefault(wanted.names[-1], PAIRS if wanted.key else kind)
    if batch.layout.blocks in tree:
        tree[batch.layout.blocks] = "array<int64>"
    return {name.removesuffix("[]"): _type(name, inner) for name, inner in tree.items()}


def _type(name: str, inner: Any) -> Any:  # noqa: ANN401 - a tree of names in, an Ibis type out
    ibis = load("ibis")
    if isinstance(inner, str):
        return ibis.dtype(inner)
    found = ibis.expr.datatypes.Struct({part.removesuffix("[]"): _type(part, kind) for part, kind in inner.items()})
    return ibis.expr.datatypes.Array(found) if name.endswith("[]") else found


class DuckDb:
    """DuckDB in this process."""

    def __init__(self, *, in_order: bool = False) -> None:
        self._connection = load("ibis").duckdb.connect()
        self._connection.raw_sql(f"SET preserve_insertion_order = {str(in_order).lower()}; SET TimeZone = 'UTC'")

    def open(self, batch: Batch, paths: Iterable[str]) -> Any:  # noqa: ANN401
        """The files of a batch as a view."""
        files, one = list(batch.paths), self._connection
        if batch.form == "parquet":
            return one.read_parquet(files, filename=True)
        if batch.form == "csv":
            return one.read_csv(
                files,
                columns=dict.fromkeys(batch.columns, "string"),
                auto_detect=False,
                header=True,
                delim=batch.delimiter,
                quote='"',
                escape='"',
                compression=batch.compression,
                ignore_errors=True,
                store_rejects=True,
                rejects_limit=0,
                max_line_size=LONGEST_LINE_BYTES,
                filename=True,
            )
        to_text = load("ibis.backends.sql.datatypes").DuckDBType.to_string
        forms = {"lines": "newline_delimited", "array": "array", "document": "unstructured"}
        return one.read_json(
            files,
            columns={name: to_text(kind) for name, kind in json_schema(batch, paths).items()},
            format=forms[batch.form],
            compression=batch.compression,
            ignore_errors=batch.form == "lines",
            maximum_object_size=LONGEST_LINE_BYTES,
            filename=True,
        )

    def run(self, expression: Any) -> Any:  # noqa: ANN401
        """The rows of an expression."""
        with stepwise():
            text = self._connection.compile(expression)
        found = self._connection.con.sql(text).to_arrow_table()  # as Ibis does it, but without loading pandas
        return found.cast(expression.schema().to_pyarrow())

    def rejected(self) -> list[Rejected]:
        """Rows that the CSV reader left out: it writes them into a table of its own, a line for each bad field."""
        if not self._has_rejects():
            return []
        found = self._connection.raw_sql(
            "SELECT error_type, count(*), list(struct_pack(file := file_path, line := line) ORDER BY file_path, line)"
            f"[:{EXAMPLES}] FROM "
            "(SELECT file_path, line, min(error_type) AS error_type FROM reject_errors "
            "JOIN reject_scans USING (scan_id, file_id) GROUP BY 1, 2) GROUP BY 1 ORDER BY 1"
        )
        return [
            Rejected(
                reason=REJECTED.get(kind, WRONG_COUNT),
                count=count,
                places=tuple((place["file"], int(place["line"])) for place in places),
            )
            for kind, count, places in found.fetchall()
        ]

    def rejected_lines(self) -> frozenset[int]:
        """The lines that the CSV reader left out, if it read one file."""
        if not self._has_rejects():
            return frozenset()
        return frozenset(line for (line,) in self._connection.raw_sql("SELECT line FROM reject_errors").fetchall())

    def _has_rejects(self) -> bool:
        """Whether a CSV reader has run: its table of rejected rows is made then."""
        found = self._connection.raw_sql("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject_errors'")
        return bool(found.fetchone()[0])

    def progress(self) -> float | None:
        """What DuckDB says of the query that is running."""
        done = float(self._connection.con.query_progress())
        return done / 100 if done >= 0 else None

    def stop(self) -> None:
        """Give up what is running."""
        self._connection.con.interrupt()

    def reads_remote(self) -> bool:
        """Whether the extension for object stores is there, or can be fetched from extensions.duckdb.org."""
        try:
            self._connection.raw_sql("INSTALL httpfs; LOAD httpfs; INSTALL aws; LOAD aws")
            address = (remote.endpoint() or "").partition("://")
            place = (
                f", ENDPOINT '{address[2]}', URL_STYLE 'path', USE_SSL {address[0] == 'https'}" if address[2] else ""
            )
            self._connection.raw_sql(f"CREATE OR REPLACE SECRET (TYPE s3, PROVIDER credential_chain{place})")
        except load("duckdb").Error:
            return False
        return True
