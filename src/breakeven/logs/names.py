"""From the names that logs write to the offers of the catalogue; what cannot be told for sure is left unpriced."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from breakeven.errors import SpecError, UnknownNameError, near_matches
from breakeven.logs.tariffs import Key

PROVIDERS: Mapping[str, str] = {
    "bedrock": "aws-bedrock",
    "bedrock_converse": "aws-bedrock",
    "aws.bedrock": "aws-bedrock",
    "aws_bedrock": "aws-bedrock",
    "amazon": "aws-bedrock",
    "vertex_ai": "google-vertex",
    "vertex_ai_beta": "google-vertex",
    "gcp.vertex_ai": "google-vertex",
    "gemini": "google-gemini",
    "gcp.gemini": "google-gemini",
    "google": "google-gemini",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "x_ai": "xai",
    "mistral_ai": "mistral",
    "text-completion-openai": "openai",
    "moonshot_ai": "moonshot",
}
"""The names that LiteLLM (custom_llm_provider) and OpenTelemetry (gen_ai.provider.name) give to the catalogue's."""
GEOGRAPHY = re.compile(r"^(us|eu|apac|jp|au|ca|sa|us-gov|global)\.(?=[a-z0-9-]+\.)")
"""Inference profiles of Bedrock begin with the geography that they route to."""
ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Why a name is no offer."""

    because: str


class Names:
    """The offers by every name that a log may give them."""

    def __init__(self, offers: Iterable[Key], stated: Mapping[str, Key] | None = None) -> None:
        self._offers = frozenset(offers)
        self._stated = dict(stated or {})
        self._providers = frozenset(provider for provider, _ in self._offers)
        self._sold_by: dict[str, set[str]] = defaultdict(set)
        for provider, model in self._offers:
            self._sold_by[model.lower()].add(provider)
        self._exact = {(provider, model.lower()): (provider, model) for provider, model in self._offers}

    def offer(self, provider: str | None, model: str | None) -> Key | Unknown:
        """The offer that a log means.

        >>> names = Names([("openai", "gpt-4o"), ("aws-bedrock", "anthropic.claude-v2")])
        >>> names.offer(None, "openai/gpt-4o"), names.offer("bedrock", "us.anthropic.claude-v2")
        (('openai', 'gpt-4o'), ('aws-bedrock', 'anthropic.claude-v2'))
        """
        if stated := self._stated.get(model or "") or self._stated.get(ANY):
            return stated
        if not model:
            return Unknown(because="the log names no model (--as '*=provider/model' says which it was)")
        for seller, name in _readings(provider, model):
            if seller is None:
                sellers = self._sold_by.get(name, set())
                if len(sellers) == 1:
                    return self._exact[next(iter(sellers)), name]
                if sellers:
                    return Unknown(
                        because=f"{model} is sold by {', '.join(sorted(sellers))}, and the log does not say by whom "
                        f"(--as {model}={min(sellers)}/{name})"
                    )
            elif found := self._exact.get((seller, name)):
                return found
        return Unknown(because=self._reason(provider, model))

    def _reason(self, provider: str | None, model: str) -> str:
        seller = PROVIDERS.get(provider or "", provider)
        if seller and seller not in self._providers:
            return f"the catalogue has no prices of the provider {provider} (--as {model}=provider/model)"
        near = near_matches(model.rpartition("/")[2], self._sold_by, limit=2)
        hint = f"; near: {', '.join(near)}" if near else ""
        return f"the catalogue does not know the model {model}{f' at {provider}' if provider else ''}{hint}"


def _readings(provider: str | None, model: str) -> Iterable[tuple[str | None, str]]:
    """(provider or ``None``, model) as the text may be meant, the most literal first."""
    name = model.strip().lower()
    seller = PROVIDERS.get(provider.lower(), provider.lower()) if provider else None
    names = [name]
    if name.startswith("arn:"):
        names.append(name.rpartition("/")[2])
    names += [GEOGRAPHY.sub("", one) for one in names]
    for one in dict.fromkeys(names):
        yield seller, one
        before, slash, after = one.partition("/")
        if slash:
            yield PROVIDERS.get(before, before), GEOGRAPHY.sub("", after)
            yield seller, after


def stated_offers(texts: Iterable[str], offers: Iterable[Key]) -> dict[str, Key]:
    """``name=provider/model`` pairs.

    Raises:
        SpecError: if one is no such pair.
        UnknownNameError: if the offer is not in the catalogue.
    """
    known = {f"{provider}/{model}": (provider, model) for provider, model in offers}
    found: dict[str, Key] = {}
    for text in texts:
        name, equals, offer = text.partition("=")
        if not equals:
            raise SpecError(
                f"--as {text} names no offer", expected="--as NAME=provider/model", do="Write --as gpt-4o=openai/gpt-4o"
            )
        if offer not in known:
            raise UnknownNameError("offer", offer, known, search="breakeven catalogue list offers")
        found[name] = known[offer]
    return found
