"""The SageMaker runtime: ``InvokeEndpoint``, streamed or not, and the OpenAI path, in front of one container.

    python -m breakeven.standins.sagemaker '{"endpoint": "local", "container_url": "http://127.0.0.1:40124"}'

Signatures and tokens are not checked. Errors are in the shape of AWS's service model.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping

import aiohttp
import msgspec
from aiohttp import web

from breakeven.standins.child import body_within, listen, passed_on, run
from breakeven.standins.eventstream import CONTENT_TYPE, event, exception
from breakeven.standins.limits import Limits

CONNECT_S = 1.0
VARIANT = "AllTraffic"


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """Which endpoint there is, and the container behind it."""

    endpoint: str
    container_url: str
    limits: Limits = Limits()


class SageMakerRuntime:
    """The paths of the service."""

    def __init__(self, what: Runtime) -> None:
        self._what = what
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S), auto_decompress=False
        )

    def app(self) -> web.Application:
        """The application."""
        found = web.Application()
        found.router.add_post("/endpoints/{name}/invocations", self._whole)
        found.router.add_post("/endpoints/{name}/invocations-response-stream", self._streamed)
        found.router.add_post("/endpoints/{name}/openai/v1/{tail:.*}", self._openai)
        return found

    async def _whole(self, request: web.Request) -> web.StreamResponse:
        asked = await self._ask(request, "/invocations")
        if isinstance(asked, web.Response):
            return asked
        try:
            async with asyncio.timeout(self._what.limits.container_s):
                body = await asked.read()
        except (TimeoutError, aiohttp.ClientError):
            return _model_error(0, "the container did not finish its answer")
        finally:
            asked.close()
        if asked.status >= 400:
            return _model_error(asked.status, body.decode(errors="replace"))
        headers = {
            "content-type": asked.headers.get("content-type", "application/json"),
            "x-Amzn-Invoked-Production-Variant": VARIANT,
        }
        return web.Response(body=body, headers=headers)

    async def _streamed(self, request: web.Request) -> web.StreamResponse:
        asked = await self._ask(request, "/invocations")
        if isinstance(asked, web.Response):
            return asked
        try:
            if asked.status >= 400:
                return _model_error(asked.status, (await asked.read()).decode(errors="replace"))
            headers = {
                "content-type": CONTENT_TYPE,
                "X-Amzn-SageMaker-Content-Type": asked.headers.get("content-type", "text/event-stream"),
                "x-Amzn-Invoked-Production-Variant": VARIANT,
            }
            answer = web.StreamResponse(headers=headers)
            await answer.prepare(request)
            await passed_on(answer, _events(asked))
            return answer
        finally:
            asked.close()

    async def _openai(self, request: web.Request) -> web.StreamResponse:
        asked = await self._ask(request, f"/openai/v1/{request.match_info['tail']}")
        if isinstance(asked, web.Response):
            return asked
        try:
            answer = web.StreamResponse(
                status=asked.status, headers={"content-type": asked.headers.get("content-type", "application/json")}
            )
            await answer.prepare(request)
            await passed_on(answer, _pieces(asked))
            return answer
        finally:
            asked.close()

    async def _ask(self, request: web.Request, path: str) -> aiohttp.ClientResponse | web.Response:
        """The container's answer up to its headers, or the service's own refusal."""
        what = self._what
        if request.match_info["name"] != what.endpoint:
            return _refused(400, "ValidationError", f"Endpoint {request.match_info['name']} not found.")
        body = await body_within(request, what.limits.invoke_bytes)
        if body is None:
            return _refused(413, "ValidationError", f"The body is longer than {what.limits.invoke_bytes} bytes.")
        try:
            async with asyncio.timeout(what.limits.container_s):
                return await self._session.post(
                    what.container_url + path, data=body, headers={"content-type": "application/json"}
                )
        except TimeoutError:
            return _model_error(0, "the invocation timed out while waiting for the container")
        except aiohttp.ClientConnectorError:
            return _refused(503, "ServiceUnavailable", "No container is in service.")
        except aiohttp.ClientError:
            return _model_error(0, "the container closed the connection")


async def _events(asked: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in asked.content.iter_any():
            yield event("PayloadPart", piece)
    except aiohttp.ClientError:
        told = {"Message": "the container closed the connection", "ErrorCode": "StreamBroken"}
        yield exception("ModelStreamError", msgspec.json.encode(told))


async def _pieces(asked: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async for piece in asked.content.iter_any():
        yield piece


def _refused(status: int, kind: str, told: str) -> web.Response:
    return web.json_response({"Message": told}, status=status, headers={"x-amzn-ErrorType": kind})


def _model_error(status: int, said: str) -> web.Response:
    told = {
        "Message": f"Received error ({status}) from model. See the log of the container.",
        "OriginalStatusCode": status,
        "OriginalMessage": said,
    }
    return web.json_response(told, status=424, headers={"x-amzn-ErrorType": "ModelError"})


async def _begin(what: Runtime) -> Mapping[str, str]:
    return {"sagemaker": await listen(SageMakerRuntime(what).app(), stops=True)}


if __name__ == "__main__":
    run(Runtime, _begin)
