"""What hybrids cost at other volumes and paces: in every cell of the table with the base that is cheapest there.

A base is bought at today's prices. In a scenario its machines cost that day's rent and its overflow that day's API
price, and it is not changed for them: a hybrid that follows the prices costs no more than this. A cell takes a search
over bases in every hour, so some cells are computed, the plan's own among them, and the others lie straight between.
"""

import numpy as np

from breakeven.cost.bill import STANDING_UNITS, total_usd_per_day
from breakeven.decision.curves import Curves
from breakeven.decision.hybrids import OVERFLOW, hybrids_at
from breakeven.decision.repricing import CostTable, paces_of, parts_of
from breakeven.options.columns import Floats, Ints

PACES, VOLUMES = 4, 5
"""Computed: so many paces to each side of the plan's own, and so many volumes beside it. With three paces the table was
5.7 % off in the median over the band of a stack that published nothing, with four it is 3.3 %."""


def hybrid_table(
    curves: Curves, pairs: tuple[Ints, Ints], ends: tuple[Floats, Floats], volumes: Floats, steps: int
) -> CostTable:
    """The table of some hybrids. ``pairs``: their bases, and their APIs; the rest as of ``cost_table``."""
    fastest, slowest, paces = paces_of(ends, steps)
    at_pace = np.unique(np.round(np.linspace(0, 2 * steps, 2 * PACES + 1)).astype(np.int64))
    own = int(np.argmin(np.abs(volumes - curves.speed.workload.requests_per_day)))
    at_volume = np.unique(np.append(np.round(np.linspace(0, len(volumes) - 1, VOLUMES)).astype(np.int64), own))
    shape = (len(fastest), len(at_pace), len(at_volume))
    hosted, api = (np.repeat(column, shape[1] * shape[2]) for column in pairs)
    found = hybrids_at(
        (hosted, api),
        np.tile(volumes[at_volume], shape[0] * shape[1]),
        curves,
        ("",) * len(hosted),
        np.repeat(paces[:, at_pace].ravel(), shape[2]),
    )
    paid = [c for c in found.charges if c.name.startswith(OVERFLOW) and c.unit not in STANDING_UNITS]
    overflow = np.where(np.isinf(found.usd_per_day), 0.0, total_usd_per_day(paid, len(hosted)))
    columns = (overflow, *parts_of(found.charges, found.usd_per_day - overflow))
    logs: Floats = np.log(volumes)
    along = _straight(logs, logs[at_volume])
    across = _straight(np.arange(2 * steps + 1, dtype=np.float64), at_pace.astype(np.float64))
    overflow, committed, machines, rest = (across @ column.reshape(shape) @ along.T for column in columns)
    return CostTable(
        volumes=volumes,
        slowest=slowest,
        fastest=fastest,
        committed=committed,
        machines=machines,
        overflow=overflow,
        rest=rest,
    )


def _straight(points: Floats, known: Floats) -> Floats:
    """With these weights values at known points become values at all points, straight between them: points x known.

    >>> _straight(np.array([0.0, 1.0, 2.0]), np.array([0.0, 2.0])).tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    """
    return np.stack([np.interp(points, known, one) for one in np.eye(len(known))], axis=1)
