"""The page to decide and its parts: form, answer, a step of the slider, bills, pictures, what was ruled out."""

from datetime import date
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from breakeven.errors import BreakevenError, NoDataError, UnknownNameError, near_matches
from breakeven.options.names import model_names
from breakeven.options.ruling import Rejected
from breakeven.planner import Plan
from breakeven.planner.verdict import Option
from breakeven.report.figures import CostLines, with_band
from breakeven.report.sections import cost_table, load_table
from breakeven.report.words import small_share, usd
from breakeven.ui.answers import Answer
from breakeven.ui.drawings import PAGE_WIDTHS, Drawn, Width, over_costs, width_of
from breakeven.ui.form import form_of
from breakeven.ui.now import Now
from breakeven.ui.offer import offered, on_sagemaker_id, stack_query
from breakeven.ui.scenario import Scenario, readable
from breakeven.ui.sentences import lead_of, turns_of
from breakeven.ui.site import Site
from breakeven.ui.texts import Texts, texts
from breakeven.ui.tips import Tips

COSTS = "costs-"
LONGEST_SEARCH = 200
UNPROCESSABLE = 422
DRAWN, FIND = "drawn", "find"
PAGES_OWN = (DRAWN, FIND)
"""What the address of the page says beside the scenario, where no script fetches it: all pictures, and a search."""


def decide(site: Site, request: Request) -> Response:
    """The whole page, with the answer in it."""
    try:
        scenario = site.scenario(request, *PAGES_OWN)
    except BreakevenError as wrong:
        return _page(site, request, readable(site.query(request, *PAGES_OWN)), wrong.told)
    return _page(site, request, scenario)


def problem_page(site: Site, request: Request, query: str, wrong: BreakevenError) -> Response:
    """The page of a scenario with what is wrong with something else that was sent."""
    return _page(site, request, readable(query), wrong.told)


def _page(site: Site, request: Request, scenario: Scenario, told: str | None = None) -> Response:
    t = site.texts(request) if scenario.lang is None else texts(scenario.lang)
    given = {name: request.query_params.get(name, "") for name in PAGES_OWN}
    shown: dict[str, Any] = {"answer": None}
    try:
        if told is None:
            shown = _answer_values(site, scenario, t) | _unscripted(site, scenario, t, given)
    except BreakevenError as wrong:
        told = wrong.told
    values = form_of(scenario, site.planner.catalogue, t) | shown | {FIND: given[FIND]}
    return site.render(
        request,
        "decide.html",
        t,
        UNPROCESSABLE if told else 200,
        here="decide",
        scenario=scenario,
        problem=told,
        upload_megabytes=site.upload_bytes // 1_000_000,
        upload_bytes=site.upload_bytes,
        query=scenario.query,
        **{name: value for name, value in values.items() if name != "query"},
    )


def _unscripted(site: Site, scenario: Scenario, t: Texts, given: dict[str, str]) -> dict[str, Any]:
    """What a page holds at once for browsers that fetch nothing later: every picture, every bill, what was searched."""
    found, more = site.planner.answer(scenario), dict[str, Any]()
    if given[FIND]:
        find = given[FIND].strip()[:LONGEST_SEARCH]
        more = {"rejected": matching(found.plan.rejected, find), "why": why_not(site, found.plan, find, t)}
    if given[DRAWN]:
        drawn = {
            f"{COSTS}{n}": {
                width: site.drawings.costs(with_band(lines, found.plan), width, t, found.plan.as_of)
                for width in PAGE_WIDTHS
            }
            for n, lines in enumerate(found.section.costs)
        }
        for name in site.drawings.names(found):
            drawn[name] = {width: site.drawings.of_answer(found, name, width, t) for width in PAGE_WIDTHS}
        lines = found.section.costs[0] if found.section.costs else None
        over = _overlays(site, lines, found.plan.as_of, found.now, t)
        more |= {
            "everything": True,
            "drawn": drawn,
            "over": {width: over.get(f"{COSTS}0-{width}", "") for width in PAGE_WIDTHS},
        }
    return more


def answer(site: Site, request: Request) -> Response:
    """The answer of a scenario, as the part of the page that is replaced; its address becomes that of the page."""
    t = site.texts(request)
    try:
        scenario = site.scenario(request)
        values = _answer_values(site, scenario, t)
    except BreakevenError as wrong:
        return _problem(site, request, t, wrong)
    response = site.render(request, "answer.html", t, scenario=scenario, **values)
    response.headers["HX-Push-Url"] = f"/?{scenario.query}" if scenario.query else "/"
    return response


def _problem(site: Site, request: Request, t: Texts, wrong: BreakevenError) -> HTMLResponse:
    return site.render(request, "problem.html", t, UNPROCESSABLE, problem=wrong.told, stale=True)


def step(site: Site, request: Request) -> Response:
    """The answer at another traffic, while it is dragged."""
    t = site.texts(request)
    try:
        scenario = site.scenario(request)
        plan, now = site.planner.step(scenario)
    except BreakevenError as wrong:
        return _problem(site, request, t, wrong)
    lines = site.planner.lines(plan)
    values = now_values(site, plan, now, t) | {"overlays": _overlays(site, lines, plan.as_of, now, t)}
    return site.render(request, "now.html", t, **values)


def now_values(site: Site, plan: Plan, now: Now, t: Texts) -> dict[str, Any]:
    """What the template of the answer in a few figures is filled in with."""
    return {
        "now": now,
        "lead": lead_of(plan, now, t),
        "promised": plan.workload.slo.named,
        "considered": plan.options_considered,
        "day": str(plan.as_of),
        "tips": Tips(t, plan, site.planner.sources(plan)),
        "overlays": None,
    }


def _overlays(site: Site, lines: CostLines | None, day: date, now: Now, t: Texts) -> dict[str, Any]:
    """Your traffic over the first picture of costs, in each width in which it was drawn."""
    found = {}
    for width in PAGE_WIDTHS:
        drawn = None if lines is None else site.drawings.known_costs(lines, width, t, day)
        if drawn is not None and lines is not None:
            found[f"{COSTS}0-{width}"] = over_costs(drawn, lines, now, width, t)
    return found


def _answer_values(site: Site, scenario: Scenario, t: Texts) -> dict[str, Any]:
    """What the template of the answer is filled in with."""
    found = site.planner.answer(scenario)
    plan, section = found.plan, found.section
    lines = section.costs[0] if section.costs else None
    drawn: dict[str, dict[Width, Drawn | None]] = {
        f"{COSTS}{n}": dict.fromkeys(PAGE_WIDTHS) for n in range(1, len(section.costs))
    }
    drawn |= {} if lines is None else {f"{COSTS}0": _known(site, lines, plan.as_of, t)}
    drawn |= {name: dict.fromkeys(PAGE_WIDTHS) for name in ("load", "tornado", "pareto")}
    over = _overlays(site, lines, found.plan.as_of, found.now, t)
    fixed = msgspec.structs.replace(scenario.spec, as_of=plan.as_of)
    kept = scenario.kept()
    return now_values(site, plan, found.now, t) | {
        "answer": found,
        "main_changes": turns_of(plan, t),
        "drawn": drawn,
        "over": {width: over.get(f"{COSTS}0-{width}", "") for width in PAGE_WIDTHS},
        "query": scenario.query,
        "fixed_query": msgspec.structs.replace(scenario, spec=fixed).query,
        "kept_query": kept.query,
        "beside_query": urlencode(
            {"left": scenario.beside or "", "right": _alone(scenario).query}
            | ({"lang": scenario.lang} if scenario.lang else {})
        ),
        "pairs": parse_qsl(scenario.query, keep_blank_values=True),
        "find": "",
        "bill_query": lambda option: urlencode({"option": option}) + f"&{scenario.query}",
        "rejected": plan.rejected,
        "competing": plan.competing,
        "why": "",
        "overflow": _overflow(found, t),
        "stack_query": stack_query(offered(found), scenario),
        "stack_of": lambda option: _stack_of(option, scenario),
        "load_tip": Tips(t, plan, found.sources).load(found.load_basis),
        "cost_table": cost_table,
        "load_table": load_table,
    }


def _alone(scenario: Scenario) -> Scenario:
    return msgspec.structs.replace(scenario, beside=None, lang=None)


def _known(site: Site, lines: CostLines, day: date, t: Texts) -> dict[Width, Drawn | None]:
    return {width: site.drawings.known_costs(lines, width, t, day) for width in PAGE_WIDTHS}


def _overflow(found: Answer, t: Texts) -> dict[str, str] | None:
    """What overflows to an API, where a hybrid is shown: of the first one."""
    rows = [row.verdict for group in found.section.groups for row in group.rows if row.verdict.hybrid is not None]
    if not rows or rows[0].hybrid is None:
        return None
    tip = t("tips.overflow", option=rows[0].option.id, day=found.plan.as_of)
    return {"shown": small_share(rows[0].hybrid.overflow_share), "tip": tip}


def bill(site: Site, request: Request) -> Response:
    """The bill of one option of the ranking, and what it rests on."""
    t, option = site.texts(request), request.query_params.get("option", "")
    try:
        scenario = site.scenario(request, "option")
        found = site.planner.answer(scenario)
        row = found.row(option)
        if row is None:
            shown = [row.verdict.option.id for group in found.section.groups for row in group.rows]
            raise UnknownNameError("shown option", option, shown)
    except BreakevenError as wrong:
        return _problem(site, request, t, wrong)
    values: dict[str, Any] = {"answer": found, "row": row, "stack_of": lambda option: _stack_of(option, scenario)}
    return site.render(request, "bill.html", t, tips=Tips(t, found.plan, found.sources), **values)


def _stack_of(option: Option, scenario: Scenario) -> str:
    """Where the CloudFormation document of an option is; empty where it can have none."""
    there = on_sagemaker_id(option)
    return stack_query(there, scenario) if there else ""


def picture(site: Site, request: Request) -> Response:
    """One picture in one width; over that of costs lies your traffic."""
    t, name = site.texts(request), request.path_params["name"]
    try:
        width = width_of(request.query_params.get("width", "wide"))
        scenario = site.scenario(request, "width")
        found = site.planner.answer(scenario)
        overlays = {}
        if name.startswith(COSTS) and name.removeprefix(COSTS).isdigit():
            number = int(name.removeprefix(COSTS))
            if number >= len(found.section.costs):
                raise UnknownNameError("picture", name, [f"{COSTS}{n}" for n in range(len(found.section.costs))])
            lines = with_band(found.section.costs[number], found.plan)
            drawn = site.drawings.costs(lines, width, t, found.plan.as_of)
            if number == 0:
                overlays = {f"{name}-{width}": over_costs(drawn, lines, found.now, width, t)}
        else:
            drawn = site.drawings.of_answer(found, name, width, t)
    except BreakevenError as wrong:
        return _problem(site, request, t, wrong)
    return site.render(request, "picture.html", t, drawn=drawn, overlays=overlays)


def out(site: Site, request: Request) -> Response:
    """What was ruled out, narrowed to reasons that hold some text; of a named model, why it does not compete."""
    t, find = site.texts(request), request.query_params.get("find", "").strip()[:LONGEST_SEARCH]
    try:
        found = site.planner.answer(site.scenario(request, "find"))
        why = why_not(site, found.plan, find, t)
    except BreakevenError as wrong:
        return _problem(site, request, t, wrong)
    return site.render(
        request,
        "out.html",
        t,
        rejected=matching(found.plan.rejected, find),
        considered=found.plan.options_considered,
        competing=found.plan.competing,
        why=why,
        tips=Tips(t, found.plan, found.sources),
    )


def matching(rejected: tuple[Rejected, ...], find: str) -> list[Rejected]:
    """The reasons that hold some text, in themselves or in an example."""
    wanted = find.lower()
    return [one for one in rejected if wanted in f"{one.because} {' '.join(one.examples)}".lower()]


def why_not(site: Site, plan: Plan, name: str, t: Texts) -> str:
    """Whether a model of that name competes, and why not; nothing where there is no such model."""
    known = model_names(site.planner.catalogue)
    if name not in known:
        near = near_matches(name, known) if name and not matching(plan.rejected, name) else []
        return t("out.near", names=", ".join(near)) if near else ""
    try:
        found = plan.named(name)
    except (NoDataError, UnknownNameError) as refused:
        return refused.told
    option, cost = plan.option_id(found), usd(found.usd_per_day)
    return t("out.competes", model=name, option=option, usd=cost, rank=found.rank)
