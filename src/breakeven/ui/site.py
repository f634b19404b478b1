"""What every page and every address of the API works with: the planner, the pictures, the templates, the texts."""

import hashlib
from dataclasses import dataclass, field
from importlib import resources
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FunctionLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse

from breakeven import __version__
from breakeven.report.page import environment, style_sheet
from breakeven.ui.answers import Planner
from breakeven.ui.drawings import Drawings
from breakeven.ui.meter import Meter
from breakeven.ui.scenario import Language, Scenario, scenario_of
from breakeven.ui.texts import NAMES, TAGS, Texts, preferred, texts

PAGES = (
    ("decide", "/"),
    ("beside", "/beside"),
    ("history", "/history"),
    ("accuracy", "/accuracy"),
    ("spend", "/spend"),
)
DOCS = "/api/v1/docs"
ASSETS = {
    "report.css": "text/css; charset=utf-8",
    "ui.css": "text/css; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
}


def asset(name: str) -> bytes:
    """One of the files that pages load; the style sheet of the report is one of them."""
    if name == "report.css":
        return style_sheet().encode()
    return resources.files("breakeven.ui").joinpath("assets", name).read_bytes()


def _template(name: str) -> str:
    return resources.files("breakeven.ui").joinpath("templates", name).read_text(encoding="utf-8")


def _templates() -> Environment:
    digests = {name: hashlib.sha256(asset(name)).hexdigest()[:12] for name in ASSETS}
    found = environment(FunctionLoader(_template))
    found.globals.update(asset=lambda name: f"/assets/{name}?v={digests[name]}", version=__version__)
    return found


@dataclass(frozen=True, slots=True)
class Site:
    """One server's things."""

    planner: Planner
    drawings: Drawings = field(default_factory=Drawings)
    templates: Environment = field(default_factory=_templates)
    upload_bytes: int = 64_000_000
    meter: Meter | None = None
    """The gateway's, where the pages were started with its store."""

    def scenario(self, request: Request, *beside: str) -> Scenario:
        """The scenario of an address; ``beside``: names in it that are the address's own, not the scenario's.

        Raises:
            BreakevenError: if it stands for none.
        """
        return scenario_of(self.query(request, *beside))

    def query(self, request: Request, *beside: str) -> str:
        """The query of an address without what is the address's own."""
        pairs = [(name, value) for name, value in request.query_params.multi_items() if name not in beside]
        return urlencode(pairs)

    def texts(self, request: Request) -> Texts:
        """The texts of the language that an address names, else of the one that the browser asks for."""
        return texts(named(request) or preferred(request.headers.get("accept-language", "")))

    def render(self, request: Request, template: str, t: Texts, status: int = 200, **values: Any) -> HTMLResponse:  # noqa: ANN401
        """A page, or a part of one."""
        lang = named(request)
        here = {"pages": [(key, f"{path}?lang={lang}" if lang else path) for key, path in PAGES], "here": ""}
        here |= {"api_docs": f"{DOCS}?lang={lang}" if lang else DOCS, "languages": _languages(request)}
        values = here | {"t": t, "catalogue": self.planner.catalogue.digest, "stale": False} | values
        html = self.templates.get_template(template).render(values)
        return HTMLResponse(html, status, headers={"Vary": "Accept-Language, HX-Request", "Content-Language": t.tag})


def named(request: Request) -> Language | None:
    """The language that an address names; ``None``: what the browser asks for."""
    lang = request.query_params.get("lang", "")
    return lang if lang in TAGS else None


def _languages(request: Request) -> list[tuple[str, str, str]]:
    """Each language with the address of the same page in it."""
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    codes: list[Language] = list(NAMES)
    path = request.url.path if request.method == "GET" else "/"
    return [(TAGS[code], NAMES[code], f"{path}?{urlencode([*rest, ('lang', code)])}") for code in codes]
