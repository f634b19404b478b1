"""Every request leaves exactly one usage record, whatever the caller and the upstreams do."""

import asyncio
import gc
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.gateway.app import Gateway
from breakeven.gateway.config import GatewayFile, Limits, Routing, Timeouts, UpstreamEntry
from breakeven.gateway.door import Door
from breakeven.gateway.ledger import Admission, Refused
from breakeven.gateway.open_books import OpenBooks
from breakeven.gateway.pricing import prices_of
from breakeven.gateway.rules import rules_of
from breakeven.gateway.upstream import UpstreamError

BODIES = [
    b'{"model":"chat","messages":[]}',
    b'{"model":"chat","messages":[],"stream":true}',
    b'{"model":"chat","input":"x"}',
    b'{"model":"other"}',
    b"rubbish",
]
WHOLE = b'{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}'
FRAME = b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
FAILURES = ["refused", "timeout", "cut", "garbled"]
STEPS = st.sampled_from(["whole", "stream", "odd", "empty", "bug", *FAILURES, 401, 429, 500, 503])
SCOPE = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": []}
ENDS = st.sampled_from(["ends", "cut", "timeout", "bug", "hangs"])


class Reply:
    """What a scripted upstream answers, in memory."""

    def __init__(self, step, end):
        self.status = step if isinstance(step, int) else 200
        streamed = step == "stream"
        self.headers = (("content-type", "text/event-stream" if streamed else "application/json"),)
        self._pieces = {"stream": [FRAME, FRAME], "odd": [b"<html>"], "empty": []}.get(step, [WHOLE[:9], WHOLE[9:]])
        self._end = end

    async def chunks(self):
        for piece in self._pieces:
            await asyncio.sleep(0)
            yield piece
        if self._end in ("cut", "timeout"):
            raise UpstreamError(self._end, "scripted")
        if self._end == "bug":
            raise RuntimeError("scripted")
        if self._end == "hangs":
            await asyncio.sleep(60)

    async def close(self):
        pass


class Upstream:
    """Follows a script, one step for each request."""

    def __init__(self, name, script):
        self.name = name
        self._script = iter(script)

    async def send(self, _call):
        await asyncio.sleep(0)
        step, end = next(self._script, ("whole", "ends"))
        if step in FAILURES:
            raise UpstreamError(step, "scripted")
        if step == "bug":
            raise RuntimeError("scripted")
        return Reply(step, end)

    async def close(self):
        pass


class Books(OpenBooks):
    """Counts what is held, and refuses some."""

    def __init__(self, refuses):
        super().__init__()
        self.held = 0
        self._refuses = iter(refuses)

    async def admit(self, _secret, **_rest):
        await asyncio.sleep(0)
        if next(self._refuses, False):
            raise Refused(429, "insufficient_quota", "spent")
        self.held += 1
        return Admission(key="k", team="t", held_pico_usd=1)

    def settle(self, admission, record):
        self.held -= admission is not None
        super().settle(admission, record)


def caller(body, gone):
    """What a caller sends: a body, and that it hangs up once it is ``gone``."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        if messages:
            return messages.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    return receive


async def one_request(gateway, body, leaves_after):
    """A request of a caller who hangs up after so many turns of the loop (``None``: never)."""
    sent, gone = [], asyncio.Event()

    async def send(message):
        await asyncio.sleep(0)
        sent.append(message)

    async def leave():
        for _ in range(leaves_after):
            await asyncio.sleep(0)
        gone.set()

    leaver = asyncio.create_task(leave()) if leaves_after is not None else None
    await gateway(SCOPE, caller(body, gone), send)
    if leaver is not None:
        await leaver
    return sent


ROUTING = Routing(queue=2, queue_s=0.02, failures_to_open=3, open_s=0.01)
TIMES = Timeouts(first_token_s=0.05, answer_s=0.05, between_bytes_s=0.05)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(STEPS, ENDS), max_size=12),
    st.lists(st.tuples(STEPS, ENDS), max_size=12),
    st.lists(st.tuples(st.sampled_from(BODIES), st.none() | st.integers(0, 25)), min_size=1, max_size=8),
    st.lists(st.booleans(), max_size=4),
    st.booleans(),
)
def test_whatever_happens_each_request_leaves_one_record_and_holds_nothing(shipped, first, second, asked, no, overflow):
    entries = {
        "own": UpstreamEntry(url="http://own", concurrency=2, usd_per_hour=3),
        "api": UpstreamEntry(provider="openai", model="gpt-4o-mini"),
    }
    models = {"chat": ("own", "api") if overflow else ("own",)}
    file = GatewayFile(upstreams=entries, models=models, routing=ROUTING, timeouts=TIMES, limits=Limits(request_s=0.05))
    books = Books(no)
    upstreams = {"own": Upstream("own", first), "api": Upstream("api", second)}
    door = Door(rules=rules_of(file), upstreams=upstreams, ledger=books, prices=prices_of(shipped))

    async def all_at_once():
        gateway = Gateway(door)
        return await asyncio.gather(*(one_request(gateway, body, leaves) for body, leaves in asked))

    answers = asyncio.run(all_at_once())
    records = list(books.records)
    assert len({record.id for record in records}) == len(records) == len(asked)
    assert books.held == 0
    assert door.live.in_flight == 0
    assert all(state.in_flight == 0 and not state.probing for state in door.live.replicas.values())
    assert not any(door.live.waiting.values())
    now_ns = time.monotonic_ns()
    for hire in door.hires.values():
        assert hire.present == 0
        assert hire.shared_pico_usd + hire.idle_pico_usd(now_ns) == hire.total_pico_usd(now_ns)
    statuses = sorted(str(sent[0]["status"]) for sent in answers if sent)
    recorded = sorted(str(record.status) for record in records if record.outcome != "cut_by_client")
    assert len(statuses) >= len(recorded)
    for record in records:
        assert record.duration_s >= (record.ttft_s or 0.0)
        assert (record.cost_basis == "nothing sent") == (record.attempts == 0)
        assert (record.cost_pico_usd is None) == (record.cost_basis == "unknown")


@pytest.mark.parametrize("body", [b'{"model":"other"}', b'{"model":"chat","messages":[]}'], ids=["refused", "too late"])
def test_a_refusal_that_is_on_its_way_is_not_stopped_by_the_end_of_the_requests_time(shipped, body):
    entries = {"own": UpstreamEntry(url="http://own", usd_per_hour=3)}
    file = GatewayFile(upstreams=entries, models={"chat": ("own",)}, limits=Limits(request_s=0.01))
    books = Books([])
    upstreams = {"own": Upstream("own", [("whole", "hangs")])}
    door = Door(rules=rules_of(file), upstreams=upstreams, ledger=books, prices=prices_of(shipped))
    sent, gone = [], asyncio.Event()

    async def send(message):
        gone.set()  # and the caller does not wait for it either
        await asyncio.sleep(0.05)
        sent.append(message["type"])

    asyncio.run(Gateway(door)(SCOPE, caller(body, gone), send))
    assert sent == ["http.response.start", "http.response.body"]
    assert len(books.records) == 1
    assert books.held == 0


def test_requests_leave_nothing_for_the_collector(shipped):
    """Or it would look through all that lives, over and over, in the path of requests."""
    file = GatewayFile(upstreams={"own": UpstreamEntry(url="http://own")}, models={"chat": ("own",)})
    door = Door(
        rules=rules_of(file),
        upstreams={"own": Upstream("own", [])},
        ledger=OpenBooks(),
        prices=prices_of(shipped),
    )

    async def asked(count):
        gateway = Gateway(door)
        for _ in range(count):
            await asyncio.create_task(gateway(SCOPE, receiver(), send))

    async def send(message):
        del message

    def receiver():
        messages = [{"type": "http.request", "body": BODIES[0], "more_body": False}]

        async def receive():
            return messages.pop() if messages else await asyncio.sleep(60, {"type": "http.disconnect"})

        return receive

    async def counted():
        await asked(5)
        gc.collect()
        await asked(50)
        return gc.collect()

    gc.disable()
    try:
        assert asyncio.run(counted()) < 50
    finally:
        gc.enable()


@pytest.mark.parametrize("shares", [1, 3])
def test_the_shares_in_the_records_and_idle_time_add_up_to_the_machines_price(serve, upstream, shares):
    from tests.gateway.scripted import CHAT

    own = {"url": upstream.url, "concurrency": 2, "usd_per_hour": 36}
    gateway = serve(upstreams={"own": own}, models={"chat": ["own"]})
    for _ in range(shares):
        gateway.ask(CHAT)
    records = gateway.records(shares)
    hire = gateway.door.hires["own"]
    now_ns = time.monotonic_ns()
    charged = sum(record.cost_pico_usd for record in records)
    assert charged + hire.idle_pico_usd(now_ns) == hire.total_pico_usd(now_ns)
    assert all(record.cost_basis == "own machine" for record in records)
    assert all(0 < record.cost_pico_usd <= record.duration_s * 10**10 / 2 for record in records)
