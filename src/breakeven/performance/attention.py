"""What a token of the context costs in the layers of a model: KV cache that is kept or read, and multiplications.

Layers see the whole context, what an indexer selects from it (DeepSeek sparse attention: all of it is kept, a part is
read), or a window. Compressed layers keep one entry for several tokens.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from breakeven.catalogue.schema import ModelSpec
from breakeven.options.columns import Floats
from breakeven.performance.kinds import WIDE_BYTES

SCALED_TOGETHER = 128
"""8-bit keys of an index that share one 32-bit scale (vLLM's and SGLang's cache of DeepSeek-V3.2's indexer)."""
SCALE_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Attended:
    """What a token has in all layers together, by how much of the context they see."""

    whole: float
    selected: float
    """In layers that keep the whole context and read what is selected from it."""
    windowed: float


def kv_elements(model: ModelSpec) -> Attended:
    """Elements of KV cache a token."""
    return _attended(model, float(model.kv_elements_per_token_layer))


def index_bytes(model: ModelSpec) -> float:
    """Bytes a token that an indexer keeps, and reads for the whole context: 8-bit keys and their scales.

    >>> from breakeven.catalogue.load import load_catalogue
    >>> index_bytes(load_catalogue().models["deepseek-v3.2"])  # 61 layers x (128 + 4)
    8052.0
    """
    each = model.index_head_dim * (1 + SCALE_BYTES / SCALED_TOGETHER)
    return model.index_layers * each / model.tokens_per_selected_entry


def widths(model: ModelSpec) -> Attended:
    """Query heads x head dimension; an indexer sees the whole context."""
    found = _attended(model, float(model.attention_heads * model.head_dim))
    index = model.index_layers * model.index_heads * model.index_head_dim / model.tokens_per_selected_entry
    return Attended(whole=found.whole + index, selected=found.selected, windowed=found.windowed)


def _attended(model: ModelSpec, each: float) -> Attended:
    return Attended(
        whole=model.full_attention_layers * each / model.tokens_per_entry,
        selected=model.selecting_layers * each / model.tokens_per_selected_entry,
        windowed=model.windowed_layers * each,
    )


def kv_bytes(model: ModelSpec, tokens: Floats | float) -> Any:  # noqa: ANN401 - a number for a number, else an array
    """Bytes of KV cache that contexts of so many tokens keep, in 16 bits: windowed layers a part of it, others all.

    >>> from breakeven.catalogue.load import load_catalogue
    >>> float(kv_bytes(load_catalogue().models["llama3-70b"], 1000) / 1000)  # 80 layers x 8 heads x 128 x 2 x 2 bytes
    327680.0
    """
    kept = kv_elements(model)
    each = (kept.whole + kept.selected) * WIDE_BYTES + index_bytes(model)
    return each * tokens + kept.windowed * WIDE_BYTES * np.minimum(tokens, model.window_tokens)
