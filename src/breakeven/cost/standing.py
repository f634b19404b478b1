"""What stands around a deployed endpoint beside machines: dashboard, alarms, kept logs, and its removal."""

import numpy as np

from breakeven.catalogue.load import Snapshot
from breakeven.cost.bill import Charge, service_charge
from breakeven.options.columns import Floats, Mask
from breakeven.units import DAYS_PER_MONTH

SCHEDULE = ("eventbridge-scheduler", "invocation")
SCALING_ALARMS = 2
"""Target tracking keeps one alarm for more machines and one for fewer."""
LOG_RETENTION_DAYS = 30
"""Assumption: for so long usage records are kept; `breakeven template` sets it."""
STACKS_PER_MONTH = 1
"""Assumption: a stack is removed, or its end moved, once a month."""


def standing_charges(deployed: Mask, scaling: Mask, logged_gb_per_day: Floats, snapshot: Snapshot) -> list[Charge]:
    """One line each, for the options whose stack `breakeven template` writes (``deployed``).

    ``scaling``: whose number of machines follows the hours. On a day, or in a region, without a price for the
    schedule there is no such stack yet, and no line.
    """
    made = deployed & bool(snapshot.service_tiers.get(SCHEDULE))
    return [
        service_charge(
            "dashboard", "dashboard-month", snapshot, ("cloudwatch", "dashboard"), np.where(made, 1 / DAYS_PER_MONTH, 0)
        ),
        service_charge(
            "alarms of the autoscaling",
            "alarm-month",
            snapshot,
            ("cloudwatch", "high-resolution alarm"),
            np.where(made & scaling, SCALING_ALARMS / DAYS_PER_MONTH, 0),
        ),
        service_charge(
            "logs kept",
            "GB-month",
            snapshot,
            ("cloudwatch-logs", "storage"),
            np.where(made, logged_gb_per_day * LOG_RETENTION_DAYS / DAYS_PER_MONTH, 0),
        ),
        service_charge(
            "removal at the end", "invocation", snapshot, SCHEDULE, np.where(made, STACKS_PER_MONTH / DAYS_PER_MONTH, 0)
        ),
    ]
