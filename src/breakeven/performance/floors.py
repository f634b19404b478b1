"""What no engine beats that takes a token a step and computes every prompt: times by the datasheet alone.

Speculative decoding may beat the first and a cache of prompts the second; predictions have neither.
"""

import numpy as np

from breakeven.catalogue.schema import ModelSpec
from breakeven.options.columns import Floats, Ints
from breakeven.performance.kinds import Kinds
from breakeven.performance.roofline import BYTES_PER_ACTIVATION, FLOPS_PER_PARAMETER

DECODER_SHARE = 0.5
"""Of an encoder-decoder's weights each of its halves has at least about so much."""


def step_floor_s(kinds: Kinds, rows: Ints) -> Floats:
    """Seconds to read the weights of one token once, for some rows: every token of output takes as long at least.

    Of untied input embeddings a token looks up one row.
    """
    total, experts = (column[rows] for column in kinds.weight_bytes())
    share = kinds.by_model(lambda m: m.experts_per_token / m.experts if m.experts else 1.0)[rows]
    read = kinds.by_model(lambda m: DECODER_SHARE if m.kind == "encoder-decoder" else 1.0)[rows]
    looked_up = (
        kinds.by_model(lambda m: 0 if m.tied_embeddings else m.vocab * m.hidden_size)[rows] * BYTES_PER_ACTIVATION
    )
    once = (total - experts + experts * share - looked_up) * read
    found: Floats = once / (_ranks(kinds, rows) * kinds.by_device(lambda d: d.bandwidth_bytes_per_s)[rows])
    return found


def prompt_floor_s(kinds: Kinds, rows: Ints, input_tokens: Floats) -> Floats:
    """Seconds to multiply a prompt with the weights that its tokens use, for some rows: the first token takes as long.

    At the device's rate for the format or for 16 bits, whichever is higher. An encoder-decoder's prompt passes its
    encoder alone, which is counted as half of it. NaN: the rate is not known.
    """
    params = kinds.by_model(lambda m: _multiplied(m) * (DECODER_SHARE if m.kind == "encoder-decoder" else 1.0))
    flops = FLOPS_PER_PARAMETER * input_tokens * params[rows]
    wide = kinds.by_device(lambda d: d.flops_per_s.get("bf16", np.nan))
    found: Floats = flops / (_ranks(kinds, rows) * np.fmax(kinds.flops_per_s(), wide)[rows])
    return np.where(np.isfinite(found), found, np.nan)


def _multiplied(model: ModelSpec) -> float:
    """Parameters that every token of a prompt runs through: no embeddings, and no head, which the last token needs."""
    embedding = model.vocab * model.hidden_size * (1 if model.tied_embeddings else 2)
    return max((model.params_active or 0) - embedding, 0)


def _ranks(kinds: Kinds, rows: Ints) -> Floats:
    found: Floats = (kinds.tensor_parallel * kinds.data_parallel * kinds.pipeline_parallel)[rows]
    return found
