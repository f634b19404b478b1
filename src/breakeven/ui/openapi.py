"""The OpenAPI document of the API, made from its operations, the types that they give, and the fields of a spec."""

from functools import cache
from typing import Any, get_type_hints

import msgspec

from breakeven import __version__
from breakeven.report.document import schema_of_money
from breakeven.ui.address import FIELDS
from breakeven.ui.api import OPERATIONS, V1, Operation, Problem, Uploaded
from breakeven.ui.downloads import FILES
from breakeven.ui.sendform import PART_UPLOAD
from breakeven.workload.spec import Spec

FORMS = {
    "text": "text",
    "names": "names with commas between",
    "value": "a number, true or false",
    "mixed": "text, a number or JSON",
    "json": "JSON",
}
UPLOAD = f"{V1}/workload"
HTML, SVG, FILE = "text/html", "image/svg+xml", "application/octet-stream"
OPTION = ("option", "the id of an option that is shown")
STACK = (OPTION, ("weights", "where the weights lie"), ("quantized", "whether they are quantized already"))
PARTS: dict[str, tuple[str, str, tuple[tuple[str, str], ...]]] = {
    "/part/answer": ("The answer of a scenario, as the part of the page that is replaced", HTML, ()),
    "/part/step": ("The answer in a few figures at another traffic, while it is dragged", HTML, ()),
    "/part/bill": ("The bill of an option, unfolded", HTML, (OPTION,)),
    "/part/picture/{name}": ("A picture of the answer", SVG, (("width", "wide or narrow"),)),
    "/part/out": ("What was ruled out and why", HTML, (("find", "text that a reason must hold, or a model"),)),
    "/download/{name}": (f"A file to take along: {', '.join(FILES)}", FILE, ()),
    "/download/stack.yaml": ("The CloudFormation document of an option", "application/yaml", STACK),
}
"""What the pages ask beside the API's JSON: the same answers, drawn. What it does, what it gives, what it asks."""


def _parameter(name: str, words: str, where: str) -> dict[str, Any]:
    return {"name": name, "in": where, "description": words, "schema": {"type": "string"}}


SENT = [
    _parameter("name", "the file's name, whose ending says what it is", "query"),
    _parameter("base", "the query of the scenario over which a log's traffic and tokens are laid", "query"),
]
SENT_FILE = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
"""How a file is sent."""


@cache
def document() -> bytes:
    """The document as JSON."""
    types = [operation.gives for operation in OPERATIONS.values()] + [Problem, Uploaded]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    shape_of = dict(zip([*OPERATIONS, "problem", "uploaded"], map(schema_of_money, schemas), strict=True))
    paths = {path: {"get": _get(path, one, shape_of)} for path, one in OPERATIONS.items()}
    paths[UPLOAD] = {"post": _post(shape_of)}
    paths |= {path: {"get": _part(path, *told)} for path, told in PARTS.items()}
    paths[PART_UPLOAD] = {"post": _part_post()}
    made = {
        "openapi": "3.1.0",
        "info": {
            "title": "breakeven",
            "version": __version__,
            "summary": "Is a paid LLM API or a self-hosted open model cheaper for my traffic?",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {name: schema_of_money(body) for name, body in components.items()},
            "parameters": {name: _field(name) for name in FIELDS},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
    return msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"


def _get(path: str, operation: Operation, shape_of: dict[str, Any]) -> dict[str, Any]:
    own = [_parameter(name, words, "query") for name, words in operation.asks]
    if "{name}" in path:
        own.append(_parameter("name", "the name", "path") | {"required": True})
    fields = [{"$ref": f"#/components/parameters/{name}"} for name in FIELDS] if operation.scenario else []
    return {
        "operationId": path.removeprefix(f"{V1}/").split("/")[0],
        "summary": operation.does,
        "parameters": [*own, *fields],
        "responses": _responses(operation.does, shape_of[path], shape_of) | _away(operation, shape_of),
    }


def _part(path: str, does: str, kind: str, asks: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    own = [_parameter(name, words, "query") for name, words in asks]
    if "{name}" in path:
        own.append(_parameter("name", "the name", "path") | {"required": True})
    drawn = {"schema": {"type": "string"}}
    return {
        "operationId": path.strip("/").replace("/{name}", "").replace("/", "-").replace(".", "-"),
        "summary": does,
        "parameters": [*own, *({"$ref": f"#/components/parameters/{name}"} for name in FIELDS)],
        "responses": {
            "200": {"description": does, "content": {kind: drawn}},
            "422": {"description": "The request cannot be answered; the page says why", "content": {HTML: drawn}},
        },
    }


def _post(shape_of: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": "workload",
        "summary": "The workload that a usage log or a spec shows, as the query of an address",
        "parameters": SENT,
        "requestBody": {"required": True, "content": SENT_FILE},
        "responses": _responses("The workload", shape_of["uploaded"], shape_of),
    }


def _part_post() -> dict[str, Any]:
    told = {HTML: {"schema": {"type": "string"}}}
    there = {"HX-Redirect": {"description": "the address of its scenario", "schema": {"type": "string"}}}
    return {
        "operationId": "part-workload",
        "summary": "What was read of a usage log or a spec, in words, and where its scenario stands",
        "parameters": [
            *SENT,
            _parameter("size", "bytes of the file, which is refused by it before it is sent", "query"),
        ],
        "requestBody": {"required": True, "content": SENT_FILE},
        "responses": {
            "200": {"description": "What was read", "content": told, "headers": there},
            "413": {"description": "The file is too large; the part says how large it may be", "content": told},
            "422": {"description": "The file cannot be used; the part says why", "content": told},
        },
    }


def _responses(words: str, shape: Any, shape_of: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - a schema
    wrong = {"application/json": {"schema": shape_of["problem"]}}
    return {
        "200": {"description": words, "content": {"application/json": {"schema": shape}}},
        "422": {"description": "The request cannot be answered; it is said why", "content": wrong},
    }


def _away(operation: Operation, shape_of: dict[str, Any]) -> dict[str, Any]:
    if not operation.meter:
        return {}
    content = {"application/json": {"schema": shape_of["problem"]}}
    return {"503": {"description": "The gateway's store does not answer; it is said why", "content": content}}


def _field(name: str) -> dict[str, Any]:
    """A field of the spec, as the query parameter that it is."""
    kind: Any = Spec
    words = ""
    for part in name.split("."):
        field = next(one for one in msgspec.structs.fields(kind) if one.encode_name == part)
        kind = get_type_hints(kind)[field.name]
        words = next((meta.description for meta in _metas(field.type) if meta.description), words)
    return _parameter(name, f"{words or name} ({FORMS[FIELDS[name]]})", "query")


def _metas(annotation: Any) -> list[msgspec.Meta]:  # noqa: ANN401 - any annotation
    return [meta for meta in getattr(annotation, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
