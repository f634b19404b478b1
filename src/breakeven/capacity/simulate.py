"""A seeded replay of a fleet, request by request: what the traffic does to replicas that share, fill, fail and scale.

Each replica answers all its requests at once, slower the more there are (``Curve``: the equations of ``serving.py`` at
every whole concurrency), up to its places and its memory; the others wait first come, first served. Requests go to
the replica with the fewest outstanding ones. Machines come and go by an autoscaler or stand as ordered.
"""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from breakeven.capacity import event_loop
from breakeven.capacity import event_state as state
from breakeven.errors import SpecError
from breakeven.options.columns import Floats, Ints
from breakeven.units import SECONDS_PER_HOUR

MOST_REQUESTS = 20_000_000
MOST_PLACES = 20_000_000
"""Replicas x places: 32 bytes each."""
NO_LIMIT = 1 << 40
SAMPLES, SAMPLES_KEPT = 240, 4000
"""Looks at the fleet over the trace, and at most, while a queue drains behind it."""
WORTH_COMPILING = 200_000
"""Requests from which on the compiled loop is worth its loading, and its compiling where nothing is kept of it."""
STARTS_DRAWN = 4096
SHORTEST_S = 1e-9
SLICES = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """What one replica does with 1, 2, 3 ... requests in it; entry 0 is one request."""

    held_s: Floats
    """How long a request of mean length holds its place among so many."""
    ttft_s: Floats
    """From its place to its first token, as the client sees it."""
    tpot_s: Floats
    """0 where answers have no tokens: then a request is one piece of work."""
    tokens: float
    """Tokens after the first of a request of mean length."""
    room: float = np.inf
    """Memory for requests, in the unit of ``Arrivals.need``."""
    first: float = 1.0
    """What a second of prefill is to the client."""

    @property
    def places(self) -> int:
        """The most requests that a replica takes, memory apart."""
        return len(self.held_s)

    @property
    def tick_s(self) -> Floats:
        """Seconds of one token; of the whole request where there are none."""
        return self.tpot_s if self.tpot_s[0] > 0 else self.held_s

    @property
    def enter_s(self) -> Floats:
        """Seconds from its place to its first token in the replica, mean length."""
        return self.held_s - self.tpot_s * self.tokens if self.tpot_s[0] > 0 else np.zeros_like(self.held_s)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrivals:
    """The requests in the order in which they come."""

    at_s: Floats
    """From the beginning of the trace."""
    work: Floats
    """Tokens after the first; where answers have none, 1 for a request of mean length."""
    longer_s: Floats
    """Seconds of prefill more than the mean request's, alone."""
    need: Floats
    """Memory while it is served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaling:
    """Target tracking on requests outstanding a replica. Counts are machines."""

    target: float
    """Requests outstanding a replica."""
    least: int = 1
    most: int
    period_s: float = 60.0
    """How often the metric is read. An assumption, as is the pause."""
    cooldown_s: float = 300.0
    """After a machine was ordered before the next is; after any change before one goes."""
    starts_in_s: tuple[float, float] = (300.0, 600.0)
    """From the order of a machine to its first request, drawn evenly between."""
    in_below: float = 0.9
    """Machines go when those left would stay below this share of the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A replica that stops, and comes back."""

    at_s: float
    replica: int = 0
    away_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The machines at the beginning, and what happens to them."""

    machines: int
    per_machine: int = 1
    """Replicas on each."""
    queue_limit: int | None = None
    """Requests that may wait for each replica; more are sent elsewhere. ``None``: all wait."""
    one_line: bool = False
    """Requests wait in one line before the fleet, not at the replica they were sent to."""
    autoscaling: Autoscaling | None = None
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replay:
    """What became of every request, in order of arrival, and of the fleet."""

    at_s: Floats
    served: Ints
    """The requests that were answered; the columns below are theirs."""
    wait_s: Floats
    """For a place."""
    ttft_s: Floats
    tpot_s: Floats
    """NaN for an answer of one token."""
    response_s: Floats
    in_flight_s: Floats
    """From its place to its last token."""
    joined: Ints
    """Requests in the replica as it came in, itself included."""
    overflowed: Ints
    """Requests that found the queue at its limit."""
    too_long: Ints
    """Requests for which no replica has the memory."""
    retried: int
    """How often a request began again because its replica had failed."""
    duration_s: float
    """Until the last answer."""
    machine_hours: float
    replica_hours: float
    """While they served."""
    utilisation: float
    """Work that was done over what the replicas would have done, each of them full."""
    load: float
    """Work that arrived over what the fleet of the beginning could do meanwhile; from 1 on a queue grows."""
    starts: int
    scaled_out: int
    scaled_in: int
    sample_s: Floats
    samples: Ints
    """Rows: replicas that serve, that are paid, requests in service, requests that wait."""


def simulate(
    curve: Curve,
    arrivals: Arrivals,
    fleet: Fleet,
    seed: int = 0,
    compiled: bool | None = None,
    progress: Callable[[float], None] | None = None,
) -> Replay:
    """Play the arrivals through the fleet.

    ``compiled``: by numba (``True``), by Python, or by whichever is sooner done. The results are the same to the bit.
    ``progress`` is told the share of the requests that have come.

    Raises:
        SpecError: more than can be held in memory, or numba is asked for and not installed.

    >>> one = Curve(held_s=np.array([1.0]), ttft_s=np.array([0.0]), tpot_s=np.array([0.0]), tokens=0.0)
    >>> two = Arrivals(at_s=np.array([0.0, 0.25]), work=np.ones(2), longer_s=np.zeros(2), need=np.zeros(2))
    >>> simulate(one, two, Fleet(machines=1)).wait_s.tolist()
    [0.0, 0.75]
    """
    _check(curve, arrivals, fleet)
    count = len(arrivals.at_s)
    if compiled is None:
        compiled = count >= WORTH_COMPILING and can_compile()
    advance = _compiled() if compiled else event_loop.advance
    world = _world(curve, arrivals, fleet, seed, compiled)
    for part in range(1, SLICES + 1):
        advance(world, count * part // SLICES)
        if progress:
            progress(part / SLICES)
    return _result(world, curve, arrivals, fleet)


def can_compile() -> bool:
    """Whether numba (the extra ``replay``) is installed."""
    return importlib.util.find_spec("numba") is not None


def full_s(curve: Curve, arrivals: Arrivals) -> Floats:
    """Seconds of a replica that each request takes when the replica is full: a place's time over the places."""
    places = places_of(curve, arrivals)
    each = curve.enter_s[places - 1] + arrivals.longer_s + arrivals.work * curve.tick_s[places - 1]
    alone: Floats = each / places
    return alone


def busy_replicas(curve: Curve, arrivals: Arrivals) -> float:
    """Full replicas that the arrivals keep busy, on average from the first to the last; with no more, queues grow."""
    fitting = arrivals.need <= curve.room
    return float(full_s(curve, arrivals)[fitting].sum()) / max(float(arrivals.at_s[-1]), SHORTEST_S)


def places_of(curve: Curve, arrivals: Arrivals) -> int:
    """Requests of these that a replica takes at a time: its places, or what its memory holds of them on average."""
    held = arrivals.work + 1.0
    need = float((arrivals.need * held).sum() / held.sum())
    return int(np.clip(curve.room / need if need > 0 else np.inf, 1, curve.places))


@cache
def _compiled() -> Any:  # noqa: ANN401 - a compiled function
    if not can_compile():
        raise SpecError(
            "numba is not installed, and the compiled replay needs it",
            expected="the extra `replay`",
            do="pip install 'breakeven[replay]'",
        )
    return event_loop.compiled(importlib.import_module("numba"))


def _check(curve: Curve, arrivals: Arrivals, fleet: Fleet) -> None:
    count = len(arrivals.at_s)
    if not 0 < count <= MOST_REQUESTS:
        raise SpecError(
            f"the replay has {count:,} requests",
            expected=f"1 to {MOST_REQUESTS:,}",
            do="Thin it with --scale" if count else "Give a log with requests",
        )
    replicas = fleet.machines * fleet.per_machine
    odd = next((one.replica for one in fleet.failures if not 0 <= one.replica < replicas), None)
    if odd is not None:
        raise SpecError(
            f"replica {odd} fails, and the fleet begins with {replicas:,}",
            expected=f"a replica from 0 to {replicas - 1}",
            do="Name one that stands at the beginning",
        )
    if _slots(fleet) * fleet.per_machine * curve.places > MOST_PLACES:
        raise SpecError(
            f"the replay has {_slots(fleet) * fleet.per_machine:,} replicas of {curve.places:,} places",
            expected=f"at most {MOST_PLACES:,} places in all",
            do="Thin the traffic with --scale and take fewer replicas",
        )


def _slots(fleet: Fleet) -> int:
    """Machines that may stand at a time: a new one may come while an old one still answers."""
    return fleet.machines if fleet.autoscaling is None else 2 * max(fleet.autoscaling.most, fleet.machines)


def _world(curve: Curve, arrivals: Arrivals, fleet: Fleet, seed: int, compiled: bool) -> state.World:
    """The state at the beginning: lists for Python, arrays for numba."""
    count, machines = len(arrivals.at_s), _slots(fleet)
    replicas, places = machines * fleet.per_machine, curve.places
    leaves = 1 << max(replicas - 1, 0).bit_length()
    up = fleet.machines * fleet.per_machine
    scaling = fleet.autoscaling
    failures = sorted(fleet.failures, key=lambda one: one.at_s)
    low, high = scaling.starts_in_s if scaling else (0.0, 0.0)
    emptiest = np.full(2 * leaves, state.FULL)
    emptiest[leaves : leaves + up] = 0
    for at in range(leaves - 1, 0, -1):
        emptiest[at] = min(emptiest[2 * at], emptiest[2 * at + 1])
    span = float(arrivals.at_s[-1])

    def reals(number: int, value: float = 0.0) -> Floats:
        return np.full(number, value)

    def wholes(number: int) -> Ints:
        return np.zeros(number, dtype=np.int64)

    columns: dict[str, Any] = {
        "at_s": arrivals.at_s,
        "longer_s": arrivals.longer_s,
        "work": arrivals.work,
        "need": arrivals.need,
        **{name: reals(count) for name in ("admitted_s", "first_s", "done_s")},
        **{name: wholes(count) for name in ("joined", "tries", "fate", "after")},
        "enter_s": np.concatenate([[0.0], curve.enter_s]),
        "tick_s": np.concatenate([[1.0], curve.tick_s]),
        "status": np.where(np.arange(replicas) < up, state.SERVING, state.OFF),
        **{name: wholes(replicas) for name in ("inside", "entering", "leaving")},
        **{name: reals(replicas) for name in ("used", "ticks", "ticked_at_s")},
        **{name: wholes(replicas + 1) for name in ("waiting", "head", "tail")},
        **{name: reals(replicas * places) for name in ("enter_key", "leave_key")},
        **{name: wholes(replicas * places) for name in ("enter_item", "leave_item")},
        "soonest": reals(2 * leaves, state.NEVER),
        "emptiest": emptiest,
        "fails_at_s": np.array([one.at_s for one in failures], dtype=np.float64),
        "fails": np.array([one.replica for one in failures], dtype=np.int64),
        "back_s": np.array([one.at_s + one.away_s for one in failures], dtype=np.float64),
        "state": np.where(np.arange(machines) < fleet.machines, state.SERVING, state.OFF),
        "ordered_at_s": reals(machines),
        "start_s": np.random.default_rng(seed).uniform(low, high, STARTS_DRAWN),
        "seen": wholes(4 * SAMPLES_KEPT),
    }
    columns |= _rules(curve, fleet, (replicas, leaves, machines), max(span, 1.0) / SAMPLES)
    if not compiled:
        columns = {name: column.tolist() for name, column in columns.items()}
    return state.World(**columns)


def _rules(curve: Curve, fleet: Fleet, sizes: tuple[int, int, int], sample_s: float) -> dict[str, Any]:
    replicas, leaves, machines = sizes
    scaling = fleet.autoscaling or Autoscaling(target=1.0, most=fleet.machines)
    size, rule = np.zeros(10, dtype=np.int64), np.zeros(7)
    whole, real = np.zeros(11, dtype=np.int64), np.zeros(8)
    size[[state.REPLICAS, state.LEAVES, state.PLACES]] = replicas, leaves, curve.places
    size[[state.PER_MACHINE, state.MACHINES, state.ONE_LINE]] = fleet.per_machine, machines, fleet.one_line
    size[state.LIMIT] = NO_LIMIT if fleet.queue_limit is None else fleet.queue_limit
    size[[state.LEAST, state.MOST]] = scaling.least, scaling.most
    rule[[state.ROOM, state.TARGET, state.PERIOD_S]] = curve.room, scaling.target, scaling.period_s
    rule[[state.OUT_COOLDOWN_S, state.IN_COOLDOWN_S]] = scaling.cooldown_s
    rule[[state.IN_BELOW, state.SAMPLE_S]] = scaling.in_below, sample_s
    whole[[state.UP, state.ACTIVE, state.STANDING]] = fleet.machines * fleet.per_machine, fleet.machines, fleet.machines
    real[state.LOOK_AT] = scaling.period_s if fleet.autoscaling else state.NEVER
    real[[state.LAST_OUT, state.LAST_ANY]] = -state.NEVER, 0.0
    return {"size": size, "rule": rule, "whole": whole, "real": real}


def _result(world: state.World, curve: Curve, arrivals: Arrivals, fleet: Fleet) -> Replay:
    fate = np.asarray(world.fate)
    served = np.flatnonzero(fate == state.SERVED)
    at_s, joined = arrivals.at_s[served], np.asarray(world.joined)[served]
    admitted, first, done = (np.asarray(column)[served] for column in (world.admitted_s, world.first_s, world.done_s))
    work, longer = arrivals.work[served], arrivals.longer_s[served] * curve.first
    tokens = (work > 0) & bool(curve.tpot_s[0] > 0)
    real, whole = world.real, world.whole
    end = float(real[state.NOW])
    standing = np.flatnonzero(np.asarray(world.state) != state.OFF)
    paid = float(real[state.PAID_S]) + float((end - np.asarray(world.ordered_at_s)[standing]).sum())
    each = full_s(curve, arrivals)
    sampled = int(whole[state.SAMPLED])
    return Replay(
        at_s=arrivals.at_s,
        served=served,
        wait_s=admitted - at_s,
        ttft_s=admitted - at_s + curve.ttft_s[np.maximum(joined - 1, 0)] + longer,
        tpot_s=np.divide(done - first, work, out=np.full(len(served), np.nan), where=tokens),
        response_s=done - at_s,
        in_flight_s=done - admitted,
        joined=joined,
        overflowed=np.flatnonzero(fate == state.OVERFLOWED),
        too_long=np.flatnonzero(fate == state.TOO_LONG),
        retried=int(np.asarray(world.tries).sum()),
        duration_s=end,
        machine_hours=paid / SECONDS_PER_HOUR,
        replica_hours=float(real[state.UP_S]) / SECONDS_PER_HOUR,
        utilisation=float(each[served].sum()) / max(float(real[state.UP_S]), SHORTEST_S),
        load=busy_replicas(curve, arrivals) / (fleet.machines * fleet.per_machine),
        starts=int(whole[state.ORDERS]),
        scaled_out=int(whole[state.OUTS]),
        scaled_in=int(whole[state.INS]),
        sample_s=np.arange(float(sampled)) * float(world.rule[state.SAMPLE_S]),
        samples=np.asarray(world.seen)[: 4 * sampled].reshape(sampled, 4).T,
    )
