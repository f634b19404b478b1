"""Everything that can go wrong, in one tree.

    BreakevenError
    ├── SpecError        the workload, a flag or an overlay says something it cannot say
    ├── UnknownNameError a model, machine, provider, profile or option that the catalogue does not hold
    ├── NoDataError      the name is known, but not on that day or in that region
    └── CatalogueError   a row of facts that the schema refuses

Each error says what was given, what was expected and what to do, in one sentence each.
"""

import difflib
from collections.abc import Iterable


class BreakevenError(Exception):
    """Bad input, explained: ``given``, ``expected`` and ``do`` are sentences without their full stop."""

    def __init__(self, given: str, *, expected: str, do: str) -> None:
        self.given = given
        self.expected = expected
        self.do = do
        super().__init__(f"{given}. Expected: {expected}. {do}.")


class SpecError(BreakevenError):
    """The workload, a flag or an overlay says something it cannot say."""


class NoDataError(BreakevenError):
    """The name is known, but the catalogue knows nothing of it on that day or in that region."""


class CatalogueError(BreakevenError):
    """A row of facts that the schema refuses."""


class UnknownNameError(BreakevenError):
    """A name that the catalogue does not hold; near matches are named.

    >>> str(UnknownNameError("model", "gpt4o", ["gpt-4o", "flan-ul2"]))
    "model 'gpt4o' is not in the catalogue. Expected: one of 2 known models. Did you mean: gpt-4o?"
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], *, search: str | None = None) -> None:
        names = sorted(set(known))
        near = near_matches(name, names)
        self.near = near
        look = f"`{search}` lists them" if search else "Check the spelling"
        do = f"Did you mean: {', '.join(near)}?" if near else f"{look}."
        super().__init__(
            f"{kind} {name!r} is not in the catalogue", expected=f"one of {len(names)} known {kind}s", do=do
        )
        self.args = (f"{self.given}. Expected: {self.expected}. {do}",)


def near_matches(name: str, known: Iterable[str], limit: int = 4) -> list[str]:
    """The known names that look most like ``name``: by similarity first, then those that contain it."""
    names = list(known)
    folded = {known_name.lower(): known_name for known_name in names}
    close = difflib.get_close_matches(name.lower(), list(folded), n=limit, cutoff=0.7)
    containing = sorted((n for n in folded if name.lower() in n), key=len)
    picked = list(dict.fromkeys([*close, *containing]))[:limit]
    return [folded[n] for n in picked]
