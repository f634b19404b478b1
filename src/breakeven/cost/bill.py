"""Charges for whole columns of options, and the bill of one of them.

A ``Charge`` is one line of the bill for every option at once; the ranking adds the columns, a bill shows one
entry of each. So the two agree by construction.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import msgspec
import numpy as np

from breakeven.catalogue.load import Snapshot
from breakeven.catalogue.schema import ChargedRow, ServicePrice
from breakeven.options.columns import Floats, Ints
from breakeven.units import DAYS_PER_MONTH

STANDING_UNITS = (
    *("machine-hour", "unit-hour", "GB-month", "day", "hour away"),
    *("dashboard-month", "alarm-month", "invocation"),
)
"""Units of the lines that do not go with the requests that are served."""
USD_PLACES = Decimal("0.00000001")


class CostLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a bill, per day. ``usd`` is ``None`` where the unit price is not known."""

    name: str
    quantity: Decimal
    unit: str
    usd_per_unit: Decimal | None
    usd: Decimal | None
    source: tuple[str, ...]


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """What a day costs: the sum of its lines and nothing else."""

    lines: tuple[CostLine, ...]

    @property
    def usd_per_day(self) -> Decimal:
        """The sum of all lines with a known price."""
        return sum((line.usd for line in self.lines if line.usd is not None), Decimal(0))

    @property
    def usd_per_month(self) -> Decimal:
        """A month of 730 hours."""
        return self.usd_per_day * Decimal(str(DAYS_PER_MONTH))

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Names of lines whose price is not known: the bill is at least what it says."""
        return tuple(line.name for line in self.lines if line.usd is None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Charge:
    """A line of the bill for every option: quantity a day, price a unit (NaN: not known), sources."""

    name: str
    unit: str
    quantity_per_day: Floats
    usd_per_unit: Floats
    source: Callable[[int], tuple[str, ...]]
    prices: Callable[[int], tuple[ChargedRow, ...]] = lambda _: ()
    """The rows of the catalogue that one option is charged by, and no others."""
    told: Callable[[int], str] | None = None
    """The name on the bill of one option, where it is not the same for all."""

    @property
    def usd_per_day(self) -> Floats:
        """Quantity x price; a line without quantity costs nothing, an unknown price counts as nothing here."""
        usd: Floats = self.quantity_per_day * self.usd_per_unit
        usd[np.isnan(self.usd_per_unit)] = 0.0
        return usd


def take(charge: Charge, kept: Ints) -> Charge:
    """A line for some of the options, in that order."""
    at, told = kept.tolist(), charge.told
    return replace(
        charge,
        quantity_per_day=charge.quantity_per_day[kept],
        usd_per_unit=charge.usd_per_unit[kept],
        source=lambda i: charge.source(at[i]),
        prices=lambda i: charge.prices(at[i]),
        told=None if told is None else lambda i: told(at[i]),
    )


def sources_of(rows: Iterable[ChargedRow]) -> tuple[str, ...]:
    """The sources of price rows, each once."""
    return tuple(dict.fromkeys(row.source for row in rows))


def total_usd_per_day(charges: Sequence[Charge], options: int) -> Floats:
    """The cost of every option: the column that the ranking uses."""
    total = np.zeros(options)
    for charge in charges:
        total = total + charge.usd_per_day
    return total


def usd_per_request(charges: Sequence[Charge], options: int, requests_per_day: Floats | float) -> Floats:
    """What goes with the requests alone, a request, at the prices of the whole traffic."""
    found: Floats = total_usd_per_day([c for c in charges if c.unit not in STANDING_UNITS], options) / requests_per_day
    return found


def bill_of(charges: Sequence[Charge], option: int) -> Bill:
    """The bill of one option: one line a charge, without those of quantity 0."""
    lines = []
    for charge in charges:
        quantity = _rounded(charge.quantity_per_day[option])
        if quantity == 0:
            continue
        price = None if np.isnan(charge.usd_per_unit[option]) else _exact(charge.usd_per_unit[option])
        usd = None if price is None else (quantity * price).quantize(USD_PLACES)
        lines.append(
            CostLine(
                name=charge.told(option) if charge.told else charge.name,
                quantity=quantity,
                unit=charge.unit,
                usd_per_unit=price,
                usd=usd,
                source=charge.source(option),
            )
        )
    return Bill(lines=tuple(lines))


def _rounded(quantity: float) -> Decimal:
    """A quantity to twelve digits: it was reckoned in floats, and 0.3 shall not read 0.30000000000000004."""
    return Decimal(f"{quantity:.12g}")


def _exact(value: float) -> Decimal:
    """The shortest decimal that is this float: a price read as 2.03 is 2.03 again."""
    return Decimal(repr(float(value)))


def tiered_usd(tiers: Sequence[ServicePrice], quantity_per_month: Floats) -> Floats:
    """Mean USD per unit of a monthly quantity over its tiers; NaN where the first tier is missing.

    What lies beyond the last known tier is charged at that tier's price: more of a service never costs less.

    >>> from breakeven.catalogue.load import load_catalogue
    >>> rows = load_catalogue()
    >>> tiers = rows.on(rows.last_day, "us-east-1").service_tiers["apigateway", "HTTP API requests"]
    >>> float(tiered_usd(tiers, np.array([600e6]))[0]) * 600e6  # 300 M at 1.00 and 300 M at 0.90 a million
    570.0
    """
    quantity = np.asarray(quantity_per_month, dtype=np.float64)
    if not tiers:
        return np.broadcast_to(np.nan, quantity.shape)
    if len(tiers) == 1 and tiers[0].tier_from == 0:
        return np.broadcast_to(float(tiers[0].usd), quantity.shape)
    usd = np.zeros_like(quantity)
    for tier, following in zip(tiers, [*tiers[1:], None], strict=True):
        top = np.inf if following is None else following.tier_from
        usd = usd + np.clip(quantity - tier.tier_from, 0, top - tier.tier_from) * float(tier.usd)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(quantity > 0, usd / quantity, float(tiers[0].usd))
    return np.full_like(quantity, np.nan) if tiers[0].tier_from > 0 else mean


def service_charge(name: str, unit: str, snapshot: Snapshot, key: tuple[str, str], quantity_per_day: Floats) -> Charge:
    """A line of one item of a service: so much a day, at the tiers of the month; NaN where they are not known."""
    tiers = snapshot.service_tiers.get(key, ())
    monthly = quantity_per_day * DAYS_PER_MONTH

    def prices(i: int) -> tuple[ChargedRow, ...]:
        return tuple(tier for tier in tiers if tier.tier_from < monthly[i])

    return Charge(
        name=name,
        unit=unit,
        quantity_per_day=quantity_per_day,
        usd_per_unit=tiered_usd(tiers, monthly),
        source=lambda i: sources_of(prices(i)),
        prices=prices,
    )


def flat(value: float, options: int) -> Floats:
    """The same value for every option."""
    return np.full(options, value)
