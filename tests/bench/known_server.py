"""A server on a real socket whose first token and pace are known, and which counts tokens as one a word."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field

OVERHEAD_TOKENS = 7
"""What its template adds to every prompt."""


@dataclass
class Known:
    """What it does, and what it saw. Times in seconds on this machine's own clock."""

    first_s: float = 0.05
    pace_s: float = 0.01
    fail_every: int = 0
    cut_every: int = 0
    takes_ignore_eos: bool = True
    takes_max_tokens: bool = True
    counts: bool = True
    stops_at: int = 1_000_000
    prompts: list[str] = field(default_factory=list)
    bodies: list[dict] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    done: Counter = field(default_factory=Counter)
    ttft_s: list[float] = field(default_factory=list)
    tpot_s: list[float] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> "Known":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            size = next((int(x.split(":")[1]) for x in head.splitlines() if x.lower().startswith("content-length")), 0)
            body = await reader.readexactly(size)
            if head.startswith("GET"):
                await _whole(writer, 200, {"data": [{"id": "known"}]})
            else:
                await self._chat(json.loads(body), writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _chat(self, body: dict, writer: asyncio.StreamWriter) -> None:
        if "ignore_eos" in body and not self.takes_ignore_eos:
            await _whole(writer, 400, {"error": {"message": "unknown field ignore_eos"}})
            return
        if "max_tokens" in body and not self.takes_max_tokens:
            await _whole(writer, 400, {"error": {"message": "use max_completion_tokens"}})
            return
        clock = asyncio.get_running_loop().time
        began = clock()
        self.at_s.append(began)
        self.bodies.append(body)
        self.prompts.append(body["messages"][0]["content"])
        if self.fail_every and len(self.prompts) % self.fail_every == 0:
            await _whole(writer, 503, {"error": {"message": "overloaded [by tests]"}})
            return
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self._stream(body, writer, began)
        finally:
            self.in_flight -= 1

    async def _stream(self, body: dict, writer: asyncio.StreamWriter, began: float) -> None:
        clock = asyncio.get_running_loop().time
        asked = body.get("max_tokens") or body["max_completion_tokens"]
        count = asked if body.get("ignore_eos") else min(asked, self.stops_at)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        _frame(writer, {"choices": [{"delta": {"role": "assistant", "content": ""}}]})
        times = []
        for number in range(count):
            due = began + self.first_s + number * self.pace_s
            await asyncio.sleep(max(0.0, due - clock()))
            _frame(writer, {"choices": [{"delta": {"content": " word"}}]})
            await writer.drain()
            times.append(clock())
            if self.cut_every and len(self.prompts) % self.cut_every == 0:
                return
        self.ttft_s.append(times[0] - began)
        if count > 1:
            self.tpot_s.append((times[-1] - times[0]) / (count - 1))
        if self.counts:
            tokens = {"prompt_tokens": OVERHEAD_TOKENS + len(body["messages"][0]["content"].split())}
            _frame(writer, {"choices": [], "usage": tokens | {"completion_tokens": count}})
        writer.write(b"data: [DONE]\n\n")
        await writer.drain()
        self.done[asked] += 1


def _frame(writer: asyncio.StreamWriter, content: dict) -> None:
    writer.write(b"data: " + json.dumps(content).encode() + b"\n\n")


async def _whole(writer: asyncio.StreamWriter, status: int, content: dict) -> None:
    raw = json.dumps(content).encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(raw)}\r\ncontent-type: application/json\r\nconnection: close"
    writer.write(head.encode() + b"\r\n\r\n" + raw)
    await writer.drain()
