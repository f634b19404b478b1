"""The SageMaker upstream against a loopback server that speaks AWS's wire format, made here byte by byte."""

import asyncio
import base64
import contextlib
import itertools
import json
import struct
import subprocess
import sys
import zlib
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.serialize import create_serializer
from botocore.session import Session
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.scripted import CHAT, USAGE_FRAME, delta

from breakeven.errors import SpecError
from breakeven.gateway import aws, sagemaker
from breakeven.gateway.aws import Address
from breakeven.gateway.openai_compatible import OpenAICompatible
from breakeven.gateway.sagemaker import LARGEST_BODY_BYTES, SageMaker
from breakeven.gateway.upstream import Call, UpstreamError

KEY, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-central-1"
BODY = b'{"model":"m","messages":[{"role":"user","content":"a secret question"}]}'
CHUNKS = [b'data: {"choices":[{"delta":{"content":"He', b'llo"}}]}\n\n', b"data: [DONE]\n\n"]


@pytest.fixture(autouse=True)
def _credentials(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def _header(name: str, value: str) -> bytes:
    return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()


def event(payload: bytes, **headers: str) -> bytes:
    """One event of an AWS event stream: lengths, their CRC, headers, payload, the CRC of all."""
    packed = b"".join(_header(f":{name.replace('_', '-')}", value) for name, value in headers.items())
    prelude = struct.pack(">II", 12 + len(packed) + len(payload) + 4, len(packed))
    told = prelude + struct.pack(">I", zlib.crc32(prelude)) + packed + payload
    return told + struct.pack(">I", zlib.crc32(told))


def part(payload: bytes) -> bytes:
    return event(payload, event_type="PayloadPart", content_type="application/octet-stream", message_type="event")


def exception(kind: str) -> bytes:
    said = b'{"Message":"it broke on: a secret question"}'
    return event(said, exception_type=kind, content_type="application/json", message_type="exception")


@dataclass
class Server:
    """Answers every request with the same bytes, piece by piece, and keeps what it was asked."""

    pieces: list[bytes]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    hold: bool = False
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, target, _ = first.split(" ")
        self.asked.append((method, target, headers, await reader.readexactly(int(headers.get("content-length", 0)))))
        told = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        writer.write(f"HTTP/1.1 {self.status} x\r\n{told}transfer-encoding: chunked\r\n\r\n".encode())
        for piece in self.pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(0)
        if self.hold:
            await reader.read()  # returns when the other side has gone
            self.hung_up.set()
        elif not self.cut:
            writer.write(b"0\r\n\r\n")


def http(base_url: str) -> OpenAICompatible:
    """The gateway's own HTTP client."""
    return OpenAICompatible(name="sm", base_url=base_url)


@contextlib.asynccontextmanager
async def endpoint(server, door: str = "invoke", **address):
    """The upstream in front of a listening server; afterwards nothing of either is left."""
    handlers = []

    async def handle(reader, writer):
        handlers.append(asyncio.current_task())
        try:
            await server(reader, writer)
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    where = Address(endpoint="my-llm", region=REGION, base_url=f"http://127.0.0.1:{port}", **address)
    upstream = SageMaker("sm", where, http, door=door)
    try:
        yield upstream
    finally:
        await upstream.close()
        listening.close()
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await asyncio.sleep(0.01)  # transports close on the next turns of the loop


def ask(server, call: Call, door: str = "invoke", **address):
    """Status, headers and body that the upstream gives for one call."""

    async def run():
        async with endpoint(server, door, **address) as upstream:
            reply = await upstream.send(call)
            try:
                return reply.status, dict(reply.headers), b"".join([chunk async for chunk in reply.chunks()])
            finally:
                await reply.close()

    return asyncio.run(asyncio.wait_for(run(), 20))


def chat(**more) -> Call:
    return Call(**{"path": "/v1/chat/completions", "body": BODY, **more})


def recomputed(method: str, url: str, headers: dict[str, str], body: bytes, secret: str = SECRET) -> str:
    """The signature that AWS would compute from what arrived."""
    signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = AWSRequest(method, url, {name: headers[name] for name in signed}, body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(KEY, secret), "sagemaker", REGION)
    return signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)


@pytest.mark.parametrize("streamed", [False, True])
def test_what_arrives_is_signed_for_sagemaker_with_the_bytes_that_were_sent(streamed):
    server = Server([part(b"x")] if streamed else [b"{}"])
    ask(server, chat(streamed=streamed))
    ((method, target, headers, body),) = server.asked
    url = f"http://{headers['host']}{target}"
    assert headers["authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={KEY}/")
    assert f"/{REGION}/sagemaker/aws4_request" in headers["authorization"]
    said = headers["authorization"].rpartition("Signature=")[2]
    assert said == recomputed(method, url, headers, body)
    assert said != recomputed(method, url, headers, body + b" ")
    assert said != recomputed(method, url, headers, body, secret="another")


def test_a_session_token_travels_with_the_request_and_is_signed(monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-a-role")
    server = Server([b"{}"])
    ask(server, chat())
    headers = server.asked[0][2]
    assert headers["x-amz-security-token"] == "of-a-role"
    assert "x-amz-security-token" in headers["authorization"]


@pytest.mark.parametrize("streamed", [False, True])
def test_the_request_is_the_one_that_botocore_would_send(streamed):
    server = Server([part(b"x")] if streamed else [b"{}"])
    ask(server, chat(streamed=streamed), component="adapter", variant="blue")
    ((method, target, headers, body),) = server.asked
    model = Session().get_service_model("sagemaker-runtime")
    named = model.operation_model("InvokeEndpointWithResponseStream" if streamed else "InvokeEndpoint")
    asked = {
        "EndpointName": "my-llm",
        "Body": BODY,
        "ContentType": "application/json",
        "Accept": "text/event-stream" if streamed else "application/json",
        "InferenceComponentName": "adapter",
        "TargetVariant": "blue",
    }
    theirs = create_serializer("rest-json").serialize_to_request(asked, named)
    assert (method, target, body) == (theirs["method"], theirs["url_path"], theirs["body"])
    for name, value in theirs["headers"].items():
        assert headers[name.lower()] == value, name


def test_the_largest_body_is_that_of_the_service_model():
    shape = Session().get_service_model("sagemaker-runtime").operation_model("InvokeEndpoint").input_shape
    assert shape.members["Body"].metadata["max"] == LARGEST_BODY_BYTES


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "cn-north-1", "ap-southeast-5"])
def test_the_public_address_is_the_one_that_botocore_would_call(region):
    theirs = Session().create_client("sagemaker-runtime", region_name=region).meta.endpoint_url
    assert aws.Signer(Address(endpoint="e", region=region)).base_url == theirs


def test_an_answer_that_is_not_streamed_comes_back_unchanged():
    server = Server([b'{"usage":', b"{}}"], headers={"content-type": "application/json"})
    status, headers, body = ask(server, chat())
    assert (status, headers["content-type"], body) == (200, "application/json", b'{"usage":{}}')


def test_a_stream_is_the_bytes_that_the_container_sent():
    server = Server(
        [b"".join(part(chunk) for chunk in CHUNKS)],
        headers={
            "content-type": "application/vnd.amazon.eventstream",
            "x-amzn-sagemaker-content-type": "text/event-stream; charset=utf-8",
        },
    )
    status, headers, body = ask(server, chat(streamed=True))
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert body == b"".join(CHUNKS)


@given(
    payloads=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8),
    cuts=st.lists(st.integers(0, 800), max_size=6),
)
def test_it_does_not_matter_where_the_network_cuts_the_events(payloads, cuts):
    from breakeven.gateway.sagemaker import _Events

    wire = b"".join(part(payload) for payload in payloads)
    edges = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})

    class Pieces:
        status, headers = 200, ()

        async def chunks(self):
            for start, end in itertools.pairwise(edges):
                yield wire[start:end]

    async def read():
        load = aws.load("botocore.eventstream")
        events = _Events(Pieces(), load.EventStreamBuffer(), load.ParserError)
        await events.begin()
        return [chunk async for chunk in events.chunks()]

    assert asyncio.run(read()) == payloads


@pytest.mark.parametrize("kind", ["ModelStreamError", "InternalStreamFailure"])
def test_an_exception_within_the_stream_is_a_cut_that_does_not_quote_the_request(kind):
    with pytest.raises(UpstreamError, match=kind) as told:
        ask(Server([part(b"data: 1\n\n"), exception(kind)]), chat(streamed=True))
    assert told.value.failure == "cut"
    assert "secret question" not in str(told.value)


def test_an_exception_before_the_first_payload_is_raised_by_send_so_that_another_upstream_can_be_asked():
    async def run():
        server = Server([exception("ModelStreamError")], hold=True)
        async with endpoint(server) as upstream:
            with pytest.raises(UpstreamError, match="ModelStreamError"):
                await upstream.send(chat(streamed=True))
            await server.hung_up.wait()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_closing_a_reply_hangs_up_on_the_endpoint():
    async def run():
        server = Server([part(b"data: 1\n\n")], hold=True)
        async with endpoint(server) as upstream:
            reply = await upstream.send(chat(streamed=True))
            assert not server.hung_up.is_set()
            await reply.close()
            await server.hung_up.wait()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_a_damaged_event_is_garbled_and_half_an_event_is_a_cut():
    whole = part(b"data: 1\n\n")
    with pytest.raises(UpstreamError, match="Checksum") as told:
        ask(Server([whole[:-6] + b"?" + whole[-5:]]), chat(streamed=True))
    assert told.value.failure == "garbled"
    with pytest.raises(UpstreamError, match="within an event") as told:
        ask(Server([whole, whole[:-9]]), chat(streamed=True))
    assert told.value.failure == "cut"
    with pytest.raises(UpstreamError) as told:
        ask(Server([whole], cut=True), chat(streamed=True))
    assert told.value.failure == "cut"


@pytest.mark.parametrize(
    ("status", "kind", "becomes"),
    [
        (400, "ThrottlingException", 429),
        (429, "ThrottlingException", 429),
        (429, "ModelNotReadyException", 503),
        (503, "ServiceUnavailable", 503),
        (500, "InternalFailure", 500),
        (530, "InternalDependencyException", 502),
        (418, "SomethingNew", 418),
        (599, "SomethingNew", 502),
    ],
)
def test_an_error_of_sagemaker_becomes_a_status_that_openai_clients_know(status, kind, becomes):
    server = Server(
        [b'{"Message":"about a secret question"}'],
        status=status,
        headers={"x-amzn-errortype": f"{kind}:http://internal.amazon.com/coral/", "retry-after": "7"},
    )
    got, headers, body = ask(server, chat())
    assert (got, headers["retry-after"]) == (becomes, "7")
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == kind


def test_every_error_of_the_service_model_has_a_meaning():
    from breakeven.gateway.sagemaker import OURS_TO_MEND, STATUS_OF

    model = Session().get_service_model("sagemaker-runtime")
    known = {*OURS_TO_MEND, *STATUS_OF, "ModelError"}
    for name in ("InvokeEndpoint", "InvokeEndpointWithResponseStream"):
        modelled = {shape.name for shape in model.operation_model(name).error_shapes if "error" in shape.metadata}
        assert modelled <= known


@pytest.mark.parametrize("kind", ["ValidationError", "AccessDeniedException", "ExpiredTokenException"])
@pytest.mark.parametrize("where", ["header", "body"])
def test_what_only_the_operator_can_mend_is_no_answer_to_the_caller(kind, where):
    named = {"x-amzn-errortype": kind} if where == "header" else {}
    said = json.dumps({"Message": "a secret question", **({} if named else {"__type": f"com.amazon#{kind}"})})
    with pytest.raises(UpstreamError, match=kind) as told:
        ask(Server([said.encode()], status=400, headers=named), chat())
    assert told.value.failure == "misconfigured"
    assert "secret question" not in str(told.value)
    assert SECRET not in str(told.value)


def test_an_error_of_the_container_reaches_the_caller_with_its_own_status_and_words():
    said = {"error": {"message": "This model's maximum context length is 4096 tokens", "code": 400}}
    wrong = {"Message": "Received client error", "OriginalStatusCode": 400, "OriginalMessage": json.dumps(said)}
    server = Server([json.dumps(wrong).encode()], status=424, headers={"x-amzn-errortype": "ModelError"})
    status, _, body = ask(server, chat(streamed=True))
    assert (status, json.loads(body)) == (400, said)


@pytest.mark.parametrize(
    ("wrong", "becomes"),
    [
        (b'{"OriginalStatusCode":503,"OriginalMessage":"out of memory"}', 503),
        (b'{"OriginalStatusCode":200}', 502),
        (b"garbage", 502),
    ],
)
def test_an_error_of_the_container_in_another_shape_is_put_into_openais(wrong, becomes):
    status, _, body = ask(Server([wrong], status=424, headers={"x-amzn-errortype": "ModelError"}), chat())
    assert (status, json.loads(body)["error"]["code"]) == (becomes, "model_error")


def test_a_body_that_is_too_large_is_told_before_it_is_sent():
    server = Server([b"{}"])
    status, _, body = ask(server, chat(body=b" " * (LARGEST_BODY_BYTES + 1)))
    assert status == 413
    assert "6,291,456" in json.loads(body)["error"]["message"]
    assert server.asked == []
    assert ask(server, chat(body=b" " * LARGEST_BODY_BYTES))[0] == 200


def test_an_answer_that_takes_too_long_names_the_limit():
    async def silent(reader, _):
        await reader.read()

    with pytest.raises(UpstreamError, match="60 s for an answer that is not streamed") as told:
        ask(silent, chat(first_byte_s=0.05))
    assert told.value.failure == "timeout"


def test_an_endpoint_is_never_waited_for_longer_than_it_may_take(monkeypatch):
    monkeypatch.setattr(sagemaker, "LONGEST_ANSWER_S", 0.05)

    async def silent(reader, _):
        await reader.read()

    with pytest.raises(UpstreamError) as told:
        ask(silent, chat(first_byte_s=600.0))
    assert told.value.failure == "timeout"


def test_the_openai_path_carries_a_token_that_is_a_signed_permission():
    server = Server([b"data: 1\n\n"], headers={"content-type": "text/event-stream"})
    status, headers, body = ask(server, chat(streamed=True, headers=(("x-session", "s"),)), "openai", component="a b")
    assert (status, headers["content-type"], body) == (200, "text/event-stream", b"data: 1\n\n")
    ((method, target, sent, got),) = server.asked
    assert (method, target) == ("POST", "/endpoints/my-llm/inference-components/a%20b/openai/v1/chat/completions")
    assert (got, sent["x-session"]) == (BODY, "s")
    token = sent["authorization"].removeprefix("Bearer sagemaker-api-key-")
    host, _, query = base64.b64decode(token).decode().partition("/?")
    fields = {name: values[0] for name, values in parse_qs(query).items()}
    assert (host, fields["Action"], fields["Version"]) == ("sagemaker.amazonaws.com", "CallWithBearerToken", "1")
    assert fields["X-Amz-Credential"].endswith(f"/{REGION}/sagemaker/aws4_request")
    assert 0 < int(fields["X-Amz-Expires"]) <= 43_200
    again = AWSRequest("POST", f"https://{host}/", {"host": host}, params={"Action": "CallWithBearerToken"})
    again.context["timestamp"] = fields["X-Amz-Date"]
    signer = SigV4QueryAuth(Credentials(KEY, SECRET), "sagemaker", REGION, expires=int(fields["X-Amz-Expires"]))
    signer._modify_request_before_signing(again)
    said = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    assert said == fields["X-Amz-Signature"]
    assert urlsplit(f"https://{host}").query == ""


def test_the_token_is_made_once_for_many_requests_and_again_after_a_while(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(aws.time, "monotonic", lambda: now[0])

    async def tokens():
        signer, found = aws.Signer(Address(endpoint="e", region=REGION)), []
        for later_s in (0, 599, 2, 0):
            now[0] += later_s
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
            found.append(await signer.token())
            await asyncio.sleep(0)
        return found

    first, second, third, fourth = asyncio.run(tokens())
    assert first is second
    assert third is fourth
    assert third is not second


def test_the_openai_path_offers_chat_only_and_passes_errors_on():
    status, _, body = ask(Server([b"{}"]), chat(path="/v1/embeddings"), "openai")
    assert status == 404
    assert "/v1/chat/completions" in json.loads(body)["error"]["message"]
    said = b'{"error":{"message":"no such model"}}'
    assert ask(Server([said], status=404), chat(), "openai")[::2] == (404, said)
    with pytest.raises(UpstreamError, match="CallWithBearerToken"):
        ask(Server([b"{}"], status=403, headers={"x-amzn-errortype": "AccessDeniedException"}), chat(), "openai")


def test_without_credentials_the_failure_says_so(monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(UpstreamError, match="no AWS credentials were found") as told:
        ask(Server([b"{}"]), chat())
    assert told.value.failure == "misconfigured"


def test_without_a_region_or_with_a_wrong_one_nothing_starts():
    with pytest.raises(SpecError, match="has no region"):
        aws.Signer(Address(endpoint="e"))
    with pytest.raises(SpecError, match="'mars-1' is no AWS region"):
        aws.Signer(Address(endpoint="e", region="mars-1"))


def test_the_region_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert "eu-west-1" in aws.Signer(Address(endpoint="e")).base_url


def test_botocore_is_loaded_only_when_an_endpoint_is_used():
    code = "import sys, breakeven.gateway.sagemaker; print('botocore' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "False"


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(SpecError, match=r"pip install 'breakeven\[aws\]'"):
        SageMaker("sm", Address(endpoint="e", region=REGION), http)


def test_an_address_is_refused_if_it_holds_what_it_cannot_hold():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"endpoint": 3}, Address)


@pytest.fixture
def behind(serve, upstream, another):
    """A gateway that asks an endpoint first and another machine after it."""
    endpoint_there = {
        "kind": "sagemaker",
        "url": upstream.url.removesuffix("/v1"),
        "sagemaker": {"endpoint": "my-llm", "region": REGION},
        "model": "there",
        "concurrency": 4,
        "usd_per_hour": 7.2,
    }
    upstreams = {"sm": endpoint_there, "other": {"url": another.url, "model": "elsewhere"}}
    return serve(upstreams=upstreams, models={"chat": ["sm", "other"]})


def frame(said: object) -> bytes:
    return b"data: " + (said if isinstance(said, bytes) else json.dumps(said).encode()) + b"\n\n"


def test_a_gateway_before_an_endpoint_streams_and_meters(behind, upstream):
    async def container(heard):
        assert heard.json["model"] == "there"
        await heard.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        sse = frame(delta("Hel")) + frame(delta("lo!", "stop")) + frame(USAGE_FRAME) + frame(b"[DONE]")
        for at in range(0, len(sse), 50):  # an event may end anywhere within a frame
            await heard.chunk(part(sse[at : at + 50]))
        await heard.end_stream()

    upstream.script = container
    got = behind.ask({**CHAT, "stream": True})
    assert got.status == 200
    assert got.header("content-type") == "text/event-stream"
    assert [json.loads(line[6:])["choices"][0]["delta"]["content"] for line in got.body.decode().split("\n\n")[:2]] == [
        "Hel",
        "lo!",
    ]
    assert got.body.endswith(b"data: [DONE]\n\n")
    record = behind.record()
    assert (record.upstream, record.input_tokens, record.output_tokens) == ("sm", 20, 2)
    assert (record.tokens_basis, record.cost_basis, record.outcome) == ("upstream", "own machine", "complete")
    assert upstream.heard[0].path == "/endpoints/my-llm/invocations-response-stream"


@pytest.mark.parametrize("streamed", [False, True])
def test_an_endpoint_that_is_throttled_or_breaks_before_its_first_payload_is_passed_over(
    behind, upstream, another, streamed
):
    async def throttled(heard):
        await heard.answer(b"{}", 400, ("x-amzn-errortype: ThrottlingException", "retry-after: 60"))

    async def broken(heard):
        await heard.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        await heard.chunk(exception("ModelStreamError"))
        await heard.end_stream()

    upstream.script = broken if streamed else throttled
    got = behind.ask({**CHAT, "stream": streamed})
    assert got.status == 200
    assert behind.record().upstream == "other"
    assert len(another.heard) == 1


def test_an_endpoint_that_breaks_off_after_its_first_payload_is_told_as_a_cut(behind, upstream, another):
    async def breaks(heard):
        await heard.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        await heard.chunk(part(frame(delta("Hel"))) + exception("ModelStreamError"))
        await heard.end_stream()

    upstream.script = breaks
    got = behind.ask({**CHAT, "stream": True})
    assert b'"content": "Hel"' in got.body
    assert b"[DONE]" not in got.body
    assert behind.record().outcome == "cut_by_upstream"
    assert another.heard == []


def test_kind_and_endpoint_belong_together(serve):
    with pytest.raises(SpecError, match="belong together"):
        serve(upstreams={"sm": {"kind": "sagemaker"}}, models={"chat": ["sm"]})
