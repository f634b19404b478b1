"""The accuracy of the predictor on a table: the scores, a table for the terminal, a prediction for every row."""

import csv
import io
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from breakeven.catalogue.load import Catalogue
from breakeven.performance.accuracy import Banded, Part, Regret, Score, lies_above, parts_of, regrets
from breakeven.performance.band import half_widths
from breakeven.performance.calibration import Parameters
from breakeven.performance.known import not_covered
from breakeven.performance.measured import TARGETS, Table, fitted_ids
from breakeven.performance.rows import REASONS_TOLD
from breakeven.performance.table import predict_runs
from breakeven.report.words import WIDTH

PRICED_IN = "us-east-1"
"""Where the machines of the dollar regret are rented."""
HEADS = {"output_tokens_per_s": "tokens/s", "ttft_s": "TTFT", "tpot_s": "TPOT"}


class NotCovered(msgspec.Struct, frozen=True, kw_only=True):
    """A reason for which rows have no prediction."""

    reason: str
    rows: int
    first_row: int
    """Where the first of them begins in the file (the header is row 1)."""


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """What `breakeven accuracy` tells."""

    rows: int
    covered: int
    coverage: float
    not_covered: tuple[NotCovered, ...]
    """Why rows have no prediction, the most frequent reason first."""
    fitted_on: int
    """Covered rows by whose id the calibration was fitted: their errors are smaller than those of rows kept apart."""
    parts: tuple[Part, ...]
    dollar_regret: dict[str, Regret]


def scored(table: Table, catalogue: Catalogue, parameters: Parameters) -> tuple[Scored, dict[str, Banded]]:
    """The scores of a table, and the prediction of every row."""
    predicted = banded_rows(table, parameters)
    rows, covered = len(table.runs.kind), int(table.runs.covered.sum())
    prices, fitted = usd_per_device_hour(catalogue), fitted_ids()
    found = Scored(
        rows=rows,
        covered=covered,
        coverage=covered / rows if rows else 0.0,
        not_covered=_grouped(not_covered(table, catalogue), table.lines),
        fitted_on=sum(table.texts["id"][row] in fitted for row in np.flatnonzero(table.runs.covered)),
        parts=parts_of(table, predicted),
        dollar_regret=regrets(table, predicted["output_tokens_per_s"].mid, prices),
    )
    return found, predicted


def _grouped(reasons: Mapping[int, str], lines: Sequence[int]) -> tuple[NotCovered, ...]:
    """Reasons by row as reasons with their rows, the most frequent one first."""
    found: dict[str, list[int]] = {}
    for row, why in reasons.items():
        found.setdefault(why, []).append(lines[row])
    told = (NotCovered(reason=why, rows=len(rows), first_row=rows[0]) for why, rows in found.items())
    return tuple(sorted(told, key=lambda one: -one.rows))


def banded_rows(table: Table, parameters: Parameters) -> dict[str, Banded]:
    """The prediction of every row with its 80 % band; NaN where the row is not covered."""
    served = predict_runs(table.runs, parameters)
    widths = half_widths(table.runs.kinds, parameters)
    on = np.maximum(table.runs.kind, 0)
    found = {}
    for target in TARGETS:
        mid = getattr(served, target)
        factor = np.exp(widths[target][on]) if len(widths[target]) else np.full(len(on), np.nan)
        found[target] = Banded(mid=mid, low=mid / factor, high=mid * factor)
    return found


def usd_per_device_hour(catalogue: Catalogue) -> dict[str, float]:
    """The least on-demand price a device and hour of each accelerator on the newest day that is known."""
    snapshot = catalogue.on(catalogue.last_day, PRICED_IN)
    found: dict[str, float] = {}
    for (machine, term), price in snapshot.machine_prices.items():
        instance = catalogue.instances.get(machine)
        if price is None or term != "on-demand" or instance is None or not instance.accelerator:
            continue
        usd = float(price.usd_per_hour) / instance.accelerator_count
        found[instance.accelerator] = min(usd, found.get(instance.accelerator, np.inf))
    return found


def rows_csv(table: Table, predicted: dict[str, Banded]) -> bytes:
    """``id``, and for each target the prediction under its name and its band as ``_low`` and ``_high``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", *(f"{target}{end}" for target in TARGETS for end in ("", "_low", "_high"))])
    columns = [
        column
        for target in TARGETS
        for column in (predicted[target].mid, predicted[target].low, predicted[target].high)
    ]
    for name, *values in zip(table.texts["id"], *columns, strict=True):
        writer.writerow([name, *("" if np.isnan(value) else f"{value:.6g}" for value in values)])
    return text.getvalue().encode()


def print_scores(found: Scored) -> None:
    """The scores in the terminal, at most 100 columns wide."""
    console = Console(width=WIDTH, highlight=False)
    console.print(f"{found.covered:,} of {found.rows:,} rows covered ({found.coverage:.1%})")
    for one in found.not_covered[:REASONS_TOLD]:
        rows = f"{one.rows:,} rows, the first is row" if one.rows > 1 else "row"
        console.print(f"  not covered: {rows} {one.first_row}: {escape(one.reason)}")
    if len(found.not_covered) > REASONS_TOLD:
        console.print(f"  and {len(found.not_covered) - REASONS_TOLD} more reasons (--json lists them)")
    if found.fitted_on:
        rows = f"{found.fitted_on:,} of {found.rows:,} rows are ones that the calibration was fitted on"
        console.print(f"{rows}: their errors are smaller than those of rows kept apart (docs/theory/accuracy.md)")
    for target, head in HEADS.items():
        grid = Grid(box=box.SIMPLE_HEAD, title=head, title_justify="left", pad_edge=False, padding=(0, 1))
        grid.add_column("", no_wrap=True)
        for name in ("rows", "median error", "mean error", "bias", "inside the band"):
            grid.add_column(name, justify="right")
        for part in found.parts:
            if part.scores[target].measured:
                grid.add_row(f"{part.by}: {part.part}", *cells(part.scores[target]))
        console.print(grid)
    for what, regret in found.dollar_regret.items():
        if regret.mean is not None and regret.p90 is not None:
            told = f"{regret.mean:.1%} on average, {regret.p90:.1%} or more in a tenth of {regret.works} works"
            console.print(f"dollars lost by choosing the {what} by prediction: {told}")


def cells(score: Score) -> list[str]:
    """A score as people read it."""

    def share(value: float | None, sign: str = "") -> str:
        return "" if value is None else f"{value:{sign}.1%}"

    return [
        f"{score.predicted:,}",
        share(score.median_absolute_error),
        share(score.mean_absolute_error),
        share(lies_above(score.bias), "+"),
        share(score.inside_band),
    ]
