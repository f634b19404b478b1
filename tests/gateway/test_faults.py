"""Upstreams that fail in every way, over real sockets: what the caller gets, what is recorded, who is asked next."""

import asyncio
import json
import socket
import time
from datetime import date

import pytest
from tests.gateway.scripted import ANSWER, CHAT, SOON_S, USAGE_FRAME, delta, honest

STREAM = {**CHAT, "stream": True}
FAST = {"first_token_s": 0.3, "answer_s": 0.3, "between_bytes_s": 0.3, "connect_s": 1.0}


@pytest.fixture
def two(serve, upstream, another):
    """An own machine that is asked first, and another behind it."""

    def start(**config):
        upstreams = {
            "first": {"url": upstream.url, "model": "there", "concurrency": 4, "usd_per_hour": 3.6},
            "second": {"url": another.url, "model": "elsewhere"},
        }
        return serve(upstreams=upstreams, models={"chat": ["first", "second"]}, **{"timeouts": FAST, **config})

    return start


@pytest.fixture
def alone(serve, upstream):
    """One upstream with short timeouts."""

    def start(**config):
        own = {"url": upstream.url, "model": "there", "concurrency": 4, "usd_per_hour": 3.6}
        return serve(upstreams={"own": own}, models={"chat": ["own"]}, **{"timeouts": FAST, **config})

    return start


async def hangs(heard):
    await heard.wait_for_hang_up()


async def closes(heard):
    heard.writer.close()


async def garbage(heard):
    await heard.send(b"\x00\x01 this is no HTTP\r\n\r\n")
    heard.writer.close()


async def no_json(heard):
    await heard.answer(b"<html>welcome</html>")


async def breaks_off(heard):
    await heard.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{")
    heard.writer.close()


async def server_error(heard):
    await heard.answer({"error": {"message": "boom", "type": "x", "code": None}}, status=500)


async def wrong_key(heard):
    await heard.answer({"error": {"message": "your key sk-up is wrong"}}, status=401)


async def busy(heard):
    await heard.answer({"error": {"message": "slow down"}}, status=429, headers=("retry-after: 30",))


FAULTS = [hangs, closes, garbage, no_json, breaks_off, server_error, wrong_key, busy]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_another_upstream_answers_when_the_first_one_fails(two, upstream, another, fault):
    gateway = two(timeouts=FAST if fault is hangs else {})  # a busy machine may be slow without being at fault
    upstream.script = fault
    answer = gateway.ask(CHAT)
    assert answer.status == 200
    assert answer.json == ANSWER
    assert another.heard[0].json["model"] == "elsewhere"
    record = gateway.record()
    assert (record.upstream, record.outcome) == ("second", "complete")
    assert record.attempts == (3 if fault in (closes, breaks_off) else 2)


@pytest.mark.parametrize("fault", [hangs, closes, garbage, server_error, busy], ids=lambda fault: fault.__name__)
def test_another_upstream_streams_when_the_first_one_fails_before_its_first_token(two, upstream, fault):
    gateway = two(timeouts=FAST if fault is hangs else {})
    upstream.script = fault
    answer = gateway.ask(STREAM)
    assert answer.body.count(b"data: ") == 3
    assert gateway.record().upstream == "second"


@pytest.mark.parametrize(
    ("fault", "cost"), [(hangs, None), (garbage, None), (server_error, "own"), (busy, "own")],
    ids=lambda value: getattr(value, "__name__", None),
)  # fmt: skip
def test_what_an_api_may_charge_for_an_answer_that_never_came_is_unknown(serve, upstream, another, fault, cost):
    upstream.script = fault
    upstreams = {
        "api": {"url": upstream.url, "provider": "openai", "model": "gpt-4o-mini"},
        "own": {"url": another.url, "usd_per_hour": 3.6},
    }
    gateway = serve(upstreams=upstreams, models={"chat": ["api", "own"]}, timeouts=FAST)
    assert gateway.ask(CHAT).status == 200
    record = gateway.record()
    assert (record.cost_pico_usd is None) == (cost is None)
    assert record.cost_basis == ("unknown" if cost is None else "list price")


def test_an_api_is_charged_by_its_list_price(serve, upstream, shipped):
    api = {"url": upstream.url, "provider": "openai", "model": "gpt-4o-mini"}
    gateway = serve(upstreams={"api": api}, models={"chat": ["api"]})
    assert gateway.ask(CHAT).status == 200
    record = gateway.record()
    assert (record.provider, record.upstream_model, record.cost_basis) == ("openai", "gpt-4o-mini", "list price")
    day = time.strftime("%Y-%m-%d", time.gmtime(record.at_us / 10**6))
    tariffs = shipped.on(date.fromisoformat(day), "us-east-1").tariffs
    tariff = next(one for one in tariffs if (one.offer.model, one.tier) == ("gpt-4o-mini", "standard"))
    usd = {kind: row.usd_per_mtok for (kind, _, _), row in tariff.prices.items()}
    assert record.cost_pico_usd == (12 * usd["input"] + 8 * usd["cached_input"] + 5 * usd["output"]) * 10**6


def test_an_upstream_that_nobody_listens_at_is_passed_over(serve, upstream):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        upstreams = {"first": {"url": nobody}, "second": {"url": upstream.url}}
        gateway = serve(upstreams=upstreams, models={"chat": ["first", "second"]})
        assert gateway.ask(CHAT).status == 200
    assert gateway.record().attempts == 2


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (hangs, 504, "upstream_error"),
        (closes, 502, "upstream_error"),
        (garbage, 502, "upstream_error"),
        (no_json, 502, "upstream_error"),
        (wrong_key, 502, "upstream_error"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_where_nobody_answers_the_caller_gets_an_error_in_openais_shape(alone, upstream, fault, status, code):
    gateway = alone()
    upstream.script = fault
    answer = gateway.ask(CHAT)
    assert answer.status == status
    assert answer.json["error"]["code"] == code
    assert "sk-up" not in answer.body.decode()
    record = gateway.record()
    assert (record.status, record.outcome) == (status, "failed")
    assert answer.header("x-request-id") == record.id


@pytest.mark.parametrize("status", [400, 404, 422, 500, 503])
def test_an_upstreams_own_error_is_passed_on_unchanged_when_nobody_else_can_be_asked(alone, upstream, status):
    gateway = alone()

    async def refuses(heard):
        await heard.answer(b'{"error": {"message":  "no",  "odd spacing": 1}}', status=status)

    upstream.script = refuses
    answer = gateway.ask(CHAT)
    assert answer.status == status
    assert answer.body == b'{"error": {"message":  "no",  "odd spacing": 1}}'
    record = gateway.record()
    assert (record.status, record.outcome, record.output_tokens) == (status, "failed", None)


def test_an_upstream_that_says_retry_after_is_left_alone_for_so_long(two, upstream, another):
    gateway = two()
    upstream.script = busy
    for _ in range(3):
        assert gateway.ask(CHAT).status == 200
    assert (len(upstream.heard), len(another.heard)) == (1, 3)
    rests_s = gateway.door.live.replicas["first"].not_before_s - time.monotonic()
    assert 20 < rests_s <= 30


def test_a_caller_hears_of_retry_after_when_nobody_else_can_be_asked(alone, upstream):
    gateway = alone()
    upstream.script = busy
    first = gateway.ask(CHAT)
    assert (first.status, first.header("retry-after")) == (429, "30")
    second = gateway.ask(CHAT)
    assert second.status == 503
    assert 25 <= int(second.header("retry-after")) <= 30
    assert len(upstream.heard) == 1
    assert gateway.records(2)[1].cost_basis == "nothing sent"


def test_a_stream_that_dies_ends_in_an_error_and_a_connection_that_closes(alone, upstream):
    gateway = alone()

    async def dies(heard):
        await heard.begin_stream()
        await heard.frame(delta("Half an "))
        await heard.frame(delta("answer"))
        heard.writer.close()

    upstream.script = dies
    with gateway.post(STREAM) as connection:
        data = b""
        while piece := connection.recv(65_536):
            data += piece
    assert data.index(b"Half an ") < data.index(b"answer") < data.index(b'"upstream_error"')
    assert not data.endswith(b"0\r\n\r\n")
    record = gateway.record()
    assert (record.outcome, record.status, record.tokens_basis) == ("cut_by_upstream", 200, "counted")
    assert (record.input_tokens, record.output_tokens) == (2, 3)
    assert record.cost_basis == "own machine"


def test_a_stream_that_ends_without_a_reason_counts_as_cut(alone, upstream):
    gateway = alone()

    async def ends(heard):
        await heard.begin_stream()
        await heard.frame(delta("Half"))
        await heard.end_stream()

    upstream.script = ends
    gateway.ask(STREAM)
    assert gateway.record().outcome == "cut_by_upstream"


def test_a_stream_that_stops_talking_is_cut_when_its_time_is_over(alone, upstream):
    gateway = alone()

    async def falls_silent(heard):
        await heard.begin_stream()
        await heard.frame(delta("Half"))
        await heard.wait_for_hang_up()

    upstream.script = falls_silent
    began = time.monotonic()
    assert b"Half" in gateway.ask(STREAM).body
    assert time.monotonic() - began < 5
    assert upstream.hung_up.wait(SOON_S)
    assert gateway.record().outcome == "cut_by_upstream"


def test_a_stream_that_drips_a_byte_at_a_time_arrives_whole(serve, upstream):
    own = {"url": upstream.url, "model": "there"}
    gateway = serve(upstreams={"own": own}, models={"chat": ["own"]}, timeouts={**FAST, "between_bytes_s": 2.0})

    async def drips(heard):
        await heard.begin_stream()
        for content in (delta("ab"), delta("", "stop"), USAGE_FRAME, b"[DONE]"):
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            for byte in b"data: " + data + b"\n\n":
                await heard.chunk(bytes([byte]))
                await asyncio.sleep(0.001)
        await heard.end_stream()

    upstream.script = drips
    answer = gateway.ask(STREAM)
    frames = answer.body.split(b"\n\n")
    assert [json.loads(frame[6:])["choices"][0]["delta"]["content"] for frame in frames[:2]] == ["ab", ""]
    assert frames[2:] == [b"data: [DONE]", b""]
    record = gateway.record()
    assert (record.outcome, record.input_tokens, record.output_tokens) == ("complete", 20, 2)


def test_a_byte_a_second_is_slow_but_no_fault(serve, upstream):
    gateway = serve(upstreams={"own": {"url": upstream.url}}, models={"chat": ["own"]})

    async def drips(heard):
        await heard.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{")
        await asyncio.sleep(1)
        await heard.send(b"}")

    upstream.script = drips
    assert gateway.ask(CHAT).body == b"{}"
    record = gateway.record()
    assert record.outcome == "complete"
    assert 0.9 < record.ttft_s <= record.duration_s


@pytest.mark.parametrize("asks", [False, True], ids=["usage taken out", "usage asked for"])
def test_a_line_of_ten_megabytes_passes_through_whole(alone, upstream, asks):
    gateway = alone()
    line = json.dumps(delta("x" * 10_000_000)).encode()

    async def long_lines(heard):
        await heard.begin_stream()
        await heard.frame(line)
        await heard.frame(delta("end", "stop"))
        await heard.frame(USAGE_FRAME)
        await heard.end_stream()

    upstream.script = long_lines
    answer = gateway.ask({**STREAM, "stream_options": {"include_usage": asks}})
    assert answer.body.startswith(b"data: " + line + b"\n\ndata: ")
    assert answer.body.count(b"data: ") == (3 if asks else 2)
    assert gateway.record().output_tokens == 2


def test_an_answer_of_ten_megabytes_passes_through_whole(alone, upstream):
    gateway = alone()
    body = json.dumps({**ANSWER, "padding": "x" * 10_000_000}).encode()

    async def long_answer(heard):
        await heard.answer(body)

    upstream.script = long_answer
    assert gateway.ask(CHAT).body == body
    assert gateway.record().output_tokens == 5


def test_an_answer_longer_than_the_limit_is_not_kept_in_memory(serve, upstream):
    gateway = serve(upstreams={"own": {"url": upstream.url}}, models={"chat": ["own"]}, limits={"answer_bytes": 10_000})

    async def endless(heard):
        await heard.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900000000\r\n\r\n")
        while True:
            await heard.send(b" " * 65_536)

    upstream.script = endless
    answer = gateway.ask(CHAT)
    assert answer.status == 502
    assert "longer than 10,000 bytes" in answer.json["error"]["message"]


def test_a_closed_connection_is_tried_once_more_at_the_same_upstream(alone, upstream):
    """As after a restart, or where an idle connection ended just as it was used."""
    gateway = alone()

    async def closes_once(heard):
        if len(upstream.heard) == 1:
            heard.writer.close()
        else:
            await honest(heard)

    upstream.script = closes_once
    assert gateway.ask(CHAT).status == 200
    assert gateway.record().attempts == 2


def test_a_breaker_opens_after_failures_in_a_row_and_one_probe_closes_it(alone, upstream):
    gateway = alone(routing={"failures_to_open": 2, "open_s": 0.4})
    upstream.script = server_error
    for _ in range(2):
        assert gateway.ask(CHAT).status == 500
    refused = gateway.ask(CHAT)
    assert (refused.status, refused.json["error"]["code"]) == (503, "overloaded")
    assert len(upstream.heard) == 2
    upstream.script = honest
    time.sleep(0.45)
    assert gateway.ask(CHAT).status == 200
    assert gateway.door.live.replicas["own"].trips == 0


def test_streams_that_die_one_after_the_other_open_the_breaker_too(alone, upstream):
    gateway = alone(routing={"failures_to_open": 2, "open_s": 30})

    async def dies(heard):
        await heard.begin_stream()
        await heard.frame(delta("Half"))
        heard.writer.close()

    upstream.script = dies
    assert [gateway.ask(STREAM).status for _ in range(3)] == [200, 200, 503]


def test_a_probe_whose_caller_hangs_up_leaves_room_for_the_next(alone, upstream):
    gateway = alone(routing={"failures_to_open": 1, "open_s": 0.1}, timeouts={})
    upstream.script = server_error
    assert gateway.ask(CHAT).status == 500
    upstream.script = hangs
    time.sleep(0.15)
    probe = gateway.post(CHAT)
    while len(upstream.heard) < 2:
        time.sleep(0.002)
    probe.close()
    assert upstream.hung_up.wait(5)
    gateway.records(2)
    upstream.script = honest
    assert gateway.ask(CHAT).status == 200


def test_the_retry_budget_ends_a_storm_of_retries(two, upstream, another):
    gateway = two(routing={"retry_least": 3, "retry_share": 0.0, "failures_to_open": 1000})
    upstream.script = server_error
    statuses = [gateway.ask(CHAT).status for _ in range(6)]
    assert statuses == [200, 200, 200, 500, 500, 500]
    assert len(another.heard) == 3


def test_a_clock_that_jumps_moves_no_duration(gateway, upstream, monkeypatch):
    real = time.time_ns
    offset = [0]
    monkeypatch.setattr(time, "time_ns", lambda: real() + offset[0])

    async def slow(heard):
        offset[0] = -3_600 * 10**9
        await asyncio.sleep(0.05)
        await honest(heard)

    upstream.script = slow
    assert gateway.ask(CHAT).status == 200
    record = gateway.record()
    assert 0.05 <= record.ttft_s <= record.duration_s < 5
    assert 0 < record.cost_pico_usd < 5 * 10**9


def test_no_log_line_and_no_error_holds_a_key_or_a_prompt(serve, upstream, monkeypatch, caplog):
    monkeypatch.setenv("UPSTREAM_KEY", "sk-very-secret")
    own = {"url": upstream.url, "key_env": "UPSTREAM_KEY"}
    gateway = serve(upstreams={"own": own}, models={"chat": ["own"]}, timeouts=FAST)
    said = {**CHAT, "messages": [{"role": "user", "content": "my private prompt"}]}
    told = ""
    for fault in FAULTS:
        upstream.script = fault
        told += gateway.ask(said, "authorization: Bearer sk-callers-secret").body.decode()
        gateway.door.live.worked("own")
    assert upstream.heard[0].header("authorization") == "Bearer sk-very-secret"
    told += caplog.text + repr(gateway.door) + str([record.__dict__ for record in caplog.records])
    assert "upstream_failed" in caplog.text
    for secret in ("sk-very-secret", "sk-callers-secret", "my private prompt"):
        assert secret not in told
