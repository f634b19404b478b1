"""Refusals in OpenAI's shape: the JSON, the headers, and the words for each kind of trouble."""

import math

import msgspec

from breakeven.errors import near_matches
from breakeven.gateway.ledger import Refused

Headers = list[tuple[bytes, bytes]]


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """What OpenAI's clients read of an error."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every refusal."""

    error: Detail


def body_of(refused: Refused) -> bytes:
    """The JSON of a refusal."""
    detail = Detail(message=refused.message, type=refused.kind, code=refused.code)
    return msgspec.json.encode(Body(error=detail))


def headers_of(refused: Refused) -> Headers:
    """Its headers, less the request's id."""
    headers = [(b"content-type", b"application/json")]
    if refused.retry_after_s is not None:
        headers.append((b"retry-after", str(max(1, math.ceil(refused.retry_after_s))).encode()))
    return headers


def unknown_path(path: str) -> Refused:
    """404 for a path that nothing answers."""
    return Refused(404, "unknown_url", f"There is nothing at {path[:200]}. Expected: a path below /v1.")


def wrong_method(method: str, expected: str) -> Refused:
    """405."""
    return Refused(405, "method_not_allowed", f"{method[:20]} is not answered here. Expected: {expected}.")


def unknown_model(model: str, known: tuple[str, ...]) -> Refused:
    """404 for a model that no route serves, with near matches."""
    near = near_matches(model, known)
    hint = f" Did you mean: {', '.join(near)}?" if near else " GET /v1/models lists them."
    return Refused(404, "model_not_found", f"The model {model[:200]!r} is not served here.{hint}")


def too_long(what: str, limit_bytes: int, status: int = 413) -> Refused:
    """413 or 431."""
    return Refused(status, f"{what}_too_long", f"The {what} is longer than {limit_bytes:,} bytes.")


def too_slow(what: str, limit_s: float) -> Refused:
    """408 for a caller that takes too long."""
    return Refused(408, "request_timeout", f"The {what} took longer than {limit_s:g} s to arrive.")


def busy(because: str, retry_after_s: float | None) -> Refused:
    """503 where nobody can be asked now."""
    return Refused(503, "overloaded", because, kind="server_error", retry_after_s=retry_after_s)


def out_of_time(limit_s: float) -> Refused:
    """504 for a request that took longer than any may."""
    return Refused(504, "timeout", f"The request took longer than {limit_s:g} s.", kind="server_error")


def bad_upstream(because: str, *, status: int = 502) -> Refused:
    """502 or 504 where whoever was asked gave no answer."""
    return Refused(status, "upstream_error", because, kind="server_error")


def internal() -> Refused:
    """500: a fault of the gateway."""
    return Refused(500, "internal_error", "The gateway failed; its log knows more.", kind="server_error")
