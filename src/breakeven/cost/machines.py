"""The lines of the machines: those that are committed to, and those that are paid by the hour beside them."""

from dataclasses import dataclass

import numpy as np

from breakeven.capacity.sizing import Sizing
from breakeven.catalogue.schema import PriceRow
from breakeven.cost.bill import Charge, sources_of, usd_per_request
from breakeven.options.columns import Floats, Ints
from breakeven.options.machines import MachineOffer, Rents
from breakeven.options.terms import COMMITTED_YEARS, OWNED, SPOT
from breakeven.units import HOURS_PER_DAY, SECONDS_PER_HOUR
from breakeven.wording import worded

MACHINES, COMMITTED, RETRIED = "machines", "committed machines", "requests served again after an interruption"
MACHINE_LINES = 2
"""So many lines at the head of a bill are machines."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MachineLines:
    """What the machines of every option cost, and how long they run."""

    charges: tuple[Charge, Charge]
    """Those that are committed to or owned, around the clock; and the others, by the hour."""
    hours_per_day: Floats
    """In which machines run: where they follow the hours, fewer than those that a commitment pays for."""


def machine_lines(options: tuple[Ints, Ints, tuple[MachineOffer, ...]], rents: Rents, sizing: Sizing) -> MachineLines:
    """The lines of options. ``options``: the pair of each, its offer, and the offers."""
    pair, offer, offers = options
    if not len(pair):
        nothing = np.empty(0)
        lines = (_line(COMMITTED, nothing, nothing, offer, offers), _line(MACHINES, nothing, nothing, offer, offers))
        return MachineLines(charges=lines, hours_per_day=nothing)
    way = sizing.ways.way[offer]
    bought = sizing.bought
    committed = bought.committed[pair, way] * HOURS_PER_DAY
    others = bought.hours_per_day[pair, way]
    lines = (
        _line(COMMITTED, committed, rents.usd_per_hour[offer], offer, offers),
        _line(MACHINES, others, rents.beside_usd_per_hour[offer], offer, offers),
    )
    running = bought.hours_per_day[pair, 0]
    if rents.spot.any():
        running = np.where(rents.spot[offer], others, running)
    if rents.owned.any():
        running = np.where(rents.owned[offer], committed, running)
    return MachineLines(charges=lines, hours_per_day=running)


def _line(name: str, quantity: Floats, usd: Floats, offer: Ints, offers: tuple[MachineOffer, ...]) -> Charge:
    def prices(i: int) -> tuple[PriceRow, ...]:
        one = offers[offer[i]]
        row = one.price if name == COMMITTED else one.beside
        return (row,) if row and quantity[i] else ()

    def told(i: int) -> str:
        term = offers[offer[i]].term
        if name == COMMITTED:
            return MACHINES if term == OWNED else worded("committed machines, {term}", term=term)
        if term == SPOT:
            return "machines at spot"
        return "machines beside them, on-demand" if term in COMMITTED_YEARS else MACHINES

    return Charge(
        name=name,
        unit="machine-hour",
        quantity_per_day=quantity,
        usd_per_unit=usd,
        source=lambda i: sources_of(prices(i)),
        prices=prices,
        told=told,
    )


def retried_charge(
    offer: Ints, rents: Rents, row: Ints, sizing: Sizing, charges: tuple[Charge, ...]
) -> tuple[Charge, ...]:
    """Requests that were in a machine when it was taken away, and are served again; nothing where none is at spot."""
    rate = np.array([one.interruptions_per_hour for one in rents.buyings])[rents.buying]
    if not len(offer) or not rate[offer].any():
        return ()
    requests = sizing.requests_per_day[row]
    again = requests * rate[offer] * sizing.response_s(row) / SECONDS_PER_HOUR
    usd = usd_per_request(charges, len(offer), np.maximum(requests, 1e-300))
    return (
        Charge(
            name=RETRIED,
            unit="request",
            quantity_per_day=np.where(usd > 0, again, 0.0),
            usd_per_unit=usd,
            source=lambda i: tuple(dict.fromkeys(s for c in charges if c.quantity_per_day[i] for s in c.source(i))),
        ),
    )
