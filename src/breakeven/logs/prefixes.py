"""How much of the prompts a prefix cache that forgets nothing could have reused, from the hashes of their blocks.

A hash stands for a block and all that comes before it, so the same hash twice is the same prefix twice. The first
request that holds a hash pays for its block; every later one could have read it. A real cache forgets, and reuses less.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from breakeven.logs.batches import Batch
from breakeven.logs.engines import Engine
from breakeven.logs.extras import load
from breakeven.logs.histogram import Histogram, bin_of
from breakeven.logs.layouts import BLOCK_TOKENS
from breakeven.logs.rows import USABLE, Reader, Wanted, paths_needed, rows_of
from breakeven.logs.times import Table


def reusable(engine: Engine, batch: Batch, wanted: Wanted) -> Table:
    """The expression: for each bin of input and output the input tokens that an earlier request had already sent."""
    ibis, blocks = load("ibis"), batch.layout.blocks
    paths = [*paths_needed(batch, wanted), str(blocks)]
    rows = rows_of(Reader(batch, engine.open(batch, paths), paths), wanted, keep=(str(blocks),))
    rows = rows.filter((rows.kind == USABLE) & (rows[blocks].length() > 0))
    entries = rows.select(
        "at_us",
        "input",
        "output",
        hash=rows[blocks].unnest(),
        count=rows[blocks].length(),
        last=rows[blocks][rows[blocks].length() - 1],
    )
    rest = entries.input - (entries["count"] - 1) * BLOCK_TOKENS
    tokens = (entries.hash == entries["last"]).ifelse(rest, BLOCK_TOKENS)
    entries = entries.mutate(tokens=tokens.clip(lower=0, upper=BLOCK_TOKENS).cast("int64"))
    order = [entries.at_us, entries.input, entries.output]
    place = ibis.row_number().over(group_by=entries.hash, order_by=order)
    entries = entries.mutate(again=place > 0, input_bin=bin_of(entries.input), output_bin=bin_of(entries.output))
    return entries.group_by("input_bin", "output_bin").agg(
        tokens=entries.again.ifelse(entries.tokens, 0).sum(), blocks=entries.count(), again=entries.again.sum()
    )


def by_bin(found: Any) -> dict[tuple[int, int], int]:  # noqa: ANN401 - a pyarrow table
    """Reusable tokens by (input bin, output bin)."""
    rows = found.to_pylist()
    return {(row["input_bin"], row["output_bin"]): int(row["tokens"]) for row in rows}


def with_prefixes(found: Histogram, tokens: dict[tuple[int, int], int]) -> Histogram:
    """The histogram with the reusable tokens as its cached ones; lines of one bin share them by their input."""
    input_tokens = found.sums["input"]
    _, place = np.unique(np.stack([found.input_bin, found.output_bin]), axis=1, return_inverse=True)
    place = place.reshape(-1)
    of_bin = np.bincount(place, weights=input_tokens)[place]
    pairs = zip(found.input_bin.tolist(), found.output_bin.tolist(), strict=True)
    again = np.array([tokens.get(pair, 0) for pair in pairs], dtype=np.float64)
    cached = np.minimum(np.floor(again * input_tokens / np.maximum(of_bin, 1)).astype(np.int64), input_tokens)
    return replace(found, sums={**found.sums, "cached": cached})
