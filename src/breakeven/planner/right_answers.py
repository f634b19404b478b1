"""How often an option is right, what that takes, and what a right answer costs."""

from decimal import Decimal
from typing import Literal

import msgspec
import numpy as np

from breakeven.decision.cascades import columns_of
from breakeven.decision.curves import Curves
from breakeven.decision.rank import Contender
from breakeven.options.success import SuccessColumns
from breakeven.workload.attempts import tried
from breakeven.workload.success import SuccessRate

PLACES = Decimal("0.00000001")


class Success(msgspec.Struct, frozen=True, kw_only=True):
    """How often an option is right. Intervals are of 80 %, ``None`` where nobody counted answers."""

    first_attempt: float | None
    """Share of right answers at the first attempt; of a cascade, of its first half."""
    first_attempt_low: float | None = None
    first_attempt_high: float | None = None
    answers: float | None = None
    """How many judged answers that rests on."""
    basis: Literal["stated", "measured"] = "stated"
    told: str = ""
    """Where it was read."""
    attempts: float
    """A request, on average; each is billed."""
    success: float
    """Share of the requests that end with a right answer."""
    success_low: float | None = None
    success_high: float | None = None
    usd_per_right_answer: Decimal | None
    """The bill of a day over its right answers; ``None`` if there are none."""
    usd_per_right_answer_low: Decimal | None = None
    """At the upper end of the success, speeds as predicted."""
    usd_per_right_answer_high: Decimal | None = None
    waits_s: float | None = None
    """Mean time that a request waits for attempts that were found wrong; ``None``: not known (paid APIs)."""


def success_of(contender: Contender, curves: Curves, usd_per_day: Decimal, response_s: float | None) -> Success | None:
    """The success of an option and what a right answer costs; ``None`` where no success rate is known."""
    if curves.successes is None or np.isnan(contender.success):
        return None
    columns, place = columns_of(contender, curves)
    rate = columns.rates[place]
    if rate is None:
        return None
    attempts, requests = float(columns.attempts[place]), curves.speed.workload.requests_per_day
    low, high = _ends(contender, curves, columns, place, rate)
    return Success(
        first_attempt=rate.rate,
        first_attempt_low=rate.low,
        first_attempt_high=rate.high,
        answers=rate.answers,
        basis=rate.basis,
        told=rate.told,
        attempts=attempts,
        success=contender.success,
        success_low=low[0] if low else None,
        success_high=high[0] if high else None,
        usd_per_right_answer=usd_per_right(usd_per_day, requests, contender.success),
        usd_per_right_answer_low=usd_per_right(high[1], requests, high[0]) if high else None,
        usd_per_right_answer_high=usd_per_right(low[1], requests, low[0]) if low else None,
        waits_s=None if response_s is None else (attempts - 1) * response_s,
    )


def usd_per_right(usd_per_day: Decimal | float, requests_per_day: float, success: float) -> Decimal | None:
    """USD a right answer; ``None`` if there are none.

    >>> usd_per_right(Decimal(45), 1000.0, 0.9)
    Decimal('0.05000000')
    """
    right = requests_per_day * success
    return (Decimal(repr(float(usd_per_day))) / Decimal(repr(right))).quantize(PLACES) if right > 0 else None


End = tuple[float, float]
"""A success and the USD a day that it takes."""


def _ends(
    contender: Contender, curves: Curves, columns: SuccessColumns, place: int, rate: SuccessRate
) -> tuple[End | None, End | None]:
    """The success at both ends of the rate's interval, and what a day costs there."""
    if rate.low is None or rate.high is None or curves.successes is None:
        return None, None
    ends = tried(np.array([rate.low, rate.high]), curves.successes.answers)
    volume = curves.speed.workload.requests_per_day * ends.attempts / columns.attempts[place]
    bare = curves.without_checks()
    if contender.kind == "api":
        usd = bare.api_usd_per_day(contender.number, volume)
    else:
        usd = bare.hosted_at(np.full(2, contender.number), volume)
    checks = ends.checks * curves.speed.workload.requests_per_day * curves.usd_per_check
    low, high = zip(ends.success.tolist(), (usd + checks).tolist(), strict=True)
    return low, high
