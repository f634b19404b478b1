"""How many machines stand beside those that are needed, so that enough are left while others are being replaced.

Machines are taken away one by one, each at a rate i an hour, and a new one serves s hours after its order. Of m + k
machines that are paid, on average (m + k) i s are then starting, and their number is a Poisson one. k spares are enough
if it is at most k for the share q of the time that the target names.
"""

from statistics import NormalDist

import numpy as np

from breakeven.options.columns import Floats

EXACT = 64
"""Up to so many spares the Poisson distribution is summed; beyond, the formula of Wilson and Hilferty is close."""
BISECTIONS = 60
SPARES = np.unique(np.concatenate([np.arange(257.0), np.round(np.geomspace(257, 2**22, 400))]))
"""Numbers of spares that are looked at; between the larger ones the next is taken."""


def spares(machines: Floats, away: float, quantile: float) -> Floats:
    """Spares of fleets that need so many machines. ``away``: i s, the share of its time that a machine is starting.

    >>> spares(np.array([1.0, 10.0, 100.0]), 0.0, 0.95).tolist()
    [0.0, 0.0, 0.0]
    >>> spares(np.array([1.0, 10.0, 100.0]), 0.01, 0.95).tolist()
    [0.0, 1.0, 3.0]
    """
    if not away:
        return np.zeros_like(machines)
    enough = np.maximum.accumulate(largest_mean(SPARES, quantile) / away - SPARES)
    found: Floats = SPARES[np.minimum(np.searchsorted(enough, machines), len(SPARES) - 1)]
    return found


def largest_mean(most: Floats, quantile: float) -> Floats:
    """The largest mean of a Poisson number that is at most ``most`` with the chance ``quantile``.

    >>> float(largest_mean(np.array([0.0]), 0.95)[0].round(4))  # exp(-0.0513) = 0.95
    0.0513
    """
    few = most[most <= EXACT]
    return np.concatenate([_summed(few, quantile), _close(most[most > EXACT], quantile)])


def _summed(most: Floats, quantile: float) -> Floats:
    numbers = np.arange(EXACT + 1.0)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(numbers[1:]))])
    low, high = np.zeros_like(most), np.full_like(most, 2.0 * EXACT + 10)
    for _ in range(BISECTIONS):
        mean = (low + high) / 2
        chances = np.exp(numbers * np.log(np.maximum(mean, 1e-300))[:, None] - mean[:, None] - factorials)
        kept = np.where(numbers <= most[:, None], chances, 0.0).sum(axis=1) >= quantile
        low, high = np.where(kept, mean, low), np.where(kept, high, mean)
    return low


def _close(most: Floats, quantile: float) -> Floats:
    n = most + 1
    found: Floats = n * np.maximum(1 - 1 / (9 * n) - NormalDist().inv_cdf(quantile) / (3 * np.sqrt(n)), 0.0) ** 3
    return found
