"""Where the known providers answer OpenAI's requests: a table of base URLs, each with its source and day."""

import csv
from functools import cache
from importlib import resources

from breakeven.errors import SpecError


@cache
def base_urls() -> dict[str, str]:
    """The base URL of each provider that has one for everybody.

    >>> base_urls()["openai"]
    'https://api.openai.com/v1'
    """
    text = resources.files("breakeven.gateway").joinpath("providers.csv").read_text(encoding="utf-8")
    return {row["provider"]: row["base_url"] for row in csv.DictReader(text.splitlines())}


def base_url(upstream: str, provider: str) -> str:
    """The base URL of a provider.

    Raises:
        SpecError: if it is not known, such as for clouds whose address holds a region or an account.
    """
    found = base_urls().get(provider)
    if found is None:
        raise SpecError(
            f"upstreams.{upstream}: where {provider} answers is not known",
            expected=f"a url, or one of {', '.join(base_urls())}",
            do=f"Give upstreams.{upstream}.url",
        )
    return found
