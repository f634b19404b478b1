"""What a source says a price is, before anybody decided whether to believe it."""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import IntEnum

from breakeven.catalogue.schema import ApiPrice, MachinePrice, PriceRow, ServicePrice
from breakeven.evidence import Source, SourceKind

Key = tuple[str | int, ...]
Figures = tuple[Decimal, ...]


FOREIGN = "of providers that the catalogue does not hold"
UNKNOWN = "of models that the catalogue does not hold, or that are no longer sold"
FREE = "a price of $0: what a table does not know is not free"


class Authority(IntEnum):
    """Who is believed when sources disagree, the least first."""

    TABLE = 1
    TWO_TABLES = 2
    PRICE_LIST = 3
    PROVIDER = 4


AUTHORITY_WORDS = {
    Authority.TABLE: "one table",
    Authority.TWO_TABLES: "two tables that agree",
    Authority.PRICE_LIST: "the AWS price list",
    Authority.PROVIDER: "the provider's own figure",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One reading of one source: which, of which day it is, and on which day it was read."""

    name: str
    title: str
    published: date
    read: date
    kind: SourceKind = "price_table"

    @property
    def id(self) -> str:
        """The id of its row in ``sources.csv``: the name and the day of the source, and a mark of its title."""
        mark = hashlib.sha256(self.title.encode()).hexdigest()[:6]
        return f"{re.sub(r'[^A-Za-z0-9.]+', '-', self.name).strip('-').lower()}-{self.published}-{mark}"

    @property
    def authority(self) -> Authority:
        """How much it is believed alone."""
        return Authority.PRICE_LIST if self.kind == "list_price" else Authority.TABLE

    def source(self) -> Source:
        """Its row in the table of sources."""
        return Source(id=self.id, kind=self.kind, title=self.title, read=self.read, published=self.published)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What one source says: rows as the catalogue would hold them (several for a price with tiers)."""

    rows: tuple[PriceRow, ...]
    origin: Origin

    @property
    def key(self) -> Key:
        """What is priced; two quotes with one key can be compared."""
        return key_of(self.rows[0])

    @property
    def figures(self) -> Figures:
        """The numbers in it: they are equal if two sources say the same."""
        return figures_of(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Something that was read and not believed, for a person to look at."""

    what: str
    said: str
    because: str
    by: str


@dataclass(slots=True, kw_only=True)
class Reading:
    """All that one source gave: quotes, refusals, what was passed over (with a count), and models it names."""

    origin: Origin
    quotes: list[Quote] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)

    def refuse(self, what: str, said: str, because: str) -> None:
        """Note something that is not believed."""
        self.refused.append(Refusal(what=what, said=said, because=because, by=self.origin.name))

    def refuse_free(self, what: str, free: list[str]) -> None:
        """Note the figures of 0 of one offer: what a table does not know is not free."""
        if free:
            self.refuse(what, f"$0 for {', '.join(free)}", FREE)

    def settle(self) -> None:
        """Keep one quote of what was read under several names; refuse what is then priced in two ways."""
        by_key: dict[Key, list[Quote]] = {}
        for quote in self.quotes:
            by_key.setdefault(quote.key, []).append(quote)
        self.quotes = []
        for quotes in by_key.values():
            said = dict.fromkeys(usd_words(quote.rows) for quote in quotes)
            if len({quote.figures for quote in quotes}) == 1:
                self.quotes.append(quotes[0])
            else:
                self.refuse(words_of(quotes[0].rows[0]), " and ".join(said), "it gives two prices for one thing")


def key_of(row: PriceRow) -> Key:
    """What a row prices: everything that identifies it but the day."""
    if isinstance(row, ApiPrice):
        return "api", row.provider, row.model, row.tier, row.token_kind, row.above_input_tokens, row.window
    if isinstance(row, MachinePrice):
        return "machine", row.machine, row.region, row.term
    return "service", row.service, row.item, row.region


def price_of(row: PriceRow) -> Decimal:
    """The price in a row, in the unit of its table."""
    if isinstance(row, ApiPrice):
        return row.usd_per_mtok
    return row.usd_per_hour if isinstance(row, MachinePrice) else row.usd


def figures_of(rows: tuple[PriceRow, ...]) -> Figures:
    """Prices and tier bounds of rows, in order, so that equal means the same price."""
    found: list[Decimal] = []
    for row in rows:
        found += [price_of(row)] + ([Decimal(row.tier_from)] if isinstance(row, ServicePrice) else [])
    return tuple(found)


def words_of(row: PriceRow) -> str:
    """What a row prices, for a person.

    >>> from datetime import date
    >>> words_of(MachinePrice(machine="ml.g5.xlarge", service="sagemaker", region="us-east-1", term="on-demand",
    ...     usd_per_hour=Decimal("1.408"), effective_from=date(2026, 9, 27), date_basis="observed", source="x"))
    'ml.g5.xlarge on-demand, us-east-1'
    """
    if isinstance(row, ApiPrice):
        more: list[str] = [] if row.tier == "standard" else [row.tier]
        more += [row.window.replace("_", "-")] if row.window else []
        more += [f"input>{row.above_input_tokens / 1000:g}K"] if row.above_input_tokens else []
        kind = row.token_kind.replace("_", " ")
        return f"{row.provider}/{row.model} {kind}" + (f" ({', '.join(more)})" if more else "")
    if isinstance(row, MachinePrice):
        return f"{row.machine} {row.term}, {row.region}"
    return f"{row.service} {row.item}, {row.region}"


def usd_words(rows: tuple[PriceRow, ...]) -> str:
    """The price in rows, to its last digit; tiers one after the other.

    >>> usd_words(())
    'none'
    """
    return " / ".join(f"{price_of(row).normalize():f}" for row in rows) or "none"
