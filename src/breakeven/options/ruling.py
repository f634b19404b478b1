"""What was ruled out, grouped by reason, with a count and examples."""

from collections.abc import Callable, Iterable

import msgspec
import numpy as np

from breakeven.options.columns import Ints, Mask

EXAMPLES = 3


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """One reason, how many options it rules out, and a few of them in words."""

    because: str
    count: int
    examples: tuple[str, ...]


class Ruling:
    """Gathers what each stage rules out. One stage hands it a mask; it keeps counts and words."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, list[str]]] = {}

    def add(self, because: str, count: int, examples: Iterable[str]) -> None:
        """Add ``count`` options ruled out for one reason, with examples in words."""
        if count <= 0:
            return
        known, words = self._found.get(because, (0, []))
        self._found[because] = (known + count, list(dict.fromkeys([*words, *examples]))[:EXAMPLES])

    def exclude(self, alive: Mask, out: Mask, because: str, describe: Callable[[int], str], weights: Ints) -> Mask:
        """Rule out the rows of ``alive`` for which ``out`` holds; the mask of what is left.

        ``weights``: how many options a row stands for. ``describe(i)`` puts row ``i`` in words.
        """
        hit = alive & out
        rows = np.flatnonzero(hit)
        if len(rows):
            picked = rows[np.linspace(0, len(rows) - 1, min(EXAMPLES, len(rows))).astype(int)]
            self.add(because, int(weights[rows].sum()), (describe(int(i)) for i in picked))
        return alive & ~out

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """The reasons, most frequent first."""
        ordered = sorted(self._found.items(), key=lambda item: (-item[1][0], item[0]))
        return tuple(
            Rejected(because=because, count=count, examples=tuple(words)) for because, (count, words) in ordered
        )

    @property
    def count(self) -> int:
        """How many options were ruled out in all."""
        return sum(count for count, _ in self._found.values())
