"""The pages beside the one to decide: two scenarios side by side, prices over time, accuracy, the API."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from breakeven.catalogue.history import Histories, PriceHistory, Series, Span, history, usd_of
from breakeven.catalogue.schema import PriceRow
from breakeven.errors import BreakevenError, SpecError, UnknownNameError
from breakeven.performance.measured import TARGETS
from breakeven.report.history import drawn_series, percent
from breakeven.report.history_chart import history_chart, history_in_words
from breakeven.report.pictures import LOW
from breakeven.report.words import unit_price
from breakeven.ui import marks
from breakeven.ui.address import START, written_of
from breakeven.ui.drawings import PAGE_WIDTHS, PIXELS, Drawn, Width, over_costs
from breakeven.ui.measured import Accuracy, Pair, accuracy, of_gpu, scatter, scatter_in_words
from breakeven.ui.pages import UNPROCESSABLE, now_values
from breakeven.ui.scenario import Language, Scenario, scenario_of
from breakeven.ui.site import Site, named
from breakeven.ui.texts import Texts
from breakeven.wording import quoting
from breakeven.workload.policy import Policy

FIRST_SHOWN = "p5.48xlarge"
FIRST_COMPARED = START.traffic.requests_per_day or 0.0
"""The traffic beside which ten times as much stands where nobody said what to compare."""
SQUARE = 420


def beside(site: Site, request: Request) -> Response:
    """Two scenarios beside each other, and where they ask for different things."""
    t, told = site.texts(request), None
    sides: list[dict[str, Any]] = []
    queries = [request.query_params.get(name, "") for name in ("left", "right")]
    try:
        scenarios = [scenario_of(query) for query in queries]
        if not any(name in request.query_params for name in ("left", "right")):
            scenarios[1] = scenarios[1].with_requests(FIRST_COMPARED * 10)
        left, right = scenarios
        lang = named(request)
        sides = [_side(site, "left", (left, right), t, lang), _side(site, "right", (right, left), t, lang)]
    except BreakevenError as wrong:
        told = wrong.told
        scenarios = []
    values = {"sides": sides, "differs": _differs(scenarios), "problem": told}
    return site.render(request, "beside.html", t, UNPROCESSABLE if told else 200, here="beside", **values)


def _side(site: Site, place: str, both: tuple[Scenario, Scenario], t: Texts, lang: Language | None) -> dict[str, Any]:
    """One scenario, which is changed beside the other one."""
    scenario, other = both
    found = site.planner.answer(scenario)
    edit = msgspec.structs.replace(
        scenario, lang=lang, beside=msgspec.structs.replace(other, beside=None, lang=None).query
    )
    lines = found.section.costs[0] if found.section.costs else None
    drawn = None if lines is None else site.drawings.costs(lines, "half", t, found.plan.as_of, place)
    over = "" if drawn is None or lines is None else over_costs(drawn, lines, found.now, "half", t)
    shown = {"edit": edit.query, "drawn": drawn, "over": over, "answer": found}
    return now_values(site, found.plan, found.now, t) | shown


def _differs(scenarios: list[Scenario]) -> list[tuple[str, str, str]]:
    """The fields in which two scenarios differ."""
    if len(scenarios) != len(("left", "right")):
        return []
    left, right = (written_of(one.spec) for one in scenarios)
    return [(name, left[name], right[name]) for name in left if left[name] != right[name]]


def prices(site: Site, request: Request) -> Response:
    """The prices of a name over time."""
    t, told = site.texts(request), None
    name = request.query_params.get("name", "").strip() or FIRST_SHOWN
    found: Histories | None = None
    entries: list[tuple[PriceHistory, dict[Width, Drawn]]] = []
    try:
        found = histories(site, name, request.query_params)
        entries = [
            (one, {width: _drawn_prices(site, one, found, width, t) for width in PAGE_WIDTHS}) for one in found.entries
        ]
    except BreakevenError as wrong:
        told = wrong.told
    values: dict[str, Any] = {"name": name, "entries": entries, "names": priced_names(site), "problem": told}
    values["asked"] = {one: request.query_params.get(one, "") for one in ("since", "as_of", "region")}
    values["regions"] = sorted({row.region for row in site.planner.catalogue.tables.machine_prices})
    values |= {"rows": _rows, "dated": lambda source, row: marks.dated(source, row, t)}
    values |= {"sources": {} if found is None else {one.id: one for one in found.sources}}
    return site.render(request, "history.html", t, UNPROCESSABLE if told else 200, here="history", **values)


def _drawn_prices(site: Site, entry: PriceHistory, found: Histories, width: Width, t: Texts) -> Drawn:
    shown, last = tuple(drawn_series(entry)), entry.gone_on or found.as_of
    says = marks.of_prices(shown, {one.id: one for one in found.sources}, t)
    told = t("history.of", name=entry.name), t.say(history_in_words(entry, shown, last))
    key = ("history", entry.name, str(found.since), str(last), str(shown), width, t.lang)
    return site.drawings.other(key, lambda: history_chart(shown, last, (PIXELS[width], LOW), t.say, says), told)


def histories(site: Site, name: str, asked: Mapping[str, str]) -> Histories:
    """The prices of a name as far as they are known. ``asked``: from and up to which day, of what.

    Raises:
        BreakevenError: if nothing has that name, or no price is known there.
    """
    catalogue = site.planner.catalogue
    regions = {row.region for row in catalogue.tables.machine_prices}
    region = asked.get("region") or Policy().region
    if region not in regions:
        raise UnknownNameError("region", region, regions)
    span = Span(
        as_of=_day(asked, "as_of") or catalogue.last_day,
        since=_day(asked, "since"),
        region=region,
        tier=asked.get("tier") or None,
        token_kind=asked.get("token_kind") or None,
    )
    return history(catalogue, name, span)


def _day(asked: Mapping[str, str], name: str) -> date | None:
    given = asked.get(name, "")
    if not given:
        return None
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise SpecError(
            quoting("{field} is {value}", field=name, value=given), expected="a day as 2026-11-24", do="Correct it"
        ) from None


def priced_names(site: Site) -> list[str]:
    """Every name that has prices of its own."""
    tables = site.planner.catalogue.tables
    offers = (f"{offer.provider}/{offer.model}" for offer in tables.api_offers)
    return sorted({*offers, *(row.machine for row in tables.machine_prices)})


def _rows(entry: PriceHistory) -> list[tuple[Series, PriceRow, str, str]]:
    """Every dated row of an entry with its price and its change, newest first."""
    rows = [
        (series, row, unit_price(usd_of(row)), percent(change))
        for series in entry.series
        for row, change in zip(series.rows, series.changes, strict=True)
    ]
    return sorted(rows, key=lambda found: found[1].effective_from, reverse=True)


def speeds(site: Site, request: Request) -> Response:
    """Predicted against measured, by GPU."""
    t, told = site.texts(request), None
    target = request.query_params.get("target", TARGETS[0])
    gpu = request.query_params.get("gpu", "")
    values: dict[str, Any] = {"found": None}
    try:
        found, rows = accuracy(target), of_gpu(target, gpu)
        drawn = {width: _drawn_pairs(site, found, rows, gpu, width, t) for width in PAGE_WIDTHS}
        values = {"found": found, "drawn": drawn}
    except BreakevenError as wrong:
        told, target = wrong.told, TARGETS[0]
    values |= {"target": target, "gpu": gpu, "targets": TARGETS, "problem": told}
    values["gpus"] = [one.gpu for one in accuracy(target).gpus]
    return site.render(request, "accuracy.html", t, UNPROCESSABLE if told else 200, here="accuracy", **values)


def _drawn_pairs(site: Site, found: Accuracy, rows: tuple[Pair, ...], gpu: str, width: Width, t: Texts) -> Drawn:
    title, side = t(f"accuracy.{found.target}"), min(PIXELS[width], SQUARE)
    told = t("accuracy.chart"), t.say(scatter_in_words(found, gpu))
    key = ("accuracy", found.target, gpu, width, t.lang)
    return site.drawings.other(key, lambda: scatter(rows, title, (side, side), t.say, marks.of_pairs(rows, t)), told)
