"""The plan, in reading order: options, performance, capacity, cost, decision."""

from dataclasses import dataclass, replace
from datetime import date
from math import inf, isnan

import msgspec
import numpy as np

from breakeven.capacity.sizing import Sizing, machine_pairs, size
from breakeven.catalogue.load import Catalogue, Snapshot
from breakeven.cost.api import ApiCosts, api_costs
from breakeven.cost.bill import Charge
from breakeven.cost.fixed import fixed_charges, fixed_costs
from breakeven.cost.hosting import HostedCosts, hosted_costs, hosted_options
from breakeven.cost.outages import outages_of, with_outages
from breakeven.decision.crossover import Crossover, crossovers
from breakeven.decision.curves import Curves
from breakeven.decision.envelope import Envelope, envelopes_of, members_of
from breakeven.decision.hybrids import Hybrids
from breakeven.decision.pairs import best_hybrids, contenders_of
from breakeven.decision.rank import By, Contender, Ranking, rank, ranked_with
from breakeven.errors import NoDataError, UnknownNameError
from breakeven.options.api import api_options
from breakeven.options.hosted import HostedGrid, hosted_grid
from breakeven.options.names import check_names, model_names
from breakeven.options.quality import Quality, quality_of
from breakeven.options.ruling import Rejected, Ruling
from breakeven.performance.calibration import Parameters
from breakeven.performance.predict import Speed, predict
from breakeven.planner.assumptions import assumptions_of
from breakeven.planner.freshness import Freshness, freshness_of
from breakeven.planner.hybrid_verdict import cheaper_between, hybrid_id, hybrid_verdict
from breakeven.planner.mixed import MixedFleet, MixedMachines
from breakeven.planner.verdict import Verdict, api_verdict, hosted_id, hosted_verdict
from breakeven.workload.policy import Policy
from breakeven.workload.profile import Workload


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

    def verdict(self, contender: Contender) -> Verdict:
        """One contender in full."""
        if contender.kind == "api":
            return api_verdict(contender, self.api, self.quality)
        if contender.kind == "hybrid":
            alone = self._hosted_alone(contender)
            return hybrid_verdict(contender, self.hybrids, self.grid, self.curves, self.quality, alone)
        return hosted_verdict(contender, self.grid, self.speed, self.sizing, self.curves, self.quality)

    def verdicts(self, top: int = 10) -> tuple[Verdict, ...]:
        """The first ``top`` of every group, groups in order of quality.

        Where a target is set, the first ``top`` known to keep it and as many whose latency is not known.
        """
        return tuple(self.verdict(c) for c in self.ranking.first(top))

    @property
    def winner(self) -> Verdict | None:
        """The overall winner; ``None`` without a quality floor, because unlike options have no common winner."""
        return self.verdict(self.ranking.winner) if self.ranking.winner else None

    def option_id(self, contender: Contender) -> str:
        """The id of a contender's option, without building its verdict."""
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
            return min(of_model, key=lambda c: (c.meets_slo is None, isnan(c.score), c.usd_per_day))
        every = rank(self.api, self.hosted, self.grid, self.speed, self.quality, by="option").contenders
        known = {self.option_id(c): c for c in (*every, *(c for c in shown if c.kind == "hybrid"))}
        for spelt in (name, f"api:{name}", f"host:{name}", f"hybrid:{name}"):
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
            if (c.meets_slo is None, c.usd_per_day) < (contender.meets_slo is None, contender.usd_per_day)
        ]
        return 1 + len(before)

    def cheapest_hosted(self, term: str) -> tuple[str, float] | None:
        """Id and USD a day of the cheapest self-hosting under a purchase term; ``None`` if there is none."""
        options = self.hosted.options
        numbers = np.flatnonzero(options.flag([offer.term == term for offer in options.offers]))
        if not len(numbers):
            return None
        best = int(numbers[np.argmin(self.hosted.usd_per_day[numbers])])
        return hosted_id(self.grid, self.speed, self.hosted, best), float(self.hosted.usd_per_day[best])

    def model_of(self, contender: Contender) -> str:
        """The name of a contender's model."""
        if contender.kind == "api":
            offer = self.api.options[contender.number].tariff.offer
            return offer.canonical or offer.model
        hosted = self.hybrids.hosted if contender.kind == "hybrid" else None
        number = contender.number if hosted is None else int(hosted[contender.number])
        row = int(self.speed.rows[self.hosted.options.row[number]])
        return self.grid.models[int(self.grid.model[row])].name

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
        return freshness_of(self.ranking.first(top), self.charges_of, self.as_of)


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
    policy = policy or Policy()
    as_of = policy.as_of or catalogue.last_day
    snapshot = catalogue.on(as_of, policy.region)
    check_names(catalogue, snapshot, policy)
    quality = quality_of(catalogue, policy)
    ruling = Ruling()
    apis, apis_seen = api_options(catalogue, snapshot, workload, policy, quality, ruling)
    grid = hosted_grid(catalogue, snapshot, workload, policy, quality, ruling)
    speed = predict(grid, workload, ruling, policy.stated, parameters)
    sizing = size(speed, machine_pairs(speed, grid), workload, policy)
    options = hosted_options(grid, speed, sizing, snapshot, ruling)
    hosted_fixed = fixed_charges(fixed_costs(policy, "hosted"), len(options.row))
    hosted = hosted_costs(options, speed, sizing, snapshot, policy, hosted_fixed)
    api = api_costs(apis, workload, policy, snapshot.windows, fixed_charges(fixed_costs(policy, "api"), len(apis)))
    outages = outages_of(policy.availability, catalogue.tables.uptimes, as_of, quality, workload.requests_per_day)
    api, hosted, away = with_outages(outages, api, hosted, grid.score[speed.rows[options.row]])
    ranking = rank(api, hosted, grid, speed, quality, by)
    if not ranking.contenders:
        raise _nothing_left(ruling)
    each = sizing.pair_replicas_per_machine[options.pair]
    curves = Curves(speed=speed, hosted=hosted, per_machine=each, api=api, snapshot=snapshot, policy=policy, away=away)
    members = members_of(ranking, curves, grid, quality)
    hybrids = best_hybrids(ranking, members, curves, grid, by)
    ranking = ranked_with(ranking, contenders_of(hybrids, curves, grid))
    envelopes = envelopes_of(ranking, members, curves)
    mixed = MixedMachines(workload, policy, catalogue, snapshot, quality, speed.parameters)
    return Plan(
        workload=workload,
        policy=policy,
        as_of=as_of,
        catalogue_digest=catalogue.digest,
        options_considered=int(grid.weight.sum()) + apis_seen,
        competing=len(options.row) + len(apis),
        ranking=ranking,
        rejected=ruling.rejected,
        crossovers=crossovers(envelopes, curves, lambda number: hosted_id(grid, speed, hosted, number)),
        envelopes=envelopes,
        assumptions=assumptions_of(workload, policy, grid, speed, hosted, len(hybrids.hosted))
        + _beyond(as_of, catalogue),
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
    )


def _beyond(as_of: date, catalogue: Catalogue) -> tuple[str, ...]:
    """What a plan must say of a day after the last reading of a source."""
    last = catalogue.last_day
    return (f"prices and offers as read until {last}: what changed since is not known",) if as_of > last else ()


def _nothing_left(ruling: Ruling) -> NoDataError:
    reasons = "; ".join(f"{r.because} ({r.count:,})" for r in ruling.rejected[:4]) or "nothing was selected"
    return NoDataError(
        f"no option is left to compare: {reasons}",
        expected="at least one option that passes the workload's demands",
        do="Loosen the latency target, the quality floor or the narrowing",
    )
