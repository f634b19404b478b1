"""Where a number comes from, and how wide it may be."""

from datetime import date
from typing import Literal

import msgspec

Basis = Literal["listed", "measured", "calibrated", "extrapolated", "assumed"]
"""How a number was come by, best first.

``listed``: the provider's price or the maker's datasheet. ``measured``: this model on this machine.
``calibrated``: a formula fitted on measurements of its kind. ``extrapolated``: a formula with typical values,
not measured for this pair or its like. ``assumed``: stated by the user or by a row that says it is an assumption.
"""

BASES: tuple[Basis, ...] = ("listed", "measured", "calibrated", "extrapolated", "assumed")

SourceKind = Literal[
    "list_price",
    "price_table",
    "datasheet",
    "measurement",
    "paper",
    "leaderboard",
    "documentation",
    "assumption",
    "user",
]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a figure was read: a locator a person can follow, and the day on which it was read.

    ``published`` is the day of the source itself, ``None`` where it does not say.
    """

    id: str
    kind: SourceKind
    title: str
    read: date
    published: date | None = None

    def __post_init__(self) -> None:
        if not self.id or not self.title.strip():
            raise ValueError("a source needs an id and a title")


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A number with its 80 % band and its basis.

    ``low`` and ``high`` are ``None`` while no band is known; a band is never invented.

    >>> Estimate(mid=40.0, basis="extrapolated").known_band
    False
    """

    mid: float
    basis: Basis
    low: float | None = None
    high: float | None = None
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None):
            raise ValueError("a band has both ends or none")
        if self.low is not None and self.high is not None and not self.low <= self.mid <= self.high:
            raise ValueError(f"the band {self.low}..{self.high} does not hold its middle {self.mid}")

    @property
    def known_band(self) -> bool:
        """Whether the 80 % band is known."""
        return self.low is not None


def weakest(bases: "tuple[Basis, ...] | list[Basis]") -> Basis:
    """The basis of a figure made from several: that of its weakest part.

    >>> weakest(["listed", "extrapolated", "calibrated"])
    'extrapolated'
    """
    return max(bases, key=BASES.index)
