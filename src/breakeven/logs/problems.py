"""What could not be used, by reason: how many, and where the first of them are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from breakeven.wording import Quoted, Wording, joined, worded

EXAMPLES = 3
"""So many places are named for each reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One reason, how many rows or files it holds for, and where the first are (file, and line if there is one)."""

    reason: str
    count: int
    unit: str
    examples: tuple[str, ...] = ()

    @property
    def told(self) -> Wording:
        """The reason with its count and first places.

        >>> Problem(reason="it is empty", count=2, unit="files", examples=("a.csv",)).told
        '2 files: it is empty (a.csv, ...)'
        """
        unit = self.unit if self.count != 1 else self.unit.removesuffix("s")
        places = [*map(Quoted, self.examples), *(["..."] if self.count > len(self.examples) else [])]
        where = worded(" ({places})", places=joined(", ", places)) if self.examples else ""
        return worded("{count:,} {unit}: {reason}{where}", count=self.count, unit=unit, reason=self.reason, where=where)


@dataclass(slots=True)
class Problems:
    """The reasons found so far, in the order of their finding.

    >>> problems = Problems()
    >>> problems.add("files", "it is empty", ["a.csv"])
    >>> problems.add("files", "it is empty", ["b.csv"])
    >>> problems.found[0].count, problems.found[0].examples
    (2, ('a.csv', 'b.csv'))
    """

    _found: dict[tuple[str, str], Problem] = field(default_factory=dict)

    def add(self, unit: str, reason: str, examples: Sequence[str], count: int | None = None) -> None:
        """Count ``count`` more (as many as there are examples, if not said) under a reason."""
        known = self._found.get((unit, reason))
        self._found[unit, reason] = Problem(
            reason=reason,
            unit=unit,
            count=(known.count if known else 0) + (len(examples) if count is None else count),
            examples=((known.examples if known else ()) + tuple(examples))[:EXAMPLES],
        )

    def extend(self, problems: Iterable[Problem]) -> None:
        """Count what was found elsewhere."""
        for one in problems:
            self.add(one.unit, one.reason, one.examples, one.count)

    @property
    def found(self) -> tuple[Problem, ...]:
        """Each reason once: files first, then rows, the commonest first."""
        return tuple(sorted(self._found.values(), key=lambda p: (p.unit != "files", -p.count)))

    def count(self, unit: str) -> int:
        """How many rows or files in all."""
        return sum(one.count for one in self._found.values() if one.unit == unit)
