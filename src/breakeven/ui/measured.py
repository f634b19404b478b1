"""How accurate the speeds are, by GPU: predicted against measured of every row that the fit never saw."""

import csv
import math
from collections.abc import Sequence
from functools import cache
from importlib import resources

import altair as alt
import msgspec
import numpy as np

from breakeven.errors import UnknownNameError
from breakeven.performance.measured import TARGETS
from breakeven.report.charts import COLOURS, HOSTED, INK, Rows, data, spoken, styled
from breakeven.wording import Say, worded

MOST_DOTS = 1500
"""More could not be told apart; of more, as many are drawn evenly over the file."""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement beside its held-out prediction. ``inside``: the 80 % band; ``None`` where it is not known."""

    gpu: str
    model: str
    measured: float
    predicted: float
    inside: bool | None


class GpuScore(msgspec.Struct, frozen=True, kw_only=True):
    """The errors on one GPU: |predicted / measured - 1|; ``bias`` is the median of log(predicted / measured)."""

    gpu: str
    rows: int
    median_absolute_error: float
    bias: float
    inside_band: float | None

    @property
    def typical_error(self) -> float:
        """The bias as people read it: by how much the middle prediction is above what was measured."""
        return math.expm1(self.bias)


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """The errors of one target, in total and by GPU, most rows first."""

    target: str
    total: GpuScore
    gpus: tuple[GpuScore, ...]


@cache
def pairs() -> dict[str, tuple[Pair, ...]]:
    """Every held-out pair, by target."""
    file = resources.files("breakeven.performance").joinpath("data", "held_out.csv")
    found: dict[str, list[Pair]] = {target: [] for target in TARGETS}
    for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines()):
        inside = None if row["inside"] == "" else row["inside"] == "1"
        measured, predicted = float(row["measured"]), float(row["predicted"])
        pair = Pair(gpu=row["gpu"], model=row["model"], measured=measured, predicted=predicted, inside=inside)
        found[row["target"]].append(pair)
    return {target: tuple(rows) for target, rows in found.items()}


@cache
def accuracy(target: str) -> Accuracy:
    """The errors of one target.

    Raises:
        UnknownNameError: if nothing of that name is predicted.
    """
    if target not in pairs():
        raise UnknownNameError("target", target, pairs())
    rows = pairs()[target]
    by_gpu: dict[str, list[Pair]] = {}
    for row in rows:
        by_gpu.setdefault(row.gpu, []).append(row)
    scores = sorted((_score(gpu, held) for gpu, held in by_gpu.items()), key=lambda one: (-one.rows, one.gpu))
    return Accuracy(target=target, total=_score("", rows), gpus=tuple(scores))


def _score(gpu: str, rows: Sequence[Pair]) -> GpuScore:
    ratio = np.array([row.predicted / row.measured for row in rows])
    known = [row.inside for row in rows if row.inside is not None]
    return GpuScore(
        gpu=gpu,
        rows=len(rows),
        median_absolute_error=float(np.median(np.abs(ratio - 1))),
        bias=float(np.median(np.log(ratio))),
        inside_band=sum(known) / len(known) if known else None,
    )


def of_gpu(target: str, gpu: str) -> tuple[Pair, ...]:
    """The pairs of one GPU; of all for an empty name.

    Raises:
        UnknownNameError: if none was measured on a GPU of that name.
    """
    accuracy(target)
    found = tuple(row for row in pairs()[target] if gpu in ("", row.gpu))
    if not found:
        raise UnknownNameError("measured GPU", gpu, {row.gpu for row in pairs()[target]})
    return found


def scatter(
    rows: Sequence[Pair], title: str, size: tuple[int, int], say: Say = str, told: Sequence[str] = ()
) -> alt.TopLevelMixin:
    """Predicted against measured, both logarithmic, with the diagonal of a perfect prediction.

    ``told``: what each dot says.
    """
    width, height = size
    step = max(1, -(-len(rows) // MOST_DOTS))
    shown: Rows = [{"x": row.measured, "y": row.predicted} for row in rows[::step]]
    every = [value for row in shown for value in (row["x"], row["y"])]
    ends = [min(every) / 1.3, max(every) * 1.3]
    x = alt.X("x:Q").scale(type="log", domain=ends, nice=False)
    x = x.axis(title=say(worded("measured: {what}", what=title)), tickCount=max(width // 140, 2), format="~s")
    y = alt.Y("y:Q").scale(type="log", domain=ends, nice=False).axis(title=say("predicted"), tickCount=5, format="~s")
    dots = (
        spoken(shown, told[::step])
        .mark_point(filled=True, size=14, color=COLOURS[HOSTED], opacity=0.45, aria=bool(told))
        .encode(x, y)
    )
    line = alt.Chart(data([{"x": end, "y": end} for end in ends])).mark_line(color=INK, strokeDash=[4, 3])
    return styled(alt.layer(dots, line.encode(x, y)).properties(width=width, height=height))


def scatter_in_words(found: Accuracy, gpu: str) -> str:
    """What the picture shows, for those who do not see it."""
    one = next((score for score in found.gpus if score.gpu == gpu), found.total)
    return worded(
        "Predicted against measured, both logarithmic, {rows:,} dots: the median error is "
        "{error:.1%}, the bias {bias:+.1%}.",
        rows=one.rows,
        error=one.median_absolute_error,
        bias=one.typical_error,
    )
