"""The requests are the spec's: its shares, its arrivals, its bursts; and the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.bench.prompts import WORDS, Meter, Prompts, fitted
from breakeven.bench.schedule import Sized, arrivals_s, busiest_hour, hourly_rates, mean_rate_per_s, sizes
from breakeven.errors import SpecError
from breakeven.workload.profile import Burstiness, Workload
from breakeven.workload.usage import TokenMix, TokenShape, TokenUsage

POISSON = Burstiness()
MANY = 20_000


@given(
    shares=st.lists(st.integers(1, 50), min_size=1, max_size=6),
    count=st.integers(1, 300),
    seed=st.integers(0, 5),
)
def test_every_kind_of_request_comes_in_its_share_to_one_request(shares, count, seed):
    total = sum(shares)
    shapes = tuple(
        TokenShape(share=part / total, usage=TokenUsage(input=100.0 + n, output=5.0)) for n, part in enumerate(shares)
    )
    drawn = sizes(TokenMix(shapes=shapes), count, seed)
    assert len(drawn) == count
    for n, part in enumerate(shares):
        came = sum(one.input_tokens == 100 + n for one in drawn)
        assert abs(came - count * part / total) < 1
    assert drawn == sizes(TokenMix(shapes=shapes), count, seed)


@given(rate=st.floats(0.01, 500), count=st.integers(2, 200), seed=st.integers(0, 5))
def test_arrivals_begin_at_once_in_order_and_are_repeated_by_their_seed(rate, count, seed):
    at_s = arrivals_s([rate], count, POISSON, seed)
    assert len(at_s) == count
    assert at_s[0] == 0
    assert (np.diff(at_s) >= 0).all()
    assert np.array_equal(at_s, arrivals_s([rate], count, POISSON, seed))
    assert not np.array_equal(at_s, arrivals_s([rate], count, POISSON, seed + 1))


def test_arrivals_are_poisson_at_the_rate():
    gaps = np.diff(arrivals_s([4.0], MANY, POISSON, 1))
    assert gaps.mean() == pytest.approx(0.25, rel=0.03)
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.03)
    assert (gaps > 0.25).mean() == pytest.approx(np.exp(-1), abs=0.01)
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 0.03


def test_gaps_vary_as_the_spec_says():
    gaps = np.diff(arrivals_s([4.0], MANY, Burstiness(gap_variation=2.5), 1))
    assert gaps.mean() == pytest.approx(0.25, rel=0.06)
    assert gaps.std() / gaps.mean() == pytest.approx(2.5, rel=0.08)


def test_a_rate_that_moves_within_the_hour_moves_between_blocks():
    at_s = arrivals_s([4.0], MANY * 4, Burstiness(rate_variation=0.4), 1)
    per_block = np.bincount((at_s / 300).astype(int))[:-1] / 300
    assert per_block.std() / per_block.mean() == pytest.approx(0.4, rel=0.25)


def test_each_hour_has_the_profiles_own_rate():
    at_s = arrivals_s([1.0, 0.0, 3.0], 16_000, POISSON, 2)
    by_hour = np.bincount((at_s / 3600).astype(int), minlength=3)
    assert by_hour[0] == pytest.approx(3600, rel=0.06)
    assert by_hour[1] <= 15  # the clock begins with the first arrival, not with the hour
    assert by_hour[2] == pytest.approx(3 * 3600, rel=0.04)


def test_the_open_loop_begins_at_the_busiest_hour_and_takes_its_part_of_the_traffic():
    weights = [1.0] * 20 + [4.0] + [1.0] * 3
    work = Workload.of(requests_per_day=27 * 3600, input_tokens=10, output_tokens=5, weights=weights)
    assert busiest_hour(work) == 20
    rates = hourly_rates(work, 20, scale=0.5)
    assert rates[0] == pytest.approx(2.0)
    assert rates[1] == pytest.approx(0.5)
    with pytest.raises(SpecError, match="--from-hour is 24"):
        hourly_rates(work, 24)


def test_the_rate_of_a_schedule_is_that_of_its_gaps():
    assert mean_rate_per_s(np.array([0.0, 1.0, 2.0])) == 1.0
    assert mean_rate_per_s(np.array([0.0])) is None


@given(tokens=st.integers(20, 4000), shared=st.integers(0, 4000), overhead=st.integers(0, 60), salt=st.integers(0, 99))
def test_a_prompt_has_its_tokens_whatever_is_shared(tokens, shared, overhead, salt):
    meter = Meter(overhead=float(overhead), per_word=1.0)
    sized = Sized(input_tokens=tokens, output_tokens=1, shared_tokens=min(shared, tokens))
    text = Prompts(salt=salt, meter=meter).of(sized, 3)
    assert len(text.split()) == max(1, tokens - overhead)
    assert set(text.split()) <= set(WORDS)


def test_another_run_has_other_prompts_so_that_no_cache_knows_them():
    sized = Sized(input_tokens=50, output_tokens=1, shared_tokens=20)
    first, again, other = (Prompts(salt=salt).of(sized, 1) for salt in (1, 1, 2))
    assert first == again
    assert first.split()[:8] != other.split()[:8]


def test_a_server_that_counts_the_same_for_any_prompt_is_not_believed():
    assert fitted((10, 5), (20, 5)) == Meter(overhead=0.0, per_word=1.0)
