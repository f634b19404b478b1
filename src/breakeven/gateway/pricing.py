"""What an answer of a paid API costs: its tokens by kind at the catalogue's prices of the day, in whole picodollars."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from breakeven.catalogue.load import Catalogue
from breakeven.catalogue.schema import TokenKind
from breakeven.gateway.rules import Target
from breakeven.gateway.usage import Tokens
from breakeven.logs.tariffs import Tariff, Tariffs
from breakeven.units import (
    HOURS_PER_DAY,
    HOURS_PER_WEEK,
    MICROSECONDS_PER_SECOND,
    PICO_USD_PER_USD,
    SECONDS_PER_DAY,
    TOKENS_PER_MTOK,
)

PICO_PER_TOKEN = Decimal(PICO_USD_PER_USD // TOKENS_PER_MTOK)
"""Picodollars a token, for a price of 1 USD per million tokens."""
DAY_US = SECONDS_PER_DAY * MICROSECONDS_PER_SECOND
HOUR_US = DAY_US // HOURS_PER_DAY
THURSDAY = 3
"""1970-01-01 was one; hour 0 of the week is Monday's first."""
READ: tuple[TokenKind, ...] = ("input", "cached_input", "cache_write")


@dataclass(frozen=True, slots=True)
class Held:
    """The tariff of one target on one day, and its dearest prices, in whichever hour and for however long a prompt."""

    tariff: Tariff
    most_read: Decimal | None
    most_written: Decimal | None


@dataclass(slots=True)
class Prices:
    """The prices of APIs on the day that it is."""

    tariffs: Tariffs
    _day: int = -1
    _held: dict[str, Held | None] = field(default_factory=dict)

    def cost_pico_usd(self, target: Target, tokens: Tokens, at_us: int) -> int | None:
        """What these tokens cost; ``None`` if a price or a count is not known."""
        held = self._on(target, at_us)
        if held is None or tokens.input is None or tokens.output is None:
            return None
        cached, written = tokens.cached_input or 0, tokens.cache_write or 0
        amounts = (
            ("input", max(tokens.input - cached - written, 0)),
            ("cached_input", cached),
            ("cache_write", written),
            ("output", tokens.output),
        )
        usd_per_mtok_tokens = Decimal(0)
        for kind, amount in amounts:
            if amount:
                price = _price(held.tariff, kind, tokens.input, at_us)
                if price is None:
                    return None
                usd_per_mtok_tokens += price * amount
        return _pico(usd_per_mtok_tokens)

    def most_pico_usd(self, target: Target, most_input: int, most_output: int | None, at_us: int) -> int | None:
        """The most that a request can cost there; ``None`` if a price or a limit is not known."""
        held = self._on(target, at_us)
        if held is None or most_output is None or held.most_read is None:
            return None
        if not most_output:
            return _pico(held.most_read * most_input)
        if held.most_written is None:
            return None
        return _pico(held.most_read * most_input + held.most_written * most_output)

    def offer_output_limit(self, target: Target) -> int | None:
        """The most tokens that the catalogue says the offer answers with."""
        offer = self.tariffs.offers.get((target.provider or "", target.model or ""))
        return offer.max_output_tokens if offer else None

    def known(self, target: Target, at_us: int) -> bool:
        """Whether the catalogue has prices of that API on that day."""
        return self._on(target, at_us) is not None

    def _on(self, target: Target, at_us: int) -> Held | None:
        day = at_us // DAY_US
        if day != self._day:
            self._day, self._held = day, {}
        if target.name not in self._held:
            self._held[target.name] = self._look_up(target, at_us)
        return self._held[target.name]

    def _look_up(self, target: Target, at_us: int) -> Held | None:
        key = (target.provider or "", target.model or "")
        day = datetime.fromtimestamp(at_us / MICROSECONDS_PER_SECOND, UTC).date()
        tariff = self.tariffs.on(key, target.tier, day) if key in self.tariffs.offers else None
        return None if tariff is None else Held(tariff, _dearest(tariff, READ), _dearest(tariff, ("output",)))


def prices_of(catalogue: Catalogue) -> Prices:
    """The prices of a catalogue."""
    return Prices(Tariffs(catalogue))


def _price(tariff: Tariff, kind: str, input_tokens: int, at_us: int) -> Decimal | None:
    """The price of a kind in a prompt of that length, in the hour of the request."""
    hour = (at_us // HOUR_US + THURSDAY * HOURS_PER_DAY) % HOURS_PER_WEEK
    below = next((above for above in tariff.prices.thresholds if above < input_tokens), 0)
    return tariff.usd_per_mtok(kind, below, hour)


def _dearest(tariff: Tariff, kinds: tuple[TokenKind, ...]) -> Decimal | None:
    prices = (row.usd_per_mtok for (kind, _, _), row in tariff.prices.prices.items() if kind in kinds)
    return max(prices, default=None)


def _pico(usd_per_mtok_tokens: Decimal) -> int:
    """Millionths of a dollar as picodollars. Prices have at most six decimals, so almost nothing is ever rounded."""
    return int((usd_per_mtok_tokens * PICO_PER_TOKEN).to_integral_value(ROUND_HALF_EVEN))
