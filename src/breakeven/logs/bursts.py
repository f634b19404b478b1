"""How much arrivals come in bursts: gaps that vary, and a rate that moves within the hour and stays for a while.

Gaps are told by the times of requests. Where these are coarse, so that several requests share one, the gaps are those
of the clock; then the requests of each tick say the same: their variance over their mean, from neighbouring ticks.

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
FEWEST_GAPS = 10
"""A window with fewer gaps says nothing about their spread."""
COARSE = 2.0
"""Requests that share a time, on average, from which on times are those of a clock's ticks."""
JITTER, NEARLY_ALL = 0.02, 0.95
"""Of a tick; and the share of times that keep to it."""
UNSURE = 0.1
"""Standard error of the ratio up to which it is told."""
HALVINGS = 40


def gap_variation(at_us: Ints, many: Ints, window: Ints) -> float | None:
    """Standard deviation over mean of the time between two requests; ``None`` where the log cannot tell.

    ``at_us``: the times, rising, with ``many`` requests at each; gaps are counted within a ``window``.

    >>> every_second = np.arange(600, dtype=np.int64) * 1_000_000
    >>> many = np.random.default_rng(1).poisson(5.0, 600) + 0
    >>> found = gap_variation(every_second[many > 0], many[many > 0], np.zeros((many > 0).sum(), dtype=np.int64))
    >>> bool(abs(found - 1) < 0.1)  # five a second on average, independent of each other
    True
    """
    if many.sum() >= COARSE * len(many) > COARSE and _ticking(at_us):
        return _of_ticks(at_us, many, window)
    moments, of_gap = np.repeat(at_us, many), np.repeat(window, many)
    gaps = np.diff(moments)[of_gap[1:] == of_gap[:-1]].astype(np.float64)
    owner = of_gap[1:][of_gap[1:] == of_gap[:-1]]
    if not len(gaps):
        return None
    _, starts = np.unique(owner, return_index=True)
    many_gaps = np.diff(np.append(starts, len(gaps)))
    mean = np.add.reduceat(gaps, starts) / many_gaps
    variance = np.add.reduceat(gaps**2, starts) / many_gaps - mean**2
    fit = (many_gaps >= FEWEST_GAPS) & (mean > 0)
    if not fit.any():
        return None
    return float(np.sqrt(np.average(variance[fit] / mean[fit] ** 2, weights=many_gaps[fit])))


def _ticking(at_us: Ints) -> bool:
    """Whether nearly all distances between times are multiples of the usual one, but for a little jitter."""
    ratio = np.diff(at_us) / np.median(np.diff(at_us))
    return bool(np.mean(np.abs(ratio - np.round(ratio)) < JITTER) >= NEARLY_ALL)


def _of_ticks(at_us: Ints, many: Ints, window: Ints) -> float | None:
    """From half the mean square by which neighbouring ticks differ, so that a rate that moves slowly adds nothing."""
    same = window[1:] == window[:-1]
    if same.sum() < FEWEST_GAPS:
        return None
    steps = np.maximum(np.round(np.diff(at_us) / np.median(np.diff(at_us)[same])), 1.0)
    before, after, steps = many[:-1][same].astype(np.float64), many[1:][same].astype(np.float64), steps[same]
    # Where ticks without a request lie between two others, both differ from nothing, and those between do not.
    square = np.where(steps == 1, (after - before) ** 2, before**2 + after**2)
    pairs, mean = steps.sum(), before.sum() / steps.sum()
    return float(np.sqrt(square.sum() / 2 / pairs / mean))


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
