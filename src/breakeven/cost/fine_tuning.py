"""What fine-tuning costs: whole machines for started hours at the day's price, spread over the months it serves."""

import math
from decimal import Decimal

import msgspec

from breakeven.catalogue.load import Catalogue, Snapshot
from breakeven.catalogue.schema import Instance, MachinePrice, ModelSpec
from breakeven.cost.extras import TrainingCost
from breakeven.errors import NoDataError
from breakeven.options.tuned import as_measured, is_offer, result_name
from breakeven.performance.calibration import Parameters
from breakeven.performance.training import LARGEST_CLUSTER, Run, run_on
from breakeven.units import DAYS_PER_MONTH, HOURS_PER_MONTH, TOKENS_PER_MTOK
from breakeven.wording import quoting
from breakeven.workload.fine_tuning import FineTuning

TERMS = ("on-demand", "owned")
"""Under which training is rented: nobody commits for a year to a run of hours."""


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """One fine-tuning: what it reads, what it runs on and what it costs. Figures of a machine are ``None`` for APIs."""

    model: str
    name: str
    method: str | None
    tokens_read: float
    """Of all runs."""
    runs: int
    machine: str | None = None
    machines: int | None = None
    devices: int | None = None
    flops: float | None = None
    """Of one run."""
    flops_per_s: float | None = None
    """Of one device, as reached."""
    hours: float | None = None
    """Of one run, on the clock."""
    machine_hours: float | None = None
    """Of all runs, as paid."""
    usd: Decimal
    """All runs, less the examples."""
    examples_usd: Decimal | None
    """``None``: not counted."""
    horizon_months: float
    usd_per_day: Decimal


def trainings_of(
    tunings: tuple[FineTuning, ...], catalogue: Catalogue, snapshot: Snapshot, parameters: Parameters
) -> tuple[tuple[Training, ...], tuple[TrainingCost, ...]]:
    """Every fine-tuning, and what each adds to a bill.

    Raises:
        NoDataError: no machine with a price holds one of them.
    """
    found = [_one(tuning, catalogue, snapshot, parameters) for tuning in tunings]
    return tuple(training for training, _ in found), tuple(cost for _, cost in found)


def _one(
    tuning: FineTuning, catalogue: Catalogue, snapshot: Snapshot, parameters: Parameters
) -> tuple[Training, TrainingCost]:
    days = tuning.horizon_months * DAYS_PER_MONTH
    name, read = result_name(tuning, catalogue), tuning.tokens_read * tuning.runs
    if is_offer(tuning, catalogue):
        mtok, usd = read / TOKENS_PER_MTOK, tuning.usd_per_million_tokens or 0.0
        cost = _cost(tuning, name, mtok / days, "million tokens of training", usd, None)
        return _training(tuning, name, cost, mtok * usd), cost
    model = as_measured(catalogue.models[name])
    instance, price, run = _cheapest(tuning, model, catalogue, snapshot, parameters)
    hours = run.machines * math.ceil(run.hours) * tuning.runs
    cost = _cost(tuning, name, hours / days, "machine-hour", float(price.usd_per_hour), price)
    training = msgspec.structs.replace(
        _training(tuning, name, cost, hours * float(price.usd_per_hour)),
        machine=instance.name,
        machines=run.machines,
        devices=run.devices,
        flops=run.flops,
        flops_per_s=run.flops_per_s,
        hours=run.hours,
        machine_hours=float(hours),
    )
    return training, cost


def _cost(
    tuning: FineTuning, name: str, quantity_per_day: float, unit: str, usd: float, price: MachinePrice | None
) -> TrainingCost:
    return TrainingCost(
        model=name,
        quantity_per_day=quantity_per_day,
        unit=unit,
        usd_per_unit=usd,
        examples_usd_per_day=(tuning.examples_usd or 0.0) / (tuning.horizon_months * DAYS_PER_MONTH),
        price=price,
    )


def _training(tuning: FineTuning, name: str, cost: TrainingCost, usd: float) -> Training:
    def exact(value: float) -> Decimal:
        return Decimal(repr(value)).quantize(Decimal("0.000001"))

    return Training(
        model=tuning.model,
        name=name,
        method=tuning.method,
        tokens_read=tuning.tokens_read * tuning.runs,
        runs=tuning.runs,
        usd=exact(usd),
        examples_usd=None if tuning.examples_usd is None else exact(tuning.examples_usd),
        horizon_months=tuning.horizon_months,
        usd_per_day=exact(cost.usd_per_day),
    )


def _cheapest(
    tuning: FineTuning, model: ModelSpec, catalogue: Catalogue, snapshot: Snapshot, parameters: Parameters
) -> tuple[Instance, MachinePrice, Run]:
    """The machine on which all runs cost least; among equals the one that is done first."""
    found: list[tuple[float, float, str, MachinePrice, Run]] = []
    for instance in catalogue.instances.values():
        accelerator = catalogue.accelerators.get(instance.accelerator or "")
        if accelerator is None or tuning.machine not in (None, instance.name):
            continue
        run = run_on(instance, accelerator, model, tuning, parameters)
        if run is None or math.ceil(run.hours) * tuning.runs > tuning.horizon_months * HOURS_PER_MONTH:
            continue
        for price in (snapshot.machine_prices.get((instance.name, term)) for term in TERMS):
            if price is not None:
                usd = run.machines * math.ceil(run.hours) * float(price.usd_per_hour)
                found.append((usd, run.hours, instance.name, price, run))
    if not found:
        raise NoDataError(
            quoting(
                "no machine {machine}with a price on {day} holds the fine-tuning of {model} and ends it in time",
                machine=f"{tuning.machine} " if tuning.machine else "",
                day=snapshot.as_of,
                model=tuning.model,
            ),
            expected=quoting(
                "at most {most} machines with GPUs that hold weights, gradients and optimiser", most=LARGEST_CLUSTER
            ),
            do="Take method: lora, another machine, more hours, or a smaller model",
        )
    _, _, name, price, run = min(found, key=lambda one: one[:3])
    return catalogue.instances[name], price, run
