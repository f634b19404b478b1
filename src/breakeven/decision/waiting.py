"""A commitment of a year now, or on demand first and the commitment later: when to wait, given what prices may do.

Who waits m months pays in each of them the cheaper of the same machines on demand and the cheapest paid API, and then
does what is cheaper on that day, with the speed, the load and the prices of that day: the commitment at its rent, or
none until the year is over. Who commits now pays today's rent for a year, for the largest load so far.
"""

from dataclasses import dataclass, replace

import numpy as np

from breakeven.decision.contest import Contest, log_pace, logs_per_year
from breakeven.decision.scenarios import Draws
from breakeven.options.columns import Floats
from breakeven.units import MONTHS_PER_YEAR

WAITS_MONTHS = (1, 2, 3, 6, 9, 12)
RESERVED, FREE = 0, 1
"""Places of the two terms among the hosted contenders that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What a year costs on the mean over the scenarios, in USD a day."""

    now_usd_per_day: float
    """With the commitment made now."""
    later_usd_per_day: float
    """With the best of waiting ``months``."""
    months: int
    """That wait; 12: no commitment within the year."""
    never_usd_per_day: float
    """On demand, or by the cheapest API of each month, all year."""
    chance_waiting_pays: float
    """The share of scenarios in which that wait costs less than committing now."""
    reserved: int
    free: int
    """Places of the commitment and of the same machines on demand."""


def waiting(contest: Contest, reserved: int, free: int, draws: Draws) -> Wait:
    """Whether to commit now. ``reserved`` and ``free``: places of the same machines under both terms."""
    contest = contest.terms((reserved, free))
    draws = replace(draws, speed=np.concatenate([draws.speed[: contest.apis], draws.speed[[reserved, free]]]))
    months = (np.arange(MONTHS_PER_YEAR) + 0.5) / MONTHS_PER_YEAR
    flexible = np.stack([_flexible(contest, draws, years) for years in months.tolist()])
    now = _committed(contest, draws, 0).mean(axis=0)
    later = {wait: _after(contest, draws, flexible, wait) for wait in WAITS_MONTHS}
    best = min(later, key=lambda wait: float(later[wait].mean()))
    return Wait(
        now_usd_per_day=float(now.mean()),
        later_usd_per_day=float(later[best].mean()),
        months=best,
        never_usd_per_day=float(flexible.mean()),
        chance_waiting_pays=float(np.mean(later[best] < now)),
        reserved=reserved,
        free=free,
    )


def _flexible(contest: Contest, draws: Draws, years: float) -> Floats:
    """The cheaper of on demand and the cheapest API at a moment, in every scenario."""
    usd = contest.compared(contest.usd_per_day(draws, np.array([years])))
    found: Floats = np.minimum(usd[contest.apis + FREE], usd[: contest.apis].min(axis=0, initial=np.inf))
    return found


def _after(contest: Contest, draws: Draws, flexible: Floats, wait: int) -> Floats:
    """The mean cost of the year in every scenario, if one waits so many months and then does what is cheaper."""
    before = flexible[:wait].sum(axis=0)
    if wait == MONTHS_PER_YEAR:
        mean: Floats = before / MONTHS_PER_YEAR
        return mean
    committed = _committed(contest, draws, wait)
    commits = committed[0] < flexible[wait]  # what is cheaper on the day: nobody knows the rest of the scenario
    after = np.where(commits, committed.sum(axis=0), flexible[wait:].sum(axis=0))
    chosen: Floats = (before + after) / MONTHS_PER_YEAR
    return chosen


def _committed(contest: Contest, draws: Draws, start: int) -> Floats:
    """USD a day of the commitment in each month from ``start`` on: months x scenarios."""
    begun = start / MONTHS_PER_YEAR
    rent = logs_per_year(contest.trends.rents, draws.rent)
    found = []
    for month in range(start, MONTHS_PER_YEAR):
        years = (month + 0.5) / MONTHS_PER_YEAR
        ends = [contest.requests_per_day * np.exp(draws.log_growth_per_year * at) for at in (begun, years)]
        volumes, rents = (ends[1], np.maximum(*ends)), (np.exp(rent * years), np.exp(rent * begun))
        pace = log_pace(contest, draws, years, contest.hosted, contest.apis)
        usd = contest.hosted.table.at(volumes, pace, rents)
        found.append(usd[RESERVED] if contest.success is None else usd[RESERVED] / contest.success[contest.apis])
    return np.stack(found)
