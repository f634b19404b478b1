"""One attempt at one replica: ask, judge what comes back, and give the place back whatever happens."""

import time
from dataclasses import dataclass, field

from breakeven.gateway.asked import Asked, asking_usage, with_model
from breakeven.gateway.door import Door
from breakeven.gateway.route import Send
from breakeven.gateway.tally import Tally
from breakeven.gateway.upstream import Call, Reply, UpstreamError
from breakeven.gateway.usage import Tokens, tokens_in
from breakeven.units import SECONDS_PER_HOUR

EVENT_STREAM = "text/event-stream"
STREAMS_USAGE = frozenset({"/v1/chat/completions", "/v1/completions"})
TRY_ELSEWHERE = frozenset({401, 403, 408, 429})
"""Answers that are about the gateway's standing with an upstream; so are all from 500 on. The rest is the caller's."""
RESTS_S = 1.0
"""For how long an upstream is left alone that answers 429 and does not say for how long."""
LONGEST_REST_S = float(SECONDS_PER_HOUR)


@dataclass(slots=True, kw_only=True)
class Answer:
    """What an attempt brought: an open stream, or a whole body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    stream: Reply | None = None
    tokens: Tokens | None = None
    strips_usage: bool = False


@dataclass(slots=True, kw_only=True)
class Failure:
    """Why an attempt brought nothing that can be passed on, with what the upstream said where it said something."""

    because: str
    answer: Answer | None = None
    timed_out: bool = False
    final: bool = True
    """Whether the same replica is not asked once more: a connection that just closed says little."""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """The place that a request has on a replica, from asking to the last byte."""

    door: Door
    sent: Send
    tally: Tally
    _start: int = 0
    _left: bool = field(default=False, init=False)
    _judged: bool = field(default=False, init=False)
    """Whether the replica was found to work or to fail: a caller that leaves before says nothing about it."""

    def __post_init__(self) -> None:
        door, target, replica = self.door, self.sent.target, self.sent.replica
        door.live.began(replica.name)
        if (hire := door.hires.get(replica.name)) is not None:
            self._start = hire.enter(time.monotonic_ns())
        tally = self.tally
        tally.attempts += 1
        tally.upstream, tally.provider = replica.name, target.provider
        tally.upstream_model = target.model or tally.model
        if target.provider is None:
            tally.on_own = True
        else:
            tally.asked_api = True

    async def ask(self, asked: Asked, body: bytes, headers: tuple[tuple[str, str], ...]) -> Answer | Failure:
        """Ask, and judge the answer."""
        call, strips = self._call(asked, body, headers)
        name = self.sent.replica.name
        try:
            reply = await self.door.upstreams[name].send(call)
        except UpstreamError as wrong:
            return self._failed(wrong)
        try:
            answer = await self._answer(reply, strips)
        except UpstreamError as wrong:
            return self._failed(wrong)
        except BaseException:
            await reply.close()
            raise
        if answer.status in TRY_ELSEWHERE or answer.status >= 500:
            return self._turned_away(answer)
        self._judged = True
        if answer.stream is None:
            self.door.live.worked(name)
        else:
            self.door.live.answers(name)
        return answer

    def leave(self) -> None:
        """Give the place back and charge an own machine's share. May be called more than once."""
        if self._left:
            return
        self._left = True
        door, name = self.door, self.sent.replica.name
        if (hire := door.hires.get(name)) is not None:
            self.tally.charge(hire.leave(self._start, time.monotonic_ns()))
        elif self.sent.target.provider is None:
            self.tally.charge(None)
        if not self._judged:
            door.live.gave_up(name)
        door.live.ended(name)
        if door.live.waiting:
            door.live.wake(door.models_of[self.sent.target.name])

    def _call(self, asked: Asked, body: bytes, headers: tuple[tuple[str, str], ...]) -> tuple[Call, bool]:
        target, times = self.sent.target, self.door.rules.timeouts
        strips = False
        if target.model is not None:
            body = with_model(body, asked, target.model)
        streamed = bool(asked.stream)
        if streamed and target.asks_usage and self.tally.path in STREAMS_USAGE:
            body, strips = asking_usage(body, asked)
        call = Call(
            path=self.tally.path,
            body=body,
            headers=headers,
            streamed=streamed,
            first_byte_s=times.first_token_s if streamed else times.answer_s,
            between_bytes_s=times.between_bytes_s,
        )
        return call, strips

    async def _answer(self, reply: Reply, strips: bool) -> Answer:
        kind = next((value for name, value in reply.headers if name == "content-type"), "")
        if reply.status == 200 and kind.startswith(EVENT_STREAM):
            return Answer(status=200, headers=reply.headers, stream=reply, strips_usage=strips)
        limit = self.door.rules.limits.answer_bytes
        pieces: list[bytes] = []
        size = 0
        async for piece in reply.chunks():
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                await reply.close()
                raise UpstreamError("garbled", f"its answer is longer than {limit:,} bytes")
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        tokens = None
        if reply.status < 300:
            encoded = any(name == "content-encoding" for name, _ in reply.headers)
            tokens = None if encoded else tokens_in(body)
            if tokens is None and not encoded:
                raise UpstreamError("garbled", "its answer is no JSON")
        return Answer(status=reply.status, headers=reply.headers, body=body, tokens=tokens)

    def _failed(self, wrong: UpstreamError) -> Failure:
        """No answer: the breaker counts it, and an API may charge for it all the same."""
        name = self.sent.replica.name
        self._judged = True
        opened = self.door.live.failed(name, time.monotonic())
        self.door.log.upstream_failed(self.tally.id, name, wrong.failure, wrong.because, opened)
        if self.sent.target.provider is not None and wrong.failure not in ("refused", "misconfigured"):
            self.tally.charge(None)
        self.leave()
        return Failure(
            because=f"{name}: {wrong.because}",
            timed_out=wrong.failure == "timeout",
            final=wrong.failure != "cut",
        )

    def _turned_away(self, answer: Answer) -> Failure:
        """An answer that another upstream may better."""
        name, live, now_s = self.sent.replica.name, self.door.live, time.monotonic()
        self._judged = True
        wait_s = retry_after_s(answer.headers)
        opened = False
        if answer.status != 429:
            opened = live.failed(name, now_s)
        if wait_s is not None or answer.status == 429:
            live.told_to_wait(name, now_s + (RESTS_S if wait_s is None else wait_s))
        self.door.log.upstream_failed(self.tally.id, name, "status", f"it answered {answer.status}", opened)
        self.leave()
        return Failure(because=f"{name} answered {answer.status}", answer=answer)


def retry_after_s(headers: tuple[tuple[str, str], ...]) -> float | None:
    """The seconds of a ``retry-after``; dates, which hang on two clocks, and nonsense are passed over.

    >>> retry_after_s((("retry-after", "20"),)), retry_after_s((("retry-after", "soon"),))
    (20.0, None)
    """
    text = next((value for name, value in headers if name == "retry-after"), "")
    try:
        seconds = float(text)
    except ValueError:
        return None
    return min(seconds, LONGEST_REST_S) if seconds >= 0 else None
