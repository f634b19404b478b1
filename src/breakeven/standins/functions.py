"""The Lambda service: ``Invoke``, streamed or not, over environments that start when they are needed.

python -m breakeven.standins.functions '{"functions": [{"name": "f", "handler": "module.function"}]}'
"""

import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import msgspec
from aiohttp import web

from breakeven.standins.child import body_within, listen, note, run
from breakeven.standins.environment import TIMED_OUT, Environment, Function
from breakeven.standins.eventstream import CONTENT_TYPE, event
from breakeven.standins.limits import Limits
from breakeven.standins.runtime_api import Done
from breakeven.units import MILLISECONDS_PER_SECOND

TOO_LARGE = "Function.ResponseSizeTooLarge"
Answer = AsyncIterator[bytes | Done]


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """The functions that there are."""

    functions: tuple[Function, ...]
    limits: Limits = Limits()


@dataclass(slots=True)
class Pool:
    """The environments of one function."""

    function: Function
    idle: list[Environment] = field(default_factory=list)
    busy: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """An environment for one request."""

    environment: Environment
    left_s: float
    """Of the function's time: a start that is tried again takes from it."""
    init_s: float | None = None
    """A start apart from the request; ``None`` for one that was idle."""
    failed: Done | None = None


class Lambda:
    """The paths of the service."""

    def __init__(self, what: Service) -> None:
        self._limits = what.limits
        self._pools = {function.name: Pool(function) for function in what.functions}

    def app(self) -> web.Application:
        """The application."""
        found = web.Application()
        found.router.add_post("/2015-03-31/functions/{name}/invocations", self._whole)
        found.router.add_post("/2021-11-15/functions/{name}/response-streaming-invocations", self._streamed)
        return found

    async def _whole(self, request: web.Request) -> web.StreamResponse:
        answer = await self._asked(request)
        if isinstance(answer, web.Response):
            return answer
        pieces: list[bytes] = []
        done = Done()
        size = 0
        async for piece in answer:
            if isinstance(piece, Done):
                done = piece
            elif (size := size + len(piece)) <= self._limits.function_bytes:
                pieces.append(piece)
        if size > self._limits.function_bytes:
            told = f"Response payload size exceeded maximum allowed payload size ({self._limits.function_bytes} bytes)."
            done = Done(kind=TOO_LARGE, error=msgspec.json.encode({"errorType": TOO_LARGE, "errorMessage": told}))
        if done.kind is None:
            return web.Response(body=b"".join(pieces), content_type="application/json")
        headers = {"X-Amz-Function-Error": "Unhandled"}
        return web.Response(body=done.error, content_type="application/json", headers=headers)

    async def _streamed(self, request: web.Request) -> web.StreamResponse:
        answer = await self._asked(request)
        if isinstance(answer, web.Response):
            return answer
        reply = web.StreamResponse(headers={"content-type": CONTENT_TYPE})
        await reply.prepare(request)
        heard, size, told = True, 0, b"{}"
        async for (
            piece
        ) in answer:  # to its end, whoever still listens: Lambda does not stop a function whose caller left
            if isinstance(piece, Done):
                if piece.kind is not None:
                    told = msgspec.json.encode({"ErrorCode": piece.kind, "ErrorDetails": piece.error.decode()})
                continue
            size += len(piece)
            if size > self._limits.streamed_bytes:
                told = msgspec.json.encode({"ErrorCode": TOO_LARGE, "ErrorDetails": "too many bytes"})
                continue
            heard = heard and await _written(reply, event("PayloadChunk", piece))
        if heard and await _written(reply, event("InvokeComplete", told, "application/json")):
            await reply.write_eof()
        return reply

    async def _asked(self, request: web.Request) -> Answer | web.Response:
        """The answer in pieces, or why there is none."""
        pool = self._pools.get(request.match_info["name"])
        if pool is None:
            return _refused(404, "ResourceNotFoundException", f"Function not found: {request.match_info['name']}")
        body = await body_within(request, self._limits.function_bytes)
        if body is None:
            told = f"Request must be smaller than {self._limits.function_bytes} bytes for the InvokeFunction operation"
            return _refused(413, "RequestTooLargeException", told)
        if pool.busy >= pool.function.environments:
            return _refused(429, "TooManyRequestsException", "Rate Exceeded.")
        return self._ran(pool, body)

    async def _ran(self, pool: Pool, body: bytes) -> Answer:
        """One request in an environment: one that is idle, else a new one."""
        pool.busy += 1
        request_id = str(uuid.uuid4())
        environment = None
        try:
            taken = await self._taken(pool)
            environment = taken.environment
            if taken.failed is not None:
                error = taken.failed.error.decode(errors="replace")
                note(f"{pool.function.name}: INIT failed: {taken.failed.kind} {error}")
                yield taken.failed
                return
            began = time.monotonic()
            done = Done()
            async for piece in environment.invoke(request_id, body, taken.left_s):
                done = piece if isinstance(piece, Done) else done
                yield piece
            _report(pool.function, request_id, time.monotonic() - began, taken.init_s, done)
        finally:
            pool.busy -= 1
            if environment is not None:
                if environment.alive:
                    pool.idle.append(environment)
                else:
                    await environment.end()

    async def _taken(self, pool: Pool) -> Taken:
        """An environment for a request. A start that takes too long is tried again, in the request's own time."""
        timeout_s = pool.function.timeout_s
        while pool.idle:
            found = pool.idle.pop()
            if found.alive:
                return Taken(environment=found, left_s=timeout_s)
            await found.end()
        made, failed = await self._started(pool, self._limits.init_s)
        if failed is None or failed.kind != TIMED_OUT:
            return Taken(environment=made, left_s=timeout_s, init_s=made.init_s, failed=failed)
        took_ms = made.init_s * MILLISECONDS_PER_SECOND
        note(f"{pool.function.name}: INIT_REPORT Init Duration: {took_ms:.2f} ms Phase: init Status: timeout")
        again, failed = await self._started(pool, timeout_s)
        return Taken(environment=again, left_s=timeout_s - again.init_s, failed=failed)

    async def _started(self, pool: Pool, within_s: float) -> tuple[Environment, Done | None]:
        """A new environment, ended again if it did not come up."""
        made = Environment(pool.function, lambda line: note(f"{pool.function.name}: {line}"))
        failed = await made.begin(within_s)
        if failed is not None:
            await made.end()
        return made, failed


def _report(function: Function, request_id: str, took_s: float, init_s: float | None, done: Done) -> None:
    """The line that Lambda writes after each request."""
    took_ms = took_s * MILLISECONDS_PER_SECOND
    line = f"REPORT RequestId: {request_id} Duration: {took_ms:.2f} ms"
    if init_s is not None:
        line += f" Init Duration: {init_s * MILLISECONDS_PER_SECOND:.2f} ms"
    note(f"{function.name}: {line}{f' Status: error Error Type: {done.kind}' if done.kind else ''}")


async def _written(reply: web.StreamResponse, piece: bytes) -> bool:
    with contextlib.suppress(ConnectionError):
        await reply.write(piece)
        return True
    return False


def _refused(status: int, kind: str, told: str) -> web.Response:
    return web.json_response({"Type": "User", "Message": told}, status=status, headers={"x-amzn-ErrorType": kind})


async def _begin(what: Service) -> Mapping[str, str]:
    return {"lambda": await listen(Lambda(what).app())}


if __name__ == "__main__":
    run(Service, _begin)
