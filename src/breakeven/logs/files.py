"""From paths, globs and folders to the files to read, and the first bytes of each."""

import glob
import io
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from breakeven.errors import SpecError, near_matches
from breakeven.logs import remote
from breakeven.logs.extras import load
from breakeven.logs.problems import Problems
from breakeven.wording import Quoted, quoting, worded

Compression = Literal["none", "gzip", "zstd"]
HEAD_BYTES = 1 << 18
LARGEST_HEAD_BYTES = 1 << 24
"""A record that is one JSON document may be this long and still be recognised."""
MAGIC: dict[bytes, Compression] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    """A file that can be opened. ``head`` is decompressed."""

    path: str
    size_bytes: int
    compression: Compression
    head: bytes

    @property
    def remote(self) -> bool:
        """Whether it lies in an object store."""
        return remote.is_remote(self.path)


def log_files(arguments: Sequence[str], problems: Problems) -> list[LogFile]:
    """The files that are named, each once; what cannot be opened is told to ``problems``.

    Raises:
        SpecError: if a path that was named does not exist.
    """
    found: dict[str, LogFile] = {}
    for argument in arguments:
        for path in _expanded(argument, problems):
            if path not in found and (opened := _opened(path, problems)):
                found[path] = opened
    return list(found.values())


def open_binary(path: str) -> Any:  # noqa: ANN401 - a local or remote stream of bytes
    """The bytes of a file, local or in an object store."""
    if remote.is_remote(path):
        return remote.store().open_input_stream(remote.key(path), compression=None)
    return Path(path).open("rb")


def _expanded(argument: str, problems: Problems) -> Iterator[str]:
    if remote.is_remote(argument):
        yield from remote.listed(argument)
    elif Path(argument).is_dir():
        yield from _walk(argument, problems)
    elif os.path.lexists(argument):
        yield argument
    elif glob.has_magic(argument):
        named = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 - absolute patterns too
        if not named:
            raise _missing(argument, "no file matches")
        for path in named:
            yield from _walk(path, problems) if Path(path).is_dir() else (path,)
    else:
        raise _missing(argument, "there is no file")


def _missing(argument: str, what: str) -> SpecError:
    folder = Path(argument).parent
    beside = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    near = near_matches(Path(argument).name, beside)
    return SpecError(
        worded("{what} {name}", what=what, name=Quoted(argument)),
        expected="usage logs: files, globs, folders or s3:// paths",
        do=quoting("Did you mean: {names}?", names=", ".join(near)) if near else "Check the path",
    )


def _walk(folder: str, problems: Problems) -> Iterator[str]:
    """Every file in a folder and below it, hidden ones left out; a link back to a folder above is told once."""
    seen: set[tuple[int, int]] = set()

    def refused(wrong: OSError) -> None:
        problems.add("files", quoting("it cannot be read: {why}", why=wrong.strerror), [str(wrong.filename)])

    for here, inner, names in os.walk(folder, followlinks=True, onerror=refused):
        stat = Path(here).stat()
        if (stat.st_dev, stat.st_ino) in seen:
            problems.add("files", "it is a link to a folder that was read already (a loop)", [here])
            inner.clear()
            continue
        seen.add((stat.st_dev, stat.st_ino))
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        yield from (str(Path(here) / name) for name in sorted(names) if not name.startswith((".", "_")))


def _opened(path: str, problems: Problems) -> LogFile | None:
    """The file with its head, or ``None`` and a problem."""
    try:
        with open_binary(path) as stream:
            raw = bytes(stream.read(HEAD_BYTES))
        size = _size_bytes(path)
    except OSError as wrong:
        problems.add("files", quoting("it cannot be read: {why}", why=wrong.strerror or wrong), [path])
        return None
    if not raw:
        problems.add("files", "it is empty", [path])
        return None
    compression: Compression = next((kind for magic, kind in MAGIC.items() if raw.startswith(magic)), "none")
    head = decompressed_head(raw, compression)
    if not head:
        problems.add("files", quoting("its {form} data are damaged from the beginning", form=compression), [path])
        return None
    return LogFile(path=path, size_bytes=size, compression=compression, head=head)


def _size_bytes(path: str) -> int:
    if remote.is_remote(path):
        return int(remote.store().get_file_info(remote.key(path)).size)
    return Path(path).stat().st_size


def decompressed_head(raw: bytes, compression: Compression) -> bytes:
    """As much of the beginning as can be decompressed, at most ``HEAD_BYTES``."""
    if compression == "none":
        return raw
    if compression == "gzip":
        try:
            return zlib.decompressobj(wbits=47).decompress(raw, HEAD_BYTES)
        except zlib.error:
            return b""
    parts: list[bytes] = []
    try:
        with load("pyarrow").CompressedInputStream(io.BytesIO(raw), "zstd") as stream:
            while sum(map(len, parts)) < HEAD_BYTES and (part := stream.read(1 << 14)):
                parts.append(part)
    except OSError:
        pass  # the head ends in the middle of a frame
    return b"".join(parts)


def longer_head(file: LogFile) -> bytes:
    """The beginning of a file that is not compressed, up to the length of the longest record."""
    if file.compression != "none":
        return file.head
    with open_binary(file.path) as stream:
        return bytes(stream.read(LARGEST_HEAD_BYTES))
