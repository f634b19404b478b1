"""Is a paid LLM API or a self-hosted open model cheaper for my traffic, and from which traffic on?

>>> from breakeven import Workload, load_catalogue, plan
>>> answer = plan(Workload.of(requests_per_day=1e6, input_tokens=1500, output_tokens=400), load_catalogue())
>>> answer.catalogue_digest == load_catalogue().digest
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from breakeven.catalogue.load import Catalogue, load_catalogue
    from breakeven.decision.hybrid import BaseCapacity, best_base_capacity
    from breakeven.errors import BreakevenError
    from breakeven.planner import Plan, plan
    from breakeven.planner.ranges import ranges
    from breakeven.workload.policy import Policy
    from breakeven.workload.profile import Slo, Workload
    from breakeven.workload.usage import TokenMix, TokenUsage

__version__ = "0.1.0"

_HOME = {
    "BaseCapacity": "breakeven.decision.hybrid",
    "BreakevenError": "breakeven.errors",
    "Catalogue": "breakeven.catalogue.load",
    "Plan": "breakeven.planner",
    "Policy": "breakeven.workload.policy",
    "Slo": "breakeven.workload.profile",
    "TokenMix": "breakeven.workload.usage",
    "TokenUsage": "breakeven.workload.usage",
    "Workload": "breakeven.workload.profile",
    "best_base_capacity": "breakeven.decision.hybrid",
    "load_catalogue": "breakeven.catalogue.load",
    "plan": "breakeven.planner",
    "ranges": "breakeven.planner.ranges",
}

__all__ = [
    "BaseCapacity",
    "BreakevenError",
    "Catalogue",
    "Plan",
    "Policy",
    "Slo",
    "TokenMix",
    "TokenUsage",
    "Workload",
    "best_base_capacity",
    "load_catalogue",
    "plan",
    "ranges",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the public names, imported when first asked for
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'breakeven' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
