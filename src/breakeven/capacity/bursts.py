"""Arrivals that are not independent of each other, at a rate that is not the same all through the hour.

Arrivals that come close together widen a queue by their peakedness z. A rate that moves within the hour stays high for
minutes, which is long beside an answer: what it reaches, a fleet must carry.
"""

from statistics import NormalDist

import numpy as np

from breakeven.options.columns import Floats
from breakeven.workload.profile import Burstiness

TINY = 1e-9
BELOW = np.array([0.0, 0.2, 0.4, 0.6, 0.8])
LATE = np.array([4.0, 2.0, 0.8, 0.4, 0.1, 0.0])
"""Parts of the requests, by how high the rate is that they meet: those that may be late are cut finer, and apart from
those that may not, but for a fifth."""


def peakedness(burstiness: Burstiness) -> float:
    """Z = 1 + (c^2 - 1)/2, c the variation of the gaps: variance over mean of the number in service if none waited.

    Gaps more even than those of independent arrivals count as theirs.

    >>> peakedness(Burstiness(gap_variation=2.0))
    2.5
    """
    return 1 + (max(burstiness.gap_variation, 1.0) ** 2 - 1) / 2


def rates(burstiness: Burstiness, quantile: float) -> tuple[Floats, Floats]:
    """The rate in parts of the hour over its mean, and the share of the hour that each part has.

    The rate is normally distributed; the parts together have its variance. ``quantile``: of the requests, that is asked
    about: what the rest of them meets is told apart.

    >>> factor, share = rates(Burstiness(), 0.95)
    >>> factor.tolist(), share.tolist()
    ([1.0], [1.0])
    >>> factor, share = rates(Burstiness(rate_variation=0.2), 0.95)
    >>> round(float(factor @ share), 9), round(float((factor - 1) ** 2 @ share), 4)
    (1.0, 0.04)
    """
    v, normal = burstiness.rate_variation, NormalDist()
    if not v:
        return np.ones(1), np.ones(1)
    tail = 1 - (1 - quantile) * LATE[(1 - quantile) * LATE < 1 - TINY]
    parts = np.concatenate([BELOW[tail[0] - BELOW > TINY], tail])
    edges = [normal.inv_cdf(float(part)) + v for part in parts[1:-1]]  # requests meet a higher rate than the hours have
    below = np.array([0.0, *(normal.cdf(edge) for edge in edges), 1.0])
    density = np.array([0.0, *(normal.pdf(edge) for edge in edges), 0.0])
    share = np.diff(below)
    deviation = -np.diff(density) / share
    factor = np.maximum(1 + v * deviation / np.sqrt(deviation**2 @ share), 0.0)
    return factor / (factor @ share), share


def raised(burstiness: Burstiness, quantile: float) -> float:
    """By which share of the mean the rate is higher at the quantile of the requests: v z + v^2.

    Requests come as often as the rate is high, so that its mean among them is higher by v^2.

    >>> raised(Burstiness(), 0.95), round(raised(Burstiness(rate_variation=0.2), 0.95), 2)
    (0.0, 0.37)
    """
    v = burstiness.rate_variation
    return v * NormalDist().inv_cdf(quantile) + v**2
