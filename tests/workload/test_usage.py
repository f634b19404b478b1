import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.errors import SpecError
from breakeven.workload.usage import TOKENS_PER_WORD, TokenMix, TokenShape, TokenUsage

COUNTS = st.floats(0, 1e6)
PARTS = st.floats(0, 1)


@st.composite
def usages(draw) -> TokenUsage:
    """Any request: part of its input cached or written to a cache, part of its output reasoning."""
    total, output = draw(st.floats(1, 1e6)), draw(COUNTS)
    cached = total * draw(PARTS)
    written = (total - cached) * draw(PARTS)
    return TokenUsage(
        input=total, output=output, cached_input=cached, cache_write=written, reasoning=output * draw(PARTS)
    )


@st.composite
def mixes(draw) -> TokenMix:
    """Any mix of up to six kinds of request."""
    kinds = draw(st.lists(st.tuples(st.floats(0.01, 1), usages()), min_size=1, max_size=6))
    total = math.fsum(share for share, _ in kinds)
    return TokenMix(shapes=tuple(TokenShape(share=share / total, usage=usage) for share, usage in kinds))


@pytest.mark.parametrize("name", TokenUsage.__struct_fields__)
@pytest.mark.parametrize("odd", [-1.0, math.nan, math.inf])
def test_a_count_of_tokens_is_a_number_of_0_or_more(name, odd):
    fair = {"input": 100.0, "output": 50.0, "cached_input": 10.0, "cache_write": 10.0, "reasoning": 5.0}
    with pytest.raises(SpecError, match=rf"tokens\.{name} is {odd}\. Expected: "):
        TokenUsage(**fair | {name: odd})


def test_a_request_has_tokens():
    with pytest.raises(SpecError, match="a request has no tokens"):
        TokenUsage(input=0, output=0)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"cached_input": 101}, r"cached_input \+ cache_write is 101 of 100 input tokens"),
        ({"cached_input": 60, "cache_write": 41}, r"cached_input \+ cache_write is 101 of 100 input tokens"),
        ({"reasoning": 51}, "reasoning is 51 of 50 output tokens"),
    ],
)
def test_a_part_is_no_larger_than_its_whole(parts, told):
    with pytest.raises(SpecError, match=told):
        TokenUsage(input=100, output=50, **parts)


def test_fresh_input_is_what_no_cache_holds():
    assert TokenUsage(input=100, cached_input=60, cache_write=30).fresh_input == 10
    assert TokenUsage(input=0.3, cached_input=0.1, cache_write=0.2).fresh_input == 0  # 0.1 + 0.2 > 0.3 in floats


@pytest.mark.parametrize("shares", [(), (0.5, 0.4), (1.5, -0.5), (1.0, 0.0), (math.nan,), (math.inf,), (0.5, 0.502)])
def test_the_shares_of_a_mix_add_up_to_one(shares):
    usage = TokenUsage(input=1)
    with pytest.raises(SpecError, match="the shares of the token shapes add up to"):
        TokenMix(shapes=tuple(TokenShape(share=share, usage=usage) for share in shares))


@given(mixes())
def test_a_mean_lies_between_the_extremes(mix):
    for name in TokenUsage.__struct_fields__:
        counts = [getattr(shape.usage, name) for shape in mix.shapes]
        mean = getattr(mix.mean, name)
        assert min(counts) * (1 - 1e-12) <= mean <= max(counts) * (1 + 1e-12)


@given(mixes())
def test_a_mean_request_keeps_its_parts(mix):
    mean = mix.mean  # would be refused if a part exceeded its whole
    assert mean.fresh_input >= 0
    assert mean.fresh_input + mean.cached_input + mean.cache_write == pytest.approx(mean.input)


@given(mixes())
def test_the_context_in_decode_lies_between_the_shortest_input_and_the_longest_request(mix):
    shortest = min(shape.usage.input for shape in mix.shapes)
    assert shortest * (1 - 1e-12) <= mix.decode_context_tokens <= mix.resident_tokens * (1 + 1e-12)
    assert mix.resident_tokens <= mix.longest_tokens * (1 + 1e-12)


@given(usages(), st.integers(1, 5))
def test_a_mix_of_equal_requests_is_that_request(usage, kinds):
    mix = TokenMix(shapes=(TokenShape(share=1 / kinds, usage=usage),) * kinds)
    one = TokenMix.of(usage)
    for name in ("decode_context_tokens", "resident_tokens", "longest_tokens"):
        assert getattr(mix, name) == pytest.approx(getattr(one, name))
    assert one.mean == usage


def test_shares_that_were_rounded_do_not_shrink_the_mean():
    kinds = (TokenShape(share=0.333, usage=TokenUsage(input=300)),) * 3  # add up to 0.999
    assert TokenMix(shapes=kinds).mean.input == pytest.approx(300, rel=1e-12)


def test_requests_that_are_longer_in_decode_weigh_more():
    short, long = TokenUsage(input=1000, output=100), TokenUsage(input=200, output=300)
    mix = TokenMix(shapes=(TokenShape(share=0.5, usage=short), TokenShape(share=0.5, usage=long)))
    assert mix.mean == TokenUsage(input=600, output=200)
    assert mix.decode_context_tokens == pytest.approx((100 * (1000 + 50) + 300 * (200 + 150)) / 400)
    assert mix.resident_tokens == pytest.approx((100 * 1100 + 300 * 500) / 400)
    assert mix.longest_tokens == 1100


def test_without_output_the_context_is_the_input():
    mix = TokenMix.of(TokenUsage(input=300))
    assert (mix.decode_context_tokens, mix.resident_tokens, mix.longest_tokens) == (300, 300, 300)


def test_750_english_words_are_1000_tokens():
    assert pytest.approx(1000) == 750 * TOKENS_PER_WORD
