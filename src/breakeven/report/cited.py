"""The sources that a page cites, numbered as they are first met, and the figures of one option with theirs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from breakeven.catalogue.schema import ApiPrice, MachinePrice
from breakeven.cost.api import NAMES
from breakeven.cost.fixed import SPEC_SOURCE
from breakeven.decision.hybrids import OVERFLOW
from breakeven.decision.rank import Contender
from breakeven.evidence import Estimate, Source
from breakeven.options.quality import OWN_SCALE
from breakeven.planner import Plan
from breakeven.planner.verdict import Verdict
from breakeven.report.right_answers import right_answers
from breakeven.report.words import count, seconds, share, small_share, unit_price
from breakeven.wording import joined, worded


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """One source under its number. ``source`` is ``None`` for what no catalogue holds: the spec, a parameter file."""

    number: int
    id: str
    source: Source | None

    @property
    def title(self) -> str:
        """What it is called."""
        return self.source.title if self.source else self.id

    @property
    def kind(self) -> str:
        """Its kind in words."""
        if self.source:
            return self.source.kind.replace("_", " ")
        return "stated by you" if self.id == SPEC_SOURCE else "parameters of the speed model"

    @property
    def provenance(self) -> str:
        """Its kind, and the day on which it was read."""
        return worded("{kind}, read {day}", kind=self.kind, day=self.source.read) if self.source else self.kind

    @property
    def words(self) -> str:
        """Number, title, kind and day, for a link to it."""
        return f"Source {self.number}: {self.title} ({self.provenance})"


class Sources:
    """The numbered sources of one page, over all its plans."""

    def __init__(self, known: Mapping[str, Source]) -> None:
        self._known = known
        self._cited: dict[str, Cited] = {}

    def cite(self, ids: Iterable[str]) -> list[Cited]:
        """The sources with these ids under their numbers."""
        return [self._one(source_id) for source_id in ids]

    def _one(self, source_id: str) -> Cited:
        if source_id not in self._cited:
            number = len(self._cited) + 1
            self._cited[source_id] = Cited(number=number, id=source_id, source=self._known.get(source_id))
        return self._cited[source_id]

    @property
    def listed(self) -> list[Cited]:
        """All that were cited, by number."""
        return list(self._cited.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of an option: what it is, its value, what it rests on and where that was read."""

    name: str
    value: str
    basis: str
    sources: tuple[str, ...] = ()
    exact: Decimal | float | None = None


def figures(verdict: Verdict, contender: Contender, plan: Plan) -> list[Figure]:
    """Prices in force, quality, speed and fleet of one option."""
    basis = verdict.success.basis if verdict.success else "nobody said"
    right = [Figure(name=name, value=value, basis=basis) for name, value in right_answers(verdict, plan)]
    return [*_prices(verdict, contender, plan), *_quality(verdict, plan), *right, *_speed(verdict), *_fleet(verdict)]


def _prices(verdict: Verdict, contender: Contender, plan: Plan) -> list[Figure]:
    if contender.kind == "cascade":
        one = plan.cascades[contender.number]
        both = [_prices(plan.verdict(half), half, plan) for half in (one.first, one.fallback)]
        return list(dict.fromkeys(figure for half in both for figure in half))
    return [*_machine_price(contender, plan), *_api_prices(verdict, contender, plan)]


def _since(row: ApiPrice | MachinePrice) -> str:
    return worded(
        "since {day} ({basis})",
        day=row.effective_from,
        basis=row.date_basis.replace("_", " "),
    )


def _api_prices(verdict: Verdict, contender: Contender, plan: Plan) -> list[Figure]:
    """The list prices of the kinds of token that stand on the bill."""
    if contender.kind == "hosted":
        return []
    number = plan.hybrids.api[contender.number] if contender.kind == "hybrid" else contender.number
    billed = {line.name.removeprefix(OVERFLOW) for line in verdict.bill.lines}
    found = []
    for (kind, window, above), row in plan.api.options[number].tariff.prices.items():
        if NAMES[kind] in billed:
            when = ", peak hours" if window == "peak" else ", off-peak hours" if window else ""
            where = worded(", prompts above {n:,} tokens", n=above) if above else ""
            price = worded("{usd} USD a million tokens, {since}", usd=unit_price(row.usd_per_mtok), since=_since(row))
            name = worded("price of {line}{when}{where}", line=NAMES[kind], when=when, where=where)
            found.append(Figure(name=name, value=price, basis="listed", sources=(row.source,), exact=row.usd_per_mtok))
    return found


def _machine_price(contender: Contender, plan: Plan) -> list[Figure]:
    if contender.kind == "api":
        return []
    options = plan.hosted.options
    number = plan.hybrids.hosted[contender.number] if contender.kind == "hybrid" else contender.number
    offer = options.offers[options.offer[number]]
    if offer.price is None:
        return []
    value = worded(
        "{usd} USD an hour, {since}",
        usd=unit_price(offer.price.usd_per_hour),
        since=_since(offer.price),
    )
    name = worded("price of {machine}, {term}", machine=offer.machine, term=offer.term)
    basis = "stated" if offer.price.date_basis == "stated" else "listed"
    return [Figure(name=name, value=value, basis=basis, sources=(offer.price.source,), exact=offer.price.usd_per_hour)]


def _quality(verdict: Verdict, plan: Plan) -> list[Figure]:
    score, scale = verdict.option.quality_score, plan.quality.scale
    if score is None:
        return [Figure(name=worded("quality on {scale}", scale=scale), value="not known", basis="no published score")]
    row = None if scale == OWN_SCALE else plan.catalogue.scores(scale).get(verdict.option.model)
    return [
        Figure(
            name=worded("quality on {scale}", scale=scale),
            value=worded("{score:g}, class {group}", score=score, group=verdict.option.quality_class),
            basis="measured" if row else "stated",
            sources=(row.source,) if row else (),
            exact=score,
        )
    ]


def _speed(verdict: Verdict) -> list[Figure]:
    found = verdict.performance
    timed = [
        ("time to first token, busiest hour", found.ttft_s),
        ("time per output token, busiest hour", found.tpot_s),
        ("time of the whole answer", found.response_s),
    ]
    figures = [_estimate(name, value, seconds) for name, value in timed if value is not None]
    rate = found.output_tokens_per_s
    if rate is not None:
        figures.append(_estimate("output tokens a second of a full replica", rate, count))
    if found.largest_concurrency is not None:
        bound = worded(", bound by {bound}", bound=found.bound_by) if found.bound_by else ""
        figures.append(
            Figure(
                name="requests at a time on a replica",
                value=joined("", (f"{found.largest_concurrency}", bound)),
                basis=verdict.basis,
                sources=found.response_s.sources if found.response_s else (),
                exact=found.largest_concurrency,
            )
        )
    return figures


def _estimate(name: str, value: Estimate, tell: Callable[[float], str]) -> Figure:
    told = with_band(value, tell)
    return Figure(name=name, value=told, basis=value.basis, sources=value.sources, exact=value.mid)


def with_band(value: Estimate, tell: Callable[[float], str]) -> str:
    """An estimate with both ends of its band, all in the same words."""
    if value.low is None or value.high is None:
        return tell(value.mid)
    return worded("{mid} ({low} to {high})", mid=tell(value.mid), low=tell(value.low), high=tell(value.high))


def _fleet(verdict: Verdict) -> list[Figure]:
    option, fleet = verdict.option, verdict.capacity
    if fleet.peak_machines is None or fleet.mean_utilisation is None:
        return []
    low, high = min(fleet.replicas_by_hour), max(fleet.replicas_by_hour)
    rows = [
        ("engine", f"{option.engine} {option.engine_version}, {option.number_format}", None),
        ("a replica stands on", f"{option.tensor_parallel} x {option.accelerator}", option.tensor_parallel),
        ("replicas by hour", f"{low}" if low == high else worded("{low} to {high}", low=low, high=high), high),
        ("machines in the busiest hour", f"{fleet.peak_machines}", fleet.peak_machines),
        ("machines paid around the clock", f"{fleet.committed_machines or 0}", fleet.committed_machines or 0),
        ("mean use of the room", share(fleet.mean_utilisation), fleet.mean_utilisation),
    ]
    if verdict.hybrid is not None:
        rows.append(("overflow to the API", small_share(verdict.hybrid.overflow_share), verdict.hybrid.overflow_share))
    return [Figure(name=name, value=value, basis=verdict.basis, exact=exact) for name, value, exact in rows]
