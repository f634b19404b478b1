"""A finished plan at another traffic: what is in its ranking, sized and charged again, without the whole catalogue.

Every paid API and hybrid of the ranking is charged again, and of each hosted model the option that the ranking shows
and those that are the cheapest of a group at some traffic. So the costs are exact, and the choice is that of a fresh
plan except where an option that neither shows would take the lead of its model, and for hybrids of other pairs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from breakeven.decision.hybrids import hybrids_at
from breakeven.decision.rank import Contender, Ranking, joined
from breakeven.options.columns import Ints
from breakeven.planner.spine import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The ranking at another traffic, and how many options were charged for it."""

    requests_per_day: float
    ranking: Ranking
    options: int


def moved(plan: Plan, requests_per_day: float) -> Moved:
    """The contenders of a plan at another traffic. Cascades stay out: both their halves would have to be sized anew.

    >>> from breakeven import Workload, load_catalogue, plan
    >>> from breakeven.workload.policy import Policy
    >>> work = Workload.of(requests_per_day=1e5, input_tokens=1500, output_tokens=400)
    >>> before = plan(work, load_catalogue(), Policy(at_least=1400.0))
    >>> after = moved(before, 2e5)
    >>> {c.kind for c in after.ranking.contenders} <= {"api", "hosted", "hybrid"}
    True
    """
    hosted, options = _hosted(plan, requests_per_day)
    found = [*_apis(plan, requests_per_day), *hosted, *_hybrids(plan, requests_per_day)]
    charged = options + len(found) - len(hosted)
    ranking = joined(replace(plan.ranking, contenders=()), found)
    return Moved(requests_per_day=requests_per_day, ranking=ranking, options=charged)


def _apis(plan: Plan, requests_per_day: float) -> Iterator[Contender]:
    """Each API with the tier that is cheapest at this traffic; what cannot carry it is left out."""
    volume, options = np.array([requests_per_day]), plan.api.options
    tiers: dict[tuple[str, str], list[int]] = {}
    for number in np.flatnonzero(~np.isnan(plan.api.usd_per_day)).tolist():
        offer = options[number].tariff.offer
        tiers.setdefault((offer.provider, offer.canonical or offer.model), []).append(number)
    for contender in plan.ranking.contenders:
        if contender.kind != "api":
            continue
        offer = options[contender.number].tariff.offer
        same = [contender.number] if plan.by == "option" else tiers[offer.provider, offer.canonical or offer.model]
        costs = [float(plan.curves.api_usd_per_day(number, volume)[0]) for number in same]
        usd, number = min((usd, number != contender.number, number) for usd, number in zip(costs, same, strict=True))[
            ::2
        ]
        if np.isfinite(usd):
            yield replace(contender, number=number, usd_per_day=usd, meets_slo=options[number].meets_slo)


def _hosted(plan: Plan, requests_per_day: float) -> tuple[list[Contender], int]:
    """The cheapest of each hosted model and group, among its own and those that lead at some traffic."""
    of_model = {}
    for contender in plan.ranking.contenders:
        if contender.kind == "hosted":
            of_model[contender.group, plan.model_of(contender)] = contender
    tried = list(of_model.values())
    leading: list[tuple[str, Ints]] = [(envelope.group, envelope.hosted) for envelope in plan.envelopes]
    for group, numbers in leading:
        for number in numbers.tolist():
            like = replace(next(iter(of_model.values())), kind="hosted", number=int(number), group=group)
            known = of_model.get((group, plan.model_of(like)))
            if known is not None and known.number != number:
                tried.append(replace(known, number=int(number)))
    if not tried:
        return [], 0
    numbers = np.array([contender.number for contender in tried])
    costs = plan.curves.hosted_usd_per_day(numbers, np.array([requests_per_day]))[:, 0].tolist()
    best: dict[tuple[str, str, bool], Contender] = {}
    for contender, usd in zip(tried, costs, strict=True):
        key = (contender.group, plan.model_of(contender), np.isnan(contender.score).item())
        if np.isfinite(usd) and (key not in best or usd < best[key].usd_per_day):
            best[key] = replace(contender, usd_per_day=usd)
    return list(best.values()), len(tried)


def _hybrids(plan: Plan, requests_per_day: float) -> Iterator[Contender]:
    """The same pairs with the base that is cheapest at this traffic, where that is cheaper than both ends alone."""
    pairs = plan.hybrids
    if not len(pairs.hosted):
        return
    volume = np.full(len(pairs.hosted), requests_per_day)
    costs = hybrids_at((pairs.hosted, pairs.api), volume, plan.curves, pairs.group).usd_per_day
    alone = [plan.curves.hosted_usd_per_day(pairs.hosted, volume[:1])[:, 0]]
    alone.append(np.array([plan.curves.api_usd_per_day(number, volume[:1])[0] for number in pairs.api.tolist()]))
    ahead = np.isfinite(costs) & (costs < np.minimum(*alone))
    for contender in plan.ranking.contenders:
        if contender.kind == "hybrid" and ahead[contender.number]:
            yield replace(contender, usd_per_day=float(costs[contender.number]))
