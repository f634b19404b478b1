"""The texts of many documents, one after the other: read here, or by processes where reading is slow."""

import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

from breakeven.documents.find import Found, NotRead
from breakeven.documents.read import Text, read_document

SLOW_KINDS = frozenset({"PDF", "DOCX"})
POOL_FROM_BYTES = 10_000_000
"""Below this, starting processes takes longer than reading."""
SLICE = 32
T = TypeVar("T")
Read = tuple[Found, Text | NotRead]


def texts(documents: Sequence[Found], workers: int) -> Iterator[Read]:
    """Each document with its text, quick kinds first; PDF and DOCX in ``workers`` processes if that pays."""
    slow = [found for found in documents if found.kind in SLOW_KINDS]
    yield from ((found, read_document(found)) for found in documents if found.kind not in SLOW_KINDS)
    if workers > 1 and len(slow) > 1 and sum(found.size_bytes for found in slow) >= POOL_FROM_BYTES:
        yield from _in_processes(slow, workers)
    else:
        yield from ((found, read_document(found)) for found in slow)


def _in_processes(documents: Sequence[Found], workers: int) -> Iterator[Read]:
    """Read in slices, so that few texts wait in memory. What brought a process down is tried again, alone."""
    waiting = iter(documents)
    pool = _pool(workers)
    try:
        while some := list(islice(waiting, SLICE)):
            done, suspects = _slice(pool, some)
            yield from done
            if suspects:
                pool.shutdown(cancel_futures=True)
                yield from map(_alone, suspects)
                pool = _pool(workers)
    finally:
        pool.shutdown(cancel_futures=True)


def _slice(pool: ProcessPoolExecutor, documents: Iterable[Found]) -> tuple[list[Read], list[Found]]:
    done: list[Read] = []
    suspects: list[Found] = []
    try:
        futures: list[tuple[Found, Future[Text | NotRead]]] = [
            (found, pool.submit(read_document, found)) for found in documents
        ]
    except BrokenProcessPool:
        return [], list(documents)
    for found, future in futures:
        try:
            done.append((found, future.result()))
        except BrokenProcessPool:
            suspects.append(found)
    return done, suspects


def _alone(found: Found) -> Read:
    """A document in a process of its own, which may end with it."""
    with _pool(1) as pool:
        try:
            return found, pool.submit(read_document, found).result()
        except BrokenProcessPool:
            return found, NotRead(found.path, f"damaged {found.kind}", "its reader crashed or ran out of memory")


def _pool(workers: int) -> ProcessPoolExecutor:
    """Processes that begin anew, since a fork of a program with threads may hang."""
    return ProcessPoolExecutor(max_workers=workers, mp_context=get_context("spawn"), initializer=_leave_interrupts)


def _leave_interrupts() -> None:
    """Ctrl-C is for the program that waits for this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def in_batches(items: Iterable[tuple[T, int]], most: int) -> Iterator[list[T]]:
    """Items in batches of a total size of about ``most``.

    >>> list(in_batches([("a", 3), ("b", 3), ("c", 1)], 5))
    [['a', 'b'], ['c']]
    """
    batch: list[T] = []
    size = 0
    for item, item_size in items:
        batch.append(item)
        size += item_size
        if size >= most:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
