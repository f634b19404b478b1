"""Mixed machine types: one fleet for long prompts, another for short ones, where that is cheaper than one for all.

Every set of kinds of requests that a router can tell apart is a workload of its own, sized and charged by the same
functions as a plan: whole replicas, whole machines, hour by hour. Which sets together carry everything at the least
cost is an integer programme (``decision.mixed``). With up to a few kinds all sets are tried; with more, those that lie
next to each other by the length of the prompt.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from math import fsum

import msgspec
import numpy as np

from breakeven.capacity.sizing import machine_pairs, size
from breakeven.catalogue.load import Catalogue, Snapshot
from breakeven.cost.api import ApiCosts
from breakeven.cost.fixed import fixed_costs
from breakeven.cost.hosting import hosted_costs, hosted_options
from breakeven.decision.curves import curves_of
from breakeven.decision.mixed import Cover, Fleet, cheapest_cover
from breakeven.decision.rank import Ranking
from breakeven.errors import BreakevenError
from breakeven.options.hosted import HostedGrid, hosted_grid
from breakeven.options.quality import Quality
from breakeven.options.ruling import Ruling
from breakeven.performance.calibration import Parameters
from breakeven.performance.predict import predict
from breakeven.planner.verdict import hosted_id
from breakeven.wording import worded
from breakeven.workload.policy import Policy
from breakeven.workload.profile import Workload
from breakeven.workload.usage import TokenMix

NO_APIS = ApiCosts(options=(), charges=(), usd_per_day=np.empty(0))
LEADING = 2
"""Models for which mixed fleets are looked for: the cheapest self-hosting of so many models or classes of quality."""
ROUNDING = 1e-9
"""One fleet is not given up for a mix that saves less."""
ALL_SETS = 4
"""Up to so many kinds of requests every set of them may have a fleet of its own."""


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """One fleet and the kinds of requests that it carries."""

    option: str
    requests: tuple[str, ...]
    """Tokens in and out of each kind, and its share of all requests."""
    machine: str
    peak_machines: int
    usd_per_day: float


class MixedFleet(msgspec.Struct, frozen=True, kw_only=True):
    """The cheapest fleets of one model, people and other fixed costs included; one pool: no mix is cheaper."""

    model: str
    pools: tuple[Pool, ...]
    usd_per_day: float
    usd_per_day_low: float | None
    """With all speeds at the fast end of their 80 % band, and at the slow one; ``None`` where one is not known."""
    usd_per_day_high: float | None
    single: str | None
    """The cheapest single fleet; ``None`` if none carries all kinds."""
    single_usd_per_day: float | None
    gap: float
    """Between this and the bound that the solver proved, over it; 0: optimal among the fleets considered."""
    fleets_considered: int
    because: str


class MixedMachines:
    """Fleets of one model for sets of kinds of requests, and the cheapest choice among them."""

    def __init__(
        self,
        workload: Workload,
        policy: Policy,
        catalogue: Catalogue,
        snapshot: Snapshot,
        quality: Quality,
        parameters: Parameters,
    ) -> None:
        self._workload, self._policy, self._snapshot = workload, policy, snapshot
        self._catalogue, self._quality, self._parameters = catalogue, quality, parameters

    def of_leading(self, ranking: Ranking, model_of: Callable[[int], str]) -> tuple[MixedFleet, ...]:
        """The cheapest fleets of the first hosted models of a ranking; none unless asked for, or for one kind of them.

        ``model_of``: the model of a hosted option.
        """
        if not self._policy.mixed_machines or len(self._workload.mix.shapes) == 1:
            return ()
        found = (self.of(model) for model in _leading(ranking, model_of))
        return tuple(fleet for fleet in found if fleet is not None)

    def of(self, model: str) -> MixedFleet | None:
        """The cheapest fleets of a model; ``None`` if it cannot carry every kind of request."""
        only = msgspec.structs.replace(self._policy.only, models=(model,), kinds=("hosted",))
        policy = msgspec.structs.replace(self._policy, only=only)
        grid = hosted_grid(self._catalogue, self._snapshot, self._workload, policy, self._quality, Ruling())
        names: list[str] = []
        fleets = [
            fleet
            for kinds in _sets(self._workload.mix)
            if (part := _part(self._workload, kinds)) is not None
            for fleet in self._fleets(part, kinds, grid, policy, names)
        ]
        cover = cheapest_cover(fleets, len(self._workload.mix.shapes)) if fleets else None
        if cover is None:
            return None
        everything = frozenset(range(len(self._workload.mix.shapes)))
        single = min((f for f in fleets if f.kinds == everything), key=lambda f: f.usd_per_day, default=None)
        if single is not None and single.usd_per_day <= cover.usd_per_day * (1 + ROUNDING):
            cover = replace(cover, fleets=(single,), usd_per_day=single.usd_per_day)
        return self._told(model, cover, single, names, len(fleets))

    def _fleets(
        self, part: Workload, kinds: frozenset[int], grid: HostedGrid, policy: Policy, names: list[str]
    ) -> list[Fleet]:
        """The cheapest fleets for a part of the requests: one, and one for each machine that is scarce."""
        speed = predict(grid, part, Ruling(), policy.stated, self._parameters)
        sizing = size(speed, machine_pairs(speed, grid), part, policy)
        options = hosted_options(grid, speed, sizing, self._snapshot, Ruling())
        costs = hosted_costs(options, speed, sizing, self._snapshot, policy)
        unfixed = msgspec.structs.replace(policy, fixed_costs=())
        curves = curves_of(sizing, costs, NO_APIS, self._snapshot, unfixed)
        scored = ~np.isnan(grid.score[speed.rows[options.row]])
        best: dict[str, int] = {}
        for n in np.argsort(costs.usd_per_day, kind="stable").tolist():
            offer = options.offers[options.offer[n]]
            if scored[n] or not scored.any():
                best.setdefault(offer.machine if np.isfinite(offer.available) else "", n)
        curves.find_bands(np.array(list(best.values()), dtype=np.int64), part.requests_per_day)
        found = []
        for n in best.values():
            offer = options.offers[options.offer[n]]
            names.append(hosted_id(grid, speed, costs, n))
            found.append(
                Fleet(
                    kinds=kinds,
                    usd_per_day=float(costs.usd_per_day[n]),
                    machine=offer.machine,
                    machines=float(options.peak_machines(sizing)[n]),
                    available=offer.available,
                    option=len(names) - 1,
                    band_usd_per_day=curves.band_at(n, part.requests_per_day),
                )
            )
        return found

    def _told(
        self, model: str, cover: Cover, single: Fleet | None, names: Sequence[str], considered: int
    ) -> MixedFleet:
        fixed = sum(usd for _, usd in fixed_costs(self._policy, "hosted"))
        alone = None if single is None else single.usd_per_day + fixed
        usd, band = cover.usd_per_day + fixed, _band(cover)
        proved = "optimal" if cover.gap == 0 else worded("within {gap:.2g} of the optimum", gap=cover.gap)
        among = worded("{proved} among {considered} fleets", proved=proved, considered=considered)
        if len(cover.fleets) == 1:
            because = worded("no mix of machines is cheaper than one fleet for all ({among})", among=among)
        elif alone is None:
            because = worded("no single fleet carries every kind of request ({among})", among=among)
        else:
            because = worded(
                "{percent:.2g} % less than one fleet for all ({among})", percent=(1 - usd / alone) * 100, among=among
            )
        return MixedFleet(
            model=model,
            pools=tuple(
                Pool(
                    option=names[fleet.option],
                    requests=tuple(_words(self._workload.mix, kind) for kind in sorted(fleet.kinds)),
                    machine=fleet.machine,
                    peak_machines=int(fleet.machines),
                    usd_per_day=fleet.usd_per_day,
                )
                for fleet in sorted(cover.fleets, key=lambda f: -f.usd_per_day)
            ),
            usd_per_day=usd,
            usd_per_day_low=None if band is None else min(band[0] + fixed, usd),
            usd_per_day_high=None if band is None else max(band[1] + fixed, usd),
            single=None if single is None else names[single.option],
            single_usd_per_day=alone,
            gap=cover.gap,
            fleets_considered=considered,
            because=because,
        )


def _band(cover: Cover) -> tuple[float, float] | None:
    """All fleets at the fast end of their speeds, and all at the slow one: they run the same model."""
    bands = [fleet.band_usd_per_day for fleet in cover.fleets]
    known = [band for band in bands if band is not None]
    return (fsum(low for low, _ in known), fsum(high for _, high in known)) if len(known) == len(bands) else None


def _leading(ranking: Ranking, model_of: Callable[[int], str]) -> tuple[str, ...]:
    """The first hosted models of the ranking; without a floor the first of each class."""
    hosted = [(c.group, model_of(c.number)) for c in ranking.contenders if c.kind == "hosted"]
    if not ranking.floor:
        hosted = list({group: (group, model) for group, model in reversed(hosted)}.values())[::-1]
    return tuple(dict.fromkeys(model for _, model in hosted))[:LEADING]


def _sets(mix: TokenMix) -> list[frozenset[int]]:
    """The sets of kinds of requests that may have a fleet of their own."""
    kinds = sorted(range(len(mix.shapes)), key=lambda n: (mix.shapes[n].usage.input, mix.shapes[n].usage.output))
    if len(kinds) <= ALL_SETS:
        return [frozenset(some) for n in range(1, len(kinds) + 1) for some in combinations(kinds, n)]
    return [frozenset(kinds[low:high]) for low in range(len(kinds)) for high in range(low + 1, len(kinds) + 1)]


def _part(workload: Workload, kinds: frozenset[int]) -> Workload | None:
    """The workload of some kinds of requests; ``None`` if it is no workload of the same task."""
    shares, shapes = workload.mix.shares, workload.mix.shapes
    whole = sum(shares[n] for n in kinds)
    mix = TokenMix(shapes=tuple(msgspec.structs.replace(shapes[n], share=shares[n] / whole) for n in sorted(kinds)))
    part = workload.scaled_to(workload.requests_per_day * whole)
    try:
        return msgspec.structs.replace(part, mix=mix)
    except BreakevenError:
        return None


def _words(mix: TokenMix, kind: int) -> str:
    usage = mix.shapes[kind].usage
    return worded(
        "{input:,.0f} in, {output:,.0f} out ({percent:.3g} %)",
        input=usage.input,
        output=usage.output,
        percent=mix.shares[kind] * 100,
    )
