"""The verdict on a hybrid: what its base is, what overflows to which API, and what it saves against either alone."""

from decimal import Decimal

import numpy as np

from breakeven.cost.bill import Bill, bill_of
from breakeven.decision.curves import Curves, take_one, volumes
from breakeven.decision.hybrids import Hybrids, hybrids_at
from breakeven.decision.rank import Contender
from breakeven.evidence import Basis, Estimate
from breakeven.options.columns import Floats, Mask
from breakeven.options.hosted import HostedGrid
from breakeven.options.quality import Quality
from breakeven.performance.band import banded, basis_of
from breakeven.performance.predict import Speed
from breakeven.planner.verdict import (
    CENTS_OF_A_CENT,
    Capacity,
    Hybrid,
    Option,
    Performance,
    Verdict,
    bound_by,
    hosted_id,
    known,
)
from breakeven.wording import joined, worded

EVERY = 2
"""Of the volumes at which curves are drawn, every so many is looked at for where a hybrid stays the cheapest."""
STEPS = 24
"""Into how many points the interval is split in which it begins or ends to be."""


def hybrid_id(hybrids: Hybrids, grid: HostedGrid, curves: Curves, number: int) -> str:
    """The name of a hybrid: that of its base, and behind a ``+`` the API that takes the overflow."""
    base = hosted_id(grid, curves.speed, curves.hosted, int(hybrids.hosted[number]))
    api = curves.api.options[hybrids.api[number]].id
    return f"hybrid:{base.removeprefix('host:')}+{api.removeprefix('api:')}"


def hybrid_verdict(
    contender: Contender,
    hybrids: Hybrids,
    grid: HostedGrid,
    curves: Curves,
    quality: Quality,
    hosted_alone: float,
) -> Verdict:
    """The verdict on a hybrid. ``hosted_alone``: USD a day of the cheapest self-hosting of the same model."""
    number, speed, options = contender.number, curves.speed, curves.hosted.options
    of = int(hybrids.hosted[number])
    at, offer = int(options.row[of]), options.offers[options.offer[of]]
    row = int(speed.rows[at])
    api = curves.api.options[hybrids.api[number]]
    basis: Basis = "assumed" if speed.stated else basis_of(int(speed.evidence[at]))
    hardware, engine = grid.fleet.hardware[grid.hardware[row]], grid.engines[grid.engine[row]]
    each = int(curves.per_machine[of])
    fleet, bill = (
        _capacity(hybrids, number, each, float(speed.largest_concurrency[at])),
        bill_of(hybrids.charges, number),
    )
    low, high = _band(hybrids, number, curves, bill)
    found = Hybrid(
        base=hosted_id(grid, speed, curves.hosted, of),
        overflow_to=api.id,
        overflow_share=float(hybrids.share[number]),
        overflow_by_hour=tuple(round(float(n), 3) for n in hybrids.overflow_per_hour[number]),
        usd_per_day_api_alone=float(curves.api.usd_per_day[hybrids.api[number]]),
        usd_per_day_hosted_alone=hosted_alone,
    )
    return Verdict(
        rank=contender.rank,
        group=contender.group,
        option=Option(
            id=hybrid_id(hybrids, grid, curves, number),
            kind="hybrid",
            model=grid.models[grid.model[row]].name,
            provider={"sagemaker": "aws-sagemaker", "ec2": "aws-ec2", "own": "own"}[offer.path.service],
            quality_score=known(contender.score),
            quality_class=quality.class_of(contender.score),
            tier=api.tariff.tier,
            number_format=grid.formats[grid.number_format[row]].name,
            engine=engine.name,
            engine_version=f">={engine.version}",
            machine=offer.machine,
            accelerator=hardware.device,
            tensor_parallel=hardware.tensor_parallel,
            replicas_per_machine=each,
            serving_path=offer.path.name,
            term=offer.term,
        ),
        meets_slo=contender.meets_slo,
        because=_because(found, fleet, bill, contender),
        basis=basis,
        bill=bill,
        usd_per_day_low=low,
        usd_per_day_high=high,
        performance=_performance(take_one(speed, at), basis, offer.path.streams),
        capacity=fleet,
        hybrid=found,
    )


def _because(found: Hybrid, fleet: Capacity, bill: Bill, contender: Contender) -> str:
    low, high = min(fleet.replicas_by_hour), max(fleet.replicas_by_hour)
    base = f"{low}" if low == high else worded("{low} to {high}", low=low, high=high)
    usd = float(bill.usd_per_day)
    saved = [
        worded("{percent:.2g} % less than {what}", percent=(1 - usd / alone) * 100, what=what)
        for what, alone in (
            ("that API alone", found.usd_per_day_api_alone),
            ("the cheapest hosting of the model alone", found.usd_per_day_hosted_alone),
        )
        if np.isfinite(alone)
    ]
    latency = (
        [] if contender.meets_slo else ["the latency of the API is not known, so the target is not counted as kept"]
    )
    overflow = worded(
        "{percent:.2g} % of the requests overflow to {api}", percent=found.overflow_share * 100, api=found.overflow_to
    )
    return joined(
        "; ",
        (
            worded(
                "a base of {base} replica, {overflow}" if base == "1" else "a base of {base} replicas, {overflow}",
                base=base,
                overflow=overflow,
            ),
            joined(" and ", saved),
            *latency,
        ),
    )


def _capacity(hybrids: Hybrids, number: int, per_machine: int, largest_concurrency: float) -> Capacity:
    machines = hybrids.machines[number]
    room = machines * per_machine * largest_concurrency
    kept = 1 - hybrids.overflow_per_hour[number] / np.maximum(hybrids.requests_per_hour[number], 1e-300)
    busy = hybrids.in_flight[number] * kept
    full = np.maximum(room, 1e-300)
    return Capacity(
        replicas_by_hour=tuple(int(n) for n in machines * per_machine),
        utilisation_by_hour=tuple(round(float(u), 4) for u in busy / full),
        peak_machines=int(machines.max()),
        mean_utilisation=float(busy.sum() / max(room.sum(), 1e-300)),
        committed_machines=int(hybrids.committed[number, 0]),
    )


def _performance(one: Speed, basis: Basis, streams: bool) -> Performance:
    """Of a full replica: the base is full in the hours in which requests overflow."""
    full = one.latency(one.largest_concurrency)
    output = one.workload.mix.mean.output

    def estimate(value: float, target: str) -> Estimate:
        return banded(float(value), float(one.widths[target][0]), basis, one.parameters.source)

    whole = estimate(full.response_s[0], "output_tokens_per_s")
    rate = one.largest_concurrency[0] * output / full.held_s[0]
    return Performance(
        ttft_s=estimate(full.ttft_s[0], "ttft_s") if streams else whole,
        tpot_s=estimate(full.tpot_s[0], "tpot_s") if output and not one.stated else None,
        response_s=whole,
        output_tokens_per_s=estimate(rate, "output_tokens_per_s") if output else None,
        largest_concurrency=int(one.largest_concurrency[0]),
        bound_by=bound_by(one, full),
    )


def _band(hybrids: Hybrids, number: int, curves: Curves, bill: Bill) -> tuple[Decimal | None, Decimal | None]:
    """The bill with the cheapest base at the fast and at the slow end of the speed's band."""
    hosted, api = np.repeat(hybrids.hosted[number], 2), np.repeat(hybrids.api[number], 2)
    if not np.isfinite(curves.half_widths(hosted)).all():
        return None, None
    volume = np.full(2, curves.speed.workload.requests_per_day)
    paces = curves.log_paces(hosted, np.array([-1, 1]))
    ends = hybrids_at((hosted, api), volume, curves, (hybrids.group[number],) * 2, paces).usd_per_day
    usd = [Decimal(repr(end)).quantize(CENTS_OF_A_CENT) for end in ends.tolist()]
    return min(*usd, bill.usd_per_day), max(*usd, bill.usd_per_day)


def cheaper_between(hybrids: Hybrids, number: int, curves: Curves) -> tuple[float, float] | None:
    """The volumes around the workload's own between which a hybrid is cheaper than its API and its machines alone.

    To about a hundredth; an interval of less within which it is dearer is not seen. ``None``: not even next to it.
    """
    yours = curves.speed.workload.requests_per_day
    volume = np.unique(np.append(volumes()[::EVERY], yours))
    ahead, here = _ahead(hybrids, number, curves, volume), int(np.searchsorted(volume, yours))
    if not ahead[here]:
        return None
    first = here - int(np.argmin(np.append(ahead[here::-1], False))) + 1
    last = here + int(np.argmin(np.append(ahead[here:], False))) - 1
    low, high = (volume[[max(first - 1, 0), first]], volume[[last, min(last + 1, len(volume) - 1)]])
    fine = np.stack([np.geomspace(ends[0], ends[1], STEPS) for ends in (low, high)])
    below, above = _ahead(hybrids, number, curves, fine.ravel()).reshape(2, -1)
    start = STEPS - int(np.argmin(np.append(below[::-1], False)))
    end = int(np.argmin(np.append(above, False))) - 1
    return float(fine[0, min(start, STEPS - 1)]), float(fine[1, max(end, 0)])


def _ahead(hybrids: Hybrids, number: int, curves: Curves, volume: Floats) -> Mask:
    """At which volumes a hybrid is cheaper than both its ends."""
    hosted, api = (np.repeat(column[number], len(volume)) for column in (hybrids.hosted, hybrids.api))
    both = hybrids_at((hosted, api), volume, curves, hybrids.group[:1] * len(volume))
    ends = np.minimum(curves.hosted_at(hosted, volume), curves.api_usd_per_day(int(api[0]), volume))
    return both.usd_per_day < ends
