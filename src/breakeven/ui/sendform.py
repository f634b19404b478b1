"""A log or a spec that a plain form sends, for browsers that run no script: the answer is the page of its scenario."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from breakeven.errors import BreakevenError
from breakeven.ui.multipart import FormFile
from breakeven.ui.pages import DRAWN, problem_page
from breakeven.ui.scenario import scenario_of
from breakeven.ui.site import Site
from breakeven.ui.uploads import refuse_long, scenario_from

FORM_UPLOAD = "/upload"
LONGEST_NAME = 200


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
