"""What becomes of a request when wrong answers are tried again or handed to a stronger model.

A checker finds a share s of the wrong answers and lets a share c of the right ones pass. One attempt of a model that
is right with probability p is sent back with f = p (1 - c) + (1 - p) s. With n retries, and attempts that fail by
chance alone, there are 1 + f + ... + f^n attempts, and of the last of them the answer is given whatever the checker
says. On a share w of the requests (``shared_failures``) attempts do not differ: what is wrong once is wrong again.
Equations: docs/theory/quality.md.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from breakeven.workload.success import Answers, Checker

Floats = NDArray[np.float64]
PERFECT = Checker()
"""Every wrong answer is found, and no right one is sent back."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tried:
    """Per request, one entry a rate; NaN in, NaN out, but an unknown rate counts as one attempt."""

    attempts: Floats
    checks: Floats
    success: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Handed:
    """A cascade, per request: attempts of the first and of the fall-back, and how it ends."""

    first_attempts: Floats
    fallback_attempts: Floats
    escalated: Floats
    """Share of the requests that reach the fall-back."""
    checks: Floats
    success: Floats


def tried(rate: Floats, answers: Answers) -> Tried:
    """One model alone with its retries.

    >>> found = tried(np.array([0.8]), Answers(retries=2))
    >>> round(float(found.attempts[0]), 2), round(float(found.success[0]), 3)
    (1.24, 0.992)
    """
    p = np.asarray(rate, dtype=np.float64)
    checker, n, shared = answers.checker or PERFECT, answers.retries, answers.shared_failures or 0.0
    passes, found = checker.specificity, checker.sensitivity
    sent_back = _sent_back(p, checker)
    chance = _series(sent_back, n)
    fixed = p * _series(1 - passes, n) + (1 - p) * _series(found, n)
    checked = _series(sent_back, n - 1)
    checked_fixed = p * _series(1 - passes, n - 1) + (1 - p) * _series(found, n - 1)
    by_chance = p * passes * chance + sent_back**n * p * (1 - passes)
    known = ~np.isnan(p)
    return Tried(
        attempts=np.where(known, (1 - shared) * chance + shared * fixed, 1.0),
        checks=np.where(known, (1 - shared) * checked + shared * checked_fixed, 0.0),
        success=(1 - shared) * by_chance + shared * p,
    )


def handed(first: Floats, fallback: Floats, answers: Answers) -> Handed:
    """The first model with its retries; what is still sent back then goes to the fall-back with its own.

    >>> found = handed(np.array([0.7]), np.array([0.9]), Answers(cascade=True))
    >>> round(float(found.escalated[0]), 2), round(float(found.success[0]), 2)
    (0.3, 0.97)
    """
    p, q = np.broadcast_arrays(np.asarray(first, dtype=np.float64), np.asarray(fallback, dtype=np.float64))
    checker, n, shared = answers.checker or PERFECT, answers.retries, answers.shared_failures or 0.0
    passes, found = checker.specificity, checker.sensitivity
    sent_back = _sent_back(p, checker)
    alone = tried(q, _chance(answers))
    chance_up = sent_back ** (n + 1)
    # where attempts do not differ, a model solves all that weaker ones solve
    right_up, wrong_up = (1 - passes) ** (n + 1), found ** (n + 1)
    right, wrong = _series(1 - passes, n), _series(found, n)
    both, gained = np.minimum(p, q), np.maximum(q - p, 0.0)
    solved = right_up * both + wrong_up * gained
    failed = right_up * (p - both) + wrong_up * (1 - p - gained)
    first_attempts = (1 - shared) * _series(sent_back, n) + shared * (p * right + (1 - p) * wrong)
    checked_up = _series(_sent_back(q, checker), n - 1)
    fixed_checks = solved * _series(1 - passes, n - 1) + failed * _series(found, n - 1)
    accepted = (1 - shared) * p * passes * _series(sent_back, n) + shared * p * (1 - right_up)
    return Handed(
        first_attempts=first_attempts,
        fallback_attempts=(1 - shared) * chance_up * alone.attempts + shared * (solved * right + failed * wrong),
        escalated=(1 - shared) * chance_up + shared * (solved + failed),
        checks=first_attempts + (1 - shared) * chance_up * checked_up + shared * fixed_checks,
        success=accepted + (1 - shared) * chance_up * alone.success + shared * solved,
    )


def _chance(answers: Answers) -> Answers:
    """The same rules where attempts fail by chance alone."""
    return Answers(retries=answers.retries, checker=answers.checker)


def _sent_back(rate: Floats, checker: Checker) -> Floats:
    back: Floats = rate * (1 - checker.specificity) + (1 - rate) * checker.sensitivity
    return back


def _series(ratio: Floats | float, last: int) -> Floats:
    """1 + r + ... + r^last, term by term: exact where r is 0 or 1; nothing for a ``last`` below 0."""
    total = np.zeros_like(np.asarray(ratio, dtype=np.float64))
    for _ in range(last + 1):
        total = total * ratio + 1.0
    return total
