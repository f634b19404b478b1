"""How old the prices are on which an answer rests."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from breakeven.catalogue.schema import ApiPrice, ChargedRow, MachinePrice, ProvisionedPrice
from breakeven.cost.bill import Charge
from breakeven.decision.rank import Contender
from breakeven.wording import worded


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """The oldest price in the bills shown: its day, what it is the price of, and its age."""

    oldest_effective_from: date
    item: str
    age_days: int


def freshness_of(
    shown: Iterable[Contender], charges_of: Callable[[Contender], Sequence[Charge]], as_of: date
) -> Freshness:
    """The oldest price row that some line of the bills of ``shown`` is charged by.

    Rows that no line uses do not count: prices for longer prompts, other hours or larger amounts than the
    workload's, and lines without quantity. Where nothing at all is charged, nothing is old.
    """
    used: dict[ChargedRow, None] = {}
    for contender in shown:
        for charge in charges_of(contender):
            used |= dict.fromkeys(charge.prices(contender.number))
    if not used:
        return Freshness(oldest_effective_from=as_of, item="nothing is charged", age_days=0)
    oldest = min(used, key=lambda row: (row.effective_from, _words(row)))
    return Freshness(
        oldest_effective_from=oldest.effective_from,
        item=_words(oldest),
        age_days=(as_of - oldest.effective_from).days,
    )


def _words(row: ChargedRow) -> str:
    """What a row is the price of."""
    if isinstance(row, ApiPrice):
        tier = "" if row.tier == "standard" else f" ({row.tier})"
        return worded(
            "{name} {line}{tier}", name=f"{row.provider}/{row.model}", tier=tier, line=row.token_kind.replace("_", " ")
        )
    if isinstance(row, MachinePrice):
        return f"{row.machine} {row.term}"
    if isinstance(row, ProvisionedPrice):
        return worded("{provider}/{model} provisioned throughput", provider=row.provider, model=row.model)
    return f"{row.service} {row.item}"
