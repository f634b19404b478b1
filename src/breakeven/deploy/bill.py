"""The bill by resources: which part of the stack each line pays for. The sum is the plan's, because nothing else is."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from breakeven.deploy.choice import Chosen
from breakeven.deploy.plan import Bill, Line
from breakeven.units import DAYS_PER_MONTH

OUTSIDE = "outside the stack"
RESOURCES: dict[str, tuple[str, ...]] = {
    "machines": ("Endpoint",),
    "storage (sagemaker)": ("EndpointConfig",),
    "SageMaker data processed": ("Endpoint",),
    "Lambda, waiting for the model": ("Function",),
    "Lambda requests": ("Function",),
    "API Gateway requests": ("ApiMethod",),
    "data transfer out": ("Api", "Endpoint"),
    "logs": ("FunctionLogs", "ServerLogs"),
    "logs kept": ("FunctionLogs", "ServerLogs"),
    "dashboard": ("Dashboard",),
    "alarms of the autoscaling": ("ScalingPolicy",),
    "removal at the end": ("Removal",),
}
"""Of each line of the bill: the resource that causes it, the first of them that stands in the stack."""
ON_A_CLUSTER: dict[str, str] = {"machines": "Deployment", "storage (ebs)": "Deployment"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A line of the bill with the resource that causes it; ``line`` is ``None`` for what has no charge of its own."""

    resource: str
    line: Line | None


def at_aws_usd_per_month(bill: Bill) -> Decimal:
    """What AWS charges for the stack in a month of 730 hours: the lines that a resource causes."""
    usd = sum((line.usd or Decimal(0) for line in bill.lines if line.name in RESOURCES), Decimal(0))
    return usd * Decimal(repr(DAYS_PER_MONTH))


def shares(chosen: Chosen, standing: tuple[str, ...]) -> tuple[Share, ...]:
    """Every line of the bill with its resource, then the resources of the stack that cost nothing by themselves."""
    charged = [Share(resource=_resource(line.name, standing), line=line) for line in chosen.verdict.bill.lines]
    paying = {share.resource for share in charged}
    return (*charged, *(Share(resource=name, line=None) for name in standing if name not in paying))


def on_a_cluster(chosen: Chosen) -> tuple[Share, ...]:
    """Every line of the bill, for a cluster: machines are its nodes."""
    lines = chosen.verdict.bill.lines
    return tuple(Share(resource=ON_A_CLUSTER.get(line.name, OUTSIDE), line=line) for line in lines)


def total_usd_per_day(found: tuple[Share, ...]) -> Decimal:
    """The sum of what is known."""
    return sum((share.line.usd for share in found if share.line and share.line.usd is not None), Decimal(0))


def unpriced(found: tuple[Share, ...]) -> tuple[str, ...]:
    """Names of the lines whose price is not known."""
    return tuple(share.line.name for share in found if share.line and share.line.usd is None)


def sources(chosen: Chosen) -> dict[str, str]:
    """The title of each source that the lines name, by its id."""
    return dict(_titles(chosen))


def _titles(chosen: Chosen) -> Iterator[tuple[str, str]]:
    titles = {source.id: source.title for source in chosen.plan.sources}
    for line in chosen.verdict.bill.lines:
        for source in line.source:
            yield source, titles.get(source, source)


def _resource(line: str, standing: tuple[str, ...]) -> str:
    return next((name for name in RESOURCES.get(line, ()) if name in standing), OUTSIDE)
