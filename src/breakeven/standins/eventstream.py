"""AWS's event stream, written: how Lambda and SageMaker send an answer in pieces over one HTTP body."""

import struct
import zlib
from collections.abc import Mapping

CONTENT_TYPE = "application/vnd.amazon.eventstream"
STRING = 7


def event(kind: str, payload: bytes, content_type: str = "application/octet-stream") -> bytes:
    """One event: its kind and its bytes."""
    return message({":message-type": "event", ":event-type": kind, ":content-type": content_type}, payload)


def exception(kind: str, payload: bytes) -> bytes:
    """The end of a stream that broke."""
    return message(
        {":message-type": "exception", ":exception-type": kind, ":content-type": "application/json"}, payload
    )


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Lengths, a checksum of them, headers, payload, a checksum of everything."""
    told = b"".join(_header(name, value) for name, value in headers.items())
    lengths = struct.pack("!II", 16 + len(told) + len(payload), len(told))
    whole = lengths + struct.pack("!I", zlib.crc32(lengths)) + told + payload
    return whole + struct.pack("!I", zlib.crc32(whole))


def _header(name: str, value: str) -> bytes:
    name_bytes, value_bytes = name.encode(), value.encode()
    return struct.pack(
        f"!B{len(name_bytes)}sBH{len(value_bytes)}s", len(name_bytes), name_bytes, STRING, len(value_bytes), value_bytes
    )
