"""Who is asked next: a pure function of the rules, the live state and the time.

Upstreams are asked in the order of the route. An own machine takes requests up to the concurrency that keeps the
latency target; beyond it the next upstream is asked, and where there is none that has room, the request waits. Among
equal replicas a prompt goes where its prefix is cached (rendezvous hashing), unless that replica is fuller than the
mean allows: consistent hashing with bounded loads, by Mirrokni, Thorup and Zadimoghaddam (SODA 2018).
"""

import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b

import msgspec

from breakeven.gateway.config import Routing
from breakeven.gateway.live import Live, ReplicaState
from breakeven.gateway.rules import Replica, Route, Target

RETRY_BUDGET = "too many attempts fail: the retry budget is spent"
ATTEMPTS = "as many upstreams as may be were asked"
NOBODY = "no upstream can be asked now"
FULL = "every upstream is full and the queue is too"


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """Ask this replica now."""

    target: Target
    replica: Replica


class Wait(msgspec.Struct, frozen=True):
    """Every upstream that works is full: wait for a place."""


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody is asked (any more). ``retry_after_s``: when somebody may be, where that is known."""

    because: str
    retry_after_s: float | None = None


Choice = Send | Wait | Stop
WAIT = Wait()


class Want(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as routing sees it.

    Attributes:
        route: Who may be asked.
        prefix: A digest of how its prompt begins; ``None``: no replica is better than another.
        tried: The replicas that failed it and are not asked again.
        attempts: How many were asked.
        first_in_line: Whether it waited and it is its turn.
    """

    route: Route
    prefix: bytes | None = None
    tried: Sequence[str] = ()
    attempts: int = 0
    first_in_line: bool = False


def choose(want: Want, live: Live, routing: Routing, now_s: float) -> Choice:
    """Who is asked next for a request."""
    if want.attempts:
        if want.attempts >= routing.attempts:
            return Stop(because=ATTEMPTS)
        if live.retries < 1.0:
            return Stop(because=RETRY_BUDGET)
    line = live.waiting.get(want.route.model)
    jumps_the_line = bool(line) and not want.first_in_line
    some_work = False
    for target in want.route.targets:
        awake = [
            replica
            for replica in target.replicas
            if replica.name not in want.tried and live.replicas[replica.name].may_be_asked(now_s)
        ]
        if not awake:
            continue
        some_work = True
        if jumps_the_line and target.concurrency is not None:
            continue
        if (replica := _with_room(awake, target, live.replicas, want.prefix, routing)) is not None:
            return Send(target=target, replica=replica)
    if some_work:
        waits = len(line) if line else 0
        return (
            WAIT if waits < routing.queue or want.first_in_line else Stop(because=FULL, retry_after_s=routing.queue_s)
        )
    return Stop(because=NOBODY, retry_after_s=_soonest(want.route, live.replicas, now_s))


def _with_room(
    awake: Sequence[Replica],
    target: Target,
    states: Mapping[str, ReplicaState],
    prefix: bytes | None,
    routing: Routing,
) -> Replica | None:
    """The replica that a prompt belongs to, else the least busy one, of those that have room."""
    limit = math.inf if target.concurrency is None else target.concurrency
    if len(awake) == 1:
        return awake[0] if states[awake[0].name].in_flight < limit else None
    free = [replica for replica in awake if states[replica.name].in_flight < limit]
    if not free:
        return None
    if prefix is None:
        return min(free, key=lambda replica: states[replica.name].in_flight)
    mean = (sum(states[replica.name].in_flight for replica in awake) + 1) / len(awake)
    bound = math.ceil(routing.balance * mean)
    within = [replica for replica in free if states[replica.name].in_flight < bound]
    return max(within or free, key=lambda replica: _weight(prefix, replica.name))


def _weight(prefix: bytes, replica: str) -> bytes:
    """Rendezvous hashing: the replica with the highest weight has the prompt, and few prompts move if one goes away."""
    return blake2b(prefix, digest_size=8, key=replica.encode()[:64]).digest()


def _soonest(route: Route, states: Mapping[str, ReplicaState], now_s: float) -> float:
    return min(states[replica.name].again_s(now_s) for target in route.targets for replica in target.replicas)
