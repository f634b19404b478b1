"""A function's streamed answer, read as API Gateway reads it: events, a prelude with status and headers, the body."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
from botocore.eventstream import EventStreamBuffer, ParserError  # type: ignore[import-untyped]
from multidict import CIMultiDict

from breakeven.standins.limits import Limits

PRELUDE_END = bytes(8)


class Broken(Exception):  # noqa: N818 - what the answer is
    """The function failed, or said something that is no answer, before the body began."""


class Cut(Exception):  # noqa: N818 - what the answer is
    """The body ended before it was whole."""


class Head(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Status and headers of an answer."""

    status_code: int
    headers: dict[str, str] = {}
    multi_value_headers: dict[str, list[str]] = {}
    cookies: list[str] = []

    def fields(self) -> CIMultiDict[str]:
        """As HTTP headers."""
        found: CIMultiDict[str] = CIMultiDict(self.headers)
        found.extend((name, value) for name, values in self.multi_value_headers.items() for value in values)
        found.extend(("set-cookie", cookie) for cookie in self.cookies)
        found.popall("content-length", None)
        return found


class _Complete(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    error_code: str | None = None


async def opened(raw: AsyncIterator[bytes], limits: Limits) -> tuple[Head, AsyncIterator[bytes]]:
    """Status and headers, and the rest as it comes.

    Raises:
        Broken: if there is no such answer.
        TimeoutError: if nothing came for too long.
    """
    pieces = _payloads(_in_time(raw, limits.idle_s))
    seen = b""
    try:
        async for piece in pieces:
            seen += piece
            if PRELUDE_END in seen or len(seen) > limits.prelude_bytes:
                break
    except Cut as wrong:
        raise Broken(str(wrong)) from None
    told, parted, rest = seen.partition(PRELUDE_END)
    if not parted or len(told) > limits.prelude_bytes:
        raise Broken("there is no prelude")
    try:
        head = msgspec.json.decode(told, type=Head)
    except msgspec.DecodeError as wrong:
        raise Broken("the prelude is no JSON") from wrong
    return head, _rest(rest, pieces)


async def _rest(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for piece in pieces:
        yield piece


async def _in_time(raw: AsyncIterator[bytes], idle_s: float) -> AsyncIterator[bytes]:
    source = aiter(raw)
    while True:
        try:
            async with asyncio.timeout(idle_s):
                piece = await anext(source)
        except StopAsyncIteration:
            return
        yield piece


async def _payloads(raw: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The bytes of the events, up to the one that says how it ended. Raises ``Cut``."""
    buffer = EventStreamBuffer()
    async for chunk in raw:
        buffer.add_data(chunk)
        try:
            for one in buffer:
                kind = one.headers.get(":event-type")
                if kind == "PayloadChunk":
                    yield one.payload
                elif kind == "InvokeComplete":
                    code = msgspec.json.decode(one.payload, type=_Complete).error_code
                    if code is not None:
                        raise Cut(code)
                    return
        except ParserError as wrong:
            raise Cut("the event stream is damaged") from wrong
    raise Cut("the event stream ended early")
