"""When the requests came: volume, the profile of the day or week, and how much they come in bursts."""

from dataclasses import dataclass

import numpy as np

from breakeven.logs.bursts import gap_variation, moves
from breakeven.logs.histogram import Histogram, Ints, is_kept
from breakeven.logs.times import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND, hour_of_week_at
from breakeven.options.columns import Floats
from breakeven.units import DAYS_PER_WEEK, HOURS_PER_DAY, HOURS_PER_WEEK
from breakeven.wording import quoting, worded

NEARLY_A_DAY_US = US_PER_DAY - US_PER_HOUR
"""A log whose first and last request lie so far apart has seen every hour of the day (a week likewise)."""
NEARLY_A_WEEK_US = DAYS_PER_WEEK * US_PER_DAY - US_PER_HOUR
MINUTES_PER_HOUR = US_PER_HOUR // US_PER_MINUTE
FEWEST_MINUTES = 10
"""An hour with fewer says nothing about how they spread."""
FEWEST_PER_HOUR = 10
"""With fewer requests in an hour of the profile, its shape is mostly chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From the first request to the last. ``relative``: the log counts from its own beginning."""

    first_us: int
    last_us: int
    relative: bool

    @property
    def length_us(self) -> int:
        """How long it is."""
        return self.last_us - self.first_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Volume and shape of the arrivals. ``profile``: 24 or 168 weights from (Monday) midnight UTC, or ``None``."""

    requests_per_day: float | None
    profile: tuple[float, ...] | None
    dispersion_per_minute: float | None
    """Variance over mean of the requests a minute, within the hours; 1 = independent arrivals."""
    gap_variation: float | None
    """Standard deviation over mean of the time between two requests; 1 = independent arrivals."""
    rate_variation: float | None
    """Standard deviation over mean of the rate within the hours: what the minutes spread more than the gaps explain."""
    rate_stays_s: float | None
    """How long it stays on average, where the minutes tell it."""
    busiest_minute: int
    cannot_tell: tuple[str, ...]


def traffic(found: Histogram, period: Period, keep_every: int) -> Traffic:
    """What the arrivals of one group say, over the period of the whole log."""
    unsaid = list(_unsaid(period, found.longest_span_us))
    minutes, counts = _by_minute(found)
    weights = None
    if period.length_us:
        per_day = found.total("requests") * US_PER_DAY / period.length_us
        profiled = not period.relative and found.longest_span_us <= US_PER_HOUR
        if profiled and period.length_us >= NEARLY_A_DAY_US:
            weekly = period.length_us >= NEARLY_A_WEEK_US
            rates = _rates(minutes, counts, period, HOURS_PER_WEEK if weekly else HOURS_PER_DAY)
            per_day = float(rates.mean()) * HOURS_PER_DAY
            weights = tuple(float(rate) for rate in rates / rates.mean())
            if found.total("requests") < FEWEST_PER_HOUR * len(weights):
                few = found.total("requests") / len(weights)
                unsaid.append(
                    f"the hours apart: {few:.1f} requests in each of them are too few, so they are mostly chance"
                )
    single = not found.longest_span_us  # rows that are sums over longer say nothing of single requests
    hours = _whole_minutes(minutes, counts, period) if single else []
    dispersion, gaps = _dispersion(hours), _gap_variation(found, keep_every) if single else None
    moved = moves(hours, gaps) if dispersion is not None and gaps is not None else None
    return Traffic(
        requests_per_day=per_day if period.length_us else None,
        profile=weights,
        dispersion_per_minute=dispersion,
        gap_variation=gaps,
        rate_variation=moved.rate_variation if moved else None,
        rate_stays_s=moved.rate_stays_s if moved else None,
        busiest_minute=0 if found.longest_span_us else int(counts.max(initial=0)),
        cannot_tell=tuple(unsaid),
    )


def _unsaid(period: Period, span_us: int) -> tuple[str, ...]:
    if not period.length_us:
        return ("how many requests there are a day, and when: all of them have the same time",)
    found: list[str] = []
    if span_us:
        hours = span_us / US_PER_HOUR
        found.append(
            quoting("bursts, and the lengths of single requests: its rows are sums over {hours:g} h", hours=hours)
        )
    if period.relative:
        found.append("which hour of the day it shows: its times count from its own beginning")
    elif span_us > US_PER_HOUR:
        found.append("the hours of the day: its rows are longer than an hour")
    elif period.length_us < NEARLY_A_DAY_US:
        found.append(
            worded(
                "the other hours of the day: it covers {time}, and the daily volume assumes them alike",
                time=long(period.length_us),
            )
        )
    elif period.length_us < NEARLY_A_WEEK_US:
        time = long(period.length_us)
        found.append(worded("the days of the week: it covers {time}, and every day is taken as alike", time=time))
    return tuple(found)


def long(length_us: int) -> str:
    """A length of time in words.

    >>> long(90 * US_PER_MINUTE), long(30 * US_PER_HOUR), long(9 * US_PER_DAY)
    ('90 minutes', '30.0 hours', '9.0 days')
    """
    if length_us < 2 * US_PER_MINUTE:
        return worded("{n:.0f} seconds", n=length_us / US_PER_SECOND)
    if length_us < 2 * US_PER_HOUR:
        return worded("{n:.0f} minutes", n=length_us / US_PER_MINUTE)
    if length_us < 2 * US_PER_DAY:
        return worded("{n:.1f} hours", n=length_us / US_PER_HOUR)
    return worded("{n:.1f} days", n=length_us / US_PER_DAY)


def _by_minute(found: Histogram) -> tuple[Ints, Ints]:
    """Minutes since 1970 that have requests, and how many."""
    minutes, place = np.unique(found.arrivals_us // US_PER_MINUTE, return_inverse=True)
    counts = np.zeros(len(minutes), dtype=np.int64)
    np.add.at(counts, place, found.arrivals)
    return minutes, counts


def _rates(minutes: Ints, counts: Ints, period: Period, slots: int) -> Floats:
    """Requests an hour in each hour of the day or week, by how long the log covers that hour."""
    first, last = period.first_us // US_PER_HOUR, -(-period.last_us // US_PER_HOUR)
    hours = np.arange(first, max(last, first + 1))
    starts = hours * US_PER_HOUR
    covered = np.minimum(starts + US_PER_HOUR, period.last_us) - np.maximum(starts, period.first_us)
    slot = np.array([hour_of_week_at(int(start)) % slots for start in starts])
    seen = np.bincount(slot, weights=covered / US_PER_HOUR, minlength=slots)
    of_minute = np.array([hour_of_week_at(int(minute) * US_PER_MINUTE) % slots for minute in minutes])
    came = np.bincount(of_minute, weights=counts, minlength=slots)
    return np.divide(came, seen, out=np.zeros(slots), where=seen > 0)


def _whole_minutes(minutes: Ints, counts: Ints, period: Period) -> list[Ints]:
    """Requests in every whole minute, in hours; those of a few minutes or without any request are left out."""
    first, last = -(-period.first_us // US_PER_MINUTE), period.last_us // US_PER_MINUTE
    whole = np.zeros(max(0, min(last - first, 366 * HOURS_PER_DAY * MINUTES_PER_HOUR)), dtype=np.int64)
    inside = (minutes >= first) & (minutes < first + len(whole))
    whole[minutes[inside] - first] = counts[inside]
    hours = np.split(whole, np.arange(-first % MINUTES_PER_HOUR, len(whole), MINUTES_PER_HOUR))
    return [hour for hour in hours if len(hour) >= FEWEST_MINUTES and hour.any()]


def _dispersion(hours: list[Ints]) -> float | None:
    """Pooled over the hours, so that the rhythm of the day is no burst."""
    if not hours:
        return None
    spread = sum(float(hour.var(ddof=1)) * len(hour) for hour in hours)
    return spread / sum(float(hour.sum()) for hour in hours)


def _gap_variation(found: Histogram, keep_every: int) -> float | None:
    """Within windows: the kept minutes; hours if every minute is kept."""
    kept = is_kept(found.arrivals_us // US_PER_MINUTE, keep_every).astype(bool)
    at_us, many = found.arrivals_us[kept], found.arrivals[kept]
    return gap_variation(at_us, many, at_us // (US_PER_HOUR if keep_every == 1 else US_PER_MINUTE))
