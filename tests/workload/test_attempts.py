from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.workload.attempts import handed, tried
from breakeven.workload.success import Answers, Checker

SHARE = st.floats(0, 1)
RETRIES = st.integers(0, 4)


@st.composite
def checkers(draw):
    found = draw(SHARE)
    return Checker(sensitivity=found, specificity=draw(st.floats(1 - found, 1)))


def walk(rates, left, answers, nature=None):
    """(probability, right, models asked in order) of every way in which a request can end, attempt by attempt.

    ``rates``: of the models in order, each tried 1 + retries times. ``nature``: where attempts do not differ, the
    models (True: right) that solve this request.
    """
    checker = answers.checker or Checker()
    (rate, *others), last = rates, left == 0 and len(rates) == 1
    solves = rate if nature is None else float(nature[0])
    for right, chance in ((True, solves), (False, 1 - solves)):
        back = 1 - checker.specificity if right else checker.sensitivity
        if last:
            yield chance, right, (("unchecked", len(others)),)
            continue
        yield chance * (1 - back), right, (("checked", len(others)),)
        after = walk(rates, left - 1, answers, nature) if left else walk(
            others, answers.retries, answers, nature[1:] if nature is not None else None)  # fmt: skip
        for further, ends_right, asked in after:
            yield chance * back * further, ends_right, (("checked", len(others)), *asked)


def by_hand(rates, answers):
    """Attempts of each model, share right, share that reaches the last model, and checks, over all ways."""
    w = answers.shared_failures or 0.0
    ways = [(1 - w, None)]
    edges = sorted({0.0, 1.0, *rates})
    for low, high in pairwise(edges):  # requests from the easiest to the hardest
        ways.append((w * (high - low), [rate >= high for rate in rates]))
    asked, right, reached, checks = [0.0] * len(rates), 0.0, 0.0, 0.0
    for weight, nature in ways:
        for chance, ends_right, order in walk(rates, answers.retries, answers, nature):
            right += weight * chance * ends_right
            reached += weight * chance * any(place == 0 for _, place in order)
            for how, place in order:
                asked[len(rates) - 1 - place] += weight * chance
                checks += weight * chance * (how == "checked")
    return asked, right, reached, checks


@given(p=SHARE, n=st.integers(0, 3), checker=checkers(), shared=st.none() | SHARE)
def test_one_model_alone_ends_as_every_way_of_trying_it_says(p, n, checker, shared):
    answers = Answers(retries=n, checker=checker, shared_failures=shared)
    (attempts,), right, _, checks = by_hand([p], answers)
    found = tried(np.array([p]), answers)
    assert found.checks[0] == pytest.approx(checks, abs=1e-12)
    assert found.attempts[0] == pytest.approx(attempts, abs=1e-12)
    assert found.success[0] == pytest.approx(right, abs=1e-12)


@given(p=SHARE, q=SHARE, n=st.integers(0, 2), checker=checkers(), shared=st.none() | SHARE)
def test_a_cascade_ends_as_every_way_through_it_says(p, q, n, checker, shared):
    answers = Answers(retries=n, checker=checker, shared_failures=shared, cascade=True)
    (first, fallback), right, reached, checks = by_hand([p, q], answers)
    found = handed(np.array([p]), np.array([q]), answers)
    assert found.checks[0] == pytest.approx(checks, abs=1e-12)
    assert found.first_attempts[0] == pytest.approx(first, abs=1e-12)
    assert found.fallback_attempts[0] == pytest.approx(fallback, abs=1e-12)
    assert found.escalated[0] == pytest.approx(reached, abs=1e-12)
    assert found.success[0] == pytest.approx(right, abs=1e-12)


@given(p=SHARE, checker=checkers(), shared=st.none() | SHARE)
def test_without_retries_a_model_is_as_good_as_it_is_and_asked_once(p, checker, shared):
    found = tried(np.array([p]), Answers(checker=checker, shared_failures=shared))
    assert found.attempts[0] == 1
    assert found.checks[0] == 0
    assert found.success[0] == pytest.approx(p, abs=1e-15)


@given(n=RETRIES)
def test_a_model_that_is_always_right_is_asked_once(n):
    found = tried(np.array([1.0]), Answers(retries=n))
    assert (found.attempts[0], found.success[0]) == (1, 1)


@given(p=st.floats(0.01, 0.98), more=st.floats(0.001, 0.02), n=RETRIES, checker=checkers(), shared=st.none() | SHARE)
def test_a_higher_success_rate_never_takes_more_attempts_for_a_right_answer(p, more, n, checker, shared):
    found = tried(np.array([p, p + more]), Answers(retries=n, checker=checker, shared_failures=shared))
    weak, strong = found.attempts / found.success
    assert strong <= weak * (1 + 1e-12)
    assert found.attempts[1] <= found.attempts[0] + 1e-12


@given(p=SHARE, q=SHARE, n=RETRIES, shared=st.none() | SHARE)
def test_a_cascade_whose_checker_errs_never_is_as_good_as_each_of_its_halves(p, q, n, shared):
    answers = Answers(retries=n, shared_failures=shared, cascade=True)
    both = handed(np.array([p]), np.array([q]), answers).success[0]
    assert both >= tried(np.array([p]), answers).success[0] - 1e-12
    assert both >= tried(np.array([q]), answers).success[0] - 1e-12


@given(p=SHARE, q=SHARE, n=RETRIES)
def test_failures_that_two_models_share_make_no_attempt_more_useful(p, q, n):
    by_chance, shared = (
        handed(np.array([p]), np.array([q]), Answers(retries=n, shared_failures=w)).success[0] for w in (0.0, 1.0)
    )
    assert shared <= by_chance + 1e-12
    assert shared == pytest.approx(max(p, q), abs=1e-12)


def test_a_checker_that_takes_right_answers_for_wrong_ones_can_make_a_cascade_worse_than_its_strong_half():
    careless = Answers(cascade=True, checker=Checker(sensitivity=0.2, specificity=0.9))
    found = handed(np.array([0.5]), np.array([0.95]), careless)
    assert found.success[0] < 0.95


def test_an_unknown_rate_stays_unknown_and_is_asked_once():
    found = tried(np.array([np.nan]), Answers(retries=3))
    assert found.attempts[0] == 1
    assert np.isnan(found.success[0])
