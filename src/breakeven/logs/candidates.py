"""What a log would have cost on other paid APIs, request by request at the prices of its own day."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from fnmatch import fnmatchcase

from breakeven.catalogue.schema import ApiOffer
from breakeven.cost.api import KINDS
from breakeven.errors import UnknownNameError
from breakeven.logs.price import EXACT, Line
from breakeven.logs.tariffs import STANDARD, Key, Tariffs
from breakeven.units import TOKENS_PER_MTOK

ALL = "all"
Place = tuple[str, int, int]
"""Tier, length threshold and hour: requests that differ in nothing but the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One offer, and what the whole log would have cost there."""

    offer: str
    usd: Decimal
    requests: int
    """Requests on days with a known price; the cost is that of these."""
    unpriced_requests: int
    context_too_short: bool
    """Whether the longest prompt of the log is longer than the offer takes."""
    standard_instead: int
    """Requests of another tier that were priced as standard, because the offer does not sell theirs."""


class Running:
    """Sums of requests and tokens up to each day, so that any span of days is one subtraction."""

    def __init__(self, lines: Iterable[Line]) -> None:
        by_day: dict[Place, dict[date, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0] * (1 + len(KINDS))))
        self.requests, self.longest_input = 0, 0
        for line in lines:
            cell = by_day[line.tier, line.longer_than, line.hour][line.day]
            for at, amount in enumerate((line.requests, *line.tokens.values())):
                cell[at] += amount
            self.requests += line.requests
            self.longest_input = max(self.longest_input, line.longest_input)
        self.places = list(by_day)
        self._days = {place: sorted(cells) for place, cells in by_day.items()}
        self._sums = {place: _running([by_day[place][day] for day in days]) for place, days in self._days.items()}

    def between(self, place: Place, first: date, end: date) -> list[int]:
        """Requests and tokens by kind from one day to the day before another."""
        days, sums = self._days[place], self._sums[place]
        low, high = sums[bisect_left(days, first)], sums[bisect_left(days, end)]
        return [after - before for before, after in zip(low, high, strict=True)]


def _running(cells: Sequence[Sequence[int]]) -> list[list[int]]:
    sums = [[0] * (1 + len(KINDS))]
    for cell in cells:
        sums.append([before + amount for before, amount in zip(sums[-1], cell, strict=True)])
    return sums


def candidates(wanted: Sequence[str], tariffs: Tariffs) -> list[ApiOffer]:
    """The offers that are meant: ``all``, models or ``provider/model``, ``*`` allowed.

    Raises:
        UnknownNameError: if a name matches none.
    """
    chat = [offer for offer in tariffs.offers.values() if offer.mode == "chat"]
    if list(wanted) == [ALL]:
        return chat
    found: dict[Key, ApiOffer] = {}
    for name in wanted:
        matching = [offer for offer in chat if any(fnmatchcase(one, name) for one in _called(offer))]
        if not matching:
            known = {one for offer in chat for one in _called(offer)}
            raise UnknownNameError("model", name, known, search="breakeven catalogue search")
        found.update({offer.key: offer for offer in matching})
    return list(found.values())


def _called(offer: ApiOffer) -> set[str]:
    return {offer.model, f"{offer.provider}/{offer.model}"} | ({offer.canonical} if offer.canonical else set())


def cost_on(offer: ApiOffer, log: Running, tariffs: Tariffs) -> Candidate:
    """The cost of the whole log on one offer.

    Cached tokens are taken to be cached there as well, charged as plain input where the offer has no price for them.
    """
    usd, priced, instead = Decimal(0), 0, 0
    ends = min(offer.retired_on or date.max, offer.delisted_by or date.max)
    for place in log.places:
        tier = place[0] if tariffs.changes(offer.key, place[0]) and place[0] in tariffs.tiers(offer.key) else STANDARD
        changes = tariffs.changes(offer.key, tier)
        for first, end in zip(changes, [*changes[1:], date.max], strict=True):
            requests, *tokens = log.between(place, first, min(end, ends)) if first < ends else [0]
            tariff = tariffs.on(offer.key, tier, first) if requests else None
            if tariff is None:
                continue
            with localcontext(EXACT):
                prices = [tariff.usd_per_mtok(kind, place[1], place[2]) for kind in KINDS]
                if any(price is None and amount for price, amount in zip(prices, tokens, strict=True)):
                    continue
                usd += sum(
                    (amount * price / TOKENS_PER_MTOK for price, amount in zip(prices, tokens, strict=True) if price),
                    Decimal(0),
                )
            priced += requests
            instead += requests if tier != place[0] else 0
    limit = offer.max_input_tokens
    return Candidate(
        offer=f"{offer.provider}/{offer.model}",
        usd=usd,
        requests=priced,
        unpriced_requests=log.requests - priced,
        context_too_short=bool(limit and log.longest_input > limit),
        standard_instead=instead,
    )


def on_candidates(wanted: Sequence[str], lines: Iterable[Line], tariffs: Tariffs) -> list[Candidate]:
    """Every candidate, cheapest first; those with too short a context or without a price for all of it come last.

    Raises:
        UnknownNameError: if a name matches no offer.
    """
    log = Running(lines)
    found = [cost_on(offer, log, tariffs) for offer in candidates(wanted, tariffs)]
    return sorted(found, key=lambda one: (one.unpriced_requests, one.context_too_short, one.usd, one.offer))
