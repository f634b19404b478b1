"""The documents of a folder and of all folders in it, and what is left out there and why."""

import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from breakeven.errors import SpecError

Kind = Literal["text", "Markdown", "HTML", "PDF", "DOCX"]
KINDS: dict[str, Kind] = {
    ".txt": "text",
    ".text": "text",
    ".log": "text",
    ".rst": "text",
    ".adoc": "text",
    ".org": "text",
    ".tex": "text",
    ".md": "Markdown",
    ".markdown": "Markdown",
    ".html": "HTML",
    ".htm": "HTML",
    ".xhtml": "HTML",
    ".pdf": "PDF",
    ".docx": "DOCX",
}
LARGEST_FILE_BYTES = 100_000_000
"""No model reads a larger file as one request, and reading it would take gigabytes of memory."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that a reader is there for."""

    path: str
    kind: Kind
    size_bytes: int


@dataclass(frozen=True, slots=True)
class NotRead:
    """A file or folder that was not read. ``reason`` is the same for all of its kind, ``detail`` is its own."""

    path: str
    reason: str
    detail: str = ""


@dataclass(slots=True)
class Findings:
    """What a folder holds: documents to read, and what is already known not to be read."""

    documents: list[Found] = field(default_factory=list)
    not_read: list[NotRead] = field(default_factory=list)


def find_documents(folder: Path) -> Findings:
    """The documents of ``folder`` in the order of their paths, each file once.

    Links are followed after everything else; a folder or file that a second path leads to is named, not read
    again, so a circle of links ends. Hidden files and folders are named and not read.

    Raises:
        SpecError: if there is no such folder or it may not be read.
    """
    _refuse_no_folder(folder)
    found = Findings()
    seen = {_identity(os.stat(folder))}  # noqa: PTH116 - the bare call is the same for folders and entries
    links: deque[str] = deque()
    _walk(str(folder), found, seen, links)
    while links:
        path = links.popleft()
        _take(path, found, seen, links, through_link=True)
    found.documents.sort(key=lambda one: one.path)
    found.not_read.sort(key=lambda one: one.path)
    return found


def _refuse_no_folder(folder: Path) -> None:
    do = "Name the folder that holds the documents"
    try:
        if not folder.exists():
            raise SpecError(f"there is no folder {shown(str(folder))}", expected="a folder of documents", do=do)
        if not folder.is_dir():
            raise SpecError(f"{shown(str(folder))} is a file", expected="a folder of documents", do=do)
        with os.scandir(folder):
            pass
    except (OSError, ValueError) as wrong:
        if isinstance(wrong, SpecError):
            raise
        raise SpecError(
            f"{shown(str(folder))} cannot be opened: {why(wrong)}", expected="a folder that you may read", do=do
        ) from wrong


def _walk(top: str, found: Findings, seen: set[tuple[int, int]], links: deque[str]) -> None:
    """Everything below a folder, without going into itself: nesting has no limit."""
    folders = [top]
    while folders:
        folder = folders.pop()
        for entry in _entries(folder, found):
            if entry.name.startswith("."):
                found.not_read.append(NotRead(entry.path, "hidden"))
            elif entry.is_symlink():
                links.append(entry.path)
            elif below := _take(entry.path, found, seen, links):
                folders.append(below)


def _entries(folder: str, found: Findings) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from sorted(entries, key=lambda entry: entry.name)
    except OSError as wrong:
        found.not_read.append(NotRead(folder, "folder cannot be opened", why(wrong)))


def _take(
    path: str, found: Findings, seen: set[tuple[int, int]], links: deque[str], *, through_link: bool = False
) -> str | None:
    """Take a file in; a folder is given back to be walked (or walked here, behind a link)."""
    try:
        facts = os.stat(path)  # noqa: PTH116
    except OSError as wrong:
        found.not_read.append(NotRead(path, "broken link" if through_link else "cannot be opened", why(wrong)))
        return None
    is_folder = stat.S_ISDIR(facts.st_mode)
    if _identity(facts) in seen:
        found.not_read.append(NotRead(path, "the same folder again" if is_folder else "the same file again", "link"))
        return None
    seen.add(_identity(facts))
    if not is_folder:
        _file(path, facts, found)
    elif through_link:
        _walk(path, found, seen, links)
    else:
        return path
    return None


def _file(path: str, facts: os.stat_result, found: Findings) -> None:
    ending = os.path.splitext(path)[1].lower()  # noqa: PTH122
    kind = KINDS.get(ending)
    if not stat.S_ISREG(facts.st_mode):
        found.not_read.append(NotRead(path, "not a file: a pipe, socket or device"))
    elif kind is None:
        found.not_read.append(NotRead(path, f"no reader for {shown(ending)}" if ending else "no reader: no ending"))
    elif facts.st_size == 0:
        found.not_read.append(NotRead(path, "empty", "0 bytes"))
    elif facts.st_size > LARGEST_FILE_BYTES:
        limit = f"larger than {LARGEST_FILE_BYTES:,} bytes"
        found.not_read.append(NotRead(path, limit, f"{facts.st_size:,} bytes: split it into documents"))
    else:
        found.documents.append(Found(path, kind, facts.st_size))


def _identity(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_dev, facts.st_ino


def why(wrong: BaseException) -> str:
    """What went wrong, in a few words on one line."""
    text = wrong.strerror if isinstance(wrong, OSError) and wrong.strerror else str(wrong)
    return shown(" ".join(text.split())[:160]) or type(wrong).__name__


def shown(name: str) -> str:
    r"""A name that can be printed: bytes that are no text, and control characters, are spelt out.

    >>> shown("a\x1b[2J.txt"), shown("ä\udcff.txt")
    ('a\\x1b[2J.txt', 'ä\\udcff.txt')
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)
