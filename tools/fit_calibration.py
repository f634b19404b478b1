"""Fit the speed equations on the shipped measurements and write ``parameters.toml``.

python tools/fit_calibration.py          fit, calibrate the bands on held-out groups, write the file

The file holds physics first (shares of the datasheet, overheads of each engine) and then the effects, each as
``"level | level" = [factor, measurements]``. Priors and their reasons stand in ``tools/priors.toml``.
"""

import sys
import time
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np

from banding import bands_of
from breakeven import load_catalogue
from breakeven.options.columns import Floats, Ints
from breakeven.performance.calibration import BETWEEN_LEVELS, EVERYTHING, parameters_of
from breakeven.performance.effects import Axes
from breakeven.performance.measured import Table, shipped_measurements
from fitting import Fitted, Problem, Term
from heldout import held_out
from others import other_paces

ROOT = Path(__file__).parent.parent
PRIORS = ROOT / "tools" / "priors.toml"
TARGET = ROOT / "src" / "breakeven" / "performance" / "parameters.toml"
WORTH_WRITING = 0.01
"""Effects smaller than this in the logarithm are left out."""
MEANINGS = {
    "bandwidth": "memory bandwidth reached",
    "flops": "compute rate reached",
    "kv": "rate of KV traffic, beside that of weights",
    "experts": "rate of expert weights, beside that of weights",
    "hop": "latency of an all-reduce hop",
    "link": "rate of an all-reduce",
    "layer": "launch time a layer",
    "sequence": "host time a sequence",
    "step": "host time a step",
    "request": "front-end time a request",
    "interference": "prefill time that decode loses (theta)",
    "queueing": "weight of the wait for others' prefill (phi)",
    "burst": "share of the burst at a benchmark's start",
    "pace": "time of every pass",
    "first": "time to first token",
    "bulk": "output of work handed over at once",
}
EVIDENCE_LEVELS = (("generation",), ("stack",), ("generation", "stack"), ("gpu", "stack"), ("gpu", "model", "stack"))
"""Of what the bands ask how often it was measured."""


def text_of(priors: str, fitted: Fitted, rows: int) -> str:
    """The file: the priors' own text, then the effects."""
    lines = [priors.rstrip(), "", f"# Effects: factors on a quantity, fitted on {rows:,} measurements by", *HOW, ""]
    for term, levels, logs, counts in zip(fitted.terms, fitted.levels, fitted.logs, fitted.counts, strict=True):
        lines += _effect(term, levels, logs, counts)
    return "\n".join(lines)


def evidence_of(table: Table) -> list[str]:
    """How many measurements there are of each level that the bands ask for."""
    axes = Axes(table.runs.kinds)
    on = table.runs.kind[table.runs.covered]
    lines = ["# Evidence: how many measurements there are.", ""]
    for names in EVIDENCE_LEVELS:
        columns = [axes.labels(name) for name in names]
        levels = zip(*([labels[i] for i in index[on]] for labels, index in columns), strict=True)
        lines.append(f'[evidence."{BETWEEN_LEVELS.join(names)}"]')
        counted = sorted(Counter(levels).items())
        lines += [f'"{BETWEEN_LEVELS.join(level)}" = {count}' for level, count in counted] + [""]
    return lines


def others_and_bands(text: str, bands: dict[str, dict[str, float]], evidence: list[str]) -> str:
    """What stands behind the effects: the pace of encoders and encoder-decoders, and the bands."""
    lines = ['[effects.pace."shape | stack"]  # runs of other_runs.csv: a pass or an output token']
    for group, (factor, count) in sorted(other_paces(parameters_of(tomllib.loads(text))).items()):
        lines.append(f'"{BETWEEN_LEVELS.join(group)}" = [{factor:.4g}, {count}]')
    lines += [
        "",
        *evidence,
        "# Bands: half widths in the logarithm by evidence, spreads, variances of group errors.",
        "",
    ]
    for target, widths in bands.items():
        lines += [f"[bands.{target}]", *(f'"{name}" = {value:.4f}' for name, value in widths.items()), ""]
    return "\n".join(lines)


HOW = (
    "# tools/fit_calibration.py: [factor, measurements that speak of the level]. A level not listed has factor 1.",
    "# Factors have no unit.",
)


def _effect(term: Term, levels: tuple[tuple[str, ...], ...], logs: Floats, counts: Ints) -> list[str]:
    rows = [
        f'"{BETWEEN_LEVELS.join(level) or EVERYTHING}" = [{np.exp(log):.4g}, {count}]'
        for level, log, count in zip(levels, logs, counts, strict=True)
        if count and abs(log) >= WORTH_WRITING
    ]
    if not rows:
        return []
    head = f'[effects.{term.quantity}."{BETWEEN_LEVELS.join(term.axes) or EVERYTHING}"]'
    return [f"{head}  # {MEANINGS[term.quantity]}; prior width {term.width:g} in the logarithm", *sorted(rows), ""]


def fit_all(table: Table, priors: str) -> str:
    """The whole calibration: fit, held-out errors, bands."""
    parameters = parameters_of(tomllib.loads(priors))
    problem = Problem(table, parameters)
    everything = np.ones(len(table.runs.kind), dtype=np.bool_)
    started = time.perf_counter()
    effects = problem.fit(everything)
    print(f"fitted {sum(len(e) for e in effects):,} levels in {time.perf_counter() - started:.0f} s")
    unseen, seen = held_out(problem)
    print(f"held-out groups predicted after {time.perf_counter() - started:.0f} s")
    text = text_of(priors, problem.fitted(effects, everything), len(everything))
    return text + "\n" + others_and_bands(text, bands_of(table, unseen, seen), evidence_of(table))


def main() -> int:
    """Write the file; the exit code."""
    text = fit_all(shipped_measurements(load_catalogue()), PRIORS.read_text(encoding="utf-8"))
    parameters_of(tomllib.loads(text))
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET.relative_to(ROOT)}: {len(text.splitlines()):,} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
