"""Everything that can go wrong, in one tree.

    BreakevenError
    ├── SpecError        the workload, a flag or an overlay says something it cannot say
    ├── UnknownNameError a model, machine, provider, profile or option that the catalogue does not hold
    ├── NoDataError      the name is known, but not on that day or in that region
    └── CatalogueError   a row of facts that the schema refuses

Each error says what was given, what was expected and what to do, in one sentence each. What carries a name or a figure
is ``quoting(...)``, so that a page can say the sentence in another language.
"""

import difflib
import math
from collections.abc import Iterable
from decimal import Decimal

from breakeven.wording import Quoted, Wording, quoting, worded

LARGEST_NUMBER = 1e18
"""No tokens, requests, seconds or dollars of a workload are more; beyond it sums would overflow."""


class BreakevenError(ValueError):
    """Bad input, explained: ``given``, ``expected`` and ``do`` are sentences without their full stop.

    A ``ValueError``, so that msgspec tells in which field of a file it arose.

    >>> str(BreakevenError("min_replicas is 0", expected="1 or more", do="Is one machine too many?"))
    'min_replicas is 0. Expected: 1 or more. Is one machine too many?'
    """

    def __init__(self, given: str, *, expected: str, do: str) -> None:
        self.given = given
        self.expected = expected
        self.do = do
        super().__init__(str(self.told))

    @property
    def told(self) -> Wording:
        """The whole message, which remembers what it was made of."""
        parts = {"given": self.given, "expected": self.expected, "do": self.do}
        return worded("{given} Expected: {expected} {do}", **{name: _sentence(part) for name, part in parts.items()})


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
        look = quoting("`{search}` lists them", search=search) if search else "Check the spelling"
        super().__init__(
            worded("{kind} {name} is not in the catalogue", kind=kind, name=Quoted(repr(name))),
            expected=worded("one of {count} known {kind}s", count=len(names), kind=kind),
            do=quoting("Did you mean: {names}?", names=", ".join(near)) if near else look,
        )


def refuse_odd_number(name: str, value: float | Decimal | None, *, above_zero: bool = False) -> None:
    """Refuse a figure that is negative, endless or not a number; with ``above_zero`` also 0. ``None`` passes.

    Raises:
        SpecError: if it is such a figure.
    """
    if value is None:
        return
    finite = value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)
    if not finite or not 0 <= value <= LARGEST_NUMBER or (above_zero and value == 0):
        wanted = "more than 0" if above_zero else "0 or more"
        endless = finite and value > LARGEST_NUMBER
        raise SpecError(
            quoting("{field} is {value}", field=name, value=value),
            expected=quoting("at most {most:g}", most=LARGEST_NUMBER) if endless else wanted,
            do="Correct it",
        )


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else worded("{said}.", said=text)


def near_matches(name: str, known: Iterable[str], limit: int = 4) -> list[str]:
    """The known names that look most like ``name``: by similarity first, then those that contain it."""
    names = list(known) if len(name) > 1 else []  # one letter looks like nothing
    folded = {known_name.lower(): known_name for known_name in names}
    close = difflib.get_close_matches(name.lower(), list(folded), n=limit, cutoff=0.7)
    containing = sorted((n for n in folded if name.lower() in n), key=len)
    picked = list(dict.fromkeys([*close, *containing]))[:limit]
    return [folded[n] for n in picked]
