"""What would be created, what an hour of it costs at most, and which quotas of the account it needs."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from breakeven.deploy.bill import RESOURCES
from breakeven.deploy.choice import Chosen, path_of
from breakeven.deploy.scaling import machines_of
from breakeven.deploy.stack import Wishes, document
from breakeven.deploy.text import bare
from breakeven.errors import SpecError
from breakeven.units import HOURS_PER_DAY

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A limit of the account that must be this large. Whether it is, only AWS knows."""

    service: str
    name: str
    needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A deployment before it is one."""

    option: str
    region: str
    machines: tuple[int, int]
    """The fewest and the most."""
    machine: str
    usd_per_hour_least: Decimal | None
    """With the fewest machines; ``None``: the price of a machine is not known."""
    usd_per_hour_most: Decimal | None
    """With the most, in the busiest hour."""
    resources: dict[str, int]
    """How many of each type."""
    quotas: tuple[Quota, ...]


def intent_of(chosen: Chosen, wishes: Wishes) -> Intent:
    """What the template of an option means."""
    machines = (0 if wishes.to_zero else machines_of(chosen)[0], machines_of(chosen)[1])
    types = Counter(str(resource["Type"]) for resource in bare(document(chosen, wishes))["Resources"].values())
    quotas = [Quota(service="SageMaker", name=f"{chosen.machine} for endpoint usage", needed=machines[1])]
    if path_of(chosen.verdict) == "lambda":
        quotas.append(Quota(service="Lambda", name="Concurrent executions", needed=chosen.places))
    return Intent(
        option=chosen.verdict.option.id,
        region=chosen.plan.workload.region,
        machines=machines,
        machine=chosen.machine,
        usd_per_hour_least=_usd_per_hour(chosen, machines[0], 0.0),
        usd_per_hour_most=_usd_per_hour(chosen, machines[1], _busiest(chosen)),
        resources=dict(sorted(types.items())),
        quotas=tuple(quotas),
    )


def refuse_dearer(intent: Intent, max_usd_per_hour: float | None) -> None:
    """Refuse what may cost more an hour than was allowed.

    Raises:
        SpecError: it may, or its price is not known.
    """
    most = intent.usd_per_hour_most
    if max_usd_per_hour is None or (most is not None and most <= Decimal(repr(max_usd_per_hour))):
        return
    told = "an unknown amount" if most is None else f"{most} USD"
    raise SpecError(
        f"{intent.option} may cost {told} an hour ({intent.machines[1]} x {intent.machine})",
        expected=f"at most {max_usd_per_hour:g} USD, as --max-usd-per-hour has it",
        do="Choose a smaller option, or allow more",
    )


def _usd_per_hour(chosen: Chosen, machines: int, load: float) -> Decimal | None:
    """Machines at their price, and the rest of the stack's bill at ``load`` times its mean hour."""
    lines = [line for line in chosen.verdict.bill.lines if line.name in RESOURCES]
    price = next((line.usd_per_unit for line in lines if line.name == "machines"), None)
    if price is None or any(line.usd is None for line in lines):
        return None
    rest = sum((line.usd or Decimal(0) for line in lines if line.name != "machines"), Decimal(0))
    return (price * machines + rest / HOURS_PER_DAY * Decimal(repr(load))).quantize(CENT)


def _busiest(chosen: Chosen) -> float:
    """The busiest hour's requests over those of a mean hour."""
    hours = chosen.plan.workload.requests_per_hour
    return max(hours) * len(hours) / sum(hours)
