"""The workload: how many requests in which hour, of which size, under which promise."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from breakeven.errors import LARGEST_NUMBER, SpecError, refuse_odd_number
from breakeven.fields import said
from breakeven.units import HOURS_PER_DAY, HOURS_PER_WEEK
from breakeven.wording import quoting
from breakeven.workload.usage import TokenMix, TokenUsage

Task = Literal["generate", "encode"]


MOST_RATE_VARIATION = 2.0
SHORTEST_STAY_S, LONGEST_STAY_S = 0.01, 1e6


class Slo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The latency promise: each target holds for the share ``quantile`` of requests. Seconds.

    ``ttft_s``: time to first token (for ``encode``: to the answer). ``tpot_s``: time per output token after it.
    """

    ttft_s: Annotated[float | None, said("time to first token (for `encode`: to the answer), seconds")] = None
    tpot_s: Annotated[float | None, said("time per output token after it, seconds")] = None
    quantile: Annotated[float, said("share of requests that keep the target, 0.5 to below 1")] = 0.95

    def __post_init__(self) -> None:
        for name in ("ttft_s", "tpot_s"):
            refuse_odd_number(f"latency.{name}", getattr(self, name), above_zero=True)
        if not 0.5 <= self.quantile < 1:
            raise SpecError(
                quoting("{field} is {value}", field="latency.quantile", value=self.quantile),
                expected="a share from 0.5 to below 1, for example 0.95",
                do="Write 0.95 for p95",
            )

    @property
    def named(self) -> bool:
        """Whether any target is set."""
        return self.ttft_s is not None or self.tpot_s is not None


class Burstiness(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much more the arrivals come in bursts than independent ones do.

    ``gap_variation``: standard deviation over mean of the time between two requests, where only what is above 1 (that
    of independent arrivals) counts. ``rate_variation``: standard deviation over mean of the rate within an hour.
    ``rate_stays_s``: how long it stays before it is another one, on average; ``None``: not known, and taken as long.
    """

    gap_variation: Annotated[
        float, said("standard deviation over mean of the time between two requests; 1 = independent arrivals")
    ] = 1.0
    rate_variation: Annotated[
        float, said("standard deviation over mean of the rate within an hour; 0.2 = it moves by a fifth up and down")
    ] = 0.0
    rate_stays_s: Annotated[
        float | None, said("seconds before the rate within an hour is another one; left out: not known, taken as long")
    ] = None

    def __post_init__(self) -> None:
        refuse_odd_number("traffic.burstiness.gap_variation", self.gap_variation)
        refuse_odd_number("traffic.burstiness.rate_variation", self.rate_variation)
        refuse_odd_number("traffic.burstiness.rate_stays_s", self.rate_stays_s, above_zero=True)
        if self.rate_variation > MOST_RATE_VARIATION:
            raise SpecError(
                quoting("{field} is {value}", field="traffic.burstiness.rate_variation", value=self.rate_variation),
                expected=quoting("at most {most:g}, twice the mean up and down", most=MOST_RATE_VARIATION),
                do="Say which hours are busy in traffic.requests_per_hour, or what may wait in traffic.batch",
            )
        if self.rate_stays_s is not None and not SHORTEST_STAY_S <= self.rate_stays_s <= LONGEST_STAY_S:
            raise SpecError(
                quoting("{field} is {value}", field="traffic.burstiness.rate_stays_s", value=self.rate_stays_s),
                expected=quoting("{low:g} to {high:g} seconds", low=SHORTEST_STAY_S, high=LONGEST_STAY_S),
                do="Leave it out for a rate that stays for much of the hour",
            )


class Batch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asynchronous work beside the traffic of the hours, coming evenly: each request is done within some hours."""

    requests_per_day: Annotated[float, said("requests on a mean day, beside those of the hours")]
    within_h: Annotated[float, said("hours in which each is done, 1 or more")] = 24.0

    def __post_init__(self) -> None:
        refuse_odd_number("traffic.batch.requests_per_day", self.requests_per_day, above_zero=True)
        if not 1 <= self.within_h <= LARGEST_NUMBER:
            raise SpecError(
                quoting("{field} is {value:g}", field="traffic.batch.within_h", value=self.within_h),
                expected="1 hour or more",
                do="Count work that cannot wait an hour among the requests of the hours",
            )


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be served.

    ``requests_per_hour``: 24 values (a day) or 168 (a week, from Monday 00:00 UTC). ``assumptions`` are the
    things that nobody stated; every plan prints them.
    """

    name: str
    task: Task
    mix: TokenMix
    requests_per_hour: tuple[float, ...]
    slo: Slo = Slo()
    burstiness: Burstiness | None = None
    """``None``: not known, and taken as independent arrivals; the plan says so."""
    deferrable: bool = False
    """Whether an answer within a day is good enough (batch and flex prices)."""
    batch: Batch | None = None
    """Work that may wait, beside that of the hours, of the same mix."""
    assumptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        refuse_odd_hours(self.requests_per_hour)
        if (self.task == "generate") != (self.mix.mean.output > 0):
            raise SpecError(
                quoting(
                    "{field} is {task}, but a request has {tokens:g} output tokens",
                    field="task",
                    task=self.task,
                    tokens=self.mix.mean.output,
                ),
                expected="output tokens above 0 for generate, and none for encode",
                do="Correct task or tokens.output",
            )

    @classmethod
    def of(
        cls,
        *,
        requests_per_day: float,
        input_tokens: float,
        output_tokens: float = 0.0,
        weights: Sequence[float] | None = None,
        slo: Slo | None = None,
    ) -> "Workload":
        """The common case: so many equal requests a day.

        Without hourly ``weights`` every hour is alike, and the plan says that this was assumed.

        >>> Workload.of(requests_per_day=24_000, input_tokens=1500, output_tokens=400).requests_per_hour[0]
        1000.0
        """
        assumed = () if weights else ("no hourly profile given: the same traffic in every hour",)
        return cls(
            name="workload",
            task="generate" if output_tokens else "encode",
            mix=TokenMix.of(TokenUsage(input=input_tokens, output=output_tokens)),
            requests_per_hour=spread(requests_per_day, weights or [1.0] * HOURS_PER_DAY),
            slo=slo or Slo(),
            assumptions=assumed,
        )

    @property
    def spread_evenly(self) -> bool:
        """Whether machines of one's own may take the work when it suits them: it may wait, and no target is set."""
        return self.deferrable and not self.slo.named

    @property
    def bursts(self) -> Burstiness:
        """How bursty the arrivals are, independent ones where that is not known."""
        return self.burstiness or Burstiness()

    @property
    def requests_per_day(self) -> float:
        """Requests on a mean day, those that may wait included."""
        beside = self.batch.requests_per_day if self.batch else 0.0
        return math.fsum(self.requests_per_hour) * HOURS_PER_DAY / len(self.requests_per_hour) + beside

    @property
    def interactive_share(self) -> float:
        """The share of the requests that come by the hours and cannot wait for a better one."""
        return 1.0 if self.batch is None else 1.0 - self.batch.requests_per_day / self.requests_per_day

    def scaled_to(self, requests_per_day: float) -> "Workload":
        """The same workload with another volume and the same shape."""
        factor = requests_per_day / self.requests_per_day
        batch = self.batch
        if batch is not None:
            batch = msgspec.structs.replace(batch, requests_per_day=batch.requests_per_day * factor)
        hours = tuple(rate * factor for rate in self.requests_per_hour)
        return msgspec.structs.replace(self, requests_per_hour=hours, batch=batch)


def refuse_odd_hours(hours: Sequence[float]) -> None:
    """Refuse requests per hour that are no day and no week, or no traffic.

    Raises:
        SpecError: if there are not 24 or 168 of them, one is negative or endless, or all are 0.
    """
    if len(hours) not in (HOURS_PER_DAY, HOURS_PER_WEEK):
        raise SpecError(
            quoting("{field} has {count} hours", field="traffic", count=len(hours)),
            expected="24 hours (a day) or 168 (a week from Monday 00:00 UTC)",
            do="Give one number an hour",
        )
    odd = next((rate for rate in hours if not 0 <= rate <= LARGEST_NUMBER), None)
    if odd is not None:
        raise SpecError(
            quoting("{field} has an hour of {odd:g} requests", field="traffic", odd=odd),
            expected="0 or more",
            do="Correct it",
        )
    if not any(hours):
        raise SpecError(
            quoting("{field} is 0 requests a day", field="traffic"),
            expected="more than 0",
            do="Give traffic.requests_per_day",
        )


def spread(requests_per_day: float, weights: Sequence[float]) -> tuple[float, ...]:
    """Requests per hour for a daily volume and hourly weights (their mean does not matter).

    >>> hours = spread(24_000, [1] * 12 + [3] * 12)
    >>> hours[0], hours[-1]
    (500.0, 1500.0)

    Raises:
        SpecError: if the volume is not a positive number or the weights are no traffic.
    """
    refuse_odd_number("traffic.requests_per_day", requests_per_day, above_zero=True)
    largest = max(weights, default=0.0)
    if not largest > 0 or not all(0 <= weight <= LARGEST_NUMBER for weight in weights):
        raise SpecError(
            "the hourly weights are no traffic", expected="weights of 0 or more, not all 0", do="Correct them"
        )
    shape = [weight / largest for weight in weights]  # no sum of it overflows or underflows
    per_day = math.fsum(shape) * HOURS_PER_DAY / len(shape)
    return tuple(requests_per_day * height / per_day for height in shape)
