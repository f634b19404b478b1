"""What stands on a bill beside serving: more than one attempt at a request, checks of answers, and fine-tuning."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from breakeven.catalogue.schema import PriceRow
from breakeven.cost.api import ApiCosts
from breakeven.cost.bill import Charge, sources_of, total_usd_per_day
from breakeven.cost.fixed import SPEC_SOURCE, fixed_charges, fixed_costs
from breakeven.options.api import ApiOption
from breakeven.options.columns import Floats, Ints
from breakeven.options.hosted import HostedGrid
from breakeven.options.success import Successes
from breakeven.workload.policy import Policy

CHECKS = "checks of answers"
TRAINING = "fine-tuning"
EXAMPLES = "fine-tuning, gathering examples"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingCost:
    """What fine-tuning one model costs a day of its horizon; ``price`` is ``None`` where the user stated it."""

    model: str
    quantity_per_day: float
    unit: str
    usd_per_unit: float
    examples_usd_per_day: float
    price: PriceRow | None

    @property
    def usd_per_day(self) -> float:
        """All of it."""
        return self.quantity_per_day * self.usd_per_unit + self.examples_usd_per_day


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Extras:
    """Of API options, or of rows of the speed: checks a request, and the training (a place, -1: none)."""

    checks: Floats | None
    usd_per_check: float | None
    """``None``: nobody said; the checks are not counted then."""
    trainings: tuple[TrainingCost, ...]
    training: Ints

    def charges(self, rows: Ints, requests_per_day: Floats | float) -> tuple[Charge, ...]:
        """The lines of some options, each at its own volume of requests (of callers, not of attempts)."""
        found: list[Charge] = []
        if self.checks is not None and self.usd_per_check:
            found.append(checks_charge(self.checks[rows] * requests_per_day, self.usd_per_check))
        if self.trainings:
            found += self._training(self.training[rows])
        return tuple(found)

    def beside(self, policy: Policy, kind: str, rows: Ints, requests_per_day: Floats | float) -> tuple[Charge, ...]:
        """All lines that are not paid by the attempt, fixed costs of this kind of option first."""
        return (*fixed_charges(fixed_costs(policy, kind), len(rows)), *self.charges(rows, requests_per_day))

    def fixed_usd_per_day(self, row: int) -> float:
        """What does not depend on traffic."""
        place = int(self.training[row]) if self.trainings else -1
        return self.trainings[place].usd_per_day if place >= 0 else 0.0

    def _training(self, place: Ints) -> list[Charge]:
        some, trains = self.trainings, place >= 0

        def column(values: Sequence[float], nothing: float) -> Floats:
            return np.where(trains, np.array(values)[place], nothing)

        def prices(option: int) -> tuple[PriceRow, ...]:
            price = some[place[option]].price if trains[option] else None
            return (price,) if price is not None else ()

        return [
            Charge(
                name=TRAINING,
                unit=some[0].unit,
                quantity_per_day=column([t.quantity_per_day for t in some], 0.0),
                usd_per_unit=column([t.usd_per_unit for t in some], np.nan),
                source=lambda option: sources_of(prices(option)) or (SPEC_SOURCE,),
                prices=prices,
            ),
            Charge(
                name=EXAMPLES,
                unit="day",
                quantity_per_day=column([float(t.examples_usd_per_day > 0) for t in some], 0.0),
                usd_per_unit=column([t.examples_usd_per_day for t in some], np.nan),
                source=lambda _: (SPEC_SOURCE,),
            ),
        ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BothExtras:
    """Of the API options and of the rows of the speed."""

    api: Extras
    hosted: Extras

    @property
    def usd_per_check(self) -> float:
        """What a check of an answer costs; nothing where nobody said."""
        return self.hosted.usd_per_check or 0.0

    def without_checks(self) -> "BothExtras":
        """The same less the checks of answers."""
        return BothExtras(api=replace(self.api, checks=None), hosted=replace(self.hosted, checks=None))


def no_extras(options: int) -> Extras:
    """Nothing beside serving."""
    return Extras(checks=None, usd_per_check=None, trainings=(), training=np.full(options, -1, dtype=np.int64))


def extras_of(
    successes: Successes | None,
    trainings: Sequence[TrainingCost],
    apis: Sequence[ApiOption],
    grid: HostedGrid,
    rows: Ints,
) -> BothExtras:
    """What checks and trainings add to the bills of the APIs and of some rows of the grid."""
    api, hosted = no_extras(len(apis)), no_extras(len(rows))
    if trainings:
        api = _trained(api, trainings, [option.tariff.offer.model for option in apis])
        hosted = _trained(hosted, trainings, [grid.models[model].name for model in grid.model[rows].tolist()])
    checker = successes.answers.checker if successes else None
    if successes is not None and checker is not None:
        usd = checker.usd_per_answer
        api = replace(api, checks=successes.api.checks, usd_per_check=usd)
        hosted = replace(hosted, checks=successes.hosted.checks, usd_per_check=usd)
    return BothExtras(api=api, hosted=hosted)


def _trained(bare: Extras, trainings: Sequence[TrainingCost], models: Sequence[str]) -> Extras:
    """With the trainings of some models; those of others are left out, as their units may differ."""
    names = set(models)
    own = tuple(training for training in trainings if training.model in names)
    place = {training.model: number for number, training in enumerate(own)}
    return replace(bare, trainings=own, training=np.array([place.get(name, -1) for name in models], dtype=np.int64))


def checks_charge(checks_per_day: Floats, usd_per_check: float) -> Charge:
    """So many checks of answers a day."""
    return Charge(
        name=CHECKS,
        unit="check",
        quantity_per_day=checks_per_day,
        usd_per_unit=np.full(len(checks_per_day), usd_per_check),
        source=lambda _: (SPEC_SOURCE,),
    )


def times(charge: Charge, factor: Floats | float) -> Charge:
    """A charge for so many times its quantity."""
    return replace(charge, quantity_per_day=charge.quantity_per_day * factor)


def with_attempts(once: ApiCosts, successes: Successes | None, beside: Sequence[Charge]) -> ApiCosts:
    """Costs of APIs that are asked more than once a request; ``beside``: what is not paid by the attempt."""
    tokens = once.charges if successes is None else tuple(times(c, successes.api.attempts) for c in once.charges)
    charges = (*tokens, *beside)
    return ApiCosts(options=once.options, charges=charges, usd_per_day=total_usd_per_day(charges, len(once.options)))
