"""HTTP requests as the events that API Gateway makes of them: payload 2.0 of HTTP APIs, 1.0 of REST APIs."""

import base64
import time
import uuid
from typing import Any
from urllib.parse import unquote

import msgspec
from aiohttp import web

from breakeven.standins.environment import ACCOUNT
from breakeven.units import MILLISECONDS_PER_SECOND

Event = dict[str, Any]
API = "local"


def http_event(request: web.Request, body: bytes) -> bytes:
    """Payload 2.0, for the stage ``$default``."""
    headers = {name.lower(): ",".join(request.headers.getall(name)) for name in request.headers}
    cookies = headers.pop("cookie", "")
    text, encoded = _text(body)
    told: Event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": unquote(request.rel_url.raw_path),
        "rawQueryString": request.rel_url.raw_query_string,
        "headers": _said_by_the_gateway(headers, request),
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API,
            "domainName": request.host,
            "http": {
                "method": request.method,
                "path": unquote(request.rel_url.raw_path),
                "protocol": "HTTP/1.1",
                "sourceIp": request.remote or "",
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": round(time.time() * MILLISECONDS_PER_SECOND),
        },
        "body": text,
        "isBase64Encoded": encoded,
    }
    if cookies:
        told["cookies"] = [one.strip() for one in cookies.split(";")]
    return msgspec.json.encode(told)


def rest_event(request: web.Request, body: bytes, stage: str, path: str) -> bytes:
    """Payload 1.0; ``path`` is without the stage."""
    several = {name: request.headers.getall(name) for name in request.headers}
    several.update({name: [value] for name, value in _said_by_the_gateway({}, request).items()})
    query = {name: request.query.getall(name) for name in request.query}
    text, encoded = _text(body)
    told: Event = {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in several.items()},
        "multiValueHeaders": several,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API,
            "httpMethod": request.method,
            "identity": {"sourceIp": request.remote, "userAgent": request.headers.get("user-agent")},
            "path": f"/{stage}{path}",
            "protocol": "HTTP/1.1",
            "requestId": str(uuid.uuid4()),
            "requestTimeEpoch": round(time.time() * MILLISECONDS_PER_SECOND),
            "resourcePath": "/{proxy+}",
            "stage": stage,
        },
        "body": text,
        "isBase64Encoded": encoded,
    }
    return msgspec.json.encode(told)


def _said_by_the_gateway(headers: dict[str, str], request: web.Request) -> dict[str, str]:
    port = request.host.rpartition(":")[2]
    told = {
        "x-forwarded-for": request.remote or "",
        "x-forwarded-proto": "http",
        "x-forwarded-port": port if port.isdigit() else "80",
    }
    return headers | told


def _text(body: bytes) -> tuple[str | None, bool]:
    """A body as text, or in base64 where it is none."""
    if not body:
        return None, False
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True
