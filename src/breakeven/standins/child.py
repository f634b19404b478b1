"""A stand-in's own process: serves on a free port of this machine, tells where, and ends when its parent is gone."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec
from aiohttp import web

HOST = "127.0.0.1"
LARGEST_LINE = 32 * 1024
T = TypeVar("T", bound=msgspec.Struct)


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line on standard output: where it answers, or something that a person should see."""

    urls: dict[str, str] = {}
    note: str = ""


Begun = Callable[[T], Awaitable[Mapping[str, str]]]


def note(text: str) -> None:
    """Say something to whoever runs the stack."""
    tell(Told(note=text))


def tell(told: Told) -> None:
    """Write a line to the parent; one that has gone is no fault."""
    with contextlib.suppress(OSError):
        os.write(1, msgspec.json.encode(told) + b"\n")


def run(kind: type[T], begin: Begun[T]) -> None:
    """The main of a stand-in: what to do is the first argument, as JSON."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent ends this process
    threading.Thread(target=_end_with_the_pipe, daemon=True).start()
    asyncio.run(_serve(msgspec.json.decode(sys.argv[1], type=kind), begin))


async def _serve(what: T, begin: Begun[T]) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    tell(Told(urls=dict(await begin(what))))
    await ended.wait()
    os._exit(0)  # whoever waits for an answer hears of it by the closed connection


def _end_with_the_pipe() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)


async def listen(app: web.Application, port: int = 0, *, header_bytes: int = LARGEST_LINE, stops: bool = False) -> str:
    """Serve an application; its address. ``stops``: a caller who leaves stops the work on its request."""
    runner = web.AppRunner(
        app, access_log=None, max_line_size=header_bytes, max_field_size=header_bytes, handler_cancellation=stops
    )
    await runner.setup()
    site = web.TCPSite(runner, HOST, port)
    await site.start()
    bound: int = runner.addresses[0][1]
    return f"http://{HOST}:{bound}"


async def body_within(request: web.Request, most: int) -> bytes | None:
    """The body of a request; ``None`` if it is longer: then it is read on a little, so that the refusal is heard."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.content.iter_any():
        size += len(piece)
        if size <= most:
            pieces.append(piece)
        elif size > 4 * most:
            break
    return b"".join(pieces) if size <= most else None


async def passed_on(answer: web.StreamResponse, pieces: AsyncIterator[bytes]) -> None:
    """Write pieces as they come."""
    async for piece in pieces:
        await answer.write(piece)
    await answer.write_eof()
