"""Which requests are sent, and when: the workload's own lengths and arrivals, the same for the same seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from breakeven.errors import SpecError
from breakeven.options.columns import Floats
from breakeven.units import HOURS_PER_WEEK, SECONDS_PER_HOUR
from breakeven.workload.profile import Burstiness, Workload
from breakeven.workload.usage import TokenMix

BLOCK_S = 300.0
"""For how long a rate that varies within the hour stays where it is."""
SIZES, GAPS, BLOCKS = 1, 2, 3
"""The streams of random numbers that a seed gives, each for one thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """One request to send: its tokens in and out, and how many of those in are the same in every request."""

    input_tokens: int
    output_tokens: int
    shared_tokens: int = 0


def sizes(mix: TokenMix, count: int, seed: int) -> tuple[Sized, ...]:
    """``count`` requests in the shares of the mix, exact to one request, in a random order.

    >>> from breakeven.workload.usage import TokenUsage
    >>> sizes(TokenMix.of(TokenUsage(input=100, output=10)), 2, 0)[0].input_tokens
    100
    """
    wanted = np.array(mix.shares) * count
    held = np.floor(wanted).astype(np.int64)
    left = count - int(held.sum())
    held[np.argsort(held - wanted, kind="stable")[:left]] += 1
    order = np.random.default_rng((seed, SIZES)).permutation(np.repeat(np.arange(len(held)), held))
    kinds = [
        Sized(
            input_tokens=max(1, round(shape.usage.input)),
            output_tokens=max(1, round(shape.usage.output)),
            shared_tokens=round(shape.usage.cached_input),
        )
        for shape in mix.shapes
    ]
    return tuple(kinds[kind] for kind in order)


def busiest_hour(workload: Workload) -> int:
    """The hour of the week (of the day, where a day is given) with the most requests; the first of several."""
    return int(np.argmax(workload.requests_per_hour))


def hourly_rates(workload: Workload, first_hour: int, scale: float = 1.0) -> tuple[float, ...]:
    """Requests a second in every hour of the profile, from one hour on. ``scale``: of all traffic, that part.

    Raises:
        SpecError: there is no such hour, or the part is not above 0.
    """
    hours = workload.requests_per_hour
    if not 0 <= first_hour < len(hours):
        raise SpecError(
            f"--from-hour is {first_hour}",
            expected=f"0 to {len(hours) - 1}: the profile has {len(hours)} hours",
            do="Leave it out for the busiest hour",
        )
    if not 0 < scale < float("inf"):
        raise SpecError(f"--scale is {scale:g}", expected="a factor above 0", do="0.25 is a quarter of the traffic")
    turned = (*hours[first_hour:], *hours[:first_hour])
    return tuple(rate * scale / SECONDS_PER_HOUR for rate in turned)


def arrivals_s(rates_per_s: Sequence[float], count: int, bursts: Burstiness, seed: int) -> Floats:
    """When each of ``count`` requests is sent, in seconds after the first.

    Independent arrivals (Poisson) at each hour's own rate, hour after hour from the first and round again. Gaps that
    vary more than those are gamma distributed with the same mean; a rate that moves within the hour is another one
    when it has stayed for its time, every five minutes if that is not known.

    >>> bool((arrivals_s([2.0], 3, Burstiness(), 0)[1:] > 0).all())
    True
    """
    variance = max(bursts.gap_variation, 1.0) ** 2
    work = np.cumsum(np.random.default_rng((seed, GAPS)).gamma(1 / variance, variance, count))
    edges, done = _work_done(rates_per_s, float(work[-1]), bursts, seed)
    at_s = np.interp(work, done, edges)
    since_first: Floats = at_s - at_s[0]
    return since_first


def mean_rate_per_s(at_s: Floats) -> float | None:
    """The rate at which these arrivals come; ``None`` for fewer than two."""
    return (len(at_s) - 1) / float(at_s[-1]) if len(at_s) > 1 and at_s[-1] > 0 else None


def _work_done(rates_per_s: Sequence[float], until: float, bursts: Burstiness, seed: int) -> tuple[Floats, Floats]:
    """Requests to be expected up to the end of each block of time, until there are enough; hours without are left."""
    rng = np.random.default_rng((seed, BLOCKS))
    variation, per_hour = bursts.rate_variation, ceil(SECONDS_PER_HOUR / (bursts.rate_stays_s or BLOCK_S))
    block_s = SECONDS_PER_HOUR / per_hour
    edges, done = [0.0], [0.0]
    for hour in range(HOURS_PER_WEEK * max(1, int(until) + 1)):
        rate = rates_per_s[hour % len(rates_per_s)]
        for _ in range(per_hour):
            factor = rng.gamma(variation**-2, variation**2) if variation else 1.0
            edges.append(edges[-1] + block_s)
            done.append(done[-1] + rate * factor * block_s)
        if done[-1] > until:
            break
    return np.array(edges), np.array(done)
