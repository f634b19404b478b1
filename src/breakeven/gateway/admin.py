"""The admin API under ``/admin``: keys, teams, budgets and spend, for whoever holds the admin token."""

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from breakeven.errors import BreakevenError, SpecError
from breakeven.gateway import admin_shapes as shapes
from breakeven.gateway.admin_asked import Failed, answer, body_of, failed, name_of, query_of, span_of
from breakeven.gateway.admin_openapi import Operation, document
from breakeven.gateway.books import administration
from breakeven.gateway.books.allowance import account_of_team
from breakeven.gateway.books.books import Books
from breakeven.gateway.books.database import Database, StoreAway, connect
from breakeven.gateway.books.hires import machines
from breakeven.gateway.books.money import usd_of
from breakeven.gateway.books.periods import periods_at
from breakeven.gateway.books.spend import BY, MOST_ROWS, spent
from breakeven.gateway.books.store import Store, now_us
from breakeven.gateway.books.teams import Team, UnknownTeam

PREFIX = "/admin"
WAIT_S, ANSWER_S = 5.0, 50.0
"""How long a page waits for a lock, and for an answer of the store; nobody's request waits for it."""
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
    Operation("GET", "/teams", "list_teams", "Teams, with what their keys have used.", shapes.Teams),
    Operation("POST", "/teams", "create_team", "A team is made.", shapes.ShownTeam, 201, shapes.NewTeam,
              fails=["400", "409", "413"]),
    Operation("GET", "/teams/{team}", "show_team", "One team.", shapes.ShownTeam, fails=["404"]),
    Operation("PATCH", "/teams/{team}", "change_team", "Some fields of a team are changed.", shapes.ShownTeam, 200,
              shapes.ChangedTeam, fails=["400", "404", "413"]),
    Operation("DELETE", "/teams/{team}", "delete_team", "A team is gone.", None, 204, fails=["404", "409"]),
    Operation("POST", "/teams/{team}/release", "release_team",
              "What gateways that are gone had taken of its budget goes back.", shapes.Released, fails=["404"]),
    Operation("GET", "/spend", "spend", "What was used and what it cost.", shapes.Spend, fails=["400"],
              query={"by": GROUPS, "since": TIME, "until": TIME, "key": TEXT, "team": TEXT}),
    Operation("GET", "/machines", "machines", "Own machines: what they cost, and what of it was idle.", shapes.Machines,
              fails=["400"], query={"since": TIME, "until": TIME}),
    Operation("GET", "/state", "state", "How the books of this gateway are doing.", shapes.State),
)  # fmt: skip


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
        query = query_of(request, "team")
        now_s = time.time()
        periods = periods_at(now_s)
        keys, standings = await self._ask(lambda store, _: (store.living_keys(), store.standings(periods)))
        found = [key for key in keys if "team" not in query or key.team == query["team"]]
        return answer(shapes.Keys(keys=[shapes.shown_key(key, standings, now_s) for key in found]))

    async def create_key(self, request: Request) -> Response:
        """A new key."""
        given = await body_of(request, shapes.NewKey)
        facts = shapes.fields_of(given)
        made = await self._ask(lambda store, _: administration.make_key(store, **facts))
        await self._books.refresh()
        key = shapes.shown_key(made.key, {}, time.time())
        return answer(shapes.MadeKey(secret=made.secret, key=key), 201)

    async def show_key(self, request: Request) -> Response:
        """One key."""
        return answer(await self._key(name_of(request)))

    async def change_key(self, request: Request) -> Response:
        """Changes of a key; every gateway knows of them within its ``refresh_s``."""
        name, changes = name_of(request), shapes.fields_of(await body_of(request, shapes.ChangedKey))
        changed = await self._ask(lambda store, _: store.change_key(name, changes))
        if changed is None:
            raise _no_key(name)
        await self._books.refresh()
        return answer(await self._key(name))

    async def delete_key(self, request: Request) -> Response:
        """A key goes."""
        name = name_of(request)
        if await self._ask(lambda store, _: store.change_key(name, {"deleted": True})) is None:
            raise _no_key(name)
        await self._books.refresh()
        return Response(status_code=204)

    async def release_key(self, request: Request) -> Response:
        """What is in doubt goes back."""
        name = name_of(request)
        await self._key(name)
        return answer(shapes.Released(slices=await self._ask(lambda store, _: store.release(name))))

    async def list_teams(self, _: Request) -> Response:
        """Teams."""
        return answer(shapes.Teams(teams=await self._teams()))

    async def create_team(self, request: Request) -> Response:
        """A new team."""
        facts = shapes.team_fields_of(await body_of(request, shapes.NewTeam))
        team = Team(created_us=now_us(), **{**facts, "name": facts["name"] or facts["id"]})
        if not await self._ask(lambda store, _: store.add_team(team)):
            raise Failed(409, "team_exists", f"There is a team {team.id!r} already.")
        await self._books.refresh()
        return answer(await self._team(team.id), 201)

    async def show_team(self, request: Request) -> Response:
        """One team."""
        return answer(await self._team(name_of(request, "team")))

    async def change_team(self, request: Request) -> Response:
        """Changes of a team; every gateway knows of them within its ``refresh_s``."""
        name, changes = name_of(request, "team"), shapes.team_fields_of(await body_of(request, shapes.ChangedTeam))
        if await self._ask(lambda store, _: store.change_team(name, changes)) is None:
            raise _no_team(name)
        await self._books.refresh()
        return answer(await self._team(name))

    async def delete_team(self, request: Request) -> Response:
        """A team without keys goes."""
        name = name_of(request, "team")
        found, keys = await self._ask(lambda store, _: store.delete_team(name))
        if keys:
            raise Failed(409, "team_in_use", f"The team {name!r} still has {keys} keys: delete or move them first.")
        if not found:
            raise _no_team(name)
        await self._books.refresh()
        return Response(status_code=204)

    async def release_team(self, request: Request) -> Response:
        """What is in doubt goes back."""
        name = name_of(request, "team")
        await self._team(name)
        account = account_of_team(name)
        return answer(shapes.Released(slices=await self._ask(lambda store, _: store.release(account))))

    async def spend(self, request: Request) -> Response:
        """What was used and what it cost; without ``since``, in the last 30 days."""
        query = query_of(request, "by", "since", "until", "key", "team")
        by = list(dict.fromkeys(query.get("by", "key").split(",")))
        wrong = next((name for name in by if name not in BY), None)
        if wrong is not None:
            raise Failed(400, "invalid_query", f"by={wrong} is not known. Expected: one or more of {', '.join(BY)}.")
        since, until = span_of(query)
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
        since, until = span_of(query_of(request, "since", "until"))
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
        periods = periods_at(now_s)
        key, standings = await self._ask(lambda store, _: (store.key(name), store.standings(periods, name)))
        if key is None:
            raise _no_key(name)
        return shapes.shown_key(key, standings, now_s)

    async def _teams(self) -> list[shapes.ShownTeam]:
        now_s = time.time()
        periods = periods_at(now_s)
        teams, standings = await self._ask(lambda store, _: (store.teams(), store.standings(periods)))
        return [shapes.shown_team(team, standings, now_s) for team in teams]

    async def _team(self, name: str) -> shapes.ShownTeam:
        found = next((team for team in await self._teams() if team.id == name), None)
        if found is None:
            raise _no_team(name)
        return found


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
            UnknownTeam: lambda _, wrong: failed(404, "team_not_found", str(wrong)),
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


def _no_key(name: str) -> Failed:
    return Failed(404, "key_not_found", f"There is no key {name!r}. Keys are named by their id (key_...).")


def _no_team(name: str) -> Failed:
    return Failed(404, "team_not_found", f"There is no team {name!r}.")
