"""What the door asks of tracing: one span for each request, in the caller's trace, and upstreams told of it."""

from typing import Protocol

from breakeven.gateway.records import UsageRecord

Headers = tuple[tuple[str, str], ...]
"""Names in lower case, as a caller's headers are passed on."""


class Traced(Protocol):
    """The span of one request."""

    def onward(self, headers: Headers, path: str, model: str | None, at_us: int) -> Headers:
        """The headers for an upstream: what it traces hangs below this span instead of beside it."""
        ...

    def end(self, record: UsageRecord) -> None:
        """The request is over, and this is what became of it."""
        ...


class Tracing(Protocol):
    """Whoever makes spans."""

    def begin(self, headers: Headers) -> Traced:
        """A request came with these headers; its span joins the trace that they name, if they name one."""
        ...
