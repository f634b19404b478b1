"""One answer on its way to Lambda: a prelude with status and headers, then the body as it comes, then how it ended."""

import asyncio
import base64
from collections.abc import Iterable
from typing import Any

import msgspec

from breakeven.gateway.caller import Message

CONTENT_TYPE = "application/vnd.awslambda.http-integration-response"
PRELUDE_END = bytes(8)
"""Eight zero bytes part status and headers from the body (docs.aws.amazon.com, response-transfer-mode-lambda)."""
ERROR_TYPE, ERROR_BODY = "Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"
BROKEN = "Gateway.AnswerBroken"
END = b"0\r\n"


class RuntimeApiError(Exception):
    """Lambda did not take the answer."""


class Streamed:
    """The ASGI side ``send`` of one request, written to the Runtime API as HTTP chunks."""

    def __init__(self, address: str, request_id: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._id = request_id
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._head: Message | None = None
        self.finished = False

    @property
    def begun(self) -> bool:
        """Whether Lambda has been sent anything."""
        return self._writer is not None

    async def send(self, message: Message) -> None:
        """ASGI's ``send``. The prelude waits for the first piece of the body, so that an early fault is an error."""
        if message["type"] == "http.response.start":
            self._head = message
            return
        body = bytes(message.get("body", b""))
        if self._writer is None:
            assert self._head is not None
            await self._begin()
            body = prelude(self._head["status"], self._head["headers"]) + body
        await self._write(body)
        if not message.get("more_body"):
            self.finished = True
            await self._end(b"")

    async def break_off(self, kind: str, told: str) -> None:
        """End a body that has begun with an error, in trailers."""
        body = base64.b64encode(msgspec.json.encode({"errorType": kind, "errorMessage": told})).decode()
        await self._end(f"{ERROR_TYPE}: {kind}\r\n{ERROR_BODY}: {body}\r\n".encode())

    async def _begin(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        self._writer.write(
            f"POST /2018-06-01/runtime/invocation/{self._id}/response HTTP/1.1\r\n"
            f"Host: {self._host}:{self._port}\r\n"
            f"Content-Type: {CONTENT_TYPE}\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
            "Transfer-Encoding: chunked\r\n"
            f"Trailer: {ERROR_TYPE}, {ERROR_BODY}\r\n\r\n".encode()
        )

    async def _write(self, body: bytes) -> None:
        if body:
            assert self._writer is not None
            self._writer.write(b"%x\r\n%b\r\n" % (len(body), body))
            await self._writer.drain()

    async def _end(self, trailers: bytes) -> None:
        """The last chunk, and Lambda's word that it has the answer; then the connection is closed, as AWS asks."""
        assert self._writer is not None
        assert self._reader is not None
        self._writer.write(END + trailers + b"\r\n")
        try:
            await self._writer.drain()
            said = await self._reader.readline()
            if said.split()[1:2] != [b"202"]:
                raise RuntimeApiError(f"the Runtime API said {said!r}")
        finally:
            self._writer.close()


def prelude(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Status and headers as API Gateway takes them before a body.

    >>> prelude(200, [(b"content-type", b"text/plain")])[:-8]
    b'{"statusCode":200,"headers":{"content-type":"text/plain"},"multiValueHeaders":{},"cookies":[]}'
    """
    single: dict[str, str] = {}
    several: dict[str, list[str]] = {}
    cookies: list[str] = []
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "set-cookie":
            cookies.append(value)
        elif name == "content-length":
            continue  # of the body alone, while Lambda counts the prelude too
        elif name in several:
            several[name].append(value)
        elif name in single:
            several[name] = [single.pop(name), value]
        else:
            single[name] = value
    told: dict[str, Any] = {"statusCode": status, "headers": single, "multiValueHeaders": several, "cookies": cookies}
    return msgspec.json.encode(told) + PRELUDE_END
