"""What the user will and will not consider, and what the user pays beside the list prices."""

import math
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from breakeven.errors import SpecError, refuse_odd_number
from breakeven.fields import said
from breakeven.units import MINUTES_PER_HOUR
from breakeven.wording import quoting, worded
from breakeven.workload.availability import Availability
from breakeven.workload.fine_tuning import FineTuning
from breakeven.workload.profile import Slo
from breakeven.workload.success import Answers
from breakeven.workload.uncertainty import Uncertainty

Architecture = Literal["arm64", "x86_64"]
Scaling = Literal["hourly", "fixed"]
DEFAULT_SCALE = "lmarena-text"
LAMBDA_MEMORY_MB = (128, 10240)
STARTUP_MINUTES = 7.5
"""Assumption: 5 to 10 minutes until a new GPU endpoint serves (2026-11-29); `startup_minutes` replaces it."""
LONGEST_STARTUP_MINUTES = 60.0


class Only(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Narrowing: an empty list means no narrowing. Names may end in ``*``."""

    models: Annotated[tuple[str, ...], said("models, by their API name or their own")] = ()
    providers: Annotated[tuple[str, ...], said("API providers")] = ()
    licences: Annotated[tuple[str, ...], said("licences of open models, `unknown` included")] = ()
    machines: Annotated[tuple[str, ...], said("instance types, `ml.` included, and machines of your own")] = ()
    formats: Annotated[tuple[str, ...], said("number formats of the weights")] = ()
    paths: Annotated[
        tuple[str, ...], said("serving paths: `lambda-http`, `lambda-rest-stream`, `direct`, `ec2`, `own`")
    ] = ()
    terms: Annotated[
        tuple[str, ...], said("`on-demand`, `reserved-1y`, `reserved-3y`, `savings-1y`, `savings-3y`, `spot`, `owned`")
    ] = ()
    tiers: Annotated[tuple[str, ...], said("API tiers: `standard`, `batch`, `flex`, `priority`, `provisioned`")] = ()
    kinds: Annotated[
        tuple[Literal["api", "hosted", "hybrid"], ...], said("`api` or `hosted` alone; `hybrid` beside both")
    ] = ()


class FixedCost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cost that does not depend on traffic, for the options of one kind or for all."""

    name: Annotated[str, said("its name on the bill")]
    usd_per_month: Annotated[Decimal, said("a month of 730 hours")]
    applies_to: Annotated[Literal["api", "hosted", "all"], said("whose bill it joins")] = "hosted"

    def __post_init__(self) -> None:
        refuse_odd_number("fixed_costs.usd_per_month", self.usd_per_month)


class People(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The working time that self-hosting takes."""

    hours_per_month: Annotated[Decimal, said("hours of work")]
    usd_per_hour: Annotated[Decimal, said("what an hour costs")]

    def __post_init__(self) -> None:
        refuse_odd_number("people.hours_per_month", self.hours_per_month)
        refuse_odd_number("people.usd_per_hour", self.usd_per_hour)


class LambdaConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The function between gateway and endpoint; it is billed while it waits for the model."""

    memory_mb: Annotated[int, said("128 to 10240 MB")] = 128
    architecture: Annotated[Architecture, said("`arm64` or `x86_64`")] = "arm64"

    def __post_init__(self) -> None:
        low, high = LAMBDA_MEMORY_MB
        if not low <= self.memory_mb <= high:
            raise SpecError(
                quoting("{field} is {value}", field="lambda.memory_mb", value=self.memory_mb),
                expected=quoting("{low} to {high} MB", low=low, high=high),
                do="Correct it",
            )


class Spot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What machines at spot prices, which are taken away, may be used for."""

    with_latency_target: Annotated[bool, said("let them serve requests that have a latency target")] = False
    in_hybrids: Annotated[bool, said("let them be the base of a hybrid")] = False


class Stated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A response time that the user states for self-hosted machines, in place of a prediction.

    Each replica holds ``concurrency`` requests at a time and answers each in ``response_s`` seconds.
    """

    response_s: float
    concurrency: int = 1

    def __post_init__(self) -> None:
        refuse_odd_number("hosting.response_s", self.response_s, above_zero=True)
        refuse_odd_number("hosting.concurrency", self.concurrency, above_zero=True)


class ApiLatency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the user measured at a paid API, at the quantile of the target. Seconds; ``None``: not measured."""

    ttft_s: Annotated[float | None, said("time to first token")] = None
    tpot_s: Annotated[float | None, said("time per output token after it")] = None

    def __post_init__(self) -> None:
        refuse_odd_number("api_latency.ttft_s", self.ttft_s, above_zero=True)
        refuse_odd_number("api_latency.tpot_s", self.tpot_s, above_zero=True)

    def keeps(self, slo: Slo) -> bool | None:
        """Whether the target is kept; ``None`` if a figure that it needs was not measured."""
        pairs = [(self.ttft_s, slo.ttft_s), (self.tpot_s, slo.tpot_s)]
        asked = [(found, target) for found, target in pairs if target is not None]
        if any(found is not None and found > target for found, target in asked):
            return False
        return None if any(found is None for found, _ in asked) else True


class ApiLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a paid API takes of one customer in a minute; what is left out is not limited."""

    requests_per_minute: Annotated[float | None, said("requests")] = None
    tokens_per_minute: Annotated[float | None, said("tokens in and out, cached ones included")] = None

    def __post_init__(self) -> None:
        refuse_odd_number("api_limits.requests_per_minute", self.requests_per_minute, above_zero=True)
        refuse_odd_number("api_limits.tokens_per_minute", self.tokens_per_minute, above_zero=True)

    def most_requests_per_hour(self, tokens_per_request: float) -> float:
        """Requests of so many tokens that it takes in an hour."""
        by_request = math.inf if self.requests_per_minute is None else self.requests_per_minute
        by_token = math.inf if self.tokens_per_minute is None else self.tokens_per_minute / tokens_per_request
        return min(by_request, by_token) * MINUTES_PER_HOUR


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is not the workload itself."""

    as_of: date | None = None
    """``None``: the newest day that the catalogue knows."""
    region: str = "us-east-1"
    at_least: str | float | None = None
    """A model or a score; ``None``: no floor, hence a ranking per class of quality."""
    quality_scale: str = DEFAULT_SCALE
    scores: dict[str, float] = {}
    """The user's own scores by model; they replace the catalogue's scale."""
    only: Only = Only()
    scaling: Scaling = "hourly"
    min_replicas: int = 1
    startup_minutes: float = STARTUP_MINUTES
    """From the order of a machine to its first request."""
    spot: Spot = Spot()
    api_discount: dict[str, float] = {}
    """Negotiated discount by provider (0.1 = 10 % off); ``*`` for all."""
    api_latency: dict[str, ApiLatency] = {}
    """By ``provider/model`` (``*`` allowed): what the user measured there; everywhere else it is not known."""
    api_limits: dict[str, ApiLimit] = {}
    """By ``provider/model`` (``*`` allowed): the rate limits of the user's account."""
    people: People | None = None
    fixed_costs: tuple[FixedCost, ...] = ()
    lambda_: LambdaConfig = LambdaConfig()
    stated: Stated | None = None
    uncertainty: Uncertainty = Uncertainty()
    """What the bands are drawn from."""
    mixed_machines: bool = False
    """Whether fleets of several machine types are looked for, one for some kinds of requests each."""
    availability: Availability | None = None
    """``None``: no bill counts outages."""
    quality: Answers | None = None
    """Success rates and what is done with a wrong answer; ``None``: every answer counts alike."""
    fine_tuning: tuple[FineTuning, ...] = ()

    def __post_init__(self) -> None:
        refuse_odd_number("hosting.min_replicas", self.min_replicas, above_zero=True)
        refuse_odd_number("hosting.startup_minutes", self.startup_minutes)
        if self.startup_minutes > LONGEST_STARTUP_MINUTES:
            raise SpecError(
                quoting("{field} is {value:g}", field="hosting.startup_minutes", value=self.startup_minutes),
                expected=quoting("up to {most:g} minutes: fleets are sized hour by hour", most=LONGEST_STARTUP_MINUTES),
                do="Correct it, or take scaling: fixed",
            )
        if isinstance(self.at_least, float) and not math.isfinite(self.at_least):
            raise SpecError(
                quoting("{field} is {value}", field="at_least", value=self.at_least),
                expected="a model or a score",
                do="Correct it",
            )
        for model, score in self.scores.items():
            if not math.isfinite(score):
                raise SpecError(
                    quoting("{field} is {value}", field=f"scores.{model}", value=score),
                    expected="a number",
                    do="Leave out what is not known",
                )
        for provider, share in self.api_discount.items():
            if not 0 <= share < 1:
                raise SpecError(
                    quoting(
                        "{field} is {value} for {provider}",
                        field="prices.api_discount",
                        value=share,
                        provider=worded("all APIs") if provider == "*" else provider,
                    ),
                    expected="a share off, from 0 to below 1",
                    do="Write 0.1 for 10 %",
                )
