"""The records that wait to be written: a bounded queue that never makes a request wait."""

import logging
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from breakeven.gateway.records import UsageRecord

LOG = logging.getLogger(__name__)
LONGEST_TEXT = 300
"""Names come from callers: longer ones are cut."""
LARGEST_WHOLE = 2**63 - 1
astuple = msgspec.structs.astuple


class Meter:
    """The queue, and what became of the records. Filled by one thread, emptied by another."""

    def __init__(self, most_waiting: int) -> None:
        self._waiting: deque[UsageRecord] = deque()
        self._most = most_waiting
        self.written = 0
        self.overflowed = 0
        """Records for which the queue had no room."""
        self.unfit = 0
        """Records that the store could not take."""
        self.faults = 0
        """Times that something went wrong here that should not; each is in the log."""

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def lost(self) -> int:
        """Records that could not be kept."""
        return self.overflowed + self.unfit

    def keep(self, record: UsageRecord) -> None:
        """Put a record in; where the queue is full it is counted as lost."""
        if len(self._waiting) < self._most:
            self._waiting.append(record)
        else:
            self.overflowed += 1

    def take(self, most: int) -> list[tuple[Any, ...]]:
        """The oldest records, as rows that every store can hold."""
        waiting, rows = self._waiting, []
        for _ in range(min(most, len(waiting))):
            try:
                rows.append(row_of(waiting.popleft()))
            except Exception:  # whatever was put in, the others must be written
                self.unfit += 1
                LOG.exception("this is no usage record")
        return rows


def row_of(record: UsageRecord) -> tuple[Any, ...]:
    """The fields of a record in order; a text that a store would refuse is made fit."""
    row = astuple(record)
    for value in row:
        if type(value) is str and not (value.isascii() and len(value) <= LONGEST_TEXT and value.isprintable()):
            return _made_fit(row)
        if type(value) is int and value > LARGEST_WHOLE:
            return _made_fit(row)
    return row


def _made_fit(row: Sequence[Any]) -> tuple[Any, ...]:
    fit: list[Any] = []
    for value in row:
        if isinstance(value, str):
            whole = value[:LONGEST_TEXT].replace("\0", "\N{REPLACEMENT CHARACTER}")
            fit.append(whole.encode("utf-8", "replace").decode())
        else:
            beyond = type(value) is int and value > LARGEST_WHOLE
            fit.append(None if beyond else value)
    return tuple(fit)
