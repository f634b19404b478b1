"""The part of an overlay that says how things are rented: terms of machines, and provisioned throughput of APIs."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec

from breakeven.catalogue.schema import ApiOffer, MachinePrice, ProvisionedPrice
from breakeven.errors import SpecError, UnknownNameError, refuse_odd_number
from breakeven.fields import said

MOST_INTERRUPTIONS = 0.5
CENTS = Decimal("0.000001")


class OwnTerm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another way to rent machines: a commitment, a savings plan, or spot; at a price or so much off that on demand."""

    machine: Annotated[str, said("instance type, `ml.` included (`*` allowed with `discount`), or a machine above")]
    term: Annotated[Literal["reserved-1y", "reserved-3y", "savings-1y", "savings-3y", "spot"], said("what is bought")]
    usd_per_hour: Annotated[Decimal | None, said("its price, upfront payments spread over the term")] = None
    discount: Annotated[float | None, said("instead: the share off the price on demand (0.4 = 40 % off)")] = None
    interruptions_per_hour: Annotated[float | None, said("at spot: how often a machine is taken away, an hour")] = None

    def __post_init__(self) -> None:
        refuse_odd_number("usd_per_hour", self.usd_per_hour, above_zero=True)
        if (self.usd_per_hour is None) == (self.discount is None):
            raise SpecError(
                f"the term {self.term} of {self.machine} has {'no price' if self.discount is None else 'two prices'}",
                expected="either usd_per_hour or discount",
                do="Give one of them",
            )
        if self.discount is not None and not 0 <= self.discount < 1:
            raise SpecError(f"discount is {self.discount:g}", expected="from 0 to below 1", do="Write 0.4 for 40 %")
        if self.usd_per_hour is not None and "*" in self.machine:
            raise SpecError(f"one price for {self.machine}", expected="a discount, or one machine", do="Name it")
        if (self.term == "spot") != (self.interruptions_per_hour is not None):
            raise SpecError(
                f"the term {self.term} of {self.machine} {'lacks' if self.term == 'spot' else 'has'} "
                "interruptions_per_hour",
                expected="interruptions_per_hour for spot, and for nothing else",
                do="A tenth of all machines taken away in a month is 0.00014",
            )
        if self.interruptions_per_hour is not None and not 0 <= self.interruptions_per_hour < MOST_INTERRUPTIONS:
            raise SpecError(
                f"interruptions_per_hour is {self.interruptions_per_hour:g}",
                expected=f"from 0 to below {MOST_INTERRUPTIONS:g} an hour",
                do="Correct it: what is taken away faster than it starts serves nobody",
            )


class OwnProvisioned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Provisioned throughput: units of an API that are paid by the hour, used or not, and answer so many tokens."""

    provider: str
    model: str
    input_tokens_per_minute: Annotated[float, said("input tokens that one unit reads in a minute, at most")]
    output_tokens_per_minute: Annotated[float, said("output tokens that one unit writes in a minute, at most")]
    usd_per_hour: Annotated[Decimal | None, said("of a unit by the hour, without a commitment")] = None
    committed_usd_per_hour: Annotated[Decimal | None, said("of a unit that is committed to")] = None
    canonical: Annotated[str | None, said("the name under which the model is scored, if the catalogue lacks it")] = None

    def __post_init__(self) -> None:
        for name in ("input_tokens_per_minute", "output_tokens_per_minute", "usd_per_hour", "committed_usd_per_hour"):
            refuse_odd_number(name, getattr(self, name), above_zero=True)
        if self.usd_per_hour is None and self.committed_usd_per_hour is None:
            raise SpecError(
                f"the provisioned throughput of {self.provider}/{self.model} has no price",
                expected="usd_per_hour, committed_usd_per_hour or both",
                do="Give one of them",
            )


def with_terms(
    prices: tuple[MachinePrice, ...], terms: Sequence[OwnTerm], since: date, source: str
) -> tuple[MachinePrice, ...]:
    """The prices of machines with those of the overlay's terms; the catalogue's of the same term go."""
    found: list[MachinePrice] = []
    for row in terms:
        listed = [price for price in prices if price.term == "on-demand" and fnmatchcase(price.machine, row.machine)]
        if not listed:
            rented = sorted({price.machine for price in prices if price.term == "on-demand"})
            raise UnknownNameError("machine", row.machine, rented, search="breakeven catalogue list machines")
        found += _term_prices(row, listed, since, source)
    given = {(price.machine, price.term) for price in found}
    return (*(price for price in prices if (price.machine, price.term) not in given), *found)


def _term_prices(row: OwnTerm, listed: Sequence[MachinePrice], since: date, source: str) -> Iterator[MachinePrice]:
    """The price of one term from the overlay's first day on; what is a discount follows the price on demand."""
    for place in sorted({(price.machine, price.region) for price in listed}):
        days = sorted((p for p in listed if (p.machine, p.region) == place), key=lambda p: p.effective_from)
        before = [price for price in days if price.effective_from <= since][-1:]
        for price in (*before, *(price for price in days if price.effective_from > since)):
            off = Decimal(1) - Decimal(repr(row.discount or 0.0))
            yield msgspec.structs.replace(
                price,
                term=row.term,
                usd_per_hour=row.usd_per_hour or (price.usd_per_hour * off).quantize(CENTS),
                effective_from=max(price.effective_from, since),
                date_basis="stated",
                source=source,
                note="overlay" if row.discount is None else f"{row.discount:.3g} off {price.usd_per_hour} on demand",
                interruptions_per_hour=row.interruptions_per_hour,
            )


def provisioned_rows(
    rows: Sequence[OwnProvisioned], since: date, source: str
) -> tuple[tuple[ApiOffer, ProvisionedPrice], ...]:
    """Each row as a price, and the offer that it stands for where the catalogue has none."""
    return tuple(
        (
            ApiOffer(provider=row.provider, model=row.model, mode="chat", canonical=row.canonical, source=source),
            ProvisionedPrice(
                **{name: getattr(row, name) for name in OwnProvisioned.__struct_fields__ if name != "canonical"},
                effective_from=since,
                date_basis="stated",
                source=source,
            ),
        )
        for row in rows
    )
