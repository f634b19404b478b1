"""A ledger for one's own machine: everybody may enter, and the newest records are kept in memory."""

from collections import deque
from typing import BinaryIO

import msgspec

from breakeven.gateway.ledger import Admission
from breakeven.gateway.records import UsageRecord

KEPT = 10_000
OPEN = Admission()


class OpenBooks:
    """No keys, no budgets. ``records`` holds the newest; ``lines`` gets each as a line of JSON where it is given."""

    def __init__(self, lines: BinaryIO | None = None, kept: int = KEPT) -> None:
        self.records: deque[UsageRecord] = deque(maxlen=kept)
        self._lines = lines

    async def admit(self, secret: str | None, *, model: str | None, most_pico_usd: int | None) -> Admission:
        """Everybody may enter."""
        del secret, model, most_pico_usd
        return OPEN

    def settle(self, admission: Admission | None, record: UsageRecord) -> None:
        """Keep the record."""
        del admission
        self.records.append(record)
        if self._lines is not None:
            self._lines.write(msgspec.json.encode(record) + b"\n")
