"""A run in figures: how fast, how much of it within the target, how much failed, and what a million tokens cost."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import msgspec
import numpy as np

from breakeven.bench.limits import Price
from breakeven.bench.outcome import Outcome
from breakeven.units import SECONDS_PER_HOUR, TOKENS_PER_MTOK
from breakeven.workload.profile import Slo

QUANTILES = (0.5, 0.95, 0.99)
ERRORS_TOLD = 5


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A figure over the requests that have it: its mean, and its value at each quantile. Seconds."""

    mean: float
    at: dict[str, float]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One load, measured. ``None``: not known, or nothing to take it from.

    ``output_tokens_per_s``: all output tokens of good answers over the time from the first sending to the last end.
    ``goodput_share``: of all requests sent, failed ones included, how many kept every target.
    """

    mode: str
    concurrency: int | None
    request_rate_per_s: float | None
    asked: int
    sent: int
    good: int
    errors: dict[str, int]
    ended: str | None
    duration_s: float
    input_tokens: float | None
    cached_tokens: float | None
    output_tokens: float | None
    asked_input_tokens: float
    asked_output_tokens: float
    output_tokens_counted: bool
    """Whether the server counted output tokens; else they are frames of the stream."""
    late_s: float
    """At the 95th percentile, how much later than planned a request was sent: by the load generator's own doing."""
    ttft_s: Spread | None
    tpot_s: Spread | None
    output_tokens_per_s: float | None
    goodput_per_s: float | None
    goodput_share: float | None
    usd_per_mtok_output: Decimal | None = None
    usd_per_mtok_total: Decimal | None = None
    price_basis: str | None = None


def summarised(
    outcomes: Sequence[Outcome],
    slo: Slo,
    *,
    asked: int,
    load: tuple[str, int | None, float | None],
    ended: str | None = None,
) -> Measured:
    """The figures of a run. ``load``: its mode, its concurrency and its rate."""
    mode, concurrency, rate = load
    good = [one for one in outcomes if one.good]
    failed = Counter(one.error for one in outcomes if one.error is not None)
    start_s = min((one.sent_s for one in outcomes), default=0.0)
    duration_s = max((one.ended_s for one in outcomes), default=0.0) - start_s
    written = sum(one.written_tokens for one in good)
    kept = [one for one in good if keeps(one, slo)]
    busy = bool(good) and duration_s > 0
    return Measured(
        mode=mode,
        concurrency=concurrency,
        request_rate_per_s=rate,
        asked=asked,
        sent=len(outcomes),
        good=len(good),
        errors=dict(failed.most_common()),
        ended=ended,
        duration_s=duration_s,
        input_tokens=_mean([one.input_tokens for one in good]),
        cached_tokens=_mean([one.cached_tokens for one in good]),
        output_tokens=_mean([one.written_tokens for one in good]),
        asked_input_tokens=_mean([one.asked_input_tokens for one in outcomes]) or 0.0,
        asked_output_tokens=_mean([one.asked_output_tokens for one in outcomes]) or 0.0,
        output_tokens_counted=all(one.output_tokens is not None for one in good),
        late_s=float(np.quantile([one.sent_s - one.planned_s for one in outcomes], 0.95)) if outcomes else 0.0,
        ttft_s=spread([one.ttft_s for one in good], slo.quantile),
        tpot_s=spread([one.tpot_s for one in good], slo.quantile),
        output_tokens_per_s=written / duration_s if busy else None,
        goodput_per_s=len(kept) / duration_s if busy and slo.named else None,
        goodput_share=len(kept) / len(outcomes) if outcomes and slo.named else None,
    )


def keeps(one: Outcome, slo: Slo) -> bool:
    """Whether a good answer kept every target; an answer of one token has no time per token to miss."""
    late = slo.ttft_s is not None and (one.ttft_s is None or one.ttft_s > slo.ttft_s)
    slow = slo.tpot_s is not None and one.tpot_s is not None and one.tpot_s > slo.tpot_s
    return not late and not slow


def spread(values: Sequence[float | None], quantile: float) -> Spread | None:
    """Mean and quantiles of what is known; ``quantile`` beside the usual three.

    >>> spread([1.0, 3.0, None], 0.9).at["p50"]
    2.0
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    at = {f"p{q * 100:g}": float(np.quantile(known, q)) for q in sorted({*QUANTILES, quantile})}
    return Spread(mean=float(np.mean(known)), at=at)


def priced_by_machine(measured: Measured, usd_per_hour: Decimal, basis: str) -> Measured:
    """With what a million tokens cost on machines of that price, busy as they were in the run."""
    if not measured.output_tokens_per_s:
        return measured
    per_hour = Decimal(repr(measured.output_tokens_per_s)) * SECONDS_PER_HOUR
    of_output = usd_per_hour * TOKENS_PER_MTOK / per_hour
    if measured.input_tokens is None or not measured.output_tokens:
        total = None
    else:
        ratio = Decimal(repr(1 + measured.input_tokens / measured.output_tokens))
        total = of_output / ratio
    return msgspec.structs.replace(measured, usd_per_mtok_output=of_output, usd_per_mtok_total=total, price_basis=basis)


def priced_by_token(measured: Measured, price: Price, basis: str) -> Measured:
    """With what a million tokens cost at an API's price, its input and output together; cached input at full price."""
    if measured.input_tokens is None or not measured.output_tokens:
        return measured
    tokens_in, out = (Decimal(repr(float(n))) for n in (measured.input_tokens, measured.output_tokens))
    spent = price.input_usd_per_mtok * tokens_in + price.output_usd_per_mtok * out
    return msgspec.structs.replace(
        measured, usd_per_mtok_output=spent / out, usd_per_mtok_total=spent / (tokens_in + out), price_basis=basis
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
