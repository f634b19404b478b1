"""What random arrivals turn away from a full fleet: Erlang's loss formula for any number of places.

A request that finds all places of one's own machines taken goes elsewhere at once. With Poisson arrivals, a requests
in flight on average if there were room for all, and K places, the share that finds none is

    E(K, a) = (a^K / K!) / sum_{k <= K} a^k / k!        1 / E = integral_0^inf e^-t (1 + t/a)^K dt

whatever the distribution of the time for which a request holds its place (A. K. Erlang, 1917; the integral also says
what K need not be whole means: D. L. Jagerman, Bell System Technical Journal 53, 1974). Below the mean load it is the
excess itself, 1 - K/a, and random arrivals come on top.
"""

from math import erfc, pi, sqrt

import numpy as np

from breakeven.options.columns import Floats

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)
DROP = 24.0
"""The integrand is left where it has fallen by e^-24 from its peak."""
WIDTHS = 6.0
"""Standard deviations of the integrand on either side of its peak."""
AMPLE = 9.0, 12.0
"""With so many standard deviations and so many places above the load less than one request in 10^12 is turned away."""
STEPS = np.linspace(-8.0, 8.0, 129)
HAZARDS = np.exp(-STEPS * STEPS / 2) / sqrt(2 * pi) / [erfc(-x / sqrt(2)) / 2 for x in STEPS.tolist()]
"""phi(x) / Phi(x) of the standard normal distribution."""


def share_turned_away(in_flight: Floats, places: Floats) -> Floats:
    """E(K, a): the share of requests that find no place, by Gauss-Legendre over where the integrand is.

    ``in_flight``: a, requests in flight on average if none were turned away. ``places``: K. Both broadcast. Right to
    1e-5 of itself, from no place at all to a million.

    >>> share = share_turned_away(np.array([2.0, 2.0, 0.0]), np.array([0.0, 2.0, 1.0]))
    >>> [round(float(one), 6) for one in share]  # E(2, 2) = (4/2) / (1 + 2 + 4/2)
    [1.0, 0.4, 0.0]
    """
    load, room = np.broadcast_arrays(np.asarray(in_flight, dtype=np.float64), np.asarray(places, dtype=np.float64))
    scarce = (load > 0) & (room < load + AMPLE[0] * np.sqrt(load) + AMPLE[1])
    share = np.zeros(load.shape)
    share[scarce] = np.exp(np.minimum(-_log_of_inverse(load[scarce], room[scarce]), 0.0))
    return share


def _log_of_inverse(a: Floats, room: Floats) -> Floats:
    """The logarithm of 1 / E, one value an entry."""
    peak = np.maximum(room - a, 0.0)
    top = room * np.log1p(peak / a) - peak
    spread, slope = np.sqrt(room), np.maximum(1 - room / a, 1e-300)
    low = np.maximum(peak - WIDTHS * spread, 0.0)
    high = peak + np.minimum(WIDTHS * spread + DROP, DROP / slope)
    half = (high - low) / 2
    t = low[:, None] + half[:, None] * (NODES + 1)
    inside = np.exp(room[:, None] * np.log1p(t / a[:, None]) - t - top[:, None]) @ WEIGHTS
    found: Floats = top + np.log(inside * half)
    return found


def about_turned_away(in_flight: Floats, places: Floats) -> Floats:
    """Requests in flight that find no place, roughly and fast: sqrt(a) phi(x) / Phi(x), x = (K - a) / sqrt(a).

    The limit of a E(K, a) for many places. Convex in K, and good enough to look where the cheapest number of places
    lies.

    >>> round(float(about_turned_away(np.array(100.0), np.array(100.0))), 1), round(100 * 0.0757, 1)
    (8.0, 7.6)
    """
    root = np.sqrt(np.maximum(in_flight, 1e-300))
    x = (places - in_flight) / root
    found: Floats = root * (np.interp(x, STEPS, HAZARDS) + np.maximum(STEPS[0] - x, 0.0))
    return found
