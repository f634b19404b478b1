"""What a call of the admin API says: its path, query and body, read strictly; and how it is answered."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from breakeven.errors import near_matches
from breakeven.gateway import admin_shapes as shapes

LONGEST_BODY = 65_536
SPEND_DAYS = 30
T = TypeVar("T")


class Failed(Exception):  # noqa: N818 - an answer, not a fault
    """An answer that is an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def answer(shape: Any, status: int = 200) -> Response:  # noqa: ANN401 - any of the shapes
    """A shape as a response."""
    return Response(msgspec.json.encode(shape), status, media_type="application/json")


def failed(status: int, code: str, message: str) -> Response:
    """An error as a response, in OpenAI's shape."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    told = shapes.Error(error=shapes.Told(message=message, type=kind, code=code))
    found = answer(told, status)
    if status == 401:
        found.headers["www-authenticate"] = "Bearer"
    return found


async def body_of(request: Request, kind: type[T]) -> T:
    """The body as a shape. Raises ``Failed``."""
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > LONGEST_BODY:
            raise Failed(413, "body_too_long", f"The body is longer than {LONGEST_BODY:,} bytes.")
    try:
        return msgspec.convert(_whole(msgspec.json.decode(raw)), kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as wrong:
        raise Failed(400, "invalid_body", f"The body does not fit: {wrong}") from wrong


def _whole(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The same with 2.0 as 2: to JSON Schema both are whole numbers."""
    if isinstance(value, dict):
        return {name: _whole(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def name_of(request: Request, what: str = "key") -> str:
    """The id in the path; no store can hold a zero character."""
    return str(request.path_params[what]).replace("\0", "\N{REPLACEMENT CHARACTER}")


def query_of(request: Request, *known: str) -> dict[str, str]:
    """The query, of which only these names are known, each once. Raises ``Failed``."""
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            near = near_matches(name, known)
            hint = f"Did you mean: {', '.join(near)}?" if near else f"Expected: {', '.join(known)}."
            raise Failed(400, "invalid_query", f"The query has {name!r}, which is not known here. {hint}")
        if name in found:
            raise Failed(400, "invalid_query", f"The query has {name!r} twice.")
        if "\0" in value:
            raise Failed(400, "invalid_query", f"The query's {name!r} holds a zero character.")
        found[name] = value
    return found


def _time(query: dict[str, str], name: str, default: datetime) -> datetime:
    if name not in query:
        return default
    try:
        return msgspec.convert(query[name], shapes.Time)
    except msgspec.ValidationError as wrong:
        told = f"{name}={query[name]} is no time with a zone, such as 2026-11-01T00:00:00Z."
        raise Failed(400, "invalid_query", told) from wrong


def span_of(query: dict[str, str]) -> tuple[datetime, datetime]:
    """From when until when: ``since`` and ``until``, by default the last 30 days. Raises ``Failed``."""
    until = _time(query, "until", datetime.now(UTC))
    return _time(query, "since", until - timedelta(days=SPEND_DAYS) if until.year > 1 else until), until
