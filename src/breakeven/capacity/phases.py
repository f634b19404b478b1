"""Arrivals whose rate goes through phases, and the number of requests in a fleet that meets them: an exact chain.

A phase is a rate. It changes with a request that comes (gaps that vary more than those of independent arrivals: some
are drawn short, some long) or by itself (a rate that moves within the hour and stays for a while). The number in the
fleet and the phase together are a Markov chain whose levels go up and down by one, a block birth-death chain:

    p(k+1) = p(k) R(k),    R(k) = up(k) (M(k+1) - R(k+1) down(k+2))^-1,    R(k) = R from where all replicas are full

with M(k) what leaves a state of level k, less the changes of phase alone. Equations: docs/theory/capacity.md.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from breakeven.capacity.bursts import rates
from breakeven.options.columns import Floats
from breakeven.workload.profile import Burstiness

Complexes = npt.NDArray[np.complex128]

DOUBLINGS = 60
"""Steps of the logarithmic reduction at most; each looks twice as far."""
NEARLY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Phases:
    """How arrivals come: their rate in each phase over the mean rate, and how phases follow each other."""

    rate: Floats
    """Of each phase, over the mean."""
    after: Floats
    """Phase x phase: the chance of the next one once a request has come."""
    moves_per_s: Floats
    """Phase x phase: how often one becomes the other by itself."""
    lasting: Floats
    """Of each phase, over the mean: the rate as far as it outlasts a request."""


def phases(burstiness: Burstiness, quantile: float, gaps: bool = True) -> Phases:
    """Phases with this burstiness. Without ``gaps``, those of the rate alone. ``quantile``: as of ``bursts.rates``.

    Gaps are a mixture of two exponential ones whose means balance (each kind takes half of the time). A rate that moves
    stays for an exponential time, then any of the rates of ``bursts.rates`` follows.

    >>> phases(Burstiness(), 0.95).rate.tolist()
    [1.0]
    >>> [round(float(x), 3) for x in phases(Burstiness(gap_variation=2.0), 0.95).rate]
    [1.775, 0.225]
    """
    factor, share = rates(burstiness, quantile) if burstiness.rate_stays_s else (np.ones(1), np.ones(1))
    kinds = _kinds(burstiness.gap_variation if gaps else 1.0)
    size = len(kinds)
    moves = (share[None, :] - np.eye(len(share))) / (burstiness.rate_stays_s or np.inf)
    return Phases(
        rate=np.outer(factor, size * kinds).ravel(),
        after=np.kron(np.eye(len(share)), np.tile(kinds, (size, 1))).astype(np.float64),
        moves_per_s=np.kron(moves, np.eye(size)).astype(np.float64),
        lasting=np.repeat(factor, size),
    )


def _kinds(variation: float) -> Floats:
    """How often a gap is of either kind."""
    if variation <= 1:
        return np.ones(1)
    often = (1 + np.sqrt((variation**2 - 1) / (variation**2 + 1))) / 2
    return np.array([often, 1 - often])


@dataclass(frozen=True, slots=True, eq=False)
class Queueing:
    """How the queue above the last level is counted, one value a row."""

    wide: Floats
    """Requests in a level: of the last one only the topmost finds all replicas full."""
    levels_a_round: Floats
    """Levels of the queue that put one more request before each replica."""
    counted: Floats
    """Rows x phases: arrivals over the mean that wait there."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chain:
    """The number of steps in each fleet and the phase, rows x levels x phases, and the queue above the last level."""

    seen: Floats
    """How often it is so."""
    waits: Complexes
    """Rows x terms: the chance that an arrival finds all replicas full and so many rounds of them before it ..."""
    again: Complexes
    """... as a sum of powers, one base a term: ``waits @ again**rounds``. Complex numbers come in pairs."""
    above: Floats
    """How often it is above the last level."""


def chain(up: Floats, down: Floats, arrivals: Phases, queueing: Queueing) -> Chain:
    """Solve it. ``up`` and ``down``: rows x levels x phases, a second; from the last level on they are the same.

    The last level has to be carried: more goes down than comes up there, on average over the phases.
    """
    rise = up[..., None] * arrivals.after
    moves = arrivals.moves_per_s
    over = _repeated(rise[:, -1], np.eye(len(moves)) * (up + down)[:, -1, None] - moves, down[:, -1])
    ratios, ratio, next_down = [], over, down[:, -1]
    for level in range(up.shape[1] - 2, -1, -1):
        ratio = rise[:, level] @ np.linalg.inv(_leaves(moves + ratio * next_down[:, None], down[:, level + 1]))
        ratios.append(ratio)
        next_down = down[:, level + 1]
    start = _null(_leaves(moves + ratio * next_down[:, None], down[:, 0]))
    return _summed(start, ratios[::-1], over, queueing)


def _leaves(changes: Floats, down: Floats) -> Floats:
    """What leaves the phases of a level, less what changes phase there, by itself or on a way up and back.

    All that goes up comes back, so what leaves for good goes down: the diagonal follows without taking large numbers
    from each other.
    """
    one = np.eye(changes.shape[-1])
    changes = changes * (1 - one)
    found: Floats = one * (changes.sum(axis=2) + down)[..., None] - changes
    return found


def _repeated(rise: Floats, leaves: Floats, down: Floats) -> Floats:
    """R of the levels that are alike, from G, the first phase below once one goes down (logarithmic reduction)."""
    out = np.linalg.inv(leaves)
    high, low = out @ rise, out * down[:, None]
    found, reach = low.copy(), high.copy()
    one = np.eye(rise.shape[-1])
    for _ in range(DOUBLINGS):
        back = np.linalg.inv(one - (high @ low + low @ high))
        high, low = back @ (high @ high), back @ (low @ low)
        found += reach @ low
        reach = reach @ high
        if reach.max(initial=0.0) < NEARLY:
            break
    repeated: Floats = rise @ np.linalg.inv(leaves - rise @ found)
    return repeated


def _null(balance: Floats) -> Floats:
    """X with x balance = 0, which adds up to 1."""
    size = balance.shape[-1]
    equations = np.swapaxes(balance, 1, 2).copy()
    equations[:, -1] = 1.0
    right = np.zeros((len(balance), size, 1))
    right[:, -1] = 1.0
    found: Floats = np.linalg.solve(equations, right)[..., 0].astype(np.float64)
    return found


def _summed(start: Floats, ratios: list[Floats], over: Floats, queueing: Queueing) -> Chain:
    """All levels from the lowest up, each on a scale of its own until they are added."""
    levels, scales = [start], [np.zeros(len(start))]
    for ratio in ratios:
        level = (levels[-1][:, None] @ ratio)[:, 0]
        grows = level.sum(axis=1)
        levels.append(level / grows[:, None])
        scales.append(scales[-1] + np.log(grows))
    scale = np.stack(scales, axis=1)
    top = scale.max(axis=1)
    seen = np.stack(levels, axis=1) * np.exp(scale - top[:, None])[..., None]
    found = np.linalg.eig(over.astype(np.complex128))
    base: Complexes = found.eigenvalues
    vectors: Complexes = found.eigenvectors
    left = (seen[:, -1][:, None] @ vectors)[:, 0]
    right = np.linalg.solve(vectors, queueing.counted[..., None])[..., 0]
    right = right * (1 / (1 - base) - (1 - 1 / queueing.wide[:, None]))
    every = np.linalg.solve(vectors, np.ones_like(start)[..., None])[..., 0] * base / (1 - base)
    above = (left * every).sum(axis=1).real
    total = seen.sum(axis=(1, 2)) + above
    return Chain(
        seen=seen / total[:, None, None],
        above=above / total,
        waits=left * right / total[:, None],
        again=np.power(base, queueing.levels_a_round[:, None]),
    )
