"""The door as an ASGI application: which path goes where, and what lives as long as the server does."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import msgspec

from breakeven.gateway import refusal
from breakeven.gateway.caller import Caller, Receive, Scope, Send
from breakeven.gateway.door import Door
from breakeven.gateway.exchange import exchange
from breakeven.gateway.ledger import Admission, Refused
from breakeven.gateway.tally import Tally

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
ANSWERED = frozenset({"/v1/chat/completions", "/v1/completions", "/v1/embeddings"})
MODELS = "/v1/models"
HEALTH = "/healthz"


class Gateway:
    """The ASGI application.

    Args:
        door: Rules, upstreams, books.
        mounts: Other applications by the beginning of their path, such as the admin API and the metrics.
        living: What is entered when the server starts and left when it stops, in reverse: stores, exporters.
    """

    def __init__(
        self,
        door: Door,
        mounts: Mapping[str, Asgi] | None = None,
        living: Sequence[AbstractAsyncContextManager[Any]] = (),
    ) -> None:
        self.door = door
        self._mounts = tuple((mounts or {}).items())
        self._living = tuple(living)
        self._extra = frozenset(name.encode() for name in door.rules.pass_headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the life of the server."""
        kind = scope["type"]
        if kind == "http":
            path = scope["path"]
            if path in ANSWERED and scope["method"] == "POST":
                await exchange(self.door, scope, receive, send, self._extra)
            else:
                await self._aside(path, scope, receive, send)
        elif kind == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _aside(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Everything that asks no upstream."""
        for prefix, app in self._mounts:
            if path == prefix or path.startswith(prefix + "/"):
                await app(scope, receive, send)
                return
        caller = Caller(scope, receive, send, self._extra)
        tally = Tally(path)
        try:
            await self._answer(path, scope, caller, tally)
        except Refused as refused:
            headers = [*refusal.headers_of(refused), (b"x-request-id", tally.id.encode())]
            await caller.whole(refused.status, headers, refusal.body_of(refused))

    async def _answer(self, path: str, scope: Scope, caller: Caller, tally: Tally) -> None:
        method = scope["method"]
        if path in ANSWERED:
            raise refusal.wrong_method(method, "POST")
        if path == HEALTH:
            body: object = {"status": "ok", "in_flight": self.door.live.in_flight}
        elif path == MODELS or path.startswith(MODELS + "/"):
            body = await self._models(path.removeprefix(MODELS).lstrip("/"), caller, tally)
        else:
            raise refusal.unknown_path(path)
        if method not in ("GET", "HEAD"):
            raise refusal.wrong_method(method, "GET")
        headers = [(b"content-type", b"application/json"), (b"x-request-id", tally.id.encode())]
        await caller.whole(200, headers, msgspec.json.encode(body))

    async def _models(self, name: str, caller: Caller, tally: Tally) -> object:
        """All models, or one. Who may see them is the books' to say; looking costs nothing and leaves a record."""
        admission: Admission | None = None
        refused: Refused | None = None
        try:
            admission = await self.door.ledger.admit(caller.secret, model=None, most_pico_usd=0)
            routes = self.door.rules.routes
            if name and name not in routes:
                raise refusal.unknown_model(name, tuple(routes))
            listed = [{"id": model, "object": "model", "created": 0, "owned_by": "breakeven"} for model in routes]
            tally.status, tally.outcome = 200, "complete"
        except Refused as no:
            refused, admission = no, admission or no.whose
            tally.status, tally.outcome = no.status, "refused"
        whose = admission or Admission()
        record = tally.record(whose.key, whose.team)
        self.door.ledger.settle(admission, record)
        if self.door.tracing is not None:
            self.door.tracing.begin(caller.headers).end(record)
        if refused is not None:
            raise refused
        return next(one for one in listed if one["id"] == name) if name else {"object": "list", "data": listed}

    async def _live(self, receive: Receive, send: Send) -> None:
        async with AsyncExitStack() as stack:
            await receive()
            try:
                for one in self._living:
                    await stack.enter_async_context(one)
                for upstream in self.door.upstreams.values():
                    stack.push_async_callback(upstream.close)
            except Exception as wrong:
                await send({"type": "lifespan.startup.failed", "message": str(wrong)})
                raise
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})
