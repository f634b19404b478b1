"""One option in full: what it is, what it costs, what it does, and why it ranks where it does."""

from decimal import Decimal
from typing import Literal

import msgspec
import numpy as np

from breakeven.capacity.sizing import Sizing
from breakeven.cost.bill import Bill, bill_of
from breakeven.cost.hosting import HostedCosts
from breakeven.decision.curves import Curves, take_one
from breakeven.decision.rank import Contender
from breakeven.evidence import Basis, Estimate
from breakeven.options.api import ApiOption
from breakeven.options.hosted import HostedGrid
from breakeven.options.quality import Quality
from breakeven.performance.band import banded, basis_of
from breakeven.performance.predict import Speed
from breakeven.performance.roofline import decode_step, prefill
from breakeven.performance.serving import Latency
from breakeven.planner.busiest import busiest
from breakeven.planner.right_answers import Success, success_of
from breakeven.planner.setup import Setup
from breakeven.wording import joined, worded

TINY = 1e-9
CENTS_OF_A_CENT = Decimal("0.000001")
"""To how many dollars a band's ends are rounded."""


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """What is bought or rented. Fields that do not apply to its kind are ``None``."""

    id: str
    kind: Literal["api", "hosted", "hybrid", "cascade"]
    model: str
    provider: str
    quality_score: float | None
    quality_class: str
    tier: str | None = None
    number_format: str | None = None
    engine: str | None = None
    engine_version: str | None = None
    machine: str | None = None
    accelerator: str | None = None
    tensor_parallel: int | None = None
    replicas_per_machine: int | None = None
    serving_path: str | None = None
    term: str | None = None


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """One replica, at the latency quantile of the busiest hour. ``None`` where it is not known (paid APIs)."""

    ttft_s: Estimate | None
    tpot_s: Estimate | None
    response_s: Estimate | None
    output_tokens_per_s: Estimate | None
    """Of one replica, when as many requests are in flight as it admits."""
    largest_concurrency: int | None
    """Requests in flight per replica up to which memory, engine and target hold."""
    bound_by: str | None
    wait_probability: float | None = None
    """The chance that a request waits for a place in a replica."""


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """The replicas that are paid for, hour by hour (24 hours or 168), and how full they are. Empty for paid APIs."""

    replicas_by_hour: tuple[int, ...]
    utilisation_by_hour: tuple[float, ...]
    peak_machines: int | None
    mean_utilisation: float | None
    committed_machines: int | None = None
    """Machines that are paid around the clock, by a commitment or because they are one's own."""


class Hybrid(msgspec.Struct, frozen=True, kw_only=True):
    """Own machines for the base, a paid API for the overflow; and what a day would cost with either alone."""

    base: str
    """The id of the hosted option whose machines are the base."""
    overflow_to: str
    """The id of the API."""
    overflow_share: float
    """Share of all requests that finds no place on one's own machines."""
    overflow_by_hour: tuple[float, ...]
    """Requests an hour that go to the API."""
    usd_per_day_api_alone: float
    usd_per_day_hosted_alone: float
    """The cheapest self-hosting of the same model."""


class CascadeParts(msgspec.Struct, frozen=True, kw_only=True):
    """A cheap model first, a stronger one for what is found wrong; and what a day costs with either alone."""

    first: str
    """The id of the option that is asked first."""
    fallback: str
    """The id of the option that what is found wrong goes to, sized for that."""
    escalated: float
    """Share of all requests that reach the fall-back."""
    first_attempts: float
    fallback_attempts: float
    """Both a request of a caller."""
    success_first_alone: float
    success_fallback_alone: float
    usd_per_day_first_alone: float
    usd_per_day_fallback_alone: float


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One option with its place, its bill, its speed and the reason."""

    rank: int
    group: str
    option: Option
    meets_slo: bool | None
    meets_slo_probability: float | None = None
    """The chance that the fleet keeps the target in its busiest hour, given the 80 % band of its speed; ``None``
    without a target, and for paid APIs and stated speeds."""
    because: str
    basis: Basis
    bill: Bill
    usd_per_day_low: Decimal | None = None
    """The bill at the fast end of the speed's 80 % band; ``None`` for paid APIs and stated speeds."""
    usd_per_day_high: Decimal | None = None
    """The bill at the slow end."""
    performance: Performance
    capacity: Capacity
    """Of a hybrid: its base."""
    hybrid: Hybrid | None = None
    """``None`` for options of one kind."""
    success: Success | None = None
    """``None`` where no success rate is known."""
    cascade: CascadeParts | None = None
    """``None`` for all other options."""
    setup: Setup | None = None
    """What setting it up needs to know; ``None`` for what is not a single self-hosted option."""


NO_PERFORMANCE = Performance(
    ttft_s=None,
    tpot_s=None,
    response_s=None,
    output_tokens_per_s=None,
    largest_concurrency=None,
    bound_by=None,
)
NO_CAPACITY = Capacity(replicas_by_hour=(), utilisation_by_hour=(), peak_machines=None, mean_utilisation=None)


def api_verdict(contender: Contender, curves: Curves, quality: Quality) -> Verdict:
    """The verdict on a paid API."""
    api = curves.api
    bill = bill_of(api.charges, contender.number)
    option = api.options[contender.number]
    offer = option.tariff.offer
    latency = [] if contender.meets_slo else ["its latency is not known, so the target is not counted as kept"]
    return Verdict(
        rank=contender.rank,
        group=contender.group,
        option=Option(
            id=option.id,
            kind="api",
            model=offer.canonical or offer.model,
            provider=offer.provider,
            quality_score=known(contender.score),
            quality_class=quality.class_of(contender.score),
            tier=option.tariff.tier,
        ),
        meets_slo=contender.meets_slo,
        because=joined("; ", (_priced(option), *latency)),
        basis="listed",
        bill=bill,
        performance=NO_PERFORMANCE,
        capacity=NO_CAPACITY,
        success=success_of(contender, curves, bill.usd_per_day, None),
    )


def _priced(option: ApiOption) -> str:
    """What an API's bill rests on."""
    if option.provisioned is not None:
        return worded("provisioned throughput at prices of {day}", day=option.provisioned.effective_from)
    return worded(
        "list price of {day}",
        day=max(row.effective_from for row in option.tariff.prices.values()),
    )


def known(score: float) -> float | None:
    """A score; ``None`` if it is not known."""
    return None if np.isnan(score) else score


def hosted_id(grid: HostedGrid, speed: Speed, hosted: HostedCosts, number: int) -> str:
    """The name of a hosted option: ``host:llama-3.3-70b:fp8:ml.p5.48xlarge:tp8:direct``.

    A term other than on demand follows an ``@``.
    """
    row = int(speed.rows[hosted.options.row[number]])
    offer = hosted.options.offers[hosted.options.offer[number]]
    term = "" if offer.term == "on-demand" else f"@{offer.term}"
    return (
        f"host:{grid.models[grid.model[row]].name}:{grid.formats[grid.number_format[row]].name}:{offer.machine}"
        f":tp{grid.fleet.hardware[grid.hardware[row]].tensor_parallel}:{offer.path.name}{term}"
    )


def hosted_verdict(
    contender: Contender,
    grid: HostedGrid,
    speed: Speed,
    sizing: Sizing,
    curves: Curves,
    quality: Quality,
) -> Verdict:
    """The verdict on a self-hosted model."""
    hosted = curves.hosted
    number = contender.number
    at = int(hosted.options.row[number])
    row = int(speed.rows[at])
    offer = hosted.options.offers[hosted.options.offer[number]]
    pair = int(hosted.options.pair[number])
    hardware = grid.fleet.hardware[grid.hardware[row]]
    engine = grid.engines[grid.engine[row]]
    basis: Basis = "assumed" if speed.stated else basis_of(int(speed.evidence[at]))
    fleet = _capacity(sizing, pair, int(hosted.options.offer[number]))
    found, chance = _performance(speed, sizing, at, fleet, basis, offer.path.streams)
    bill = bill_of(hosted.charges, number)
    low, high = _bill_band(curves, number, bill)
    option = Option(
        id=hosted_id(grid, speed, hosted, number),
        kind="hosted",
        model=grid.models[grid.model[row]].name,
        provider={"sagemaker": "aws-sagemaker", "ec2": "aws-ec2", "own": "own"}[offer.path.service],
        quality_score=known(contender.score),
        quality_class=quality.class_of(contender.score),
        number_format=grid.formats[grid.number_format[row]].name,
        engine=engine.name,
        engine_version=f">={engine.version}",
        machine=offer.machine,
        accelerator=hardware.device,
        tensor_parallel=hardware.tensor_parallel,
        replicas_per_machine=int(sizing.pair_replicas_per_machine[pair]),
        serving_path=offer.path.name,
        term=offer.term,
    )
    return Verdict(
        rank=contender.rank,
        group=contender.group,
        option=option,
        meets_slo=contender.meets_slo,
        meets_slo_probability=chance,
        because=_hosted_because(option, fleet, found, speed, chance),
        basis=basis,
        bill=bill,
        usd_per_day_low=low,
        usd_per_day_high=high,
        performance=found,
        capacity=fleet,
        success=success_of(contender, curves, bill.usd_per_day, found.response_s.mid if found.response_s else None),
    )


def _bill_band(curves: Curves, number: int, bill: Bill) -> tuple[Decimal | None, Decimal | None]:
    """The bill at the fast and at the slow end of the speed's band, rounded like a bill."""
    found = curves.band_at(number, curves.speed.workload.requests_per_day)
    if found is None:
        return None, None
    low, high = (rounded(usd) for usd in found)
    return min(low, bill.usd_per_day), max(high, bill.usd_per_day)


def rounded(usd: float) -> Decimal:
    """Dollars as an end of a band shows them."""
    return Decimal(repr(usd)).quantize(CENTS_OF_A_CENT)


def _hosted_because(option: Option, fleet: Capacity, found: Performance, speed: Speed, chance: float | None) -> str:
    ttft = worded("TTFT {seconds:.2g} s", seconds=found.ttft_s.mid) if found.ttft_s else ""
    tpot = worded(", TPOT {ms:.3g} ms", ms=found.tpot_s.mid * 1000) if found.tpot_s and found.tpot_s.mid else ""
    stated = " (stated by you)" if speed.stated else ""
    kept = (
        ""
        if chance is None
        else worded("; keeps the target with a chance of {chance:.0%}, given the speed's band", chance=chance)
    )
    requests = worded("{n} request" if found.largest_concurrency == 1 else "{n} requests", n=found.largest_concurrency)
    return worded(
        "{machines} x {machine} in the busiest hour, {used:.0%} used over the week; up to {requests} "
        "at a time on each replica, bound by {bound}; {ttft}{tpot} at p{quantile:g}{stated}{kept}",
        machines=fleet.peak_machines,
        machine=option.machine,
        used=fleet.mean_utilisation,
        requests=requests,
        bound=found.bound_by,
        ttft=ttft,
        tpot=tpot,
        quantile=speed.workload.slo.quantile * 100,
        stated=stated,
        kept=kept,
    )


def _capacity(sizing: Sizing, pair: int, offer: int) -> Capacity:
    """The machines that are paid for, hour by hour."""
    way = int(sizing.ways.way[offer])
    machines = sizing.machines_of(pair, offer)
    paid, load = machines * sizing.pair_replicas_per_machine[pair], sizing.work_of(pair, machines)
    return Capacity(
        replicas_by_hour=tuple(int(np.ceil(n - TINY)) for n in paid),
        utilisation_by_hour=tuple(round(float(u), 4) for u in load / paid),
        peak_machines=int(sizing.bought.peak[pair, way]),
        mean_utilisation=float(load.sum() / paid.sum()),
        committed_machines=int(sizing.bought.committed[pair, way]),
    )


def _performance(
    speed: Speed, sizing: Sizing, at: int, fleet: Capacity, basis: Basis, streams: bool
) -> tuple[Performance, float | None]:
    """In the busiest hour, and the chance that the target is kept there.

    On a path that does not stream the first token comes with the last.
    """
    one = take_one(speed, at)
    arrivals = sizing.arrivals_of(at)
    busy = busiest(one, float(arrivals.max()), fleet.replicas_by_hour[int(np.argmax(arrivals))])
    full = one.latency(one.largest_concurrency)
    most = speed.largest_concurrency[at]
    output = speed.workload.mix.mean.output
    generated = most * output / full.held_s[0] if output else None

    def estimate(value: float, target: str) -> Estimate:
        return banded(float(value), float(one.widths[target][0]), basis, speed.parameters.source)

    whole = estimate(busy.ttft_s + max(output - 1, 0.0) * busy.tpot_s, "output_tokens_per_s")
    found = Performance(
        ttft_s=estimate(busy.ttft_s, "ttft_s") if streams else whole,
        tpot_s=estimate(busy.tpot_s, "tpot_s") if output and not speed.stated else None,
        response_s=whole,
        output_tokens_per_s=estimate(generated, "output_tokens_per_s") if generated is not None else None,
        largest_concurrency=int(most),
        bound_by=bound_by(one, full),
        wait_probability=busy.wait_probability,
    )
    return found, busy.kept


def bound_by(speed: Speed, full: Latency) -> str:
    """What keeps a replica from taking one request more."""
    if speed.stated is not None:
        return "the response time you stated"
    if speed.largest_concurrency[0] < speed.admitted[0]:
        slo = speed.workload.slo
        if full.prefill_load[0] > speed.parameters.largest_prefill_load * 0.98:
            return "prefill"
        return "the latency target" if slo.named else "prefill"
    if speed.admitted[0] >= speed.engine_limit:
        return worded(
            "the engine's limit of {limit:.0f} (each step by {slowest})",
            limit=speed.engine_limit,
            slowest=_slowest(speed),
        )
    return worded("memory for the KV cache (each step by {slowest})", slowest=_slowest(speed))


def _slowest(speed: Speed) -> str:
    most = speed.largest_concurrency
    if speed.workload.task == "encode":
        return prefill(speed.replica, speed.workload.mix.mean.input, speed.parameters, most).bound_by()[0]
    return decode_step(speed.replica, most, speed.parameters).bound_by()[0]
