"""A ledger whose records are seen by others too: metrics, spans. And the live state as metrics show it."""

import time
from collections.abc import Callable, Sequence

from breakeven.gateway.door import Door
from breakeven.gateway.ledger import Admission, Ledger
from breakeven.gateway.metrics import Live as Shown
from breakeven.gateway.records import UsageRecord
from breakeven.units import PICO_USD_PER_USD


class Observed:
    """Everything that goes to ``ledger`` in the end goes to ``observers`` as well."""

    def __init__(self, ledger: Ledger, observers: Sequence[Callable[[UsageRecord], None]]) -> None:
        self.admit = ledger.admit
        self._settle = ledger.settle
        self._observers = tuple(observers)

    def settle(self, admission: Admission | None, record: UsageRecord) -> None:
        """Keep the record, then show it."""
        self._settle(admission, record)
        for observe in self._observers:
            observe(record)


def shown(door: Door, waiting: int = 0, lost: int = 0) -> Shown:
    """The live state of a door; ``waiting`` and ``lost``: the records of its books."""
    now_s, now_ns = time.monotonic(), time.monotonic_ns()
    replicas = door.live.replicas
    return Shown(
        in_flight={name: state.in_flight for name, state in replicas.items()},
        queued=sum(len(line) for line in door.live.waiting.values()),
        breakers={
            name: "closed" if not state.trips else "open" if now_s < state.resting_until_s else "half-open"
            for name, state in replicas.items()
        },
        records_waiting=waiting,
        records_lost=lost,
        idle_usd={name: hire.idle_pico_usd(now_ns) / PICO_USD_PER_USD for name, hire in door.hires.items()},
    )
