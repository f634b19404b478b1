"""How machines are bought: on demand, committed to for years, at spot, or owned; and from when a commitment pays."""

from dataclasses import dataclass
from decimal import Decimal
from math import inf

from breakeven.catalogue.schema import MachinePrice

COMMITTED_YEARS = {"reserved-1y": 1, "reserved-3y": 3, "savings-1y": 1, "savings-3y": 3}
"""For how long each commitment is paid, used or not."""
FOREVER_YEARS = 1000
"""A machine of one's own is paid for as long as anybody looks."""
SPOT, OWNED, ON_DEMAND = "spot", "owned", "on-demand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Buying:
    """What of a purchase decides over how many machines are bought for how long; its price does the rest."""

    commit_from: float = inf
    """A machine is committed to if it would be paid for more than this share of all hours: the committed price over
    that on demand. 0: nothing else is to be had, so every machine is; infinite: nothing is committed to."""
    interruptions_per_hour: float = 0.0
    """How often a machine is taken away, an hour."""


BY_THE_HOUR = Buying()
"""Nothing is committed to, and nothing is taken away."""


def buying(term: str, price: MachinePrice | None, on_demand: MachinePrice | None) -> Buying:
    """How a machine is bought under a term. ``on_demand``: the price of the same machine without any commitment."""
    if term == SPOT:
        return Buying(interruptions_per_hour=(price.interruptions_per_hour or 0.0) if price else 0.0)
    if term != OWNED and term not in COMMITTED_YEARS:
        return BY_THE_HOUR
    if term == OWNED or price is None:
        return Buying(commit_from=0.0)
    return commitment(price.usd_per_hour, on_demand.usd_per_hour if on_demand else None)


def commitment(committed: Decimal | None, by_the_hour: Decimal | None) -> Buying:
    """From when on something is committed to, by its price and by that without a commitment."""
    if committed is None:
        return BY_THE_HOUR
    if by_the_hour is None:
        return Buying(commit_from=0.0)
    ratio = float(committed / by_the_hour)
    return Buying(commit_from=ratio) if ratio < 1 else BY_THE_HOUR


def years(term: str) -> int | None:
    """For how long a term is paid whether used or not; ``None`` where it is not."""
    return FOREVER_YEARS if term == OWNED else COMMITTED_YEARS.get(term)
