"""What a paid API charged on a day: the price in force by kind of token, length of prompt and hour of the week."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from breakeven.catalogue.load import ApiTariff, Catalogue
from breakeven.catalogue.schema import ApiOffer, ApiPrice, PeakWindow
from breakeven.units import HOURS_PER_WEEK

EPOCH = date(1970, 1, 1)
STANDARD = "standard"
Key = tuple[str, str]
"""Provider and model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """The prices of one offer and tier between two changes, with the peak hours of its provider."""

    prices: ApiTariff
    peak_hours: frozenset[int]
    """Hours of the week in which the ``peak`` prices hold; empty if the provider has none."""
    _found: dict[tuple[str, int, str], Decimal | None] = field(default_factory=dict, repr=False)

    def usd_per_mtok(self, kind: str, longer_than: int, hour: int) -> Decimal | None:
        """The price of a kind of token in prompts just longer than so many tokens, in that hour of the week.

        ``None``: not known.
        """
        hours = "peak" if hour in self.peak_hours or not self.peak_hours else "off_peak"
        key = kind, longer_than, hours
        if key not in self._found:
            row = self.prices.row(kind, longer_than + 1, hours)
            self._found[key] = row.usd_per_mtok if row else None
        return self._found[key]


@dataclass(slots=True)
class Tariffs:
    """Every tariff of a catalogue by offer, tier and day, built when asked for."""

    catalogue: Catalogue
    offers: dict[Key, ApiOffer] = field(init=False)
    thresholds: tuple[int, ...] = field(init=False)
    hour_classes: tuple[frozenset[int], ...] = field(init=False)
    """Hours of the week that no provider's peak hours, of any day, tell apart."""
    _rows: dict[tuple[str, str, str], list[ApiPrice]] = field(init=False)
    _changes: dict[tuple[str, str, str], list[date]] = field(init=False, default_factory=dict)
    _built: dict[tuple[str, str, str, date], Tariff | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        tables = self.catalogue.tables
        self.offers = {offer.key: offer for offer in tables.api_offers}
        self.thresholds = tuple(sorted({row.above_input_tokens for row in tables.api_prices} - {0}))
        self.hour_classes = _hour_classes(tables.peak_windows)
        self._rows = defaultdict(list)
        for row in tables.api_prices:
            self._rows[row.provider, row.model, row.tier].append(row)

    def changes(self, offer: Key, tier: str) -> list[date]:
        """The days on which something about the prices of an offer and tier changes, in order."""
        key = (*offer, tier)
        if key not in self._changes:
            days = {day for row in self._rows.get(key, ()) for day in (row.effective_from, row.until) if day}
            windows = (row.effective_from for row in self.catalogue.tables.peak_windows if row.provider == offer[0])
            self._changes[key] = sorted({*days, *windows})
        return self._changes[key]

    def on(self, offer: Key, tier: str, day: date) -> Tariff | None:
        """The tariff in force on a day, ``None`` if there is none."""
        began = max((change for change in self.changes(offer, tier) if change <= day), default=None)
        if began is None:
            return None
        key = (*offer, tier, began)
        if key not in self._built:
            self._built[key] = self._build(offer, tier, began)
        return self._built[key]

    def first_day(self, offer: Key, tier: str = STANDARD) -> date | None:
        """The first day with a price."""
        rows = self._rows.get((*offer, tier), ())
        return min((row.effective_from for row in rows), default=None)

    def tiers(self, offer: Key) -> tuple[str, ...]:
        """The tiers with a price on any day."""
        return tuple(tier for provider, model, tier in self._rows if (provider, model) == offer)

    def _build(self, offer: Key, tier: str, day: date) -> Tariff | None:
        held: dict[tuple[str, str, int], ApiPrice] = {}
        for row in sorted(self._rows[(*offer, tier)], key=lambda row: row.effective_from):
            if row.effective_from <= day:
                held[row.token_kind, row.window, row.above_input_tokens] = row
        standing = {key: row for key, row in held.items() if row.until is None or day < row.until}
        if not standing:
            return None
        prices = ApiTariff(offer=self.offers[offer], tier=tier, prices=standing)
        return Tariff(prices=prices, peak_hours=self._peak_hours(offer[0], day))

    def _peak_hours(self, provider: str, day: date) -> frozenset[int]:
        rows = [
            row for row in self.catalogue.tables.peak_windows if row.provider == provider and row.effective_from <= day
        ]
        newest = max(rows, key=lambda row: row.effective_from, default=None)
        return frozenset(newest.hours_of_week_utc) if newest else frozenset()


def _hour_classes(windows: Iterable[PeakWindow]) -> tuple[frozenset[int], ...]:
    sets = list(dict.fromkeys(frozenset(row.hours_of_week_utc) for row in windows))
    classes: dict[tuple[bool, ...], set[int]] = defaultdict(set)
    for hour in range(HOURS_PER_WEEK):
        classes[tuple(hour in hours for hours in sets)].add(hour)
    return tuple(frozenset(hours) for hours in sorted(classes.values(), key=min))


def day_of(number: int) -> date:
    """The day with that number since 1970.

    >>> day_of(0).isoformat()
    '1970-01-01'
    """
    return EPOCH + timedelta(days=number)
