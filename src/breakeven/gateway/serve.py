"""Serving: a socket before the application, within limits, until it is told to stop and the last stream has ended."""

import asyncio
import contextlib
import gc
import ipaddress
import logging
import signal
import socket
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from breakeven.errors import SpecError
from breakeven.gateway.app import Asgi
from breakeven.gateway.caller import HANG_UP
from breakeven.gateway.config import Limits
from breakeven.gateway.logbook import LOGGER, JsonLines

BACKLOG = 2048
LEAST_TOKEN_LENGTH = 16
COLLECTS_AFTER = 10_000, 20, 50
"""Requests leave no cycles behind, so the collector is called more rarely than for a script."""


def refuse_open_admin(host: str, token: str | None, variable: str) -> None:
    """Refuse to start where others could administer the gateway.

    Raises:
        SpecError: if the address is not this machine's own and the token is empty or short.
    """
    if len(token or "") >= LEAST_TOKEN_LENGTH or is_loopback(host):
        return
    raise SpecError(
        f"the gateway listens on {host}, and {variable} is {'too short' if token else 'empty'}",
        expected=f"an admin token of {LEAST_TOKEN_LENGTH} characters or more, or an address of this machine alone",
        do=f"export {variable}=$(openssl rand -hex 32), or listen on 127.0.0.1",
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0: one that is free.

    Raises:
        SpecError: if the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except OSError as wrong:
        found.close()
        raise SpecError(
            f"{host}:{port} cannot be listened on: {wrong.strerror}",
            expected="a free address",
            do="Choose another port",
        ) from wrong
    found.setblocking(False)
    return found


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP with limits on the headers: their size, and the time in which they have to come."""

    limits = Limits()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A caller is here: its headers are due."""
        super().connection_made(transport)
        self._hears: list[Callable[[], None]] = []
        """Who is told when the caller hangs up: its request, while it is served."""
        self._header_bytes = 0
        self._due: asyncio.TimerHandle | None = self.loop.call_later(self.limits.header_s, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone. uvicorn would keep one that was reset in memory until its keep-alive timer rings."""
        self._came()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        for hears in tuple(self._hears):
            hears()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["extensions"] = {HANG_UP: self._hears}  # type: ignore[dict-item]

    def data_received(self, data: bytes) -> None:
        """Bytes came: a new request's headers are due from its first byte on.

        Up to the limit the application tells the caller; what is still no request at twice the limit is not kept.
        """
        if self._due is None and (self.cycle is None or self.cycle.response_complete):
            self._due = self.loop.call_later(self.limits.header_s, self._give_up)
        super().data_received(data)
        if self._due is not None:
            self._header_bytes += len(data)
            if self._header_bytes > 2 * self.limits.header_bytes:
                self._give_up()

    def on_headers_complete(self) -> None:
        """All headers are here."""
        self._came()
        super().on_headers_complete()

    def _came(self) -> None:
        self._header_bytes = 0
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _give_up(self) -> None:
        self._came()
        self.transport.close()


class Server(uvicorn.Server):
    """uvicorn, which also says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets=sockets)
        if self.started:
            gc.collect()
            gc.freeze()  # what lives as long as the server is not looked through again: collections stay short
            gc.set_threshold(*COLLECTS_AFTER)
            self._ready()


def server_of(app: Asgi, limits: Limits, ready: Callable[[], None] = lambda: None) -> Server:
    """A server for the application. On SIGTERM it accepts nobody, lets open requests end, and stops."""
    bounded = type("Bounded", (BoundedHttp,), {"limits": limits})
    config = uvicorn.Config(
        app,
        http=bounded,
        ws="none",
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, round(limits.drain_s)),
    )
    return Server(config, ready)


def log_to_stderr() -> None:
    """One JSON object a line, of the gateway and of the server below it."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    handler.addFilter(_is_news)
    for name in (LOGGER.name, "uvicorn", "aiohttp", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO if name == LOGGER.name else logging.WARNING)


def _is_news(record: logging.LogRecord) -> bool:
    """A stream that is broken off on purpose is told by the gateway, not by the server."""
    return "returned without completing response" not in record.getMessage()


def serve(app: Asgi, listener: socket.socket, limits: Limits, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT. Returns when the last request has ended, so that its caller can flush the books.

    uvicorn raises the signal that stopped it once more when it has ended; SIGTERM would end the process right there.
    """
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    try:
        with contextlib.closing(listener), contextlib.suppress(KeyboardInterrupt):
            server_of(app, limits, ready).run(sockets=[listener])
    finally:
        signal.signal(signal.SIGTERM, before)
