"""The cheapest way to share kinds of requests out over fleets, as an integer programme.

    minimise    sum of usd(f) y(f)           f: a fleet that could carry some kinds of requests, y: 0 or 1
    so that     every kind of request is carried by exactly one fleet
    and         no machine is used more often than it exists

HiGHS solves it until the gap between the best solution and the proved bound is zero. It is taken from scipy: highspy,
the solver by itself, is smaller but writes a banner to the standard output, where a plan's JSON may go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from math import fsum, inf, isfinite

import numpy as np

from breakeven.errors import SpecError
from breakeven.wording import quoting

SOLVER = "scipy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """A fleet that could carry some kinds of requests: what it costs, and which machines it takes."""

    kinds: frozenset[int]
    usd_per_day: float
    machine: str
    machines: float
    """At peak."""
    available: float
    """How many of the machine there are; infinite if as many as wanted."""
    option: int
    """A number by which its maker knows it."""
    band_usd_per_day: tuple[float, float] | None = None
    """At both ends of its speed; ``None``: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """The fleets that together carry every kind of request at the least cost."""

    fleets: tuple[Fleet, ...]
    usd_per_day: float
    gap: float
    """Between this cost and the bound that the solver proved, over the cost; 0: no other choice is cheaper."""


def cheapest_cover(fleets: Sequence[Fleet], kinds: int) -> Cover | None:
    """The cheapest choice of fleets that carries each of so many kinds of requests once; ``None`` if there is none.

    Raises:
        SpecError: if the solver is not installed.
    """
    if find_spec(SOLVER) is None:
        raise SpecError(
            quoting("{package} is not installed, and mixed machine types need it", package=SOLVER),
            expected="the extra `fleets`",
            do="pip install 'breakeven[fleets]'",
        )
    optimize = import_module("scipy.optimize")
    scarce = sorted({fleet.machine for fleet in fleets if isfinite(fleet.available)})
    rows = [[float(kind in fleet.kinds) for fleet in fleets] for kind in range(kinds)]
    rows += [[fleet.machines * (fleet.machine == name) for fleet in fleets] for name in scarce]
    limits = [min(fleet.available for fleet in fleets if fleet.machine == name) for name in scarce]
    found = optimize.milp(
        c=[fleet.usd_per_day for fleet in fleets],
        constraints=optimize.LinearConstraint(rows, [1.0] * kinds + [-inf] * len(scarce), [1.0] * kinds + limits),
        integrality=np.ones(len(fleets)),
        bounds=optimize.Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    if found.x is None:
        return None
    chosen = tuple(fleet for fleet, y in zip(fleets, found.x, strict=True) if y > 0.5)
    return Cover(fleets=chosen, usd_per_day=fsum(f.usd_per_day for f in chosen), gap=float(found.mip_gap or 0.0))
