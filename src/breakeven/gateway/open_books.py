"""A ledger for one's own machine: everybody may enter, and the newest records are kept in memory."""

from collections import deque

from breakeven.gateway.ledger import Admission
from breakeven.gateway.records import UsageRecord

KEPT = 10_000
OPEN = Admission()


class OpenBooks:
    """No keys, no budgets. ``records`` holds the newest."""

    def __init__(self, kept: int = KEPT) -> None:
        self.records: deque[UsageRecord] = deque(maxlen=kept)

    async def admit(self, secret: str | None, *, model: str | None, most_pico_usd: int | None) -> Admission:
        """Everybody may enter."""
        del secret, model, most_pico_usd
        return OPEN

    def settle(self, admission: Admission | None, record: UsageRecord) -> None:
        """Keep the record."""
        del admission
        self.records.append(record)
