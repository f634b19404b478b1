"""Cost against traffic: the same options, sized and charged again at other volumes.

The curve of a hosted option is not a second formula: its row is repeated once for each volume and goes through
the same sizing and charges as the plan itself.
"""

from dataclasses import dataclass

import numpy as np

from breakeven.capacity.sizing import Sizing, size
from breakeven.catalogue.load import Snapshot
from breakeven.cost.api import ApiCosts
from breakeven.cost.fixed import fixed_charges, fixed_costs
from breakeven.cost.hosting import HostedCosts, HostedOptions, hosted_costs
from breakeven.options.columns import Floats, Ints
from breakeven.performance.predict import Speed, take
from breakeven.workload.policy import Policy

LOWEST_REQUESTS_PER_DAY = 1e2
HIGHEST_REQUESTS_PER_DAY = 1e8
POINTS = 97


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

    def hosted_usd_per_day(self, options: Ints, requests_per_day: Floats) -> Floats:
        """USD a day, options x volumes; infinite where more machines are needed than there are."""
        shape = (len(options), len(requests_per_day))
        repeated = np.repeat(options, shape[1])
        volume = np.tile(requests_per_day, shape[0])
        return self.hosted_at(repeated, volume).reshape(shape)

    def sized(self, options: Ints, requests_per_day: Floats) -> tuple[HostedOptions, Sizing, Speed]:
        """Each option at its own volume: columns, sizing and speed, one entry each."""
        rows = self.hosted.options.row[options]
        speed = take(self.speed, rows, self.speed.largest_concurrency[rows])
        each = np.arange(len(options), dtype=np.int64)
        pairs = (each, self.per_machine[options])
        sizing = size(speed, pairs, speed.workload, self.policy, requests_per_day)
        offer = self.hosted.options.offer[options]
        columns = HostedOptions(row=each, offer=offer, pair=each, offers=self.hosted.options.offers)
        return columns, sizing, speed

    def hosted_at(self, options: Ints, requests_per_day: Floats) -> Floats:
        """USD a day of each option at its own volume."""
        columns, sizing, speed = self.sized(options, requests_per_day)
        fixed = fixed_charges(fixed_costs(self.policy, "hosted"), len(options))
        costs = hosted_costs(columns, speed, sizing, self.snapshot, self.policy, fixed)
        count = columns.by_offer([offer.available for offer in columns.offers])
        return np.where(sizing.peak_machines > count, np.inf, costs.usd_per_day)

    def api_usd_per_day(self, option: int, requests_per_day: Floats) -> Floats:
        """USD a day of a paid API: fixed costs and so much a request."""
        fixed = sum(usd for _, usd in fixed_costs(self.policy, "api"))
        variable = float(self.api.usd_per_day[option]) - fixed
        return fixed + variable * requests_per_day / self.speed.workload.requests_per_day


def volumes() -> Floats:
    """The volumes at which curves are drawn: 100 to 100 million requests a day, evenly in the logarithm."""
    return np.geomspace(LOWEST_REQUESTS_PER_DAY, HIGHEST_REQUESTS_PER_DAY, POINTS)
