"""A usage log, ready to be asked: its files found, recognised and opened on an engine."""

import math
import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from breakeven.errors import SpecError
from breakeven.logs import remote, screen, stores
from breakeven.logs.batches import Batch, batches, check_zone
from breakeven.logs.engines import Engine, engine
from breakeven.logs.extras import load
from breakeven.logs.layouts import Role
from breakeven.logs.problems import Problems
from breakeven.logs.rows import Wanted, request_rows
from breakeven.logs.samples import Sample, sample
from breakeven.logs.times import Table
from breakeven.wording import joined, quoting


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which log, and how to read it."""

    paths: tuple[str, ...]
    columns: Mapping[Role, str] | None = None
    zone: str | None = None
    engine: str = "duckdb"

    @property
    def shown(self) -> tuple[str, ...]:
        """The paths as they may be printed: without passwords."""
        return tuple(stores.shown(path) for path in self.paths)


class Log:
    """An opened log; a context, because flawed files are read from temporary copies."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.problems = Problems()
        self._kept = ExitStack()
        self.copied: dict[str, str] = {}
        try:
            self._open(asked)
        except BaseException:
            self._kept.close()
            raise

    def _open(self, asked: Asked) -> None:
        folder = Path(self._kept.enter_context(tempfile.TemporaryDirectory(prefix="breakeven-")))
        files, self.copied = stores.files_and_stores(asked.paths, folder, self.problems)
        samples = [found for file in files if (found := sample(file, self.problems))]
        self.batches = batches(samples, asked.columns, self.problems)
        if not self.batches:
            raise nothing_usable(asked.shown, self.problems)
        check_zone(self.batches, asked.zone)
        self.engine: Engine = engine(asked.engine)
        self._made_readable(samples, folder)

    def __enter__(self) -> "Log":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kept.close()

    @property
    def estimated_rows(self) -> float:
        """About how many rows there are."""
        return math.fsum(one.rows for one in self.batches)

    @property
    def has(self) -> frozenset[Role]:
        """The roles that some file can hold."""
        return frozenset(role for one in self.batches for role in (*one.has, *one.layout.fixed))

    @property
    def shows(self) -> frozenset[Role]:
        """The roles that some of the first records give."""
        return frozenset(role for one in self.batches for role in one.shown)

    def rows(self, wanted: Wanted) -> Table:
        """The request rows of all files."""
        tables = [request_rows(self.engine, one, wanted) for one in self.batches]
        return load("ibis").union(*tables) if len(tables) > 1 else tables[0]

    def run(self, expression: Table) -> Any:  # noqa: ANN401 - a pyarrow table
        """The rows of an expression; a file that fails in the middle is named.

        Raises:
            SpecError: if the engine cannot read the files after all.
        """
        try:
            return self.engine.run(expression)
        except Exception as wrong:
            if isinstance(wrong, SpecError):
                raise
            raise SpecError(
                quoting("{engine} cannot read the log: {why}", engine=self.asked.engine, why=_first_line(wrong)),
                expected="files that stay as they are while they are read",
                do="Leave out the file that is named, or try again",
            ) from wrong

    def tell_rejected(self) -> None:
        """Tell the rows that the reader itself left out of what was run so far."""
        for one in self.engine.rejected():
            places = [f"{self.name_of(file)} line {line}" for file, line in one.places]
            self.problems.add("rows", one.reason, places, one.count)

    def opened_as(self, file: str) -> tuple[Batch, str]:
        """The batch and path under which an engine's name of a file was opened: engines make names absolute."""
        for one in self.batches:
            for path in one.paths:
                whole = path if "://" in path else str(Path(path).absolute())
                if file in (path, whole, quote(whole)):
                    return one, path
        raise KeyError(file)

    def name_of(self, file: str) -> str:
        """A file by the name that the user gave, whatever copy of it was read under whatever name."""
        _, path = self.opened_as(file)
        return self.copied.get(path, path)

    def _made_readable(self, samples: Sequence[Sample], folder: Path) -> None:
        """Read copies of files with flaws, and of objects in a store that the engine cannot read itself."""
        used = {path for one in self.batches for path in one.paths}
        files = {one.file.path: one.file for one in samples if one.file.path in used}
        copies: dict[str, str] = {}
        if any(map(remote.is_remote, files)) and not self.engine.reads_remote():
            copies = {path: remote.fetched(path, folder) for path in files if remote.is_remote(path)}
        texts = {one.file.path for one in samples if one.form != "parquet"} & files.keys()
        near = {copies.get(path, path): path for path in texts if path in copies or not remote.is_remote(path)}
        plain = set()
        for file in screen.suspects([replace(files[path], path=here) for here, path in near.items()]):
            copy = screen.clean_copy(file, near[file.path], folder, self.problems)
            if copy != file.path:
                copies[near[file.path]] = copy
                plain.add(copy)
        self.batches = [part for one in self.batches for part in _parts(one, copies, plain)]
        self.copied |= {copy: path for path, copy in copies.items()}


def _parts(one: Batch, copies: Mapping[str, str], plain: Collection[str]) -> list[Batch]:
    """A batch whose files are read from copies where there are any; decompressed copies stand apart."""
    paths = [copies.get(path, path) for path in one.paths]
    packed, unpacked = [path for path in paths if path not in plain], [path for path in paths if path in plain]
    found = []
    for some, compression in ((packed, one.compression), (unpacked, "none")):
        rows = one.rows * len(some) / len(paths)
        found += [replace(one, paths=tuple(some), compression=compression, rows=rows)] if some else []
    return found


def nothing_usable(paths: Sequence[str], problems: Problems) -> SpecError:
    """The one message for a log without a single usable row: why, with the first example of each reason."""
    reasons, names = [one.told for one in problems.found], ", ".join(paths)
    return SpecError(
        quoting("there is nothing usable in {names}: {reasons}", names=names, reasons=joined("; ", reasons))
        if reasons
        else quoting("there is nothing usable in {names}", names=names),
        expected="usage logs with a time and tokens for each request",
        do="See docs/guides/logs.md for the forms that are recognised, and for --columns",
    )


def _first_line(wrong: Exception) -> str:
    return next(iter(str(wrong).splitlines()), type(wrong).__name__)
