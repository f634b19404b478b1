"""The live state that routing looks at: who is busy, who is resting after failures, how many retries are left."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from breakeven.gateway.config import Routing
from breakeven.gateway.rules import Rules


@dataclass(slots=True)
class ReplicaState:
    """One replica as it is now. Times are on the monotonic clock.

    A circuit breaker: closed while ``failures`` stays below the limit; then nobody is sent until ``resting_until_s``;
    then one request is a probe. If it succeeds the breaker closes, if not the rest is twice as long.
    """

    in_flight: int = 0
    failures: int = 0
    trips: int = 0
    resting_until_s: float = 0.0
    probing: bool = False
    not_before_s: float = 0.0
    """An upstream said (Retry-After) that asking earlier is no use."""

    def may_be_asked(self, now_s: float) -> bool:
        """Whether a request may be sent there now, were there room."""
        if now_s < self.not_before_s:
            return False
        return self.trips == 0 or (now_s >= self.resting_until_s and not self.probing)

    def again_s(self, now_s: float) -> float:
        """In how many seconds it may be asked again."""
        rests = self.resting_until_s - now_s if self.trips else 0.0
        return max(rests, self.not_before_s - now_s, 0.0)


@dataclass(slots=True)
class Live:
    """All replicas, the retry budget and who waits. Only ``began``, ``ended`` and their like change it."""

    replicas: dict[str, ReplicaState]
    routing: Routing
    retries: float
    """Further attempts that may be made now: each request adds a share, each attempt takes one."""
    waiting: dict[str, deque[asyncio.Future[None]]] = field(default_factory=dict)
    """By model, in the order in which they came."""
    in_flight: int = 0
    """Requests of callers."""

    def asked(self) -> None:
        """A new request: the retry budget grows by its share."""
        most = self.routing.retry_least * 2
        self.retries = min(most, self.retries + self.routing.retry_share)

    def retried(self) -> None:
        """A further attempt was made."""
        self.retries -= 1.0

    def began(self, replica: str) -> None:
        """A request was sent to a replica."""
        state = self.replicas[replica]
        state.in_flight += 1
        if state.trips:
            state.probing = True

    def ended(self, replica: str) -> None:
        """It has its place back, however that ended."""
        self.replicas[replica].in_flight -= 1

    def answers(self, replica: str) -> None:
        """A replica has begun to answer: the breaker closes, but what it failed before is not forgotten yet."""
        state = self.replicas[replica]
        state.trips = 0
        state.probing = False

    def worked(self, replica: str) -> None:
        """A replica gave a whole answer."""
        self.answers(replica)
        self.replicas[replica].failures = 0

    def gave_up(self, replica: str) -> None:
        """A probe ended without saying anything about the replica (the caller left): the next one may try."""
        self.replicas[replica].probing = False

    def failed(self, replica: str, now_s: float) -> bool:
        """A replica failed. Whether that opened its breaker."""
        state = self.replicas[replica]
        state.failures += 1
        state.probing = False
        if state.trips == 0 and state.failures < self.routing.failures_to_open:
            return False
        rest_s = min(self.routing.open_s * 2**state.trips, self.routing.open_most_s)
        state.resting_until_s = now_s + rest_s
        state.trips = min(state.trips + 1, 60)
        return True

    def told_to_wait(self, replica: str, until_s: float) -> None:
        """A replica answered 429 or 503 with Retry-After."""
        state = self.replicas[replica]
        state.not_before_s = max(state.not_before_s, until_s)
        state.probing = False

    def queue(self, model: str) -> deque[asyncio.Future[None]]:
        """Those who wait for a place, the first first."""
        return self.waiting.setdefault(model, deque())

    def wake(self, models: Iterable[str]) -> None:
        """Tell the first who waits for each of these models that a place may be free."""
        for model in models:
            for waiter in self.waiting.get(model, ()):
                if not waiter.done():
                    waiter.set_result(None)
                    break


def live_state(rules: Rules) -> Live:
    """The state before the first request."""
    replicas = {replica.name: ReplicaState() for target in rules.targets for replica in target.replicas}
    return Live(replicas=replicas, routing=rules.routing, retries=float(rules.routing.retry_least))
