"""One request's bill while it runs: what was asked, who answered, what it took; in the end exactly one usage record."""

import random
import time

from breakeven.gateway.records import CostBasis, Outcome, UsageRecord
from breakeven.gateway.usage import UNKNOWN, Tokens
from breakeven.units import NANOSECONDS_PER_SECOND

NS_PER_US = 1000
ID_BITS = 48
_random_bits = random.Random().getrandbits
"""Ids are no secrets. To ask the system each time would let go of the interpreter in the middle of every request, just
when the thread that writes the records waits for it, and wait until that thread lets go in its turn: up to 5 ms."""


class Tally:
    """What becomes the usage record. Durations are on the monotonic clock: a jump of the wall clock moves none."""

    __slots__ = (
        "_began_ns", "asked_api", "at_us", "attempts", "cost_known", "cost_pico_usd", "first_byte_ns", "id", "model",
        "on_own", "outcome", "path", "provider", "status", "streamed", "tokens", "upstream", "upstream_model",
    )  # fmt: skip

    def __init__(self, path: str) -> None:
        self.at_us = time.time_ns() // NS_PER_US
        self._began_ns = time.monotonic_ns()
        self.id = f"req_{self.at_us:014x}{_random_bits(ID_BITS):012x}"
        self.path = path
        self.model: str | None = None
        self.upstream: str | None = None
        self.upstream_model: str | None = None
        self.provider: str | None = None
        self.status = 500
        self.outcome: Outcome = "failed"
        self.streamed = False
        self.attempts = 0
        self.tokens: Tokens = UNKNOWN
        self.first_byte_ns: int | None = None
        self.cost_pico_usd = 0
        self.cost_known = True
        self.on_own = False
        self.asked_api = False

    @property
    def elapsed_s(self) -> float:
        """Since the request arrived."""
        return (time.monotonic_ns() - self._began_ns) / NANOSECONDS_PER_SECOND

    def first_byte(self) -> None:
        """The first byte of the answer's body is here."""
        if self.first_byte_ns is None:
            self.first_byte_ns = time.monotonic_ns()

    def charge(self, pico_usd: int | None) -> None:
        """Add what a part of the request cost; ``None``: it cost something, and nobody knows how much."""
        if pico_usd is None:
            self.cost_known = False
        else:
            self.cost_pico_usd += pico_usd

    def record(self, key: str | None, team: str | None) -> UsageRecord:
        """The usage record."""
        first = None if self.first_byte_ns is None else self.first_byte_ns - self._began_ns
        tokens = self.tokens
        return UsageRecord(
            id=self.id,
            at_us=self.at_us,
            key=key,
            team=team,
            path=self.path,
            model=self.model,
            upstream=self.upstream,
            upstream_model=self.upstream_model,
            provider=self.provider,
            status=self.status,
            outcome=self.outcome,
            streamed=self.streamed,
            attempts=self.attempts,
            input_tokens=tokens.input,
            cached_input_tokens=tokens.cached_input,
            cache_write_tokens=tokens.cache_write,
            output_tokens=tokens.output,
            reasoning_tokens=tokens.reasoning,
            tokens_basis=tokens.basis,
            ttft_s=None if first is None else first / NANOSECONDS_PER_SECOND,
            duration_s=self.elapsed_s,
            cost_pico_usd=self.cost_pico_usd if self.cost_known else None,
            cost_basis=self._basis(),
        )

    def _basis(self) -> CostBasis:
        if self.attempts == 0:
            return "nothing sent"
        if not self.cost_known:
            return "unknown"
        return "list price" if self.asked_api or not self.on_own else "own machine"
