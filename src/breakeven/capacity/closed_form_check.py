"""The closed forms of ``queueing.py`` held to the replay, over loads, fleets, bursts and kinds of replica.

Each cell draws traffic of a known rate and burstiness, plays it through a fleet, and asks the closed form for the same
fleet. A figure is broken where it is off by more than its bound and twice the replay's own error (batch means). A p95
may fall on a jump, where one request more joins or a wait begins: there, and only there, its p94 to p96 do too.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from breakeven.capacity.queueing import Queue, answer
from breakeven.capacity.service import Service
from breakeven.capacity.simulate import Arrivals, Curve, Fleet, Replay, can_compile, simulate
from breakeven.options.columns import Floats
from breakeven.workload.profile import Burstiness

QUANTILE = 0.95
MEAN_BOUND, QUANTILE_BOUND = 0.05, 0.10
BATCHES = 20
WARM_UP = 0.1
"""Share of the requests that is played before anything is measured."""
FEWEST, MOST = 60_000, 6_000_000
PER_PLACE = 30
"""Requests for each place of the fleet, so that it fills and empties often."""
MORE_FROM = {0.9: 8, 0.95: 16}
"""From these loads on, so many times the requests: a long queue forgets slowly."""
RATE_STAYS_S = 10.0
"""A rate that moves stays so long on average: it makes queues for minutes."""
DURATIONS, RATES, FEWEST_RATES = 10, 80, 4
"""Every rate stays for each of so many times, in parts of the exponential distribution; and there are so many rates, or
in a run that is to be shorter at least the fewest."""
JUMP = 0.2
"""A p95 is on a jump if p94 and p96 lie further apart than this share of it."""
LOADS = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
REPLICAS = (1, 4, 16)
BURSTS = (
    Burstiness(),
    Burstiness(gap_variation=1.5),
    Burstiness(gap_variation=2.0),
    Burstiness(rate_variation=0.1, rate_stays_s=RATE_STAYS_S),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A replica by its ends: alone and full, straight between. Figures as the catalogue's options have them."""

    name: str
    places: int
    tokens: float
    tpot_s: tuple[float, float]
    ttft_s: tuple[float, float]

    @property
    def curve(self) -> Curve:
        """At every whole concurrency."""
        at = np.linspace(0.0, 1.0, self.places) if self.places > 1 else np.zeros(1)
        tpot, enter = (low + (high - low) * at for low, high in (self.tpot_s, self.ttft_s))
        return Curve(held_s=enter + self.tokens * tpot, ttft_s=enter, tpot_s=tpot, tokens=self.tokens)

    @property
    def service(self) -> Service:
        """The same in the eyes of the closed form."""
        curve = self.curve
        return Service(
            concurrency=np.arange(1.0, self.places + 1)[None],
            held_s=curve.held_s[None],
            ttft_s=curve.ttft_s[None],
            tpot_s=curve.tpot_s[None],
        )


KINDS = (
    Kind(name="one at a time", places=1, tokens=210, tpot_s=(0.02, 0.02), ttft_s=(0.2, 0.2)),
    Kind(name="few places", places=12, tokens=210, tpot_s=(0.0216, 0.0303), ttft_s=(0.21, 0.30)),
    Kind(name="typical", places=48, tokens=210, tpot_s=(0.0115, 0.0497), ttft_s=(0.21, 0.24)),
    Kind(name="many places", places=256, tokens=210, tpot_s=(0.0054, 0.0407), ttft_s=(0.082, 0.135)),
    Kind(name="long prompts", places=14, tokens=342, tpot_s=(0.0186, 0.0948), ttft_s=(2.2, 5.7)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of the grid."""

    kind: Kind
    replicas: int
    load: float
    bursts: Burstiness

    @property
    def arrivals_per_s(self) -> float:
        """The load in requests."""
        return self.load * self.replicas * float(self.kind.service.full_rate_per_s[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure both ways."""

    name: str
    cell: Cell
    closed: float
    replayed: float
    error: float
    """Standard error of the replay, over its value."""
    bound: float
    between: tuple[float, float] | None = None
    """p94 and p96 of the replay, where its p95 is on a jump."""

    @property
    def deviation(self) -> float:
        """The closed form over the replay, less 1."""
        nearest = self.replayed if self.between is None else min(max(self.closed, self.between[0]), self.between[1])
        return self.closed / nearest - 1 if nearest else 0.0

    @property
    def broken(self) -> bool:
        """Whether it is off by more than its bound and the replay's error."""
        return bool(abs(self.deviation) > self.bound + 2 * self.error)


def grid(
    kinds: Sequence[Kind] = KINDS,
    replicas: Sequence[int] = REPLICAS,
    loads: Sequence[float] = LOADS,
    bursts: Sequence[Burstiness] = BURSTS,
) -> list[Cell]:
    """All combinations."""
    return [
        Cell(kind=kind, replicas=count, load=load, bursts=burst)
        for kind in kinds
        for count in replicas
        for burst in bursts
        for load in loads
    ]


def checked(
    cells: Sequence[Cell], seed: int = 0, shorter: float = 1.0, progress: Callable[[int], None] | None = None
) -> Iterator[Figure]:
    """Every figure of every cell. ``shorter``: the requests divided by so much, for a quick look."""
    for number, cell in enumerate(cells):
        yield from _figures(cell, seed + number, shorter)
        if progress:
            progress(number + 1)


def _figures(cell: Cell, seed: int, shorter: float) -> Iterator[Figure]:
    curve, count = cell.kind.curve, _count(cell, shorter)
    came = _arrivals(cell, count, np.random.default_rng(seed))
    replay = simulate(curve, came, Fleet(machines=cell.replicas), compiled=can_compile())
    found = answer(
        cell.kind.service, np.array([cell.arrivals_per_s]), np.array([float(cell.replicas)]), cell.bursts, QUANTILE
    )
    yield from _means(cell, found, replay)
    yield from _quantiles(cell, found, replay)


def _count(cell: Cell, shorter: float) -> int:
    more = max((times for load, times in MORE_FROM.items() if cell.load >= load), default=1)
    wanted = max(FEWEST, PER_PLACE * cell.replicas * cell.kind.places) * more
    if cell.bursts.rate_stays_s:
        wanted = max(wanted, int(RATES * DURATIONS * cell.bursts.rate_stays_s * cell.arrivals_per_s))
    return int(min(wanted, MOST) / shorter)


def _means(cell: Cell, found: Queue, replay: Replay) -> Iterator[Figure]:
    start, end = int(len(replay.at_s) * WARM_UP), replay.at_s[-1]
    span = end - replay.at_s[start]
    rate = (len(replay.at_s) - 1 - start) / span
    done = np.sort(replay.at_s[replay.served] + replay.response_s)
    inside = int(np.searchsorted(done, end) - np.searchsorted(done, replay.at_s[start]))
    full = cell.replicas * float(cell.kind.service.full_rate_per_s[0])
    response_s = float(found.mean_in_flight[0]) / cell.arrivals_per_s + float(found.wait_s[0])
    in_service, error = _batched(replay.in_flight_s[start:], np.mean)
    for name, closed, (replayed, uncertain) in (
        ("utilisation", float(found.utilisation[0]), (inside / span / full, 1 / np.sqrt(inside))),
        ("in service, mean", float(found.mean_in_flight[0]), (in_service * rate, error)),
        ("TPOT, mean", float(found.mean_tpot_s[0]), _batched(replay.tpot_s[start:], np.mean)),
        ("whole answer, mean", response_s, _batched(replay.response_s[start:], np.mean)),
    ):
        yield Figure(
            name=name, cell=cell, closed=closed, replayed=float(replayed), error=float(uncertain), bound=MEAN_BOUND
        )


def _quantiles(cell: Cell, found: Queue, replay: Replay) -> Iterator[Figure]:
    start = int(len(replay.at_s) * WARM_UP)
    for name, closed, values in (
        ("TPOT, p95", float(found.tpot_s[0]), replay.tpot_s[start:]),
        ("TTFT, p95", float(found.ttft_s[0]), replay.ttft_s[start:]),
    ):
        low, middle, high = (float(at) for at in np.quantile(values, [QUANTILE - 0.01, QUANTILE, QUANTILE + 0.01]))
        jumps = high - low > JUMP * middle
        _, error = _batched(values, lambda part: np.quantile(part, QUANTILE))
        yield Figure(
            name=name,
            cell=cell,
            closed=closed,
            replayed=middle,
            error=error,
            bound=QUANTILE_BOUND,
            between=(low, high) if jumps else None,
        )


def _batched(values: Floats, of: Callable[[Floats], Any]) -> tuple[float, float]:
    """A figure over all values, and its relative error from how it spreads over consecutive parts."""
    whole = float(of(values))
    parts = np.array([float(of(part)) for part in np.array_split(values, BATCHES)])
    return whole, float(parts.std(ddof=1) / np.sqrt(BATCHES) / whole) if whole else 0.0


def _arrivals(cell: Cell, count: int, rng: np.random.Generator) -> Arrivals:
    """Requests at the cell's rate. Their time in a full replica spreads like an exponential one's: by its mean."""
    curve, bursts = cell.kind.curve, cell.bursts
    gaps = _gaps(bursts.gap_variation, count, rng) / cell.arrivals_per_s
    if bursts.rate_variation:
        gaps /= _rates(cell, count, rng)
    at_s = np.cumsum(gaps)
    at_s *= (count - 1) / cell.arrivals_per_s / (at_s[-1] - at_s[0])  # the very rate that the closed form is asked for
    spread = float(curve.held_s[-1] / (curve.tokens * curve.tpot_s[-1])) ** 2
    work = rng.gamma(1 / spread, spread * curve.tokens, count)
    return Arrivals(
        at_s=at_s - at_s[0],
        work=work * (curve.tokens / work.mean()),
        longer_s=np.zeros(count),
        need=np.zeros(count),
    )


def _gaps(variation: float, count: int, rng: np.random.Generator) -> Floats:
    """Gaps of mean 1: exponential, or a mixture of two with balanced means where they vary more."""
    if variation <= 1:
        return rng.exponential(1.0, count)
    squared = variation**2
    often = (1 + np.sqrt((squared - 1) / (squared + 1))) / 2
    mean = np.where(rng.random(count) < often, 1 / (2 * often), 1 / (2 * (1 - often)))
    found: Floats = rng.exponential(mean)
    return found


def _rates(cell: Cell, count: int, rng: np.random.Generator) -> Floats:
    """The rate at each arrival over the mean: another one after an exponential time, normally distributed.

    Every rate comes as often with every time, so that a short run has seen what a long one has; their order is chance.
    """
    expected = count / (cell.arrivals_per_s * float(cell.bursts.rate_stays_s or np.inf))
    many = max(round(expected / DURATIONS), FEWEST_RATES)
    spread = np.array([NormalDist().inv_cdf((n + 0.5) / many) for n in range(many)])
    factor = np.maximum(1 + cell.bursts.rate_variation * spread / spread.std(), 0.05)
    edges = -np.log1p(-np.arange(DURATIONS) / DURATIONS)  # of an exponential distribution of mean 1, in equal parts
    left = (1 + edges) * (1 - np.arange(DURATIONS) / DURATIONS)  # its mean above each edge, times the share there
    stays = -np.diff(np.append(left, 0.0)) * DURATIONS
    rates, times = (axis.ravel() for axis in np.meshgrid(factor, stays))
    order = rng.permutation(len(rates))
    came = (rates * times)[order]
    ends = np.round(np.cumsum(came) / came.sum() * count).astype(np.int64)
    return np.repeat(rates[order], np.diff(ends, prepend=0))
