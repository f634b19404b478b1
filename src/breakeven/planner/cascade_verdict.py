"""The verdict on a cascade: both halves with their bills, how many requests reach the second, and how it ends."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

import msgspec
import numpy as np

from breakeven.cost.bill import Bill, CostLine, bill_of
from breakeven.cost.extras import CHECKS, EXAMPLES, TRAINING, checks_charge, times
from breakeven.cost.fixed import fixed_costs
from breakeven.decision.cascades import Cascade, shared_costs
from breakeven.decision.curves import Curves
from breakeven.decision.rank import Contender
from breakeven.evidence import weakest
from breakeven.options.api import ApiOption
from breakeven.options.quality import Quality
from breakeven.planner.right_answers import Success, usd_per_right
from breakeven.planner.verdict import NO_CAPACITY, NO_PERFORMANCE, CascadeParts, Option, Verdict, rounded
from breakeven.wording import joined, worded

FIRST, FALLBACK = "first: ", "fall-back: "


def cascade_verdict(
    contender: Contender, cascade: Cascade, halves: tuple[Verdict, Verdict], curves: Curves, quality: Quality
) -> Verdict:
    """The verdict on a cascade. ``halves``: the verdicts on its first half and on its fall-back, each alone."""
    first, fallback = halves
    bill = _bill(cascade, curves)
    low, high = _band(cascade, curves, bill)
    known = None if np.isnan(contender.score) else contender.score
    option = Option(
        id=cascade_id(first.option.id, fallback.option.id),
        kind="cascade",
        model=f"{first.option.model}+{fallback.option.model}",
        provider=" and ".join(dict.fromkeys((first.option.provider, fallback.option.provider))),
        quality_score=known,
        quality_class=quality.class_of(contender.score),
    )
    waits = first.performance.response_s
    waits_s = None if waits is None else waits.mid * cascade.first_attempts
    return Verdict(
        rank=contender.rank,
        group=contender.group,
        option=option,
        meets_slo=contender.meets_slo,
        because=_because(first, fallback, cascade, waits_s, curves),
        basis=weakest([first.basis, fallback.basis]),
        bill=bill,
        usd_per_day_low=low,
        usd_per_day_high=high,
        performance=NO_PERFORMANCE,
        capacity=NO_CAPACITY,
        success=_success(cascade, first, curves, bill, waits_s),
        cascade=CascadeParts(
            first=first.option.id,
            fallback=fallback.option.id,
            escalated=cascade.escalated,
            first_attempts=cascade.first_attempts,
            fallback_attempts=cascade.fallback_attempts,
            success_first_alone=cascade.first.success,
            success_fallback_alone=cascade.fallback.success,
            usd_per_day_first_alone=cascade.first.usd_per_day,
            usd_per_day_fallback_alone=cascade.fallback.usd_per_day,
        ),
    )


def cascade_id(first: str, fallback: str) -> str:
    """The name of a cascade: that of its first half, and behind a ``+`` the fall-back.

    >>> cascade_id("api:openai/gpt-4o-mini", "api:openai/gpt-4o")
    'cascade:api:openai/gpt-4o-mini+api:openai/gpt-4o'
    """
    return f"cascade:{first}+{fallback}"


def paid_ids(apis: Sequence[ApiOption], cascades: Sequence[Cascade]) -> Callable[[Contender], str]:
    """How paid APIs are named, and cascades of two of them."""

    def named(contender: Contender) -> str:
        if contender.kind == "api":
            return apis[contender.number].id
        one = cascades[contender.number]
        return cascade_id(named(one.first), named(one.fallback))

    return named


def _success(cascade: Cascade, first: Verdict, curves: Curves, bill: Bill, waits_s: float | None) -> Success | None:
    if first.success is None:
        return None
    requests = curves.speed.workload.requests_per_day
    return msgspec.structs.replace(
        first.success,
        attempts=cascade.first_attempts + cascade.fallback_attempts,
        success=cascade.success,
        success_low=None,
        success_high=None,
        usd_per_right_answer=usd_per_right(bill.usd_per_day, requests, cascade.success),
        usd_per_right_answer_low=None,
        usd_per_right_answer_high=None,
        waits_s=waits_s,
    )


def _because(first: Verdict, fallback: Verdict, cascade: Cascade, waits_s: float | None, curves: Curves) -> str:
    wait = "" if waits_s is None else worded(", about {seconds:.3g} s,", seconds=waits_s)
    alone = cascade.first.success, cascade.fallback.success
    worse = ""
    if cascade.success < max(alone):
        worse = ", less often than with its stronger half, because the checker errs"
    target = "; the latency target is kept by each half for itself" if curves.speed.workload.slo.named else ""
    return worded(
        "{first} answers first, and {escalated:.1%} of the requests go on to {second}; {success:.1%} "
        "end right, against {alone:.1%} and {other:.1%} with either alone{worse}; what goes on "
        "waits{wait} for the first model's whole answer besides, "
        "and no answer can be shown before it is checked{target}",
        first=first.option.model,
        escalated=cascade.escalated,
        second=fallback.option.model,
        success=cascade.success,
        alone=alone[0],
        other=alone[1],
        worse=worse,
        wait=wait,
        target=target,
    )


def _bill(cascade: Cascade, curves: Curves) -> Bill:
    """Both halves line by line, each fixed cost once, and the checks."""
    requests = curves.speed.workload.requests_per_day
    twice = shared_costs(cascade.first.kind, cascade.fallback.kind, curves)
    lines = [
        *_named(FIRST, _first_lines(cascade.first, curves)),
        *_named(FALLBACK, (line for line in _fallback_lines(cascade, curves) if line.name not in twice)),
    ]
    if curves.usd_per_check:
        checks = checks_charge(np.array([cascade.checks * requests]), curves.usd_per_check)
        lines += bill_of([checks], 0).lines
    return Bill(lines=tuple(lines))


def _named(half: str, lines: Iterable[CostLine]) -> list[CostLine]:
    return [msgspec.structs.replace(line, name=joined("", (half, line.name))) for line in lines if line.name != CHECKS]


def _first_lines(half: Contender, curves: Curves) -> tuple[CostLine, ...]:
    charges = curves.api.charges if half.kind == "api" else curves.hosted.charges
    return bill_of(charges, half.number).lines


def _fallback_lines(cascade: Cascade, curves: Curves) -> tuple[CostLine, ...]:
    half, requests = cascade.fallback, curves.speed.workload.requests_per_day
    if half.kind == "api":
        standing = {TRAINING, EXAMPLES, *(name for name, _ in fixed_costs(curves.policy, "api"))}
        share = cascade.fallback_share
        return bill_of([c if c.name in standing else times(c, share) for c in curves.api.charges], half.number).lines
    costs, _ = curves.costs_at(np.array([half.number]), np.array([requests * cascade.fallback_share]))
    return bill_of(costs.charges, 0).lines


def _band(cascade: Cascade, curves: Curves, bill: Bill) -> tuple[Decimal | None, Decimal | None]:
    """The bill with both halves' machines at the fast and at the slow end of their speeds."""
    requests = curves.speed.workload.requests_per_day
    halves = [(cascade.first, requests), (cascade.fallback, requests * cascade.fallback_share)]
    hosted = [(half.number, volume) for half, volume in halves if half.kind == "hosted"]
    if not hosted:
        return None, None
    numbers, volumes = np.array([n for n, _ in hosted]), np.array([v for _, v in hosted])
    if not np.isfinite(curves.half_widths(numbers)).all():
        return None, None
    fast, middle, slow = (
        float(curves.hosted_at(numbers, volumes, curves.log_paces(numbers, end)).sum()) for end in (-1, 0, 1)
    )
    ends = [fast - middle, slow - middle]
    if not np.isfinite(ends).all():
        return None, None
    low, high = (rounded(float(bill.usd_per_day) + change) for change in (min(ends), max(ends)))
    return min(low, bill.usd_per_day), max(high, bill.usd_per_day)
