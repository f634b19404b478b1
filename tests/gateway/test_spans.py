"""OpenTelemetry spans: the names of the conventions, the times of the record, and nothing that was said."""

import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace import SpanKind, StatusCode
from tests.gateway.running import read_answer
from tests.gateway.scripted import CHAT, SOON_S

from breakeven.errors import SpecError
from breakeven.gateway.records import UsageRecord
from breakeven.gateway.spans import Spans

NEWER = {"gen_ai.usage.cache_write.input_tokens"}  # in the conventions, not yet in the Python package of their names


def record(**more) -> UsageRecord:
    base = {"id": "r1", "at_us": 1_700_000_000_000_000, "path": "/v1/chat/completions", "model": "m", "status": 200}
    return UsageRecord(**(base | {"outcome": "complete", "duration_s": 1.5, "upstream": "u"} | more))


FULL = record(
    key="k1", team="search", upstream_model="m-2026", provider="openai", streamed=True, attempts=2, input_tokens=10,
    cached_input_tokens=4, cache_write_tokens=3, output_tokens=7, reasoning_tokens=5, tokens_basis="upstream",
    ttft_s=0.25, cost_pico_usd=1_500_000, cost_basis="list price",
)  # fmt: skip


@pytest.fixture
def spans():
    provider, kept = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    made = Spans(provider)
    made.kept = kept
    yield made
    provider.shutdown()


def one(spans, record, *headers):
    spans.begin(headers).end(record)
    (span,) = spans.kept.get_finished_spans()
    return span


def test_a_span_says_what_was_asked_used_and_paid(spans):
    span = one(spans, FULL)
    assert (span.name, span.kind, span.status.status_code) == ("chat m", SpanKind.CLIENT, StatusCode.UNSET)
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "m-2026",
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.cache_write.input_tokens": 3,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.reasoning.output_tokens": 5,
        "http.response.status_code": 200,
        "breakeven.request_id": "r1",
        "breakeven.key": "k1",
        "breakeven.team": "search",
        "breakeven.upstream": "u",
        "breakeven.attempts": 2,
        "breakeven.tokens_basis": "upstream",
        "breakeven.cost_basis": "list price",
        "breakeven.cost_usd": 1.5e-6,
    }


def test_every_genai_name_is_one_of_the_conventions(spans):
    known = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_")} | NEWER
    assert {name for name in one(spans, FULL).attributes if name.startswith("gen_ai.")} <= known


def test_a_span_lasts_as_long_as_the_request(spans):
    span = one(spans, FULL)
    assert span.start_time == 1_700_000_000_000_000_000
    assert span.end_time - span.start_time == 1_500_000_000


def test_what_is_not_known_is_left_out(spans):
    told = one(spans, record(upstream=None, model=None, status=401, outcome="refused"))
    assert not [name for name in told.attributes if "usage" in name or "cost_usd" in name or "model" in name]
    assert told.name == "chat"
    assert told.attributes["gen_ai.provider.name"] == "unknown"


@pytest.mark.parametrize(
    ("status", "outcome", "kind"),
    [(502, "failed", "502"), (429, "refused", "429"), (200, "cut_by_upstream", "cut_by_upstream")],
)
def test_a_request_that_failed_is_an_error_with_its_kind(spans, status, outcome, kind):
    span = one(spans, record(status=status, outcome=outcome))
    assert span.status.status_code == StatusCode.ERROR
    assert span.attributes["error.type"] == kind


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/completions", "text_completion"),
        ("/v1/embeddings", "embeddings"),
        ("/v1/models", "models"),
    ],
)
def test_the_operation_follows_from_the_path(spans, path, operation):
    assert one(spans, record(path=path)).attributes["gen_ai.operation.name"] == operation


def test_providers_have_the_names_that_the_conventions_give_them(spans):
    assert one(spans, record(provider="aws-bedrock")).attributes["gen_ai.provider.name"] == "aws.bedrock"


TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
FROM_CALLER = f"00-{TRACE}-{PARENT}-01"


def test_a_span_joins_the_trace_of_its_caller(spans):
    span = one(spans, FULL, ("traceparent", FROM_CALLER))
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == PARENT


def test_a_traceparent_that_is_none_is_ignored(spans):
    assert one(spans, FULL, ("traceparent", "nonsense\n")).parent is None


@pytest.fixture
def traced(serve, upstream, spans):
    """A gateway that makes spans, before an own machine."""
    own = {"url": upstream.url, "model": "there", "concurrency": 4, "usd_per_hour": 3.6}
    return serve(upstreams={"own": own}, models={"chat": ["own"]}, tracing=spans)


def finished(spans, count=1):
    """The spans of so many requests; a span ends just after its answer."""
    until = time.monotonic() + SOON_S
    while len(spans.kept.get_finished_spans()) < count and time.monotonic() < until:
        time.sleep(0.002)
    found = spans.kept.get_finished_spans()
    assert len(found) == count
    return found


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_the_trace_goes_from_the_caller_through_the_gateways_span_to_the_upstream(traced, upstream, spans, streamed):
    told = (f"traceparent: {FROM_CALLER}", "tracestate: a=1", "tracestate: b=2")
    assert traced.ask({**CHAT, "stream": streamed}, *told).status == 200
    (span,) = finished(spans)
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)
    sent = upstream.heard[0]
    assert sent.header("traceparent") == f"00-{TRACE}-{span.context.span_id:016x}-01"
    assert sent.header("tracestate") == "a=1,b=2"
    assert [name for name, _ in sent.headers].count("traceparent") == 1
    assert span.name == "chat chat"
    assert span.attributes["breakeven.request_id"] == traced.record().id


def test_a_caller_without_a_trace_begins_one_that_the_upstream_joins(traced, upstream, spans):
    assert traced.ask(CHAT).status == 200
    (span,) = finished(spans)
    assert span.parent is None
    version, trace, parent, flags = upstream.heard[0].header("traceparent").split("-")
    assert (version, trace, parent) == ("00", f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}")
    assert int(flags, 16) & 1, "sampled"


def test_every_upstream_that_a_request_tries_is_below_its_one_span(serve, upstream, another, spans):
    async def fails(heard):
        await heard.answer({}, status=500)

    upstream.script = fails
    both = {"first": {"url": upstream.url}, "second": {"url": another.url}}
    gateway = serve(upstreams=both, models={"chat": ["first", "second"]}, tracing=spans)
    assert gateway.ask(CHAT).status == 200
    (span,) = finished(spans)
    parents = {one.heard[0].header("traceparent").split("-")[2] for one in (upstream, another)}
    assert parents == {f"{span.context.span_id:016x}"}


def test_a_trace_that_the_caller_does_not_sample_goes_on_unsampled(traced, upstream, spans):
    traced.ask(CHAT, f"traceparent: 00-{TRACE}-{PARENT}-00")
    version, trace, parent, flags = upstream.heard[0].header("traceparent").split("-")
    assert (version, trace, flags) == ("00", TRACE, "00")
    assert parent != PARENT
    assert not spans.kept.get_finished_spans()


@pytest.mark.parametrize(("path", "body"), [("/v1/chat/completions", b"{"), ("/v1/models", None)])
def test_a_request_that_no_upstream_sees_leaves_its_span_too(traced, spans, path, body):
    told = f"traceparent: {FROM_CALLER}"
    if body is None:
        lines = [f"GET {path} HTTP/1.1", "host: x", "connection: close", told, "", ""]
        read_answer(traced.raw("\r\n".join(lines).encode()))
    else:
        traced.ask(body, told)
    (span,) = finished(spans)
    assert f"{span.parent.span_id:016x}" == PARENT


def test_without_spans_the_callers_trace_goes_on_as_it_came(gateway, upstream):
    assert gateway.ask(CHAT, f"traceparent: {FROM_CALLER}", "tracestate: a=1").status == 200
    sent = upstream.heard[0]
    assert (sent.header("traceparent"), sent.header("tracestate")) == (FROM_CALLER, "a=1")


def test_where_opentelemetry_is_turned_off_the_callers_trace_goes_on(serve, upstream, monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    own = {"own": {"url": upstream.url}}
    gateway = serve(upstreams=own, models={"chat": ["own"]}, tracing=Spans(TracerProvider()))
    assert gateway.ask(CHAT, f"traceparent: {FROM_CALLER}").status == 200
    assert gateway.ask(CHAT).status == 200
    assert [heard.header("traceparent") for heard in upstream.heard] == [FROM_CALLER, None]


EXPORTS = """
from breakeven.gateway.records import UsageRecord
from breakeven.gateway.spans import Spans
spans = Spans()
spans.begin(()).end(UsageRecord(id="r1", at_us=1, path="/v1/chat/completions", model="m", status=200,
                                outcome="complete", duration_s=0.1))
spans.close()
"""


def test_spans_reach_the_collector_that_the_environment_names(monkeypatch):
    got = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    try:
        subprocess.run([sys.executable, "-c", EXPORTS], check=True, timeout=60)
    finally:
        server.shutdown()
        server.server_close()
    ((path, body),) = got
    sent = ExportTraceServiceRequest.FromString(body).resource_spans[0]
    assert path == "/v1/traces"
    assert sent.scope_spans[0].spans[0].name == "chat m"
    named = {pair.key: pair.value.string_value for pair in sent.resource.attributes}
    assert named["service.name"] == "breakeven-gateway"


def test_opentelemetry_is_loaded_only_when_it_is_asked_for():
    code = "import sys, breakeven.gateway.spans; print('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    with pytest.raises(SpecError, match=r"pip install 'breakeven\[otel\]'"):
        Spans()
