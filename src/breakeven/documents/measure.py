"""A folder of documents, counted: how long they are in the tokens of each candidate, and what could not be read."""

import importlib.util
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from breakeven.catalogue.load import Catalogue, load_catalogue
from breakeven.documents.find import Found, NotRead, find_documents, shown
from breakeven.documents.read import Text
from breakeven.documents.texts import in_batches, texts
from breakeven.documents.tokenizers import Candidate, catalogue_candidates, count_tokens, tokenizer_table
from breakeven.errors import SpecError, UnknownNameError
from breakeven.workload.usage import TOKENS_PER_WORD

PACKAGES = ("docx", "pypdf", "quicktok", "selectolax")
BATCH_CHARS = 8_000_000
PIECE_CHARS = 1_000_000
QUANTILES = (0.5, 0.95)
REASONS_TOLD = 4
Progress = Callable[[int, int], None]
"""Told after each batch: bytes done, bytes in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """How long the documents are, in tokens."""

    total: int
    mean: float
    p50: float
    p95: float
    longest: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DocumentsReport:
    """The documents of a folder, counted. One entry of each array is one document."""

    folder: Path
    documents: tuple[Found, ...]
    words: NDArray[np.int64]
    text_bytes: int
    tokens: dict[str, NDArray[np.int64]]
    """By tokenizer, the baseline first."""
    notes: tuple[tuple[str, str], ...]
    """Path and remark of documents that were read, but not without a guess or a loss."""
    not_read: tuple[NotRead, ...]
    candidates: tuple[Candidate, ...]
    """The models that were asked for; empty: all of the catalogue."""
    coverage: dict[str, int]
    """How many models of the catalogue have each tokenizer (``""``: not known)."""

    @property
    def tokenizer(self) -> str:
        """The tokenizer of the spec: that of the candidates if they share one, else the baseline."""
        used = {one.counted_with for one in self.candidates}
        return used.pop() if len(used) == 1 else tokenizer_table().baseline

    @property
    def kinds(self) -> dict[str, int]:
        """Documents by kind."""
        return dict(Counter(found.kind for found in self.documents))

    @property
    def assumed_tokens(self) -> int:
        """What the rule of thumb of 0.75 words a token makes of the words."""
        return round(int(self.words.sum()) * TOKENS_PER_WORD)

    def lengths(self, tokenizer: str) -> Lengths:
        """The distribution of lengths in the tokens of one tokenizer."""
        counts = self.tokens[tokenizer]
        p50, p95 = (float(value) for value in np.quantile(counts, QUANTILES))
        return Lengths(total=int(counts.sum()), mean=float(counts.mean()), p50=p50, p95=p95, longest=int(counts.max()))

    def against_baseline(self, tokenizer: str) -> float:
        """How many more tokens these documents have in one tokenizer than in the baseline, as a share."""
        baseline = self.tokens[tokenizer_table().baseline]
        return float(self.tokens[tokenizer].sum() / baseline.sum() - 1)


def measure_documents(
    folder: Path,
    *,
    candidates: Sequence[str] = (),
    catalogue: Catalogue | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> DocumentsReport:
    """Read the documents of ``folder`` and count their words and tokens, offline.

    ``candidates``: models by any of their names, ``*`` allowed; none: every tokenizer there is. ``workers``: threads
    that count, and processes that read PDF and DOCX if there are many (then the caller's main module must be safe
    to import). What cannot be read is in ``not_read`` with its reason; the rest is counted all the same.

    Raises:
        SpecError: if the folder is missing, nothing in it can be read, or a package is not installed.
        UnknownNameError: if a candidate is not in the catalogue.
    """
    _refuse_missing_packages()
    known = catalogue_candidates(catalogue or load_catalogue())
    chosen = _chosen(candidates, known)
    found = find_documents(folder)
    counted = _count(found.documents, _tokenizers(chosen), workers, progress)
    not_read = tuple(sorted((*found.not_read, *counted.not_read), key=lambda one: one.path))
    if not counted.documents:
        _refuse_nothing(folder, not_read)
    order = sorted(range(len(counted.documents)), key=lambda place: counted.documents[place].path)
    table = tokenizer_table()
    return DocumentsReport(
        folder=folder,
        documents=tuple(counted.documents[place] for place in order),
        words=np.array(counted.words, dtype=np.int64)[order],
        text_bytes=counted.text_bytes,
        tokens={name: np.concatenate(parts)[order] for name, parts in counted.tokens.items()},
        notes=tuple(sorted(counted.notes)),
        not_read=not_read,
        candidates=chosen,
        coverage={
            name: sum((one.tokenizer or "") == name for one, _ in known.values())
            for name in (*table.own, *table.measured, "")
        },
    )


@dataclass(slots=True)
class _Counted:
    """What has been counted so far, in the order of reading."""

    documents: list[Found]
    words: list[int]
    tokens: dict[str, list[NDArray[np.int64]]]
    notes: list[tuple[str, str]]
    not_read: list[NotRead]
    text_bytes: int = 0


def _count(documents: Sequence[Found], tokenizers: Sequence[str], workers: int, progress: Progress | None) -> _Counted:
    counted = _Counted([], [], {name: [] for name in tokenizers}, [], [])
    every = sum(found.size_bytes for found in documents)
    done = 0
    for batch in in_batches(_sized(documents, workers), BATCH_CHARS):
        done += sum(found.size_bytes for found, _ in batch)
        read = [(found, text) for found, text in batch if isinstance(text, Text)]
        counted.not_read += [text for _, text in batch if isinstance(text, NotRead)]
        counted.documents += [found for found, _ in read]
        counted.words += [count_words(text.text) for _, text in read]
        counted.notes += [(found.path, text.note) for found, text in read if text.note]
        whole = [text.text for _, text in read]
        counted.text_bytes += sum(len(text.encode()) for text in whole)
        for name in tokenizers:
            counted.tokens[name].append(count_tokens(whole, name, workers))
        if progress:
            progress(done, every)
    return counted


def count_words(text: str) -> int:
    r"""What white space parts. In pieces, since a list of all words takes ten times the memory of the text.

    >>> count_words("one two\nthree ")
    3
    """
    if len(text) <= PIECE_CHARS:
        return len(text.split())
    starts = range(0, len(text), PIECE_CHARS)
    cut = sum(not text[start].isspace() and not text[start - 1].isspace() for start in starts[1:])
    return sum(len(text[start : start + PIECE_CHARS].split()) for start in starts) - cut


def _sized(documents: Sequence[Found], workers: int) -> Iterator[tuple[tuple[Found, Text | NotRead], int]]:
    for found, text in texts(documents, workers):
        yield (found, text), len(text.text) if isinstance(text, Text) else 0


def _chosen(patterns: Sequence[str], known: dict[str, tuple[Candidate, frozenset[str]]]) -> tuple[Candidate, ...]:
    """The models that are asked for, each once.

    Raises:
        UnknownNameError: if a pattern finds none.
    """
    found: dict[str, Candidate] = {}
    for pattern in patterns:
        wanted = pattern.lower()
        hits = {name: one for name, (one, names) in known.items() if any(fnmatchcase(n.lower(), wanted) for n in names)}
        if not hits:
            raise UnknownNameError(
                "model", pattern, {n for _, names in known.values() for n in names}, search="breakeven catalogue search"
            )
        found |= hits
    return tuple(found[name] for name in sorted(found))


def _tokenizers(chosen: Sequence[Candidate]) -> tuple[str, ...]:
    """The tokenizers to count with, the baseline first: all of them, or those of the candidates."""
    table = tokenizer_table()
    used = {one.counted_with for one in chosen} or set(table.own)
    return (table.baseline, *(name for name in table.own if name in used and name != table.baseline))


def _refuse_missing_packages() -> None:
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise SpecError(
            f"documents cannot be read: not installed: {', '.join(missing)}",
            expected="the packages of the extra `documents`",
            do="Run: pip install 'breakeven[documents]'",
        )


def _refuse_nothing(folder: Path, not_read: Sequence[NotRead]) -> None:
    reasons = Counter(one.reason for one in not_read).most_common()
    told = "; ".join(f"{count:,} {reason}" for reason, count in reasons[:REASONS_TOLD])
    more = len(reasons) - REASONS_TOLD
    told += f"; and {more:,} other reasons" if more > 0 else ""
    raise SpecError(
        f"{shown(str(folder))} holds no document that can be read" + (f" ({told})" if told else ": it is empty"),
        expected="text, Markdown, HTML, PDF with text, or DOCX",
        do="Name another folder, or convert the files",
    )
