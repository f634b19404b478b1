"""Success rates and what a right answer costs, in words and as lines of an option."""

from decimal import Decimal

from breakeven.cost.fine_tuning import Training
from breakeven.planner import Plan
from breakeven.planner.verdict import Verdict
from breakeven.report.words import seconds, usd
from breakeven.units import FLOPS_PER_TFLOPS, TOKENS_PER_MTOK
from breakeven.wording import joined, worded

THOUSAND = 1000
FEW = 10
ALMOST_ALL = 0.999
AS_MANY = "for as many right answers as there are requests"


def percent(share: float) -> str:
    """A share in percent, to a tenth; finer where that would hide the last failures.

    >>> percent(0.9), percent(0.9846), percent(0.99966)
    ('90 %', '98.5 %', '99.97 %')
    """
    digits = 4 if ALMOST_ALL < share < 1 else 3
    return f"{share * 100:.{digits}g} %"


def per_thousand(usd_per_right_answer: Decimal | None) -> Decimal | None:
    """USD for a thousand right answers."""
    return None if usd_per_right_answer is None else usd_per_right_answer * THOUSAND


def success_words(verdict: Verdict) -> str:
    """The success of an option, for a column."""
    return "unknown" if verdict.success is None else percent(verdict.success.success)


def thousand_words(verdict: Verdict) -> str:
    """What a thousand right answers cost, for a column."""
    if verdict.success is None:
        return "-"
    return dollars(per_thousand(verdict.success.usd_per_right_answer))


def dollars(amount: Decimal | None) -> str:
    """Dollars with three digits where they are few, as what is compared may lie close together.

    >>> dollars(Decimal("0.2634")), dollars(Decimal("12.345")), dollars(None)
    ('$0.263', '$12.35', 'unknown')
    """
    return usd(amount) if amount is None or amount >= FEW else f"${float(amount):.3g}"


def right_answers(verdict: Verdict, plan: Plan) -> list[tuple[str, str]]:
    """Where the cost of a right answer comes from, line by line."""
    found = verdict.success
    if found is None:
        return [("right at once", "not known, hence not compared")] if plan.by_success else []
    requests, day = plan.workload.requests_per_day, usd(verdict.bill.usd_per_day)
    sum_words = worded(
        "{day} a day / ({requests:,.0f} x {success:.4g}) x 1,000", day=day, requests=requests, success=found.success
    )
    return [
        *(
            ("fine-tuning", joined(": ", (one.name, training_words(one))))
            for one in plan.trainings
            if one.name in _models(verdict)
        ),
        ("right at once", _first_attempt(verdict)),
        *_cascade(verdict),
        ("attempts a request", worded("{attempts:.4g}, each of them billed", attempts=found.attempts)),
        ("right in the end", joined("", (percent(found.success), _band(found.success_low, found.success_high)))),
        *([("wait for what is wrong", _waits(verdict))] if found.waits_s else []),
        ("1,000 right answers", joined("", (thousand_words(verdict), _usd_band(verdict), ": ", sum_words))),
    ]


def _first_attempt(verdict: Verdict) -> str:
    found = verdict.success
    if found is None or found.first_attempt is None:
        return "not known"
    judged = worded(", {n:,.0f} answers judged", n=found.answers) if found.answers else ", nobody said of how many"
    of = " (the first model)" if verdict.cascade else ""
    band = _band(found.first_attempt_low, found.first_attempt_high)
    return joined("", (percent(found.first_attempt), band, of, judged, " (", found.basis, ": ", found.told, ")"))


def _cascade(verdict: Verdict) -> list[tuple[str, str]]:
    parts = verdict.cascade
    if parts is None:
        return []
    first = worded(
        "{name}: {share} right",
        name=parts.first,
        share=percent(parts.success_first_alone),
    )
    fallback = worded(
        "{name}: {share} right",
        name=parts.fallback,
        share=percent(parts.success_fallback_alone),
    )
    return [
        (
            "first alone",
            worded(
                "{half}, {usd} a day",
                half=first,
                usd=usd(parts.usd_per_day_first_alone),
            ),
        ),
        (
            "fall-back alone",
            worded(
                "{half}, {usd} a day",
                half=fallback,
                usd=usd(parts.usd_per_day_fallback_alone),
            ),
        ),
        ("go on to the fall-back", worded("{share} of the requests", share=percent(parts.escalated))),
    ]


def _waits(verdict: Verdict) -> str:
    waits = verdict.success.waits_s if verdict.success else None
    if waits is None:
        return ""
    if verdict.cascade:
        return worded("{seconds} before the fall-back starts, for the requests that go on", seconds=seconds(waits))
    return worded("{seconds} on average over all requests", seconds=seconds(waits))


def _band(low: float | None, high: float | None) -> str:
    return (
        "" if low is None or high is None else worded(" (80 %: {low} to {high})", low=percent(low), high=percent(high))
    )


def _usd_band(verdict: Verdict) -> str:
    found = verdict.success
    if found is None:
        return ""
    low, high = per_thousand(found.usd_per_right_answer_low), per_thousand(found.usd_per_right_answer_high)
    return (
        ""
        if low is None or high is None
        else worded(" (80 % by the success: {low} to {high})", low=dollars(low), high=dollars(high))
    )


def _models(verdict: Verdict) -> list[str]:
    """The models of an option; a cascade has two."""
    return verdict.option.model.split("+") if verdict.cascade else [verdict.option.model]


def training_words(training: Training) -> str:
    """What a fine-tuning reads, runs on and costs."""
    runs = worded("{n} runs" if training.runs > 1 else "{n} run", n=training.runs)
    read = worded(
        "{mtok:,.4g} million tokens read in {runs}",
        mtok=training.tokens_read / TOKENS_PER_MTOK,
        runs=runs,
    )
    where = ""
    if training.machine is not None and training.hours is not None and training.flops_per_s is not None:
        where = worded(
            ", {method} on {machines} x {machine}, {hours:,.3g} hours each at {tflops:,.0f} TFLOP/s a GPU",
            method=training.method,
            machines=training.machines,
            machine=training.machine,
            hours=training.hours,
            tflops=training.flops_per_s / FLOPS_PER_TFLOPS,
        )
    examples = (
        "" if training.examples_usd is None else worded(", and {usd} for examples", usd=usd(training.examples_usd))
    )
    return worded(
        "{read}{where}: {usd}{examples}, over {months:g} months",
        read=read,
        where=where,
        usd=usd(training.usd),
        examples=examples,
        months=training.horizon_months,
    )
