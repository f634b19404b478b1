"""The whole gateway put together: rules, upstreams, books, prices, metrics, spans and the admin API."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field

from breakeven.catalogue.load import Catalogue
from breakeven.gateway.admin import PREFIX, Guarded, admin
from breakeven.gateway.app import Asgi, Gateway
from breakeven.gateway.books.books import Books
from breakeven.gateway.books.hires import HireClock, Hired
from breakeven.gateway.books.store import now_us
from breakeven.gateway.config import GatewayFile
from breakeven.gateway.connect import upstreams_of
from breakeven.gateway.door import Door
from breakeven.gateway.ledger import Ledger
from breakeven.gateway.logbook import Logbook
from breakeven.gateway.memory import giving_back, trimmer
from breakeven.gateway.metrics import Metrics
from breakeven.gateway.observed import Observed, shown
from breakeven.gateway.pricing import prices_of
from breakeven.gateway.records import UsageRecord
from breakeven.gateway.rules import Rules
from breakeven.gateway.spans import Spans
from breakeven.gateway.tracing import Tracing

METRICS = "/metrics"
TELL_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a gateway is made from, beside its rules."""

    catalogue: Catalogue
    ledger: Ledger
    log: Logbook
    mounts: Mapping[str, Asgi] = field(default_factory=dict)
    observers: tuple[Callable[[UsageRecord], None], ...] = ()
    tracing: Tracing | None = None
    living: tuple[AbstractAsyncContextManager[object], ...] = ()
    guard: str | None = None
    """The token that the metrics ask for; ``None``: they are open."""
    records: Callable[[], tuple[int, int]] = lambda: (0, 0)
    """Usage records that wait, and those that were lost."""
    hired: Callable[[Sequence[Hired]], None] | None = None
    """Who is told every second what own machines stood and served."""


def assembled(rules: Rules, parts: Parts) -> Gateway:
    """The application. Every record that reaches the ledger is counted in ``/metrics`` too."""
    metrics = Metrics(list(rules.routes), lambda: shown(door, *parts.records()))
    door = Door(
        rules=rules,
        upstreams=upstreams_of(rules),
        ledger=Observed(parts.ledger, (metrics.observe, *parts.observers)),
        prices=prices_of(parts.catalogue),
        log=parts.log,
        tracing=parts.tracing,
    )
    living = (*parts.living, giving_back(door.live, trimmer()))
    if parts.hired is not None:
        living = (*living, _hiring(door, parts.hired))
    told: Asgi = metrics if parts.guard is None else Guarded(metrics, parts.guard)
    return Gateway(door, mounts={METRICS: told, **parts.mounts}, living=living)


@contextmanager
def with_books(
    file: GatewayFile, rules: Rules, catalogue: Catalogue, *, alone: bool
) -> Iterator[tuple[Gateway, Books]]:
    """The gateway of a ``gateway.yaml`` with its books open, and written to the last record when it is left.

    ``alone``: nobody but this machine can reach it, so its metrics need no token.

    Raises:
        SpecError: if the store cannot be opened, or what the configuration asks for is not installed.
    """
    token = file.books.admin_token()
    spans = Spans() if file.spans else None
    books = Books(file.books).begin()

    def records() -> tuple[int, int]:
        counters = books.counters
        return counters.records_waiting, counters.records_lost

    try:
        parts = Parts(
            catalogue=catalogue,
            ledger=books,
            log=Logbook(requests=file.log_requests),
            mounts={PREFIX: admin(books, token)} if token else {},
            tracing=spans,
            living=(_closing(spans),) if spans else (),
            guard=None if alone else token or nobodys_token(),
            records=records,
            hired=books.hired,
        )
        yield assembled(rules, parts), books
    finally:
        books.end()


def nobodys_token() -> str:
    """A token that nobody knows: what it guards is closed."""
    return secrets.token_hex()


@contextlib.asynccontextmanager
async def _hiring(door: Door, told: Callable[[Sequence[Hired]], None]) -> AsyncIterator[None]:
    """Tell what own machines cost, every second and at the end. It runs where requests do, so nothing is half-done."""
    clock = HireClock(door.hires)

    def tell() -> None:
        told(clock.sample(time.monotonic_ns(), now_us()))

    async def telling() -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            tell()

    task = asyncio.create_task(telling())
    try:
        yield
    finally:
        task.cancel()
        tell()


@contextlib.asynccontextmanager
async def _closing(spans: Spans) -> AsyncIterator[None]:
    try:
        yield
    finally:
        spans.close()
