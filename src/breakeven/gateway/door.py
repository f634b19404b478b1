"""What all requests share: rules, upstreams, books, prices, and the live state."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from breakeven.gateway.hire import Hire, hire_of
from breakeven.gateway.ledger import Ledger
from breakeven.gateway.live import Live, live_state
from breakeven.gateway.logbook import Logbook
from breakeven.gateway.pricing import Prices
from breakeven.gateway.rules import Route, Rules, Target
from breakeven.gateway.tracing import Tracing
from breakeven.gateway.upstream import Upstream


@dataclass(slots=True, kw_only=True)
class Door:
    """Everything behind the door. ``upstreams`` are by the name of the replica."""

    rules: Rules
    upstreams: Mapping[str, Upstream]
    ledger: Ledger
    prices: Prices
    log: Logbook = field(default_factory=Logbook)
    tracing: Tracing | None = None
    live: Live = field(init=False)
    hires: dict[str, Hire] = field(init=False)
    models_of: dict[str, tuple[str, ...]] = field(init=False)
    """The models whose requests a target serves."""

    def __post_init__(self) -> None:
        self.live = live_state(self.rules)
        now_ns = time.monotonic_ns()
        self.hires = {
            replica.name: hire_of(target.usd_per_hour, concurrency=target.concurrency or 1, now_ns=now_ns)
            for target in self.rules.targets
            if target.usd_per_hour is not None
            for replica in target.replicas
        }
        self.models_of = {
            target.name: tuple(model for model, route in self.rules.routes.items() if target in route.targets)
            for target in self.rules.targets
        }

    def most_pico_usd(self, route: Route, most_input: int, most_output: int | None, at_us: int) -> int | None:
        """The most that a request can cost with whoever of its route answers; ``None`` if that is not known."""
        most = 0
        for target in route.targets:
            cost = self._most(target, most_input, most_output, at_us)
            if cost is None:
                return None
            most = max(most, cost)
        return most

    def _most(self, target: Target, most_input: int, most_output: int | None, at_us: int) -> int | None:
        if target.provider is None:
            hire = self.hires.get(target.replicas[0].name)
            return None if hire is None else hire.most_pico_usd(self.rules.limits.request_s)
        limit = most_output
        if limit is None:
            limit = target.largest_output_tokens or self.prices.offer_output_limit(target)
        return self.prices.most_pico_usd(target, most_input, limit, at_us)
