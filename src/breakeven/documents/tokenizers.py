"""Which tokenizer counts for which model: its own where one is to be had offline, else o200k_base and its error."""

import re
import tomllib
from collections.abc import Sequence
from datetime import date
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from breakeven.catalogue.load import Catalogue


class OwnTokenizer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tokenizer that runs here. ``vocab`` is its number of tokens, special ones included."""

    title: str
    vocab: int


class MeasuredTokenizer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"package": "from"}):
    """A tokenizer that does not run here but was run once: how many more tokens than the baseline it needs."""

    title: str
    package: str
    off: dict[str, list[float]]

    @property
    def low(self) -> float:
        """The least that it differs from the baseline on any of the texts, as a share of the baseline."""
        return min(share for shares in self.off.values() for share in shares)

    @property
    def high(self) -> float:
        """The most."""
        return max(share for shares in self.off.values() for share in shares)


class ModelRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Models whose name holds ``pattern`` have this tokenizer, says ``source``."""

    pattern: str
    tokenizer: str
    source: str


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a maker says of a tokenizer that nobody outside can run."""

    pattern: str
    text: str
    source: str


class TokenizerTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``tokenizers.toml`` holds; its head says what each part means."""

    baseline: str
    read: date
    texts: list[str]
    own: dict[str, OwnTokenizer]
    measured: dict[str, MeasuredTokenizer]
    models: list[ModelRule]
    said: list[Said]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A model and how its tokens are counted here.

    ``tokenizer`` is its own, ``None`` if it is not known which. ``counted_with`` is the one that runs here; where it
    is not the model's own, ``low`` and ``high`` say how far off it was when it was measured (``None``: not known).
    """

    name: str
    tokenizer: str | None
    counted_with: str
    low: float | None = None
    high: float | None = None
    said: str = ""
    source: str = ""

    @property
    def exact(self) -> bool:
        """Whether it is counted with its own tokenizer."""
        return self.tokenizer == self.counted_with


@cache
def tokenizer_table() -> TokenizerTable:
    """The table that ships with this version."""
    text = resources.files("breakeven.documents").joinpath("tokenizers.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), TokenizerTable)


def candidate(name: str, *aliases: str) -> Candidate:
    """How the tokens of a model are counted, by its name or else by the first of its other names that says it.

    >>> candidate("gpt-4.1-mini").counted_with, candidate("gpt-4.1-mini").exact
    ('o200k_base', True)
    >>> deepseek = candidate("deepseek-v3.1")
    >>> deepseek.counted_with, deepseek.exact, f"{deepseek.low:+.1%} to {deepseek.high:+.1%}"
    ('o200k_base', False, '-25.7% to +24.8%')
    >>> candidate("claude-opus-5").tokenizer is None
    True
    """
    table = tokenizer_table()
    names = (name, *aliases)
    rule = next((rule for one in names for rule in table.models if _found(rule.pattern, one)), None)
    said = next((said for one in names for said in table.said if _found(said.pattern, one)), None)
    remark, remark_source = (said.text, said.source) if said else ("", "")
    if rule is None:
        return Candidate(name=name, tokenizer=None, counted_with=table.baseline, said=remark, source=remark_source)
    if rule.tokenizer in table.own:
        return Candidate(name=name, tokenizer=rule.tokenizer, counted_with=rule.tokenizer, source=rule.source)
    measured = table.measured[rule.tokenizer]
    return Candidate(
        name=name,
        tokenizer=rule.tokenizer,
        counted_with=table.baseline,
        low=measured.low,
        high=measured.high,
        source=rule.source,
    )


def catalogue_candidates(catalogue: "Catalogue") -> dict[str, tuple[Candidate, frozenset[str]]]:
    """Every model of the catalogue that takes text: its candidate, and all names under which it can be asked for."""
    names: dict[str, list[str]] = {name: [] for name in catalogue.models}
    for offer in catalogue.tables.api_offers:
        if offer.mode != "other":
            names.setdefault(offer.canonical or offer.model, []).extend(
                [offer.model, f"{offer.provider}/{offer.model}"]
            )
    return {name: (candidate(name, *others), frozenset((name, *others))) for name, others in sorted(names.items())}


def _found(pattern: str, name: str) -> bool:
    return re.search(rf"(?:^|[^a-z0-9])(?:{pattern})", name.lower()) is not None


def count_tokens(texts: Sequence[str], tokenizer: str, threads: int = 1) -> NDArray[np.int64]:
    """Tokens of each text. Text that looks like a special token counts as the text it is.

    >>> count_tokens(["To be or not to be", ""], "o200k_base").tolist()
    [6, 0]
    """
    import quicktok  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra

    counts: Any = quicktok.count_batch(quicktok.get_encoding(tokenizer), texts, threads)
    return np.asarray(counts, dtype=np.int64)
