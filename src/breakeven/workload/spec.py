"""The workload spec: the YAML file that is carried from plan to deployment to watch."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from breakeven.errors import SpecError, UnknownNameError, refuse_odd_number
from breakeven.fields import said
from breakeven.units import HOURS_PER_DAY
from breakeven.wording import quoting, worded
from breakeven.workload.availability import Availability
from breakeven.workload.fine_tuning import FineTuning
from breakeven.workload.policy import (
    DEFAULT_SCALE,
    STARTUP_MINUTES,
    ApiLatency,
    ApiLimit,
    FixedCost,
    LambdaConfig,
    Only,
    People,
    Policy,
    Scaling,
    Spot,
    Stated,
)
from breakeven.workload.profile import Batch, Burstiness, Slo, Task, Workload, refuse_odd_hours, spread
from breakeven.workload.success import QualitySpec
from breakeven.workload.uncertainty import Uncertainty
from breakeven.workload.usage import TOKENS_PER_WORD, TokenMix, TokenShape, TokenUsage

HALF = 0.5
FLAT = (1.0,) * HOURS_PER_DAY


class TrafficSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many requests, and when: a daily volume with a profile, or every hour."""

    requests_per_day: Annotated[float | None, said("requests on a mean day")] = None
    profile: Annotated[
        str | list[float] | None,
        said(
            "the shape of the day or week: a bundled name (`breakeven catalogue list profiles`), `flat`, or 24 or 168 "
            "weights from (Monday) midnight UTC; without it every hour is alike, and the plan says that it assumed so"
        ),
    ] = None
    requests_per_hour: Annotated[
        list[float] | None, said("24 or 168 numbers from (Monday) midnight UTC, instead of volume and profile")
    ] = None
    batch: Annotated[
        Batch | None,
        said("work beside it that may wait, of requests of the same lengths: done where machines stand idle"),
    ] = None
    burstiness: Annotated[
        Burstiness | None,
        said(
            "how much the arrivals come in bursts (`breakeven workload` measures it); without it they are taken as "
            "independent, and the plan says that it assumed so"
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.requests_per_hour is not None:
            if self.requests_per_day is not None or self.profile is not None:
                raise SpecError(
                    "traffic gives requests_per_hour beside requests_per_day or profile",
                    expected="requests_per_hour alone, or requests_per_day with a profile",
                    do="Leave one out",
                )
            refuse_odd_hours(self.requests_per_hour)
        if self.requests_per_day is not None:
            refuse_odd_hours(spread(self.requests_per_day, self.profile if isinstance(self.profile, list) else FLAT))


class ShapeSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of request in a mix. The fields mean what they mean under `tokens`."""

    share: Annotated[float, said("share of all requests; the shares add up to 1")]
    input: float
    output: float = 0.0
    cached_input: float = 0.0
    cache_write: float = 0.0
    reasoning: float = 0.0

    def __post_init__(self) -> None:
        self.shape()

    def shape(self) -> TokenShape:
        """The kind of request."""
        return TokenShape(share=self.share, usage=_usage(self, self.input, self.output))


class TokensSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the requests are: means, or a mix of `shapes`, or words."""

    input: Annotated[float | None, said("input tokens of a request, cached ones included")] = None
    output: Annotated[float | None, said("output tokens of a request, reasoning included")] = None
    cached_input: Annotated[float, said("the part of the input that is read from a prefix cache")] = 0.0
    cache_write: Annotated[float, said("the part of the input that is written to a prefix cache")] = 0.0
    reasoning: Annotated[float, said("the part of the output that is reasoning")] = 0.0
    words_per_request: Annotated[
        float | None, said("words in and out together, at 0.75 words a token (English), instead of tokens")
    ] = None
    output_share: Annotated[
        float | None, said("share of the words that is output; without it half and half, and the plan says so")
    ] = None
    shapes: Annotated[
        list[ShapeSpec] | None, said("a joint distribution: kinds of requests with their shares, instead of means")
    ] = None

    def __post_init__(self) -> None:
        """Refuse what no flag can mend; what is merely missing may still come from a flag."""
        refuse_odd_number("tokens.words_per_request", self.words_per_request, above_zero=True)
        if self.output_share is not None and not 0 <= self.output_share <= 1:
            raise SpecError(
                quoting("{field} is {value:g}", field="tokens.output_share", value=self.output_share),
                expected="a share from 0 to 1",
                do="Write 0.2 for 20 %",
            )
        means = self.input is not None or self.output is not None
        if self.words_per_request is not None and means:
            raise SpecError("tokens gives words and tokens at once", expected="one of the two", do="Leave one out")
        if self.shapes is not None:
            if msgspec.structs.replace(self, shapes=None) != TokensSpec():
                raise SpecError(
                    "tokens gives something beside shapes", expected="shapes alone", do="Leave one of them out"
                )
            TokenMix(shapes=tuple(row.shape() for row in self.shapes))
        if self.input is not None and self.output is not None:
            _usage(self, self.input, self.output)


class HostingSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one's own machines are run."""

    scaling: Annotated[
        Scaling,
        said("`hourly`: on-demand machines follow the hours; `fixed`: the busiest hour's machines stand all day"),
    ] = "hourly"
    min_replicas: Annotated[int, said("replicas that stand at any hour")] = 1
    startup_minutes: Annotated[
        float, said("from the order of a machine to its first request; paid, and traffic grows meanwhile")
    ] = STARTUP_MINUTES
    spot: Annotated[Spot, said("what machines at spot prices may be used for")] = Spot()
    mixed_machines: Annotated[
        bool,
        said("look for several fleets, each for some of the `shapes` (needs the extra `fleets`, takes seconds)"),
    ] = False
    response_s: Annotated[
        float | None, said("seconds for a whole response, if you measured it: replaces every predicted speed")
    ] = None
    concurrency: Annotated[int, said("requests that a replica serves at a time, with `response_s`")] = 1
    lambda_: Annotated[LambdaConfig, said("the function on the `lambda-*` paths")] = msgspec.field(
        default_factory=LambdaConfig, name="lambda"
    )

    def __post_init__(self) -> None:
        if self.response_s is None and self.concurrency != 1:
            raise SpecError(
                quoting(
                    "{field} is {concurrency} without hosting.response_s",
                    field="hosting.concurrency",
                    concurrency=self.concurrency,
                ),
                expected="both, or neither: a predicted speed comes with its own concurrency",
                do="Add hosting.response_s or leave hosting.concurrency out",
            )


class PricesSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Negotiated prices."""

    api_discount: Annotated[
        float | dict[str, float], said("share off the list price of all APIs, or by provider (0.1 = 10 % off)")
    ] = 0.0


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workload and what may serve it."""

    name: Annotated[str, said("what the report calls it")] = "workload"
    task: Annotated[
        Task | None,
        said("`generate` (text out) or `encode` (embeddings, classification); without it, by whether there is output"),
    ] = None
    traffic: TrafficSpec = TrafficSpec()
    tokens: TokensSpec = TokensSpec()
    latency: Annotated[Slo, said("the promise that self-hosting is sized for")] = Slo()
    deferrable: Annotated[bool, said("an answer within a day will do: batch and flex prices compete")] = False
    at_least: Annotated[
        float | str | None,
        said("quality floor: a model or a score on the scale; without it each class of quality has its own ranking"),
    ] = None
    quality_scale: Annotated[str, said("the scale of the scores")] = DEFAULT_SCALE
    scores: Annotated[dict[str, float], said("your own scores by model; they replace the scale")] = {}
    quality: Annotated[QualitySpec | None, said("success rates on your own task; ranks by cost per right answer")] = (
        None
    )
    fine_tuning: Annotated[
        list[FineTuning], said("models to fine-tune for this workload, each an option of its own")
    ] = []
    api_latency: Annotated[
        dict[str, ApiLatency],
        said("what you measured at paid APIs, by `provider/model` (`*` allowed), at the target's quantile"),
    ] = {}
    api_limits: Annotated[
        dict[str, ApiLimit], said("rate limits of your account at paid APIs, by `provider/model` (`*` allowed)")
    ] = {}
    as_of: Annotated[date | None, said("prices of that day; without it, today's")] = None
    region: Annotated[str, said("cloud region of the machines")] = "us-east-1"
    only: Annotated[Only, said("narrowing; names may hold `*`, an empty list means no narrowing")] = Only()
    hosting: HostingSpec = HostingSpec()
    prices: PricesSpec = PricesSpec()
    people: Annotated[People | None, said("working time that self-hosting takes; not counted if left out")] = None
    fixed_costs: Annotated[list[FixedCost], said("costs that do not depend on traffic")] = []
    uncertainty: Annotated[Uncertainty, said("what the bands of bills and break-evens are drawn from")] = Uncertainty()
    availability: Annotated[
        Availability | None,
        said("what outages cost; not counted if left out (`availability: {}` for published shares)"),
    ] = None
    overlay: Annotated[
        str | None,
        said("a YAML file with your own machines, prices and scores, beside the spec (docs/guides/overlay.md)"),
    ] = None

    def __post_init__(self) -> None:
        self.policy()

    def workload(self, profiles: Mapping[str, Sequence[float]]) -> Workload:
        """The workload. ``profiles``: the hourly weights of the profiles that can be named.

        Raises:
            SpecError: if traffic or tokens are missing, contradict each other or make no sense.
        """
        mix, assumed_tokens = _mix(self.tokens, self.task)
        hours, assumed_traffic = _hours(self.traffic, profiles)
        task: Task = self.task or ("generate" if mix.mean.output > 0 else "encode")
        if task == "generate" and mix.mean.output == 0:
            raise SpecError(
                quoting("{field} is generate, but a request has no output tokens", field="task"),
                expected="tokens.output above 0, or task: encode",
                do="Give tokens.output",
            )
        if task == "encode" and mix.mean.output > 0:
            raise SpecError(
                quoting(
                    "{field} is encode, but a request has {tokens:g} output tokens",
                    field="task",
                    tokens=mix.mean.output,
                ),
                expected="no output, or task: generate",
                do="Leave out one of the two",
            )
        return Workload(
            name=self.name,
            task=task,
            mix=mix,
            requests_per_hour=hours,
            slo=self.latency,
            burstiness=self.traffic.burstiness,
            deferrable=self.deferrable,
            batch=self.traffic.batch,
            assumptions=(*assumed_tokens, *assumed_traffic),
        )

    def policy(self) -> Policy:
        """What the user will and will not consider."""
        discount = self.prices.api_discount
        hosting = self.hosting
        return Policy(
            as_of=self.as_of,
            region=self.region,
            at_least=_number(self.at_least),
            quality_scale=self.quality_scale,
            scores=self.scores,
            only=self.only,
            scaling=hosting.scaling,
            min_replicas=hosting.min_replicas,
            startup_minutes=hosting.startup_minutes,
            spot=hosting.spot,
            mixed_machines=hosting.mixed_machines,
            api_latency=self.api_latency,
            api_limits=self.api_limits,
            api_discount=discount if isinstance(discount, dict) else {"*": discount} if discount else {},
            people=self.people,
            fixed_costs=tuple(self.fixed_costs),
            lambda_=hosting.lambda_,
            uncertainty=self.uncertainty,
            availability=self.availability,
            fine_tuning=tuple(self.fine_tuning),
            quality=None if self.quality is None else self.quality.answers(),
            stated=None
            if hosting.response_s is None
            else Stated(response_s=hosting.response_s, concurrency=hosting.concurrency),
        )


def read_specs(path: Path) -> tuple[Spec, ...]:
    """The specs in a YAML file; several are parted by ``---``."""
    from breakeven.yamlfile import read_yaml  # noqa: PLC0415 - what is said in flags needs no YAML

    return read_yaml(path, Spec)


def _number(floor: float | str | None) -> float | str | None:
    """A floor that is a number in quotes is a score."""
    try:
        return floor if floor is None else float(floor)
    except ValueError:
        return floor


def _mix(tokens: TokensSpec, task: Literal["generate", "encode"] | None) -> tuple[TokenMix, tuple[str, ...]]:
    if tokens.shapes is not None:
        return TokenMix(shapes=tuple(row.shape() for row in tokens.shapes)), ()
    if tokens.words_per_request is not None:
        return _words(tokens, task)
    if tokens.input is None:
        raise SpecError(
            "the spec does not say how long a request is",
            expected="tokens.input and tokens.output, tokens.words_per_request, or tokens.shapes",
            do="Add them, or use --input-tokens and --output-tokens",
        )
    if tokens.output is None and task != "encode":
        raise SpecError(
            "the spec gives tokens.input but not tokens.output",
            expected="tokens.output (0 for task: encode)",
            do="Add it, or use --output-tokens",
        )
    return TokenMix.of(_usage(tokens, tokens.input, tokens.output or 0.0)), ()


def _usage(given: TokensSpec | ShapeSpec, input_tokens: float, output_tokens: float) -> TokenUsage:
    return TokenUsage(
        input=input_tokens,
        output=output_tokens,
        cached_input=given.cached_input,
        cache_write=given.cache_write,
        reasoning=given.reasoning,
    )


def _words(tokens: TokensSpec, task: str | None) -> tuple[TokenMix, tuple[str, ...]]:
    """Words of input and output together, at 0.75 words a token, rounded to whole tokens as a bill would be."""
    words = tokens.words_per_request or 0.0
    share = 0.0 if task == "encode" else tokens.output_share
    assumed: list[str] = [
        worded(
            "{words:g} words are {tokens:,} tokens (0.75 words a token, English)",
            words=words,
            tokens=round(words * TOKENS_PER_WORD),
        )
    ]
    if share is None:
        share = HALF
        assumed.append("the split of words into input and output was not given: half and half")
    total = round(words * TOKENS_PER_WORD)
    return TokenMix.of(_usage(tokens, total * (1 - share), total * share)), tuple(assumed)


def _hours(traffic: TrafficSpec, profiles: Mapping[str, Sequence[float]]) -> tuple[tuple[float, ...], tuple[str, ...]]:
    if traffic.requests_per_hour is not None:
        return tuple(traffic.requests_per_hour), ()
    if traffic.requests_per_day is None:
        raise SpecError(
            "the spec does not say how many requests there are",
            expected="traffic.requests_per_day or traffic.requests_per_hour",
            do="Add it, or use --requests-per-day",
        )
    profile = traffic.profile
    if profile is None:
        return spread(traffic.requests_per_day, FLAT), ("no hourly profile given: the same traffic in every hour",)
    if profile == "flat":
        return spread(traffic.requests_per_day, FLAT), ()
    if isinstance(profile, str):
        if profile not in profiles:
            raise UnknownNameError(
                "traffic profile", profile, [*profiles, "flat"], search="breakeven catalogue list profiles"
            )
        return spread(traffic.requests_per_day, profiles[profile]), ()
    return spread(traffic.requests_per_day, profile), ()
