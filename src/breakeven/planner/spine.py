"""The plan, in reading order: options, performance, capacity, cost, decision."""

from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from math import inf, isnan
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from breakeven.capacity.sizing import Sizing, machine_pairs, size
from breakeven.catalogue.load import Catalogue, Snapshot
from breakeven.cost.api import ApiCosts, api_costs
from breakeven.cost.bill import Charge
from breakeven.cost.extras import extras_of, with_attempts
from breakeven.cost.fine_tuning import Training, trainings_of
from breakeven.cost.hosting import HostedCosts, hosted_costs, hosted_options
from breakeven.cost.outages import outages_of, with_outages
from breakeven.cost.provisioned import unit_charges
from breakeven.decision.cascades import Cascade, cascades_of, ranked_with
from breakeven.decision.crossover import Crossover, crossovers
from breakeven.decision.curves import Curves, curves_of
from breakeven.decision.envelope import Envelope, envelopes_of, members_of
from breakeven.decision.hybrids import Hybrids
from breakeven.decision.pairs import best_hybrids, contenders_of
from breakeven.decision.rank import By, Contender, Ranking, joined, rank
from breakeven.errors import NoDataError, UnknownNameError
from breakeven.options.api import ApiOption, api_options
from breakeven.options.hosted import HostedGrid, hosted_grid
from breakeven.options.names import check_names, model_names
from breakeven.options.quality import Quality, quality_of
from breakeven.options.ruling import Rejected, Ruling
from breakeven.options.success import UNKNOWN_SUCCESS, Successes, attempts_per_day, rule_below_floor, successes_of
from breakeven.options.tuned import with_tuned
from breakeven.performance.calibration import Parameters
from breakeven.performance.predict import Speed, predict
from breakeven.planner.assumptions import assumptions_of, beyond_catalogue
from breakeven.planner.cascade_verdict import cascade_id, cascade_verdict, paid_ids
from breakeven.planner.freshness import Freshness, freshness_of
from breakeven.planner.hybrid_verdict import cheaper_between, hybrid_id, hybrid_verdict
from breakeven.planner.mixed import MixedFleet, MixedMachines
from breakeven.planner.setup import setup_of
from breakeven.planner.verdict import Verdict, api_verdict, hosted_id, hosted_verdict
from breakeven.wording import joined as in_one
from breakeven.wording import worded
from breakeven.workload.policy import Policy
from breakeven.workload.profile import Workload

if TYPE_CHECKING:
    from breakeven.planner.changes import Changes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """The answer: who competes, who wins, what was ruled out, and from which traffic on that changes.

    Bills and sentences are built when asked for, from the same columns that were ranked.
    """

    workload: Workload
    policy: Policy
    as_of: date
    catalogue_digest: str
    options_considered: int
    competing: int
    ranking: Ranking
    rejected: tuple[Rejected, ...]
    crossovers: tuple[Crossover, ...]
    envelopes: tuple[Envelope, ...]
    assumptions: tuple[str, ...]
    catalogue: Catalogue
    quality: Quality
    by: By
    """What one line of the ranking stands for."""
    snapshot: Snapshot
    grid: HostedGrid
    speed: Speed
    sizing: Sizing
    hosted: HostedCosts
    api: ApiCosts
    mixed: tuple[MixedFleet, ...]
    """Fleets of several machine types for the leading models, where the policy asks for them."""
    hybrids: Hybrids
    """Own machines for the base with a paid API for the overflow, where that is cheaper than either alone."""
    curves: Curves
    cascades: tuple[Cascade, ...] = ()
    """Those that no single option and no other cascade beats on both success and cost."""
    trainings: tuple[Training, ...] = ()
    measured: "Changes | None" = None
    """What the user's own measurements changed, where there are any."""
    _verdicts: dict[Contender, Verdict] = field(default_factory=dict, repr=False)

    def verdict(self, contender: Contender) -> Verdict:
        """One contender in full; told again, it is the same."""
        if contender not in self._verdicts:
            self._verdicts[contender] = self._verdict(contender)
        return self._verdicts[contender]

    def _verdict(self, contender: Contender) -> Verdict:
        if contender.kind == "cascade":
            one = self.cascades[contender.number]
            halves = self.verdict(one.first), self.verdict(one.fallback)
            return cascade_verdict(contender, one, halves, self.curves, self.quality)
        if contender.kind == "api":
            return api_verdict(contender, self.curves, self.quality)
        if contender.kind == "hybrid":
            alone = self._hosted_alone(contender)
            return hybrid_verdict(contender, self.hybrids, self.grid, self.curves, self.quality, alone)
        found = hosted_verdict(contender, self.grid, self.speed, self.sizing, self.curves, self.quality)
        least = min(found.capacity.replicas_by_hour)
        row = int(self.hosted.options.row[contender.number])
        setup = setup_of(self.grid, self.sizing, row, least, self.catalogue.tables.repositories)
        return msgspec.structs.replace(found, setup=setup)

    def verdicts(self, top: int = 10) -> tuple[Verdict, ...]:
        """The first ``top`` of every group, groups in order of quality.

        Where a target is set, the first ``top`` known to keep it and as many whose latency is not known.
        """
        shown = self.ranking.first(top)
        self.prepare(shown)
        return tuple(self.verdict(c) for c in shown)

    def prepare(self, contenders: tuple[Contender, ...]) -> None:
        """Find the bands of contenders that are going to be told, all at once."""
        hosted = np.array([c.number for c in contenders if c.kind == "hosted"], dtype=np.int64)
        self.curves.find_bands(hosted, self.curves.speed.workload.requests_per_day)

    @property
    def winner(self) -> Verdict | None:
        """The overall winner; ``None`` without a quality floor, because unlike options have no common winner."""
        return self.verdict(self.ranking.winner) if self.ranking.winner else None

    @property
    def by_success(self) -> bool:
        """Whether the ranking is by the cost of a right answer."""
        return self.curves.successes is not None

    @property
    def floor_words(self) -> str:
        """What an option must reach to compete, in words; nothing without a floor."""
        of_success = self.curves.successes.floor_words if self.curves.successes else ""
        return " and ".join(filter(None, (self.quality.floor_words, of_success)))

    def option_id(self, contender: Contender) -> str:
        """The id of a contender's option, without building its verdict."""
        if contender.kind == "cascade":
            one = self.cascades[contender.number]
            return cascade_id(self.option_id(one.first), self.option_id(one.fallback))
        if contender.kind == "api":
            return self.api.options[contender.number].id
        if contender.kind == "hybrid":
            return hybrid_id(self.hybrids, self.grid, self.curves, contender.number)
        return hosted_id(self.grid, self.speed, self.hosted, contender.number)

    def explain(self, name: str) -> Verdict:
        """Any option that competes, in full, by its name: see ``named``."""
        return self.verdict(self.named(name))

    def named(self, name: str) -> Contender:
        """Any option that competes, by its id (with or without ``api:``/``host:``).

        A place in the ranking or a model will do too (what keeps the target before others): ``1`` (with a quality
        floor) or ``llama-3.3-70b``.

        Raises:
            UnknownNameError: with near matches, if no such option is known.
            NoDataError: with the reasons, if a model of that name was ruled out.
        """
        shown = self.ranking.contenders
        if self.ranking.floor and name.isdigit() and 0 < int(name) <= len(shown):
            return shown[int(name) - 1]
        of_model = [c for c in shown if self.model_of(c) == name]
        if of_model:  # the one known to keep the target, of known quality, and cheapest, in this order
            return min(of_model, key=_first_of_a_model)
        successes = self.curves.successes
        every = rank(self.api, self.hosted, self.grid, self.speed, self.quality, "option", successes).contenders
        known = {self.option_id(c): c for c in (*every, *(c for c in shown if c.kind in ("hybrid", "cascade")))}
        for spelt in (name, f"api:{name}", f"host:{name}", f"hybrid:{name}", f"cascade:{name}"):
            if spelt in known:
                return replace(known[spelt], rank=self._place(known[spelt]))
        if name in model_names(self.catalogue):  # known, yet it does not compete: planned alone, it says why
            alone = msgspec.structs.replace(self.policy.only, models=(name,))
            plan(self.workload, self.catalogue, msgspec.structs.replace(self.policy, only=alone))
        raise UnknownNameError("competing option", name, known, search="breakeven compare --top 50")

    def _place(self, contender: Contender) -> int:
        """The place that an option has, or would have if it stood in the ranking."""
        rivals = [c for c in self.ranking.of(contender.group) if c.meets_slo is not None or contender.meets_slo is None]
        before = [
            c
            for c in rivals
            if (c.meets_slo is None, c.compared_usd_per_day)
            < (contender.meets_slo is None, contender.compared_usd_per_day)
        ]
        return 1 + len(before)

    def cheapest_hosted(self, term: str) -> tuple[str, float] | None:
        """Id and USD a day of the cheapest self-hosting under a purchase term; ``None`` if there is none."""
        options, usd = self.hosted.options, self.hosted.usd_per_day
        fit = options.flag([offer.term == term for offer in options.offers])
        if self.curves.successes is not None:
            success = self.curves.successes.hosted
            usd, fit = success.compared(usd, options.row), fit & (success.known & success.passes)[options.row]
        numbers = np.flatnonzero(fit)
        if not len(numbers):
            return None
        best = int(numbers[np.argmin(usd[numbers])])
        return hosted_id(self.grid, self.speed, self.hosted, best), float(self.hosted.usd_per_day[best])

    def model_of(self, contender: Contender) -> str:
        """The name of a contender's model; of a cascade those of both."""
        if contender.kind == "cascade":
            one = self.cascades[contender.number]
            return f"{self.model_of(one.first)}+{self.model_of(one.fallback)}"
        if contender.kind == "hybrid":
            base = replace(contender, kind="hosted", number=int(self.hybrids.hosted[contender.number]))
            return _model_of(base, self.api, self.hosted, self.speed, self.grid)
        return _model_of(contender, self.api, self.hosted, self.speed, self.grid)

    def hybrid_range(self, contender: Contender) -> tuple[float, float] | None:
        """Between which requests a day, about, a hybrid is cheaper than its API alone and its machines alone."""
        return cheaper_between(self.hybrids, contender.number, self.curves) if contender.kind == "hybrid" else None

    def _hosted_alone(self, contender: Contender) -> float:
        """USD a day of the cheapest self-hosting of a hybrid's model in its group."""
        model, rivals = self.model_of(contender), self.ranking.of(contender.group)
        return min((c.usd_per_day for c in rivals if c.kind == "hosted" and self.model_of(c) == model), default=inf)

    def charges_of(self, contender: Contender) -> tuple[Charge, ...]:
        """The columns of lines in which a contender's bill stands."""
        if contender.kind == "hybrid":
            return self.hybrids.charges
        return self.api.charges if contender.kind == "api" else self.hosted.charges

    def freshness(self, top: int = 10) -> Freshness:
        """The oldest price among those that the bills of ``verdicts(top)`` are charged by, and its age."""
        shown = self.ranking.first(top)
        cascades = [self.cascades[c.number] for c in shown if c.kind == "cascade"]
        halves = [half for one in cascades for half in (one.first, one.fallback)]
        single = [c for c in shown if c.kind != "cascade"]
        return freshness_of([*single, *halves], self.charges_of, self.as_of)


def plan(
    workload: Workload,
    catalogue: Catalogue,
    policy: Policy | None = None,
    by: By = "model",
    parameters: Parameters | None = None,
) -> Plan:
    """Plan a workload over the whole catalogue.

    ``by``: what one line of the ranking stands for (a model, a model on a machine, or a single option).
    ``parameters``: of the speed equations, where the user's own measurements have moved them.

    Raises:
        UnknownNameError: the policy names something that the catalogue does not hold.
        NoDataError: nothing is known for the day or region, or nothing is left to compare.

    >>> from breakeven import Workload, load_catalogue, plan
    >>> answer = plan(Workload.of(requests_per_day=1e6, input_tokens=1500, output_tokens=400), load_catalogue())
    >>> answer.options_considered > 10_000
    True
    """
    catalogue, policy = with_tuned(catalogue, policy or Policy())
    as_of = policy.as_of or catalogue.last_day
    snapshot = catalogue.on(as_of, policy.region)
    check_names(catalogue, snapshot, policy)
    quality = quality_of(catalogue, policy)
    ruling = Ruling()
    apis, apis_seen = api_options(catalogue, snapshot, workload, policy, quality, ruling)
    grid = hosted_grid(catalogue, snapshot, workload, policy, quality, ruling)
    speed = predict(grid, workload, ruling, policy.stated, parameters)
    successes = successes_of(policy.quality, apis, grid, speed.rows)
    sizing = size(speed, machine_pairs(speed, grid), workload, policy, attempts_per_day(successes, workload))
    market = Market(catalogue=catalogue, snapshot=snapshot, policy=policy, quality=quality, as_of=as_of)
    curves, trainings = _charged(market, apis, grid, sizing, successes, ruling)
    api, hosted, options = curves.api, curves.hosted, curves.hosted.options
    below = rule_below_floor(successes, apis, grid, speed.rows, options.row, ruling)
    cascades = _cascades(curves, grid, quality, by)
    ranking = ranked_with(rank(api, hosted, grid, speed, quality, by, successes), cascades)
    if not ranking.contenders:
        raise _nothing_left(ruling)
    compared = curves.per_success()
    members = members_of(ranking, compared, grid, quality)
    hybrids = best_hybrids(ranking, members if successes is None else {}, curves, grid, by)
    ranking = joined(ranking, contenders_of(hybrids, curves, grid))
    envelopes = envelopes_of(ranking, members, compared, cascades)
    mixed = MixedMachines(workload, policy, catalogue, snapshot, quality, speed.parameters)
    return Plan(
        workload=workload,
        policy=policy,
        as_of=as_of,
        catalogue_digest=catalogue.digest,
        options_considered=int(grid.weight.sum()) + apis_seen,
        competing=len(options.row) + len(apis) - below,
        ranking=ranking,
        rejected=ruling.rejected,
        crossovers=crossovers(envelopes, compared, paid_ids(apis, cascades), partial(hosted_id, grid, speed, hosted)),
        envelopes=envelopes,
        assumptions=assumptions_of(workload, policy, grid, speed, hosted, len(hybrids.hosted))
        + beyond_catalogue(as_of, catalogue),
        catalogue=catalogue,
        quality=quality,
        by=by,
        snapshot=snapshot,
        grid=grid,
        speed=speed,
        sizing=sizing,
        hosted=hosted,
        api=api,
        mixed=mixed.of_leading(ranking, lambda number: grid.models[grid.model[speed.rows[options.row[number]]]].name),
        hybrids=hybrids,
        curves=curves,
        cascades=cascades,
        trainings=trainings,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What everything is charged by: the facts of a day, and what the user will and will not consider."""

    catalogue: Catalogue
    snapshot: Snapshot
    policy: Policy
    quality: Quality
    as_of: date


def _charged(
    market: Market,
    apis: tuple[ApiOption, ...],
    grid: HostedGrid,
    sizing: Sizing,
    successes: Successes | None,
    ruling: Ruling,
) -> tuple[Curves, tuple[Training, ...]]:
    """Every option charged: machines, tokens, training, attempts and outages; and what was trained."""
    policy, snapshot, speed = market.policy, market.snapshot, sizing.speed
    workload, volume = speed.workload, speed.workload.requests_per_day
    options = hosted_options(grid, speed, sizing, snapshot, ruling)
    trainings, costs = trainings_of(policy.fine_tuning, market.catalogue, snapshot, speed.parameters)
    extras = extras_of(successes, costs, apis, grid, speed.rows)
    beside = extras.hosted.beside(policy, "hosted", options.row, volume)
    hosted = hosted_costs(options, speed, sizing, snapshot, policy, beside)
    attempts = 1.0 if successes is None else successes.api.attempts
    beside = (
        *unit_charges(apis, workload, policy, attempts),
        *extras.api.beside(policy, "api", np.arange(len(apis)), volume),
    )
    api = with_attempts(api_costs(apis, workload, policy, snapshot.windows), successes, beside)
    uptimes = market.catalogue.tables.uptimes
    outages = outages_of(policy.availability, uptimes, market.as_of, market.quality, volume)
    api, hosted, away = with_outages(outages, api, hosted, grid.score[speed.rows[options.row]])
    curves = curves_of(sizing, hosted, api, snapshot, policy)
    return replace(curves, successes=successes, extras=extras, away=away), trainings


def _cascades(curves: Curves, grid: HostedGrid, quality: Quality, by: By) -> tuple[Cascade, ...]:
    """The cascades worth considering; halves need not pass the floor that the whole has to pass."""
    if curves.successes is None or not curves.successes.answers.cascade:
        return ()
    known = curves.successes.known_alone()
    lines: tuple[By, By] = ("model" if by == "model" else "machine", "machine")
    of_choice, of_machine = (
        rank(curves.api, curves.hosted, grid, curves.speed, quality, line, known).contenders for line in lines
    )

    def model_of(contender: Contender) -> str:
        return _model_of(contender, curves.api, curves.hosted, curves.speed, grid)

    return cascades_of(of_choice, of_machine, curves, model_of)


def _model_of(contender: Contender, api: ApiCosts, hosted: HostedCosts, speed: Speed, grid: HostedGrid) -> str:
    """The name of the model of a single option."""
    if contender.kind == "api":
        offer = api.options[contender.number].tariff.offer
        return offer.canonical or offer.model
    return grid.models[int(grid.model[speed.rows[hosted.options.row[contender.number]]])].name


def _first_of_a_model(contender: Contender) -> tuple[bool, bool, bool, float]:
    unknown = contender.group == UNKNOWN_SUCCESS
    return contender.meets_slo is None, unknown, isnan(contender.score), contender.compared_usd_per_day


def _nothing_left(ruling: Ruling) -> NoDataError:
    reasons = [worded("{reason} ({count:,})", reason=r.because, count=r.count) for r in ruling.rejected[:4]]
    return NoDataError(
        worded(
            "no option is left to compare: {reasons}",
            reasons=in_one("; ", reasons) if reasons else "nothing was selected",
        ),
        expected="at least one option that passes the workload's demands",
        do="Loosen the latency target, the quality floor or the narrowing",
    )
