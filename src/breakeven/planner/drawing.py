"""The scenarios of a plan ready to be charged: what is drawn, for whom, and how wrong their speeds may be."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from breakeven.catalogue.trends import QualityHistory, Trend, api_prices, machine_rents, open_models
from breakeven.decision.cascades import Cascade, shared_costs
from breakeven.decision.contest import Contest, Halves, Trends, pace_ends, volumes_of
from breakeven.decision.curves import Curves
from breakeven.decision.rank import Contender
from breakeven.decision.repriced_hybrids import hybrid_table
from breakeven.decision.repricing import ApiLines, HostedLines, api_lines, cost_table, token_weights, years_of
from breakeven.decision.scenarios import Z80, Draws, SpeedErrors, between, chance_of, hypercube
from breakeven.options.columns import Floats, Ints
from breakeven.options.quality import OWN_SCALE
from breakeven.planner.spine import Plan
from breakeven.units import MONTHS_PER_YEAR
from breakeven.workload.policy import DEFAULT_SCALE

CROSSING_OPTIONS = 6
FINE, COARSE = (20, 48), (10, 12)
"""Points of volume and steps of pace (to each side) of a table: if there is one class, and if there are several."""
NOTHING = np.empty(0, dtype=np.int64)
VARIANCES = ("user", "device", "own", "scatter")
KINDS = ("api", "hosted", "hybrid", "cascade")
"""Of the contenders that are drawn, in the order in which they stand."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawing:
    """What all classes of a plan share."""

    plan: Plan
    draws: Draws
    """Without speeds: those are drawn for the options of each class, by their names."""
    seed: int
    errors: SpeedErrors
    """Of the hosted options in ``numbers``."""
    numbers: Ints
    weights: tuple[Floats, Floats]
    apis: QualityHistory | None
    models: QualityHistory | None
    rents: Trend | None
    known: dict[float, Trends] = field(default_factory=dict)
    """Of the levels that were asked for."""

    def place(self, options: Ints) -> Ints:
        """Where hosted options stand in ``numbers``."""
        return np.searchsorted(self.numbers, options)

    def trends(self, level: float) -> Trends:
        """What prices do at a level of quality."""
        if level not in self.known:
            api, models = (None if history is None else history.trend(level) for history in (self.apis, self.models))
            self.known[level] = Trends(api=api, models=None if self.plan.policy.stated else models, rents=self.rents)
        return self.known[level]

    @property
    def years(self) -> float:
        """The horizon; commitments are looked at for a year in any case."""
        return max(self.plan.policy.uncertainty.horizon_months, MONTHS_PER_YEAR) / MONTHS_PER_YEAR


def base_of(plan: Plan, contender: Contender) -> int:
    """The number of a hosted option, or of the machines of a hybrid."""
    return int(plan.hybrids.hosted[contender.number]) if contender.kind == "hybrid" else contender.number


def machines_of(plan: Plan, contender: Contender) -> list[int]:
    """The numbers of the hosted options whose machines a contender has."""
    if contender.kind == "cascade":
        one = plan.cascades[contender.number]
        return [half.number for half in (one.first, one.fallback) if half.kind == "hosted"]
    return [] if contender.kind == "api" else [base_of(plan, contender)]


def drawing_of(plan: Plan, contenders: Sequence[Contender], seed: int, scenarios: int) -> Drawing:
    """What the scenarios of all classes share, drawn for these contenders."""
    hosted = [number for c in contenders for number in machines_of(plan, c)]
    lines = [envelope.hosted[:CROSSING_OPTIONS] for envelope in plan.envelopes]
    numbers = np.unique(np.concatenate([np.array(hosted, dtype=np.int64), *lines]))
    unknown = plan.policy.uncertainty
    cube = hypercube(("input", "output", "growth", "progress", "rent"), scenarios, seed)
    spread = np.log(unknown.tokens_spread)
    growth = unknown.growth
    ends = between(cube["growth"], growth.low, growth.mid, growth.high)
    tokens = {name: between(cube[name], np.exp(-spread), 1.0, np.exp(spread)) for name in ("input", "output")}
    draws = Draws(
        log_input=tokens["input"],
        log_output=tokens["output"],
        log_growth_per_year=ends,
        progress=chance_of(cube["progress"]),
        rent=chance_of(cube["rent"]),
        speed=np.zeros((0, scenarios)),
    )
    moving, text = unknown.price_scenarios, plan.workload.task == "generate"
    scores = _scores(plan)
    mean = plan.workload.mix.mean
    share = mean.input / (mean.input + mean.output)
    return Drawing(
        plan=plan,
        draws=draws,
        seed=seed,
        errors=_errors(plan, numbers),
        numbers=numbers,
        weights=token_weights(plan.curves, plan.grid, numbers),
        apis=api_prices(plan.catalogue, plan.as_of, scores, share) if moving and text and scores else None,
        models=open_models(plan.catalogue, plan.as_of, scores) if moving and text and scores else None,
        rents=machine_rents(plan.catalogue, plan.as_of, plan.policy.region) if moving else None,
    )


def _scores(plan: Plan) -> dict[str, float]:
    """The scores by which equal quality is told: the plan's own scale, unless that is a list of the user's."""
    if plan.quality.scale != OWN_SCALE:
        return dict(plan.quality.scores)
    known = {row.scale for row in plan.catalogue.tables.scores}
    found = plan.catalogue.scores(DEFAULT_SCALE) if DEFAULT_SCALE in known else {}
    return {model: row.score for model, row in found.items()}


def level_of(plan: Plan, group: str) -> float:
    """The score that stands for a class: the least of those that compete in it, or the middle one of all.

    The latter where none is known, or on a scale of the user's.
    """
    known = [c.score for c in plan.ranking.of(group) if not np.isnan(c.score)]
    if plan.quality.scale == OWN_SCALE or not known:
        scores = sorted(_scores(plan).values())
        return scores[len(scores) // 2] if scores else 0.0
    return max(plan.quality.floor or -np.inf, min(known))


def _errors(plan: Plan, numbers: Ints) -> SpeedErrors:
    """How wrong the speeds of some hosted options may be."""
    speed, rows = plan.speed, plan.hosted.options.row[numbers]
    widths = speed.half_width[rows]
    known = np.isfinite(widths)
    variance = speed.parameters.bands["variance"]
    total = sum(variance[name] for name in VARIANCES)
    axes = [speed.kinds.labels(axis) for axis in ("stack", "gpu", "model")]
    stacks, gpus, models = ([names[n] for n in index[rows].tolist()] for names, index in axes)
    labels = tuple(
        ("user", f"{stack} | {gpu}", f"{stack} | {gpu} | {model}", f"{row}")
        for stack, gpu, model, row in zip(stacks, gpus, models, speed.rows[rows].tolist(), strict=True)
    )
    shares = tuple(variance[name] / total for name in VARIANCES)
    return SpeedErrors(
        deviation=np.where(known, widths, 0.0) / Z80,
        known=known,
        labels=labels,
        shares=shares,  # type: ignore[arg-type]
    )


def lines_of(drawing: Drawing, options: Ints, trends: Trends, volumes: Floats | None = None) -> HostedLines:
    """Hosted options with their table over the scenarios' volumes, or over those of the break-even."""
    return _lines(drawing, drawing.plan.curves, (options, np.ones(len(options))), trends, volumes)


def _lines(
    drawing: Drawing, curves: Curves, some: tuple[Ints, Floats], trends: Trends, volumes: Floats | None = None
) -> HostedLines:
    """``some``: hosted options, and the share of the requests that comes to each."""
    (options, share), (weights, ends) = some, _paced(drawing, some[0], trends)
    found, steps = _points(drawing) if volumes is None else (volumes, COARSE[1])
    return HostedLines(
        options=options,
        table=cost_table(curves, options, ends, found, steps, share),
        input_weight=weights[0],
        output_weight=weights[1],
        committed_years=years_of(curves, options),
        overflow_input_share=np.zeros(len(options)),
    )


def _hybrid_lines(drawing: Drawing, hybrids: Ints, trends: Trends) -> HostedLines:
    """Hybrids by their base, each with what its API charges."""
    plan = drawing.plan
    base, api = plan.hybrids.hosted[hybrids], plan.hybrids.api[hybrids]
    weights, ends = _paced(drawing, base, trends)
    usd = api_lines(plan.curves, api)
    return HostedLines(
        options=base,
        table=hybrid_table(plan.curves, (base, api), ends, *_points(drawing)),
        input_weight=weights[0],
        output_weight=weights[1],
        committed_years=years_of(plan.curves, base),
        overflow_input_share=usd.input_usd_per_day / (usd.input_usd_per_day + usd.output_usd_per_day),
    )


def _paced(drawing: Drawing, options: Ints, trends: Trends) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """What tokens weigh in hosted options, and the ends of the log pace that the scenarios ask of each."""
    at = drawing.place(options)
    weights = (drawing.weights[0][at], drawing.weights[1][at])
    return weights, pace_ends(drawing.errors.take(at), weights, trends.models, drawing.draws, drawing.years)


def _points(drawing: Drawing) -> tuple[Floats, int]:
    """The volumes of a table over the scenarios, and its steps of pace."""
    points, steps = FINE if drawing.plan.ranking.floor else COARSE
    return volumes_of(drawing.plan.workload.requests_per_day, drawing.draws, drawing.years, points), steps


def contest_of(drawing: Drawing, group: str, members: list[Contender]) -> tuple[Contest, Draws]:
    """The members of a class ready to be charged, and the scenarios with their speeds."""
    plan = drawing.plan
    apis, hosted, hybrids = (
        np.array([c.number for c in members if c.kind == kind], dtype=np.int64) for kind in KINDS[:3]
    )
    cascades = [plan.cascades[c.number] for c in members if c.kind == "cascade"]
    trends = drawing.trends(level_of(plan, group))
    lines = lines_of(drawing, hosted, trends)
    lines = lines.with_hybrids(_hybrid_lines(drawing, hybrids, trends)) if len(hybrids) else lines
    halves = _halves_of(drawing, cascades, trends) if cascades else None
    behind = NOTHING if halves is None else halves.hosted.options
    leading = [max(machines_of(plan, c), key=lambda n: plan.hosted.usd_per_day[n], default=-1) for c in members]
    machines = np.concatenate([np.full(len(apis), -1), lines.options, leading[len(members) - len(cascades) :]])
    before = 0 if halves is None else len(halves.api.input_usd_per_day)
    errors = _errors_of(drawing, np.concatenate([machines, np.full(before, -1), behind]).astype(np.int64))
    contest = Contest(
        group=group,
        contenders=tuple(members),
        api=api_lines(plan.curves, apis),
        hosted=lines,
        errors=errors,
        trends=trends,
        requests_per_day=plan.workload.requests_per_day,
        horizon_months=plan.policy.uncertainty.horizon_months,
        halves=halves,
        success=_success_of(plan, members),
    )
    return contest, replace(drawing.draws, speed=errors.drawn(len(drawing.draws.rent), drawing.seed))


def _errors_of(drawing: Drawing, machines: Ints) -> SpeedErrors:
    """How wrong speeds may be, a row each; -1: no machine."""
    own = drawing.errors.take(drawing.place(machines[machines >= 0]))
    has = machines >= 0
    deviation, known = np.zeros(len(machines)), np.zeros(len(machines), dtype=np.bool_)
    deviation[has], known[has] = own.deviation, own.known
    labels = iter(own.labels)
    return SpeedErrors(
        deviation=deviation,
        known=known,
        labels=tuple(next(labels) if machine else ("", "", "", "") for machine in has.tolist()),
        shares=own.shares,
    )


def _success_of(plan: Plan, members: list[Contender]) -> Floats | None:
    """The share of right answers of each member; ``None`` where it is not known, or not what they are compared by."""
    success = np.array([c.success for c in members], dtype=np.float64)
    return success if plan.by_success and np.all(success > 0) else None


def paid_lines(plan: Plan, contender: Contender) -> ApiLines:
    """A paid API, or a cascade of two as if it were one."""
    if contender.kind == "api":
        return api_lines(plan.curves, np.array([contender.number]))
    one = plan.cascades[contender.number]
    both = api_lines(plan.curves.without_checks(), np.array([one.first.number, one.fallback.number]))
    both = both.for_share(np.array([1.0, one.fallback_share]))
    checks = one.checks * plan.workload.requests_per_day * plan.curves.usd_per_check
    twice = sum(shared_costs("api", "api", plan.curves).values())
    return ApiLines(
        input_usd_per_day=both.input_usd_per_day.sum(keepdims=True),
        output_usd_per_day=both.output_usd_per_day.sum(keepdims=True),
        beside_usd_per_day=both.beside_usd_per_day.sum(keepdims=True) + checks,
        fixed_usd_per_day=both.fixed_usd_per_day.sum(keepdims=True) - twice,
        most_requests_per_day=both.most_requests_per_day.min(keepdims=True),
        units=both.units,
    )


def _halves_of(drawing: Drawing, cascades: Sequence[Cascade], trends: Trends) -> Halves:
    """The halves of some cascades, less the checks of answers, which a cascade counts for itself."""
    plan, bare = drawing.plan, drawing.plan.curves.without_checks()
    every = [(c.first, 1.0) for c in cascades] + [(c.fallback, c.fallback_share) for c in cascades]
    columns = {
        kind: (
            np.array([half.number for half, _ in every if half.kind == kind], dtype=np.int64),
            np.array([share for half, share in every if half.kind == kind], dtype=np.float64),
        )
        for kind in ("api", "hosted")
    }
    apis = len(columns["api"][0])
    counts, places = {"api": 0, "hosted": apis}, []
    for half, _ in every:
        places.append(counts[half.kind])
        counts[half.kind] += 1
    api, of_api = columns["api"]
    requests = plan.workload.requests_per_day
    return Halves(
        api=api_lines(bare, api).for_share(of_api),
        hosted=_lines(drawing, bare, columns["hosted"], trends),
        first=np.array(places[: len(cascades)], dtype=np.int64),
        fallback=np.array(places[len(cascades) :], dtype=np.int64),
        checks_usd_per_day=np.array([c.checks for c in cascades]) * requests * plan.curves.usd_per_check,
        twice_usd_per_day=np.array(
            [sum(shared_costs(c.first.kind, c.fallback.kind, plan.curves).values()) for c in cascades]
        ),
    )
