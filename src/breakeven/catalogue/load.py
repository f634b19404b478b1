"""From the built file to a frozen ``Catalogue``, and from a ``Catalogue`` to what held on one day."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib import resources
from typing import Protocol, TypeVar

import msgspec

from breakeven.catalogue.schema import (
    Accelerator,
    ApiOffer,
    ApiPrice,
    Cpu,
    Instance,
    MachinePrice,
    ModelSpec,
    PeakWindow,
    Profile,
    ProvisionedPrice,
    Score,
    ServicePrice,
)
from breakeven.catalogue.tables import CatalogueFile
from breakeven.errors import CatalogueError, NoDataError, UnknownNameError
from breakeven.evidence import Source
from breakeven.wording import quoting

BUILT_FILE = "catalogue.msgpack"
DIGEST_LENGTH = 16
CHARGED_AS = {"cached_input": "input", "cache_write": "input"}
"""Where an offer has no price of its own for a kind, these tokens are charged as plain input."""
SAGEMAKER_PREFIX = "ml."
"""What SageMaker puts before the name of an EC2 instance type."""
ANYWHERE = ""
"""The region of prices that hold everywhere: those of the user's own machines."""


class Dated(Protocol):
    """Any row that holds from a day on."""

    @property
    def effective_from(self) -> date:
        """The first day on which the row holds."""


D = TypeVar("D", bound=Dated)


def in_force(rows: Iterable[D], as_of: date) -> D | None:
    """The row that holds on ``as_of``: the newest that is not later, ``None`` before the first."""
    held = [row for row in rows if row.effective_from <= as_of]
    return max(held, key=lambda row: row.effective_from) if held else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiTariff:
    """What one API offer charges in one tier on one day: a price row by (token kind, window, threshold)."""

    offer: ApiOffer
    tier: str
    prices: dict[tuple[str, str, int], ApiPrice]

    thresholds: tuple[int, ...] = field(init=False)
    """Lengths of prompt above which other prices hold, longest first; 0 for all."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "thresholds", tuple(sorted({above for _, _, above in self.prices}, reverse=True)))

    def row(self, kind: str, prompt_tokens: float, hours: str) -> ApiPrice | None:
        """The price row for a kind of token in a prompt of that length, in ``peak`` or ``off_peak`` hours.

        A row for these hours comes before one for all hours. A kind without rows of its own is charged as plain
        input where it is a part of the input. ``None``: not known.
        """
        if kind in CHARGED_AS and not any(key[0] == kind for key in self.prices):
            kind = CHARGED_AS[kind]
        for window in (hours, ""):
            for above in self.thresholds:
                price = self.prices.get((kind, window, above))
                if price is not None and (above == 0 or prompt_tokens > above):
                    return price
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The catalogue as it stood on one day in one region: every price is the one in force."""

    as_of: date
    region: str
    tariffs: tuple[ApiTariff, ...]
    machine_prices: dict[tuple[str, str], MachinePrice]
    """By (machine name, term)."""
    service_tiers: dict[tuple[str, str], tuple[ServicePrice, ...]]
    """By (service, item), tiers in order."""
    not_yet: tuple[ApiOffer, ...]
    """Offers whose first known price is later than this day."""
    windows: dict[str, PeakWindow]
    """The peak hours in force, by provider."""
    provisioned: tuple[tuple[ApiOffer, ProvisionedPrice], ...] = ()
    """What is sold by the unit of throughput, each with its offer."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Catalogue:
    """All facts with their history. ``digest`` identifies them; it stands in every plan."""

    tables: CatalogueFile
    digest: str
    models: dict[str, ModelSpec]
    instances: dict[str, Instance]
    accelerators: dict[str, Accelerator]
    cpus: dict[str, Cpu]
    sources: dict[str, Source]
    profiles: dict[str, Profile]
    windows: dict[str, PeakWindow]
    """The newest peak hours, by provider; those of an earlier day are in its ``Snapshot``."""
    provisioned: tuple[ProvisionedPrice, ...] = ()
    """Throughput by the unit and the hour; the catalogue that ships has none, an overlay may."""
    _snapshots: dict[tuple[date, str], Snapshot] = field(default_factory=dict, repr=False)

    @property
    def first_day(self) -> date:
        """The day of the oldest price."""
        return min(row.effective_from for row in self.tables.api_prices)

    @property
    def last_day(self) -> date:
        """The newest day on which a source was read: what "today" means to a plan that names no date."""
        return max(source.read for source in self.tables.sources)

    def scores(self, scale: str) -> dict[str, Score]:
        """The score of each model on one scale.

        Raises:
            UnknownNameError: if no score of that scale is known.
        """
        found = {row.model: row for row in self.tables.scores if row.scale == scale}
        if not found:
            raise UnknownNameError("quality scale", scale, {row.scale for row in self.tables.scores})
        return found

    def on(self, as_of: date, region: str) -> Snapshot:
        """The prices in force on ``as_of`` in ``region`` (cached).

        Raises:
            NoDataError: if the day lies before the first known price, or the region has no prices.
        """
        key = (as_of, region)
        if key not in self._snapshots:
            self._snapshots[key] = _snapshot(self, as_of, region)
        return self._snapshots[key]


@cache
def load_catalogue() -> Catalogue:
    """The catalogue that ships with this version.

    >>> load_catalogue().models["flan-ul2"].layers
    32
    """
    raw = resources.files("breakeven.catalogue").joinpath("data", BUILT_FILE).read_bytes()
    return catalogue_of(raw)


def catalogue_of(raw: bytes) -> Catalogue:
    """The catalogue in the bytes of a built file.

    Raises:
        CatalogueError: if the bytes are not such a file.
    """
    try:
        tables = msgspec.msgpack.decode(raw, type=CatalogueFile)
    except (msgspec.MsgspecError, UnicodeDecodeError) as wrong:
        raise CatalogueError(
            quoting("the catalogue file cannot be read: {why}", why=wrong),
            expected="a file built by `make catalogue`",
            do="Build it again or reinstall breakeven",
        ) from wrong
    return index(tables, hashlib.sha256(raw).hexdigest()[:DIGEST_LENGTH])


def index(tables: CatalogueFile, digest: str) -> Catalogue:
    """A catalogue over ``tables``, with every table by name."""
    return Catalogue(
        tables=tables,
        digest=digest,
        models={row.name: row for row in tables.models},
        instances={row.name: row for row in tables.instances},
        accelerators={row.name: row for row in tables.accelerators},
        cpus={row.name: row for row in tables.cpus},
        sources={row.id: row for row in tables.sources},
        profiles={row.name: row for row in tables.profiles},
        windows=_windows(tables.peak_windows, date.max),
    )


def _snapshot(catalogue: Catalogue, as_of: date, region: str) -> Snapshot:
    tables = catalogue.tables
    if as_of < catalogue.first_day:
        raise NoDataError(
            quoting("--as-of {day} lies before the first known price", day=as_of),
            expected=quoting("a day from {first} on", first=catalogue.first_day),
            do=quoting("Take a later day; the history begins on {first}", first=catalogue.first_day),
        )
    regions = {row.region for row in tables.machine_prices}
    if region not in regions and ANYWHERE not in regions:
        raise NoDataError(
            quoting("no machine price is known in the region {region}", region=repr(region)),
            expected=quoting("one of: {names}", names=", ".join(sorted(regions))),
            do="Bring your own machines and prices for it in an overlay (docs/guides/overlay.md)",
        )
    tariffs, not_yet = _tariffs(catalogue, as_of)
    offers = {offer.key: offer for offer in tables.api_offers}
    units = {(row.provider, row.model): row for row in catalogue.provisioned if row.effective_from <= as_of}
    return Snapshot(
        as_of=as_of,
        region=region,
        tariffs=tariffs,
        machine_prices=_machine_prices(tables.machine_prices, as_of, region),
        service_tiers=_service_tiers(tables.service_prices, as_of, region),
        not_yet=not_yet,
        windows=_windows(tables.peak_windows, as_of),
        provisioned=tuple((offers[key], row) for key, row in units.items()),
    )


def _tariffs(catalogue: Catalogue, as_of: date) -> tuple[tuple[ApiTariff, ...], tuple[ApiOffer, ...]]:
    held: dict[tuple[str, str, str], dict[tuple[str, str, int], ApiPrice]] = defaultdict(dict)
    for row in catalogue.tables.api_prices:  # sorted by day, so a later row replaces an earlier one
        if row.effective_from <= as_of:
            held[row.provider, row.model, row.tier][row.token_kind, row.window, row.above_input_tokens] = row
    offers = {offer.key: offer for offer in catalogue.tables.api_offers}
    tariffs = []
    for (provider, model, tier), prices in sorted(held.items()):
        standing = {key: row for key, row in prices.items() if row.until is None or as_of < row.until}
        if standing:  # a tier whose prices have all ended is no longer sold
            tariffs.append(ApiTariff(offer=offers[provider, model], tier=tier, prices=standing))
    priced = {(provider, model) for provider, model, _ in held}
    return tuple(tariffs), tuple(offer for key, offer in offers.items() if key not in priced)


def _windows(rows: Iterable[PeakWindow], as_of: date) -> dict[str, PeakWindow]:
    """The newest peak hours of each provider that are not later than ``as_of``."""
    begun = (row for row in rows if row.effective_from <= as_of)
    return {row.provider: row for row in sorted(begun, key=lambda row: row.effective_from)}


def _machine_prices(rows: Iterable[MachinePrice], as_of: date, region: str) -> dict[tuple[str, str], MachinePrice]:
    held: dict[tuple[str, str], MachinePrice] = {}
    for row in rows:
        if row.effective_from <= as_of and row.region in (region, ANYWHERE):
            held[row.machine, row.term] = row
    return held


def _service_tiers(
    rows: Iterable[ServicePrice], as_of: date, region: str
) -> dict[tuple[str, str], tuple[ServicePrice, ...]]:
    """The newest whole set of tiers of each item: tiers of different days are never mixed."""
    sets: dict[tuple[str, str], dict[date, list[ServicePrice]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.effective_from <= as_of and row.region == region:
            sets[row.service, row.item][row.effective_from].append(row)
    return {key: tuple(sorted(by_day[max(by_day)], key=lambda row: row.tier_from)) for key, by_day in sets.items()}
