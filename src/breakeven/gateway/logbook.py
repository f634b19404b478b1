"""What the gateway says in its log: one JSON object a line, never a prompt, an answer or a key."""

import logging
import time
from typing import Any

import msgspec

from breakeven.gateway.records import UsageRecord

LOGGER = logging.getLogger("breakeven.gateway")


class Logbook:
    """The events that are worth a line."""

    __slots__ = ("_requests",)

    def __init__(self, *, requests: bool = False) -> None:
        self._requests = requests

    def upstream_failed(self, request: str, replica: str, failure: str, because: str, opened: bool) -> None:
        """An attempt failed; ``opened``: from now on the replica is left alone."""
        _say(logging.WARNING, "upstream_failed", request=request, upstream=replica, failure=failure, because=because)
        if opened:
            _say(logging.WARNING, "breaker_open", upstream=replica)

    def broke(self, request: str, wrong: BaseException) -> None:
        """A fault of the gateway. Its kind and place are told, not its text, which may hold what a caller sent."""
        frame = wrong.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        place = f"{frame.tb_frame.f_code.co_filename.rpartition('/')[2]}:{frame.tb_lineno}" if frame else ""
        _say(logging.ERROR, "internal_error", request=request, kind=type(wrong).__name__, at=place)

    def settled(self, record: UsageRecord) -> None:
        """A request has ended."""
        if self._requests:
            _say(logging.INFO, "request", record=record)


def _say(level: int, event: str, **fields: Any) -> None:  # noqa: ANN401 - whatever msgspec writes
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, event, extra={"fields": fields})


class JsonLines(logging.Formatter):
    """A log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields = getattr(record, "fields", {})
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        line = {"at": at, "level": record.levelname.lower(), "event": record.getMessage(), **fields}
        return msgspec.json.encode(line).decode()
