"""What options cost at other volumes, paces and token counts: a small table of each, computed once and read often.

The pace of a pass is the one axis on which errors of speed, longer requests and better models all act: a request that
takes w times as long keeps a replica as busy as one on a replica that is w times slower. Between the points of the
table costs are straight lines; at the middle of every input the table holds the plan's own figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from breakeven.catalogue.schema import ProvisionedPrice
from breakeven.cost.api import NAMES
from breakeven.cost.bill import Charge, total_usd_per_day
from breakeven.cost.machines import MACHINE_LINES
from breakeven.cost.provisioned import units_at
from breakeven.decision.curves import ROUNDING, Curves
from breakeven.options.columns import Floats, Ints
from breakeven.options.hosted import HostedGrid
from breakeven.options.ruling import Ruling
from breakeven.options.terms import years as committed_years
from breakeven.performance.predict import Speed, paced, predict, take
from breakeven.units import HOURS_PER_DAY
from breakeven.workload.policy import Policy
from breakeven.workload.profile import Workload
from breakeven.workload.usage import TokenMix, TokenShape, TokenUsage

FEWER = 0.8
"""Token counts are made smaller by this factor to see what they weigh: what fits still fits."""
BY_OPTION = ("slowest", "fastest", "committed", "machines", "overflow", "rest")
"""The columns of a table."""
BY_LINE = ("options", "input_weight", "output_weight", "committed_years", "overflow_input_share")
"""And of what is charged by it."""
BEYOND = 1e15
"""USD a day that stand for "there are not so many machines" in the table."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostTable:
    """USD a day of hosted options over paces and volumes, by what moves it in a scenario."""

    volumes: Floats
    """Requests a day, rising."""
    slowest: Floats
    """Of each option: the largest log pace of the table, above 0."""
    fastest: Floats
    """The smallest, below 0."""
    committed: Floats
    """Machines that are committed to or owned: options x paces x volumes."""
    machines: Floats
    """Machines by the hour."""
    overflow: Floats
    """What hybrids pay a paid API for its tokens, at today's prices."""
    rest: Floats

    @property
    def half(self) -> int:
        """Steps of the pace to each side of the middle."""
        return int(self.machines.shape[1]) // 2

    def take(self, options: Ints) -> "CostTable":
        """Some of the options."""
        return replace(self, **{name: getattr(self, name)[options] for name in BY_OPTION})

    def with_hybrids(self, hybrids: "CostTable") -> "CostTable":
        """These options, and hybrids after them over the same volumes and as many paces."""
        return replace(
            self, **{name: np.concatenate([getattr(self, name), getattr(hybrids, name)]) for name in BY_OPTION}
        )

    def at(
        self, volumes: tuple[Floats, Floats], log_pace: Floats, rents: tuple[Floats, Floats], api: Floats | None = None
    ) -> Floats:
        """USD a day of all options in scenarios.

        ``volumes`` and ``rents``, a factor: of the moment, and those for which commitments are paid (their largest
        volume so far, the rent when they were made). ``api``: a factor on the overflow. ``log_pace``: options x
        scenarios; the others too or of each scenario.
        """
        pace = self._pace(log_pace)
        now = self._corners(volumes[0], pace)
        usd = _read(self.machines, now) * rents[0] + _read(self.rest, now)
        if self.committed.any():
            usd += _read(self.committed, self._corners(volumes[1], pace)) * rents[1]
        if api is not None and self.overflow.any():
            usd += _read(self.overflow, now) * api
        return np.where(usd > BEYOND / 1e6, np.inf, usd)

    def along(self, log_pace: Floats, rents: tuple[Floats, Floats]) -> Floats:
        """USD a day of each option in each scenario at all volumes of the table: options x scenarios x volumes.

        ``rents``: as of ``at``.
        """
        option = np.arange(len(self.machines))[:, None]
        pace, above = self._pace(log_pace)

        def read(table: Floats) -> Floats:
            found: Floats = table[option, pace] * (1 - above[..., None]) + table[option, pace + 1] * above[..., None]
            return found

        usd = read(self.machines) * np.asarray(rents[0])[..., None] + read(self.rest)
        if self.committed.any():
            usd += read(self.committed) * np.asarray(rents[1])[..., None]
        return np.where(usd > BEYOND / 1e6, np.inf, usd)

    def _corners(self, volume: Floats, paces: tuple[Ints, Floats]) -> tuple[list[Ints], tuple[Floats, ...]]:
        """The four cells of a table around each option and scenario, and their weights."""
        (pace, above), logs = paces, np.log(self.volumes)
        at = np.clip(np.searchsorted(logs, np.log(volume), side="right") - 1, 0, max(len(logs) - 2, 0))
        after = np.minimum(at + 1, len(logs) - 1)
        step = np.where(after > at, logs[after] - logs[at], 1.0)
        right = np.clip((np.log(volume) - logs[at]) / step, 0.0, 1.0)
        row = (np.arange(len(pace))[:, None] * self.machines.shape[1] + pace) * len(logs)
        corners = [row + end for end in (at, after, at + len(logs), after + len(logs))]
        return corners, ((1 - right) * (1 - above), right * (1 - above), (1 - right) * above, right * above)

    def _pace(self, log_pace: Floats) -> tuple[Ints, Floats]:
        """Between which paces of the table a pace lies, and where; beyond the table its ends hold."""
        log_pace = np.clip(log_pace, self.fastest[:, None], self.slowest[:, None])
        step = np.where(log_pace < 0, -self.fastest[:, None], self.slowest[:, None]) / self.half
        place = self.half + log_pace / step
        low = np.clip(np.floor(place), 0, 2 * self.half - 1).astype(np.int64)
        return low, place - low


def _read(table: Floats, around: tuple[list[Ints], tuple[Floats, ...]]) -> Floats:
    flat, (corners, weights) = table.ravel(), around
    found: Floats = flat.take(corners[0]) * weights[0]
    for corner, weight in zip(corners[1:], weights[1:], strict=True):
        found += flat.take(corner) * weight
    return found


def paces_of(ends: tuple[Floats, Floats], steps: int) -> tuple[Floats, Floats, Floats]:
    """The fastest and the slowest log pace of each option, and all paces of its table, options x paces.

    ``steps``: to each side of the middle, which is the plan's own pace.
    """
    fastest, slowest = np.minimum(ends[0], -1e-6), np.maximum(ends[1], 1e-6)
    down = fastest[:, None] * np.arange(steps, 0, -1) / steps
    up = slowest[:, None] * np.arange(steps + 1) / steps
    return fastest, slowest, np.concatenate([down, up], axis=1)


def cost_table(
    curves: Curves,
    options: Ints,
    ends: tuple[Floats, Floats],
    volumes: Floats,
    steps: int,
    share: Floats | None = None,
) -> CostTable:
    """The table of some hosted options: sized and charged as the plan itself, at every pace and volume.

    ``ends``: the fastest and the slowest log pace of each option. ``steps``: of the pace, to each side of the middle.
    ``share``: of the requests that comes to each option; all of them if it is not given.
    Machines come whole, so their cost has steps, and a table smooths each over the cell in which it lies.
    """
    fastest, slowest, paces = paces_of(ends, steps)
    shape = (*paces.shape, len(volumes))
    rows = np.repeat(curves.hosted.options.row[options], paces.shape[1])
    moved = paced(take(curves.speed, rows, curves.speed.largest_concurrency[rows]), paces.ravel())
    each = np.repeat(np.arange(len(rows)), len(volumes))
    speed = take(moved, each, moved.largest_concurrency[each])
    own = np.tile(volumes, len(rows)) * (1.0 if share is None else np.repeat(share, paces.shape[1] * len(volumes)))
    charged = _charged(curves, np.repeat(options, paces.shape[1] * len(volumes)), speed, own)
    committed, machines, rest = (column.reshape(shape) for column in charged)
    return CostTable(
        volumes=volumes,
        slowest=slowest,
        fastest=fastest,
        committed=committed,
        machines=machines,
        overflow=np.zeros_like(rest),
        rest=rest,
    )


def _charged(curves: Curves, options: Ints, speed: Speed, volume: Floats) -> tuple[Floats, Floats, Floats]:
    """What each option costs at its own speed and volume: machines committed to, those by the hour, and all else."""
    columns, sizing = curves.sized_at(options, volume, speed)
    return parts_of(*curves.charged(options, columns, sizing, volume))


def parts_of(charges: Sequence[Charge], usd_per_day: Floats) -> tuple[Floats, Floats, Floats]:
    """A bill's machines that are committed to, those by the hour, and all else; ``BEYOND`` where it is infinite."""
    committed, hourly = (total_usd_per_day([charge], len(usd_per_day)) for charge in charges[:MACHINE_LINES])
    beyond = np.isinf(usd_per_day)
    rest = np.where(beyond, 0.0, usd_per_day) - np.where(beyond, 0.0, committed + hourly)
    return np.where(beyond, 0.0, committed), np.where(beyond, BEYOND, hourly), rest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostedLines:
    """Hosted options ready to be charged in scenarios."""

    options: Ints
    table: CostTable
    input_weight: Floats
    """By so many per cent the busy time of a request changes with 1 % more input tokens."""
    output_weight: Floats
    committed_years: Floats
    """For so long what was once needed goes on to be paid, at its rent; 0: no longer than it is needed."""
    overflow_input_share: Floats
    """Of what a hybrid pays its API: the share that is for input tokens; 0 of what pays none."""

    def take(self, options: Ints) -> "HostedLines":
        """Some of the options."""
        return replace(self, table=self.table.take(options), **{name: getattr(self, name)[options] for name in BY_LINE})

    def with_hybrids(self, hybrids: "HostedLines") -> "HostedLines":
        """These options, and hybrids after them."""
        both = {name: np.concatenate([getattr(self, name), getattr(hybrids, name)]) for name in BY_LINE}
        return replace(self, table=self.table.with_hybrids(hybrids.table), **both)

    def rent_since(self, at_years: float) -> Floats:
        """When the rent that is paid at a moment was agreed, in years from now: column, one an option."""
        kept = np.maximum(self.committed_years, 1e-9)
        found: Floats = np.where(self.committed_years > 0, np.floor(at_years / kept) * kept, at_years)[:, None]
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnitLine:
    """Provisioned throughput ready to be charged: whole units, some committed to, some by the hour."""

    row: ProvisionedPrice
    workload: Workload
    policy: Policy
    per_request: float
    """Attempts at a request, times the share of the requests that comes here."""

    def usd_per_day(self, volumes: tuple[Floats, Floats], logs: tuple[Floats, Floats], moved: Floats) -> Floats:
        """``volumes``: of the moment, and the largest so far, for which a commitment goes on to be paid.

        ``logs``: of the factors on input and output tokens; the kind that fills a unit counts. ``moved``: on the price
        of an hour; a commitment keeps its own. All of one shape.
        """
        mean = self.workload.mix.mean
        busy = mean.input / self.row.input_tokens_per_minute, mean.output / self.row.output_tokens_per_minute
        longer = np.maximum(busy[0] * np.exp(logs[0]), busy[1] * np.exp(logs[1])) / max(busy)
        now, most = (
            units_at(self.row, self.workload, self.policy, (volume * longer * self.per_request).ravel())
            for volume in volumes
        )
        committed = np.maximum(now.committed, most.committed) * HOURS_PER_DAY * now.committed_usd_per_hour
        hourly: Floats = now.hours_per_day * now.usd_per_hour * moved.ravel()
        return (committed + hourly).reshape(longer.shape)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ApiLines:
    """Paid APIs ready to be charged: USD a day at the plan's own volume, and what does not depend on traffic."""

    input_usd_per_day: Floats
    output_usd_per_day: Floats
    beside_usd_per_day: Floats
    """What goes with requests and not with tokens or their price: checks of answers."""
    fixed_usd_per_day: Floats
    most_requests_per_day: Floats
    """The volume above which an hour is over the API's rate limit."""
    units: tuple[UnitLine | None, ...]
    """Of each that is sold by the unit."""

    def for_share(self, share: Floats) -> "ApiLines":
        """Each for its share of the requests."""
        names = ("input_usd_per_day", "output_usd_per_day", "beside_usd_per_day")
        with np.errstate(divide="ignore"):
            most = self.most_requests_per_day / share
        units = tuple(
            None if unit is None else replace(unit, per_request=unit.per_request * part)
            for unit, part in zip(self.units, share.tolist(), strict=True)
        )
        columns = {name: getattr(self, name) * share for name in names}
        return replace(self, most_requests_per_day=most, units=units, **columns)


def api_lines(curves: Curves, options: Ints) -> ApiLines:
    """The input and the output of some APIs, less what was negotiated; failovers count as tokens.

    What is sold by the unit has a line of its own, and what else goes with its requests stands beside the tokens.
    """
    by_name = {charge.name: charge.usd_per_day[options] for charge in curves.api.charges}
    beside = curves.api.usd_per_day[options] - curves.without_checks().api.usd_per_day[options]
    trained = [curves.extras.api.fixed_usd_per_day(n) if curves.extras else 0.0 for n in options.tolist()]
    fixed = curves.api_fixed_usd_per_day + np.array(trained, dtype=np.float64)
    out = by_name[NAMES["output"]]
    listed = sum((by_name[name] for name in NAMES.values()), np.zeros(len(options)))
    usd = curves.api.usd_per_day[options] - fixed - beside
    paid = np.divide(usd, listed, out=np.ones_like(listed), where=listed > 0)
    requests, none = np.array([curves.speed.workload.requests_per_day]), np.zeros(1)
    units = tuple(_unit_line(curves, n) for n in options.tolist())
    for place, unit in enumerate(units):
        if unit is not None:
            here = unit.usd_per_day((requests, requests), (none, none), np.ones(1))
            beside[place] += usd[place] - float(here[0])
    most = [curves.api.options[n].most_requests_per_day(curves.speed.workload) for n in options.tolist()]
    return ApiLines(
        input_usd_per_day=(listed - out) * paid,
        output_usd_per_day=out * paid,
        beside_usd_per_day=beside,
        fixed_usd_per_day=fixed,
        most_requests_per_day=np.array(most) * ROUNDING,
        units=units,
    )


def _unit_line(curves: Curves, option: int) -> UnitLine | None:
    row = curves.api.options[option].provisioned
    attempts = 1.0 if curves.successes is None else float(curves.successes.api.attempts[option])
    if row is None:
        return None
    return UnitLine(row=row, workload=curves.speed.workload, policy=curves.policy, per_request=attempts)


def years_of(curves: Curves, options: Ints) -> Floats:
    """For how many years each hosted option's machines are paid, used or not; 0 where they are not."""
    of = curves.hosted.options
    terms = [of.offers[n].term for n in of.offer[options].tolist()]
    return np.array([float(committed_years(term) or 0) for term in terms])


def token_weights(curves: Curves, grid: HostedGrid, options: Ints) -> tuple[Floats, Floats]:
    """How the busy time of a request follows its input and its output: d log(seconds over concurrency) / d log(tokens).

    The same options are predicted again with a fifth fewer tokens of one kind. 0 where a speed was stated.
    """
    rows = curves.hosted.options.row[options]
    distinct, place = np.unique(rows, return_inverse=True)
    before = _busy_s(take(curves.speed, distinct, curves.speed.largest_concurrency[distinct]))
    found = []
    for more in ({"input_by": FEWER}, {"output_by": FEWER}):
        if not len(distinct) or curves.speed.stated is not None:
            found.append(np.zeros(len(options)))
            continue
        workload = scaled(curves.speed.workload, **more)
        part = _part_of(grid, curves.speed.rows[distinct])
        there = predict(part, workload, Ruling(), parameters=curves.speed.parameters)
        busy = before * 1.0
        busy[there.rows] = _busy_s(there)
        found.append((np.log(before / busy) / -np.log(FEWER))[place])
    return found[0], found[1]


def _busy_s(speed: Speed) -> Floats:
    busy: Floats = speed.latency(speed.largest_concurrency).held_s / speed.largest_concurrency
    return busy


def _part_of(grid: HostedGrid, rows: Ints) -> HostedGrid:
    """Some rows of the grid, all of them alive."""
    columns = ("model", "number_format", "hardware", "engine", "score", "weight")
    return replace(
        grid, **{name: getattr(grid, name)[rows] for name in columns}, alive=np.ones(len(rows), dtype=np.bool_)
    )


def scaled(workload: Workload, input_by: float = 1.0, output_by: float = 1.0) -> Workload:
    """The same requests with all input or output tokens times a factor.

    >>> from breakeven.workload.profile import Workload
    >>> work = Workload.of(requests_per_day=10.0, input_tokens=1000, output_tokens=100)
    >>> scaled(work, input_by=0.5).mix.mean.input
    500.0
    """
    shapes = tuple(
        TokenShape(
            share=shape.share,
            usage=TokenUsage(
                input=shape.usage.input * input_by,
                cached_input=shape.usage.cached_input * input_by,
                cache_write=shape.usage.cache_write * input_by,
                output=shape.usage.output * output_by,
                reasoning=shape.usage.reasoning * output_by,
            ),
        )
        for shape in workload.mix.shapes
    )
    return msgspec.structs.replace(workload, mix=TokenMix(shapes=shapes))
