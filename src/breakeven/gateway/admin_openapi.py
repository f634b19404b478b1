"""The admin API's own description, built from the shapes that it reads and writes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from breakeven.gateway.admin_shapes import Error

ID = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}
REF = "#/components/schemas/{name}"
WHY = {
    "400": "What was given does not fit; the message says what and why.",
    "401": "The admin token is missing or wrong.",
    "404": "There is no such key or team.",
    "409": "There is one already, or it is in use.",
    "413": "The body is too long.",
    "503": "The store does not answer.",
}


class Operation(NamedTuple):
    """One thing that the API does."""

    method: str
    path: str
    name: str
    told: str
    gives: type[Any] | None
    status: int = 200
    takes: type[Any] | None = None
    query: Mapping[str, Mapping[str, Any]] = {}
    """Parameters of the query by name, with their schema."""
    fails: Sequence[str] = ()


def document(operations: Sequence[Operation], prefix: str, version: str) -> dict[str, Any]:
    """The OpenAPI document."""
    kinds = {kind for one in operations for kind in (one.gives, one.takes) if kind} | {Error}
    ordered = sorted(kinds, key=lambda kind: kind.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=REF)
    refs = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(prefix + one.path, {})[one.method.lower()] = _operation(one, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "breakeven gateway: admin", "version": version},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"admin": {"type": "http", "scheme": "bearer", "description": "The admin token."}},
        },
        "security": [{"admin": []}],
    }


def _operation(one: Operation, refs: Mapping[type[Any], Any]) -> dict[str, Any]:
    answers: dict[str, Any] = {
        code: {"description": WHY[code], "content": {"application/json": {"schema": refs[Error]}}}
        for code in sorted({"401", "503", *one.fails})
    }
    answers[str(one.status)] = {"description": one.told}
    if one.gives:
        answers[str(one.status)]["content"] = {"application/json": {"schema": refs[one.gives]}}
    found: dict[str, Any] = {"operationId": one.name, "summary": one.told, "responses": answers}
    inside = [
        {"name": name, "in": "path", "required": True, "schema": ID}
        for name in (part.strip("{}") for part in one.path.split("/") if part.startswith("{"))
    ]
    inside += [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in one.query.items()]
    if inside:
        found["parameters"] = inside
    if one.takes:
        content = {"application/json": {"schema": refs[one.takes]}}
        found["requestBody"] = {"required": True, "content": content}
    return found
