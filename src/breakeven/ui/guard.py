"""Who may enter, and what every response says to browsers: hosts, the token, and the headers of a page."""

import hashlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from breakeven.ui.texts import Texts, texts

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
COOKIE = "breakeven-token"
ENTER, TO = "/enter", "to"
"""The page that asks for the token, and what its address says of where one wanted to be."""
OPEN_PATHS = ("/enter", "/assets/")
"""What is answered without a token: the page that asks for it, and what that page is made of."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
LARGEST_FORM_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where the pages are served, under which names, and the token that they ask for (``None``: none)."""

    host: str
    names: tuple[str, ...] = ()
    token: str | None = None

    def knows(self, header: str) -> bool:
        """Whether a Host header names this server: a name that another could point here does not.

        >>> Door(host="127.0.0.1").knows("localhost:8000"), Door(host="127.0.0.1").knows("evil.example:8000")
        (True, False)
        """
        name = urlsplit(f"//{header}").hostname or ""
        if name in {h.strip("[]") for h in (*LOOPBACK_NAMES, self.host, *self.names)}:
            return True
        return self.host in ("0.0.0.0", "::") and _is_address(name)

    def stamp(self) -> str:
        """What the cookie holds: shows that the token was known, without telling it."""
        return hmac.new((self.token or "").encode(), b"breakeven ui", hashlib.sha256).hexdigest()

    def admits(self, headers: Headers) -> bool:
        """Whether a request carries the token, as a bearer or as the cookie that stands for it."""
        if self.token is None:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self.token.encode()):
            return True
        cookie = SimpleCookie()
        cookie.load(headers.get("cookie", ""))
        return COOKIE in cookie and hmac.compare_digest(cookie[COOKIE].value.encode(), self.stamp().encode())


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """Stands before the pages: refuses strangers, and lets browsers know what a page may do."""

    def __init__(
        self, app: ASGIApp, door: Door, ask: Callable[[Scope], Response], spoken: Callable[[Scope], Texts]
    ) -> None:
        self._app, self._door, self._ask, self._spoken = app, door, ask, spoken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send))
        elif scope["path"] == ENTER and scope["method"] == "POST":
            await self._enter(scope, receive, _with_headers(send))
        else:
            await self._app(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._door.knows(headers.get("host", "")):
            return self._told(scope, "door.name", 421)
        if scope["method"] not in ("GET", "HEAD") and _is_foreign(headers):
            return self._told(scope, "door.foreign", 403)
        if self._door.admits(headers) or scope["path"].startswith(OPEN_PATHS):
            return None
        if scope["path"].startswith("/api/"):
            text = 'A token is needed: send it as "Authorization: Bearer ...".\n'
            return PlainTextResponse(text, 401, headers={"WWW-Authenticate": "Bearer"})
        return self._ask(scope)

    def _told(self, scope: Scope, key: str, status: int) -> Response:
        """A refusal in a sentence: in the reader's language, to programs in English."""
        t = texts("en") if scope["path"].startswith("/api/") else self._spoken(scope)
        return PlainTextResponse(f"{t(key)}\n", status)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at a token; whoever knows it goes on to where they wanted to be."""
        body = await _short_body(receive)
        given = parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0]
        known = self._door.token is not None and hmac.compare_digest(given.encode(), self._door.token.encode())
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        query.pop("wrong", None)
        wrong = f"{ENTER}?{urlencode({**query, 'wrong': '1'})}"
        response: Response = RedirectResponse(own_address(query.get(TO, "")) if known else wrong, 303)
        if known:
            # Lax: the cookie comes along with a link that somebody sent, not with what another site's page sends.
            response.set_cookie(COOKIE, self._door.stamp(), httponly=True, samesite="lax", path="/")
        await response(scope, receive, send)


def own_address(wanted: str) -> str:
    """An address of this server, or where the pages begin.

    >>> own_address("/?at_least=1400"), own_address("//evil.example/"), own_address("https://evil.example/")
    ('/?at_least=1400', '/', '/')
    """
    own = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if own else "/"


async def _short_body(receive: Receive) -> bytes:
    body, more = b"", True
    while more and len(body) <= LARGEST_FORM_BYTES:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body[:LARGEST_FORM_BYTES]


def _is_foreign(headers: Headers) -> bool:
    """Whether a browser sent this on behalf of another site's page."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending
