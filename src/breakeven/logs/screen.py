"""Text files that a reader would trip over: compressed data that end too soon, and lines of a gigabyte.

A plain file is looked into every few megabytes: a line longer than the limit fills at least one such stretch without
a line end. A compressed one is decompressed once, in pieces. Only a file with such a flaw is copied, without it, to a
temporary folder, and the copy is read instead. Nothing here holds more than a piece in memory.
"""

import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breakeven.logs import engines
from breakeven.logs.extras import load
from breakeven.logs.files import LogFile, open_binary
from breakeven.logs.problems import Problems
from breakeven.wording import quoting

PIECE_BYTES = 1 << 20
NEWLINE = b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaws:
    """What is wrong with a file: the numbers of its overlong lines, and why it ends too soon."""

    long_lines: tuple[int, ...]
    cut: str | None


def clean_copy(file: LogFile, name: str, folder: Path, problems: Problems) -> str:
    """The path to read instead of the file: a copy without its flaws, or the file itself if it has none.

    ``name`` is what the user calls the file.

    Raises:
        OSError: if the file cannot be read any more.
    """
    copy = folder / f"{len(list(folder.iterdir()))}-{Path(file.path).name}"
    flaws = _flaws(file, copy)
    if flaws.long_lines:
        named = [f"{name} line {number}" for number in flaws.long_lines]
        reason = quoting("the line is longer than {most:,} bytes", most=engines.LONGEST_LINE_BYTES)
        problems.add("rows", reason, named)
    if flaws.cut:
        problems.add("files", flaws.cut, [name])
    if flaws.long_lines or flaws.cut:
        return str(copy)
    copy.unlink()
    return file.path


def suspects(files: list[LogFile]) -> list[LogFile]:
    """The files that may need a copy, found in parallel."""
    with ThreadPoolExecutor() as pool:
        return [file for file, suspect in zip(files, pool.map(_suspect, files), strict=True) if suspect]


def _suspect(file: LogFile) -> bool:
    if file.compression == "none":
        return _has_long_stretch(file)
    longest = length = 0
    try:
        for piece in _pieces(file):
            first = piece.find(NEWLINE)
            length += len(piece) if first < 0 else first
            longest = max(longest, length)
            if first >= 0:
                length = len(piece) - piece.rfind(NEWLINE) - 1
    except _CutError:
        return True
    return max(longest, length) > engines.LONGEST_LINE_BYTES


def _has_long_stretch(file: LogFile) -> bool:
    """Whether half the longest line fits between two line ends somewhere."""
    stretch = engines.LONGEST_LINE_BYTES // 2
    with open_binary(file.path) as stream:
        for start in range(0, file.size_bytes - stretch, stretch):
            if not _line_ends(stream, start, stretch):
                return True
    return False


def _line_ends(stream: Any, start: int, stretch: int) -> bool:  # noqa: ANN401 - a stream of bytes
    stream.seek(start)
    left = stretch
    while left > 0:
        piece = stream.read(min(PIECE_BYTES >> 4, left))
        if NEWLINE in piece or not piece:
            return True
        left -= len(piece)
    return False


class _CutError(Exception):
    """The compressed data end too soon or are damaged."""


def _pieces(file: LogFile) -> Iterator[bytes]:
    """The decompressed bytes in pieces.

    Raises:
        _CutError: where they end too soon.
    """
    with open_binary(file.path) as stream:
        if file.compression == "gzip":
            yield from _gunzipped(stream)
        elif file.compression == "zstd":
            unpacked = load("pyarrow").CompressedInputStream(stream, "zstd")
            try:
                while piece := unpacked.read(PIECE_BYTES):
                    yield piece
            except OSError as wrong:
                raise _CutError("its zstd data are damaged or end too soon") from wrong
        else:
            while piece := stream.read(PIECE_BYTES):
                yield piece


def _gunzipped(stream: Any) -> Iterator[bytes]:  # noqa: ANN401 - a stream of bytes
    """Every member of a gzip file, checksums checked."""
    decoder = zlib.decompressobj(wbits=31)
    raw = stream.read(PIECE_BYTES)
    try:
        while raw:
            if decoder.eof:
                decoder = zlib.decompressobj(wbits=31)
            if piece := decoder.decompress(raw, PIECE_BYTES >> 4):
                yield piece
            raw = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            raw = (raw.lstrip(b"\0") if decoder.eof else raw) or stream.read(PIECE_BYTES)
    except zlib.error as wrong:
        raise _CutError("its gzip data are damaged: what stands before the damage was read") from wrong
    if not decoder.eof:
        raise _CutError("its gzip data end too soon (a truncated file): what is there was read")


def _flaws(file: LogFile, copy: Path) -> Flaws:
    """Copy the file without overlong lines and without an unfinished last line, and say what was left out."""
    limit, number, kept = engines.LONGEST_LINE_BYTES, 1, bytearray()
    dropping, long_lines, cut = False, [], None
    with copy.open("wb") as out:
        try:
            for piece in _pieces(file):
                *ended, rest = piece.split(NEWLINE)
                for line in ended:
                    if dropping or len(kept) + len(line) > limit:
                        long_lines.append(number)
                        out.write(NEWLINE)  # an empty line keeps the numbers of the others
                    else:
                        out.write(kept + line + NEWLINE)
                    kept, dropping, number = bytearray(), False, number + 1
                kept += rest
                if dropping or len(kept) > limit:
                    kept, dropping = bytearray(), True
        except _CutError as wrong:
            cut = str(wrong)
        if dropping:
            long_lines.append(number)
        elif kept and cut is None:
            out.write(kept)
    return Flaws(long_lines=tuple(long_lines), cut=cut)
