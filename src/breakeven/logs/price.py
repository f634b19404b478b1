"""What a log cost, at the prices of each request's own day: the sums behind ``breakeven price``.

The engine adds up whole tokens for everything that has one price: model, tier, day, side of the thresholds of length,
class of hours. Those integers times exact decimal prices are the exact sum over the requests.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Context, Decimal, localcontext
from typing import Any

from breakeven.cost.api import KINDS
from breakeven.errors import SpecError
from breakeven.logs.extras import load
from breakeven.logs.layouts import TEXTS
from breakeven.logs.locate import tell_unusable
from breakeven.logs.log import Log, nothing_usable
from breakeven.logs.names import Names, Unknown
from breakeven.logs.problems import Problem
from breakeven.logs.rows import FAILED, NO_CALL, USABLE, Wanted
from breakeven.logs.tariffs import STANDARD, Tariff, Tariffs, day_of
from breakeven.logs.times import US_PER_DAY, Table, hour_of_week
from breakeven.units import TOKENS_PER_MTOK

BY = ("day", *TEXTS)
EXACT = Context(prec=60)
TIERS: Mapping[str, str] = {"": STANDARD, "default": STANDARD, "auto": STANDARD, "on_demand": STANDARD}
"""What logs call the standard tier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Requests that have one price: their labels, and sums of whole tokens by kind."""

    labels: dict[str, str | None]
    day: date
    longer_than: int
    """Every prompt among them is longer than this threshold, and none longer than the next."""
    hour: int
    """An hour of the week that stands for all of its class."""
    requests: int
    tokens: dict[str, int]
    """By kind; they add up to all input and output tokens."""
    longest_input: int
    logged_usd: Decimal | None
    """What the log itself says; ``None`` if it says it of none of them."""

    @property
    def tier(self) -> str:
        """The tier by its name in the catalogue."""
        said = (self.labels.get("tier") or "").lower()
        return TIERS.get(said, said)


@dataclass(slots=True, kw_only=True)
class Cost:
    """What some of the requests cost."""

    requests: int = 0
    tokens: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    usd: Decimal = Decimal(0)
    usd_by_kind: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(KINDS, Decimal(0)))
    logged_usd: Decimal | None = None
    unpriced_requests: int = 0
    priced_as: set[str] = field(default_factory=set)

    @property
    def priced(self) -> bool:
        """Whether any of the requests has a price."""
        return self.requests > self.unpriced_requests


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedLog:
    """The cost by label, dearest first, and what could not be priced, by reason."""

    by: tuple[str, ...]
    costs: dict[tuple[str, ...], Cost]
    total: Cost
    unpriced: dict[str, int]
    failed: int
    not_calls: int
    problems: tuple[Problem, ...]
    lines: tuple[Line, ...]


def check_by(by: Sequence[str]) -> None:
    """Refuse a grouping that no log has.

    Raises:
        SpecError: if one of the names is not known.
    """
    for name in by:
        if name not in BY:
            raise SpecError(f"--by {name} is not known", expected=f"one or more of {', '.join(BY)}", do="Correct it")


def price(log: Log, by: Sequence[str], tariffs: Tariffs, names: Names) -> PricedLog:
    """Price every request of a log, in one pass.

    Raises:
        SpecError: if no row of it can be used.
    """
    check_by(by)
    labels = tuple(dict.fromkeys(("model", "provider", "tier", *(name for name in by if name != "day"))))
    wanted = Wanted(texts=labels, usd=True, zone=log.asked.zone)
    _check_calendar(log)
    table = log.run(sums(log.rows(wanted), labels, tariffs))
    log.tell_rejected()
    found = table.to_pylist()
    tell_unusable(log, _unusable(found), wanted)
    lines = tuple(_line(row, labels, tariffs) for row in found if row["kind"] == USABLE)
    if not lines:
        raise nothing_usable(log.asked.shown, log.problems)
    costs, total, unpriced = _costs(lines, by, tariffs, names)
    return PricedLog(
        by=tuple(by),
        costs=costs,
        total=total,
        unpriced=unpriced,
        failed=sum(row["rows"] for row in found if row["kind"] == FAILED),
        not_calls=sum(row["rows"] for row in found if row["kind"] == NO_CALL),
        problems=log.problems.found,
        lines=lines,
    )


def sums(rows: Table, labels: Sequence[str], tariffs: Tariffs) -> Table:
    """The expression: request rows in, a line for everything that has one price out."""
    ibis = load("ibis")
    good = rows.kind == USABLE
    prompt = rows.input / rows.requests
    side = sum(((prompt > limit).cast("int64") for limit in tariffs.thresholds), ibis.literal(0, type="int64"))
    keyed = rows.mutate(
        place=(rows.kind > NO_CALL).ifelse(rows.file, ibis.null("string")),
        day=good.ifelse(rows.at_us // US_PER_DAY, 0),
        side=good.ifelse(side, 0),
        hours=good.ifelse(_hours_class(rows, tariffs), 0),
        fresh=rows.input - rows.cached - rows.cache_write,
    )
    grouped = keyed.group_by("kind", "place", *labels, "day", "side", "hours")
    return grouped.agg(
        rows=keyed.count(),
        requests=keyed.requests.sum(),
        input=keyed.fresh.sum(),
        cached_input=keyed.cached.sum(),
        cache_write=keyed.cache_write.sum(),
        output=keyed.output.sum(),
        longest_input=(keyed.input // keyed.requests.nullif(0)).max(),
        usd=keyed.usd.sum(),
    )


def _hours_class(rows: Table, tariffs: Tariffs) -> Any:  # noqa: ANN401 - an Ibis column
    """The class of hours that a request falls into."""
    ibis, classes = load("ibis"), tariffs.hour_classes
    if len(classes) == 1:
        return ibis.literal(0, type="int64")
    hour = hour_of_week(rows.at_us)
    others = [(hour.isin(sorted(hours)), number) for number, hours in enumerate(classes[1:], start=1)]
    return ibis.cases(*others, else_=0).cast("int64")


def _check_calendar(log: Log) -> None:
    if any(one.time == "relative_ms" for one in log.batches):
        raise SpecError(
            f"the times in {log.asked.shown[0]} count from the log's own beginning, so no request has a day",
            expected="a log with calendar times",
            do="Measure it (breakeven workload) and compare prices of a day (breakeven compare)",
        )


def _unusable(found: Iterable[Mapping[str, Any]]) -> dict[tuple[int, str], int]:
    counted: dict[tuple[int, str], int] = defaultdict(int)
    for row in found:
        if row["kind"] > NO_CALL:
            counted[row["kind"], row["place"]] += row["rows"]
    return dict(counted)


def _line(row: Mapping[str, Any], labels: Sequence[str], tariffs: Tariffs) -> Line:
    return Line(
        labels={name: row[name] for name in labels},
        day=day_of(row["day"]),
        longer_than=tariffs.thresholds[row["side"] - 1] if row["side"] else 0,
        hour=min(tariffs.hour_classes[row["hours"]]),
        requests=int(row["requests"]),
        tokens={kind: int(row[kind]) for kind in KINDS},
        longest_input=int(row["longest_input"] or 0),
        logged_usd=None if row["usd"] is None else Decimal(repr(row["usd"])),
    )


def _costs(
    lines: Iterable[Line], by: Sequence[str], tariffs: Tariffs, names: Names
) -> tuple[dict[tuple[str, ...], Cost], Cost, dict[str, int]]:
    costs: dict[tuple[str, ...], Cost] = defaultdict(Cost)
    total, unpriced = Cost(), defaultdict[str, int](int)
    for line in lines:
        said = {**line.labels, "day": line.day.isoformat()}
        offer = names.offer(line.labels.get("provider"), line.labels.get("model"))
        usd: dict[str, Decimal] | str
        if isinstance(offer, Unknown):
            usd = offer.because
        else:
            usd = usd_of(line, tariffs.on(offer, line.tier, line.day)) or _no_price(line, offer, tariffs)
        for cost in (costs[tuple(said[name] or "" for name in by)], total):
            _add(cost, line, usd, None if isinstance(offer, Unknown) else "/".join(offer))
        if isinstance(usd, str):
            unpriced[usd] += line.requests
    order = sorted(costs.items(), key=lambda item: (-item[1].usd, item[0]))
    return dict(order), total, dict(sorted(unpriced.items(), key=lambda item: -item[1]))


def usd_of(line: Line, tariff: Tariff | None) -> dict[str, Decimal] | None:
    """What the requests of a line cost, by kind of token; ``None`` if a price that they need is not known."""
    if tariff is None:
        return None
    found: dict[str, Decimal] = {}
    with localcontext(EXACT):
        for kind, tokens in line.tokens.items():
            usd_per_mtok = tariff.usd_per_mtok(kind, line.longer_than, line.hour) if tokens else Decimal(0)
            if usd_per_mtok is None:
                return None
            found[kind] = tokens * usd_per_mtok / TOKENS_PER_MTOK
    return found


def _no_price(line: Line, offer: tuple[str, str], tariffs: Tariffs) -> str:
    name, tier = "/".join(offer), "" if line.tier == STANDARD else f" in the {line.tier} tier"
    if line.tier not in tariffs.tiers(offer):
        return f"no price of {name}{tier or ' in the standard tier'} is known"
    first = tariffs.first_day(offer, line.tier)
    if first and line.day < first:
        return f"{name}{tier} has no known price before {first}"
    return f"{name}{tier} has no known price for a kind of token on some days ({line.day} for one)"


def _add(cost: Cost, line: Line, usd: Mapping[str, Decimal] | str, priced_as: str | None) -> None:
    cost.requests += line.requests
    with localcontext(EXACT):
        for kind, tokens in line.tokens.items():
            cost.tokens[kind] += tokens
        if line.logged_usd is not None:
            cost.logged_usd = (cost.logged_usd or Decimal(0)) + line.logged_usd
        if isinstance(usd, str):
            cost.unpriced_requests += line.requests
            return
        if priced_as:
            cost.priced_as.add(priced_as)
        for kind, amount in usd.items():
            cost.usd_by_kind[kind] += amount
            cost.usd += amount
