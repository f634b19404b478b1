"""litellm's price table: USD per token by model name, in ``model_prices_and_context_window.json``."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from breakeven.catalogue.schema import ApiOffer, ApiPrice
from breakeven.units import TOKENS_PER_MTOK
from refresh.quotes import FOREIGN, UNKNOWN, Origin, Quote, Reading

PROVIDERS = {
    "ai21": ("ai21", ""),
    "anthropic": ("anthropic", ""),
    "anyscale": ("anyscale", "anyscale/"),
    "bedrock": ("aws-bedrock", ""),
    "bedrock_converse": ("aws-bedrock", ""),
    "cerebras": ("cerebras", "cerebras/"),
    "cohere": ("cohere", ""),
    "cohere_chat": ("cohere", ""),
    "deepinfra": ("deepinfra", "deepinfra/"),
    "deepseek": ("deepseek", "deepseek/"),
    "fireworks_ai": ("fireworks", "fireworks_ai/"),
    "fireworks_ai-embedding-models": ("fireworks", "fireworks_ai/"),
    "gemini": ("google-gemini", "gemini/"),
    "groq": ("groq", "groq/"),
    "minimax": ("minimax", "minimax/"),
    "mistral": ("mistral", "mistral/"),
    "moonshot": ("moonshot", "moonshot/"),
    "openai": ("openai", ""),
    "perplexity": ("perplexity", "perplexity/"),
    "sambanova": ("sambanova", "sambanova/"),
    "text-completion-openai": ("openai", ""),
    "together_ai": ("together", "together_ai/"),
    "vertex_ai-language-models": ("google-vertex", ""),
    "voyage": ("voyage", "voyage/"),
    "xai": ("xai", "xai/"),
}
"""Its name for a provider: ours, and what its model names begin with. Other providers are passed over."""
KINDS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
}
TIERS = {None: "standard", "batches": "batch", "flex": "flex", "priority": "priority"}
COLUMN = re.compile(rf"({'|'.join(KINDS)})(?:_above_(\d+)k_tokens)?(?:_(batches|flex|priority))?")
THOUSAND = 1000


def read(table: Mapping[str, Any], origin: Origin, offers: Mapping[tuple[str, str], ApiOffer]) -> Reading:
    """The quotes of a table for the offers that the catalogue knows."""
    reading = Reading(origin=origin)
    for name, entry in table.items():
        provider, begins = PROVIDERS.get(str(entry.get("litellm_provider")), ("", ""))
        offer = offers.get((provider, name.removeprefix(begins)))
        if not provider:
            reading.passed_over[FOREIGN] += 1
        elif offer is None:
            reading.passed_over[UNKNOWN] += 1
        else:
            _read_entry(entry, offer, reading)
    reading.settle()
    return reading


def _read_entry(entry: Mapping[str, Any], offer: ApiOffer, reading: Reading) -> None:
    free: list[str] = []
    for column, usd, (kind, above, tier) in _columns(entry):
        if offer.mode == "embedding" and kind == "output":
            continue  # there is none to be priced
        if isinstance(usd, bool) or not isinstance(usd, Decimal | int) or usd < 0:
            reading.refuse("/".join(offer.key), f"{column}: {usd}", "not a price")
        elif usd == 0:
            free.append(f"{tier} {kind}")
        else:
            row = ApiPrice(
                provider=offer.provider,
                model=offer.model,
                tier=tier,  # type: ignore[arg-type]
                token_kind=kind,  # type: ignore[arg-type]
                usd_per_mtok=(Decimal(usd) * TOKENS_PER_MTOK).normalize(),
                above_input_tokens=above,
                effective_from=reading.origin.read,
                date_basis="observed",
                source=reading.origin.id,
            )
            reading.quotes.append(Quote(rows=(row,), origin=reading.origin))
    reading.refuse_free("/".join(offer.key), free)


def _columns(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any, tuple[str, int, str]]]:
    """The columns that hold a price of tokens: name, value, and (token kind, threshold, tier)."""
    for column, usd in entry.items():
        found = COLUMN.fullmatch(column)
        if found and usd is not None:
            kind, above, tier = found.groups()
            yield column, usd, (KINDS[kind], int(above or 0) * THOUSAND, TIERS[tier])
