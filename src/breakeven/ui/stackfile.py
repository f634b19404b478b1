"""The CloudFormation document of one option of a scenario, by its id, or why there is none."""

from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from breakeven.deploy.choice import on_sagemaker
from breakeven.deploy.plan import Plan as Planned
from breakeven.deploy.server import Weights
from breakeven.deploy.stack import Wishes, template
from breakeven.errors import BreakevenError, SpecError
from breakeven.report.document import plan_document, to_json
from breakeven.report.sections import shown_of
from breakeven.ui.pages import UNPROCESSABLE
from breakeven.ui.scenario import Scenario
from breakeven.ui.site import Site
from breakeven.wording import quoting

OWN = ("option", "weights", "quantized")
"""What the address says beside the scenario."""
LONGEST = 300


def stack(site: Site, request: Request) -> Response:
    """The document as a file; a refusal as a page with the message, where the option can be changed."""
    given = {name: request.query_params.get(name, "").strip() for name in OWN}
    try:
        scenario = site.scenario(request, *OWN)
        content = stack_yaml(site, scenario, given)
    except BreakevenError as wrong:
        t = site.texts(request)
        rest = [(name, value) for name, value in request.query_params.multi_items() if name not in OWN]
        values = {"problem": wrong.told, "given": given, "rest": rest, "back": f"/?{urlencode(rest)}"}
        return site.render(request, "stack.html", t, UNPROCESSABLE, **values)
    headers = {"Content-Disposition": 'attachment; filename="breakeven-stack.yaml"'}
    return Response(content, media_type="application/yaml; charset=utf-8", headers=headers)


def stack_yaml(site: Site, scenario: Scenario, given: dict[str, str]) -> str:
    """What ``breakeven template`` writes for that option of the plan.

    Raises:
        BreakevenError: if it is no option of the plan, or none that SageMaker can be set up with.
    """
    name = given["option"]
    if not name or max(map(len, given.values())) > LONGEST or given["quantized"] not in ("", "true"):
        raise SpecError(
            quoting("{field} is {value}", field="option", value=name[:LONGEST]) if name else "option is not given",
            expected=quoting(
                "the id of an option of SageMaker, at most {most} characters; quantized: true or nothing", most=LONGEST
            ),
            do="Copy the id from a bill: host:...",
        )
    plan = site.planner.plan(scenario)
    verdict = plan.explain(name)
    raw = to_json((plan_document(plan, shown_of(plan), also=(verdict,)),))
    chosen = on_sagemaker((msgspec.json.decode(raw, type=Planned),), verdict.option.id)
    weights = Weights(place=given["weights"] or None, quantized=bool(given["quantized"]))
    return template(chosen, Wishes(weights=weights))
