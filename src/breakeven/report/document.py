"""The plan as a JSON document with a versioned schema.

Money is a JSON number written from the exact decimal. Fields that are not known are ``null``.
"""

from datetime import date
from decimal import Decimal
from typing import Any, Literal

import msgspec

from breakeven.cost.bill import Bill, CostLine
from breakeven.cost.fine_tuning import Training
from breakeven.decision.crossover import Crossover
from breakeven.evidence import Basis, Source
from breakeven.options.ruling import Rejected
from breakeven.planner import Plan
from breakeven.planner.changes import Changes
from breakeven.planner.mixed import MixedFleet
from breakeven.planner.right_answers import Success
from breakeven.planner.setup import Setup
from breakeven.planner.spread import Ranges
from breakeven.planner.verdict import Capacity, CascadeParts, Hybrid, Option, Performance, Verdict
from breakeven.units import TOKENS_PER_MTOK
from breakeven.wording import plain
from breakeven.workload.policy import Policy
from breakeven.workload.profile import Burstiness

SCHEMA_VERSION: Literal["1.0"] = "1.0"
PLACES = Decimal("0.000001")


class WorkloadDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The workload as it was understood."""

    name: str
    task: str
    requests_per_day: float
    requests_per_hour: tuple[float, ...]
    input_tokens: float
    cached_input_tokens: float
    cache_write_tokens: float
    output_tokens: float
    token_shapes: int
    ttft_s: float | None
    tpot_s: float | None
    quantile: float
    burstiness: Burstiness | None
    deferrable: bool
    at_least: str | float | None
    region: str


class BillDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A bill. ``low`` and ``high``: at both ends of the speed's 80 % band; ``null`` for paid APIs and stated speeds."""

    usd_per_day: Decimal
    usd_per_day_low: Decimal | None
    usd_per_day_high: Decimal | None
    usd_per_month: Decimal
    usd_per_million_tokens: Decimal | None
    unpriced: tuple[str, ...]
    lines: tuple[CostLine, ...]


class VerdictDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One option with its place, bill, speed and reason."""

    rank: int
    group: str
    option: Option
    meets_slo: bool | None
    meets_slo_probability: float | None
    because: str
    basis: Basis
    bill: BillDocument
    performance: Performance
    capacity: Capacity
    hybrid: Hybrid | None
    """Base, overflow and both ends; ``null`` for options of one kind."""
    success: Success | None
    """How often it is right and what a right answer costs; ``null`` where no success rate is known."""
    cascade: CascadeParts | None
    """The halves of a cascade; ``null`` for all other options."""
    setup: Setup | None
    """What ``breakeven template`` needs to know; ``null`` for what is not a single self-hosted option."""


class FreshnessDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The oldest price that a bill among the verdicts is charged by."""

    oldest_effective_from: date
    item: str
    age_days: int


class PlanDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A plan. ``winner`` is an option id, ``null`` without a quality floor.

    ``verdicts`` holds the first of every class (``--top``); ``policy`` is what the plan was narrowed and priced by;
    ``mixed`` the fleets of several machine types, where the policy asks for them.
    """

    schema_version: Literal["1.0"]
    as_of: date
    catalogue_digest: str
    options_considered: int
    options_competing: int
    workload: WorkloadDocument
    policy: Policy
    winner: str | None
    verdicts: tuple[VerdictDocument, ...]
    rejected: tuple[Rejected, ...]
    crossovers: tuple[Crossover, ...]
    ranges: Ranges | None
    """Bands over the horizon, chances, regret and what a benchmark is worth; ``null`` where they were switched off."""
    mixed: tuple[MixedFleet, ...]
    """With success rates: where as many right answers cost the same."""
    fine_tunings: tuple[Training, ...]
    assumptions: tuple[str, ...]
    freshness: FreshnessDocument
    sources: tuple[Source, ...]
    measured: Changes | None = None
    """What the user's own measurements changed; ``null`` without any."""


def plan_document(
    plan: Plan, top: int = 10, ranges: Ranges | None = None, also: tuple[Verdict, ...] = ()
) -> PlanDocument:
    """The document of a plan with the first ``top`` verdicts of every group, and its ranges where they were drawn.

    ``also``: verdicts that stand in it whatever their place.
    """
    first = plan.verdicts(top)
    shown = {verdict.option.id for verdict in first}
    further = tuple(verdict for verdict in also if verdict.option.id not in shown)
    verdicts = tuple(verdict_document(verdict, plan) for verdict in (*first, *further))
    cited = {source for verdict in verdicts for line in verdict.bill.lines for source in line.source}
    fresh = plan.freshness(top)
    return PlanDocument(
        schema_version=SCHEMA_VERSION,
        as_of=plan.as_of,
        catalogue_digest=plan.catalogue_digest,
        options_considered=plan.options_considered,
        options_competing=plan.competing,
        workload=_workload(plan),
        policy=plan.policy,
        winner=plan.winner.option.id if plan.winner else None,
        verdicts=verdicts,
        rejected=plan.rejected,
        crossovers=plan.crossovers,
        ranges=ranges,
        mixed=plan.mixed,
        fine_tunings=plan.trainings,
        assumptions=plan.assumptions,
        freshness=FreshnessDocument(
            oldest_effective_from=fresh.oldest_effective_from, item=fresh.item, age_days=fresh.age_days
        ),
        sources=tuple(plan.catalogue.sources[s] for s in sorted(cited) if s in plan.catalogue.sources),
        measured=plan.measured,
    )


def verdict_document(verdict: Verdict, plan: Plan) -> VerdictDocument:
    """The document of one verdict."""
    return VerdictDocument(
        **{name: getattr(verdict, name) for name in VerdictDocument.__struct_fields__ if name != "bill"},
        bill=_bill(verdict, plan),
    )


def _bill(verdict: Verdict, plan: Plan) -> BillDocument:
    bill = verdict.bill
    return BillDocument(
        usd_per_day=bill.usd_per_day,
        usd_per_day_low=verdict.usd_per_day_low,
        usd_per_day_high=verdict.usd_per_day_high,
        usd_per_month=bill.usd_per_month.quantize(PLACES),
        usd_per_million_tokens=usd_per_mtok(bill, plan),
        unpriced=bill.unpriced,
        lines=bill.lines,
    )


def usd_per_mtok(bill: Bill, plan: Plan) -> Decimal | None:
    """USD for a million tokens of the workload, input and output together."""
    mean = plan.workload.mix.mean
    mtok = plan.workload.requests_per_day * (mean.input + mean.output) / TOKENS_PER_MTOK
    return (bill.usd_per_day / Decimal(repr(mtok))).quantize(PLACES) if mtok else None


def _workload(plan: Plan) -> WorkloadDocument:
    workload, mean = plan.workload, plan.workload.mix.mean
    return WorkloadDocument(
        name=workload.name,
        task=workload.task,
        requests_per_day=workload.requests_per_day,
        requests_per_hour=workload.requests_per_hour,
        input_tokens=mean.input,
        cached_input_tokens=mean.cached_input,
        cache_write_tokens=mean.cache_write,
        output_tokens=mean.output,
        token_shapes=len(workload.mix.shapes),
        ttft_s=workload.slo.ttft_s,
        tpot_s=workload.slo.tpot_s,
        quantile=workload.slo.quantile,
        burstiness=workload.burstiness,
        deferrable=workload.deferrable,
        at_least=plan.policy.at_least,
        region=plan.policy.region,
    )


def to_json(documents: tuple[PlanDocument, ...]) -> bytes:
    """JSON of one plan, or of a list of plans for a spec with several documents."""
    encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=plain)
    raw = encoder.encode(documents[0] if len(documents) == 1 else documents)
    return msgspec.json.format(raw, indent=2) + b"\n"


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a plan, generated from the types."""
    schema = msgspec.json.schema(PlanDocument)
    definitions = {name: schema_of_money(body) for name, body in schema.pop("$defs", {}).items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"breakeven plan, schema {SCHEMA_VERSION}",
        **schema,
        "$defs": definitions,
    }


def schema_of_money(body: Any) -> Any:  # noqa: ANN401 - a JSON value
    """A schema in which money is a number, as it is written, where msgspec says decimal text."""
    if isinstance(body, dict):
        if body.get("format") == "decimal":
            return {**{k: v for k, v in body.items() if k != "format"}, "type": "number"}
        return {key: schema_of_money(value) for key, value in body.items()}
    return [schema_of_money(item) for item in body] if isinstance(body, list) else body
