"""The spine: ``plan(workload, catalogue, policy)`` and the ``Plan`` that everything else is built on."""

from breakeven.planner.spine import Plan, plan

__all__ = ["Plan", "plan"]
