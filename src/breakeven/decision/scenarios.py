"""Scenarios: every uncertain input drawn so that each of its ranges is used evenly (a Latin hypercube), from one seed.

An input is a standard normal number z in each scenario, or the chance P(Z <= z) where its distribution is a table. Its
values are those at the middles of so many equally likely ranges, in an order of its own, so that 256 scenarios hold
every input's quantiles as they are.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np

from breakeven.options.columns import Floats, Ints

SCENARIOS = 256
Z80 = NormalDist().inv_cdf(0.9)
"""Between minus and plus so many standard deviations lie 80 %."""
USER, DEVICE, OWN, SCATTER = range(4)
"""What an error of speed is made of, from what most configurations share to what is one's own."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """The inputs of every scenario: one entry a scenario (options x scenarios for the speeds)."""

    log_input: Floats
    """Of the mean input tokens over those given."""
    log_output: Floats
    log_growth_per_year: Floats
    progress: Floats
    """The chance at which prices of equal quality and sizes of open models are read off their history; low: they fall
    fast. One for both, because the one falls with the other."""
    rent: Floats
    """The same for machine rents."""
    speed: Floats
    """Standard normal error of each option's speed, above 0: slower than predicted."""

    def take(self, scenarios: Ints) -> "Draws":
        """Some of the scenarios."""
        names = ("log_input", "log_output", "log_growth_per_year", "progress", "rent")
        return Draws(**{name: getattr(self, name)[scenarios] for name in names}, speed=self.speed[:, scenarios])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpeedErrors:
    """How wrong the predicted speeds of some options may be, and what they have in common.

    Half the 80 % band over 1.28 is the standard deviation of the logarithm. Its variance is parted by what the options
    of one publisher have in common: one part is shared by all that a user runs, one by the device under a stack, one is
    that of the model on the device under the stack, and one of the configuration alone (format, parallelism, run).
    """

    deviation: Floats
    """Of each option's log error; 0 where no band is known."""
    known: "np.typing.NDArray[np.bool_]"
    labels: tuple[tuple[str, str, str, str], ...]
    """Of each option: its user, device, own group and configuration, by name."""
    shares: tuple[float, float, float, float]
    """Of the variance, in the same order; they add up to 1."""

    def take(self, options: Ints) -> "SpeedErrors":
        """Some of the options."""
        labels = tuple(self.labels[n] for n in options.tolist())
        return SpeedErrors(
            deviation=self.deviation[options], known=self.known[options], labels=labels, shares=self.shares
        )

    def drawn(self, scenarios: int, seed: int) -> Floats:
        """A standard normal error of each option in each scenario, with what they have in common."""
        total = np.zeros((len(self.labels), scenarios))
        for level, share in enumerate(self.shares):
            names = [options[level] for options in self.labels]
            cube = hypercube(sorted(set(names)), scenarios, seed)
            for n, name in enumerate(names):
                total[n] += np.sqrt(share) * cube[name]
        return total

    def shared(self, option: int, upto: int) -> Floats:
        """Which share of the variance each option has in common with one, in the parts up to ``upto``."""
        found = np.zeros(len(self.labels))
        for level in range(upto + 1):
            same = [labels[level] == self.labels[option][level] for labels in self.labels]
            found += self.shares[level] * np.array(same, dtype=np.float64)
        return found


def hypercube(names: Sequence[str], scenarios: int, seed: int) -> dict[str, Floats]:
    """Standard normal values of each named input; a name's values do not depend on which others are drawn.

    >>> cube = hypercube(["growth", "rent"], 8, seed=1)
    >>> bool(np.array_equal(np.sort(cube["growth"]), np.sort(cube["rent"])))
    True
    >>> bool(np.array_equal(cube["rent"], hypercube(["rent"], 8, seed=1)["rent"]))
    True
    """
    values = _normal_middles(scenarios)
    return {name: np.random.default_rng([seed, zlib.crc32(name.encode())]).permutation(values) for name in names}


@cache
def _normal_middles(count: int) -> Floats:
    """The standard normal quantiles at the middles of so many equal parts."""
    normal = NormalDist()
    return np.array([normal.inv_cdf((n + 0.5) / count) for n in range(count)])


def chance_of(z: Floats) -> Floats:
    """The chance that a standard normal number is below ``z``, for the values of a hypercube.

    >>> chance_of(np.array([0.0])).tolist()
    [0.5]
    """
    normal = NormalDist()
    distinct, place = np.unique(z, return_inverse=True)
    found: Floats = np.array([normal.cdf(value) for value in distinct.tolist()])[place]
    return found


def between(z: Floats, low: float, mid: float, high: float) -> Floats:
    """The logarithm of a factor with its median and its 10 % and 90 % ends: normal on each side of the median.

    >>> np.exp(between(np.array([-Z80, 0.0, Z80]), 0.5, 1.0, 3.0)).round(6).tolist()
    [0.5, 1.0, 3.0]
    """
    down, up = np.log(mid / low) / Z80, np.log(high / mid) / Z80
    found: Floats = np.log(mid) + z * np.where(z < 0, down, up)
    return found


def middle(options: int, growth_per_year: float = 1.0) -> Draws:
    """The one scenario in which every input is at its middle; ``growth_per_year``: that of the traffic, a factor."""
    zero = np.zeros(1)
    half = np.full(1, 0.5)
    return Draws(
        log_input=zero,
        log_output=zero,
        log_growth_per_year=np.log(np.array([growth_per_year])),
        progress=half,
        rent=half,
        speed=np.zeros((options, 1)),
    )
