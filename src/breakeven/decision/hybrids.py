"""Hybrids: own machines for the base, a paid API for the overflow, with the base that minimises the whole bill.

A request goes to the API when no place is free on one's own machines. Of a(h) requests in flight in hour h and m
machines of P places the share E(m P, a) overflows (``capacity.overflow``), and a day costs

    sum over h of  c m + requests(h) [ w + (u(h) - w) E(m P, a(h)) ]  +  what is fixed

c: a machine-hour with its disk; w: what a request on one's own machines costs beside them; u(h): a request at the API
in that hour. The sum is convex in m, so the cheapest m is where one machine more no longer pays for itself: found by
bisection on the limit of E for many places, and checked with E itself one machine to either side. Under a term that is
paid around the clock m is the same in all hours, otherwise each hour has its own. The bill is then charged line by line
by the same functions as any other.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from breakeven.capacity.overflow import about_turned_away, share_turned_away
from breakeven.capacity.purchases import bought_by_hour
from breakeven.capacity.sizing import Sizing
from breakeven.cost.api import api_costs, usd_per_request_by_hour
from breakeven.cost.bill import Charge, take, total_usd_per_day
from breakeven.cost.failover import failover_charges
from breakeven.cost.fixed import fixed_charges, fixed_costs
from breakeven.cost.hosting import HostedCosts, HostedOptions, hosted_costs
from breakeven.decision.curves import Curves
from breakeven.options.columns import Floats, Ints, Mask
from breakeven.performance.predict import Speed
from breakeven.units import HOURS_PER_DAY, SECONDS_PER_DAY
from breakeven.wording import joined

AMPLE = 9.0, 12.0
"""So many standard deviations and places above the busiest hour nothing overflows."""
BASE = "own machines: "
OVERFLOW = "overflow to the API: "
"""How the lines of the API's half begin."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hybrids:
    """Pairs of a hosted option and a paid API, each with its cheapest base, as columns."""

    hosted: Ints
    """The base, as a number of a hosted option."""
    api: Ints
    """Where the overflow goes, as a number of an API option."""
    group: tuple[str, ...]
    """The group of the ranking in which each competes."""
    machines: Floats
    """Own machines standing, hybrids x hours."""
    committed: Floats
    """Those of them that are paid around the clock, hybrids x 1."""
    in_flight: Floats
    """Requests that would be in flight if the base had room for all, hybrids x hours."""
    requests_per_hour: Floats
    overflow_per_hour: Floats
    """Requests that go to the API."""
    charges: tuple[Charge, ...]
    usd_per_day: Floats

    def take(self, kept: Ints) -> "Hybrids":
        """Some of them, in that order."""
        return Hybrids(
            hosted=self.hosted[kept],
            api=self.api[kept],
            group=tuple(self.group[n] for n in kept.tolist()),
            machines=self.machines[kept],
            committed=self.committed[kept],
            in_flight=self.in_flight[kept],
            requests_per_hour=self.requests_per_hour[kept],
            overflow_per_hour=self.overflow_per_hour[kept],
            charges=tuple(take(charge, kept) for charge in self.charges),
            usd_per_day=self.usd_per_day[kept],
        )

    @property
    def share(self) -> Floats:
        """Share of all requests that overflow."""
        overflow: Floats = self.overflow_per_hour.sum(axis=1) / self.requests_per_hour.sum(axis=1)
        return overflow


def hybrids_at(
    pairs: tuple[Ints, Ints],
    requests_per_day: Floats,
    curves: Curves,
    group: tuple[str, ...],
    log_pace: Floats | None = None,
) -> Hybrids:
    """The cheapest base of each pair at its own volume, and its bill.

    ``pairs``: hosted options, and the APIs. ``log_pace``: how much slower than predicted each base is.
    """
    hosted, api = pairs
    columns, sizing, speed = curves.sized(hosted, requests_per_day, log_pace)
    weights = sizing.demand.hours
    requests = np.outer(requests_per_day / HOURS_PER_DAY, weights)
    in_flight = np.outer(sizing.demand.load * speed.largest_concurrency, weights)
    places = speed.largest_concurrency * sizing.pair_replicas_per_machine
    alone = hosted_costs(columns, speed, sizing, curves.snapshot, curves.policy)
    committed, machines = _cheapest_base(
        _Trade(
            in_flight=in_flight,
            places_per_machine=places[:, None],
            usd_at_stake=requests * _usd_saved_by_request(alone, sizing, speed, curves, api),
            least=np.ceil(curves.policy.min_replicas / sizing.pair_replicas_per_machine)[:, None],
            most=columns.by_offer(columns.reach.available)[:, None],
            **_usd_per_machine_hour(alone, sizing),
        )
    )
    overflow = requests * share_turned_away(in_flight, machines * places[:, None])
    base = _base(sizing, (committed, machines), columns, requests - overflow)
    charges = _charges(columns, base, speed, curves, (hosted, api, overflow))
    usd = total_usd_per_day(charges, len(hosted))
    limits = np.array([curves.api.options[number].most_requests_per_hour for number in api])
    usd = np.where(overflow.max(axis=1, initial=0.0) > limits, np.inf, usd)
    return Hybrids(
        hosted=hosted,
        api=api,
        group=group,
        machines=machines,
        committed=committed,
        in_flight=in_flight,
        requests_per_hour=requests,
        overflow_per_hour=overflow,
        charges=charges,
        usd_per_day=usd,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Trade:
    """Machines against overflow: columns, hybrids x hours or x 1."""

    in_flight: Floats
    places_per_machine: Floats
    committed_usd_per_hour: Floats
    """Of a machine in all hours; infinite where there is no commitment."""
    usd_per_machine_hour: Floats
    """Of a machine beside them, by the hour; infinite where there are none."""
    usd_at_stake: Floats
    """What the hour's requests would cost more at the API than on one's own machines, these apart."""
    least: Floats
    most: Floats

    def usd_saved_by_one_more(self, machines: Floats) -> Floats:
        """What one machine more would save at the API in each hour, about."""
        now, then = (about_turned_away(self.in_flight, (machines + n) * self.places_per_machine) for n in (0, 1))
        saved: Floats = self.usd_at_stake * (now - then) / np.maximum(self.in_flight, 1e-300)
        return np.where(machines < self.least, np.inf, saved)

    def usd_per_hour(self, committed: Floats, machines: Floats) -> Floats:
        """What depends on the number of machines."""
        turned_away = share_turned_away(self.in_flight, machines * self.places_per_machine)
        around = _paid(committed, self.committed_usd_per_hour)
        by_hour = _paid(np.maximum(machines - committed, 0.0), self.usd_per_machine_hour)
        return around + by_hour + self.usd_at_stake * turned_away


def _cheapest_base(trade: _Trade) -> tuple[Floats, Floats]:
    """The cheapest number of machines committed to, hybrids x 1, and of all machines, hybrids x hours."""
    busiest = trade.in_flight.max(axis=1, keepdims=True)
    ample = np.ceil((busiest + AMPLE[0] * np.sqrt(busiest) + AMPLE[1]) / trade.places_per_machine)
    most = np.maximum(np.minimum(trade.most, ample), trade.least)
    hourly = np.isfinite(trade.usd_per_machine_hour)
    zero, ceiling = np.zeros_like(trade.in_flight), np.broadcast_to(most, trade.in_flight.shape)

    def by_hour(machines: Floats) -> Mask:
        return trade.usd_saved_by_one_more(machines) > trade.usd_per_machine_hour

    def around_the_clock(machines: Floats) -> Mask:
        worth = np.minimum(trade.usd_saved_by_one_more(machines), trade.usd_per_machine_hour)
        pays: Mask = worth.mean(axis=1, keepdims=True) > trade.committed_usd_per_hour
        return pays

    machines = _bisected(by_hour, zero, ceiling)
    near = np.stack([np.clip(machines + n, trade.least, most) for n in (-1, 0, 1)])
    machines = _least(near, np.stack([trade.usd_per_hour(zero, some) for some in near]))
    machines = np.where(hourly, machines, 0.0)
    committed = _bisected(around_the_clock, np.zeros_like(most), most)
    near = np.stack([np.clip(committed + n, np.where(hourly, 0.0, trade.least), most) for n in (-1, 0, 1)])
    costs = [trade.usd_per_hour(some, np.maximum(machines, some)).mean(axis=1, keepdims=True) for some in near]
    committed = _least(near, np.stack(costs))
    return committed, np.maximum(machines, committed)


def _paid(machines: Floats, usd_per_hour: Floats) -> Floats:
    """Machines at a price; none cost nothing, also where there is no price."""
    usd = np.broadcast_to(usd_per_hour, machines.shape)
    found: Floats = np.multiply(machines, usd, out=np.zeros(machines.shape), where=machines > 0)
    return found


def _bisected(pays: Callable[[Floats], Mask], low: Floats, high: Floats) -> Floats:
    """The number of machines from which on one more does not pay."""
    while np.any(high > low):
        middle = np.floor((low + high) / 2)
        more = pays(middle)
        low, high = np.where(more, middle + 1, low), np.where(more, high, middle)
    return low


def _least(near: Floats, usd: Floats) -> Floats:
    found: Floats = np.take_along_axis(near, usd.argmin(axis=0)[None], axis=0)[0]
    return found


def _usd_per_machine_hour(alone: HostedCosts, sizing: Sizing) -> dict[str, Floats]:
    """What one machine-hour more costs, disks included: of a machine in all hours, and of one by the hour.

    ``alone``: self-hosting without an API.
    """
    columns, charges = alone.options, alone.charges
    disks = total_usd_per_day([c for c in charges if c.unit == "GB-month"], len(columns.pair))
    disk = disks / alone.machine_hours_per_day
    ways = [sizing.ways.buyings[way] for way in sizing.ways.way.tolist()]
    committed, beside = charges[0].usd_per_unit + disk, charges[1].usd_per_unit + disk
    commits = columns.flag([np.isfinite(one.commit_from) for one in ways])
    follows = columns.flag([not sizing.fixed and one.commit_from > 0 for one in ways])
    around = np.where(commits, committed, np.where(follows, np.inf, beside))
    return {
        "committed_usd_per_hour": around[:, None],
        "usd_per_machine_hour": np.where(follows, beside, np.inf)[:, None],
    }


def _usd_saved_by_request(alone: HostedCosts, sizing: Sizing, speed: Speed, curves: Curves, api: Ints) -> Floats:
    """What a request costs more at the API than on machines that stand anyway, hybrids x hours.

    Tiers of the serving path are taken at the whole traffic; the bill is charged at what the base serves.
    """
    idle = replace(sizing, requests_per_day=np.zeros_like(sizing.requests_per_day))
    standing = hosted_costs(alone.options, speed, idle, curves.snapshot, curves.policy)
    on_own = (alone.usd_per_day - standing.usd_per_day) / sizing.requests_per_day
    unique, place = np.unique(api, return_inverse=True)
    options = tuple(curves.api.options[number] for number in unique)
    at_api = usd_per_request_by_hour(options, speed.workload, curves.policy, curves.snapshot.windows)
    saved: Floats = at_api[place] - on_own[:, None]
    return saved


def _base(sizing: Sizing, machines: tuple[Floats, Floats], columns: HostedOptions, served_per_hour: Floats) -> Sizing:
    """The sizing of the base: its machines, committed and in all, and the requests that find a place on them."""
    committed, standing = machines
    served = served_per_hour.mean(axis=1) * HOURS_PER_DAY
    replicas = np.maximum(standing.mean(axis=1) * sizing.pair_replicas_per_machine, 1.0)
    return replace(
        sizing,
        requests_per_day=served,
        bought=bought_by_hour(standing, committed, sizing.ways, columns.offer),
        rate_per_replica_per_s=served / SECONDS_PER_DAY / replicas,
    )


def _charges(
    columns: HostedOptions, base: Sizing, speed: Speed, curves: Curves, halves: tuple[Ints, Ints, Floats]
) -> tuple[Charge, ...]:
    """The lines of both halves, and of their outages: the API takes over from the base, another one from the API.

    ``halves``: the hosted options, the APIs, and what goes to these.
    """
    hosted, api, requests_per_hour = halves
    fixed = fixed_charges(fixed_costs(curves.policy, "hybrid"), len(api))
    own = hosted_costs(columns, speed, base, curves.snapshot, curves.policy, fixed)
    options = tuple(curves.api.options[number] for number in api)
    bought = api_costs(
        options, speed.workload, curves.policy, curves.snapshot.windows, requests_per_hour=requests_per_hour
    )
    lines = (*own.charges, *(replace(charge, name=joined("", (OVERFLOW, charge.name))) for charge in bought.charges))
    if curves.away is None:
        return lines
    of_apis, of_hosted = curves.away
    overflow_per_day = requests_per_hour.mean(axis=1) * HOURS_PER_DAY
    to_own_api = replace(of_hosted.take(hosted), to=api, usd_per_request=of_apis.usd_per_request_saved[api], lost=False)
    return (
        *lines,
        *failover_charges(to_own_api, base.requests_per_day, BASE),
        *failover_charges(of_apis.take(api), overflow_per_day, OVERFLOW),
    )
