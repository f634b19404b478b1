"""What provisioned throughput charges: whole units, hour by hour or committed to, whether they are used or not."""

from dataclasses import dataclass

import numpy as np

from breakeven.capacity.purchases import Purchases, Ways
from breakeven.capacity.valleys import Waiting, filled
from breakeven.capacity.week import week_of
from breakeven.catalogue.schema import ProvisionedPrice
from breakeven.cost.bill import Charge, sources_of
from breakeven.options.api import ApiOption
from breakeven.options.columns import Floats
from breakeven.options.machines import Rents
from breakeven.options.terms import commitment
from breakeven.units import HOURS_PER_DAY, MINUTES_PER_HOUR
from breakeven.workload.policy import Policy
from breakeven.workload.profile import Workload

UNITS, COMMITTED_UNITS = "provisioned throughput", "provisioned throughput, committed"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Units:
    """What is bought at each of some volumes, and its prices (0 where there is none, and nothing is bought)."""

    committed: Floats
    hours_per_day: Floats
    committed_usd_per_hour: float
    usd_per_hour: float

    @property
    def usd_per_day(self) -> Floats:
        """Of each volume."""
        usd: Floats = self.committed * HOURS_PER_DAY * self.committed_usd_per_hour
        return usd + self.hours_per_day * self.usd_per_hour


def units_at(row: ProvisionedPrice, workload: Workload, policy: Policy, requests_per_day: Floats) -> Units:
    """The units that carry some volumes with the workload's hours.

    A unit takes the mean rate of an hour; what comes faster within it waits or is refused, which is not reckoned.
    """
    mean, scale = workload.mix.mean, requests_per_day / HOURS_PER_DAY / MINUTES_PER_HOUR
    busy = max(mean.input / row.input_tokens_per_minute, mean.output / row.output_tokens_per_minute)
    load = scale * busy
    hours = np.array(workload.requests_per_hour)
    hours = np.full_like(hours, hours.mean()) if workload.deferrable else hours
    week = week_of(hours, 0.0, fixed=policy.scaling == "fixed")
    now, later = load * workload.interactive_share, load * (1 - workload.interactive_share)
    machines = np.maximum(np.ceil(now[:, None] * week.levels - 1e-9), 1.0)
    ways = Ways.of(week, _rents(row), 0.0, workload.slo.quantile, prices_count=workload.batch is not None)
    fill = None
    if workload.batch is not None:
        waiting = Waiting(load=later, within_h=workload.batch.within_h)
        fill = filled(machines, (now, later), waiting, week, hours / hours.mean(), fixed=policy.scaling == "fixed")
        machines = fill.machines
    found = Purchases.empty(len(load), ways)
    found.put(np.arange(len(load)), machines, fill, ways)
    way = int(ways.way[0])
    return Units(
        committed=found.committed[:, way],
        hours_per_day=found.hours_per_day[:, way],
        committed_usd_per_hour=float(row.committed_usd_per_hour or 0),
        usd_per_hour=float(row.usd_per_hour or 0),
    )


def _rents(row: ProvisionedPrice) -> Rents:
    """How units are bought, as machines are."""
    usd = np.array([[float(price) if price else np.nan] for price in (row.committed_usd_per_hour, row.usd_per_hour)])
    none = np.zeros(1, dtype=np.bool_)
    return Rents(
        usd_per_hour=usd[0],
        beside_usd_per_hour=usd[1],
        owned=none,
        spot=none,
        buyings=(commitment(row.committed_usd_per_hour, row.usd_per_hour),),
        buying=np.zeros(1, dtype=np.int64),
    )


def unit_charges(
    options: tuple[ApiOption, ...], workload: Workload, policy: Policy, attempts: Floats | float = 1.0
) -> tuple[Charge, ...]:
    """The lines of the options that are sold by the unit; none where there are none of them."""
    if not any(option.provisioned for option in options):
        return ()
    volume = workload.requests_per_day * np.broadcast_to(attempts, len(options))
    quantity, usd = np.zeros((2, len(options))), np.full((2, len(options)), np.nan)
    for n, option in enumerate(options):
        if option.provisioned is not None:
            units = units_at(option.provisioned, workload, policy, volume[[n]])
            quantity[:, n] = units.committed[0] * HOURS_PER_DAY, units.hours_per_day[0]
            usd[:, n] = units.committed_usd_per_hour, units.usd_per_hour

    def prices(i: int) -> tuple[ProvisionedPrice, ...]:
        row = options[i].provisioned
        return (row,) if row else ()

    return tuple(
        Charge(
            name=name,
            unit="unit-hour",
            quantity_per_day=quantity[n],
            usd_per_unit=usd[n],
            source=lambda i: sources_of(prices(i)),
            prices=prices,
        )
        for n, name in enumerate((COMMITTED_UNITS, UNITS))
    )
