"""The journey of one request: let in, routed, asked, passed back, settled. Whatever happens, it leaves one record."""

import asyncio
import time

from breakeven.gateway import refusal
from breakeven.gateway.asked import Asked, prefix_of, read_asked
from breakeven.gateway.attempt import Answer, Attempt, Failure
from breakeven.gateway.caller import Caller, Receive, Scope, Send
from breakeven.gateway.door import Door
from breakeven.gateway.ledger import Admission, Refused
from breakeven.gateway.route import Stop, Wait, Want, choose
from breakeven.gateway.rules import Route
from breakeven.gateway.sse import Events
from breakeven.gateway.tally import Tally
from breakeven.gateway.upstream import UpstreamError
from breakeven.gateway.usage import Tokens, counted, counted_answer

EMBEDDINGS = "/v1/embeddings"
HUNG_UP = 499
"""The status in the record of a request whose caller had gone: nginx's."""


class Exchange:
    """One request and its answer."""

    __slots__ = ("_admission", "_asked", "_attempt", "_caller", "_door", "_events", "_tally", "_traced")

    def __init__(self, door: Door, caller: Caller, path: str) -> None:
        self._door = door
        self._caller = caller
        self._tally = Tally(path)
        self._admission: Admission | None = None
        self._attempt: Attempt | None = None
        self._asked: Asked | None = None
        self._events: Events | None = None
        self._traced = None if door.tracing is None else door.tracing.begin(caller.headers)

    async def run(self) -> None:
        """Serve it to its end."""
        caller, tally, live = self._caller, self._tally, self._door.live
        live.in_flight += 1
        try:
            await self._serve()
        except Refused as refused:
            self._admission = self._admission or refused.whose
            await self._refuse(refused)
        except ConnectionError:
            tally.status, tally.outcome = HUNG_UP, "cut_by_client"
        except asyncio.CancelledError:
            await self._cancelled()
        except Exception as wrong:  # the caller gets an answer, and the books a record
            self._door.log.broke(tally.id, wrong)
            await self._refuse(refusal.internal())
        finally:
            live.in_flight -= 1
            caller.stop_watching()
            self._settle()

    async def _serve(self) -> None:
        door, caller, tally = self._door, self._caller, self._tally
        limits = door.rules.limits
        if caller.header_bytes > limits.header_bytes:
            raise refusal.too_long("header", limits.header_bytes, 431)
        if door.live.in_flight > limits.streams:
            raise refusal.busy(f"More than {limits.streams} requests are in flight.", 1.0)
        body = await caller.body(limits)
        self._asked = asked = read_asked(body)
        tally.model, tally.streamed = asked.model, bool(asked.stream)
        route = door.rules.routes.get(asked.model)
        caller.watch(limits.request_s)
        self._admission = await door.ledger.admit(
            caller.secret, model=asked.model, most_pico_usd=self._most(route, asked, len(body))
        )
        if route is None:
            raise refusal.unknown_model(asked.model, tuple(door.rules.routes))
        answer = await self._answer(route, asked, body)
        tally.first_byte()
        if answer.stream is None:
            await self._pass_whole(answer)
        else:
            await self._pass_stream(answer)

    def _most(self, route: Route | None, asked: Asked, body_bytes: int) -> int | None:
        """The most it can cost: a token is a byte or more, and the answer is as long as it may be."""
        if route is None:
            return 0
        most_output = 0 if self._tally.path == EMBEDDINGS else asked.most_output_tokens
        return self._door.most_pico_usd(route, body_bytes, most_output, self._tally.at_us)

    async def _answer(self, route: Route, asked: Asked, body: bytes) -> Answer:
        """Ask one upstream after the other until one answers.

        Raises:
            Refused: if nobody does.
        """
        door, tally = self._door, self._tally
        live, routing = door.live, door.rules.routing
        live.asked()
        prefix = prefix_of(asked) if any(len(target.replicas) > 1 for target in route.targets) else None
        headers = self._caller.headers
        if self._traced is not None:
            headers = self._traced.onward(headers, tally.path, tally.model, tally.at_us)
        tried: list[str] = []
        failure: Failure | None = None
        waited = False
        while True:
            want = Want(route=route, prefix=prefix, tried=tried, attempts=tally.attempts, first_in_line=waited)
            choice = choose(want, live, routing, time.monotonic())
            if isinstance(choice, Wait):
                await self._wait(route.model, first=waited)
                waited = True
                continue
            if waited:
                live.wake((route.model,))
                waited = False
            if isinstance(choice, Stop):
                return _last_word(failure, choice)
            if failure is not None:
                live.retried()
            self._attempt = Attempt(door=door, sent=choice, tally=tally)
            got = await self._attempt.ask(asked, body, headers)
            if isinstance(got, Answer):
                return got
            if got.final or (failure is not None and not failure.final):
                tried.append(choice.replica.name)
            failure = got

    async def _wait(self, model: str, *, first: bool) -> None:
        """Wait in line for a place."""
        live, limit_s = self._door.live, self._door.rules.routing.queue_s
        line = live.queue(model)
        waiter = asyncio.get_running_loop().create_future()
        (line.appendleft if first else line.append)(waiter)
        try:
            async with asyncio.timeout(limit_s):
                await waiter
        except BaseException as wrong:
            line.remove(waiter)
            live.wake((model,))
            if isinstance(wrong, TimeoutError):
                raise refusal.busy(f"No place became free within {limit_s:g} s.", limit_s) from None
            raise
        line.remove(waiter)

    async def _pass_whole(self, answer: Answer) -> None:
        tally = self._tally
        tally.status = answer.status
        tally.outcome = "complete" if answer.status < 400 else "failed"
        self._leave()
        if answer.status < 400:
            tally.tokens = answer.tokens or Tokens()
            if tally.tokens.basis == "unknown":
                tally.tokens = self._count(answer.body)
            self._charge()
        await self._caller.whole(answer.status, self._headers(answer), answer.body)

    async def _pass_stream(self, answer: Answer) -> None:
        """Pass the frames on as they come; the one with the usage stays here unless the caller asked for it."""
        tally, caller = self._tally, self._caller
        tally.status = answer.status
        self._events = events = Events(strips_usage=answer.strips_usage)
        assert answer.stream is not None
        try:
            await caller.start(answer.status, self._headers(answer))
            async for chunk in answer.stream.chunks():
                if passed := events.feed(chunk):
                    await caller.piece(passed)
            rest = events.last()
            cut = not events.finished
        except UpstreamError as wrong:
            rest, cut = events.last(), True
            self._door.log.upstream_failed(tally.id, tally.upstream or "", wrong.failure, wrong.because, opened=False)
        finally:
            await answer.stream.close()
            self._leave()
        tally.outcome = "cut_by_upstream" if cut else "complete"
        if cut:
            self._door.live.failed(self._replica(), time.monotonic())
            broken = refusal.body_of(refusal.bad_upstream("The upstream broke the answer off."))
            await caller.piece(rest + b"data: " + broken + b"\n\n")
            return  # without a last piece the server closes the connection, which says the same to other clients
        self._door.live.worked(self._replica())
        await caller.end(rest)

    def _headers(self, answer: Answer) -> list[tuple[bytes, bytes]]:
        """The upstream's headers with the gateway's own id; the upstream's goes by another name."""
        headers = [
            (b"x-upstream-request-id" if name == "x-request-id" else name.encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.headers
        ]
        headers.append((b"x-request-id", self._tally.id.encode()))
        return headers

    async def _refuse(self, refused: Refused) -> None:
        tally = self._tally
        if tally.outcome == "failed":
            tally.status = refused.status
            tally.outcome = "refused" if tally.attempts == 0 and refused.status < 500 else "failed"
        self._caller.stop_watching()  # a refusal on its way is short, and not to be stopped in the middle
        if not self._caller.started:
            headers = [*refusal.headers_of(refused), (b"x-request-id", tally.id.encode())]
            await self._caller.whole(refused.status, headers, refusal.body_of(refused))

    async def _cancelled(self) -> None:
        """The caller hung up, the time is over, or the server stops."""
        tally, caller = self._tally, self._caller
        task = asyncio.current_task()
        if caller.gone:
            if self._events is not None and self._events.done:  # clients close when they have read [DONE]
                tally.outcome = "complete"
                self._door.live.worked(self._replica())
            else:
                tally.status, tally.outcome = HUNG_UP, "cut_by_client"
            _uncancel(task)
        elif caller.late:
            _uncancel(task)
            await self._refuse(refusal.out_of_time(self._door.rules.limits.request_s))
        else:
            tally.outcome = "failed"
            raise asyncio.CancelledError

    def _replica(self) -> str:
        """Who was asked last."""
        assert self._attempt is not None
        return self._attempt.sent.replica.name

    def _leave(self) -> None:
        if self._attempt is not None:
            self._attempt.leave()

    def _count(self, body: bytes) -> Tokens:
        """Tokens that the upstream did not tell, counted; of a stream, those of what it said so far."""
        import msgspec  # noqa: PLC0415 - the rare path

        asked, tally = self._asked, self._tally
        if asked is None:
            return Tokens()
        said = {name: bytes(raw) for name in ("messages", "prompt", "input") if (raw := getattr(asked, name))}
        if self._events is not None:
            return counted(said, self._events.text, tally.upstream_model or asked.model)
        try:
            answer = counted_answer(msgspec.json.decode(body))
        except msgspec.DecodeError:
            return Tokens()
        return counted(said, answer, tally.upstream_model or asked.model)

    def _charge(self) -> None:
        """Charge an API's price for the tokens."""
        attempt, tally = self._attempt, self._tally
        if attempt is not None and attempt.sent.target.provider is not None:
            tally.charge(self._door.prices.cost_pico_usd(attempt.sent.target, tally.tokens, tally.at_us))

    def _settle(self) -> None:
        """Leave the record. Nothing here waits or raises."""
        tally, door = self._tally, self._door
        try:
            self._settle_stream()
        except Exception as wrong:  # a fault in counting must not cost the record
            door.log.broke(tally.id, wrong)
            tally.charge(None)
        self._leave()
        whose = self._admission or Admission()
        record = tally.record(whose.key, whose.team)
        door.ledger.settle(self._admission, record)
        door.log.settled(record)
        if self._traced is not None:
            self._traced.end(record)

    def _settle_stream(self) -> None:
        if self._events is not None:
            self._tally.tokens = self._events.tokens
            if self._tally.tokens.basis == "unknown":
                self._tally.tokens = self._count(b"")
            self._charge()
        elif self._tally.outcome == "cut_by_client" and self._attempt is not None and self._tally.asked_api:
            self._tally.charge(None)  # asked, and gone before the answer said what it took


def _uncancel(task: "asyncio.Task[None] | None") -> None:
    if task is not None:
        task.uncancel()


def _last_word(failure: Failure | None, stop: Stop) -> Answer:
    """What the caller hears when nobody is asked any more: an upstream's own words where it had some.

    Raises:
        Refused: in the gateway's words, where there are none or they are about the gateway's key.
    """
    if failure is None:
        raise refusal.busy(f"{stop.because[:1].upper()}{stop.because[1:]}.", stop.retry_after_s)
    answer = failure.answer
    if answer is not None and answer.status not in (401, 403):
        return answer
    raise refusal.bad_upstream(
        f"No upstream answered ({failure.because}; {stop.because}).", status=504 if failure.timed_out else 502
    )


async def exchange(door: Door, scope: Scope, receive: Receive, send: Send, extra: frozenset[bytes]) -> None:
    """Serve one request."""
    await Exchange(door, Caller(scope, receive, send, extra), scope["path"]).run()
