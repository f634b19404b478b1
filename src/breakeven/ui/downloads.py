"""What can be taken away from a page: the report, the workbook and the spec. The plan's JSON is the API's own."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from breakeven.errors import BreakevenError, SpecError
from breakeven.planner.spread import Ranges
from breakeven.report.page import html_page
from breakeven.report.sections import shown_of
from breakeven.ui.answers import Answer
from breakeven.ui.site import Site
from breakeven.ui.specfile import spec_yaml
from breakeven.ui.workbook import workbook
from breakeven.wording import quoting

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FILES: dict[str, tuple[str, Callable[[Answer, Callable[[], Ranges]], bytes]]] = {
    "report.html": (
        "text/html; charset=utf-8",
        lambda found, drawn: html_page([found.plan], [shown_of(found.plan)], [drawn()]),
    ),
    "bills.xlsx": (XLSX, lambda found, _: workbook(found)),
    "workload.yaml": ("application/yaml; charset=utf-8", lambda found, _: spec_yaml(found.scenario.spec).encode()),
}


def download(site: Site, request: Request) -> Response:
    """One file of a scenario."""
    name = request.path_params["name"]
    t = site.texts(request)
    if name not in FILES:
        given, files = quoting("there is no file {path}", path=name), quoting("one of {names}", names=", ".join(FILES))
        return PlainTextResponse(f"{t.say(SpecError(given, expected=files, do='Correct it').told)}\n", 404)
    kind, write = FILES[name]
    try:
        scenario = site.scenario(request)
        content = write(site.planner.answer(scenario), lambda: site.planner.ranges(scenario))
    except BreakevenError as wrong:
        return PlainTextResponse(f"{t.say(wrong.told)}\n", 422)
    headers = {"Content-Disposition": f'attachment; filename="breakeven-{name}"'}
    return Response(content, media_type=kind, headers=headers)
