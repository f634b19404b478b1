"""The application: each address with the function that answers it, behind the guard."""

import functools
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Scope

from breakeven.ui import api, otherpages, pages, spend
from breakeven.ui.downloads import download
from breakeven.ui.guard import ENTER, Door, Guard
from breakeven.ui.openapi import UPLOAD, document
from breakeven.ui.sendform import FORM_UPLOAD, send_form
from breakeven.ui.site import ASSETS, Site, asset
from breakeven.ui.stackfile import stack

Handler = Callable[[Site, Request], Response]
SMALLEST_ZIPPED_BYTES = 1000
OPENAPI = f"{api.V1}/openapi.json"
GET: dict[str, Handler] = {
    "/": pages.decide,
    "/part/answer": pages.answer,
    "/part/step": pages.step,
    "/part/bill": pages.bill,
    "/part/picture/{name}": pages.picture,
    "/part/out": pages.out,
    "/beside": otherpages.beside,
    "/history": otherpages.prices,
    "/accuracy": otherpages.speeds,
    "/spend": spend.spend_page,
    "/download/stack.yaml": stack,
    "/download/{name}": download,
}


def application(site: Site, door: Door) -> ASGIApp:
    """The pages and the API of a site, for those whom the door lets in."""
    routes = [Route(path, _threaded(site, handler), methods=["GET"]) for path, handler in GET.items()]
    routes += [Route("/assets/{name}", _asset, methods=["GET"]), Route(ENTER, _threaded(site, ask), methods=["GET"])]
    routes += [
        Route(path.replace("{name}", "{name:path}"), _threaded(site, _of(operation)), methods=["GET"])
        for path, operation in api.OPERATIONS.items()
    ]
    routes += [
        Route(UPLOAD, _uploading(site, api.upload), methods=["POST"]),
        Route(FORM_UPLOAD, _uploading(site, send_form), methods=["POST"]),
        Route(OPENAPI, _openapi, methods=["GET"]),
        Route(f"{api.V1}/docs", _threaded(site, docs), methods=["GET"]),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(GZipMiddleware, minimum_size=SMALLEST_ZIPPED_BYTES)])
    return Guard(app, door, lambda scope: _ask(site, scope))


def _threaded(site: Site, handler: Handler) -> Callable[[Request], object]:
    """A function that plans, on a thread of its own: the loop stays free for the next step of a slider."""

    @functools.wraps(handler)
    async def answered(request: Request) -> Response:
        return await run_in_threadpool(handler, site, request)

    return answered


def _of(operation: api.Operation) -> Handler:
    return lambda site, request: api.respond(site, request, operation)


def _uploading(
    site: Site, handler: Callable[[Site, Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    async def answered(request: Request) -> Response:
        return await handler(site, request)

    return answered


async def _openapi(_: Request) -> Response:
    return Response(document(), media_type="application/json")


def docs(site: Site, request: Request) -> Response:
    """The addresses of the API on a page."""
    operations = [("GET", path, one.does) for path, one in api.OPERATIONS.items()]
    operations.append(("POST", UPLOAD, "The workload that a usage log or a spec shows, as the query of an address"))
    return site.render(request, "api.html", site.texts(request), operations=operations, openapi=OPENAPI)


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in ASSETS:
        return PlainTextResponse("There is no such file.\n", 404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(asset(name), media_type=ASSETS[name], headers=headers)


def ask(site: Site, request: Request) -> Response:
    """The page that asks for the token."""
    wrong = "wrong" in request.query_params
    return site.render(request, "enter.html", site.texts(request), 401 if wrong else 200, wrong=wrong)


def _ask(site: Site, scope: Scope) -> Response:
    request = Request(scope)
    return site.render(request, "enter.html", site.texts(request), 401, wrong=False)
