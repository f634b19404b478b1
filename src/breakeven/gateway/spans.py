"""OpenTelemetry spans with the attributes of the GenAI conventions, in the trace of the caller: no prompt, no answer.

Names as in the conventions' own repository, open-telemetry/semantic-conventions-genai, read in November 2026.
"""

import importlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from breakeven import __version__
from breakeven.errors import SpecError
from breakeven.gateway.records import UsageRecord
from breakeven.gateway.tracing import Headers
from breakeven.units import MICROSECONDS_PER_SECOND, NANOSECONDS_PER_SECOND, PICO_USD_PER_USD

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

Value = str | int | float | bool

NANOSECONDS_PER_MICROSECOND = NANOSECONDS_PER_SECOND // MICROSECONDS_PER_SECOND
UNKNOWN = "unknown"
OPERATIONS: Mapping[str, str] = MappingProxyType(
    {"/v1/chat/completions": "chat", "/v1/completions": "text_completion", "/v1/embeddings": "embeddings"}
)
# The catalogue's providers whose name in the conventions is another one.
PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "aws-bedrock": "aws.bedrock",
        "azure": "azure.ai.openai",
        "azure-openai": "azure.ai.openai",
        "google": "gcp.gemini",
        "google-vertex": "gcp.vertex_ai",
        "mistral": "mistral_ai",
        "xai": "x_ai",
    }
)


class Spans:
    """One span for each request, given to whatever OpenTelemetry was set up."""

    def __init__(self, provider: "TracerProvider | None" = None) -> None:
        """Without ``provider``: the one of the process, or one that exports as the ``OTEL_*`` variables say.

        Raises:
            SpecError: if the extra is not installed.
        """
        trace = _load("opentelemetry.trace")
        self._ours: Any = None
        if provider is None and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            provider = self._ours = _exporting()
        self._tracer = trace.get_tracer("breakeven.gateway", __version__, tracer_provider=provider)
        self._trace = trace
        self._propagator = _load("opentelemetry.trace.propagation.tracecontext").TraceContextTextMapPropagator()

    def begin(self, headers: Headers) -> "RequestSpan":
        """The span of a request; it starts when its name is known, and joins the trace that the headers name."""
        return RequestSpan(self, headers)

    def start(self, headers: Headers, path: str, model: str | None, at_us: int) -> Any:  # noqa: ANN401 - optional types
        """A span that began at a moment, below the span that the headers name."""
        operation = OPERATIONS.get(path, path.rpartition("/")[2])
        return self._tracer.start_span(
            f"{operation} {model}" if model else operation,
            context=self._propagator.extract(dict(headers)),
            kind=self._trace.SpanKind.CLIENT,
            attributes={"gen_ai.operation.name": operation, **({"gen_ai.request.model": model} if model else {})},
            start_time=at_us * NANOSECONDS_PER_MICROSECOND,
        )

    def below(self, span: Any, headers: Headers) -> Headers:  # noqa: ANN401
        """The headers with the context of a span in the place of the caller's."""
        told: dict[str, str] = {}
        self._propagator.inject(told, context=self._trace.set_span_in_context(span))
        if not told:  # OpenTelemetry is turned off (OTEL_SDK_DISABLED): the caller's own goes on
            return headers
        kept = [header for header in headers if header[0] not in self._propagator.fields]
        return (*kept, *told.items())

    def failed(self, span: Any) -> None:  # noqa: ANN401
        """What the span stands for did not end well."""
        span.set_status(self._trace.Status(self._trace.StatusCode.ERROR))

    def close(self) -> None:
        """Send what is left, if the export is ours."""
        if self._ours is not None:
            self._ours.shutdown()


class RequestSpan:
    """The span of one request, from its arrival to its usage record."""

    __slots__ = ("_headers", "_span", "_spans")

    def __init__(self, spans: Spans, headers: Headers) -> None:
        self._spans, self._headers = spans, headers
        self._span: Any = None

    def onward(self, headers: Headers, path: str, model: str | None, at_us: int) -> Headers:
        """The headers for an upstream, with this span as the parent of what it traces."""
        if self._span is None:
            self._span = self._spans.start(self._headers, path, model, at_us)
        return self._spans.below(self._span, headers)

    def end(self, record: UsageRecord) -> None:
        """End the span with what the record says; it lasts as long as the request, whatever the wall clock did."""
        span = self._span or self._spans.start(self._headers, record.path, record.model, record.at_us)
        span.set_attributes(dict(_attributes(record)))
        if record.outcome != "complete":
            self._spans.failed(span)
        began_ns = record.at_us * NANOSECONDS_PER_MICROSECOND
        span.end(began_ns + round(record.duration_s * NANOSECONDS_PER_SECOND))


def _attributes(record: UsageRecord) -> Iterator[tuple[str, Value]]:
    """What is known, under its name in the conventions; what they have no name for, under our own."""
    provider = record.provider or record.upstream or UNKNOWN
    yield "gen_ai.provider.name", PROVIDERS.get(provider, provider)
    if record.outcome != "complete":
        yield "error.type", str(record.status) if record.status >= 400 else record.outcome
    known: dict[str, Value | None] = {
        "gen_ai.request.model": record.model,
        "gen_ai.response.model": record.upstream_model,
        "gen_ai.request.stream": record.streamed or None,
        "gen_ai.response.time_to_first_chunk": record.ttft_s if record.streamed else None,
        "gen_ai.usage.input_tokens": record.input_tokens,
        "gen_ai.usage.cache_read.input_tokens": record.cached_input_tokens,
        "gen_ai.usage.cache_write.input_tokens": record.cache_write_tokens,
        "gen_ai.usage.output_tokens": record.output_tokens,
        "gen_ai.usage.reasoning.output_tokens": record.reasoning_tokens,
        "http.response.status_code": record.status,
        "breakeven.request_id": record.id,
        "breakeven.key": record.key,
        "breakeven.team": record.team,
        "breakeven.upstream": record.upstream,
        "breakeven.attempts": record.attempts,
        "breakeven.tokens_basis": record.tokens_basis,
        "breakeven.cost_basis": record.cost_basis,
    }
    yield from ((name, value) for name, value in known.items() if value is not None)
    if record.cost_pico_usd is not None:
        yield "breakeven.cost_usd", record.cost_pico_usd / PICO_USD_PER_USD


def _exporting() -> Any:  # noqa: ANN401 - the SDK is optional, so are its types
    """A provider that sends spans from a thread of its own to the collector that ``OTEL_EXPORTER_OTLP_*`` names."""
    sdk = _load("opentelemetry.sdk.trace")
    resource = _load("opentelemetry.sdk.resources").Resource.create({"service.version": __version__})
    if resource.attributes.get("service.name", "").startswith("unknown_service"):  # OTEL_SERVICE_NAME is not set
        resource = resource.merge(type(resource)({"service.name": "breakeven-gateway"}))
    provider = sdk.TracerProvider(resource=resource)
    exporter = _load("opentelemetry.exporter.otlp.proto.http.trace_exporter").OTLPSpanExporter()
    provider.add_span_processor(_load("opentelemetry.sdk.trace.export").BatchSpanProcessor(exporter))
    return provider


def _load(module: str) -> Any:  # noqa: ANN401 - a module that may not be there
    try:
        return importlib.import_module(module)
    except ImportError as wrong:
        raise SpecError(
            "OpenTelemetry is not installed, and spans are sent by it",
            expected="the extra `otel`",
            do="pip install 'breakeven[otel]'",
        ) from wrong
