"""A gateway on a real socket, and a caller that sees every byte."""

import json
import socket
import threading
import time
from dataclasses import dataclass, field

from tests.gateway.scripted import SOON_S

from breakeven.gateway.door import Door
from breakeven.gateway.open_books import OpenBooks
from breakeven.gateway.records import UsageRecord


@dataclass(slots=True)
class RunningGateway:
    """A gateway on a free port, in a thread of this process."""

    port: int
    door: Door
    books: OpenBooks
    server: object
    thread: threading.Thread
    sockets: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def records(self, count: int) -> list[UsageRecord]:
        """The records, once there are so many."""
        until = time.monotonic() + SOON_S
        while len(self.books.records) < count and time.monotonic() < until:
            time.sleep(0.002)
        assert len(self.books.records) == count, list(self.books.records)
        return list(self.books.records)

    def record(self) -> UsageRecord:
        """The only record."""
        return self.records(1)[0]

    def raw(self, data: bytes) -> socket.socket:
        """A connection on which so many bytes were sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=SOON_S)
        self.sockets.append(connection)
        connection.sendall(data)
        return connection

    def post(self, body: object, *headers: str, path: str = "/v1/chat/completions") -> socket.socket:
        """A request whose answer is still to be read."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", "host: x", f"content-length: {len(raw)}", *headers]
        return self.raw("\r\n".join([*lines, "", ""]).encode() + raw)

    def ask(self, body: object, *headers: str, path: str = "/v1/chat/completions") -> "Answered":
        """A request and its whole answer."""
        return read_answer(self.post(body, "connection: close", *headers, path=path))

    def stop(self) -> None:
        for connection in self.sockets:
            connection.close()
        self.server.should_exit = True
        self.thread.join(SOON_S)
        assert not self.thread.is_alive()


@dataclass(slots=True)
class Answered:
    """What a caller got."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return next((value for one, value in self.headers if one == name), None)


def read_answer(connection: socket.socket) -> Answered:
    """All that comes until the gateway closes the connection; chunks are joined."""
    data = b""
    with connection:
        while piece := connection.recv(1 << 20):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [tuple(line.lower().split(": ", 1)) for line in lines]
    if ("transfer-encoding", "chunked") in headers:
        body = unchunked(body)
    return Answered(int(first.split(" ")[1]), headers, body)


def unchunked(body: bytes) -> bytes:
    out = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size or b"0", 16)
        out += rest[:length]
        body = rest[length + 2 :]
    return out
