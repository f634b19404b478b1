"""The tokens of one request, and of a mix of requests."""

import math
from collections.abc import Callable, Sequence
from functools import cached_property

import msgspec

from breakeven.errors import SpecError, refuse_odd_number
from breakeven.wording import quoting

ROUNDING = 1e-9
TOKENS_PER_WORD = 1 / 0.75
"""English text: 1 token is about 0.75 words (OpenAI, "What are tokens and how to count them", help.openai.com)."""


class TokenUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one request (or their mean over many, hence floats).

    ``cached_input`` and ``cache_write`` are parts of ``input``; ``reasoning`` is a part of ``output``.

    Raises:
        SpecError: if a count is negative or a part exceeds its whole.
    """

    input: float
    output: float = 0.0
    cached_input: float = 0.0
    cache_write: float = 0.0
    reasoning: float = 0.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            refuse_odd_number(f"tokens.{name}", getattr(self, name))
        if self.input + self.output == 0:
            raise SpecError("a request has no tokens", expected="input or output tokens", do="Give tokens.input")
        if self.cached_input + self.cache_write > self.input * (1 + ROUNDING):
            raise SpecError(
                quoting(
                    "cached_input + cache_write is {both:g} of {tokens:g} input tokens",
                    both=self.cached_input + self.cache_write,
                    tokens=self.input,
                ),
                expected="parts that are no larger than tokens.input",
                do="tokens.input counts all input tokens, cached ones included",
            )
        if self.reasoning > self.output * (1 + ROUNDING):
            raise SpecError(
                quoting(
                    "{field} is {reasoning:g} of {tokens:g} output tokens",
                    field="reasoning",
                    reasoning=self.reasoning,
                    tokens=self.output,
                ),
                expected="a part that is no larger than tokens.output",
                do="tokens.output counts all output tokens, reasoning included",
            )

    @property
    def fresh_input(self) -> float:
        """Input tokens that are neither read from nor written to a cache."""
        return max(0.0, self.input - self.cached_input - self.cache_write)


class TokenShape(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of request in a mix: its share of all requests and its tokens."""

    share: float
    usage: TokenUsage


class TokenMix(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A joint distribution of input and output tokens, as a few kinds of requests with their shares.

    >>> mix = TokenMix.of(TokenUsage(input=1000, output=100))
    >>> mix.mean.input
    1000.0
    """

    shapes: tuple[TokenShape, ...]

    def __post_init__(self) -> None:
        total = math.fsum(shape.share for shape in self.shapes)
        if not all(shape.share > 0 for shape in self.shapes) or not abs(total - 1) <= 1e-3:
            raise SpecError(
                quoting("the shares of the token shapes add up to {total:g}", total=total),
                expected="positive shares that add up to 1",
                do="Correct tokens.shapes",
            )

    @classmethod
    def of(cls, usage: TokenUsage) -> "TokenMix":
        """A mix of equal requests."""
        return cls(shapes=(TokenShape(share=1.0, usage=usage),))

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of each kind of request; they add up to 1 exactly, where rounded ones were given."""
        total = math.fsum(shape.share for shape in self.shapes)
        return tuple(shape.share / total for shape in self.shapes)

    def expect(self, value: Callable[[TokenUsage], float]) -> float:
        """The mean of ``value`` over the requests."""
        return _weighted_mean([value(shape.usage) for shape in self.shapes], self.shares)

    def expect_in_decode(self, value: Callable[[TokenUsage], float]) -> float:
        """The mean of ``value`` over the requests that are being decoded at a random moment.

        A request with o output tokens stays in decode for a time proportional to o: E[o value] / E[o]. Without output
        it is the mean over all requests.
        """
        longest = max(shape.usage.output for shape in self.shapes)
        if longest == 0:
            return self.expect(value)
        weights = [share * (row.usage.output / longest) for share, row in zip(self.shares, self.shapes, strict=True)]
        return _weighted_mean([value(shape.usage) for shape in self.shapes], weights)

    @cached_property
    def mean(self) -> TokenUsage:
        """The mean tokens of a request."""
        return TokenUsage(
            input=self.expect(lambda u: u.input),
            output=self.expect(lambda u: u.output),
            cached_input=self.expect(lambda u: u.cached_input),
            cache_write=self.expect(lambda u: u.cache_write),
            reasoning=self.expect(lambda u: u.reasoning),
        )

    @property
    def longest_tokens(self) -> float:
        """Input and output tokens of the longest kind of request."""
        return max(shape.usage.input + shape.usage.output for shape in self.shapes)

    @property
    def decode_context_tokens(self) -> float:
        """Mean tokens in the KV cache of a request that is being decoded: E[o (i + o/2)] / E[o]."""
        return self.expect_in_decode(lambda u: u.input + u.output / 2)

    @property
    def resident_tokens(self) -> float:
        """Mean tokens for which a request in decode will need memory by its end: E[o (i + o)] / E[o]."""
        return self.expect_in_decode(lambda u: u.input + u.output)


def _weighted_mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """The mean of the values that have weight; rounding never carries it past the least or the largest of them."""
    held = [(value, weight) for value, weight in zip(values, weights, strict=True) if weight > 0]
    mean = math.fsum(value * weight for value, weight in held) / math.fsum(weight for _, weight in held)
    return min(max(mean, min(value for value, _ in held)), max(value for value, _ in held))
