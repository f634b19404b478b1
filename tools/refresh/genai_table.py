"""genai-prices' table: providers with models, each priced in USD per million tokens, some from a day on."""

import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any

from breakeven.catalogue.schema import ApiOffer, ApiPrice
from refresh.quotes import FOREIGN, UNKNOWN, Origin, Quote, Reading

PACKAGE = "genai-prices"
PROVIDERS = {
    "anthropic": "anthropic",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "google": "google-gemini",
    "groq": "groq",
    "meta": "meta",
    "minimax": "minimax",
    "mistral": "mistral",
    "moonshotai": "moonshot",
    "openai": "openai",
    "perplexity": "perplexity",
    "together": "together",
    "voyageai": "voyage",
    "x-ai": "xai",
}
"""Its name for a provider: ours. Its ``aws`` prices regional endpoints, a tenth above the prices of the catalogue."""
KINDS = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached_input",
    "cache_write_mtok": "cache_write",
}
TIERS = {
    ("processing", "batch"): "batch",
    ("service_tier", "flex"): "flex",
    ("service_tier", "priority"): "priority",
}
"""The variants of a request that are a tier of ours."""
CLAUSES: dict[str, Callable[[str, str], bool]] = {
    "equals": lambda name, wanted: name == wanted,
    "starts_with": lambda name, wanted: name.startswith(wanted),
    "ends_with": lambda name, wanted: name.endswith(wanted),
    "contains": lambda name, wanted: wanted in name,
    "regex": lambda name, wanted: re.search(wanted, name) is not None,
}
BY_THE_HOUR = "priced by hours of the day: such prices are entered by hand, with their hours in peak_windows.csv"


def read(table: Iterable[Mapping[str, Any]], origin: Origin, offers: Mapping[tuple[str, str], ApiOffer]) -> Reading:
    """The quotes of a table for the offers that the catalogue knows, as they hold on the day of reading."""
    reading = Reading(origin=origin)
    for provider in table:
        ours = PROVIDERS.get(str(provider["id"]))
        models = provider.get("models") or []
        if ours is None:
            reading.passed_over[FOREIGN] += len(models)
            continue
        known = [offer for offer in offers.values() if offer.provider == ours]
        for model in models:
            named = [offer for offer in known if matches(model.get("match") or {}, offer.model.lower())]
            for offer in named:
                _read_model(model, offer, reading)
            if not named:
                reading.passed_over[UNKNOWN] += 1
    reading.settle()
    return reading


def matches(clause: Mapping[str, Any], name: str) -> bool:
    """Whether a clause of the table claims a model's name.

    >>> matches({"or": [{"equals": "gpt-4o"}, {"starts_with": "gpt-4o-2024"}]}, "gpt-4o-2024-08-06")
    True
    """
    for word, wanted in clause.items():
        if word in ("or", "and"):
            return (any if word == "or" else all)(matches(one, name) for one in wanted)
        return word in CLAUSES and CLAUSES[word](name, wanted)
    return False


def _read_model(model: Mapping[str, Any], offer: ApiOffer, reading: Reading) -> None:
    name = "/".join(offer.key)
    prices = in_force(model.get("prices") or [], reading.origin.read)
    if prices is None:
        reading.refuse(name, "prices of other days only", f"none of its prices held on {reading.origin.read}")
    elif prices == {}:
        reading.refuse(name, "prices by the hour", BY_THE_HOUR)
    else:
        _read_prices(prices, offer, "standard", reading)
    for tier, variant in _variants(model.get("price_variants") or [], reading.origin.read).items():
        _read_prices(variant, offer, tier, reading)


def _variants(variants: Iterable[Mapping[str, Any]], day: date) -> dict[str, Mapping[str, Any]]:
    """The prices of each tier of ours; of several variants that have begun, the first one that names a price holds."""
    found: dict[str, Mapping[str, Any]] = {}
    for variant in variants:
        (asked, *more) = variant["when"].items()
        tier = None if more else TIERS.get(asked)
        if tier and _begun(variant.get("constraint"), day):
            found[tier] = {**variant["prices"], **found.get(tier, {})}
    return found


def in_force(prices: Any, day: date) -> Mapping[str, Any] | None:  # noqa: ANN401 - a mapping, or a list of them
    """The prices that hold on a day: the last that has begun. ``{}`` if hours decide, ``None`` if none has begun.

    (The table's own reader takes its first price where none has begun: a day before the data is answered with
    later prices. Here it is refused.)
    """
    if isinstance(prices, Mapping):
        return prices
    if any("start_time" in (entry.get("constraint") or {}) for entry in prices):
        return {}
    begun = [entry["prices"] for entry in prices if _begun(entry.get("constraint"), day)]
    return begun[-1] if begun else None


def _begun(constraint: Mapping[str, Any] | None, day: date) -> bool:
    if not constraint:
        return True
    begins = constraint.get("start_date")
    return begins is not None and date.fromisoformat(str(begins)) <= day


def _read_prices(prices: Mapping[str, Any], offer: ApiOffer, tier: str, reading: Reading) -> None:
    free: list[str] = []
    for column, kind in KINDS.items():
        if offer.mode == "embedding" and kind == "output":
            continue  # there is none to be priced
        for above, usd in _steps(prices.get(column)):
            if usd == 0:
                free.append(f"{tier} {kind}")
                continue
            row = ApiPrice(
                provider=offer.provider,
                model=offer.model,
                tier=tier,  # type: ignore[arg-type]
                token_kind=kind,  # type: ignore[arg-type]
                usd_per_mtok=usd,
                above_input_tokens=above,
                effective_from=reading.origin.read,
                date_basis="observed",
                source=reading.origin.id,
            )
            reading.quotes.append(Quote(rows=(row,), origin=reading.origin))
    reading.refuse_free("/".join(offer.key), free)


def _steps(price: Any) -> Iterator[tuple[int, Decimal]]:  # noqa: ANN401 - a number, or a base with steps
    """(Input tokens above which it holds, USD per million tokens) of a price; above 199,999 is above 200,000 here."""
    if isinstance(price, Mapping):
        yield 0, Decimal(str(price["base"])).normalize()
        for step in price["tiers"]:
            yield round(int(step["start"]), -3), Decimal(str(step["price"])).normalize()
    elif price is not None:
        yield 0, Decimal(str(price)).normalize()


def installed() -> list[Mapping[str, Any]]:
    """The table that the installed package carries, in the form of its published JSON."""
    return [plain(provider) for provider in importlib.import_module("genai_prices.data").providers]


def plain(thing: Any) -> Any:  # noqa: ANN401 - whatever stands in the table
    """An object of the package as JSON would hold it: field names without the underscore that Python needs."""
    if isinstance(thing, list | tuple):
        return [plain(one) for one in thing]
    if isinstance(thing, Mapping):
        return {key: plain(value) for key, value in thing.items()}
    if isinstance(thing, date | time):
        return thing.isoformat()
    if hasattr(thing, "__dict__"):
        return {name.rstrip("_"): plain(value) for name, value in vars(thing).items() if value is not None}
    return thing
