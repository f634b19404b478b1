"""Fit the speed equations on the shipped measurements and write ``parameters.toml``.

python tools/fit_calibration.py          fit, calibrate the bands on held-out groups, write the file

The file holds physics first (shares of the datasheet, overheads of each engine) and then the effects, a line a level:
``"level | level" = { n = measurements, quantity = factor }``. Priors and their reasons stand in ``tools/priors.toml``.
"""

import sys
import time
import tomllib
from pathlib import Path

import numpy as np

from banding import Bands, bands_of, elsewhere_of, variance_of
from breakeven import load_catalogue
from breakeven.performance.band import ELSEWHERE
from breakeven.performance.calibration import BETWEEN_LEVELS, COUNT, EVERYTHING, Parameters, parameters_of
from breakeven.performance.fit import Problem
from breakeven.performance.measured import Table, independent_measurements, shipped_measurements
from fitting import TERMS, Fitted, fitted, own_widths, prior_text
from heldout import errors_elsewhere, held_out, widths_elsewhere
from learning import Strangers, learning_of, rest_of_groups
from others import other_errors, other_paces, pass_widths

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "src" / "breakeven" / "performance" / "parameters.toml"
WORTH_WRITING = 0.015
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
    "cohort": "other prompts that a benchmark's client is prefilled beside",
    "pace": "time of every pass",
    "prompt": "compute time of prefill, beside that of decode",
    "first": "time to first token",
    "bulk": "output of work handed over at once",
    "routing": "tokens of a batch that choose their experts apart",
}
EVIDENCE_LEVELS = (("generation",), ("stack",), ("generation", "stack"), ("gpu", "stack"), ("gpu", "model", "stack"))
"""Of what the bands ask how often it was measured."""


def text_of(priors: str, fitted: Fitted, rows: int) -> str:
    """The file: the priors' own text, then the effects, one table for each combination of axes."""
    lines = [priors.rstrip(), "", f"# Effects: factors on a quantity, fitted on {rows:,} measurements by", *HOW]
    lines += [f"#   {quantity:<13} {meaning}" for quantity, meaning in MEANINGS.items()]
    combinations = dict.fromkeys((*(t.axes for t in fitted.terms), *EVIDENCE_LEVELS))
    for axes in combinations:
        lines += _table(axes, [n for n, term in enumerate(fitted.terms) if term.axes == axes], fitted)
    lines += ["", *OWN, "[own]", *(f"{quantity} = {width:.4g}" for quantity, width in own_widths().items())]
    return "\n".join([*lines, ""])


OWN = (
    "# Own: what measurements may find a user's engine, and each group under it, to do otherwise. Widths of the priors",
    "# in the logarithm: half of the root of the summed squares of all widths above.",
)
HOW = (
    "# tools/fit_calibration.py. A line is a level: n, the measurements that speak of it, and its factors (no unit);",
    "# a quantity that is not named has factor 1. The quantities:",
)


def _table(axes: tuple[str, ...], terms: list[int], fitted: Fitted) -> list[str]:
    """The levels of one combination of axes; where the bands ask for evidence, levels without an effect too."""
    levels: dict[tuple[str, ...], dict[str, float]] = {}
    counts: dict[tuple[str, ...], int] = {}
    for n in terms:
        for level, log, count in zip(fitted.levels[n], fitted.logs[n], fitted.counts[n], strict=True):
            if count:
                counts[level] = int(count)
                if abs(log) >= WORTH_WRITING:
                    levels.setdefault(level, {})[fitted.terms[n].quantity] = float(np.exp(log))
    if axes in EVIDENCE_LEVELS:
        levels = {level: levels.get(level, {}) for level in counts}
    if not levels:
        return []
    widths = ", ".join(f"{fitted.terms[n].quantity} {fitted.terms[n].width:g}" for n in terms)
    name = BETWEEN_LEVELS.join(axes) or EVERYTHING
    return ["", f'[effects."{name}"]  # prior widths in the logarithm: {widths}', *_lines(levels, counts)]


def _lines(levels: dict[tuple[str, ...], dict[str, float]], counts: dict[tuple[str, ...], int]) -> list[str]:
    lines = []
    for level, factors in sorted(levels.items()):
        told = "".join(f", {quantity} = {factor:.4g}" for quantity, factor in factors.items())
        lines.append(f'"{BETWEEN_LEVELS.join(level) or EVERYTHING}" = {{ {COUNT} = {counts[level]}{told} }}')
    return lines


def others_and_bands(text: str, bands: dict[str, dict[str, float]]) -> str:
    """What stands behind the effects: the pace of encoders and encoder-decoders, and the bands."""
    runs = list(other_errors(parameters_of(tomllib.loads(text))))
    paces, bands = other_paces(runs), bands | {"pass": pass_widths(runs)}
    lines = ["", '[effects."shape | stack"]  # runs of other_runs.csv: a pass or an output token']
    lines += _lines(
        {group: {"pace": factor} for group, (factor, _) in paces.items()}, {group: n for group, (_, n) in paces.items()}
    )
    lines += [
        "",
        "# Bands: half widths in the logarithm by evidence, spreads, a stranger's variance, what own rows tell.",
        "",
    ]
    for target, widths in bands.items():
        lines += [f"[bands.{target}]", *(f'"{name}" = {value:.4f}' for name, value in widths.items()), ""]
    return "\n".join(lines)


def fit_all(table: Table, strangers: Table, priors: str) -> str:
    """The whole calibration: fit, held-out errors, bands; ``strangers``: rows that nothing is fitted on."""
    parameters = parameters_of(tomllib.loads(priors))
    problem = Problem(table, parameters, TERMS)
    everything = np.ones(len(table.runs.kind), dtype=np.bool_)
    started = time.perf_counter()
    effects = problem.fit(everything)
    print(f"fitted {sum(len(e) for e in effects):,} levels in {time.perf_counter() - started:.0f} s")
    unseen, seen = held_out(problem)
    print(f"held-out groups predicted after {time.perf_counter() - started:.0f} s")
    text = text_of(priors, fitted(problem, effects, everything), len(everything))
    bands = bands_of(table, unseen, seen)
    known = parameters_of(tomllib.loads(text + "\n" + others_and_bands(text, bands)))
    return text + "\n" + others_and_bands(text, bands | of_strangers(strangers, known))


def of_strangers(table: Table, parameters: Parameters) -> Bands:
    """What publishers that the fit never saw do otherwise, what of it they share, what a few rows of theirs tell."""
    errors, plain = errors_elsewhere(table, parameters)
    more = elsewhere_of(errors, plain, table.file)
    widths = widths_elsewhere(plain, more)
    strangers = Strangers(table=table, parameters=parameters, errors=errors, widths=widths)
    told = {"variance": variance_of(table, errors), ELSEWHERE: more}
    return told | learning_of(strangers, rest_of_groups(strangers))


def main() -> int:
    """Write the file; the exit code."""
    catalogue = load_catalogue()
    text = fit_all(shipped_measurements(catalogue), independent_measurements(catalogue), prior_text())
    parameters_of(tomllib.loads(text))
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET.relative_to(ROOT)}: {len(text.splitlines()):,} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
