"""The API, version 1: what the pages show, as JSON. An address is the spec, field by field, as on the pages."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from breakeven.catalogue.history import Series, usd_of
from breakeven.decision.crossover import Crossover
from breakeven.errors import BreakevenError, SpecError
from breakeven.evidence import Source
from breakeven.gateway.admin_shapes import Machines, Spend
from breakeven.options.ruling import Rejected
from breakeven.report.answer import answer as sentences
from breakeven.report.document import PlanDocument, VerdictDocument, plan_document, to_json, verdict_document
from breakeven.report.figures import CostLines, Load, with_band
from breakeven.report.pareto_chart import Point
from breakeven.report.sections import shown_of
from breakeven.ui.carried import again
from breakeven.ui.measured import Accuracy, accuracy
from breakeven.ui.meter import StoreSilentError
from breakeven.ui.now import Now
from breakeven.ui.otherpages import histories
from breakeven.ui.pages import matching
from breakeven.ui.scenario import scenario_of
from breakeven.ui.site import Site
from breakeven.ui.spend import UNAVAILABLE, machines_document, spend_document
from breakeven.ui.uploads import TooLargeError, refuse_long, scenario_from
from breakeven.wording import plain
from breakeven.workload.spec import Spec

V1 = "/api/v1"
LONGEST_NAME = 200


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request cannot be answered: what was given, what was expected, what to do."""

    error: str
    given: str
    expected: str
    do: str


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """Cost against traffic in one group; ``null`` where more machines are needed than there are."""

    group: str
    api: str | None
    requests_per_day: tuple[float, ...]
    api_usd_per_day: tuple[float | None, ...]
    hosted_usd_per_day: tuple[float | None, ...]
    hosted_usd_per_day_low: tuple[float | None, ...]
    hosted_usd_per_day_high: tuple[float | None, ...]
    hosted: tuple[str, ...]
    """The cheapest self-hosting at each traffic."""


class Crossovers(msgspec.Struct, frozen=True, kw_only=True):
    """The break-even of every group, and the lines that cross there."""

    crossovers: tuple[Crossover, ...]
    lines: tuple[Lines, ...]


class LoadDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What the cheapest self-hosting has to carry in each hour (24, or 168 from Monday), UTC."""

    option: str
    in_flight: tuple[float, ...]
    needed: tuple[float, ...]
    room: tuple[float, ...]
    replicas: tuple[float, ...]
    machine: str
    peak_machines: int


class FrontDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The self-hosted options that no other beats on both cost and time."""

    of: int
    points: tuple[Point, ...]
    api: str | None
    api_usd_per_day: float | None


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The answer in sentences, with the cheapest of each group."""

    sentences: tuple[str, ...]
    now: Now


class RuledOut(msgspec.Struct, frozen=True, kw_only=True):
    """What does not compete, by reason."""

    options_considered: int
    options_competing: int
    rejected: tuple[Rejected, ...]


class DatedPrice(msgspec.Struct, frozen=True, kw_only=True):
    """One price from the day on which it began to hold. ``change``: over the one before, less 1."""

    effective_from: date
    usd: Decimal
    change: Decimal | None
    date_basis: str
    source: str


class PriceSeries(msgspec.Struct, frozen=True, kw_only=True):
    """One price of a name over time."""

    label: str
    unit: str
    prices: tuple[DatedPrice, ...]


class Priced(msgspec.Struct, frozen=True, kw_only=True):
    """All prices of one offer, machine or service."""

    kind: str
    name: str
    gone_on: date | None
    series: tuple[PriceSeries, ...]


class HistoryDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What one name stands for, each with its prices over time."""

    catalogue_digest: str
    as_of: date
    entries: tuple[Priced, ...]
    sources: tuple[Source, ...]


class Uploaded(msgspec.Struct, frozen=True, kw_only=True):
    """The scenario of a file that was sent: the query of its address, its spec, and what is told of it."""

    query: str
    kind: str
    told: tuple[str, ...]
    spec: Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One address of the API."""

    does: str
    gives: Any
    answer: Callable[[Site, Request], Any]
    asks: tuple[tuple[str, str], ...] = ()
    """Parameters of its own, with what they are."""
    scenario: bool = True
    """Whether it takes the fields of a spec."""
    meter: bool = False
    """Whether it asks the gateway's store, which may be away."""


def _plan(site: Site, request: Request) -> PlanDocument:
    scenario = site.scenario(request)
    plan = site.planner.plan(scenario)
    return plan_document(plan, shown_of(plan), site.planner.ranges(scenario))


def _answer(site: Site, request: Request) -> Answered:
    found = site.planner.answer(site.scenario(request))
    return Answered(sentences=sentences(found.plan) + found.section.told, now=found.now)


def _step(site: Site, request: Request) -> Now:
    return site.planner.step(site.scenario(request))[1]


def _crossover(site: Site, request: Request) -> Crossovers:
    found = site.planner.answer(site.scenario(request))
    lines = tuple(_lines(with_band(one, found.plan)) for one in found.section.costs)
    return Crossovers(crossovers=found.plan.crossovers, lines=lines)


def _lines(found: CostLines) -> Lines:
    low, high = found.hosted_band or (None, None)
    return Lines(
        group=found.group,
        api=found.api,
        requests_per_day=tuple(found.requests_per_day.tolist()),
        api_usd_per_day=_finite(found.api_usd_per_day),
        hosted_usd_per_day=_finite(found.hosted_usd_per_day),
        hosted_usd_per_day_low=_finite(low),
        hosted_usd_per_day_high=_finite(high),
        hosted=found.hosted,
    )


def _finite(column: Any) -> tuple[float | None, ...]:  # noqa: ANN401 - a column or nothing
    if column is None:
        return ()
    return tuple(value if abs(value) < float("inf") else None for value in column.tolist())


def _load(site: Site, request: Request) -> LoadDocument | None:
    load: Load | None = site.planner.answer(site.scenario(request)).section.load
    if load is None:
        return None
    columns = {name: tuple(getattr(load, name).tolist()) for name in ("in_flight", "needed", "room", "replicas")}
    return LoadDocument(option=load.option, machine=load.machine, peak_machines=load.peak_machines, **columns)


def _front(site: Site, request: Request) -> FrontDocument | None:
    front = site.planner.answer(site.scenario(request)).front
    if front is None:
        return None
    return FrontDocument(of=front.of, points=front.points, api=front.api, api_usd_per_day=front.api_usd_per_day)


def _option(site: Site, request: Request) -> VerdictDocument:
    name = request.query_params.get("option", "")
    if not name or len(name) > LONGEST_NAME:
        raise SpecError("option is not given", expected="the id of an option, or a model", do="Add option=...")
    plan = site.planner.plan(site.scenario(request, "option"))
    return verdict_document(plan.explain(name), plan)


def _out(site: Site, request: Request) -> RuledOut:
    plan = site.planner.plan(site.scenario(request, "find"))
    rejected = tuple(matching(plan.rejected, request.query_params.get("find", "")))
    return RuledOut(options_considered=plan.options_considered, options_competing=plan.competing, rejected=rejected)


def _history(site: Site, request: Request) -> HistoryDocument:
    found = histories(site, request.path_params["name"], request.query_params)
    entries = (
        Priced(kind=one.kind, name=one.name, gone_on=one.gone_on, series=tuple(map(_series, one.series)))
        for one in found.entries
    )
    return HistoryDocument(
        catalogue_digest=found.catalogue_digest,
        as_of=found.as_of,
        entries=tuple(entries),
        sources=found.sources,
    )


def _series(found: Series) -> PriceSeries:
    prices = (
        DatedPrice(
            effective_from=row.effective_from,
            usd=usd_of(row),
            change=change,
            date_basis=row.date_basis,
            source=row.source,
        )
        for row, change in zip(found.rows, found.changes, strict=True)
    )
    return PriceSeries(label=found.label, unit=found.unit, prices=tuple(prices))


def _accuracy(_: Site, request: Request) -> Accuracy:
    return accuracy(request.query_params.get("target", "output_tokens_per_s"))


SPAN = (
    ("since", "a day (its begin) or a moment with its zone; default: 30 days before the end"),
    ("until", "a day (its end) or a moment with its zone; default: the end of today, UTC"),
)
HISTORY_ASKS = (
    ("since", "a day: prices that held from then on; default: all"),
    ("as_of", "a day: prices up to then; default: the last day of the catalogue"),
    ("region", "of machines and services; default: us-east-1"),
    ("tier", "of an offer: standard, batch, flex or priority; default: all"),
    ("token_kind", "of an offer: input, cached_input, cache_write or output; default: all"),
)
OPERATIONS: dict[str, Operation] = {
    f"{V1}/plan": Operation(
        does="The whole plan, as `breakeven compare --json` writes it", gives=PlanDocument, answer=_plan
    ),
    f"{V1}/answer": Operation(does="The answer in sentences", gives=Answered, answer=_answer),
    f"{V1}/step": Operation(
        does="The answer at another traffic, from the options of the newest plan that differs in it alone; quick",
        gives=Now,
        answer=_step,
    ),
    f"{V1}/crossover": Operation(does="Break-evens and the lines behind them", gives=Crossovers, answer=_crossover),
    f"{V1}/load": Operation(does="Load against capacity, by hour", gives=LoadDocument | None, answer=_load),
    f"{V1}/pareto": Operation(does="Cost against latency", gives=FrontDocument | None, answer=_front),
    f"{V1}/option": Operation(
        does="Any option that competes, with its bill",
        gives=VerdictDocument,
        answer=_option,
        asks=(("option", "its id, its place, or a model"),),
    ),
    f"{V1}/out": Operation(
        does="What was ruled out, by reason", gives=RuledOut, answer=_out, asks=(("find", "text in a reason"),)
    ),
    f"{V1}/history/{{name}}": Operation(
        does="The prices of an offer, machine, service or model over time",
        gives=HistoryDocument,
        answer=_history,
        asks=HISTORY_ASKS,
        scenario=False,
    ),
    f"{V1}/accuracy": Operation(
        does="Predicted against measured, by GPU",
        gives=Accuracy,
        answer=_accuracy,
        asks=(("target", "output_tokens_per_s, ttft_s or tpot_s"),),
        scenario=False,
    ),
    f"{V1}/spend": Operation(
        does="What the gateway's requests used and cost over a span, by group; dollars as exact text",
        gives=Spend,
        answer=spend_document,
        asks=(
            ("by", "key, team, model, upstream, provider, hour or day; several with commas between; default: key"),
            *SPAN,
            ("key", "only this key, by its id"),
            ("team", "only this team"),
        ),
        scenario=False,
        meter=True,
    ),
    f"{V1}/machines": Operation(
        does="Own machines behind the gateway: hours, price, what requests were charged, and idle time",
        gives=Machines,
        answer=machines_document,
        asks=SPAN,
        scenario=False,
        meter=True,
    ),
}


def respond(site: Site, request: Request, operation: Operation) -> Response:
    """The JSON of one operation, or of what is wrong with the request."""
    try:
        found = operation.answer(site, request)
    except BreakevenError as wrong:
        return refusal(wrong, UNAVAILABLE if isinstance(wrong, StoreSilentError) else 422)
    raw = to_json((found,)) if isinstance(found, PlanDocument) else encoded(found)
    return Response(raw, media_type="application/json")


def encoded(value: Any) -> bytes:  # noqa: ANN401 - any structure
    """JSON in which money is a number."""
    return msgspec.json.Encoder(decimal_format="number", enc_hook=plain).encode(value) + b"\n"


def refusal(wrong: BreakevenError, status: int = 422) -> JSONResponse:
    """What is wrong with a request, as JSON."""
    told = Problem(error=str(wrong), given=wrong.given, expected=wrong.expected, do=wrong.do)
    return JSONResponse(msgspec.to_builtins(told, enc_hook=plain), status)


async def upload(site: Site, request: Request) -> Response:
    """The workload in a log or spec that is sent as the body; ``name`` says what kind of file it is."""
    name = request.query_params.get("name", "")[:LONGEST_NAME]
    try:
        refuse_long(request, site.upload_bytes)
        base = scenario_of(request.query_params.get("base", ""))
        scenario, found = await scenario_from(request.stream(), name, site.upload_bytes, base)
        site.planner.check(scenario_of(scenario.query))
    except BreakevenError as wrong:
        return refusal(wrong, 413 if isinstance(wrong, TooLargeError) else 422)
    told = Uploaded(query=scenario.query, kind=found.kind, told=tuple(map(again, found.told)), spec=scenario.spec)
    return Response(encoded(told), media_type="application/json")
