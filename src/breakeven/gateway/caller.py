"""The caller's side of one request: its headers and body within the limits, its hang-up, and what it is sent."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from breakeven.gateway import refusal
from breakeven.gateway.config import Limits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]

PASSED_ON = frozenset(
    {b"accept", b"content-type", b"idempotency-key", b"openai-beta", b"traceparent", b"tracestate", b"user-agent"}
)
"""Headers of a caller that upstreams are sent. All others, keys and cookies first of all, stay here."""
DISCARDED = 4
"""A body that is too long is read and thrown away up to so many times the limit, so that its sender hears of it."""
BEARER = b"bearer "
HANG_UP = "breakeven.hang_up"
"""The extension of a server that tells of hang-ups itself: a list of those who are told. It saves a task a request."""


class Caller:
    """One request of a caller, over ASGI."""

    __slots__ = (
        "_finished", "_hears", "_receive", "_send", "_task", "_timer", "_watch", "announced_bytes", "gone",
        "header_bytes", "headers", "late", "secret", "started", "wants_close",
    )  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive, send: Send, extra_headers: frozenset[bytes]) -> None:
        self._receive = receive
        self._send = send
        extensions = scope.get("extensions")
        self._hears: list[Callable[[], None]] | None = extensions.get(HANG_UP) if extensions else None
        self._task: asyncio.Task[Any] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._finished = False
        self.gone = False
        """Whether the caller hung up."""
        self.late = False
        """Whether the request took longer than any may."""
        self.started = False
        """Whether a status was sent."""
        self.secret: str | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.header_bytes = 0
        self.announced_bytes = 0
        """What ``content-length`` says; 0 where it says nothing."""
        self.wants_close = False
        self._read_headers(scope["headers"], extra_headers)

    def _read_headers(self, raw: Iterable[tuple[bytes, bytes]], extra: frozenset[bytes]) -> None:
        """The key and what is passed on. Of a header that is given twice the first counts; two keys are no key."""
        passed: dict[bytes, bytes] = {}
        keys: list[bytes] = []
        for name, value in raw:
            self.header_bytes += len(name) + len(value)
            if name == b"authorization":
                keys.append(value)
            elif name == b"content-length":
                self.announced_bytes = int(value)  # the server has let through nothing but digits
            elif name == b"tracestate" and name in passed:  # a list, which may come in several headers
                passed[name] += b"," + value
            elif name in PASSED_ON or name in extra:
                passed.setdefault(name, value)
        if len(keys) == 1:
            self.secret = _secret(keys[0])
        self.headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in passed.items())

    async def body(self, limits: Limits) -> bytes:
        """The whole body.

        Raises:
            Refused: 413 or 408.
            ConnectionError: if the caller hung up meanwhile.
        """
        if self.announced_bytes > limits.body_bytes:
            await self._discard(limits, 0)
        message = await self._receive_body()
        if not message.get("more_body"):
            return _within(message["body"], limits)
        pieces = [message["body"]]
        size = len(pieces[0])
        try:
            async with asyncio.timeout(limits.body_s):
                while message.get("more_body"):
                    message = await self._receive_body()
                    pieces.append(message["body"])
                    size += len(pieces[-1])
                    if size > limits.body_bytes:
                        pieces.clear()
                        await self._discard(limits, size)
        except TimeoutError:
            self.wants_close = True
            raise refusal.too_slow("body", limits.body_s) from None
        return b"".join(pieces)

    async def _receive_body(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.gone = True
            raise ConnectionError
        return message

    async def _discard(self, limits: Limits, size: int) -> None:
        """Read on without keeping anything, so that whoever still sends gets to read why it was refused."""
        self.wants_close = True
        more = True
        try:
            async with asyncio.timeout(limits.body_s):
                while more and size < DISCARDED * limits.body_bytes:
                    message = await self._receive_body()
                    size += len(message["body"])
                    more = bool(message.get("more_body"))
        except TimeoutError:
            pass
        raise refusal.too_long("body", limits.body_bytes)

    def watch(self, limit_s: float) -> None:
        """From now on a hang-up, or the end of the time that a request has, cancels the task that serves it."""
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        if self._hears is None:
            self._watch = loop.create_task(self._watched())
        else:
            self._hears.append(self._hung_up)
        self._timer = loop.call_later(limit_s, self._ring)

    async def _watched(self) -> None:
        """Ends quietly when it is cancelled: an error kept by the task would make a cycle for the collector."""
        try:
            while (await self._receive())["type"] != "http.disconnect":
                pass
        except asyncio.CancelledError:
            return
        self._hung_up()

    def _hung_up(self) -> None:
        if not self._finished and self._task is not None:
            self.gone = True
            self._task.cancel()

    def _ring(self) -> None:
        if not self._finished and self._task is not None:
            self.late = True
            self._task.cancel()

    def stop_watching(self) -> None:
        """The request is over, or being refused. May be called more than once."""
        self._finished = True
        if self._timer is not None:
            self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
        elif self._hears is not None and self._task is not None:
            self._hears.remove(self._hung_up)
            self._hears = None

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send status and headers."""
        if self.wants_close:
            headers.append((b"connection", b"close"))
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def piece(self, body: bytes) -> None:
        """Send a piece of a body, with more to come."""
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self, body: bytes = b"") -> None:
        """Send the last piece."""
        self._finished = True
        await self._send({"type": "http.response.body", "body": body})

    async def whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Send a whole answer."""
        headers.append((b"content-length", str(len(body)).encode()))
        await self.start(status, headers)
        await self.end(body)


def _secret(value: bytes) -> str | None:
    """The secret in ``Bearer ...``; anything else is none."""
    if value[:7].lower() != BEARER:
        return None
    return value[7:].strip().decode("latin-1") or None


def _within(body: bytes, limits: Limits) -> bytes:
    if len(body) > limits.body_bytes:
        raise refusal.too_long("body", limits.body_bytes)
    return body
