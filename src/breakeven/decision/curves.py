"""Cost against traffic: the same options, sized and charged again at other volumes.

The curve of a hosted option is not a second formula: its row is repeated once for each volume and goes through
the same sizing and charges as the plan itself.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from breakeven.capacity.sizing import MachinePairs, Sizing, size
from breakeven.catalogue.load import Snapshot
from breakeven.cost.api import ApiCosts
from breakeven.cost.bill import Charge, total_usd_per_day
from breakeven.cost.extras import BothExtras, no_extras
from breakeven.cost.failover import Failover, failover_charges
from breakeven.cost.fixed import fixed_costs
from breakeven.cost.hosting import HostedCosts, HostedOptions, hosted_costs
from breakeven.cost.provisioned import units_at
from breakeven.options.columns import Floats, Ints
from breakeven.options.success import Successes
from breakeven.performance.predict import Speed, paced, take
from breakeven.workload.policy import Policy

LOWEST_REQUESTS_PER_DAY = 1e2
HIGHEST_REQUESTS_PER_DAY = 1e8
POINTS = 97
BANDS_KEPT = 10_000
ROUNDING = 1 + 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curves:
    """What it takes to draw costs: everything but the volume is fixed."""

    speed: Speed
    hosted: HostedCosts
    per_machine: Ints
    """Replicas a machine of each hosted option."""
    api: ApiCosts
    snapshot: Snapshot
    policy: Policy
    away: tuple[Failover, Failover] | None = None
    """Outages of the APIs and of the hosted options, where the bills count them."""
    successes: Successes | None = None
    by_success: bool = False
    """Whether costs are those of as many right answers as there are requests."""
    extras: BothExtras | None = None
    _bands: dict[tuple[int, float], tuple[float, float] | None] = field(default_factory=dict, init=False, repr=False)
    """By option and traffic, as far as they were asked for."""

    def per_success(self) -> "Curves":
        """The same curves, each divided by the share of right answers, where it is known."""
        return replace(self, by_success=self.successes is not None)

    def per_answer(self) -> "Curves":
        """The same curves by every answer, right or wrong."""
        return replace(self, by_success=False)

    @property
    def usd_per_check(self) -> float:
        """What a check of an answer costs; nothing where nobody said."""
        return self.extras.usd_per_check if self.extras else 0.0

    def without_checks(self) -> "Curves":
        """The same curves less the checks of answers."""
        if self.extras is None or self.extras.api.checks is None:
            return self
        usd = self.extras.api.checks * self.speed.workload.requests_per_day * self.usd_per_check
        return replace(
            self, extras=self.extras.without_checks(), api=replace(self.api, usd_per_day=self.api.usd_per_day - usd)
        )

    def log_paces(self, options: Ints, ends: Ints | int) -> Floats:
        """How much slower each option is at an end of its speed, in the logarithm: 1 the slow end, -1 the fast one."""
        return np.nan_to_num(self.half_widths(options)) * ends

    def half_widths(self, options: Ints) -> Floats:
        """Half the 80 % band of each option's speed, in the logarithm; NaN where none is known."""
        return self.speed.half_width[self.hosted.options.row[options]]

    def band_at(self, option: int, requests_per_day: float) -> tuple[float, float] | None:
        """The USD a day of one option at both ends of its speed; ``None`` where no band is known."""
        self.find_bands(np.array([option]), requests_per_day)
        return self._bands[option, requests_per_day]

    def find_bands(self, options: Ints, requests_per_day: float) -> None:
        """Find the bands of many options at once, which takes hardly longer than one alone; ``band_at`` tells them."""
        if len(self._bands) > BANDS_KEPT:
            self._bands.clear()
        new = [n for n in options.tolist() if (n, requests_per_day) not in self._bands]
        self._bands.update(dict.fromkeys((n, requests_per_day) for n in new))
        known = np.array([n for n in new if np.isfinite(self.half_widths(np.array([n])))[0]], dtype=np.int64)
        if not len(known):
            return
        volume = np.full(len(known), requests_per_day)
        twice, ends = np.tile(known, 2), np.repeat([-1, 1], len(known))
        both = self.hosted_at(twice, np.tile(volume, 2), self.log_paces(twice, ends))
        for number, one, other in zip(known.tolist(), *both.reshape(2, -1).tolist(), strict=True):
            if np.isfinite((one, other)).all():
                self._bands[number, requests_per_day] = min(one, other), max(one, other)

    def hosted_usd_per_day(self, options: Ints, requests_per_day: Floats, end: int = 0) -> Floats:
        """USD a day, options x volumes; infinite where more machines are needed than there are.

        ``end``: of the speeds' band: -1 the fast one, 1 the slow one, 0 as predicted.
        """
        shape = (len(options), len(requests_per_day))
        repeated = np.repeat(options, shape[1])
        volume = np.tile(requests_per_day, shape[0])
        return self.hosted_at(repeated, volume, self.log_paces(repeated, end)).reshape(shape)

    def sized(
        self, options: Ints, requests_per_day: Floats, log_pace: Floats | None = None
    ) -> tuple[HostedOptions, Sizing, Speed]:
        """Each option at its own volume: columns, sizing and speed, one entry each.

        ``log_pace``: how much slower than predicted each is, where they are not all at the same end of their band.
        """
        rows = self.hosted.options.row[options]
        speed = take(self.speed, rows, self.speed.largest_concurrency[rows])
        if log_pace is not None and log_pace.any():
            speed = paced(speed, log_pace)
        columns, sizing = self.sized_at(options, requests_per_day, speed)
        return columns, sizing, speed

    def sized_at(self, options: Ints, requests_per_day: Floats, speed: Speed) -> tuple[HostedOptions, Sizing]:
        """Each option at its own volume and speed, one entry each."""
        columns = self.hosted.options.each_alone(options)
        pairs = MachinePairs(row=columns.pair, replicas_per_machine=self.per_machine[options], rents=columns.rents)
        rows = self.hosted.options.row[options]
        attempts = 1.0 if self.successes is None else self.successes.hosted.attempts[rows]
        return columns, size(speed, pairs, speed.workload, self.policy, requests_per_day * attempts)

    def costs_at(
        self, options: Ints, requests_per_day: Floats, log_pace: Floats | None = None
    ) -> tuple[HostedCosts, Sizing]:
        """The bills of some options, each at its own volume, and the machines that stand behind them."""
        columns, sizing, _ = self.sized(options, requests_per_day, log_pace)
        return self._costs_of(options, columns, sizing, requests_per_day), sizing

    def _costs_of(self, options: Ints, columns: HostedOptions, sizing: Sizing, requests_per_day: Floats) -> HostedCosts:
        extras = self.extras.hosted if self.extras else no_extras(len(self.speed.rows))
        fixed = extras.beside(self.policy, "hosted", self.hosted.options.row[options], requests_per_day)
        return hosted_costs(columns, sizing.speed, sizing, self.snapshot, self.policy, fixed)

    def charged(
        self, options: Ints, columns: HostedOptions, sizing: Sizing, requests_per_day: Floats
    ) -> tuple[tuple[Charge, ...], Floats]:
        """All lines of options that are sized, those of outages last, and USD a day.

        Infinite where more machines are needed than there are.
        """
        costs = self._costs_of(options, columns, sizing, requests_per_day)
        away = failover_charges(self.away[1].take(options), requests_per_day) if self.away else ()
        usd = costs.usd_per_day + total_usd_per_day(away, len(options))
        return (*costs.charges, *away), np.where(columns.too_many(sizing), np.inf, usd)

    def hosted_at(self, options: Ints, requests_per_day: Floats, log_pace: Floats | None = None) -> Floats:
        """USD a day of each option at its own volume, and at its own pace where one is given."""
        columns, sizing, _ = self.sized(options, requests_per_day, log_pace)
        _, usd = self.charged(options, columns, sizing, requests_per_day)
        if self.by_success and self.successes is not None:
            return self.successes.hosted.compared(usd, self.hosted.options.row[options])
        return usd

    @property
    def api_fixed_usd_per_day(self) -> float:
        """USD a day that every paid API costs without a request."""
        return sum(usd for _, usd in fixed_costs(self.policy, "api"))

    def api_usd_per_day(self, option: int, requests_per_day: Floats) -> Floats:
        """USD a day of a paid API: fixed costs and so much a request."""
        fixed = self.api_fixed_usd_per_day
        fixed += self.extras.api.fixed_usd_per_day(option) if self.extras else 0.0
        one, workload = self.api.options[option], self.speed.workload
        variable, units = float(self.api.usd_per_day[option]) - fixed, np.zeros_like(requests_per_day)
        if one.provisioned is not None:
            attempts = 1.0 if self.successes is None else float(self.successes.api.attempts[option])
            yours = np.array([workload.requests_per_day])
            here, units = (
                units_at(one.provisioned, workload, self.policy, volume * attempts).usd_per_day
                for volume in (yours, requests_per_day)
            )
            variable -= float(here[0])
        usd = fixed + units + variable * requests_per_day / workload.requests_per_day
        usd = np.where(requests_per_day > one.most_requests_per_day(workload) * ROUNDING, np.inf, usd)
        if self.by_success and self.successes is not None:
            return self.successes.api.compared(usd, np.full(len(usd), option))
        return usd


def curves_of(sizing: Sizing, hosted: HostedCosts, api: ApiCosts, snapshot: Snapshot, policy: Policy) -> Curves:
    """The curves of a plan, from its stages."""
    return Curves(
        speed=sizing.speed,
        hosted=hosted,
        per_machine=sizing.pair_replicas_per_machine[hosted.options.pair],
        api=api,
        snapshot=snapshot,
        policy=policy,
    )


def take_one(speed: Speed, row: int) -> Speed:
    """One entry of a speed."""
    return take(speed, np.array([row]), speed.largest_concurrency[[row]])


def volumes() -> Floats:
    """The volumes at which curves are drawn: 100 to 100 million requests a day, evenly in the logarithm."""
    return np.geomspace(LOWEST_REQUESTS_PER_DAY, HIGHEST_REQUESTS_PER_DAY, POINTS)
