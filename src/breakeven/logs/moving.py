"""A rate that moves within the hour: by how much, and how long it stays, from the requests of each minute.

With m the requests a minute on average, c the variation of the gaps and v that of the rate, whose correlation falls off
as exp(-t/T), minutes of length b in hours of n of them have

    variance - c^2 m = (v m)^2 (G(b) - G(nb)),    of neighbours (v m)^2 (N(b) - G(nb))
    G(b) = 2 x (1 - x (1 - exp(-1/x))),  N(b) = (x (1 - exp(-1/x)))^2,  x = T/b

the mean of each hour taken off, so that the rhythm of the day is no burst. Their ratio says T, and T says v.
"""

from dataclasses import dataclass

import numpy as np

from breakeven.logs.histogram import Ints
from breakeven.logs.times import US_PER_MINUTE, US_PER_SECOND

MINUTE_S = US_PER_MINUTE / US_PER_SECOND
SHORTEST_S, LONGEST_S = 5.0, 900.0
"""A time outside of these is not told by minutes within an hour: what is longer counts as all of the hour."""
UNSURE = 0.1
"""Standard error of the ratio up to which it is told."""
HALVINGS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """How the rate moves."""

    rate_variation: float
    """Standard deviation over mean of the rate within an hour."""
    rate_stays_s: float | None
    """For how long on average; ``None``: the log does not tell it, or it stays for much of an hour."""


def moves(hours: list[Ints], gap_variation: float) -> Moves:
    """From the requests of every whole minute, in hours.

    >>> found = moves([np.array([86, 114] * 30)], gap_variation=1.0)  # up and down, more than chance
    >>> round(found.rate_variation, 2), found.rate_stays_s
    (0.1, None)
    """
    minutes = sum(len(hour) for hour in hours)
    a_minute = sum(float(hour.sum()) for hour in hours) / minutes
    off = [hour - hour.mean() for hour in hours]
    variance = sum(float(one @ one) * len(one) / (len(one) - 1) for one in off) / minutes
    rate_variance = variance - max(gap_variation, 1.0) ** 2 * a_minute
    if rate_variance <= 0:
        return Moves(rate_variation=0.0, rate_stays_s=None)
    raw = float(np.sqrt(rate_variance)) / a_minute
    pairs = sum(len(one) - 1 for one in off)
    neighbours = sum(float(one[1:] @ one[:-1]) for one in off) / pairs
    stays_s = _stays_s(neighbours / rate_variance, variance / rate_variance / np.sqrt(pairs), minutes / len(hours))
    if stays_s is None:
        return Moves(rate_variation=raw, rate_stays_s=None)
    return Moves(rate_variation=raw / float(np.sqrt(_together(stays_s, minutes / len(hours))[0])), rate_stays_s=stays_s)


def _stays_s(ratio: float, error: float, minutes: float) -> float | None:
    low, high = SHORTEST_S, LONGEST_S

    def of(stays_s: float) -> float:
        one, next_one = _together(stays_s, minutes)
        return next_one / one

    if error > UNSURE or not of(low) <= ratio <= of(high):
        return None
    for _ in range(HALVINGS):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if of(middle) < ratio else (low, middle)
    return high


def _together(stays_s: float, minutes: float) -> tuple[float, float]:
    """Variance of a minute and covariance of two neighbours, over that of the rate, the mean of the hours taken off."""

    def variance(length_s: float) -> float:
        x = stays_s / length_s
        return float(2 * x * (1 - x * -np.expm1(-1 / x)))

    x = stays_s / MINUTE_S
    hour = variance(minutes * MINUTE_S)
    return variance(MINUTE_S) - hour, (x * -np.expm1(-1 / x)) ** 2 - hour
