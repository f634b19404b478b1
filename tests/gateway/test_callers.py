"""Callers that misbehave, over real sockets: they hang up, send rubbish, send too much, or take too long."""

import json
import socket
import struct
import time

import pytest
from tests.gateway.running import read_answer
from tests.gateway.scripted import CHAT, SOON_S, USAGE_FRAME, delta

STREAM = {**CHAT, "stream": True}


async def hangs(heard):
    await heard.wait_for_hang_up()


async def streams_on(heard):
    await heard.begin_stream()
    await heard.frame(delta("Half"))
    await heard.wait_for_hang_up()


async def says_hello_and_hangs(heard):
    await heard.begin_stream()
    await heard.wait_for_hang_up()


@pytest.mark.parametrize("asked", [CHAT, STREAM], ids=["whole", "streamed"])
@pytest.mark.parametrize("script", [hangs, says_hello_and_hangs], ids=["silent", "headers alone"])
def test_a_caller_that_hangs_up_before_the_first_byte_stops_the_upstreams_work(gateway, upstream, asked, script):
    upstream.script = script
    connection = gateway.post(asked)
    _until(lambda: upstream.heard)
    connection.close()
    assert upstream.hung_up.wait(SOON_S)
    record = gateway.record()
    assert (record.status, record.outcome) == (499, "cut_by_client")
    assert record.output_tokens is None
    assert gateway.door.live.replicas["own"].in_flight == 0
    assert gateway.door.live.replicas["own"].failures == 0


@pytest.mark.parametrize("how", ["closes", "resets"])
def test_a_caller_that_hangs_up_in_mid_stream_stops_the_upstreams_work(gateway, upstream, how):
    upstream.script = streams_on
    connection = gateway.post(STREAM)
    data = b""
    while b"Half" not in data:
        data += connection.recv(65_536)
    if how == "resets":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    assert upstream.hung_up.wait(SOON_S)
    record = gateway.record()
    assert (record.status, record.outcome, record.tokens_basis) == (499, "cut_by_client", "counted")
    assert (record.input_tokens, record.output_tokens) == (2, 1)
    assert record.cost_pico_usd > 0


def test_a_caller_that_closes_when_it_has_read_done_has_a_complete_answer(gateway, upstream):
    async def dawdles(heard):
        await heard.begin_stream()
        await heard.frame(delta("Hi", "stop"))
        await heard.frame(USAGE_FRAME)
        await heard.frame(b"[DONE]")
        await heard.wait_for_hang_up()

    upstream.script = dawdles
    connection = gateway.post(STREAM)
    data = b""
    while b"[DONE]" not in data:
        data += connection.recv(65_536)
    connection.close()
    record = gateway.record()
    assert (record.status, record.outcome, record.tokens_basis) == (200, "complete", "upstream")
    assert upstream.hung_up.wait(SOON_S)
    assert gateway.door.live.replicas["own"].in_flight == 0


def test_the_second_request_of_a_connection_is_stopped_by_a_hang_up_too(gateway, upstream):
    connection = gateway.post(CHAT)
    while b"Hello!" not in connection.recv(65_536):
        pass
    upstream.script = hangs
    body = json.dumps(CHAT).encode()
    connection.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    )
    _until(lambda: len(upstream.heard) == 2)
    connection.close()
    assert upstream.hung_up.wait(SOON_S)
    assert [record.outcome for record in gateway.records(2)] == ["complete", "cut_by_client"]


def test_a_caller_that_hangs_up_while_it_waits_in_line_leaves_the_line(serve, upstream):
    own = {"url": upstream.url, "concurrency": 1}
    gateway = serve(upstreams={"own": own}, models={"chat": ["own"]})
    upstream.script = hangs
    first = gateway.post(CHAT)
    _until(lambda: upstream.heard)
    second = gateway.post(CHAT)
    _until(lambda: gateway.door.live.waiting.get("chat"))
    second.close()
    record = gateway.record()
    assert (record.outcome, record.attempts, record.cost_basis) == ("cut_by_client", 0, "nothing sent")
    assert not gateway.door.live.waiting["chat"]
    first.close()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "could not be read as JSON"),
        (b"{", "could not be read as JSON"),
        (b"\xff\xfe", "could not be read as JSON"),
        (b'{"x":' * 100_000, "could not be read as JSON"),
        (b"[]", "does not fit"),
        (b"{}", "`model`"),
        (b'{"model": 7}', "`$.model`"),
        (b'{"model": "chat", "max_tokens": "many"}', "`$.max_tokens`"),
    ],
)
def test_a_malformed_body_is_a_400_that_says_what_is_wrong(gateway, upstream, body, says):
    answer = gateway.ask(body)
    assert answer.status == 400
    assert says in answer.json["error"]["message"]
    assert answer.json["error"]["type"] == "invalid_request_error"
    assert not upstream.heard
    record = gateway.record()
    assert (record.outcome, record.cost_pico_usd, record.cost_basis) == ("refused", 0, "nothing sent")


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
def test_a_body_of_100_megabytes_is_a_413_that_the_caller_gets_to_read(gateway, announced):
    size = 100_000_000
    how = f"content-length: {size}" if announced else "transfer-encoding: chunked"
    connection = gateway.raw(f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{how}\r\n\r\n".encode())
    piece = b"x" * 1_000_000
    for _ in range(size // len(piece)):
        connection.sendall(piece if announced else b"%x\r\n%s\r\n" % (len(piece), piece))
    if not announced:
        connection.sendall(b"0\r\n\r\n")
    answer = read_answer(connection)
    assert answer.status == 413
    assert "32,000,000 bytes" in answer.json["error"]["message"]
    assert gateway.record().outcome == "refused"


def test_headers_that_are_too_long_are_a_431(gateway):
    answer = gateway.ask(CHAT, "x-long: " + "y" * 70_000)
    assert (answer.status, answer.json["error"]["code"]) == (431, "header_too_long")


def test_headers_that_never_end_are_not_kept_in_memory(gateway):
    connection = gateway.raw(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n")
    with pytest.raises(ConnectionError):
        for _ in range(1000):
            connection.sendall(b"x-long: " + b"y" * 10_000 + b"\r\n")
    assert not gateway.books.records


def test_a_caller_that_takes_too_long_for_its_headers_is_let_go(serve, upstream):
    gateway = serve(upstreams={"own": {"url": upstream.url}}, models={"chat": ["own"]}, limits={"header_s": 0.2})
    connection = gateway.raw(b"POST /v1/chat/completions HTTP/1.1\r\nhost:")
    assert connection.recv(100) == b""


def test_a_caller_that_takes_too_long_for_its_body_gets_a_408(serve, upstream):
    gateway = serve(upstreams={"own": {"url": upstream.url}}, models={"chat": ["own"]}, limits={"body_s": 0.2})
    connection = gateway.raw(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
    assert read_answer(connection).status == 408


def test_a_request_that_takes_longer_than_any_may_is_a_504(serve, upstream):
    gateway = serve(upstreams={"own": {"url": upstream.url}}, models={"chat": ["own"]}, limits={"request_s": 0.3})
    upstream.script = hangs
    answer = gateway.ask(CHAT)
    assert (answer.status, answer.json["error"]["code"]) == (504, "timeout")
    assert upstream.hung_up.wait(SOON_S)
    assert gateway.record().outcome == "failed"


def test_more_requests_at_a_time_than_may_be_are_a_503(serve, upstream):
    gateway = serve(upstreams={"own": {"url": upstream.url}}, models={"chat": ["own"]}, limits={"streams": 2})
    upstream.script = hangs
    held = [gateway.post(STREAM) for _ in range(2)]
    _until(lambda: len(upstream.heard) == 2)
    answer = gateway.ask(CHAT)
    assert (answer.status, answer.header("retry-after")) == (503, "1")
    for connection in held:
        connection.close()


def test_headers_that_are_given_twice_are_sent_on_once(gateway, upstream):
    answer = gateway.ask(CHAT, "user-agent: one", "user-agent: two", "x-other: a", "x-other: b")
    assert answer.status == 200
    assert [value for name, value in upstream.heard[0].headers if name == "user-agent"] == ["one"]
    assert upstream.heard[0].header("x-other") is None


def test_headers_that_the_file_names_are_sent_on_too(serve, upstream):
    own = {"url": upstream.url}
    gateway = serve(upstreams={"own": own}, models={"chat": ["own"]}, pass_headers=["X-Tenant"])
    assert gateway.ask(CHAT, "x-tenant: blue").status == 200
    assert upstream.heard[0].header("x-tenant") == "blue"


def test_two_keys_are_no_key(serve, upstream):
    gateway = serve(upstreams={"own": {"url": upstream.url}}, models={"chat": ["own"]})
    seen = []
    admit = gateway.books.admit

    async def noted(secret, **rest):
        seen.append(secret)
        return await admit(secret, **rest)

    gateway.books.admit = noted
    gateway.ask(CHAT, "authorization: Bearer one", "authorization: Bearer two")
    gateway.ask(CHAT, "authorization: Bearer one")
    gateway.ask(CHAT, "authorization: Basic b25l")
    assert seen == [None, "one", None]


def test_two_lengths_are_refused_by_the_server(gateway, upstream):
    raw = json.dumps(CHAT).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(raw)}\r\ncontent-length: 3\r\n\r\n"
    assert read_answer(gateway.raw(head.encode() + raw)).status == 400
    assert not upstream.heard


def test_headers_of_a_connection_stop_at_the_gateway(gateway, upstream):
    async def with_hops(heard):
        await heard.answer(
            headers=("keep-alive: timeout=9", "set-cookie: a=b", "x-twice: 1", "x-twice: 2", "x-request-id: theirs")
        )

    upstream.script = with_hops
    answer = gateway.ask(CHAT, "te: trailers", "cookie: secret=1", "traceparent: 00-1-2-3")
    names = [name for name, _ in answer.headers]
    assert "keep-alive" not in names
    assert "set-cookie" not in names
    assert [value for name, value in answer.headers if name == "x-twice"] == ["1", "2"]
    assert answer.header("x-upstream-request-id") == "theirs"
    assert answer.header("x-request-id") == gateway.record().id
    sent = upstream.heard[0]
    assert (sent.header("te"), sent.header("cookie"), sent.header("traceparent")) == (None, None, "00-1-2-3")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
        ("GET", "/v1/nowhere", 404, "unknown_url"),
        ("GET", "/", 404, "unknown_url"),
    ],
)
def test_what_is_not_answered_is_refused_in_openais_shape(gateway, method, path, status, code):
    connection = gateway.raw(f"{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    answer = read_answer(connection)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert answer.header("x-request-id").startswith("req_")


def test_the_health_of_the_gateway_is_told_to_everybody(gateway):
    answer = read_answer(gateway.raw(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
    assert (answer.status, answer.json) == (200, {"status": "ok", "in_flight": 0})


def test_the_body_goes_on_byte_for_byte_but_for_the_model(gateway, upstream):
    raw = b'{ "messages" : [ {"role":"user","content":"\\u00e9 \\"model\\": 1.0e2"} ],\n "model" : "chat", "seed":1e3 }'
    assert gateway.ask(raw).status == 200
    assert upstream.heard[0].body == raw.replace(b'"chat"', b'"there"')


def _until(happened):
    until = time.monotonic() + 5
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.002)
