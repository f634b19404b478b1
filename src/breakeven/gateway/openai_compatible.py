"""Any server that answers OpenAI's requests over HTTP: OpenAI itself, providers, vLLM, llama.cpp."""

import asyncio
import io
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from breakeven.gateway.credentials import Credential
from breakeven.gateway.upstream import Call, Failure, UpstreamError
from breakeven.units import BYTES_PER_MIB

NOT_PASSED_ON = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "content-length", "date", "server", "set-cookie", "alt-svc",
        "strict-transport-security",
    }
)  # fmt: skip
"""Headers of an answer that hold for one connection, or for the provider's own site."""
LARGE_BYTES = BYTES_PER_MIB
KEPT_ALIVE_S = 4.0
"""Shorter than the 5 s after which uvicorn, and so vLLM, closes an idle connection: few requests meet a closing one."""

CLOSED = (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, aiohttp.ClientOSError)
"""What aiohttp raises where a connection ends before its answer does."""


class HttpReply:
    """An answer on its way: its status and headers, its first bytes, and the rest as it comes."""

    __slots__ = ("_between_s", "_deadline_s", "_first", "_late", "_loop", "_response", "_timer", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, first: bytes, between_s: float) -> None:
        self.status = response.status
        self.headers = tuple(
            (name, value) for raw, value in response.headers.items() if (name := raw.lower()) not in NOT_PASSED_ON
        )
        self._response = response
        self._first = first
        self._between_s = between_s
        self._loop = asyncio.get_running_loop()
        self._deadline_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._late = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces, as they come."""
        if self._first:
            yield self._first
        content = self._response.content
        try:
            while not content.at_eof():
                self._expect()
                if chunk := await content.readany():
                    yield chunk
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as wrong:
            if self._late:
                raise UpstreamError("timeout", f"no further byte within {self._between_s:g} s") from None
            raise UpstreamError("cut", f"the answer broke off ({type(wrong).__name__})") from None
        finally:
            await self.close()

    def _expect(self) -> None:
        """The next piece is due. One timer serves the whole answer: it looks at the newest deadline when it rings."""
        self._deadline_s = self._loop.time() + self._between_s
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline_s, self._ring)

    def _ring(self) -> None:
        if self._loop.time() < self._deadline_s - 0.001:
            self._timer = self._loop.call_at(self._deadline_s, self._ring)
            return
        self._late = True
        self._response.close()

    async def close(self) -> None:
        """Give the connection back if the answer is whole, and close it if not: that stops the upstream's work."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


@dataclass(slots=True, kw_only=True)
class OpenAICompatible:
    """One base URL."""

    name: str
    base_url: str
    key: Credential | None = None
    connect_s: float = 5.0
    _session: aiohttp.ClientSession | None = field(default=None, init=False, repr=False)
    _urls: dict[str, URL] = field(default_factory=dict, init=False, repr=False)

    async def send(self, call: Call) -> HttpReply:
        """Ask, and wait for the first bytes of the answer."""
        return await self.post(self._url(call.path), self._headers(call), call)

    async def post(self, url: URL | str, headers: Mapping[str, str], call: Call) -> HttpReply:
        """Send the call's body to an address on this server; headers are sent as they are, because some are signed."""
        session = self._session or self._open()
        response: aiohttp.ClientResponse | None = None
        at = url if isinstance(url, URL) else URL(url, encoded=True)
        try:
            async with asyncio.timeout(call.first_byte_s):
                body = call.body if len(call.body) < LARGE_BYTES else io.BytesIO(call.body)  # sent in pieces
                response = await session.post(at, data=body, headers=headers, allow_redirects=False)
                first = await response.content.readany()
        except BaseException as wrong:
            if response is not None:
                response.close()
            raise _told(wrong, call, self.connect_s) from None
        return HttpReply(response, first, call.between_bytes_s)

    async def close(self) -> None:
        """Close the pool of connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_ALIVE_S, family=socket.AF_UNSPEC)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.connect_s),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept"),
            proxy=_proxy(self.base_url),
        )
        return self._session

    def _url(self, path: str) -> URL:
        """Base URLs end in the version (``/v1``) that OpenAI's paths begin with."""
        found = self._urls.get(path)
        if found is None:
            found = self._urls[path] = URL(self.base_url.rstrip("/") + path.removeprefix("/v1"), encoded=True)
        return found

    def _headers(self, call: Call) -> dict[str, str]:
        headers = dict(call.headers)
        headers["accept-encoding"] = "identity"
        headers.setdefault("content-type", "application/json")
        if self.key is not None:
            headers["authorization"] = self.key.bearer()
        return headers


def _told(wrong: BaseException, call: Call, connect_s: float) -> BaseException:
    """What went wrong, in words that hold no address, key or prompt. What is no fault of the upstream stays itself."""
    kind = type(wrong).__name__
    told: tuple[tuple[tuple[type[BaseException], ...], Failure, str], ...] = (
        ((aiohttp.ServerTimeoutError,), "timeout", f"no connection within {connect_s:g} s"),
        ((TimeoutError,), "timeout", f"no first byte within {call.first_byte_s:g} s"),
        ((aiohttp.ClientConnectorError,), "refused", f"no connection ({kind})"),
        (CLOSED, "cut", f"closed before an answer ({kind})"),
        ((aiohttp.InvalidURL,), "misconfigured", "its base URL is none"),
        ((aiohttp.ClientError,), "garbled", f"its answer is no HTTP ({kind})"),
    )
    return next((UpstreamError(how, because) for kinds, how, because in told if isinstance(wrong, kinds)), wrong)


def _proxy(base_url: str) -> str | None:
    """The proxy that the environment names for this address (``HTTPS_PROXY``, ``NO_PROXY``)."""
    parts = urlsplit(base_url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
