"""How prices have moved, measured from the catalogue's own history: the fall at equal quality, and machine rents.

For a level of quality q and a day t, P(q, t) is the least price of any paid API whose score is at least q, and M(q, t)
the least size of any open model of that score, sqrt(active x total parameters). A window is a year of one such series:
P(q, t + 1 year) / P(q, t). A level that is new to the market falls fast, one that has been sold for long hardly moves,
so only windows are counted at whose start a level was about as old as the one in question is now.
"""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import msgspec
import numpy as np
import numpy.typing as npt

from breakeven.catalogue.load import SAGEMAKER_PREFIX, Catalogue

Prices = npt.NDArray[np.float64]

Days = npt.NDArray[np.int64]
"""Days as ordinal numbers, evenly spaced."""

LEVEL = 25.0
"""Points between two levels of quality on the arena scale; on other scales a twentieth of the spread of the scores."""
LEVELS = 20
SETTLED_YEARS = 2.0
"""A level of quality that was reached so long ago is compared with all levels that are about as old or older."""
ABOUT_YEARS = 0.5
FEWEST_WINDOWS = 8
"""Below so many windows the next best are counted too; below so many in all, no trend is told."""
STEPS_PER_YEAR = 4
DAYS_PER_YEAR = 365.25
CHANCES = np.linspace(0.0, 1.0, 21)
RENT_ROSE = 1.38
"""One scenario in ten has rents rise by no less than this: H100 on a one-year contract went from 1.70 USD an hour in
October 2025 to 2.35 in March 2026 (SemiAnalysis rental index, published 2026-04-02, read second-hand), which no list
price in the catalogue ever did."""
ROSE_FROM = 0.9


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """By which factor a price changes in a year, as a distribution, and what it rests on."""

    factors: tuple[float, ...]
    """At the chances 0, 0.05 ... 1: so many of the windows lie below."""
    series: int
    """How many levels of quality, or kinds of machine, were followed."""
    windows: int
    """How many stretches of a year were counted; they overlap."""
    first: date
    last: date

    def at(self, chance: Prices) -> Prices:
        """The logarithm of the factor a year below which that share of the windows lies."""
        found: Prices = np.interp(chance, CHANCES, np.log(self.factors))
        return found

    def factor(self, chance: float) -> float:
        """The factor a year at one chance.

        >>> steady(date(2026, 1, 1)).factor(0.9)
        1.0
        """
        return float(np.exp(self.at(np.array([chance]))[0]))


@dataclass(frozen=True, slots=True)
class _Level:
    """The least value of one level of quality over time; infinite where it was not to be had."""

    values: Prices

    @property
    def age_years(self) -> float:
        """For how long it has been known on its last day."""
        known = np.isfinite(self.values)
        return float(len(known) - 1 - np.argmax(known)) / STEPS_PER_YEAR if known.any() else 0.0

    def windows(self) -> list[tuple[float, float]]:
        """Every year of it: the age at its start, and the factor."""
        known = np.flatnonzero(np.isfinite(self.values))
        return [
            ((start - known[0]) / STEPS_PER_YEAR, float(self.values[start + STEPS_PER_YEAR] / self.values[start]))
            for start in known[known + STEPS_PER_YEAR < len(self.values)].tolist()
            if np.isfinite(self.values[start + STEPS_PER_YEAR])
        ]


def steady(day: date) -> Trend:
    """No change at all."""
    return Trend(factors=(1.0,) * len(CHANCES), series=0, windows=0, first=day, last=day)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QualityHistory:
    """The least value of every level of quality over time: of a price, or of a size."""

    scores: Prices
    """Of each thing that has a score."""
    values: Prices
    """Things x days; infinite where one was not to be had."""
    days: Days
    spread: float
    """Between the least and the largest score of the whole scale."""

    def trend(self, level: float) -> Trend | None:
        """How the least value at a level of quality has moved in a year; ``None`` where too little is known.

        The windows of all levels are counted that began when theirs was about as old as this one is on the last day.
        """
        if not len(self.scores) or self.spread <= 0:
            return None
        width = LEVEL if self.spread > LEVELS * LEVEL / 2 else self.spread / LEVELS
        steps = np.arange(np.ceil(self.scores.min() / width), np.floor(self.scores.max() / width) + 1) * width
        levels = [self._least(one) for one in steps.tolist()]
        return _trend(levels, self.days, self._least(level).age_years)

    def _least(self, level: float) -> "_Level":
        return _Level(np.min(self.values[self.scores >= level], axis=0, initial=np.inf))


def api_prices(catalogue: Catalogue, as_of: date, scores: Mapping[str, float], input_share: float) -> QualityHistory:
    """What paid APIs of known quality have charged: standard tier, prompts of usual length, all hours.

    ``scores``: of models on one scale. ``input_share``: of all tokens, input; the prices of both are blended by it.

    >>> from breakeven.catalogue.load import load_catalogue
    >>> rows = load_catalogue()
    >>> scores = {model: row.score for model, row in rows.scores("lmarena-text").items()}
    >>> found = api_prices(rows, rows.last_day, scores, 0.75).trend(1400.0)
    >>> found.factor(0.1) < found.factor(0.5) < found.factor(0.9)
    True
    """
    days = _days(catalogue.first_day, as_of)
    place = _places(days)
    rated = [o for o in catalogue.tables.api_offers if o.mode == "chat" and (o.canonical or o.model) in scores]
    number = {offer.key: n for n, offer in enumerate(rated)}
    each = {kind: np.full((len(rated), len(days)), np.inf) for kind in ("input", "output")}
    for row in catalogue.tables.api_prices:  # in the order of their days
        n = number.get((row.provider, row.model))
        if n is None or row.tier != "standard" or row.above_input_tokens or row.window or row.token_kind not in each:
            continue
        each[row.token_kind][n, place(row.effective_from) :] = float(row.usd_per_mtok)
        if row.until:
            each[row.token_kind][n, place(row.until) :] = np.inf
    values = input_share * each["input"] + (1 - input_share) * each["output"] if 0 < input_share < 1 else each["input"]
    for n, offer in enumerate(rated):
        values[n, place(min(offer.retired_on or date.max, offer.delisted_by or date.max)) :] = np.inf
    return _rated([scores[offer.canonical or offer.model] for offer in rated], values, days, scores)


def open_models(catalogue: Catalogue, as_of: date, scores: Mapping[str, float]) -> QualityHistory:
    """How large open models of known quality are, from the day of their release on: sqrt(active x total parameters)."""
    rated = [
        model
        for model in catalogue.tables.models
        if model.name in scores and model.kind == "decoder" and model.released and model.params_total
        if model.weights_public
    ]
    days = _days(min((m.released for m in rated if m.released), default=as_of), as_of)
    place = _places(days)
    values = np.full((len(rated), len(days)), np.inf)
    for n, model in enumerate(rated):
        total = model.params_total or 0
        values[n, place(model.released or date.max) :] = math.sqrt(total * (model.params_active or total))
    return _rated([scores[model.name] for model in rated], values, days, scores)


def _rated(of: list[float], values: Prices, days: Days, scores: Mapping[str, float]) -> QualityHistory:
    spread = max(scores.values()) - min(scores.values()) if scores else 0.0
    return QualityHistory(scores=np.array(of), values=values, days=days, spread=spread)


def _places(days: Days) -> Callable[[date], int]:
    """From a day to the first of ``days`` that is not before it."""
    numbers = days.tolist()
    return lambda day: bisect_left(numbers, day.toordinal())


def machine_rents(catalogue: Catalogue, as_of: date, region: str) -> Trend | None:
    """How the on-demand list price of machines with accelerators has moved in a year; one series an accelerator.

    At the chances from 0.9 on it is at least ``RENT_ROSE``; all else is the catalogue's alone.
    """
    days = _days(catalogue.first_day, as_of)
    held: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for row in catalogue.tables.machine_prices:
        if row.region == region and row.term == "on-demand" and row.effective_from <= as_of:
            held[row.machine].append((row.effective_from.toordinal(), float(row.usd_per_hour)))
    chosen: dict[tuple[str, bool], list[tuple[int, float]]] = {}
    for machine, rows in held.items():
        instance = catalogue.instances.get(machine.removeprefix(SAGEMAKER_PREFIX))
        if instance is None or not instance.accelerator or instance.own:
            continue
        key = (instance.accelerator, machine.startswith(SAGEMAKER_PREFIX))
        if key not in chosen or rows[0][0] < chosen[key][0][0]:  # the machine whose price is known for longest
            chosen[key] = rows
    found = _trend([_Level(_held(rows, days)) for rows in chosen.values()], days, None)
    if found is None:
        return None
    raised = [max(f, RENT_ROSE) if c >= ROSE_FROM else f for c, f in zip(CHANCES, found.factors, strict=True)]
    return msgspec.structs.replace(found, factors=tuple(raised))


def _days(first: date, last: date) -> Days:
    """Days at regular steps back from the last to the first."""
    step = DAYS_PER_YEAR / STEPS_PER_YEAR
    count = max(int((last - first).days / step), 0)
    return last.toordinal() - np.round(step * np.arange(count, -1, -1)).astype(np.int64)


def _held(rows: list[tuple[int, float]], days: Days) -> Prices:
    """The price in force at each day; infinite before the first."""
    begun = np.searchsorted(np.array([day for day, _ in rows]), days, side="right")
    found: Prices = np.array([np.inf, *(price for _, price in rows)])[begun]
    return found


def _trend(levels: list[_Level], days: Days, age_years: float | None) -> Trend | None:
    """The distribution of the windows that began at about an age (``None``: of all)."""
    windows = np.array([window for level in levels for window in level.windows()]).reshape(-1, 2)
    if len(windows) < FEWEST_WINDOWS:
        return None
    factors = windows[:, 1]
    if age_years is not None:
        away = np.abs(np.minimum(windows[:, 0], SETTLED_YEARS) - min(age_years, SETTLED_YEARS))
        factors = factors[away <= max(ABOUT_YEARS, float(np.sort(away)[FEWEST_WINDOWS - 1]))]
    known = [np.flatnonzero(np.isfinite(level.values)) for level in levels]
    return Trend(
        factors=tuple(np.quantile(factors, CHANCES).tolist()),
        series=sum(1 for at in known if len(at) > STEPS_PER_YEAR),
        windows=len(factors),
        first=date.fromordinal(int(days[min(at[0] for at in known if len(at))])),
        last=date.fromordinal(int(days[-1])),
    )
