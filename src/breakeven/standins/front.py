"""API Gateway: an HTTP API with payload 2.0, and a REST API with a stage that streams and one that does not.

python -m breakeven.standins.front '{"lambda_url": "...", "buffered": "f", "streamed": "g", "key": "secret"}'
"""

import asyncio
import base64
import binascii
from collections.abc import Mapping

import aiohttp
import msgspec
from aiohttp import web
from multidict import CIMultiDict

from breakeven.standins.child import body_within, listen, run
from breakeven.standins.events import http_event, rest_event
from breakeven.standins.limits import Limits
from breakeven.standins.streaming import Broken, Cut, opened

STREAMS, BUFFERS = "live", "buffered"
CONNECT_S = 1.0
LARGEST_LINE = 64 * 1024


class Front(msgspec.Struct, frozen=True, kw_only=True):
    """Which functions stand behind the APIs, and the key that the REST API asks for."""

    lambda_url: str
    buffered: str
    streamed: str
    key: str
    http_port: int = 0
    rest_port: int = 0
    limits: Limits = Limits()


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """The gateway's own answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = web.json_response({"message": message}, status=status)


class _Proxy(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"status_code": "statusCode", "multi_value_headers": "multiValueHeaders", "is_base64": "isBase64Encoded"},
):
    """What a function answers a proxy integration with. Anything else is malformed."""

    status_code: int
    headers: dict[str, str | int | float | bool] | None = None
    multi_value_headers: dict[str, list[str]] | None = None
    cookies: list[str] | None = None
    body: str | None = None
    is_base64: bool = False


class ApiGateway:
    """Both APIs."""

    def __init__(self, what: Front) -> None:
        self._what = what
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S), auto_decompress=False
        )

    def http_api(self) -> web.Application:
        """The HTTP API, stage ``$default``."""
        found = web.Application()
        found.router.add_route("*", "/{tail:.*}", self._http)
        return found

    def rest_api(self) -> web.Application:
        """The REST API."""
        found = web.Application()
        found.router.add_route("*", f"/{STREAMS}/{{tail:.*}}", self._rest_streamed)
        found.router.add_route("*", f"/{BUFFERS}/{{tail:.*}}", self._rest_buffered)
        found.router.add_route("*", "/{tail:.*}", _no_stage)
        return found

    async def _http(self, request: web.Request) -> web.StreamResponse:
        limits = self._what.limits
        try:
            body = await self._body(request, "Request Entity Too Large")
            said = await self._invoke(http_event(request, body), limits.http_s, (503, "Service Unavailable"))
        except Refusal as refused:
            return refused.answer
        return _proxied(said, limits) or web.json_response({"message": "Internal Server Error"}, status=500)

    async def _rest_buffered(self, request: web.Request) -> web.StreamResponse:
        limits = self._what.limits
        try:
            event = await self._rest_event(request, BUFFERS)
            said = await self._invoke(event, limits.rest_s, (504, "Endpoint request timed out"))
        except Refusal as refused:
            return refused.answer
        return _proxied(said, limits) or web.json_response({"message": "Internal server error"}, status=502)

    async def _rest_event(self, request: web.Request, stage: str) -> bytes:
        if request.headers.get("x-api-key") != self._what.key:
            raise Refusal(403, "Forbidden")
        body = await self._body(request, "Request Too Long")
        return rest_event(request, body, stage, "/" + request.match_info["tail"])

    async def _body(self, request: web.Request, too_long: str) -> bytes:
        limits = self._what.limits
        size = len(request.raw_path) + sum(len(value) for value in request.headers.values())
        if size > limits.header_bytes:
            raise Refusal(431, "Request Header Fields Too Large")
        body = await body_within(request, limits.gateway_bytes)
        if body is None:
            raise Refusal(413, too_long)
        return body

    async def _invoke(self, event: bytes, within_s: float, late: tuple[int, str]) -> bytes | None:
        """What the function said; ``None`` for an error of it. Raises ``Refusal``."""
        url = f"{self._what.lambda_url}/2015-03-31/functions/{self._what.buffered}/invocations"
        try:
            async with asyncio.timeout(within_s), self._session.post(url, data=event) as said:
                body = await said.read()
        except TimeoutError:
            raise Refusal(*late) from None
        except aiohttp.ClientError:
            raise Refusal(500, "Internal server error") from None
        _rejected(said.status)
        return None if "X-Amz-Function-Error" in said.headers else body

    async def _rest_streamed(self, request: web.Request) -> web.StreamResponse:
        limits, what = self._what.limits, self._what
        url = f"{what.lambda_url}/2021-11-15/functions/{what.streamed}/response-streaming-invocations"
        answer: web.StreamResponse | None = None
        try:
            event = await self._rest_event(request, STREAMS)
            async with asyncio.timeout(limits.stream_s), self._session.post(url, data=event) as said:
                _rejected(said.status)
                head, pieces = await opened(said.content.iter_any(), limits)
                answer = web.StreamResponse(status=head.status_code, headers=head.fields())
                await answer.prepare(request)
                async for piece in pieces:
                    await answer.write(piece)
            await answer.write_eof()
        except Refusal as refused:
            return refused.answer
        except (TimeoutError, Broken, Cut, aiohttp.ClientError, ConnectionError) as wrong:
            return _given_up(request, answer, wrong)
        return answer


def _given_up(request: web.Request, answer: web.StreamResponse | None, wrong: Exception) -> web.StreamResponse:
    """An error where nothing was sent yet; else the connection ends before the body does, so that it looks cut."""
    if answer is not None:
        if request.transport is not None:
            request.transport.close()
        return answer
    if isinstance(wrong, TimeoutError):
        return Refusal(504, "Endpoint request timed out").answer
    if isinstance(wrong, Broken):
        return Refusal(502, "Internal server error").answer
    return Refusal(500, "Internal server error").answer


def _rejected(status: int) -> None:
    """The Lambda API would not run the function: 500, but a payload that it says is too large is the caller's."""
    if status == 413:
        raise Refusal(413, "Request Too Long")
    if status != 200:
        raise Refusal(500, "Internal server error")


def _proxied(said: bytes | None, limits: Limits) -> web.Response | None:
    """A function's answer as HTTP; ``None`` where it is none."""
    if said is None:
        return None
    try:
        told = msgspec.json.decode(said, type=_Proxy)
        body: bytes = (told.body or "").encode()
        if told.is_base64:
            body = base64.b64decode(body, validate=True)
    except (msgspec.DecodeError, binascii.Error):
        return None
    if not 100 <= told.status_code <= 599 or len(body) > limits.gateway_bytes:
        return None
    headers: CIMultiDict[str] = CIMultiDict((name, str(value)) for name, value in (told.headers or {}).items())
    for name, values in (told.multi_value_headers or {}).items():
        headers.popall(name, None)
        headers.extend((name, value) for value in values)
    headers.extend(("set-cookie", cookie) for cookie in told.cookies or ())
    headers.popall("content-length", None)
    return web.Response(status=told.status_code, headers=headers, body=body)


async def _no_stage(_request: web.Request) -> web.StreamResponse:
    return Refusal(403, "Missing Authentication Token").answer


async def _begin(what: Front) -> Mapping[str, str]:
    gateway = ApiGateway(what)
    return {
        "http": await listen(gateway.http_api(), what.http_port, header_bytes=LARGEST_LINE),
        "rest": await listen(gateway.rest_api(), what.rest_port, header_bytes=LARGEST_LINE),
    }


if __name__ == "__main__":
    run(Front, _begin)
