"""One pass over the log: a joint histogram of input and output tokens, and the arrivals by minute.

Each usable row counts twice: once in its bin of (input, output), once in its minute. The bins are sixteenths of an
octave (4.4 % wide), so that everything else (quantiles, kinds of request, moments) comes from a few thousand lines,
however long the log is. Of some minutes, picked by a hash, every arrival is kept to the microsecond, for the gaps.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from breakeven.logs.extras import load
from breakeven.logs.rows import NO_CALL, USABLE
from breakeven.logs.times import US_PER_MINUTE, Column, Table
from breakeven.options.columns import Floats

Ints = np.ndarray[Any, np.dtype[np.int64]]
BINS_PER_OCTAVE = 16
KEPT_ARRIVALS = 50_000
"""About so many arrivals are kept to the microsecond."""
PER_E = BINS_PER_OCTAVE / math.log(2)
KNUTH, MASK, HALF_MASK = 2654435761, 2**32 - 1, 2**31 - 1
WIDTH = 4096
"""More than there are bins of one kind."""
KIND = 64 * WIDTH * WIDTH
"""Codes of one reason: up to 64 sides of thresholds times the bins of input and output."""
FLOATS = ("input_x_output", "output_squared")
SUMS = ("rows", "requests", "input", "output", "cached", "cache_write", "reasoning", "retries")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Histogram:
    """The lines of the pass for one group of requests, as columns."""

    group: tuple[str | None, ...]
    input_bin: Ints
    output_bin: Ints
    side: Ints
    sums: dict[str, Ints]
    input_x_output: Floats
    output_squared: Floats
    arrivals_us: Ints
    """A minute's beginning, or the very moment where the minute is one of those kept."""
    arrivals: Ints
    first_us: int
    last_us: int
    longest_span_us: int
    failed: int

    def total(self, name: str) -> int:
        """The sum of one column."""
        return int(self.sums[name].sum())


def is_kept(minute: Column, every: int) -> Column:
    """Whether a minute is kept: by a hash, not by a rhythm. Works on Ibis columns and on arrays."""
    return (((minute & HALF_MASK) * KNUTH) & MASK) < (MASK + 1) // every


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """How the histogram is cut."""

    groups: tuple[str, ...]
    thresholds: tuple[int, ...]
    """Lengths of prompt at which some price changes."""
    every: int
    """Of so many minutes one is kept to the microsecond."""
    sums: tuple[str, ...]
    """What the log holds, of ``SUMS``; the others are the same for every row."""


def cut(log_has: frozenset[str], rows: float, groups: Sequence[str], thresholds: Sequence[int]) -> Cut:
    """The cut for a log that holds some roles and about so many rows."""
    sums = tuple(name for name in SUMS if name in {"rows", "input", "output"} or name in log_has)
    return Cut(groups=tuple(groups), thresholds=tuple(thresholds), every=max(1, round(rows / KEPT_ARRIVALS)), sums=sums)


def histogram(rows: Table, how: Cut) -> Table:
    """The expression: request rows in, a line for each bin and minute out.

    A bin's code is negative and holds reason, side, input and output bin; a minute's is its beginning.
    """
    ibis = load("ibis")
    many = "requests" in how.sums
    rows = rows.mutate(minute=rows.at_us // US_PER_MINUTE, good=rows.kind == USABLE)
    per_request = {name: rows[name] / rows.requests if many else rows[name] for name in ("input", "output")}
    prompt = per_request["input"]
    keyed = rows.mutate(
        place=(rows.kind > NO_CALL).ifelse(rows.file, ibis.null("string")),
        arrival=is_kept(rows.minute, how.every).ifelse(rows.at_us, rows.minute * US_PER_MINUTE),
        side=_side(prompt, how.thresholds),
        input_bin=bin_of(prompt),
        output_bin=bin_of(per_request["output"]),
        input_x_output=rows.input.cast("float64") * per_request["output"],
        output_squared=rows.output.cast("float64") * per_request["output"],
    )
    inner = (keyed.side * WIDTH + keyed.input_bin + 1) * WIDTH + keyed.output_bin + 1
    code = -1 - keyed.kind * KIND - keyed.good.ifelse(inner, 0)
    keyed = keyed.mutate(code=code, arrival=keyed.good.ifelse(keyed.arrival, ibis.null("int64")))
    keyed = keyed.mutate(code=ibis.array([keyed.code, keyed.arrival]).unnest())
    keyed = keyed.filter(keyed.code.notnull())
    return keyed.group_by(*how.groups, "place", "code").agg(
        rows=keyed.count(),
        **{name: keyed[name].sum() for name in how.sums[1:]},
        input_x_output=keyed.input_x_output.sum(),
        output_squared=keyed.output_squared.sum(),
        first_us=keyed.at_us.min().fill_null(0),
        last_us=((keyed.at_us + keyed.span_us) if many else keyed.at_us).max().fill_null(0),
        **({"longest_span_us": keyed.span_us.max()} if many else {}),
    )


def _side(prompt: Column, thresholds: Sequence[int]) -> Column:
    """How many thresholds a prompt is longer than."""
    none = load("ibis").literal(0, type="int64")
    above = sum(((prompt > limit).cast("int64") for limit in thresholds), none)
    return (prompt > thresholds[0]).ifelse(above, none) if thresholds else none


def bin_of(tokens: Column) -> Column:
    """Bin -1 for no tokens, else sixteenths of an octave.

    Half a token is added, so that no whole number lies on an edge where two engines might round apart.
    """
    logarithm = ((tokens + 0.5).ln() * PER_E).floor().cast("int64")
    return (tokens <= 0).ifelse(-1, logarithm)


def split(table: Any, groups: Sequence[str]) -> tuple[list[Histogram], dict[tuple[int, str], int], int]:  # noqa: ANN401
    """The lines by group, largest first; the unusable rows by (reason, file); the rows that are no calls."""
    numbers = _columns(table, groups)
    kinds, counts = numbers["kind"], numbers["rows"]
    places = table.column("place").to_pylist()
    unusable: dict[tuple[int, str], int] = {}
    for at in np.flatnonzero(kinds > NO_CALL):
        key = int(kinds[at]), str(places[at])
        unusable[key] = unusable.get(key, 0) + int(counts[at])
    names = [table.column(name).to_pylist() for name in groups]
    labels = list(zip(*names, strict=True)) if groups else [()] * len(kinds)
    calls = kinds < NO_CALL
    order = {label: None for label, call in zip(labels, calls, strict=True) if call}
    codes = {label: code for code, label in enumerate(order)}
    code = np.array([codes.get(label, -1) for label in labels], dtype=np.int64)
    found = [_histogram(numbers, (code == codes[label]) & calls, label) for label in order]
    found.sort(key=lambda one: (-one.total("requests"), [str(name) for name in one.group]))
    return found, unusable, int(counts[kinds == NO_CALL].sum())


def _columns(table: Any, groups: Sequence[str]) -> dict[str, "np.ndarray[Any, Any]"]:  # noqa: ANN401
    """The columns of numbers as arrays; a sum that was not asked for is 0, and each row one request."""
    found = {
        name: _numbers(table.column(name), "float64" if name in FLOATS else "int64")
        for name in table.column_names
        if name not in ("place", *groups)
    }
    nothing = np.zeros(table.num_rows, dtype=np.int64)
    code = found["code"]
    inner = np.where(code < 0, -1 - code, 0)
    decoded = {
        "kind": inner // KIND,
        "side": inner % KIND // (WIDTH * WIDTH),
        "input_bin": inner // WIDTH % WIDTH - 1,
        "output_bin": inner % WIDTH - 1,
    }
    return {**dict.fromkeys((*SUMS, "longest_span_us"), nothing), "requests": found["rows"], **found, **decoded}


def _numbers(column: Any, kind: str) -> "np.ndarray[Any, Any]":  # noqa: ANN401 - a pyarrow column
    """The numbers themselves, none of them null, without pandas, which pyarrow's own way loads."""
    whole = column.cast(kind).combine_chunks()
    return np.from_dlpack(whole) if len(whole) else np.zeros(0, dtype=kind)


def _histogram(
    numbers: dict[str, "np.ndarray[Any, Any]"], mine: "np.ndarray[Any, Any]", group: tuple[str | None, ...]
) -> Histogram:
    usable, minutes = numbers["kind"] == USABLE, mine & (numbers["code"] >= 0)
    bins = mine & usable & ~minutes
    arrivals_us = numbers["code"][minutes]
    order = np.argsort(arrivals_us, kind="stable")
    failed = mine & ~usable
    seen = bins if bins.any() else failed
    return Histogram(
        group=group,
        input_bin=numbers["input_bin"][bins],
        output_bin=numbers["output_bin"][bins],
        side=numbers["side"][bins],
        sums={name: numbers[name][bins] for name in SUMS},
        input_x_output=numbers["input_x_output"][bins],
        output_squared=numbers["output_squared"][bins],
        arrivals_us=arrivals_us[order],
        arrivals=numbers["requests"][minutes][order],
        first_us=int(numbers["first_us"][seen].min()),
        last_us=int(numbers["last_us"][seen].max()),
        longest_span_us=int(numbers["longest_span_us"][seen].max()),
        failed=int(numbers["rows"][failed].sum()),
    )
