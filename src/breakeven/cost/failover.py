"""What an outage costs: the hours in which a part is away, and who serves meanwhile.

    hours away a day = 24 (1 - share of the time that it is up)
    failover         = hours away x requests an hour x what a request costs where it goes
    not charged      = hours away x requests an hour x what goes with the requests of the part that is away

Machines are paid whether they answer or not. Of one's own fleet every machine that is away sheds its part of the
traffic, as if no other could take it, so the share of requests that fail over is 1 - up for a fleet of any size.
"""

from dataclasses import dataclass

import numpy as np

from breakeven.cost.bill import Charge
from breakeven.options.columns import Floats, Ints
from breakeven.units import HOURS_PER_DAY
from breakeven.wording import joined, worded

NOWHERE = -1
AWAY, SAVED, UNKNOWN, STANDBY = "failover", "not charged while away", "availability not known", "standby machine"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Failover:
    """Columns: how long each option is away, and what its requests cost meanwhile."""

    hours_away_per_day: Floats
    """NaN: not known."""
    to: Ints
    """The API that takes over, as a number of an API option; ``NOWHERE``: none is known, or requests are lost."""
    names: tuple[str, ...]
    """Of the APIs, by number."""
    usd_per_request: Floats
    """What a request costs there, or lost; NaN: nothing to fail over to is known."""
    usd_per_request_saved: Floats
    standby_usd_per_hour: Floats
    """Of a machine that stands by: what is away then fails over to it; NaN: none does."""
    sources: tuple[tuple[str, ...], ...]
    """Of the share of the time, one entry a kind of option."""
    source: Ints
    """Which of them."""
    lost: bool

    def take(self, kept: Ints) -> "Failover":
        """The entries ``kept``, in that order."""
        return Failover(
            hours_away_per_day=self.hours_away_per_day[kept],
            to=self.to[kept],
            names=self.names,
            usd_per_request=self.usd_per_request[kept],
            usd_per_request_saved=self.usd_per_request_saved[kept],
            standby_usd_per_hour=self.standby_usd_per_hour[kept],
            sources=self.sources,
            source=self.source[kept],
            lost=self.lost,
        )


def failover_charges(away: Failover, requests_per_day: Floats | float, part: str = "") -> tuple[Charge, ...]:
    """The lines of outages. ``part``: of what, where an option has more than one part."""
    stands_by = ~np.isnan(away.standby_usd_per_hour)
    known = ~np.isnan(away.hours_away_per_day)
    hours = np.where(known & ~stands_by, np.nan_to_num(away.hours_away_per_day), 0.0)
    per_hour = requests_per_day / HOURS_PER_DAY

    def told(i: int) -> str:
        if away.lost:
            return joined("", (part, "requests lost while away"))
        where = away.names[away.to[i]] if away.to[i] != NOWHERE else "nothing known"
        return worded("{part}failover to {where}", part=part, where=where)

    def source(i: int) -> tuple[str, ...]:
        return away.sources[away.source[i]]

    lines = (
        (AWAY, "hour away", hours, away.usd_per_request * per_hour, told),
        (joined("", (part, SAVED)), "hour away", hours, -away.usd_per_request_saved * per_hour, None),
        (joined("", (part, UNKNOWN)), "day", np.where(known | stands_by, 0.0, 1.0), np.full(len(hours), np.nan), None),
        (STANDBY, "machine-hour", np.where(stands_by, HOURS_PER_DAY, 0.0), away.standby_usd_per_hour, None),
    )
    return tuple(
        Charge(name=name, unit=unit, quantity_per_day=quantity, usd_per_unit=usd, source=source, told=words)
        for name, unit, quantity, usd, words in lines
    )
