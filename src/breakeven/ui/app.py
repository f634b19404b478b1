"""The application: each address with the function that answers it, behind the guard."""

import functools
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Scope

from breakeven.ui import api, otherpages, pages, spend
from breakeven.ui.downloads import download
from breakeven.ui.guard import ENTER, TO, Door, Guard, own_address
from breakeven.ui.openapi import UPLOAD, document
from breakeven.ui.sendform import FORM_UPLOAD, PART_UPLOAD, send_form, send_part
from breakeven.ui.site import ASSETS, DOCS, Site, asset, named
from breakeven.ui.stackfile import stack

Handler = Callable[[Site, Request], Response]
SMALLEST_ZIPPED_BYTES, PARTS = 1000, "/part/"
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
        Route(PART_UPLOAD, _uploading(site, send_part), methods=["POST"]),
        Route(OPENAPI, _openapi, methods=["GET"]),
        Route(DOCS, _threaded(site, docs), methods=["GET"]),
    ]
    lost = functools.partial(_nothing_there, site)
    zipped = [Middleware(GZipMiddleware, minimum_size=SMALLEST_ZIPPED_BYTES)]
    app = Starlette(routes=routes, middleware=zipped, exception_handlers={404: lost, 405: lost, 500: lost})
    return Guard(app, door, lambda scope: _ask(site, scope), lambda scope: site.texts(Request(scope)))


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
    return _enter_page(site, request, request.query_params.get(TO, ""), wrong=wrong, status=401 if wrong else 200)


def _enter_page(site: Site, request: Request, to: str, *, wrong: bool, status: int) -> Response:
    lang = named(request)
    query = urlencode(([("lang", lang)] if lang else []) + ([(TO, to)] if own_address(to) != "/" else []))
    action = f"{ENTER}?{query}" if query else ENTER
    return site.render(request, "enter.html", site.texts(request), status, wrong=wrong, action=action)


def _ask(site: Site, scope: Scope) -> Response:
    request = Request(scope)
    part, here = request.url.path.startswith(PARTS), urlsplit(request.headers.get("hx-current-url", ""))
    asked = here if part else urlsplit(str(request.url))
    to = f"{asked.path}?{asked.query}" if request.method == "GET" else ""
    found = _enter_page(site, request, to, wrong=False, status=401)
    if part:
        found.headers["HX-Redirect"] = f"{ENTER}?{urlencode([(TO, to)])}"
    return found


def _nothing_there(site: Site, request: Request, wrong: Exception) -> Response:
    """What is said of an address that is none of the pages', or is asked in another way than it answers."""
    status = wrong.status_code if isinstance(wrong, HTTPException) else 500
    headers = wrong.headers if isinstance(wrong, HTTPException) else None
    if request.url.path.startswith("/api/"):
        return PlainTextResponse(f"{HTTPStatus(status).phrase}\n", status, headers=headers)
    t = site.texts(request)
    told = t("lost.broken" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "lost.nothing")
    if request.url.path.startswith(PARTS):
        return site.render(request, "problem.html", t, status, problem=told, title="spend.problem", stale=True)
    found = site.render(request, "lost.html", t, status, told=told)
    found.headers.update(headers or {})
    return found
