"""The user's own machines, prices and scores, laid over the catalogue for one plan.

Nothing in the catalogue is changed on disk; the digest of the result tells that it is another catalogue.
"""

import hashlib
import math
from collections import Counter
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from breakeven.catalogue.load import ANYWHERE, DIGEST_LENGTH, Catalogue, index
from breakeven.catalogue.overlay_terms import OwnProvisioned, OwnTerm, provisioned_rows, with_terms
from breakeven.catalogue.schema import (
    Accelerator,
    ApiOffer,
    ApiPrice,
    Instance,
    MachinePrice,
    Score,
    TokenKind,
)
from breakeven.errors import SpecError, UnknownNameError, refuse_odd_number
from breakeven.evidence import Source
from breakeven.fields import said
from breakeven.units import HOURS_PER_YEAR, WATTS_PER_KILOWATT
from breakeven.yamlfile import read_yaml

NOTE = "overlay"
CENTS = Decimal("0.000001")


class Owned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A machine that was bought: its price over its life, and the power it draws."""

    usd: Annotated[Decimal, said("purchase price")]
    life_years: Annotated[Decimal, said("years over which it is written off")]
    watts: Annotated[Decimal, said("power drawn at work, cooling included")] = Decimal(0)
    usd_per_kwh: Annotated[Decimal, said("price of electricity")] = Decimal(0)
    usd_per_month: Annotated[Decimal, said("rack, network, hands")] = Decimal(0)

    def __post_init__(self) -> None:
        _refuse_odd(self, above_zero=("usd", "life_years"), or_zero=("watts", "usd_per_kwh", "usd_per_month"))
        try:
            per_hour = self.usd_per_hour()
        except ArithmeticError:  # more digits than a price has
            per_hour = Decimal(0)
        if not per_hour:
            raise SpecError(f"usd is {self.usd} over {self.life_years} years", expected="a price", do="Correct it")

    def usd_per_hour(self) -> Decimal:
        """Usd / (life x 8,760 h) + kW x usd_per_kwh + usd_per_month x 12 / 8,760 h."""
        hours = Decimal(HOURS_PER_YEAR)
        power = self.watts / WATTS_PER_KILOWATT * self.usd_per_kwh
        return (self.usd / (self.life_years * hours) + power + self.usd_per_month * 12 / hours).quantize(CENTS)


class OwnMachine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A machine outside the catalogue: rented (``usd_per_hour``) or bought (``owned``)."""

    name: Annotated[str, said("its name in the ranking")]
    accelerator: Annotated[str | None, said("by its name in the catalogue or in this file")] = None
    accelerator_count: Annotated[int, said("how many are in it")] = 0
    accelerator_memory_gib_total: Annotated[float | None, said("memory of all of them, if not the datasheet's")] = None
    cpu: Annotated[str | None, said("for a machine without accelerator: a CPU of the catalogue")] = None
    vcpus: Annotated[int, said("hardware threads")] = 0
    memory_gib: Annotated[float, said("main memory")] = 0.0
    interconnect: Annotated[
        Literal["none", "pcie", "nvlink", "neuronlink", "xgmi", "other"], said("how the accelerators are linked")
    ] = "pcie"
    usd_per_hour: Annotated[Decimal | None, said("rent, on demand")] = None
    owned: Annotated[Owned | None, said("instead of rent: what it cost and costs")] = None
    count: Annotated[int | None, said("how many of them there are; left out: as many as wanted")] = None

    def __post_init__(self) -> None:
        _refuse_odd(self, above_zero=("accelerator_memory_gib_total", "usd_per_hour", "count"))
        _refuse_odd(self, or_zero=("vcpus", "memory_gib"))
        if self.accelerator is None and self.cpu is None:
            raise SpecError(
                f"the machine {self.name} has neither accelerator nor cpu",
                expected="an accelerator with accelerator_count, or a cpu with vcpus",
                do="Name one; `breakeven catalogue list accelerators` lists them",
            )
        if self.accelerator is not None and self.accelerator_count < 1:
            raise SpecError(
                f"accelerator_count is {self.accelerator_count} for the machine {self.name}",
                expected="accelerator_count of 1 or more",
                do="Say how many are in it",
            )
        if self.accelerator is None and not (self.vcpus and self.memory_gib):
            raise SpecError(
                f"the machine {self.name} has {self.vcpus} vcpus and {self.memory_gib:g} GiB of memory",
                expected="a cpu with its vcpus and memory_gib",
                do="Say how many are in it",
            )
        if (self.usd_per_hour is None) == (self.owned is None):
            raise SpecError(
                f"the machine {self.name} has {'two prices' if self.owned else 'no price'}",
                expected="either usd_per_hour (rented) or owned (bought)",
                do="Give one of them",
            )


class OwnAccelerator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An accelerator that the catalogue lacks, by its datasheet (dense figures)."""

    name: str
    vendor: str
    generation: str
    memory_gib: float
    bandwidth_gb_per_s: float
    bf16_dense_tflops: float
    fp8_dense_tflops: float = 0.0
    int8_dense_tops: float = 0.0
    link_kind: str = "pcie"
    link_gb_per_s_one_way: float | None = None

    def __post_init__(self) -> None:
        _refuse_odd(self, above_zero=("memory_gib", "bandwidth_gb_per_s", "bf16_dense_tflops", "link_gb_per_s_one_way"))
        _refuse_odd(self, or_zero=("fp8_dense_tflops", "int8_dense_tops"))


class OwnApiPrice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A paid API at the user's own price. USD per million tokens; what is left out is not known."""

    provider: str
    model: str
    input: Decimal
    output: Decimal | None = None
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    canonical: str | None = None

    def __post_init__(self) -> None:
        _refuse_odd(self, above_zero=("input", "output", "cached_input", "cache_write"))


class OwnScore(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A quality score of the user's own measuring."""

    model: str
    scale: str
    score: float
    conditions: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.score):
            raise SpecError(f"score is {self.score}", expected="a number", do="Leave out what is not known")


class Overlay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An overlay file. ``source`` says where its figures come from, ``read`` when."""

    source: Annotated[str, said("where the figures of this file come from: it stands behind each of them")]
    read: Annotated[date, said("the day on which they were read")]
    effective_from: Annotated[date | None, said("the first day on which its prices hold; left out: `read`")] = None
    machines: Annotated[list[OwnMachine], said("machines outside the catalogue")] = []
    accelerators: Annotated[list[OwnAccelerator], said("accelerators that the catalogue lacks, by datasheet")] = []
    api_prices: Annotated[list[OwnApiPrice], said("paid APIs at your price, USD per million tokens")] = []
    terms: Annotated[list[OwnTerm], said("other ways to rent machines: commitments, savings plans, spot")] = []
    provisioned: Annotated[
        list[OwnProvisioned], said("paid APIs by the unit of throughput and the hour, used or not")
    ] = []
    scores: Annotated[list[OwnScore], said("quality scores of your own measuring")] = []

    def __post_init__(self) -> None:
        if not self.source.strip():
            raise SpecError("source is empty", expected="where the figures come from", do="Name the invoice or quote")
        named = [
            *((f"the machine {row.name}") for row in self.machines),
            *((f"the accelerator {row.name}") for row in self.accelerators),
            *((f"the API {row.provider}/{row.model}") for row in self.api_prices),
            *((f"the term {row.term} of {row.machine}") for row in self.terms),
            *((f"the provisioned throughput of {row.provider}/{row.model}") for row in self.provisioned),
            *((f"the {row.scale} score of {row.model}") for row in self.scores),
        ]
        twice = next((name for name, times in Counter(named).items() if times > 1), None)
        if twice:
            raise SpecError(f"{twice} is given twice", expected="each once", do="Leave one of them out")


def _refuse_odd(row: msgspec.Struct, *, above_zero: tuple[str, ...] = (), or_zero: tuple[str, ...] = ()) -> None:
    for name in (*above_zero, *or_zero):
        refuse_odd_number(name, getattr(row, name), above_zero=name in above_zero)


def with_overlay(catalogue: Catalogue, path: Path) -> Catalogue:
    """The catalogue with an overlay file's rows added; rows of the same name replace the catalogue's.

    Raises:
        SpecError: if the file does not fit its form, or a machine has no price or no hardware.
        UnknownNameError: if a machine names an accelerator or CPU that nobody describes.
    """
    overlay, *more = read_yaml(path, Overlay)
    if more:
        raise SpecError(f"{path} holds {1 + len(more)} overlays", expected="one", do="Put them into one document")
    source = Source(id=f"overlay-{path.stem}", kind="user", title=overlay.source, read=overlay.read)
    old = catalogue.tables
    since = overlay.effective_from or overlay.read
    added = _rows(overlay, source.id, catalogue)
    merged: dict[str, tuple[Any, ...]] = {
        name: (*rows, *_kept(getattr(old, name), rows)) for name, rows in added.items()
    }
    merged["machine_prices"] = with_terms(merged["machine_prices"], overlay.terms, since, source.id)
    for dated in ("api_prices", "machine_prices"):
        merged[dated] = tuple(sorted(merged[dated], key=lambda row: row.effective_from))
    digest = hashlib.sha256(catalogue.digest.encode() + path.read_bytes()).hexdigest()[:DIGEST_LENGTH]
    units = provisioned_rows(overlay.provisioned, since, source.id)
    known = {offer.key for offer in merged["api_offers"]}
    merged["api_offers"] += tuple(offer for offer, _ in units if offer.key not in known)
    laid = index(msgspec.structs.replace(old, sources=(*old.sources, source), **merged), digest)
    return replace(laid, provisioned=tuple(row for _, row in units))


def _kept(old: tuple[Any, ...], added: tuple[Any, ...]) -> tuple[Any, ...]:
    """The catalogue's rows, less those that the overlay names again."""
    names = {_identity(row) for row in added} - {None}
    return tuple(row for row in old if _identity(row) not in names)


def _identity(row: object) -> object:
    if isinstance(row, ApiOffer):
        return row.key
    if isinstance(row, Score):
        return row.model, row.scale
    if isinstance(row, MachinePrice):
        return row.machine
    if isinstance(row, ApiPrice):
        return row.provider, row.model
    return getattr(row, "name", None)


def _rows(overlay: Overlay, source: str, catalogue: Catalogue) -> dict[str, tuple[Any, ...]]:
    since = overlay.effective_from or overlay.read
    accelerators = tuple(
        Accelerator(
            **{name: getattr(row, name) for name in OwnAccelerator.__struct_fields__},
            fp4_dense_tflops=0.0,
            source=source,
            note=NOTE,
        )
        for row in overlay.accelerators
    )
    known = {*catalogue.accelerators, *(row.name for row in accelerators)}
    return {
        "accelerators": accelerators,
        "instances": tuple(_instance(row, source, known, catalogue) for row in overlay.machines),
        "machine_prices": tuple(_price(row, source, since) for row in overlay.machines),
        "api_offers": tuple(
            ApiOffer(
                provider=row.provider,
                model=row.model,
                mode="chat" if row.output is not None else "embedding",
                canonical=row.canonical,
                source=source,
            )
            for row in overlay.api_prices
        ),
        "api_prices": tuple(price for row in overlay.api_prices for price in _api_prices(row, source, since)),
        "scores": tuple(
            Score(
                model=row.model,
                scale=row.scale,
                score=row.score,
                conditions=row.conditions or NOTE,
                observed=overlay.read,
                source=source,
            )
            for row in overlay.scores
        ),
    }


def _instance(row: OwnMachine, source: str, known: set[str], catalogue: Catalogue) -> Instance:
    if row.accelerator is not None and row.accelerator not in known:
        raise UnknownNameError("accelerator", row.accelerator, known, search="breakeven catalogue list accelerators")
    if row.cpu is not None and row.cpu not in catalogue.cpus:
        raise UnknownNameError("cpu", row.cpu, catalogue.cpus, search="breakeven catalogue list cpus")
    return Instance(
        name=row.name,
        vcpus=row.vcpus,
        memory_gib=row.memory_gib,
        accelerator=row.accelerator,
        accelerator_count=row.accelerator_count,
        accelerator_memory_gib_total=row.accelerator_memory_gib_total,
        cpu=row.cpu,
        interconnect=row.interconnect,
        local_nvme_gb=0.0,
        count=row.count,
        own=True,
        source=source,
        note=NOTE,
    )


def _price(row: OwnMachine, source: str, since: date) -> MachinePrice:
    owned = row.owned
    return MachinePrice(
        machine=row.name,
        service="own",
        region=ANYWHERE,
        term="owned" if owned else "on-demand",
        usd_per_hour=owned.usd_per_hour() if owned else row.usd_per_hour or Decimal(0),
        effective_from=since,
        date_basis="stated",
        source=source,
        note=f"{owned.usd} USD over {owned.life_years} years and {owned.watts} W" if owned else "",
    )


def _api_prices(row: OwnApiPrice, source: str, since: date) -> list[ApiPrice]:
    kinds: tuple[TokenKind, ...] = ("input", "cached_input", "cache_write", "output")
    return [
        ApiPrice(
            provider=row.provider,
            model=row.model,
            tier="standard",
            token_kind=kind,
            usd_per_mtok=usd,
            effective_from=since,
            date_basis="stated",
            source=source,
        )
        for kind in kinds
        if (usd := getattr(row, kind)) is not None
    ]
