"""The calibration's own fit: its priors, its terms, and predictions for groups that it never saw."""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from breakeven import load_catalogue
from breakeven.options.columns import Floats, Ints, Mask
from breakeven.performance.calibration import Parameters, parameters_of
from breakeven.performance.fit import ROUNDS, Problem, Term
from breakeven.performance.measured import Table
from starts import overhead_text

PRIORS = Path(__file__).parent / "priors.toml"


def prior_text() -> str:
    """The file of the parameters before any run has spoken: the priors, and what engines keep of the memory."""
    return PRIORS.read_text(encoding="utf-8").rstrip() + "\n\n" + overhead_text(load_catalogue())


def prior_parameters() -> Parameters:
    """The parameters before any measured run has spoken."""
    return parameters_of(tomllib.loads(prior_text()))


def terms_of(text: str) -> tuple[Term, ...]:
    """Terms from ``quantity: axis|axis=width ...``; ``all`` is one level for every row."""
    found, quantity = [], ""
    for word in text.split():
        if word.endswith(":"):
            quantity = word[:-1]
            continue
        axes, width = word.split("=")
        found.append(Term(quantity, () if axes == "all" else tuple(axes.split("|")), float(width)))
    return tuple(found)


TERMS = terms_of(
    """
    bandwidth: generation=.1 generation|stack=.1 generation|degree=.1 format=.1
    flops: generation=.3 generation|stack=.2 generation|format=.2 path=.26
    kv: all=.5 stack=.3 generation|stack=.2 generation|format=.15 group=.2 stack|group=.3 generation|group=.3
    experts: all=.3 stack=.2 generation|format=.2 model=.1
    routing: all=.3 mode=.3 stack|mode=1.0
    hop: link=.5 link|stack=.4 gpu|stack=.2
    link: link=.5 link|stack=.4 path=1.5
    layer: generation=.3 stack=1.0 stack|version=.15 stack|version|shape=.3 generation|stack=.3 shape=.7 stack|shape=.3
      format|shape=.3 stack|format|shape=.2 attention=.3
    sequence: stack=1.0 stack|version=.15 stack|version|shape=.2 generation|stack=.3 mode=.3 shape=.3
    step: stack=1.0 stack|version=.3 generation|stack=.3 mode=.3 path=.47
    request: path=1.5 stack=1.0 stack|version=.5 stack|mode=.4 generation|stack=.3
    interference: all=.3 stack=.5 mode=.3
    queueing: all=1.0 stack=.3 mode=.5 lengths=.5
    burst: all=1.0 stack=1.0 stack|version=.4 lengths=1.0
    cohort: all=.7 stack=.5 mode=.5 lengths=.7
    prompt: shape=.3 stack=.3 stack|version=.2 stack|shape=.2 generation|stack=.2 generation|format=.2 model=.1
    pace: path=.06 attention=.2 gpu=.03 gpu|stack=.05 stack|version=.05 model=.03 model|stack=.025 stack|degree=.03
      stack|format=.03 generation|format=.03 generation|stack|format=.03 shape=.06 mode=.06
      generation|stack|stages=.4
      gpu|model|stack=.05
    first: stack=.2 stack|version=.12 gpu|stack=.1 mode=.2 mode|stack=.12 shape=.06 gpu|model|stack=.045
    bulk: mode=.3 stack=.2 stack|version=.15 mode|model=.15 gpu|stack=.1 mode|stack=.2
    """
)


OWN_SHARE = 0.5
"""Of the width of what stacks differ among each other: what a user's engine, and each group of it, does otherwise. On
independent publishers 0.35 to 0.7 do about as well."""


def own_widths() -> dict[str, float]:
    """By quantity the width of the prior of a user's own effects, from those of all terms together."""
    squares: dict[str, float] = {}
    for term in TERMS:
        squares[term.quantity] = squares.get(term.quantity, 0.0) + term.width**2
    return {quantity: OWN_SHARE * math.sqrt(total) for quantity, total in squares.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The effects of one fit: for each term the labels of its levels, their logarithms and evidence."""

    terms: tuple[Term, ...]
    levels: tuple[tuple[tuple[str, ...], ...], ...]
    logs: tuple[Floats, ...]
    counts: tuple[Ints, ...]


def fitted(problem: Problem, effects: list[Floats], rows: Mask) -> Fitted:
    """The effects with their labels and evidence."""
    on = problem.table.runs.kind[rows & problem.table.runs.covered]
    counts = tuple(
        np.bincount(code[on], minlength=len(labels)) for code, labels in zip(problem.codes, problem.levels, strict=True)
    )
    return Fitted(terms=problem.terms, levels=tuple(problem.levels), logs=tuple(effects), counts=counts)


def folds_of(table: Table, count: int = 5, seed: int = 1, columns: tuple[str, ...] = ("gpu", "model")) -> Ints:
    """A fold for each row: whole groups of equal ``columns``, the largest dealt out first."""
    return dealt([" ".join(k) for k in zip(*(table.texts[c] for c in columns), strict=True)], count, seed)


def dealt(group_of: list[str], count: int = 5, seed: int = 1) -> Ints:
    """A fold for each row: whole groups, the largest dealt out first."""
    names, group, sizes = np.unique(group_of, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold_of, load = np.zeros(len(names), dtype=np.int64), np.zeros(count)
    for name in order:
        fold_of[name] = np.argmin(load)
        load[fold_of[name]] += sizes[name]
    return fold_of[group]


def cross_validated(problem: Problem, folds: Ints, rounds: int = ROUNDS) -> Floats:
    """Logarithms of predictions for every row from a fit that never saw its group."""
    found = np.full(problem.observed.shape, np.nan)
    for fold in np.unique(folds):
        effects = problem.fit(folds != fold, rounds)
        found[:, folds == fold] = problem.predicted(problem.logs(effects))[:, folds == fold]
    return found
