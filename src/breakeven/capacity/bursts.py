"""Arrivals that are not independent of each other, at a rate that is not the same all through the hour.

Arrivals that come close together widen a queue by their peakedness z. A rate that moves within the hour stays high for
minutes, which is long beside an answer: what it reaches, a fleet must carry.
"""

from statistics import NormalDist

import numpy as np

from breakeven.options.columns import Floats
from breakeven.workload.profile import Burstiness

EDGES = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.975, 0.99, 1.0])
"""Parts of the hour, by how high the rate is in them: finer towards the top, where requests are late."""


def peakedness(burstiness: Burstiness) -> float:
    """Z = 1 + (c^2 - 1)/2, c the variation of the gaps: variance over mean of the number in service if none waited.

    Gaps more even than those of independent arrivals count as theirs.

    >>> peakedness(Burstiness(gap_variation=2.0))
    2.5
    """
    return 1 + (max(burstiness.gap_variation, 1.0) ** 2 - 1) / 2


def rates(burstiness: Burstiness) -> tuple[Floats, Floats]:
    """The rate in parts of the hour over its mean, and the share of the hour that each part has.

    >>> factor, share = rates(Burstiness())
    >>> factor.tolist(), share.tolist()
    ([1.0], [1.0])
    """
    if not burstiness.rate_variation:
        return np.ones(1), np.ones(1)
    share = np.diff(EDGES)
    factor = np.maximum(1 + burstiness.rate_variation * _deviations(), 0.0)
    return factor / (factor @ share), share


def _deviations() -> Floats:
    """Of each part from the mean, in standard deviations: a normal distribution's means, scaled to its variance.

    >>> round(float(_deviations() ** 2 @ np.diff(EDGES)), 6), bool(abs(_deviations() @ np.diff(EDGES)) < 1e-9)
    (1.0, True)
    """
    normal, share = NormalDist(), np.diff(EDGES)
    density = np.array([0.0, *(normal.pdf(normal.inv_cdf(float(p))) for p in EDGES[1:-1]), 0.0])
    mean = -np.diff(density) / share
    found: Floats = mean / np.sqrt(mean**2 @ share)
    return found


def raised(burstiness: Burstiness, quantile: float) -> float:
    """By which share of the mean the rate is higher at the quantile of the requests: v z + v^2.

    Requests come as often as the rate is high, so that its mean among them is higher by v^2.

    >>> raised(Burstiness(), 0.95), round(raised(Burstiness(rate_variation=0.2), 0.95), 2)
    (0.0, 0.37)
    """
    v = burstiness.rate_variation
    return v * NormalDist().inv_cdf(quantile) + v**2
