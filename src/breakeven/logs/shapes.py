"""From the joint histogram to a few kinds of request: bands of input crossed with bands of output.

The bands are cut at quantiles, with narrow ones around the median and the 95th percentile, and where a long-context
price begins. Each kind has the share and the means of its requests, so every mean of the mix is exact; the median and
the 95th percentile lie within their narrow band. What is lost is the spread inside a kind: on the public Azure and
Mooncake conversation traces E[input x output] is kept to 0.2 %, E[output^2] to 4 and 8 %, the quantiles to 3 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from breakeven.logs.histogram import Histogram, Ints
from breakeven.options.columns import Floats

CUTS = (0.45, 0.55, 0.93, 0.97)
"""Where the bands end, as shares of the requests."""
SMALLEST_SHARE = 0.004
"""A kind with a smaller share joins its neighbour in output, in the same band of input."""
KINDS = ("input", "output", "cached", "cache_write", "reasoning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of request: its share of all, and its mean tokens."""

    share: float
    input: float
    output: float
    cached: float
    cache_write: float
    reasoning: float


def kinds(found: Histogram) -> tuple[Kind, ...]:
    """The kinds of request of a histogram, by input and output."""
    requests = found.sums["requests"]
    rows, columns = _bands(found.input_bin, requests), _bands(found.output_bin, requests)
    cells: dict[tuple[int, int], dict[int, Ints]] = {}
    for at in range(len(requests)):
        line = np.array([requests[at], *(found.sums[name][at] for name in KINDS)], dtype=np.int64)
        band = cells.setdefault((int(found.side[at]), int(rows[at])), {})
        band[int(columns[at])] = band.get(int(columns[at]), np.zeros_like(line)) + line
    total = int(requests.sum())
    joined = [line for key in sorted(cells) for line in _joined(cells[key], SMALLEST_SHARE * total)]
    return tuple(_kind(line, total) for line in joined)


def _bands(bins: Ints, requests: Ints) -> Ints:
    """The band of each line: how many cuts its bin lies above."""
    _, place = np.unique(bins, return_inverse=True)
    counts = np.bincount(place, weights=requests)
    middle = (np.cumsum(counts) - counts / 2) / counts.sum()
    band: Ints = np.searchsorted(np.array(CUTS), middle).astype(np.int64)
    return band[place]


def _joined(band: dict[int, Ints], smallest: float) -> list[Ints]:
    """The lines of one band of input, small ones added to the smaller of their neighbours."""
    lines = [band[key] for key in sorted(band)]
    while len(lines) > 1:
        at = min(range(len(lines)), key=lambda n: int(lines[n][0]))
        if lines[at][0] >= smallest:
            break
        beside = min((n for n in (at - 1, at + 1) if 0 <= n < len(lines)), key=lambda n: int(lines[n][0]))
        low, high = sorted((at, beside))
        lines[low : high + 1] = [lines[low] + lines[high]]
    return lines


def _kind(line: Ints, total: int) -> Kind:
    count = int(line[0])
    means = {name: int(line[place]) / count for place, name in enumerate(KINDS, start=1)}
    return Kind(share=count / total, **means)


def quantiles(bins: Ints, requests: Ints, tokens: Ints, wanted: Sequence[float]) -> list[float]:
    """Tokens at quantiles: the mean of the bin that holds the quantile, so off by less than its width of 4.4 %."""
    order = np.argsort(bins, kind="stable")
    _, first = np.unique(bins[order], return_index=True)
    counts = np.add.reduceat(requests[order], first)
    means = np.add.reduceat(tokens[order], first) / counts
    ends = np.cumsum(counts) / counts.sum()
    return [float(means[min(int(np.searchsorted(ends, share)), len(ends) - 1)]) for share in wanted]


def moments(mix: Sequence[Kind]) -> tuple[float, float]:
    """E[input x output] and E[output squared] of the kinds."""
    share: Floats = np.array([kind.share for kind in mix])
    into = np.array([kind.input for kind in mix])
    out = np.array([kind.output for kind in mix])
    return float((share * into * out).sum()), float((share * out * out).sum())
