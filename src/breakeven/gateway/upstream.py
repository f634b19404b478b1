"""Who answers requests, behind one interface: one call out, bytes back, and a failure that says what kind it is."""

from collections.abc import AsyncIterator
from typing import Literal, Protocol

import msgspec

Failure = Literal["refused", "timeout", "garbled", "cut", "misconfigured"]


class Call(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request on its way out.

    Attributes:
        path: The OpenAI path, such as ``/v1/chat/completions``.
        body: The JSON body, with the model's name as this upstream knows it.
        headers: Headers that the caller's request passes on (lower case); never its authorization.
        streamed: Whether the answer is expected as server-sent events.
        first_byte_s: How long to wait for the first byte of the answer, in seconds.
        between_bytes_s: How long to wait for each further one.
    """

    path: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    streamed: bool = False
    first_byte_s: float = 60.0
    between_bytes_s: float = 60.0


class UpstreamError(Exception):
    """The upstream could not be asked, or stopped answering. The text never holds a key, a prompt or an answer."""

    def __init__(self, failure: Failure, because: str) -> None:
        super().__init__(because)
        self.failure = failure
        self.because = because


class Reply(Protocol):
    """What came back: a status and headers at once, the body as it arrives."""

    status: int
    headers: tuple[tuple[str, str], ...]

    def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces, unchanged, in order. Raises ``UpstreamError`` (``cut``, ``timeout``) where it breaks."""
        ...

    async def close(self) -> None:
        """Stop the upstream's work, whatever of the body is left. May be called more than once."""
        ...


class Upstream(Protocol):
    """One server that answers OpenAI requests: any compatible URL, or a SageMaker endpoint."""

    name: str

    async def send(self, call: Call) -> Reply:
        """Ask; returns with the first byte of the answer. Raises ``UpstreamError`` where there is none."""
        ...

    async def close(self) -> None:
        """Close what is kept open between calls."""
        ...
