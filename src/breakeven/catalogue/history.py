"""The prices of one name over time: a series for each price it has, each a list of dated rows."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from breakeven.catalogue.kinds import offer_status, tier_words
from breakeven.catalogue.load import ANYWHERE, Catalogue
from breakeven.catalogue.schema import ApiPrice, MachinePrice, PriceRow, ServicePrice
from breakeven.catalogue.search import Fact, called
from breakeven.errors import NoDataError, SpecError
from breakeven.evidence import Source
from breakeven.wording import joined, quoting, worded

PRICED = ("offers", "machines", "services")
"""The kinds that have prices of their own."""
TOKEN_KINDS = ("input", "cached_input", "cache_write", "output")
TIERS = ("standard", "batch", "flex", "priority")
OFFERS_NAMED = 6


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One price of a name over time: its rows, oldest first."""

    label: str
    unit: str
    rows: tuple[PriceRow, ...]

    @property
    def changes(self) -> tuple[Decimal | None, ...]:
        """Each row's price over the one before, less 1; ``None`` for the first, and after a price that had ended."""
        return (None, *(change(old, new) for old, new in zip(self.rows, self.rows[1:], strict=False)))

    def steps(self, last: date) -> tuple[tuple[date, Decimal | None], ...]:
        """The corners of the price as a line: it holds until the next row, or ends, or goes on until ``last``."""
        corners: list[tuple[date, Decimal | None]] = []
        following = [*(row.effective_from for row in self.rows[1:]), last]
        for row, then in zip(self.rows, following, strict=True):
            until = row.until if isinstance(row, ApiPrice) else None
            stop = min(until or then, then)
            corners += [(row.effective_from, usd_of(row)), (max(stop, row.effective_from), usd_of(row))]
            corners += [(stop, None)] if until and stop == until else []
        return tuple(corners)


class PriceHistory(msgspec.Struct, frozen=True, kw_only=True):
    """All prices of one offer, machine or service over time."""

    kind: str
    name: str
    series: tuple[Series, ...]
    gone_on: date | None = None
    """The day on which an offer was retired, or first seen to be listed no longer."""
    status: str = ""
    """The same in words; empty while it is sold."""

    @property
    def first_day(self) -> date:
        """The first day on which a price is known."""
        return min(series.rows[0].effective_from for series in self.series)


class Histories(msgspec.Struct, frozen=True, kw_only=True):
    """What one name stands for, each with its prices over time, and the sources of all rows."""

    catalogue_digest: str
    region: str
    since: date | None
    as_of: date
    entries: tuple[PriceHistory, ...]
    sources: tuple[Source, ...]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Which prices of a name are wanted: between two days, of a tier and kind of token (``None``: all)."""

    as_of: date
    region: str
    since: date | None = None
    tier: str | None = None
    token_kind: str | None = None

    def __post_init__(self) -> None:
        for flag, given, known in (("tier", self.tier, TIERS), ("kind", self.token_kind, TOKEN_KINDS)):
            if given is not None and given not in known:
                raise SpecError(
                    quoting("{field} is {value}", field=f"--{flag}", value=given),
                    expected=quoting("one of {names}", names=", ".join(known)),
                    do="Correct it",
                )
        if self.since and self.since > self.as_of:
            raise wrong_order(self.since, self.as_of)

    def keeps(self, row: PriceRow) -> bool:
        """Whether a row is one of the prices wanted; of machines and services everything in the region."""
        if isinstance(row, ApiPrice):
            return self.tier in (None, row.tier) and self.token_kind in (None, row.token_kind)
        return row.region in (self.region, ANYWHERE)


def usd_of(row: PriceRow) -> Decimal:
    """The price in a row, in the unit of its table."""
    if isinstance(row, ApiPrice):
        return row.usd_per_mtok
    return row.usd_per_hour if isinstance(row, MachinePrice) else row.usd


def change(old: PriceRow, new: PriceRow) -> Decimal | None:
    """The new price over the old, less 1; ``None`` if the old one had ended before."""
    if isinstance(old, ApiPrice) and old.until is not None and old.until < new.effective_from:
        return None
    return usd_of(new) / usd_of(old) - 1


def wrong_order(first: date, second: date) -> SpecError:
    """The error that says that two days stand in the wrong order."""
    return SpecError(
        quoting("{first} lies after {second}", first=first, second=second),
        expected="the earlier day first",
        do=quoting("Turn them round: {first} {second}", first=second, second=first),
    )


def series_key(row: PriceRow) -> tuple[str, ...]:
    """What a row is the price of, within its offer, machine or service."""
    if isinstance(row, ApiPrice):
        return row.tier, f"{row.above_input_tokens:09d}", row.window, row.token_kind
    if isinstance(row, MachinePrice):
        return row.machine, row.term
    return row.item, f"{row.tier_from:020.3f}"


def series_label(row: PriceRow) -> str:
    """The same in words.

    >>> from breakeven.catalogue.load import load_catalogue
    >>> rows = load_catalogue().tables
    >>> series_label(rows.machine_prices[0]).split()[1]
    'on-demand'
    """
    if isinstance(row, ApiPrice):
        more: list[str] = [] if row.tier == "standard" else [str(row.tier)]
        more += (
            [worded("input>{thousand:g}K", thousand=row.above_input_tokens / 1000)] if row.above_input_tokens else []
        )
        more += [row.window.replace("_", "-")] if row.window else []
        return joined(", ", [row.token_kind.replace("_", " "), *more])
    if isinstance(row, MachinePrice):
        return f"{row.machine} {row.term}"
    bounds = tier_words(row)
    return row.item if bounds == "all" else joined(", ", (row.item, bounds))


def unit_of(row: PriceRow) -> str:
    """What a row's price buys one of: a million tokens, an hour, or the unit of a service."""
    if isinstance(row, ApiPrice):
        return "Mtok"
    return "hour" if isinstance(row, MachinePrice) else row.unit


def history(catalogue: Catalogue, name: str, span: Span) -> Histories:
    """The prices of whatever has that name, from a day on and up to a day.

    A name is that of an offer (``provider/model`` or the model alone), a machine with or without ``ml.``, or a
    service; the name of an open model stands for its offers at paid APIs.

    Raises:
        UnknownNameError: if nothing has that name.
        NoDataError: if what has it has no price, or none up to that day, or none of that tier or kind.

    >>> from breakeven.catalogue.load import load_catalogue
    >>> rows = load_catalogue()
    >>> (found,) = history(rows, "ml.p5.48xlarge", Span(as_of=rows.last_day, region="us-east-1")).entries
    >>> list(dict.fromkeys(str(row.usd_per_hour) for row in found.series[0].rows))[:2]
    ['113.068', '63.296']
    """
    wanted = name.strip()
    found = [(fact, _rows(catalogue, fact, wanted)) for fact in _priced(catalogue, called(catalogue, wanted), wanted)]
    kept = [(fact, [row for row in rows if span.keeps(row)]) for fact, rows in found]
    if not any(rows for _, rows in kept):
        raise _no_prices(wanted, [row for _, rows in found for row in rows], span)
    begun = [(fact, [row for row in rows if row.effective_from <= span.as_of]) for fact, rows in kept]
    if not any(rows for _, rows in begun):
        first = min(row.effective_from for _, rows in kept for row in rows)
        raise NoDataError(
            quoting("no price of {name} is known on {day}", name=wanted, day=span.as_of),
            expected=quoting("a day from {first} on, the first for which one is", first=first),
            do="Take a later --as-of",
        )
    entries = tuple(
        PriceHistory(
            kind=fact.kind, name=_name(fact, wanted), series=_series(rows, span.since), **_gone(fact, span.as_of)
        )
        for fact, rows in begun
        if rows
    )
    used = dict.fromkeys(row.source for entry in entries for series in entry.series for row in series.rows)
    return Histories(
        catalogue_digest=catalogue.digest,
        region=span.region,
        since=span.since,
        as_of=span.as_of,
        entries=entries,
        sources=tuple(catalogue.sources[source] for source in used),
    )


def _gone(fact: Fact, day: date) -> dict[str, Any]:
    """Since when an offer is no longer sold, and in words; nothing while it is."""
    gone = fact.record.get("retired_on") or fact.record.get("delisted_by")
    if gone is None or gone > day:
        return {}
    status = offer_status(fact.record["retired_on"], fact.record["delisted_by"], day)
    return {"gone_on": gone, "status": status}


def _priced(catalogue: Catalogue, facts: Sequence[Fact], name: str) -> list[Fact]:
    """The facts that have prices; of an open model, its offers."""
    found = [fact for fact in facts if fact.kind in PRICED]
    if found:
        return found
    models = {fact.names[-1].lower() for fact in facts if fact.kind == "models"}
    offers = [offer for offer in catalogue.tables.api_offers if (offer.canonical or offer.model).lower() in models]
    named = [fact for offer in offers for fact in called(catalogue, "/".join(offer.key)) if fact.kind == "offers"]
    if named:
        return named
    kinds = " and ".join(dict.fromkeys(fact.kind for fact in facts))
    raise NoDataError(
        quoting("{name} is one of the {kinds}, which have no price of their own", name=name, kinds=kinds),
        expected="an API offer, a machine or a service",
        do=quoting("`breakeven catalogue show {name}` tells what is known of it", name=name),
    )


def _no_prices(name: str, rows: Sequence[PriceRow], span: Span) -> NoDataError:
    """The error that says that none of a name's prices is of the wanted tier, kind or region."""
    tiers = sorted({str(row.tier) for row in rows if isinstance(row, ApiPrice)}, key=TIERS.index)
    regions = sorted({row.region for row in rows if isinstance(row, MachinePrice | ServicePrice)})
    asked = " ".join(word for word in (span.tier, span.token_kind) if word) if tiers else span.region
    return NoDataError(
        quoting("no {asked} price of {name} is known", asked=asked, name=name)
        if asked
        else quoting("no price of {name} is known", name=name),
        expected=quoting("one of: {names}", names=", ".join(tiers or regions)) if rows else "a price in the catalogue",
        do="Name another tier, kind or region"
        if rows
        else quoting("`breakeven catalogue show {name}` tells what is known", name=name),
    )


def _name(fact: Fact, asked: str) -> str:
    """The name by which a machine was asked for; of all others the full name."""
    return next(
        (known for known in fact.names if known.lower() == asked.lower() and fact.kind == "machines"), fact.name
    )


def _rows(catalogue: Catalogue, fact: Fact, asked: str) -> list[PriceRow]:
    """Every price of a fact, oldest first; of a machine asked for as ``ml.``, that of SageMaker alone."""
    tables = catalogue.tables
    if fact.kind == "offers":
        return [row for row in tables.api_prices if f"{row.provider}/{row.model}" == fact.name]
    if fact.kind == "services":
        return [row for row in tables.service_prices if row.service == fact.name]
    names = [known for known in fact.names if known.lower() == asked.lower() != fact.name.lower()] or fact.names
    return [row for row in tables.machine_prices if row.machine in names]


def _series(rows: Sequence[PriceRow], since: date | None) -> tuple[Series, ...]:
    """Rows as series, from the price in force on ``since`` on, in the order of their tiers and kinds."""
    by_key: dict[tuple[str, ...], list[PriceRow]] = defaultdict(list)
    for row in rows:
        by_key[series_key(row)].append(row)
    found = [_from(held, since) for held in by_key.values()]
    return tuple(
        Series(label=series_label(held[0]), unit=unit_of(held[0]), rows=tuple(held))
        for held in sorted(found, key=lambda held: _place(held[0]))
    )


def _from(rows: list[PriceRow], since: date | None) -> list[PriceRow]:
    """The rows less those that were replaced by ``since``."""
    replaced = [then.effective_from <= since if since else False for then in rows[1:]]
    return [row for row, gone in zip(rows, [*replaced, False], strict=True) if not gone]


def _place(row: PriceRow) -> tuple[int | str | float, ...]:
    if isinstance(row, ApiPrice):
        kinds = TOKEN_KINDS.index(row.token_kind)
        return TIERS.index(row.tier), row.above_input_tokens, row.window, kinds
    if isinstance(row, MachinePrice):
        return row.machine.startswith("ml."), row.term
    return row.item, row.tier_from
