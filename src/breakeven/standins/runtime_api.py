"""Lambda's Runtime API for one environment: next, response, error, init error, over HTTP with chunks and trailers."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from breakeven.standins.child import HOST

NEXT = "/2018-06-01/runtime/invocation/next"
INIT_ERROR = "/2018-06-01/runtime/init/error"
ANSWERED = re.compile(r"/2018-06-01/runtime/invocation/([^/]+)/(response|error)")
ERROR_TYPE, ERROR_BODY = "lambda-runtime-function-error-type", "lambda-runtime-function-error-body"
MODE = "lambda-runtime-function-response-mode"
ACCEPTED = b'{"status":"OK"}'
PIECE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How an invocation ended. ``error``: what the function said of its fault; ``kind``: its type."""

    kind: str | None = None
    error: bytes = b""


@dataclass(slots=True, kw_only=True)
class Invocation:
    """One request to the function; its answer comes in pieces, and then ``Done``."""

    id: str
    event: bytes
    deadline_ms: int
    arn: str
    pieces: "asyncio.Queue[bytes | Done]" = field(default_factory=lambda: asyncio.Queue(maxsize=64))


@dataclass(slots=True)
class _Request:
    method: str
    path: str
    headers: Mapping[str, str]
    trailers: dict[str, str] = field(default_factory=dict)


class RuntimeApi:
    """The server that one function process talks to."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Invocation] = asyncio.Queue()
        self._current: Invocation | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.ready = asyncio.Event()
        """Set while the function waits for a request, and when it says that it cannot start."""
        self.init_error: Done | None = None

    async def begin(self) -> str:
        """Serve; ``host:port``, as ``AWS_LAMBDA_RUNTIME_API`` has it."""
        self._server = await asyncio.start_server(self._connected, HOST, 0)
        return f"{HOST}:{self._server.sockets[0].getsockname()[1]}"

    def hand_over(self, invocation: Invocation) -> None:
        """The next request."""
        self._waiting.put_nowait(invocation)

    async def end(self) -> None:
        """Answer nobody any more."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests of one connection, one after the other."""
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._requests(reader, writer)
        except asyncio.CancelledError:  # only ``end`` cancels; a cancelled task would be told as an error by 3.11
            pass
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            while (request := await _head(reader)) is not None:
                if request.headers.get("expect", "").lower() == "100-continue":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                status, headers, body = await self._answered(request, reader)
                told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                writer.write(f"HTTP/1.1 {status} OK\r\n{told}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()

    async def _answered(self, request: _Request, reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
        json = {"Content-Type": "application/json"}
        if request.path == NEXT and request.method == "GET":
            return await self._next()
        if request.path == INIT_ERROR:
            error = b"".join([piece async for piece in _body(request, reader)])
            self.init_error = Done(kind=request.headers.get(ERROR_TYPE, "Runtime.Unknown"), error=error)
            self.ready.set()
            return 202, json, ACCEPTED
        found = ANSWERED.fullmatch(request.path)
        current = self._current
        if found is None or current is None or found[1] != current.id:
            async for _ in _body(request, reader):
                pass
            return 400, json, b'{"errorType":"InvalidRequestID"}'
        await (self._response if found[2] == "response" else self._error)(current, request, reader)
        return 202, json, ACCEPTED

    async def _next(self) -> tuple[int, dict[str, str], bytes]:
        self.ready.set()
        self._current = taken = await self._waiting.get()
        self.ready.clear()
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": taken.id,
            "Lambda-Runtime-Deadline-Ms": str(taken.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": taken.arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-00000000-{taken.id.replace('-', '')[:24]};Sampled=0",
        }
        return 200, headers, taken.event

    @staticmethod
    async def _response(current: Invocation, request: _Request, reader: asyncio.StreamReader) -> None:
        """Pieces go on as they come. An answer that breaks off is left to whoever watches the process."""
        async for piece in _body(request, reader):
            await current.pieces.put(piece)
        kind = request.trailers.get(ERROR_TYPE)
        await current.pieces.put(Done(kind=kind, error=request.trailers.get(ERROR_BODY, "").encode()))

    @staticmethod
    async def _error(current: Invocation, request: _Request, reader: asyncio.StreamReader) -> None:
        error = b"".join([piece async for piece in _body(request, reader)])
        await current.pieces.put(Done(kind=request.headers.get(ERROR_TYPE, "Unhandled"), error=error))


async def _head(reader: asyncio.StreamReader) -> _Request | None:
    """Request line and headers; ``None`` at the end of the connection."""
    line = await reader.readline()
    if not line.strip():
        return None
    method, path, _ = line.decode("latin-1").split()
    return _Request(method, path, await _fields(reader))


async def _fields(reader: asyncio.StreamReader) -> dict[str, str]:
    found: dict[str, str] = {}
    while (line := (await reader.readline()).strip()) != b"":
        name, _, value = line.decode("latin-1").partition(":")
        found[name.strip().lower()] = value.strip()
    return found


async def _body(request: _Request, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The body in pieces, and after a chunked one its trailers in the request."""
    if request.headers.get("transfer-encoding", "").lower() != "chunked":
        left = int(request.headers.get("content-length", 0))
        while left:
            piece = await reader.readexactly(min(left, PIECE))
            left -= len(piece)
            yield piece
        return
    while size := int((await reader.readline()).split(b";")[0], 16):
        yield await reader.readexactly(size)
        await reader.readline()
    request.trailers = await _fields(reader)
