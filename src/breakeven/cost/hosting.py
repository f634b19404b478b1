"""What self-hosting charges: machines, the serving path, storage, transfer, logs, people.

Serving path and purchase term multiply money only: the speed and the number of machines were computed before,
once for each replica kind.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from breakeven.capacity.sizing import Sizing
from breakeven.catalogue.load import Snapshot
from breakeven.catalogue.schema import ChargedRow, ServingPath
from breakeven.cost.bill import Charge, service_charge, sources_of, total_usd_per_day
from breakeven.cost.machines import MACHINE_LINES, machine_lines, retried_charge
from breakeven.cost.standing import standing_charges
from breakeven.options.columns import Floats, Ints, Mask, one_to_many
from breakeven.options.hosted import HostedGrid
from breakeven.options.machines import MachineOffer, Reach, Rents
from breakeven.options.ruling import Ruling
from breakeven.performance.predict import Speed
from breakeven.units import (
    BYTES_PER_GB,
    HOURS_PER_DAY,
    HOURS_PER_MONTH,
    MIB_PER_GIB,
    MILLISECONDS_PER_SECOND,
)
from breakeven.wording import joined, worded
from breakeven.workload.policy import Policy
from breakeven.workload.profile import Workload

BYTES_PER_TOKEN = 4.0
"""English text: about 4 characters a token (OpenAI, "What are tokens and how to count them", help.openai.com)."""
BYTES_PER_STREAMED_TOKEN = 220.0
"""Assumption: one server-sent event a token, in the chat completion chunk format."""
BYTES_PER_REQUEST = 1000.0
"""Assumption: headers and JSON around a request, and the same around its answer."""
LOG_BYTES_PER_REQUEST = 1000.0
"""Assumption: one structured usage record a request."""
BYTES_PER_METERED_REQUEST = 512 * 1024
"""API Gateway meters HTTP API requests in pieces of 512 KB (docs.aws.amazon.com, private APIs whitepaper)."""
ROUNDING = 1e-9
STORED_PER_WEIGHT_BYTE = 1.5
"""Assumption: the disk of a machine holds the weights and half as much again for the image and scratch."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostedOptions:
    """The hosted options as columns: a replica row, a machine offer, and the pair that sizes them."""

    row: Ints
    """Row of the ``Speed`` (and of the sizing)."""
    offer: Ints
    """Machine offer of the fleet."""
    pair: Ints
    """Pair of the sizing (row x replicas a machine)."""
    offers: tuple[MachineOffer, ...]
    rents: Rents
    reach: Reach

    def by_offer(self, values: Sequence[float] | Floats) -> Floats:
        """A value of each offer, as a column of options."""
        return np.asarray(values, dtype=np.float64).take(self.offer) if len(self.offer) else np.empty(0)

    def flag(self, values: Sequence[bool] | Mask) -> Mask:
        """A flag of each offer, as a column of options."""
        return np.asarray(values, dtype=np.bool_).take(self.offer) if len(self.offer) else np.empty(0, dtype=np.bool_)

    def by_path(self, told: Callable[[ServingPath], float | bool]) -> Floats:
        """A value of each serving path, as a column of options."""
        values = np.array([told(path) for path in self.reach.paths], dtype=np.float64)
        return self.by_offer(values[self.reach.path] if len(self.offer) else ())

    def on_path(self, whether: Callable[[ServingPath], bool]) -> Mask:
        """A flag of each serving path, as a column of options."""
        values = np.array([whether(path) for path in self.reach.paths], dtype=np.bool_)
        return self.flag(values[self.reach.path] if len(self.offer) else ())

    def take(self, some: Ints | Mask) -> "HostedOptions":
        """Some of them, in that order."""
        return replace(self, row=self.row[some], offer=self.offer[some], pair=self.pair[some])

    def each_alone(self, options: Ints) -> "HostedOptions":
        """Some of them, in that order, each with a row and a pair of its own."""
        each = np.arange(len(options), dtype=np.int64)
        return replace(self, row=each, offer=self.offer[options], pair=each)

    def too_many(self, sizing: Sizing) -> Mask:
        """Which need more machines than there are."""
        found: Mask = self.peak_machines(sizing) > self.by_offer(self.reach.available)
        return found

    def peak_machines(self, sizing: Sizing) -> Floats:
        """Of each option, in the busiest hour, spares included."""
        return sizing.bought.peak[self.pair, sizing.ways.way[self.offer]] if len(self.pair) else np.empty(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostedCosts:
    """Charges and totals of the hosted options, in their order."""

    options: HostedOptions
    charges: tuple[Charge, ...]
    usd_per_day: Floats
    machine_hours_per_day: Floats
    """In which machines run; those that are committed to and not needed stand by without a disk."""

    @property
    def machine_usd_per_day(self) -> Floats:
        """What the machines cost, whichever way they are bought."""
        return total_usd_per_day(self.charges[:MACHINE_LINES], len(self.options.row))


def hosted_options(grid: HostedGrid, speed: Speed, sizing: Sizing, snapshot: Snapshot, ruling: Ruling) -> HostedOptions:
    """Every row with every priced way to rent its hardware, less what a path, a day or a count forbids."""
    _count_unpriced(grid, speed, sizing, snapshot, ruling)
    joined = _within_paths(_expand(grid, speed, sizing), grid, speed, snapshot, ruling)
    return _within_count(joined, grid, speed, sizing, ruling)


def hosted_costs(
    options: HostedOptions,
    speed: Speed,
    sizing: Sizing,
    snapshot: Snapshot,
    policy: Policy,
    fixed: Sequence[Charge] = (),
) -> HostedCosts:
    """The charges of every option. ``fixed``: charges that do not depend on traffic."""
    machines = machine_lines((options.pair, options.offer, options.offers), options.rents, sizing)
    requests = sizing.requests_per_day[options.row]
    with_requests = (
        *_lambda_charges(options, sizing, snapshot, policy),
        _gateway_charge(options, requests, snapshot, speed.workload),
        *_data_charges(options, requests, snapshot, speed.workload),
    )
    charges = (
        *machines.charges,
        *with_requests,
        *retried_charge(options.offer, options.rents, options.row, sizing, with_requests),
        *_storage_charges(options, speed, machines.hours_per_day, snapshot),
        *_standing_charges(options, sizing, requests, snapshot),
        *fixed,
    )
    return HostedCosts(
        options=options,
        charges=charges,
        usd_per_day=total_usd_per_day(charges, len(options.row)),
        machine_hours_per_day=machines.hours_per_day,
    )


def _expand(grid: HostedGrid, speed: Speed, sizing: Sizing) -> HostedOptions:
    """Join rows with offers: one option for every priced offer of a pair's hardware."""
    priced: dict[tuple[int, int], list[int]] = {}
    for hardware, carriers in enumerate(grid.fleet.carriers):
        for offer, per_machine in carriers:
            if grid.fleet.offers[offer].price is not None:
                priced.setdefault((hardware, per_machine), []).append(offer)
    wide = 1 + max((per_machine for carriers in grid.fleet.carriers for _, per_machine in carriers), default=0)
    numbers = np.full(len(grid.fleet.hardware) * wide, len(priced), dtype=np.int64)
    numbers[[hardware * wide + per_machine for hardware, per_machine in priced]] = np.arange(len(priced))
    kind = numbers[grid.hardware[speed.rows][sizing.pair_row] * wide + sizing.pair_replicas_per_machine]
    lengths = np.array([*(len(offers) for offers in priced.values()), 0], dtype=np.int64)
    every = np.array([offer for offers in priced.values() for offer in offers], dtype=np.int64)
    pair, place = one_to_many(lengths, kind)
    fleet = grid.fleet
    return HostedOptions(
        row=sizing.pair_row[pair],
        offer=every[place],
        pair=pair,
        offers=fleet.offers,
        rents=fleet.rents,
        reach=fleet.reach,
    )


def _count_unpriced(grid: HostedGrid, speed: Speed, sizing: Sizing, snapshot: Snapshot, ruling: Ruling) -> None:
    """Count the offers without a price on that day; they take no further part."""
    hardware = grid.hardware[speed.rows][sizing.pair_row]
    unpriced: dict[tuple[int, int], list[str]] = {}
    for kind, pairs in enumerate(grid.fleet.carriers):
        for offer, per_machine in pairs:
            if grid.fleet.offers[offer].price is None:
                unpriced.setdefault((kind, per_machine), []).append(grid.fleet.offers[offer].machine)
    for (kind, per_machine), machines in unpriced.items():
        rows = int(np.sum((hardware == kind) & (sizing.pair_replicas_per_machine == per_machine)))
        ruling.add(
            worded("no machine price known on {day}", day=snapshot.as_of),
            rows * len(machines),
            machines,
            about="catalogue",
        )


def _within_paths(
    options: HostedOptions, grid: HostedGrid, speed: Speed, snapshot: Snapshot, ruling: Ruling
) -> HostedOptions:
    """Rule out by time limits, streaming and the day a path came to be."""
    paths = options.reach.paths
    one_each = np.ones(len(options.row), dtype=np.int64)
    alive = np.ones(len(options.row), dtype=np.bool_)
    slo = speed.workload.slo
    response = speed.latency(speed.largest_concurrency).response_s[options.row]

    def words(i: int) -> str:
        offer = options.offers[options.offer[i]]
        return worded(
            "{name}: {detail}",
            name=joined(", ", (grid.words(int(speed.rows[options.row[i]])), offer.path.name)),
            detail=worded("{seconds:.3g} s", seconds=response[i]),
        )

    for reason in sorted({offer.refused for offer in options.offers if offer.refused}):
        refused = options.flag([offer.refused == reason for offer in options.offers])
        alive = ruling.exclude(alive, refused, reason, words, one_each)
    late = options.on_path(lambda path: bool(path.available_from and path.available_from > snapshot.as_of))
    alive = ruling.exclude(alive, late, "serving path not available yet on that day", words, one_each)
    limit = options.by_path(lambda path: path.response_limit_s or np.inf)
    for seconds, path in sorted({(p.response_limit_s, p.name) for p in paths if p.response_limit_s}):
        alive = ruling.exclude(
            alive,
            (limit == seconds) & (response > limit),
            worded("{seconds:g} s limit of {path}", seconds=seconds, path=path),
            words,
            one_each,
        )
    if slo.ttft_s is not None:
        buffered = options.on_path(lambda path: not path.streams) & (response > slo.ttft_s)
        alive = ruling.exclude(
            alive,
            buffered,
            worded(
                "path without streaming: the first token comes with the last, against TTFT {seconds:g} s",
                seconds=slo.ttft_s,
            ),
            words,
            one_each,
        )
    return options.take(alive)


def _within_count(
    options: HostedOptions, grid: HostedGrid, speed: Speed, sizing: Sizing, ruling: Ruling
) -> HostedOptions:
    """Rule out fleets larger than the number of machines that exist."""
    count, peak = options.by_offer(options.reach.available), options.peak_machines(sizing)
    alive = ruling.exclude(
        np.ones(len(options.row), dtype=np.bool_),
        options.too_many(sizing),
        "more machines needed than there are",
        lambda i: worded(
            "{name}: {peak:.0f} machines against {count:.0f}",
            name=grid.words(int(speed.rows[options.row[i]])),
            peak=peak[i],
            count=count[i],
        ),
        np.ones(len(options.row), dtype=np.int64),
    )
    return options.take(alive)


def _lambda_charges(options: HostedOptions, sizing: Sizing, snapshot: Snapshot, policy: Policy) -> list[Charge]:
    """Lambda is billed for its wait: memory x the whole response time, rounded up to a millisecond."""
    used = options.on_path(lambda path: path.uses_lambda)
    requests = np.where(used, sizing.requests_per_day[options.row], 0.0)
    waited = requests > 0
    milliseconds = np.zeros(len(used))
    if waited.any():
        milliseconds[waited] = np.ceil(sizing.response_s(options.row[waited]) * MILLISECONDS_PER_SECOND - 1e-6)
    gb = policy.lambda_.memory_mb / MIB_PER_GIB
    waiting = requests * milliseconds / MILLISECONDS_PER_SECOND * gb
    duration = ("lambda", f"duration {policy.lambda_.architecture}")
    return [
        service_charge("Lambda, waiting for the model", "GB-second", snapshot, duration, waiting),
        service_charge("Lambda requests", "request", snapshot, ("lambda", "requests"), requests),
    ]


def _gateway_charge(options: HostedOptions, requests: Floats, snapshot: Snapshot, workload: Workload) -> Charge:
    """API Gateway requests; an HTTP API meters large payloads in pieces."""
    pieces = workload.mix.expect(lambda u: float(np.ceil(_payload_bytes(u.input) / BYTES_PER_METERED_REQUEST)))
    quantity = np.zeros(len(options.row))
    price = np.full(len(options.row), np.nan)
    through_item: dict[str | None, Charge] = {}
    for item in sorted({path.gateway_item for path in options.reach.paths if path.gateway_item}):
        through = options.on_path(lambda path, item=item: path.gateway_item == item)  # type: ignore[misc]
        metered = pieces if item.startswith("HTTP") else 1.0
        charge = service_charge("", "", snapshot, ("apigateway", item), np.where(through, requests * metered, 0.0))
        quantity = quantity + charge.quantity_per_day
        price = np.where(through, charge.usd_per_unit, price)
        through_item[item] = charge

    def prices(i: int) -> tuple[ChargedRow, ...]:
        item = options.offers[options.offer[i]].path.gateway_item
        return through_item[item].prices(i) if item else ()

    return Charge(
        name="API Gateway requests",
        unit="request",
        quantity_per_day=quantity,
        usd_per_unit=price,
        source=lambda i: sources_of(prices(i)),
        prices=prices,
    )


def _payload_bytes(tokens: float) -> float:
    return tokens * BYTES_PER_TOKEN + BYTES_PER_REQUEST


def _data_charges(options: HostedOptions, requests: Floats, snapshot: Snapshot, workload: Workload) -> list[Charge]:
    """SageMaker's data processing, transfer out to the internet, and one usage record a request in the logs."""
    aws = options.on_path(lambda path: path.service != "own")
    sagemaker = options.on_path(lambda path: path.service == "sagemaker")
    streams = options.on_path(lambda path: path.streams)
    mean = workload.mix.mean
    streamed = BYTES_PER_STREAMED_TOKEN * mean.output + BYTES_PER_REQUEST
    out_bytes = np.where(streams, streamed, _payload_bytes(mean.output))
    gb = requests / BYTES_PER_GB
    return [
        service_charge(
            "SageMaker data processed",
            "GB",
            snapshot,
            ("sagemaker", "data processed"),
            np.where(sagemaker, gb * (_payload_bytes(mean.input) + out_bytes), 0.0),
        ),
        service_charge(
            "data transfer out",
            "GB",
            snapshot,
            ("data-transfer", "out to internet"),
            np.where(aws, gb * out_bytes, 0.0),
        ),
        service_charge(
            "logs",
            "GB",
            snapshot,
            ("cloudwatch-logs", "ingestion"),
            np.where(aws, gb * LOG_BYTES_PER_REQUEST, 0.0),
        ),
    ]


def _storage_charges(options: HostedOptions, speed: Speed, machine_hours: Floats, snapshot: Snapshot) -> list[Charge]:
    """Disks for the weights of every machine that runs; machines with local NVMe need none."""
    diskless = options.by_offer(options.reach.local_nvme_gb) <= 0
    weights = speed.memory.weights_bytes[speed.rows][options.row] / BYTES_PER_GB
    gb_months = weights * STORED_PER_WEIGHT_BYTE * machine_hours / HOURS_PER_MONTH
    charges = []
    for service, key in (("ec2", ("ebs", "gp3 storage")), ("sagemaker", ("sagemaker", "hosting storage"))):
        here = options.on_path(lambda path, service=service: path.service == service)  # type: ignore[misc]
        quantity = np.where(diskless & here, gb_months, 0.0)
        charges.append(service_charge(f"storage ({key[0]})", "GB-month", snapshot, key, quantity))
    return charges


def _standing_charges(options: HostedOptions, sizing: Sizing, requests: Floats, snapshot: Snapshot) -> list[Charge]:
    """What stands around an endpoint on a path that streams: the others are not set up by a template."""
    deployed = options.on_path(lambda path: path.service == "sagemaker" and path.streams)
    way = sizing.ways.way[options.offer]
    around_the_clock = options.peak_machines(sizing) * HOURS_PER_DAY
    paid = sizing.bought.committed[options.pair, way] * HOURS_PER_DAY + sizing.bought.hours_per_day[options.pair, way]
    varies = paid < around_the_clock * (1 - ROUNDING)
    return standing_charges(deployed, varies, requests / BYTES_PER_GB * LOG_BYTES_PER_REQUEST, snapshot)
