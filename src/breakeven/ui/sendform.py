"""A log or a spec that a page sends, by its script or as a plain form: the answer leads to the page of its scenario."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from breakeven.errors import BreakevenError
from breakeven.ui.carried import again
from breakeven.ui.multipart import FormFile
from breakeven.ui.pages import DRAWN, UNPROCESSABLE, problem_page
from breakeven.ui.scenario import scenario_of
from breakeven.ui.site import Site
from breakeven.ui.uploads import TooLargeError, refuse_long, scenario_from

FORM_UPLOAD, PART_UPLOAD = "/upload", "/part/workload"
LONGEST_NAME, TOO_LARGE = 200, 413


async def send_form(site: Site, request: Request) -> Response:
    """Read the file and go to where its scenario stands; what is wrong with it is told on the page that sent it."""
    query = request.query_params.get("base", "")
    try:
        refuse_long(request, site.upload_bytes)
        base = scenario_of(query)
        form = FormFile(request.stream(), request.headers.get("content-type", ""))
        name = (await form.name())[:LONGEST_NAME]
        scenario, _ = await scenario_from(form.content(), name, site.upload_bytes, base)
        site.planner.check(scenario_of(scenario.query))
    except BreakevenError as wrong:
        return await run_in_threadpool(problem_page, site, request, query, wrong)
    return RedirectResponse(f"/?{scenario.query}&{DRAWN}=all", 303)


async def send_part(site: Site, request: Request) -> Response:
    """Read the file that a page's script sends: where its scenario stands, and what was read; or what is wrong."""
    t, query = site.texts(request), request.query_params.get("base", "")
    try:
        refuse_long(request, site.upload_bytes)
        base, name = scenario_of(query), request.query_params.get("name", "")[:LONGEST_NAME]
        scenario, found = await scenario_from(request.stream(), name, site.upload_bytes, base)
        site.planner.check(scenario_of(scenario.query))
    except BreakevenError as wrong:
        status = TOO_LARGE if isinstance(wrong, TooLargeError) else UNPROCESSABLE
        return site.render(request, "problem.html", t, status, problem=wrong.told, title="upload.failed")
    told = site.render(request, "read.html", t, told=[again(one) for one in found.told])
    told.headers["HX-Redirect"] = f"/?{scenario.query}"
    return told
