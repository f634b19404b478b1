"""What a measurement is worth: by how much it would lower the expected cost of the choice, before it is made.

A benchmark of configuration X tells the part of X's error that its model on its device under its stack have (scatter
from run to run apart). With c_o(e) the expected cost of option o when its own log error is e, and e_o given what X
shows again normal, the value is

    min over o of E[c_o]  -  E over X of ( min over o of E[c_o | X] )

which is never below 0, and 0 where the same option is chosen whatever X shows (the expected value of partial perfect
information). What an option has in common with X (its stack, its device, its model) moves with it.
"""

from dataclasses import dataclass, replace

import numpy as np

from breakeven.decision.contest import Contest
from breakeven.decision.scenarios import OWN, Draws, hypercube
from breakeven.decision.tornado import MEASURED
from breakeven.options.columns import Floats

ERRORS = np.linspace(-3.0, 3.0, 13)
"""Standard normal errors at which the expected cost of an option is computed."""
OUTCOMES = 49
"""Equally likely outcomes of the measurement."""
INNER = 9
"""What is left unknown after it, as so many equally likely values."""
EVERY = 4
"""Of the scenarios of the other inputs, every so many serve for the mean."""
TELLING = 0.05
"""A correlation of less tells nothing that one would notice."""
LEAST = 1e-9
"""Below this share of the cost a difference is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """The value of knowing one configuration's speed."""

    contender: int
    """Its place among the contenders: the cheapest of its model on its device under its stack."""
    usd_per_day: float
    informs: int
    """Of how many other contenders it tells something."""


def worths(contest: Contest, draws: Draws) -> list[Worth]:
    """The value of a benchmark of every group of configurations, the most valuable first."""
    costs = expected_costs(contest, draws)
    found, seen = [], set()
    for place, contender in enumerate(contest.contenders):
        group = contest.errors.labels[place][OWN]
        if contender.kind not in MEASURED or group in seen or not contest.errors.known[place]:
            continue
        seen.add(group)
        linked = links(contest, place)
        value = value_of_knowing(costs, linked)
        others = int(np.sum((linked > TELLING) & (np.arange(len(linked)) != place)))
        found.append(Worth(contender=place, usd_per_day=value, informs=others))
    return sorted(found, key=lambda worth: -worth.usd_per_day)


def expected_costs(contest: Contest, draws: Draws) -> Floats:
    """The mean cost of every contender over all other inputs, at each of ``ERRORS`` of its own speed."""
    few = np.arange(0, len(draws.rent), EVERY)
    each = draws.take(np.tile(few, len(ERRORS)))
    speed = np.broadcast_to(np.repeat(ERRORS, len(few)), each.speed.shape)
    usd = contest.compared(contest.usd_per_day(replace(each, speed=speed)))
    mean: Floats = usd.reshape(len(usd), len(ERRORS), len(few)).mean(axis=2)
    return mean


def links(contest: Contest, measured: int) -> Floats:
    """The correlation of each contender's error with what a benchmark of one of them shows."""
    shared, own = contest.errors.shared(measured, OWN), slice(len(contest.contenders))
    shown = shared[measured]
    found: Floats = np.where(contest.errors.known, shared / np.sqrt(shown), 0.0)[own] if shown > 0 else shared[own] * 0
    found[: contest.apis] = 0.0
    return found


def value_of_knowing(costs: Floats, linked: Floats) -> float:
    """The value of a measurement, given expected costs at ``ERRORS`` and each option's correlation with it.

    >>> flat = np.stack([np.full(13, 5.0), np.full(13, 4.0)])
    >>> value_of_knowing(flat, np.array([0.0, 1.0]))
    0.0
    >>> risky = np.stack([np.full(13, 5.0), 4.0 + ERRORS])
    >>> 0.05 < value_of_knowing(risky, np.array([0.0, 1.0])) < 0.15
    True
    """
    shown, left = (_middles(count) for count in (OUTCOMES, INNER))
    means = []
    for cost, link in zip(costs, linked.tolist(), strict=True):
        rest = np.sqrt(max(1.0 - link * link, 0.0))
        error = link * shown[:, None] + rest * left
        means.append(np.interp(error, ERRORS, cost).mean(axis=1))
    given = np.stack(means)  # options x outcomes
    before = float(given.mean(axis=1).min())
    value = before - float(given.min(axis=0).mean())
    return value if np.isfinite(value) and value > LEAST * abs(before) else 0.0


def _middles(count: int) -> Floats:
    return np.sort(hypercube(["middles"], count, seed=0)["middles"])
