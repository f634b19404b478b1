"""``ranges(plan, seed)``: bands, chances, regret, a tornado and the value of measuring, held beside the plan.

The scenarios touch only the contenders that matter, the cheapest of every class; their costs are read off a small table
that the plan's own sizing and charges fill.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from breakeven.catalogue.trends import QualityHistory, Trend, api_prices, machine_rents, open_models
from breakeven.decision.contest import Contest, Trends, chances, pace_ends, regrets, volumes_of
from breakeven.decision.crossing import Crossing, break_evens, crossing_volumes, ends_of
from breakeven.decision.rank import Contender
from breakeven.decision.repricing import HostedLines, api_lines, cost_table, token_weights, years_of
from breakeven.decision.scenarios import (
    SCENARIOS,
    Z80,
    Draws,
    SpeedErrors,
    between,
    chance_of,
    hypercube,
)
from breakeven.decision.tornado import swings
from breakeven.decision.waiting import waiting
from breakeven.decision.worth import worths
from breakeven.options.columns import Floats, Ints
from breakeven.options.quality import OWN_SCALE, UNKNOWN_CLASS
from breakeven.options.terms import COMMITTED_YEARS, ON_DEMAND
from breakeven.planner.range_words import assumptions_of, configuration, inputs_of, swing_range
from breakeven.planner.spine import Plan
from breakeven.planner.spread import ClassRange, Commitment, CrossoverRange, Measurement, OptionRange, Ranges
from breakeven.units import DAYS_PER_MONTH, HOURS_PER_DAY, HOURS_PER_YEAR, MONTHS_PER_YEAR
from breakeven.workload.policy import DEFAULT_SCALE

WITH_FLOOR, PER_CLASS = 24, 10
"""Contenders drawn of one class: if it is the only one, and of each of several."""
CROSSING_OPTIONS = 6
FINE, COARSE = (20, 24), (10, 12)
"""Points of volume and steps of pace (to each side) of a table: if there is one class, and if there are several."""
ONE_YEAR = tuple(term for term, years in COMMITTED_YEARS.items() if years == 1)
"""The commitments of which it is told when to wait."""
DAYS_PER_YEAR = HOURS_PER_YEAR / HOURS_PER_DAY
VARIANCES = ("stack", "device", "own", "scatter")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Drawing:
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


def ranges(plan: Plan, seed: int = 0, scenarios: int = SCENARIOS) -> Ranges:
    """Draw the plan's contenders over the scenarios of its policy's ``uncertainty``.

    The same plan and seed give the same figures. Classes of unknown quality are not drawn: the cheapest of them is not
    known to do what the next one does.

    >>> from breakeven import Workload, load_catalogue, plan
    >>> from breakeven.workload.policy import Policy
    >>> work = Workload.of(requests_per_day=1e6, input_tokens=1500, output_tokens=400)
    >>> (found,) = ranges(plan(work, load_catalogue(), Policy(at_least=1400.0))).classes
    >>> round(sum(option.chance_cheapest for option in found.options), 9)
    1.0
    """
    groups = [group for group in plan.ranking.groups if group != UNKNOWN_CLASS]
    most = WITH_FLOOR if plan.ranking.floor else PER_CLASS
    members = {group: _members(plan, group, most) for group in groups}
    drawing = _drawing(plan, [c for found in members.values() for c in found], seed, scenarios)
    classes = tuple(_class(drawing, group, found) for group, found in members.items() if found)
    return Ranges(
        seed=seed,
        scenarios=scenarios,
        horizon_months=plan.policy.uncertainty.horizon_months,
        as_of=plan.as_of,
        inputs=inputs_of(plan, [(group, drawing.trends(_level(plan, group))) for group in groups]),
        assumptions=assumptions_of(plan, most),
        classes=classes,
    )


def _members(plan: Plan, group: str, most: int) -> list[Contender]:
    """The contenders drawn: the cheapest known to keep the target (all, if that is known of none), APIs first."""
    ranked = [c for c in plan.ranking.of(group) if c.kind == "hosted" or (c.kind == "api" and _metered(plan, c))]
    known = [c for c in ranked if c.meets_slo] or ranked
    kept = known[:most]
    for kind in ("api", "hosted"):
        kept += [c for c in known if c.kind == kind and c not in kept][: 0 if any(c.kind == kind for c in kept) else 1]
    best = next((c for c in kept if c.kind == "hosted"), None)
    twin = None if best is None else _twin(plan, best)
    if twin is not None and all((c.kind, c.number) != (twin.kind, twin.number) for c in kept):
        kept.append(twin)
    return sorted(kept, key=lambda c: c.kind != "api")


def _metered(plan: Plan, api: Contender) -> bool:
    """Whether an API is paid by the token: what is paid by the unit is not drawn."""
    return plan.api.options[api.number].provisioned is None


def _twin(plan: Plan, contender: Contender) -> Contender | None:
    """The same machines on demand where they were committed to for a year, and the other way round."""
    of = plan.hosted.options
    mine = of.offers[of.offer[contender.number]]
    others = (ON_DEMAND,) if mine.term in ONE_YEAR else ONE_YEAR if mine.term == ON_DEMAND else ()
    for number in np.flatnonzero(of.pair == of.pair[contender.number]).tolist():
        offer = of.offers[of.offer[number]]
        if (offer.machine, offer.path.name) == (mine.machine, mine.path.name) and offer.term in others:
            usd = float(plan.hosted.usd_per_day[number])
            return replace(contender, number=number, usd_per_day=usd)
    return None


def _drawing(plan: Plan, contenders: Sequence[Contender], seed: int, scenarios: int) -> _Drawing:
    hosted = [c.number for c in contenders if c.kind == "hosted"]
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
    return _Drawing(
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


def _level(plan: Plan, group: str) -> float:
    """The score that stands for a class: the least of those that compete in it."""
    if plan.quality.scale == OWN_SCALE:
        scores = sorted(_scores(plan).values())
        return scores[len(scores) // 2] if scores else 0.0
    known = [c.score for c in plan.ranking.of(group) if not np.isnan(c.score)]
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
        (stack, f"{stack} | {gpu}", f"{stack} | {gpu} | {model}", f"{row}")
        for stack, gpu, model, row in zip(stacks, gpus, models, speed.rows[rows].tolist(), strict=True)
    )
    shares = tuple(variance[name] / total for name in VARIANCES)
    return SpeedErrors(
        deviation=np.where(known, widths, 0.0) / Z80,
        known=known,
        labels=labels,
        shares=shares,  # type: ignore[arg-type]
    )


def _lines(drawing: _Drawing, options: Ints, trends: Trends, volumes: Floats | None) -> HostedLines:
    """Hosted options with their table over the scenarios' volumes, or over those of the break-even."""
    plan, at = drawing.plan, drawing.place(options)
    weights = (drawing.weights[0][at], drawing.weights[1][at])
    ends = pace_ends(drawing.errors.take(at), weights, trends.models, drawing.draws, drawing.years)
    wanted = plan.workload.requests_per_day
    points, steps = FINE if plan.ranking.floor else COARSE
    found = volumes_of(wanted, drawing.draws, drawing.years, points) if volumes is None else volumes
    return HostedLines(
        options=options,
        table=cost_table(plan.curves, options, ends, found, steps if volumes is None else COARSE[1]),
        input_weight=weights[0],
        output_weight=weights[1],
        committed_years=years_of(plan.curves, options),
    )


def _class(drawing: _Drawing, group: str, members: list[Contender]) -> ClassRange:
    plan = drawing.plan
    contest, draws = _contest(drawing, group, members)
    usd = contest.usd_per_day(draws)
    ids = [plan.option_id(c) for c in contest.contenders]
    ranked = sorted(range(len(members)), key=lambda n: (contest.contenders[n].rank, contest.contenders[n].usd_per_day))
    chosen, lost = ranked[0], regrets(usd)
    margin, moved = swings(contest, chosen, plan.policy.uncertainty)
    options = _options(contest, ids, usd, lost)
    return ClassRange(
        group=group,
        chosen=ids[chosen],
        margin_usd_per_day=_finite(margin),
        regret_usd_per_day=_finite(float(lost[chosen])),
        cheapest_on_average=ids[int(usd.mean(axis=1).argmin())],
        options=tuple(options[n] for n in ranked),
        left_out=len(plan.ranking.of(group)) - sum(1 for c in plan.ranking.of(group) if c in members),
        crossover=_crossover(drawing, group, contest.trends),
        tornado=tuple(swing_range(plan, contest, swing, chosen, ids) for swing in moved),
        measurements=_measurements(plan, contest, draws, ids),
        commitment=_commitment(plan, contest, draws, ids, chosen),
    )


def _contest(drawing: _Drawing, group: str, members: list[Contender]) -> tuple[Contest, Draws]:
    plan = drawing.plan
    apis = np.array([c.number for c in members if c.kind == "api"], dtype=np.int64)
    hosted = np.array([c.number for c in members if c.kind == "hosted"], dtype=np.int64)
    trends = drawing.trends(_level(plan, group))
    own = drawing.errors.take(drawing.place(hosted))
    none = ("", "", "", "")
    errors = SpeedErrors(
        deviation=np.concatenate([np.zeros(len(apis)), own.deviation]),
        known=np.concatenate([np.zeros(len(apis), dtype=np.bool_), own.known]),
        labels=(*(none for _ in apis), *own.labels),
        shares=own.shares,
    )
    drawn = own.drawn(len(drawing.draws.rent), drawing.seed)
    speed = np.concatenate([np.zeros((len(apis), drawn.shape[1])), drawn])
    contest = Contest(
        group=group,
        contenders=tuple(members),
        api=api_lines(plan.curves, apis),
        hosted=_lines(drawing, hosted, trends, None),
        errors=errors,
        trends=trends,
        requests_per_day=plan.workload.requests_per_day,
        horizon_months=plan.policy.uncertainty.horizon_months,
    )
    return contest, replace(drawing.draws, speed=speed)


def _options(contest: Contest, ids: list[str], usd: Floats, lost: Floats) -> list[OptionRange]:
    share = chances(usd)
    found = []
    for n, contender in enumerate(contest.contenders):
        low, mid, high = ends_of(usd[n])
        told = contender.kind == "api" or bool(contest.errors.known[n])
        found.append(
            OptionRange(
                option=ids[n],
                usd_per_day_today=contender.usd_per_day,
                usd_per_day_low=_finite(low) if told else None,
                usd_per_day_mid=_finite(mid) if told else None,
                usd_per_day_high=_finite(high) if told else None,
                usd_per_day_mean=_finite(float(usd[n].mean())) if told else None,
                chance_cheapest=float(share[n]),
                regret_usd_per_day=_finite(float(lost[n])),
                speed_band_known=told,
            )
        )
    return found


def _crossover(drawing: _Drawing, group: str, trends: Trends) -> CrossoverRange | None:
    plan = drawing.plan
    lines = next((envelope for envelope in plan.envelopes if envelope.group == group), None)
    if lines is None or lines.api is None or not len(lines.hosted) or not _metered(plan, lines.api):
        return None
    options = lines.hosted[:CROSSING_OPTIONS]
    errors = drawing.errors.take(drawing.place(options))
    if not errors.known.all():
        return None
    crossing = Crossing(
        api=api_lines(plan.curves, np.array([lines.api.number])),
        hosted=_lines(drawing, options, trends, crossing_volumes()),
        errors=errors,
        trends=trends,
        requests_per_day=plan.workload.requests_per_day,
        horizon_months=plan.policy.uncertainty.horizon_months,
    )
    draws = replace(drawing.draws, speed=errors.drawn(len(drawing.draws.rent), drawing.seed))
    found = break_evens(crossing, draws)
    low, mid, high = ends_of(found)
    return CrossoverRange(
        left=plan.option_id(lines.api),
        requests_per_day_low=_finite(low),
        requests_per_day_mid=_finite(mid),
        requests_per_day_high=_finite(high),
        chance_never=float(np.isinf(found).mean()),
    )


def _measurements(plan: Plan, contest: Contest, draws: Draws, ids: list[str]) -> tuple[Measurement, ...]:
    days = plan.policy.uncertainty.horizon_months * DAYS_PER_MONTH
    return tuple(
        Measurement(
            configuration=configuration(plan, contest.contenders[worth.contender]),
            option=ids[worth.contender],
            usd_per_day=worth.usd_per_day,
            usd_over_horizon=worth.usd_per_day * days,
            informs=worth.informs,
        )
        for worth in worths(contest, draws)
    )


def _commitment(plan: Plan, contest: Contest, draws: Draws, ids: list[str], chosen: int) -> Commitment | None:
    """Of the option chosen, where it can be had reserved and on demand."""
    of = plan.hosted.options

    def kept(n: int) -> tuple[int, str, str]:
        number = contest.contenders[n].number
        offer = of.offers[of.offer[number]]
        return int(of.pair[number]), offer.machine, offer.path.name

    hosted = range(contest.apis, len(contest.contenders))
    same = [n for n in hosted if chosen >= contest.apis and kept(n) == kept(chosen)]
    terms = {of.offers[of.offer[contest.contenders[n].number]].term: n for n in same}
    committed = next((terms[term] for term in ONE_YEAR if term in terms), None)
    if committed is None or ON_DEMAND not in terms:
        return None
    wait = waiting(contest, committed, terms[ON_DEMAND], draws)
    year = DAYS_PER_YEAR
    if not np.isfinite([wait.now_usd_per_day, wait.later_usd_per_day]).all():
        return None
    return Commitment(
        reserved=ids[wait.reserved],
        on_demand=ids[wait.free],
        now_usd_per_year=wait.now_usd_per_day * year,
        later_usd_per_year=wait.later_usd_per_day * year,
        wait_months=wait.months,
        never_usd_per_year=wait.never_usd_per_day * year,
        chance_waiting_pays=wait.chance_waiting_pays,
    )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
