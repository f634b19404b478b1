"""What changed between two days: prices that moved, offers and machines that came and went."""

import math
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase

import msgspec

from breakeven.catalogue.history import series_key, series_label, unit_of, usd_of, wrong_order
from breakeven.catalogue.kinds import ON_OFFER, offer_status
from breakeven.catalogue.load import Catalogue, Snapshot
from breakeven.catalogue.schema import ApiOffer, ApiPrice, DateBasis, MachinePrice, PriceRow
from breakeven.errors import NoDataError, SpecError, UnknownNameError

Key = tuple[str, str, tuple[str, ...]]
"""Kind, name, and which of its prices."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A price that is not what it was."""

    kind: str
    name: str
    price: str
    unit: str
    old: Decimal
    new: Decimal
    change: Decimal
    """New over old, less 1."""
    since: date
    date_basis: DateBasis
    source: str


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An offer or machine that came or went: what it costs or last cost, and since when or why not."""

    kind: str
    name: str
    prices: dict[str, Decimal]
    unit: str
    since: date
    because: str = ""


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """All that differs between two days, the largest changes first."""

    catalogue_digest: str
    region: str
    before: date
    after: date
    changed: tuple[Change, ...]
    offers_came: tuple[Listed, ...]
    offers_went: tuple[Listed, ...]
    machines_came: tuple[Listed, ...]
    machines_went: tuple[Listed, ...]
    prices_came: int
    """Prices known on the second day only, of what was there on both: a tier, a kind of token, a length of prompt."""
    prices_went: int
    unchanged: int


def diff(
    catalogue: Catalogue, days: tuple[date, date], region: str, provider: str | None = None, name: str | None = None
) -> Diff:
    """What changed from the first day to the second, of all or of the providers and names that fit.

    ``*`` stands for anything in both; a name need only contain what is given.

    Raises:
        SpecError: if the days stand in the wrong order or are the same.
        NoDataError: if the first lies before the data.
        UnknownNameError: if no offer, machine or service fits.

    >>> from breakeven.catalogue.load import load_catalogue
    >>> found = diff(load_catalogue(), (date(2025, 5, 1), date(2026, 10, 1)), "us-east-1", name="ml.p5.48xlarge")
    >>> [f"{one.old} {one.new} {one.change:.0%}" for one in found.changed]
    ['113.068 63.296 -44%']
    """
    before, after = (_prices(catalogue, day, region) for day in _checked(catalogue, days))
    _check_names(catalogue, provider, name)
    old, new = ({key: row for key, row in prices.items() if _fits(key, provider, name)} for prices in (before, after))
    both = [key for key in new if key in old]
    there = [{key[:2] for key in prices} for prices in (old, new)]
    stayed = there[0] & there[1]
    moved = [_change(key, old[key], new[key]) for key in both if usd_of(old[key]) != usd_of(new[key])]
    came = _listed(new, there[1] - there[0])
    went = _listed(old, there[0] - there[1], catalogue, days[1])
    return Diff(
        catalogue_digest=catalogue.digest,
        region=region,
        before=days[0],
        after=days[1],
        changed=tuple(sorted(moved, key=lambda one: (-abs(math.log(1 + one.change)), one.name, one.price))),
        offers_came=tuple(one for one in came if one.kind == "offers"),
        offers_went=tuple(one for one in went if one.kind == "offers"),
        machines_came=tuple(one for one in came if one.kind == "machines"),
        machines_went=tuple(one for one in went if one.kind == "machines"),
        prices_came=sum(key[:2] in stayed and key not in old for key in new),
        prices_went=sum(key[:2] in stayed and key not in new for key in old),
        unchanged=len(both) - len(moved),
    )


def _checked(catalogue: Catalogue, days: tuple[date, date]) -> tuple[date, date]:
    first, second = days
    if first == second:
        raise SpecError(f"both days are {first}", expected="two days", do="Name another day")
    if first > second:
        raise wrong_order(first, second)
    if first < catalogue.first_day:
        raise NoDataError(
            f"{first} lies before the first known price",
            expected=f"a day from {catalogue.first_day} on",
            do=f"Take a later day; the history begins on {catalogue.first_day}",
        )
    return days


def _check_names(catalogue: Catalogue, provider: str | None, name: str | None) -> None:
    """Refuse a filter that nothing ever fits."""
    tables = catalogue.tables
    if provider is not None:
        providers = {offer.provider for offer in tables.api_offers}
        if not any(fnmatchcase(known, provider.lower()) for known in providers):
            raise UnknownNameError("provider", provider, providers, search="breakeven catalogue list providers")
    if name is not None:
        offers = {"/".join(offer.key) for offer in tables.api_offers if _of(provider, offer.provider)}
        others = {row.machine for row in tables.machine_prices} | {row.service for row in tables.service_prices}
        known = offers if provider is not None else offers | others
        if not any(_holds(one, name) for one in known):
            raise UnknownNameError("name", name, known, search="breakeven catalogue search TEXT")


def _prices(catalogue: Catalogue, day: date, region: str) -> dict[Key, PriceRow]:
    """Every price in force on a day, of what is still sold."""
    snapshot = catalogue.on(day, region)
    rows: dict[Key, PriceRow] = {}
    for kind, name, row in _named(snapshot):
        rows[kind, name, series_key(row)] = row
    return rows


def _named(snapshot: Snapshot) -> Iterable[tuple[str, str, PriceRow]]:
    for tariff in snapshot.tariffs:
        if _status(tariff.offer, snapshot.as_of) == ON_OFFER:
            for price in tariff.prices.values():
                yield "offers", "/".join(tariff.offer.key), price
    for machine in snapshot.machine_prices.values():
        yield "machines", machine.machine, machine
    for (service, _), tiers in snapshot.service_tiers.items():
        for tier in tiers:
            yield "services", service, tier


def _status(offer: ApiOffer, day: date) -> str:
    return offer_status(offer.retired_on, offer.delisted_by, day)


def _fits(key: Key, provider: str | None, name: str | None) -> bool:
    kind, named, _ = key
    if provider is not None and (kind != "offers" or not _of(provider, named.split("/")[0])):
        return False
    return name is None or _holds(named, name)


def _of(wanted: str | None, provider: str) -> bool:
    return wanted is None or fnmatchcase(provider, wanted.lower())


def _holds(named: str, wanted: str) -> bool:
    pattern = wanted.lower()
    return fnmatchcase(named.lower(), pattern) if "*" in pattern else pattern in named.lower()


def _change(key: Key, old: PriceRow, new: PriceRow) -> Change:
    kind, name, _ = key
    return Change(
        kind=kind,
        name=name,
        price=_price_words(new),
        unit=unit_of(new),
        old=usd_of(old),
        new=usd_of(new),
        change=usd_of(new) / usd_of(old) - 1,
        since=new.effective_from,
        date_basis=new.date_basis,
        source=new.source,
    )


def _price_words(row: PriceRow) -> str:
    return row.term if isinstance(row, MachinePrice) else series_label(row)


def _listed(
    prices: dict[Key, PriceRow],
    names: set[tuple[str, str]],
    catalogue: Catalogue | None = None,
    day: date | None = None,
) -> list[Listed]:
    """Offers and machines by name, with their main prices; ``catalogue`` and ``day``: why they went."""
    rows: dict[tuple[str, str], list[PriceRow]] = {}
    for key, row in prices.items():
        if key[:2] in names:
            rows.setdefault(key[:2], []).append(row)
    offers = {"/".join(offer.key): offer for offer in catalogue.tables.api_offers} if catalogue else {}
    return [
        Listed(
            kind=kind,
            name=name,
            prices={_price_words(row): usd_of(row) for row in _main(held)},
            unit=unit_of(held[0]),
            since=min(row.effective_from for row in held),
            because=_why(offers.get(name), day),
        )
        for (kind, name), held in sorted(rows.items())
    ]


def _why(offer: ApiOffer | None, day: date | None) -> str:
    """Why an offer is no longer there."""
    if offer is None or day is None:
        return ""
    status = _status(offer, day)
    return "its price ended" if status == ON_OFFER else status


def _main(rows: list[PriceRow]) -> list[PriceRow]:
    """Of an offer, the prices of input and output for short requests in its first tier; of a machine, all."""
    api = [row for row in rows if isinstance(row, ApiPrice)]
    if not api:
        return rows
    first = min(api, key=lambda row: (row.tier != "standard", row.tier))
    shown = [row for row in api if row.tier == first.tier and row.token_kind in ("input", "output")]
    shortest = min((row.above_input_tokens for row in shown), default=0)
    return [row for row in shown if row.above_input_tokens == shortest]
