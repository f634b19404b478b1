"""What the catalogue says on the day of a refresh, against which every quote is held."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from breakeven.catalogue.load import Catalogue, in_force
from breakeven.catalogue.schema import ApiOffer, ApiPrice, PriceRow
from breakeven.errors import NoDataError, SpecError
from refresh.quotes import Authority, Key, key_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The prices in force on one day, what ended before it, and the offers still sold."""

    day: date
    rows: dict[Key, tuple[PriceRow, ...]]
    ended: dict[Key, ApiPrice]
    on_offer: dict[tuple[str, str], ApiOffer]
    published: dict[str, date]
    """The day of each source that says its own."""
    lists: frozenset[str]
    """Ids of the sources that are a provider's own page or price list."""

    tiers: frozenset[tuple[str | int, ...]]
    """Provider, model, tier and length of prompt of every API price in force."""
    hourly: frozenset[tuple[str | int, ...]]
    """Provider and model of the offers that are priced by hours of the day."""

    def day_of(self, row: PriceRow) -> date:
        """The day of a standing figure: that of the table it was read from, or else the first on which it holds."""
        read = row.date_basis in ("observed", "first_observed")
        return min(row.effective_from, self.published.get(row.source, date.max)) if read else row.effective_from

    def authority(self, key: Key) -> Authority:
        """How much the standing price is believed."""
        rows = self.rows[key]
        own = all(row.source in self.lists or row.date_basis == "announced" for row in rows)
        if not own:
            return Authority.TABLE
        return Authority.PROVIDER if key[0] == "api" else Authority.PRICE_LIST


def standing_on(day: date, catalogue: Catalogue) -> Standing:
    """The prices in force on a day.

    Raises:
        NoDataError: if the day lies before the data.
        SpecError: if it lies before the newest reading, which it would rewrite.
    """
    if day < catalogue.first_day:
        raise NoDataError(
            f"{day} lies before the first known price",
            expected=f"the day on which the sources were read, after {catalogue.first_day}",
            do="Give that day",
        )
    if day < catalogue.last_day:
        raise SpecError(
            f"{day} lies before {catalogue.last_day}, when the catalogue's newest source was read",
            expected=f"{catalogue.last_day} or later",
            do="History is added to at its end: give the day on which the sources are read",
        )
    by_key: dict[Key, list[PriceRow]] = defaultdict(list)
    tables = catalogue.tables
    dated: list[PriceRow] = [*tables.api_prices, *tables.machine_prices, *tables.service_prices]
    for row in dated:
        by_key[key_of(row)].append(row)
    rows: dict[Key, tuple[PriceRow, ...]] = {}
    ended: dict[Key, ApiPrice] = {}
    for key, history in by_key.items():
        newest = in_force(history, day)
        if newest is None:
            continue
        if isinstance(newest, ApiPrice) and newest.until is not None and newest.until <= day:
            ended[key] = newest
        else:  # a price with tiers is all rows of its newest day
            rows[key] = tuple(row for row in history if row.effective_from == newest.effective_from)
    return Standing(
        day=day,
        rows={key: _in_order(found) for key, found in rows.items()},
        ended=ended,
        on_offer={offer.key: offer for offer in tables.api_offers if _sold(offer, day)},
        tiers=frozenset((*key[1:4], key[5]) for key in rows if key[0] == "api"),
        hourly=frozenset(key[1:3] for key in rows if key[0] == "api" and key[6]),
        published={source.id: source.published for source in tables.sources if source.published},
        lists=frozenset(s.id for s in tables.sources if s.kind in ("list_price", "documentation")),
    )


def _in_order(rows: tuple[PriceRow, ...]) -> tuple[PriceRow, ...]:
    return tuple(sorted(rows, key=lambda row: getattr(row, "tier_from", 0.0)))


def _sold(offer: ApiOffer, day: date) -> bool:
    return not any(gone is not None and gone <= day for gone in (offer.retired_on, offer.delisted_by))
