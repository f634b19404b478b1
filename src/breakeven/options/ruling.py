"""What was ruled out, grouped by reason, with a count and examples."""

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec
import numpy as np

from breakeven.options.columns import Ints, Mask

EXAMPLES = 3
About = Literal["workload", "catalogue"]


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """One reason, how many options it rules out, and a few of them in words."""

    because: str
    count: int
    examples: tuple[str, ...]
    about: About = "workload"
    """Whether the workload's demands rule it out, or the catalogue's facts alone."""


class Ruling:
    """Gathers what each stage rules out. One stage hands it a mask; it keeps counts and words."""

    def __init__(self) -> None:
        self._found: dict[str, Rejected] = {}

    def add(self, because: str, count: int, examples: Iterable[str], *, about: About = "workload") -> None:
        """Add ``count`` options ruled out for one reason, with examples in words."""
        if count <= 0:
            return
        old = self._found.get(because, Rejected(because=because, count=0, examples=(), about=about))
        words, more = dict.fromkeys(old.examples), iter(examples)
        while len(words) < EXAMPLES and (example := next(more, None)) is not None:
            words[example] = None
        self._found[because] = Rejected(because=because, count=old.count + count, examples=tuple(words), about=about)

    def exclude(
        self,
        alive: Mask,
        out: Mask,
        because: str,
        describe: Callable[[int], str],
        weights: Ints,
        *,
        about: About = "workload",
    ) -> Mask:
        """Rule out the rows of ``alive`` for which ``out`` holds; the mask of what is left.

        ``weights``: how many options a row stands for. ``describe(i)`` puts row ``i`` in words.
        """
        hit = alive & out
        rows = np.flatnonzero(hit)
        if len(rows):
            picked = rows[np.linspace(0, len(rows) - 1, min(EXAMPLES, len(rows))).astype(int)]
            self.add(because, int(weights[rows].sum()), (describe(int(i)) for i in picked), about=about)
        return alive & ~out

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """The reasons: the workload's demands before the catalogue's facts, most frequent first."""
        order = ("workload", "catalogue")
        return tuple(sorted(self._found.values(), key=lambda r: (order.index(r.about), -r.count, r.because)))

    @property
    def count(self) -> int:
        """How many options were ruled out in all."""
        return sum(reason.count for reason in self._found.values())
