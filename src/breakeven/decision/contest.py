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
from breakeven.options.columns import Floats
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
class Contest:
    """The contenders of one class, APIs first, hybrids last; columns are in their order."""

    group: str
    contenders: tuple[Contender, ...]
    api: ApiLines
    hosted: HostedLines
    """Hybrids among them, by their base."""
    errors: SpeedErrors
    """Of the contenders; an API's speed makes no difference to its bill."""
    trends: Trends
    requests_per_day: float
    horizon_months: int

    @property
    def apis(self) -> int:
        """How many of the contenders are paid APIs."""
        return len(self.api.input_usd_per_day)

    def terms(self, places: Sequence[int]) -> "Contest":
        """All paid APIs, and of the hosted contenders those at some places, in that order."""
        hosted = np.array(places, dtype=np.int64)
        kept = np.concatenate([np.arange(self.apis), hosted])
        return replace(
            self,
            contenders=tuple(self.contenders[n] for n in kept.tolist()),
            hosted=self.hosted.take(hosted - self.apis),
            errors=self.errors.take(kept),
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
            total += np.concatenate(
                [self._api(draws, volume, years), self._hosted(draws, (volume, most), years)], axis=0
            )
        mean: Floats = total / len(moments)
        return mean

    def _api(self, draws: Draws, volume: Floats, years: float) -> Floats:
        tokens = self.api.input_usd_per_day[:, None] * np.exp(draws.log_input)
        tokens = tokens + self.api.output_usd_per_day[:, None] * np.exp(draws.log_output)
        moved = np.exp(logs_per_year(self.trends.api, draws.progress) * years)
        found: Floats = self.api.fixed_usd_per_day + tokens * moved * volume / self.requests_per_day
        return np.where(volume > self.api.most_requests_per_day[:, None], np.inf, found)

    def _hosted(self, draws: Draws, volumes: tuple[Floats, Floats], years: float) -> Floats:
        """``volumes``: of the moment, and the largest so far, for which a commitment goes on to be paid."""
        rent = logs_per_year(self.trends.rents, draws.rent)
        rents = np.exp(rent * years), np.exp(rent * self.hosted.rent_since(years))
        return self.hosted.table.at(volumes, log_pace(self, draws, years), rents, self._overflow(draws, years))

    def _overflow(self, draws: Draws, years: float) -> Floats:
        """What the API of each hybrid charges for the same overflow, as a factor on today's price."""
        share = self.hosted.overflow_input_share[:, None]
        tokens = share * np.exp(draws.log_input) + (1 - share) * np.exp(draws.log_output)
        factor: Floats = tokens * np.exp(logs_per_year(self.trends.api, draws.progress) * years)
        return factor


def log_pace(contest: Contest, draws: Draws, years: float) -> Floats:
    """How much slower than planned the hosted contenders get through a request, in the logarithm.

    The error of the speed, longer or shorter requests, and smaller models of equal quality by then.
    """
    lines, errors = contest.hosted, contest.errors
    slow = errors.deviation[contest.apis :, None] * draws.speed[contest.apis :]
    slow = slow + lines.input_weight[:, None] * draws.log_input + lines.output_weight[:, None] * draws.log_output
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
