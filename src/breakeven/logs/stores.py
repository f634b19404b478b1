"""The gateway's own store as a log: its usage records, copied out of SQLite or PostgreSQL into Parquet.

DuckDB reads SQLite only with an extension that it would have to fetch, so the records are copied: all of them, in one
transaction, while the gateway goes on writing.
"""

import importlib
import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from breakeven.errors import SpecError
from breakeven.logs import remote
from breakeven.logs.extras import load
from breakeven.logs.files import LogFile, log_files
from breakeven.logs.problems import Problems
from breakeven.wording import quoting

MAGIC = b"SQLite format 3\0"
BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a file that is open."""
POSTGRES = ("postgresql://", "postgres://")
PIECE = 50_000
OWN_MACHINE = "own machine"
"""The provider of requests that own machines answered, so that none is priced like an API of the same model."""
NO_OUTPUT = "CASE WHEN path LIKE '%/embeddings' THEN 0 END"
"""An embedding has no output, and not every upstream says so."""
COLUMNS: dict[str, tuple[str, str]] = {
    "id": ("id", "string"),
    "at_us": ("at_us", "int64"),
    "key": ("key", "string"),
    "team": ("team", "string"),
    "model": ("coalesce(upstream_model, model)", "string"),
    "provider": (f"CASE WHEN cost_basis = '{OWN_MACHINE}' THEN '{OWN_MACHINE}' ELSE provider END", "string"),
    "outcome": ("outcome", "string"),
    "retries": ("CASE WHEN attempts > 1 THEN attempts - 1 ELSE 0 END", "int64"),
    "input_tokens": ("input_tokens", "int64"),
    "cached_input_tokens": ("cached_input_tokens", "int64"),
    "cache_write_tokens": ("cache_write_tokens", "int64"),
    "output_tokens": (f"coalesce(output_tokens, {NO_OUTPUT})", "int64"),
    "reasoning_tokens": ("reasoning_tokens", "int64"),
    "cost_pico_usd": ("cost_pico_usd", "int64"),
    "usd": ("CAST(cost_pico_usd AS DOUBLE PRECISION) / 1e12", "float64"),
}  # fmt: skip
QUERY = f"SELECT {', '.join(f'{text} AS {name}' for name, (text, _) in COLUMNS.items())} FROM usage ORDER BY id"


def is_postgres(argument: str) -> bool:
    """Whether an argument is the address of a PostgreSQL database."""
    return argument.startswith(POSTGRES)


def shown(argument: str) -> str:
    """An argument as it may be printed: an address without user and password.

    >>> shown("postgresql://ann:secret@db.example/usage")
    'postgresql://db.example/usage'
    """
    if not is_postgres(argument):
        return argument
    scheme, _, rest = argument.partition("://")
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"


def files_and_stores(
    arguments: Sequence[str], folder: Path, problems: Problems
) -> tuple[list[LogFile], dict[str, str]]:
    """The files to read, stores as copies in a folder, and what each copy is a copy of.

    Raises:
        SpecError: if a path that was named does not exist, or a database cannot be read.
    """
    copies: dict[str, str] = {}
    near: list[str] = []
    for argument in arguments:
        if is_postgres(argument):
            with closing(_from_postgres(argument)) as pieces:
                near += _kept(pieces, folder, shown(argument), copies, problems)
        else:
            near.append(argument)
    files = log_files(near, problems)
    inside = {file.path for file in files if file.head.startswith(MAGIC)}
    found: list[LogFile] = []
    for file in files:
        if file.path in inside:
            found += log_files(_from_sqlite(file, folder, copies, problems), problems)
        elif not any(file.path.removesuffix(end) in inside for end in BESIDE if file.path.endswith(end)):
            found.append(file)
    return found, copies


def _from_sqlite(file: LogFile, folder: Path, copies: dict[str, str], problems: Problems) -> list[str]:
    """The copy of a SQLite file, or nothing and a problem."""
    if file.compression != "none":
        problems.add(
            "files",
            quoting("it is a SQLite database packed with {form}: unpack it", form=file.compression),
            [file.path],
        )
        return []
    path = remote.fetched(file.path, folder) if file.remote else file.path
    try:
        with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)) as database:
            known = {row[1] for row in database.execute("PRAGMA table_info(usage)")}
            if not {"at_us", "cost_pico_usd", "outcome"} <= known:
                told = "it is a SQLite database, but no store of the gateway: it has no table `usage` of its form"
                problems.add("files", told, [file.path])
                return []
            cursor = database.execute(QUERY)
            return _kept(iter(lambda: cursor.fetchmany(PIECE), []), folder, file.path, copies, problems)
    except sqlite3.Error as wrong:
        problems.add("files", quoting("its SQLite data cannot be read: {why}", why=wrong), [file.path])
        return []


def _from_postgres(address: str) -> Generator[list[Any], None, None]:
    try:
        psycopg: Any = importlib.import_module("psycopg")
    except ImportError as wrong:
        raise SpecError(
            "psycopg is not installed, and reading a store in PostgreSQL needs it",
            expected="the extra `postgres`",
            do="pip install 'breakeven[postgres]'",
        ) from wrong
    try:
        with psycopg.connect(address, connect_timeout=10) as connection, connection.cursor(name="usage") as cursor:
            cursor.execute(QUERY)
            while rows := cursor.fetchmany(PIECE):
                yield rows
    except psycopg.Error as wrong:
        first = next(iter(str(wrong).splitlines()), type(wrong).__name__)
        raise SpecError(
            quoting("{address} cannot be read: {first}", address=shown(address), first=first),
            expected="the address of the store of a gateway, and a user who may read it",
            do="Check the address and the password",
        ) from wrong


def _kept(
    pieces: Iterator[list[Any]], folder: Path, name: str, copies: dict[str, str], problems: Problems
) -> list[str]:
    """Rows as a Parquet file; nothing and a problem where there are none."""
    pa = load("pyarrow")
    schema = pa.schema([(column, pa.type_for_alias(kind)) for column, (_, kind) in COLUMNS.items()])
    path = str(folder / f"{len(list(folder.iterdir()))}-usage.parquet")
    rows = 0
    with load("pyarrow.parquet").ParquetWriter(path, schema) as writer:
        for piece in pieces:
            columns = zip(*piece, strict=True)
            arrays = [pa.array(column, kind.type) for column, kind in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            rows += len(piece)
    if not rows:
        problems.add("files", "it is a store of the gateway without usage records", [name])
        return []
    copies[path] = name
    return [path]
