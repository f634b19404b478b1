"""The admin API under ``/admin``: keys, teams, budgets and spend, for whoever holds the admin token."""

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from breakeven.errors import BreakevenError, SpecError, near_matches
from breakeven.gateway import admin_shapes as shapes
from breakeven.gateway.admin_openapi import Operation, document
from breakeven.gateway.books import administration
from breakeven.gateway.books.books import Books
from breakeven.gateway.books.database import Database, StoreAway, connect
from breakeven.gateway.books.hires import machines
from breakeven.gateway.books.keys import VirtualKey
from breakeven.gateway.books.money import usd_of
from breakeven.gateway.books.periods import period_at
from breakeven.gateway.books.spend import BY, MOST_ROWS, spent
from breakeven.gateway.books.store import Place, Store, Team, now_us

PREFIX = "/admin"
LONGEST_BODY = 65_536
WAIT_S, ANSWER_S = 5.0, 50.0
"""How long a page waits for a lock, and for an answer of the store; nobody's request waits for it."""
SPEND_DAYS = 30
T = TypeVar("T")
TEXT = {"type": "string"}
TIME = {"type": "string", "format": "date-time"}
GROUPS = {"type": "string", "pattern": f"^({'|'.join(BY)})(,({'|'.join(BY)}))*$", "default": "key"}
OPERATIONS = (
    Operation("GET", "/keys", "list_keys", "Keys, with what they have used.", shapes.Keys, query={"team": TEXT},
              fails=["400"]),
    Operation("POST", "/keys", "create_key", "A key is made; its secret is shown this once.", shapes.MadeKey, 201,
              shapes.NewKey, fails=["400", "404", "413"]),
    Operation("GET", "/keys/{key}", "show_key", "One key.", shapes.Key, fails=["404"]),
    Operation("PATCH", "/keys/{key}", "change_key", "Some fields of a key are changed.", shapes.Key, 200,
              shapes.ChangedKey, fails=["400", "404", "413"]),
    Operation("DELETE", "/keys/{key}", "delete_key", "A key is gone; its records stay.", None, 204, fails=["404"]),
    Operation("POST", "/keys/{key}/release", "release_key",
              "What gateways that are gone had taken of its budget goes back.", shapes.Released, fails=["404"]),
    Operation("GET", "/teams", "list_teams", "Teams.", shapes.Teams),
    Operation("POST", "/teams", "create_team", "A team is made.", shapes.ShownTeam, 201, shapes.NewTeam,
              fails=["400", "409", "413"]),
    Operation("DELETE", "/teams/{team}", "delete_team", "A team is gone.", None, 204, fails=["404", "409"]),
    Operation("GET", "/spend", "spend", "What was used and what it cost.", shapes.Spend, fails=["400"],
              query={"by": GROUPS, "since": TIME, "until": TIME, "key": TEXT, "team": TEXT}),
    Operation("GET", "/machines", "machines", "Own machines: what they cost, and what of it was idle.", shapes.Machines,
              fails=["400"], query={"since": TIME, "until": TIME}),
    Operation("GET", "/state", "state", "How the books of this gateway are doing.", shapes.State),
)  # fmt: skip


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


class Admin:
    """The pages of the admin API."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def _ask(self, work: Callable[[Store, Database], T]) -> T:
        """Some work on a connection of its own, so that neither the event loop nor the clerk waits for it."""

        def asked() -> T:
            with _opened(self._books.place) as database:
                return work(Store(database), database)

        return await asyncio.to_thread(asked)

    async def list_keys(self, request: Request) -> Response:
        """Keys, of all teams or of one."""
        query = _query(request, "team")
        now_s = time.time()
        periods = [period_at(kind, now_s).name for kind in ("day", "month", "total")]
        keys, standings = await self._ask(lambda store, _: (store.living_keys(), store.standings(periods)))
        found = [key for key in keys if "team" not in query or key.team == query["team"]]
        return answer(shapes.Keys(keys=[_shown(key, standings, now_s) for key in found]))

    async def create_key(self, request: Request) -> Response:
        """A new key."""
        given = await _body(request, shapes.NewKey)
        facts = shapes.fields_of(given)
        made = await self._ask(lambda store, _: administration.make_key(store, **facts))
        await self._books.refresh()
        key = shapes.shown_key(made.key, None, time.time())
        return answer(shapes.MadeKey(secret=made.secret, key=key), 201)

    async def show_key(self, request: Request) -> Response:
        """One key."""
        return answer(await self._key(_name(request)))

    async def change_key(self, request: Request) -> Response:
        """Changes of a key; every gateway knows of them within its ``refresh_s``."""
        name, changes = _name(request), shapes.fields_of(await _body(request, shapes.ChangedKey))
        changed = await self._ask(lambda store, _: administration.change_key(store, name, changes))
        if changed is None:
            raise _no_key(name)
        await self._books.refresh()
        return answer(await self._key(name))

    async def delete_key(self, request: Request) -> Response:
        """A key goes."""
        name = _name(request)
        if await self._ask(lambda store, _: store.change_key(name, {"deleted": True})) is None:
            raise _no_key(name)
        await self._books.refresh()
        return Response(status_code=204)

    async def release_key(self, request: Request) -> Response:
        """What is in doubt goes back."""
        name = _name(request)
        await self._key(name)
        return answer(shapes.Released(slices=await self._ask(lambda store, _: store.release(name))))

    async def list_teams(self, _: Request) -> Response:
        """Teams."""
        teams = await self._ask(lambda store, _: store.teams())
        return answer(shapes.Teams(teams=[shapes.shown_team(team) for team in teams]))

    async def create_team(self, request: Request) -> Response:
        """A new team."""
        given = await _body(request, shapes.NewTeam)
        team = Team(id=given.id, name=given.name or given.id, created_us=now_us())
        if not await self._ask(lambda store, _: store.add_team(team)):
            raise Failed(409, "team_exists", f"There is a team {team.id!r} already.")
        return answer(shapes.shown_team(team), 201)

    async def delete_team(self, request: Request) -> Response:
        """A team without keys goes."""
        name = _name(request, "team")
        found, keys = await self._ask(lambda store, _: administration.delete_team(store, name))
        if keys:
            raise Failed(409, "team_in_use", f"The team {name!r} still has {keys} keys: delete or move them first.")
        if not found:
            raise Failed(404, "team_not_found", f"There is no team {name!r}.")
        return Response(status_code=204)

    async def spend(self, request: Request) -> Response:
        """What was used and what it cost; without ``since``, in the last 30 days."""
        query = _query(request, "by", "since", "until", "key", "team")
        by = list(dict.fromkeys(query.get("by", "key").split(",")))
        wrong = next((name for name in by if name not in BY), None)
        if wrong is not None:
            raise Failed(400, "invalid_query", f"by={wrong} is not known. Expected: one or more of {', '.join(BY)}.")
        since, until = _span(query)
        found = await self._ask(
            lambda _, database: spent(
                database, by, since_us=shapes.us_of(since), until_us=shapes.us_of(until), key=query.get("key"),
                team=query.get("team"),
            )
        )  # fmt: skip
        rows = [shapes.shown_spend(by, one) for one in found]
        complete = len(rows) < MOST_ROWS
        return answer(shapes.Spend(by=by, since=since, until=until, rows=rows, complete=complete))

    async def machines(self, request: Request) -> Response:
        """Own machines, by the hours that begin in the span; without ``since``, in the last 30 days."""
        since, until = _span(_query(request, "since", "until"))
        span = {"since_us": shapes.us_of(since), "until_us": shapes.us_of(until)}
        found = await self._ask(lambda _, database: machines(database, **span))
        return answer(shapes.Machines(since=since, until=until, rows=[shapes.shown_machine(one) for one in found]))

    async def state(self, _: Request) -> Response:
        """How the books of this gateway are doing."""
        counters = msgspec.structs.asdict(self._books.counters)
        return answer(shapes.State(held_usd=usd_of(counters.pop("held_pico_usd")), **counters))

    async def openapi(self, _: Request) -> Response:
        """The description of this API."""
        from breakeven import __version__  # noqa: PLC0415 - read from the installed package

        return answer(document((*OPERATIONS,), PREFIX, __version__))

    async def _key(self, name: str) -> shapes.Key:
        now_s = time.time()
        periods = [period_at(kind, now_s).name for kind in ("day", "month", "total")]
        key, standings = await self._ask(lambda store, _: (store.key(name), store.standings(periods, name)))
        if key is None:
            raise _no_key(name)
        return _shown(key, standings, now_s)


def admin(books: Books, token: str) -> Mount:
    """The admin API, to be mounted by the door.

    Raises:
        SpecError: if the token is empty: the API would be open to everybody.
    """
    if not token.strip():
        raise SpecError(
            "the admin token is empty",
            expected="a long random text that only administrators know",
            do="Set BREAKEVEN_ADMIN_TOKEN, or leave the admin API out",
        )
    pages = Admin(books)
    handlers: dict[str, dict[str, Callable[[Request], Awaitable[Response]]]] = {}
    for one in OPERATIONS:
        handlers.setdefault(one.path, {})[one.method] = getattr(pages, one.name)
    routes = [Route(path, _by_method(path, methods), methods=list(methods)) for path, methods in handlers.items()]
    routes.append(Route("/openapi.json", pages.openapi, methods=["GET"]))
    app = Starlette(
        routes=routes,
        exception_handlers={
            Failed: lambda _, wrong: failed(wrong.status, wrong.code, wrong.message),
            administration.UnknownTeam: lambda _, wrong: failed(404, "team_not_found", str(wrong)),
            BreakevenError: lambda _, wrong: failed(400, "invalid_request", str(wrong)),
            StoreAway: lambda _, __: failed(503, "books_unavailable", "The store does not answer. Try again."),
            HTTPException: _told_by_starlette,
        },
    )
    app.router.redirect_slashes = False
    mount = Mount(PREFIX, app=Guarded(app, token))
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)  # a path may hold a line's end: 404, and ours
    return mount


class Guarded:
    """Nobody passes without the token, whatever is asked for."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._digest = app, hashlib.sha256(token.strip().encode()).digest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass, or 401. Hashes are compared, in constant time, so that neither length nor beginning shows."""
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = (given[0] if len(given) == 1 else b"").partition(b" ")
        digest = hashlib.sha256(token.strip()).digest()
        if secrets.compare_digest(digest, self._digest) and scheme.lower() == b"bearer":
            await self._app(scope, receive, send)
            return
        told = failed(401, "invalid_admin_token", "The admin token is missing or wrong. Send Authorization: Bearer ...")
        await told(scope, receive, send)


def _by_method(
    path: str, methods: dict[str, Callable[[Request], Awaitable[Response]]]
) -> Callable[[Request], Awaitable[Response]]:
    """One page for all methods of a path, so that the others are answered with 405 and those that are allowed."""

    async def page(request: Request) -> Response:
        return await methods[request.method if request.method != "HEAD" else "GET"](request)

    page.__name__ = path
    return page


def _told_by_starlette(_: Request, wrong: Exception) -> Response:
    """Starlette's own errors (no such page, no such method) in the shape of the others."""
    assert isinstance(wrong, HTTPException)
    found = failed(wrong.status_code, "not_found" if wrong.status_code == 404 else "invalid_request", wrong.detail)
    found.headers.update(wrong.headers or {})
    return found


@contextmanager
def _opened(place: str) -> Iterator[Database]:
    database = connect(place, wait_s=WAIT_S, answer_s=ANSWER_S, existing=True)
    try:
        yield database
    finally:
        database.close()


async def _body(request: Request, kind: type[T]) -> T:
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


def _name(request: Request, what: str = "key") -> str:
    """The id in the path; no store can hold a zero character."""
    return str(request.path_params[what]).replace("\0", "\N{REPLACEMENT CHARACTER}")


def _query(request: Request, *known: str) -> dict[str, str]:
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


def _span(query: dict[str, str]) -> tuple[datetime, datetime]:
    until = _time(query, "until", datetime.now(UTC))
    return _time(query, "since", until - timedelta(days=SPEND_DAYS) if until.year > 1 else until), until


def _no_key(name: str) -> Failed:
    return Failed(404, "key_not_found", f"There is no key {name!r}. Keys are named by their id (key_...).")


def _shown(key: VirtualKey, standings: dict[Place, Any], now_s: float) -> shapes.Key:
    return shapes.shown_key(key, standings.get(Place(key.id, period_at(key.period, now_s).name)), now_s)
