"""The container's contract in front of the real model: ``/ping``, ``/invocations`` and ``/openai/v1``.

    python -m breakeven.standins.container '{"model_url": "http://127.0.0.1:40123"}'

A real container holds model and contract in one; here llama.cpp is a process of its own behind it.
"""

from collections.abc import AsyncIterator, Mapping

import aiohttp
import msgspec
from aiohttp import web

from breakeven.standins.child import body_within, listen, passed_on, run
from breakeven.standins.limits import Limits

CHAT, PLAIN = "/v1/chat/completions", "/v1/completions"
HEALTH_S = 1.0
AWAY = {"error": {"message": "the model does not answer", "type": "server_error", "param": None, "code": None}}


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """Which model, and what it may be sent."""

    model_url: str
    limits: Limits = Limits()


class _Says(msgspec.Struct):
    messages: msgspec.Raw = msgspec.Raw()


class Contract:
    """The paths of the contract."""

    def __init__(self, what: Container) -> None:
        self._what = what
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=HEALTH_S), auto_decompress=False
        )

    def app(self) -> web.Application:
        """The application."""
        found = web.Application(client_max_size=self._what.limits.gateway_bytes)
        found.router.add_get("/ping", self._ping)
        found.router.add_post("/invocations", self._invoke)
        found.router.add_route("*", "/openai/v1/{tail:.*}", self._openai)
        return found

    async def _ping(self, _request: web.Request) -> web.StreamResponse:
        try:
            async with self._session.get(
                f"{self._what.model_url}/health", timeout=aiohttp.ClientTimeout(total=HEALTH_S)
            ) as said:
                return web.Response(status=200 if said.status == 200 else 503)
        except (aiohttp.ClientError, TimeoutError):
            return web.Response(status=503)

    async def _invoke(self, request: web.Request) -> web.StreamResponse:
        body = await body_within(request, self._what.limits.gateway_bytes)
        if body is None:
            return web.json_response({"error": {"message": "the body is too long"}}, status=413)
        try:
            path = CHAT if bytes(msgspec.json.decode(body, type=_Says).messages) else PLAIN
        except msgspec.DecodeError:
            return web.json_response({"error": {"message": "the body is no JSON object"}}, status=400)
        return await self._passed(request, "POST", path, body)

    async def _openai(self, request: web.Request) -> web.StreamResponse:
        body = await body_within(request, self._what.limits.gateway_bytes)
        if body is None:
            return web.json_response({"error": {"message": "the body is too long"}}, status=413)
        return await self._passed(request, request.method, f"/v1/{request.match_info['tail']}", body)

    async def _passed(self, request: web.Request, method: str, path: str, body: bytes) -> web.StreamResponse:
        """Ask the model; a caller who leaves stops it."""
        try:
            asked = await self._session.request(
                method, self._what.model_url + path, data=body, headers={"content-type": "application/json"}
            )
        except aiohttp.ClientError:
            return web.json_response(AWAY, status=502)
        try:
            answer = web.StreamResponse(status=asked.status, headers=_kept(asked.headers))
            await answer.prepare(request)
            await passed_on(answer, _pieces(asked))
        except (aiohttp.ClientError, ConnectionError):
            if request.transport is not None:
                request.transport.close()  # half an answer must not look whole
            raise
        finally:
            asked.close()
        return answer


async def _pieces(asked: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async for piece in asked.content.iter_any():
        yield piece


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {"content-type": headers.get("content-type", "application/json")}


async def _begin(what: Container) -> Mapping[str, str]:
    return {"container": await listen(Contract(what).app(), stops=True)}


if __name__ == "__main__":
    run(Container, _begin)
