"""Where there is no API to overflow to, requests wait in line for a place, a bounded number for a bounded time."""

import threading
import time

import pytest
from tests.gateway.running import read_answer
from tests.gateway.scripted import CHAT, SOON_S, honest


@pytest.fixture
def one_place(serve, upstream):
    """A model with one place, that answers when a test lets it."""

    def start(**routing):
        upstream.go_on = threading.Semaphore(0)

        async def waits(heard):
            import asyncio

            await asyncio.to_thread(upstream.go_on.acquire, timeout=SOON_S)
            await honest(heard)

        upstream.script = waits
        own = {"url": upstream.url, "concurrency": 1}
        return serve(upstreams={"own": own}, models={"chat": ["own"]}, routing=routing)

    return start


def _until(happened):
    until = time.monotonic() + SOON_S
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.002)


def _chat(number):
    return {**CHAT, "user": str(number)}


def test_requests_that_wait_are_served_in_the_order_in_which_they_came(one_place, upstream):
    gateway = one_place()
    connections = []
    for number in range(4):
        connections.append(gateway.post(_chat(number), "connection: close"))
        _until(lambda: gateway.door.live.in_flight == len(connections))
    _until(lambda: len(upstream.heard) == 1)
    for _ in connections:
        upstream.go_on.release()
    assert [read_answer(connection).status for connection in connections] == [200] * 4
    assert [heard.json["user"] for heard in upstream.heard] == ["0", "1", "2", "3"]
    assert all(record.attempts == 1 for record in gateway.records(4))


def test_a_request_that_finds_the_line_full_is_told_when_to_come_back(one_place, upstream):
    gateway = one_place(queue=1, queue_s=7)
    held = [gateway.post(_chat(number), "connection: close") for number in range(2)]
    _until(lambda: gateway.door.live.waiting.get("chat"))
    answer = gateway.ask(_chat(2))
    assert (answer.status, answer.header("retry-after")) == (503, "7")
    for connection in held:
        upstream.go_on.release()
        assert read_answer(connection).status == 200


def test_a_request_waits_no_longer_than_it_may(one_place, upstream):
    gateway = one_place(queue_s=0.2)
    first = gateway.post(_chat(0), "connection: close")
    _until(lambda: upstream.heard)
    answer = gateway.ask(_chat(1))
    assert answer.status == 503
    assert "within 0.2 s" in answer.json["error"]["message"]
    upstream.go_on.release()
    assert read_answer(first).status == 200


def test_what_finds_no_place_goes_to_the_api_where_there_is_one(serve, upstream, another):
    upstream.go_on = threading.Event()

    async def waits(heard):
        import asyncio

        await asyncio.to_thread(upstream.go_on.wait, 5)
        await honest(heard)

    upstream.script = waits
    own = {"url": upstream.url, "concurrency": 2}
    api = {"url": another.url, "provider": "openai", "model": "gpt-4o-mini"}
    gateway = serve(upstreams={"own": own, "api": api}, models={"chat": ["own", "api"]})
    held = [gateway.post(CHAT, "connection: close") for _ in range(2)]
    _until(lambda: len(upstream.heard) == 2)
    assert gateway.ask(CHAT).status == 200
    assert len(another.heard) == 1
    upstream.go_on.set()
    assert [read_answer(connection).status for connection in held] == [200, 200]
    assert sorted(record.upstream for record in gateway.records(3)) == ["api", "own", "own"]


def test_a_conversation_stays_on_the_replica_that_has_its_prefix_cached(serve, upstream, another):
    own = {"urls": [upstream.url, another.url], "concurrency": 4}
    gateway = serve(upstreams={"own": own}, models={"chat": ["own"]})
    turns = [{"role": "user", "content": "Hi"}]
    for turn in range(5):
        assert gateway.ask({"model": "chat", "messages": turns}).status == 200
        turns += [{"role": "assistant", "content": f"Hello {turn}"}, {"role": "user", "content": "And?"}]
    assert sorted([len(upstream.heard), len(another.heard)]) == [0, 5]
    for number in range(20):
        gateway.ask({"model": "chat", "messages": [{"role": "user", "content": f"Other {number}"}]})
    assert min(len(upstream.heard), len(another.heard)) >= 3
