"""Prompts of a wanted length in the server's own tokens: plain words, no two prompts with the same beginning."""

import random
from dataclasses import dataclass

from breakeven.bench.schedule import Sized

WORDS = """
time year people way day man thing woman life child world school state family student group country problem hand
part place case week company system program question work government number night point home water room mother
area money story fact month lot right study book eye job word business issue side kind head house service friend
father power hour game line end member law car city name team minute idea body back parent face level office
door health person art war history party result change morning reason research girl guy moment air teacher force
education foot boy age policy music market sense plan street table road paper field space north south
""".split()  # noqa: SIM905 - a paragraph of words
"""Short common words: each is one token, with the space before it, in the vocabularies in use."""


@dataclass(frozen=True, slots=True)
class Meter:
    """How many tokens a prompt of so many words has: what every prompt has, and what each word adds."""

    overhead: float
    per_word: float

    def words_for(self, tokens: int) -> int:
        """The number of words that comes nearest, at least one.

        >>> Meter(overhead=30.0, per_word=1.0).words_for(100)
        70
        """
        return max(1, round((tokens - self.overhead) / self.per_word))

    @property
    def fewest_tokens(self) -> float:
        """Of a prompt of one word."""
        return self.overhead + self.per_word


ONE_A_WORD = Meter(overhead=0.0, per_word=1.0)
"""Where the server does not say how it counts."""


def fitted(short: tuple[int, int], long: tuple[int, int]) -> Meter:
    """The meter through two prompts, each its words and the tokens that the server counted.

    >>> fitted((10, 40), (110, 140))
    Meter(overhead=30.0, per_word=1.0)
    """
    per_word = (long[1] - short[1]) / (long[0] - short[0])
    if per_word <= 0:  # a server that counts nothing, or always the same
        return ONE_A_WORD
    return Meter(overhead=max(0.0, short[1] - short[0] * per_word), per_word=per_word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """The prompts of one run. ``salt`` makes them its own: a cache that an earlier run has filled holds none of them.

    The first words of ``shared_tokens`` are the same in every prompt of the run, and nothing else is.
    """

    salt: int
    meter: Meter = ONE_A_WORD

    def of(self, sized: Sized, number: int) -> str:
        """The prompt of request ``number``."""
        words = self.meter.words_for(sized.input_tokens)
        shared = min(round(sized.shared_tokens / self.meter.per_word), words - 1) if sized.shared_tokens else 0
        return " ".join((*self._words(-1, shared), *self._words(number, words - shared)))

    def words(self, count: int, number: int) -> str:
        """``count`` words that no other prompt begins with."""
        return " ".join(self._words(number, count))

    def _words(self, number: int, count: int) -> list[str]:
        return random.Random(f"{self.salt}:{number}").choices(WORDS, k=count) if count else []
