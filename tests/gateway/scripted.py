"""An upstream on a real socket that does what a test tells it."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

SOON_S = 10.0
"""How long a test waits for what has to happen at once, on a busy machine."""
CHAT = {"model": "chat", "messages": [{"role": "user", "content": "Hi"}]}
"""The smallest chat."""
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "there",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 20,
        "completion_tokens": 5,
        "total_tokens": 25,
        "prompt_tokens_details": {"cached_tokens": 8},
    },
}


@dataclass(slots=True)
class Heard:
    """One request as the upstream got it."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    upstream: "ScriptedUpstream"

    @property
    def json(self):
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return next((value for one, value in self.headers if one == name), None)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body: object = None, status: int = 200, headers: tuple[str, ...] = ()) -> None:
        """A whole answer."""
        raw = body if isinstance(body, bytes) else json.dumps(ANSWER if body is None else body).encode()
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(raw)}", "content-type: application/json", *headers]
        await self.send("\r\n".join([*lines, "", ""]).encode() + raw)

    async def begin_stream(self) -> None:
        await self.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
        )

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def frame(self, content: object) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        await self.chunk(b"data: " + data + b"\n\n")

    async def end_stream(self) -> None:
        await self.send(b"0\r\n\r\n")

    async def wait_for_hang_up(self) -> None:
        """Until the gateway closes the connection."""
        while await self.reader.read(65_536):
            pass
        self.upstream.hung_up.set()


Script = Callable[[Heard], Awaitable[None]]


def delta(text: str, finish: str | None = None) -> dict:
    """A frame of a chat."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "there", "choices": [choice]}


USAGE_FRAME = {
    "id": "c",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "there",
    "choices": [],
    "usage": {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22},
}


async def honest(heard: Heard) -> None:
    """What a well-behaved upstream does."""
    if heard.path.endswith("/embeddings"):
        usage = {"prompt_tokens": 4, "total_tokens": 4}
        data = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
        await heard.answer({"object": "list", "data": data, "model": "there", "usage": usage})
    elif heard.json.get("stream"):
        await heard.begin_stream()
        await heard.frame(delta("Hel"))
        await heard.frame(delta("lo!", "stop"))
        if (heard.json.get("stream_options") or {}).get("include_usage"):
            await heard.frame(USAGE_FRAME)
        await heard.frame(b"[DONE]")
        await heard.end_stream()
    else:
        await heard.answer()


class ScriptedUpstream:
    """A server on a free port that follows a script."""

    def __init__(self) -> None:
        self.script: Script = honest
        self.heard: list[Heard] = []
        self.hung_up = threading.Event()
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**24))
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.rstrip().split("\r\n")
                method, path, _ = first.split(" ")
                pairs = (line.split(": ", 1) for line in lines)
                headers = [(name.lower(), value) for name, value in pairs]
                size = int(dict(headers).get("content-length", "0"))
                body = await reader.readexactly(size)
                heard = Heard(method, path, headers, body, reader, writer, self)
                self.heard.append(heard)
                await self.script(heard)
                if writer.is_closing():
                    break
        writer.close()

    def close(self) -> None:
        async def stop() -> None:
            self._server.close()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(SOON_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SOON_S)
        self._loop.close()
