"""Who is away for how long, and where the requests go meanwhile: one ``Failover`` for all options of a kind."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

import numpy as np

from breakeven.catalogue.schema import Uptime
from breakeven.cost.api import ApiCosts
from breakeven.cost.bill import total_usd_per_day, usd_per_request
from breakeven.cost.failover import NOWHERE, Failover, failover_charges
from breakeven.cost.fixed import SPEC_SOURCE
from breakeven.cost.hosting import HostedCosts
from breakeven.options.api import ApiOption
from breakeven.options.columns import Floats, Ints
from breakeven.options.quality import UNKNOWN_CLASS, Quality
from breakeven.units import HOURS_PER_DAY
from breakeven.workload.availability import Availability

Share = tuple[float, str]
"""The share of the time that something is up (NaN: not known), and the source that says so."""
NOT_KNOWN: Share = (float("nan"), SPEC_SOURCE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outages:
    """What decides over outages: the user's word, what is promised on the day, and who may stand in for whom."""

    availability: Availability
    promised: dict[str, Uptime]
    """By provider or kind of machine: the newest in force on the day."""
    quality: Quality
    requests_per_day: float

    def of_apis(self, api: ApiCosts) -> Failover:
        """Of every paid API: to the cheapest of its group at another provider."""
        rates = usd_per_request(api.charges, len(api.options), self.requests_per_day)
        cheapest = self._cheapest(api, rates)
        to = [
            next(
                (n for n in cheapest.get(self._group(o.score), ()) if _provider(api, n) != _provider(api, own)), NOWHERE
            )
            for own, o in enumerate(api.options)
        ]
        shares = [self._share_of_api(option) for option in api.options]
        return self._failover(shares, np.arange(len(shares)), np.array(to, dtype=np.int64), rates, (api, rates))

    def of_hosted(self, hosted: HostedCosts, scores: Floats, api: ApiCosts) -> Failover:
        """Of every hosted option: to the cheapest API of its group, or to a machine that stands by.

        ``scores``: of each option.
        """
        options, apis = hosted.options, usd_per_request(api.charges, len(api.options), self.requests_per_day)
        cheapest = self._cheapest(api, apis)
        unique, place = np.unique(scores, return_inverse=True)
        to = np.array([(cheapest.get(self._group(float(s))) or [NOWHERE])[0] for s in unique], dtype=np.int64)
        shares = [self._share_of_machines(offer.path.service) for offer in options.offers]
        rates = usd_per_request(hosted.charges, len(options.row), self.requests_per_day)
        found = self._failover(shares, options.offer, to[place] if len(unique) else options.row, rates, (api, apis))
        least = options.by_path(lambda path: self._least_machines(path.service))
        few = hosted.machine_hours_per_day < least * HOURS_PER_DAY
        found = replace(found, hours_away_per_day=np.where(few, np.nan, found.hours_away_per_day))
        if self.availability.failover != "replica":
            return found
        return replace(found, standby_usd_per_hour=options.by_offer(options.rents.usd_per_hour))

    def _failover(
        self, shares: Sequence[Share], kind: Ints, to: Ints, rates: Floats, apis: tuple[ApiCosts, Floats]
    ) -> Failover:
        api, usd = apis
        lost, up = self.availability.lost_request_usd, np.array([share for share, _ in shares])
        elsewhere = np.append(usd, np.nan)[to] if lost is None else np.full(len(to), float(lost))
        return Failover(
            hours_away_per_day=HOURS_PER_DAY * (1 - up[kind]) if len(kind) else np.empty(0),
            to=to,
            names=tuple(option.id for option in api.options),
            usd_per_request=elsewhere,
            usd_per_request_saved=rates,
            standby_usd_per_hour=np.full(len(to), np.nan),
            sources=tuple((source,) for _, source in shares),
            source=kind,
            lost=lost is not None,
        )

    def _group(self, score: float) -> str:
        return "" if self.quality.floor is not None else self.quality.class_of(score)

    def _cheapest(self, api: ApiCosts, usd: Floats) -> dict[str, list[int]]:
        """The APIs of each group of known quality that may stand in: known to keep the target first, then by cost."""
        found: dict[str, list[int]] = {}
        metered = np.array([option.provisioned is None for option in api.options], dtype=np.bool_)
        priced = np.flatnonzero(~np.isnan(api.usd_per_day) & metered).tolist()
        for n in sorted(priced, key=lambda n: (api.options[n].meets_slo is None, usd[n])):
            found.setdefault(self._group(api.options[n].score), []).append(n)
        found.pop(UNKNOWN_CLASS, None)
        return found

    def _share_of_api(self, option: ApiOption) -> Share:
        offer = option.tariff.offer
        name = f"{offer.provider}/{offer.model}"
        stated = next((up for key, up in self.availability.apis.items() if fnmatchcase(name, key)), None)
        promised = self.promised.get(offer.provider)
        if stated is not None:
            return stated, SPEC_SOURCE
        if promised is None or promised.tier not in (None, option.tariff.tier):
            return NOT_KNOWN
        return promised.share, promised.source

    def _share_of_machines(self, service: str) -> Share:
        stated, promised = self.availability.machines.get(service), self.promised.get(service)  # type: ignore[call-overload]
        if stated is not None:
            return stated, SPEC_SOURCE
        return NOT_KNOWN if promised is None else (promised.share, promised.source)

    def _least_machines(self, service: str) -> float:
        """Machines, on average, from which on what is promised holds."""
        promised = None if service in self.availability.machines else self.promised.get(service)
        return 0.0 if promised is None or promised.least_machines == 1 else float(promised.least_machines)


def _provider(api: ApiCosts, number: int) -> str:
    return api.options[number].tariff.offer.provider


def outages_of(
    availability: Availability | None, uptimes: Sequence[Uptime], as_of: date, quality: Quality, requests_per_day: float
) -> Outages | None:
    """What decides over outages on one day; ``None`` where bills do not count them."""
    if availability is None:
        return None
    in_force = sorted((row for row in uptimes if row.effective_from <= as_of), key=lambda row: row.effective_from)
    return Outages(
        availability=availability,
        promised={row.name: row for row in in_force},
        quality=quality,
        requests_per_day=requests_per_day,
    )


def with_outages(
    outages: Outages | None, api: ApiCosts, hosted: HostedCosts, scores: Floats
) -> tuple[ApiCosts, HostedCosts, tuple[Failover, Failover] | None]:
    """Paid APIs and hosted options with the lines of their outages, and what these lines are made from.

    ``scores``: of each hosted option.
    """
    if outages is None:
        return api, hosted, None
    of_apis, of_hosted = outages.of_apis(api), outages.of_hosted(hosted, scores, api)
    lines = failover_charges(of_apis, outages.requests_per_day), failover_charges(of_hosted, outages.requests_per_day)
    charges, own = (*api.charges, *lines[0]), (*hosted.charges, *lines[1])
    return (
        replace(api, charges=charges, usd_per_day=total_usd_per_day(charges, len(api.options))),
        replace(hosted, charges=own, usd_per_day=total_usd_per_day(own, len(hosted.options.row))),
        (of_apis, of_hosted),
    )
