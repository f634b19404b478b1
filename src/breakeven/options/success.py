"""Success rates as columns: how often each option is right at once, and what becomes of a request by its rules."""

from dataclasses import dataclass, replace

import numpy as np

from breakeven.errors import SpecError
from breakeven.options.api import ApiOption
from breakeven.options.columns import Floats, Ints, Mask
from breakeven.options.hosted import HostedGrid, vouched
from breakeven.options.ruling import EXAMPLES, Ruling
from breakeven.wording import worded
from breakeven.workload.attempts import tried
from breakeven.workload.profile import Workload
from breakeven.workload.success import FORMAT_SIGN, Answers, SuccessRate

KNOWN_SUCCESS = "success known"
UNKNOWN_SUCCESS = "success unknown"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SuccessColumns:
    """One entry an option (or a row of the speed); NaN where the success is not known."""

    rates: tuple[SuccessRate | None, ...]
    rate: Floats
    """At the first attempt."""
    attempts: Floats
    """A request, on average; 1 where the rate is not known."""
    checks: Floats
    success: Floats
    """Share of the requests that end with a right answer."""
    floor: float
    known_only: bool = False
    """Whether what is of unknown success passes, to stand apart, or is left out."""

    @property
    def known(self) -> Mask:
        """Where the success is known."""
        return ~np.isnan(self.rate)

    @property
    def passes(self) -> Mask:
        """Where it is not known to be below the floor."""
        return self.success >= self.floor if self.known_only else ~(self.success < self.floor)

    def compared(self, usd: Floats, rows: Ints | None = None) -> Floats:
        """USD for as many right answers as there are requests; plain USD where the success is not known."""
        success = self.success if rows is None else self.success[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(np.isnan(success), usd, usd / success)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Successes:
    """The success of every API option and of every row of the speed."""

    answers: Answers
    api: SuccessColumns
    hosted: SuccessColumns

    def known_alone(self) -> "Successes":
        """The same without a floor, and without what is of unknown success."""
        api, hosted = (replace(columns, floor=0.0, known_only=True) for columns in (self.api, self.hosted))
        return replace(self, api=api, hosted=hosted)

    @property
    def floor_words(self) -> str:
        """The floor in words; nothing without one."""
        floor = self.answers.floor
        return "" if floor is None else worded("at least {percent:.4g} % of the answers right", percent=floor * 100)


def successes_of(
    answers: Answers | None, apis: tuple[ApiOption, ...], grid: HostedGrid, rows: Ints
) -> Successes | None:
    """The success of all options; ``None`` if nobody gave any.

    Raises:
        SpecError: a floor, retries or a cascade are wanted, but no success rate is given.
    """
    if answers is None:
        return None
    if not answers.success:
        if answers.floor is not None or answers.repeats:
            raise SpecError(
                "quality gives no success rate, but wants a floor, retries or a cascade",
                expected="quality.success or quality.evaluations",
                do="Give the share of right answers of the models that you consider",
            )
        return None
    found = answers.success
    of_api = [_of_api(option, found) for option in apis]
    of_pair = {
        (model, number_format): found.get(f"{grid.models[model].name}{FORMAT_SIGN}{grid.formats[number_format].name}")
        or (found.get(grid.models[model].name) if holds else None)
        for model, number_format, holds in _pairs(grid, rows)
    }
    of_row = [of_pair[pair] for pair in zip(grid.model[rows].tolist(), grid.number_format[rows].tolist(), strict=True)]
    return Successes(answers=answers, api=_columns(of_api, answers), hosted=_columns(of_row, answers))


def _of_api(option: ApiOption, found: dict[str, SuccessRate]) -> SuccessRate | None:
    offer = option.tariff.offer
    names = (f"{offer.provider}/{offer.model}", offer.model, offer.canonical or "")
    return next((found[name] for name in names if name in found), None)


def _pairs(grid: HostedGrid, rows: Ints) -> set[tuple[int, int, bool]]:
    """The distinct (model, format) of some rows, and whether a figure of the model holds in that format."""
    holds = vouched(grid.models, grid.formats)
    both = zip(grid.model[rows].tolist(), grid.number_format[rows].tolist(), strict=True)
    return {(m, f, bool(holds[m, f])) for m, f in set(both)}


def _columns(rates: list[SuccessRate | None], answers: Answers) -> SuccessColumns:
    rate = np.array([np.nan if found is None else found.rate for found in rates], dtype=np.float64)
    ends = tried(rate, answers)
    return SuccessColumns(
        rates=tuple(rates),
        rate=rate,
        attempts=ends.attempts,
        checks=ends.checks,
        success=ends.success,
        floor=0.0 if answers.floor is None else answers.floor,
    )


def attempts_per_day(successes: Successes | None, workload: Workload) -> Floats | None:
    """How often each row of the speed is asked a day; ``None``: as often as requests come."""
    return None if successes is None else workload.requests_per_day * successes.hosted.attempts


def rule_below_floor(
    successes: Successes | None,
    apis: tuple[ApiOption, ...],
    grid: HostedGrid,
    rows: Ints,
    option_row: Ints,
    ruling: Ruling,
) -> int:
    """Hand the options whose success is below the floor to the ruling; how many they are.

    ``rows``: row of the grid for each row of the speed; ``option_row``: row of the speed for each hosted option.
    """
    if successes is None:
        return 0
    tries = successes.answers.retries
    after = worded(", {n} retry counted" if tries == 1 else ", {n} retries counted", n=tries) if tries else ""
    because = worded("below the success floor ({floor}{after})", floor=successes.floor_words, after=after)
    out = np.flatnonzero(~successes.api.passes).tolist()
    ruling.add(because, len(out), (f"{apis[n].id}: {successes.api.success[n]:.4g}" for n in out[:EXAMPLES]))
    count = np.where(successes.hosted.passes, 0, np.bincount(option_row, minlength=len(rows)))
    some = np.flatnonzero(count)[:EXAMPLES].tolist()
    words = (
        worded("{name}: {detail:.4g}", name=grid.words(int(rows[n])), detail=successes.hosted.success[n]) for n in some
    )
    ruling.add(because, int(count.sum()), words)
    return len(out) + int(count.sum())
