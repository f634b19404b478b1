"""The machines a replica can run on: kinds of hardware, and every priced way to rent them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from breakeven.catalogue.load import SAGEMAKER_PREFIX, Catalogue, Snapshot
from breakeven.catalogue.schema import Accelerator, Cpu, Instance, MachinePrice, ServingPath
from breakeven.options.api import matches
from breakeven.options.columns import Floats, Ints, Mask
from breakeven.options.terms import BY_THE_HOUR, COMMITTED_YEARS, ON_DEMAND, OWNED, SPOT, Buying, buying
from breakeven.workload.policy import Policy
from breakeven.workload.profile import Slo

_Term = tuple[str, MachinePrice | None, MachinePrice | None, Buying]
"""A term, its price, that on demand, and how it is bought."""
UNPRICED: _Term = (ON_DEMAND, None, None, BY_THE_HOUR)
TENSOR_PARALLEL = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineOffer:
    """One instance type at one price on one serving path; ``price`` is ``None`` if none is known that day."""

    machine: str
    instance: Instance
    path: ServingPath
    term: str
    price: MachinePrice | None
    on_demand: MachinePrice | None = None
    """The price of the same machine without a commitment; ``None`` if none is known that day."""
    buying: Buying = BY_THE_HOUR
    """What of its price and term decides over how many are bought for how long."""
    refused: str | None = None
    """Why it is not considered although it has a price."""

    @property
    def beside(self) -> MachinePrice | None:
        """The price of machines by the hour, beside those that are committed to; ``None``: none are to be had."""
        if self.term == OWNED:
            return None
        return self.on_demand if self.term in COMMITTED_YEARS else self.price

    @property
    def available(self) -> float:
        """How many of the machine there are; infinite if as many as wanted."""
        return float("inf") if self.instance.count is None else float(self.instance.count)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rents:
    """How the offers of a fleet are bought, as columns: reckoned once, and taken by every option."""

    usd_per_hour: Floats
    """NaN: not known."""
    beside_usd_per_hour: Floats
    """Of machines by the hour beside those that are committed to; NaN: none are to be had."""
    owned: Mask
    spot: Mask
    buyings: tuple[Buying, ...]
    """The different ones."""
    buying: Ints
    """Of each offer."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reach:
    """Where the machines of a fleet's offers stand and how they are reached, as columns."""

    available: Floats
    """How many of the machine there are."""
    local_nvme_gb: Floats
    paths: tuple[ServingPath, ...]
    """The different ones."""
    path: Ints
    """Of each offer."""


def reach_of(offers: Sequence[MachineOffer]) -> Reach:
    """The columns of some offers."""
    paths = {offer.path.name: offer.path for offer in offers}
    places = {name: n for n, name in enumerate(paths)}
    return Reach(
        available=np.array([offer.available for offer in offers], dtype=np.float64),
        local_nvme_gb=np.array([offer.instance.local_nvme_gb for offer in offers], dtype=np.float64),
        paths=tuple(paths.values()),
        path=np.array([places[offer.path.name] for offer in offers], dtype=np.int64),
    )


def rents_of(offers: Sequence[MachineOffer]) -> Rents:
    """The columns of some offers."""
    places = {one: n for n, one in enumerate(dict.fromkeys(offer.buying for offer in offers))}
    prices = [[offer.price for offer in offers], [offer.beside for offer in offers]]
    usd = [np.array([float(row.usd_per_hour) if row else np.nan for row in rows]) for rows in prices]
    return Rents(
        usd_per_hour=usd[0],
        beside_usd_per_hour=usd[1],
        owned=np.array([offer.term == OWNED for offer in offers], dtype=np.bool_),
        spot=np.array([offer.term == SPOT for offer in offers], dtype=np.bool_),
        buyings=tuple(places),
        buying=np.array([places[offer.buying] for offer in offers], dtype=np.int64),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What a replica sees: so many devices of one kind, linked in one way.

    Machines that differ only in host size or price share a ``Hardware``: speed is computed once for it.
    """

    accelerator: Accelerator | None
    cpu: Cpu | None
    vcpus: int
    tensor_parallel: int
    interconnect: str
    memory_gib_per_device: float | None
    """``None``: not read."""

    @property
    def generation(self) -> str:
        """The hardware generation, ``cpu`` for a CPU machine."""
        return self.accelerator.generation if self.accelerator else "cpu"

    @property
    def device(self) -> str:
        """The name of the accelerator or CPU."""
        if self.accelerator:
            return self.accelerator.name
        return f"{self.cpu.name if self.cpu else 'unknown CPU'} ({self.vcpus} vCPU)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Hardware kinds, offers, and which offer carries which hardware (how many replicas a machine)."""

    hardware: tuple[Hardware, ...]
    offers: tuple[MachineOffer, ...]
    carriers: tuple[tuple[tuple[int, int], ...], ...]
    """For each hardware: (offer, replicas a machine)."""
    rents: Rents
    reach: Reach


def fleet(catalogue: Catalogue, snapshot: Snapshot, policy: Policy, slo: Slo | None = None) -> Fleet:
    """Every machine of the narrowing, as hardware and priced offers. ``slo``: what the requests were promised."""
    offers = _offers(catalogue, snapshot, policy, slo)
    carriers: dict[Hardware, list[tuple[int, int]]] = defaultdict(list)
    for number, offer in enumerate(offers):
        for hardware in _hardware_of(catalogue, offer.instance):
            devices = offer.instance.accelerator_count if hardware.accelerator else 1
            carriers[hardware].append((number, devices // hardware.tensor_parallel))
    return Fleet(
        hardware=tuple(carriers),
        offers=offers,
        carriers=tuple(tuple(pairs) for pairs in carriers.values()),
        rents=rents_of(offers),
        reach=reach_of(offers),
    )


def no_fleet() -> Fleet:
    """A fleet without machines."""
    return Fleet(hardware=(), offers=(), carriers=(), rents=rents_of(()), reach=reach_of(()))


def _offers(catalogue: Catalogue, snapshot: Snapshot, policy: Policy, slo: Slo | None) -> tuple[MachineOffer, ...]:
    paths = [path for path in catalogue.tables.paths if _offered(path, snapshot.as_of, policy)]
    terms_of: dict[str, list[_Term]] = defaultdict(list)
    for (machine, term), price in snapshot.machine_prices.items():
        if matches(term, policy.only.terms):
            on_demand = snapshot.machine_prices.get((machine, ON_DEMAND))
            terms_of[machine].append((term, price, on_demand, buying(term, price, on_demand)))
    found: list[MachineOffer] = []
    for instance in catalogue.instances.values():
        for service, machine in _rented_as(instance):
            if not matches(machine, policy.only.machines):
                continue
            found.extend(
                MachineOffer(
                    machine=machine,
                    instance=instance,
                    path=path,
                    term=term,
                    price=price,
                    on_demand=on_demand,
                    buying=bought,
                    refused=_refused(price, policy, slo) if term == SPOT else None,
                )
                for path in paths
                if path.service == service
                for term, price, on_demand, bought in terms_of.get(machine, [UNPRICED])
            )
    return tuple(found)


def _refused(price: MachinePrice | None, policy: Policy, slo: Slo | None) -> str | None:
    """Why a machine at spot is not considered."""
    if price is None or price.interruptions_per_hour is None:
        return "spot machine: how often it is taken away is not known"
    if slo is not None and slo.named and not policy.spot.with_latency_target:
        return "spot machine, and a latency target is set (hosting.spot.with_latency_target allows it)"
    return None


def _offered(path: ServingPath, as_of: date, policy: Policy) -> bool:
    superseded = path.superseded_on is not None and path.superseded_on <= as_of
    return matches(path.name, policy.only.paths) and not superseded


def _rented_as(instance: Instance) -> list[tuple[str, str]]:
    """The (service, machine name) pairs under which an instance type is rented."""
    if instance.own:
        return [("own", instance.name)]
    pairs = [("ec2", instance.name)]
    if instance.sagemaker_endpoint:
        pairs.append(("sagemaker", SAGEMAKER_PREFIX + instance.name))
    return pairs


def _hardware_of(catalogue: Catalogue, instance: Instance) -> list[Hardware]:
    if instance.accelerator is None:
        cpu = catalogue.cpus.get(instance.cpu or "")
        return [
            Hardware(
                accelerator=None,
                cpu=cpu,
                vcpus=instance.vcpus,
                tensor_parallel=1,
                interconnect="none",
                memory_gib_per_device=instance.memory_gib,
            )
        ]
    accelerator = catalogue.accelerators[instance.accelerator]
    count = instance.accelerator_count
    total = instance.accelerator_memory_gib_total
    memory = total / count if total else accelerator.memory_gib
    linked = instance.interconnect != "none"
    degrees = sorted({n for n in TENSOR_PARALLEL if count % n == 0} | {count}) if linked else [1]
    return [
        Hardware(
            accelerator=accelerator,
            cpu=None,
            vcpus=0,
            tensor_parallel=degree,
            interconnect=instance.interconnect if degree > 1 else "none",
            memory_gib_per_device=memory,
        )
        for degree in degrees
    ]


def known_on(day: date | None, as_of: date) -> bool:
    """Whether something with a first day exists on ``as_of``; ``None`` means it always did."""
    return day is None or day <= as_of
