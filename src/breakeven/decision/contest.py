"""The options of one class of quality, charged in every scenario over the months for which the answer shall hold.

An option stands for what it is bought as: an API of this quality can be changed for a cheaper one of equal quality any
day, and a machine can serve a smaller model of equal quality. Both follow the history of their kind; a commitment keeps
its rent for a year and its size for good.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from breakeven.catalogue.trends import Trend
from breakeven.decision.rank import Contender
from breakeven.decision.repricing import ApiLines, HostedLines
from breakeven.decision.scenarios import Draws, SpeedErrors
from breakeven.options.columns import Floats, Ints
from breakeven.units import MONTHS_PER_YEAR

QUARTERS = 4
"""Into so many parts the horizon is cut; each is charged at its middle."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trends:
    """What prices do in a year, as the catalogue's history has it; ``None``: they stay."""

    api: Trend | None
    models: Trend | None
    rents: Trend | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Halves:
    """What cascades are made of: each half charged for the requests that come to it, APIs first."""

    api: ApiLines
    hosted: HostedLines
    first: Ints
    """Of each cascade: the place of its first half."""
    fallback: Ints
    checks_usd_per_day: Floats
    """Of each cascade, at the plan's own volume."""
    twice_usd_per_day: Floats
    """Fixed costs that both halves name and a cascade pays once."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contest:
    """The contenders of one class: APIs, hosted options, hybrids, cascades; columns are in their order."""

    group: str
    contenders: tuple[Contender, ...]
    api: ApiLines
    hosted: HostedLines
    """Hybrids among them, by their base."""
    errors: SpeedErrors
    """Of the contenders, and behind them of the halves of the cascades. An API's speed makes no difference to its bill,
    and a cascade is told by that of its machines."""
    trends: Trends
    requests_per_day: float
    horizon_months: int
    halves: Halves | None = None
    success: Floats | None = None
    """Of each contender, where answers are compared by what a right one costs."""

    @property
    def rows(self) -> int:
        """Rows of ``errors``, and of the speeds of scenarios."""
        return len(self.errors.deviation)

    @property
    def apis(self) -> int:
        """How many of the contenders are paid APIs."""
        return len(self.api.input_usd_per_day)

    def banded(self, place: int) -> bool:
        """Whether the band of a contender's cost is known: that of every machine in it."""
        contender = self.contenders[place]
        if contender.kind == "api":
            return True
        if contender.kind != "cascade" or self.halves is None:
            return bool(self.errors.known[place])
        cascade = place - (len(self.contenders) - len(self.halves.first))
        parts = np.array([self.halves.first[cascade], self.halves.fallback[cascade]])
        hosted = parts[parts >= len(self.halves.api.input_usd_per_day)]
        return bool(self.errors.known[len(self.contenders) + hosted].all())

    def terms(self, places: Sequence[int]) -> "Contest":
        """All paid APIs, and of the hosted contenders those at some places, in that order."""
        hosted = np.array(places, dtype=np.int64)
        kept = np.concatenate([np.arange(self.apis), hosted])
        return replace(
            self,
            contenders=tuple(self.contenders[n] for n in kept.tolist()),
            hosted=self.hosted.take(hosted - self.apis),
            errors=self.errors.take(kept),
            halves=None,
            success=None if self.success is None else self.success[kept],
        )

    def moments_years(self, parts: int = QUARTERS) -> Floats:
        """The middles of the parts of the horizon, in years from now."""
        return (np.arange(parts) + 0.5) / parts * self.horizon_months / MONTHS_PER_YEAR

    def usd_per_day(self, draws: Draws, moments_years: Floats | None = None) -> Floats:
        """The mean cost of each contender over the horizon in every scenario: contenders x scenarios.

        Infinite where more machines are needed than there are.
        """
        moments = self.moments_years() if moments_years is None else moments_years
        total = np.zeros((len(self.contenders), len(draws.rent)))
        most = np.full(len(draws.rent), self.requests_per_day)
        for years in moments.tolist():
            volume = self.requests_per_day * np.exp(draws.log_growth_per_year * years)
            most = np.maximum(most, volume)
            blocks = self._lines(self.api, self.hosted, 0, draws, (volume, most), years)
            if self.halves is not None:
                blocks += [self._cascades(self.halves, draws, (volume, most), years)]
            total += np.concatenate(blocks, axis=0)
        mean: Floats = total / len(moments)
        return mean

    def compared(self, usd_per_day: Floats) -> Floats:
        """What contenders are compared by: the cost of as many right answers as requests, where success is known."""
        if self.success is None:
            return usd_per_day
        found: Floats = usd_per_day / self.success[:, None]
        return found

    def _lines(
        self,
        api: ApiLines,
        hosted: HostedLines,
        start: int,
        draws: Draws,
        volumes: tuple[Floats, Floats],
        years: float,
    ) -> list[Floats]:
        """APIs and hosted options whose speeds stand in the rows from ``start`` on.

        ``volumes``: of the moment, and the largest so far, for which a commitment goes on to be paid.
        """
        rent = logs_per_year(self.trends.rents, draws.rent)
        rents = np.exp(rent * years), np.exp(rent * hosted.rent_since(years))
        pace = log_pace(self, draws, years, hosted, start + len(api.input_usd_per_day))
        usd = hosted.table.at(volumes, pace, rents, self._overflow(hosted, draws, years))
        return [self._api(api, draws, volumes, years), usd]

    def _cascades(self, halves: Halves, draws: Draws, volumes: tuple[Floats, Floats], years: float) -> Floats:
        parts = np.concatenate(self._lines(halves.api, halves.hosted, len(self.contenders), draws, volumes, years))
        usd = parts[halves.first] + parts[halves.fallback] - halves.twice_usd_per_day[:, None]
        found: Floats = usd + halves.checks_usd_per_day[:, None] * volumes[0] / self.requests_per_day
        return found

    def _api(self, api: ApiLines, draws: Draws, volumes: tuple[Floats, Floats], years: float) -> Floats:
        volume = volumes[0]
        tokens = api.input_usd_per_day[:, None] * np.exp(draws.log_input)
        tokens = tokens + api.output_usd_per_day[:, None] * np.exp(draws.log_output)
        moved = np.exp(logs_per_year(self.trends.api, draws.progress) * years)
        every = tokens * moved + api.beside_usd_per_day[:, None]
        found: Floats = api.fixed_usd_per_day[:, None] + every * volume / self.requests_per_day
        for place, unit in enumerate(api.units):
            if unit is not None:
                found[place] += unit.usd_per_day(volumes, (draws.log_input, draws.log_output), moved)
        return np.where(volume > api.most_requests_per_day[:, None], np.inf, found)

    def _overflow(self, hosted: HostedLines, draws: Draws, years: float) -> Floats:
        """What the API of each hybrid charges for the same overflow, as a factor on today's price."""
        share = hosted.overflow_input_share[:, None]
        tokens = share * np.exp(draws.log_input) + (1 - share) * np.exp(draws.log_output)
        factor: Floats = tokens * np.exp(logs_per_year(self.trends.api, draws.progress) * years)
        return factor


def log_pace(contest: Contest, draws: Draws, years: float, hosted: HostedLines, start: int) -> Floats:
    """How much slower than planned hosted options get through a request, in the logarithm.

    The error of the speed, longer or shorter requests, and smaller models of equal quality by then. ``start``: the row
    in which the errors of these options begin.
    """
    rows = slice(start, start + len(hosted.options))
    slow = contest.errors.deviation[rows, None] * draws.speed[rows]
    slow = slow + hosted.input_weight[:, None] * draws.log_input + hosted.output_weight[:, None] * draws.log_output
    found: Floats = slow + logs_per_year(contest.trends.models, draws.progress) * years
    return found


def logs_per_year(trend: Trend | None, chance: Floats) -> Floats:
    """The logarithm of a price's factor a year in every scenario; 0 where it stays."""
    return np.zeros_like(chance) if trend is None else trend.at(chance)


def pace_ends(
    errors: SpeedErrors, weights: tuple[Floats, Floats], models: Trend | None, draws: Draws, years: float
) -> tuple[Floats, Floats]:
    """The fastest and the slowest log pace that any scenario asks of each hosted option, whatever the rest does."""
    far = max(float(np.abs(draws.speed).max(initial=0.0)), 3.0)
    tokens = sum(
        np.abs(weight) * float(np.abs(logs).max(initial=0.0))
        for weight, logs in zip(weights, (draws.log_input, draws.log_output), strict=True)
    )
    drift = logs_per_year(models, np.array([0.0, 1.0])) * years
    reach = errors.deviation * far + tokens
    return -reach + min(float(drift.min()), 0.0), reach + max(float(drift.max()), 0.0)


def volumes_of(requests_per_day: float, draws: Draws, years: float, points: int) -> Floats:
    """The volumes of a table that holds every scenario's growth, the plan's own among them."""
    growth = draws.log_growth_per_year * years
    low, high = min(float(growth.min()), -0.01), max(float(growth.max()), 0.01)
    ends = requests_per_day * np.exp(np.array([low, high]))
    spaced = np.geomspace(ends[0], ends[1], points)
    found: Floats = np.unique(np.append(spaced, requests_per_day))
    return found


def chances(usd_per_day: Floats) -> Floats:
    """The share of scenarios in which each option is the cheapest; equals share it. They add up to 1.

    >>> chances(np.array([[1.0, 3.0], [2.0, 2.0], [9.0, 2.0]])).tolist()
    [0.5, 0.25, 0.25]
    """
    least = usd_per_day <= usd_per_day.min(axis=0)
    found: Floats = (least / least.sum(axis=0)).mean(axis=1)
    return found


def regrets(usd_per_day: Floats) -> Floats:
    """The mean of what each option costs more than the cheapest of each scenario.

    >>> regrets(np.array([[1.0, 3.0], [2.0, 2.0]])).tolist()
    [0.5, 0.5]
    """
    least = usd_per_day.min(axis=0)
    with np.errstate(invalid="ignore"):
        lost = np.where(np.isinf(least), 0.0, usd_per_day - least)
    found: Floats = lost.mean(axis=1)
    return found
