"""What own rows tell of their group: read off held-out errors whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

import learning

GROUPS, ROWS = 400, 12
SCALE, SCATTER, WIDTH = 0.2, 0.1, 0.5


@pytest.fixture(scope="module")
def held():
    """Errors of groups with an own part of Student's t and normal scatter; TPOT tells the same as the output."""
    random = np.random.default_rng(7)
    own = np.repeat(SCALE * random.standard_t(3, GROUPS), ROWS)
    error = own + random.normal(0, SCATTER, GROUPS * ROWS)
    first = -np.repeat(SCALE * random.standard_t(3, GROUPS), ROWS) + random.normal(0, SCATTER, GROUPS * ROWS)
    return learning.Errors(
        errors=np.stack([error, first - own, -error]),
        widths=np.full((3, GROUPS * ROWS), WIDTH),
        groups=tuple(np.arange(n * ROWS, (n + 1) * ROWS) for n in range(GROUPS)),
    )


def test_scale_and_scatter_are_found(held):
    told = learning.learning_of(held)
    for part in ("own_pace", "own_first"):
        assert told[part]["scale"] == pytest.approx(SCALE, rel=0.1)
        assert told[part]["scatter"] == pytest.approx(SCATTER, rel=0.1)


def test_the_narrowed_band_holds_what_it_states_of_groups_it_was_not_read_off(held):
    here, there = (replace(held, groups=held.groups[n::2]) for n in range(2))
    told = learning.learning_of(here)
    for found in (learning._judged([(told, there)], target, count) for target in range(3) for count in (1, 4)):
        assert found.inside == pytest.approx(0.8, abs=0.04)
        assert found.median_after < 0.7 * found.median_before
        assert 0 < found.remaining < 1


def test_before_is_the_error_as_it_was_however_odd_the_group(held):
    odd = replace(held, errors=held.errors * 20)
    found = learning._judged([(learning.learning_of(held), odd)], 0, 8)
    several = np.concatenate([error for error, _ in learning._asked(odd, None, 0, 8)])
    assert found.median_before == pytest.approx(np.median(np.abs(np.expm1(several))))
    assert np.isin(several, odd.errors[0]).all()


def test_a_row_that_tells_the_first_token_alone_moves_that_alone(held):
    alone = replace(
        held, errors=np.stack([np.full_like(held.errors[0], np.nan), held.errors[1], held.errors[2] * np.nan])
    )
    told = learning.learning_of(held)
    after = np.concatenate([error for error, _ in learning._asked(alone, told, 1, 4)])
    assert np.isfinite(after).all()
    assert np.median(np.abs(after)) < np.median(np.abs(held.errors[1]))
