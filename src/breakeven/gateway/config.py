"""The gateway's configuration: what ``gateway.yaml`` may say, and what holds where it says nothing."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from breakeven.errors import SpecError, refuse_odd_number
from breakeven.fields import said
from breakeven.gateway.accounts import Accounts
from breakeven.yamlfile import read_yaml

Tier = Literal["standard", "batch", "flex", "priority"]
Kind = Literal["openai-compatible", "sagemaker"]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the file: a field that it does not know is a slip. Numbers are finite and 0 or more."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
                refuse_odd_number(name, value)


class Timeouts(Section, frozen=True, kw_only=True):
    """How long an upstream may take, in seconds."""

    connect_s: Annotated[float, said("To open a connection.")] = 5.0
    first_token_s: Annotated[float, said("From asking to the first byte of a streamed answer.")] = 60.0
    answer_s: Annotated[float, said("From asking to the first byte of an answer that is not streamed.")] = 600.0
    between_bytes_s: Annotated[float, said("From one piece of an answer to the next.")] = 60.0


class Limits(Section, frozen=True, kw_only=True):
    """What a caller may ask of the gateway."""

    body_bytes: Annotated[int, said("The longest request body; a longer one is answered with 413.")] = 32_000_000
    header_bytes: Annotated[int, said("All headers of a request together; more is answered with 431.")] = 65_536
    header_s: Annotated[float, said("How long a caller may take to send its headers.")] = 10.0
    body_s: Annotated[float, said("How long a caller may take to send its body.")] = 60.0
    request_s: Annotated[float, said("The longest request, from its arrival to the last byte.")] = 900.0
    streams: Annotated[int, said("Requests in flight at a time; one more is answered with 503.")] = 2_000
    answer_bytes: Annotated[int, said("The longest answer that is not streamed.")] = 64_000_000
    drain_s: Annotated[float, said("How long open requests may still take once the gateway is told to stop.")] = 30.0


class Routing(Section, frozen=True, kw_only=True):
    """When another upstream is asked, and which."""

    failures_to_open: Annotated[int, said("Failures in a row after which a replica is left alone.")] = 5
    open_s: Annotated[float, said("For how long it is left alone at first; doubled with each failed probe.")] = 5.0
    open_most_s: Annotated[float, said("For how long at most.")] = 120.0
    retry_share: Annotated[float, said("Further attempts as a share of the requests.")] = 0.2
    retry_least: Annotated[int, said("Further attempts that are always allowed in a burst.")] = 10
    attempts: Annotated[int, said("Upstreams asked for one request at most.")] = 3
    balance: Annotated[
        float, said("How much fuller than the mean a replica may get to keep a prompt's prefix where it is cached.")
    ] = 1.25
    queue: Annotated[int, said("Requests of one model that may wait for a place.")] = 100
    queue_s: Annotated[float, said("How long each may wait.")] = 10.0

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        for name in ("failures_to_open", "attempts", "balance"):
            if getattr(self, name) < 1:
                raise SpecError(f"{name} is {getattr(self, name)}", expected="1 or more", do="Correct it")


class SageMakerEntry(Section, frozen=True, kw_only=True):
    """A SageMaker endpoint. Credentials are those that AWS's own tools would find: environment, profile or role."""

    endpoint: Annotated[str, said("The endpoint's name.")]
    region: Annotated[str | None, said("Its region; default: that of AWS's own settings.")] = None
    component: Annotated[str | None, said("The inference component, where the endpoint holds several models.")] = None
    variant: Annotated[str | None, said("The production variant, where one of several is meant.")] = None
    door: Annotated[
        Literal["invoke", "openai"], said("By InvokeEndpoint, or by the endpoint's own path /openai/v1.")
    ] = "invoke"


class UpstreamEntry(Section, frozen=True, kw_only=True):
    """One upstream: an own model on one or several replicas, or a model of a provider."""

    kind: Annotated[Kind, said("How it is spoken to.")] = "openai-compatible"
    url: Annotated[str | None, said("Its base URL, such as http://10.0.0.5:8000/v1.")] = None
    urls: Annotated[tuple[str, ...], said("The base URLs of several replicas.")] = ()
    sagemaker: Annotated[SageMakerEntry | None, said("The endpoint, where kind is sagemaker.")] = None
    provider: Annotated[str | None, said("The provider in the catalogue whose prices hold.")] = None
    model: Annotated[str | None, said("The model's name there; default: as the caller says it.")] = None
    tier: Annotated[Tier, said("The provider's tier.")] = "standard"
    key_env: Annotated[str | None, said("The environment variable that holds its key.")] = None
    key_file: Annotated[str | None, said("The file that holds its key.")] = None
    concurrency: Annotated[int | None, said("Requests at a time on each replica that keep the latency target.")] = None
    usd_per_hour: Annotated[Decimal | None, said("What one replica costs an hour.")] = None
    largest_output_tokens: Annotated[
        int | None, said("The most tokens it answers with; what a budget holds back where a request names no limit.")
    ] = None
    asks_usage: Annotated[bool, said("Ask for the usage at the end of streams (stream_options.include_usage).")] = True

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        for name in ("concurrency", "usd_per_hour", "largest_output_tokens"):
            refuse_odd_number(name, getattr(self, name), above_zero=True)
        if self.key_env is not None and self.key_file is not None:
            raise SpecError("key_env and key_file are both given", expected="one of them", do="Leave one out")
        if (self.kind == "sagemaker") != (self.sagemaker is not None):
            raise SpecError(
                "kind: sagemaker and the endpoint under sagemaker: belong together",
                expected="both or neither",
                do="Name the endpoint under sagemaker:, or leave both out",
            )
        if self.url is not None and self.urls:
            raise SpecError("url and urls are both given", expected="one of them", do="Leave one out")

    @property
    def addresses(self) -> tuple[str, ...]:
        """The base URLs, whichever way they are given."""
        return (self.url,) if self.url is not None else self.urls


class GatewayFile(Section, frozen=True, kw_only=True):
    """What ``gateway.yaml`` says."""

    listen: Annotated[str, said("Host and port.")] = "127.0.0.1:8080"
    plan: Annotated[str | None, said("A plan that `breakeven compare --json` wrote.")] = None
    option: Annotated[str | None, said("The plan's option to route by; default: its winner.")] = None
    upstreams: Annotated[dict[str, UpstreamEntry], said("Who answers, by a name of your choice.")] = msgspec.field(
        default_factory=dict
    )
    models: Annotated[
        dict[str, tuple[str, ...]], said("The names that callers use, and for each the upstreams in order.")
    ] = msgspec.field(default_factory=dict)
    timeouts: Annotated[Timeouts, said("How long upstreams may take.")] = Timeouts()
    limits: Annotated[Limits, said("What callers may ask.")] = Limits()
    routing: Annotated[Routing, said("When another upstream is asked.")] = Routing()
    pass_headers: Annotated[tuple[str, ...], said("Further headers of callers that upstreams are sent.")] = ()
    books: Annotated[Accounts, said("Keys, budgets and records.")] = Accounts()
    spans: Annotated[
        bool, said("An OpenTelemetry span for each request, sent as the OTEL_* variables say (extra `otel`).")
    ] = False
    log_requests: Annotated[bool, said("A line in the log for each request, not for problems alone.")] = False


def read_config(path: Path) -> GatewayFile:
    """The configuration in a file.

    Raises:
        SpecError: with line and field, if it cannot be one.
    """
    documents = read_yaml(path, GatewayFile)
    if len(documents) > 1:
        raise SpecError(f"{path} holds {len(documents)} documents", expected="one", do="Leave the others out")
    return documents[0]


def address(listen: str) -> tuple[str, int]:
    """Host and port.

    >>> address("127.0.0.1:8080"), address("[::1]:0")
    (('127.0.0.1', 8080), ('::1', 0))
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise SpecError(f"listen is {listen}", expected="host:port", do="Write 127.0.0.1:8080")
    return host.strip("[]"), int(port)
