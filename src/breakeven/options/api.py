"""Paid APIs as options: which offers and tiers compete for this workload on this day."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from breakeven.catalogue.load import ApiTariff, Catalogue, Snapshot
from breakeven.catalogue.schema import ApiOffer, ProvisionedPrice
from breakeven.options.quality import Quality
from breakeven.options.ruling import About, Ruling
from breakeven.units import HOURS_PER_DAY, MINUTES_PER_HOUR
from breakeven.wording import joined, worded
from breakeven.workload.policy import Policy
from breakeven.workload.profile import Slo, Workload

SAFE_CONTEXT_TOKENS = 4096
"""An offer of unknown context length is trusted with prompts up to this length, and no longer ones."""
PROVISIONED = "provisioned"
"""The tier of what is paid by the unit of throughput and the hour."""
SLOW_TIERS = {"batch": "answers come within a day", "flex": "answers may be slow or refused"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOption:
    """A paid API in one tier."""

    tariff: ApiTariff
    score: float
    max_input_tokens: int | None
    """Its own limit, else that of the same model elsewhere; ``None``: not known."""
    meets_slo: bool | None
    """``None``: its latency is not known, which is never counted as a pass."""
    batch: ApiTariff | None = None
    """At which the work that may wait a day is charged; ``None``: at the tariff of all else."""
    provisioned: ProvisionedPrice | None = None
    """Paid by the unit and the hour instead of by the token."""
    most_requests_per_hour: float = math.inf
    """Of the workload's mean length, by the rate limits that the user stated."""

    def most_requests_per_day(self, workload: Workload) -> float:
        """The volume, with the workload's hours, from which on its busiest hour is above the limit."""
        if math.isinf(self.most_requests_per_hour):
            return math.inf
        return self.most_requests_per_hour / busiest_hour(workload) * workload.requests_per_day

    @property
    def id(self) -> str:
        """The option's name, for example ``api:openai/gpt-4o@batch``."""
        offer, tier = self.tariff.offer, self.tariff.tier
        return f"api:{offer.provider}/{offer.model}" + ("" if tier == "standard" else f"@{tier}")


def api_options(
    catalogue: Catalogue,
    snapshot: Snapshot,
    workload: Workload,
    policy: Policy,
    quality: Quality,
    ruling: Ruling,
) -> tuple[tuple[ApiOption, ...], int]:
    """The API options that compete, and how many were considered."""
    if policy.only.kinds and "api" not in policy.only.kinds:
        return (), 0
    contexts = _context_tokens(catalogue)
    tuned = {one.model for one in policy.fine_tuning}
    competing: list[ApiOption] = []
    out: dict[tuple[str, About], list[tuple[ApiOption, str]]] = {}
    considered = 0
    for tariff, batch, units in _sold(snapshot, workload):
        if not _selected(tariff, policy):
            continue
        considered += 1
        option = ApiOption(
            tariff=tariff,
            score=quality.score(tariff.offer.canonical or tariff.offer.model),
            max_input_tokens=tariff.offer.max_input_tokens or contexts.get(tariff.offer.canonical or ""),
            meets_slo=_meets(tariff, workload.slo, policy),
            batch=batch,
            provisioned=units,
            most_requests_per_hour=_most(tariff, workload, policy) if policy.api_limits else math.inf,
        )
        reason = _ruled_out(option, snapshot.as_of, workload, quality, tuned)
        if reason:
            because, detail, about = reason
            out.setdefault((because, about), []).append((option, detail))
        else:
            competing.append(option)
    for (because, about), some in out.items():
        ruling.add(because, len(some), (_told(*one) for one in some), about=about)
    return tuple(competing), considered


def _told(option: ApiOption, detail: str) -> str:
    return worded("{name}: {detail}", name=option.id, detail=detail) if detail else option.id


def _sold(
    snapshot: Snapshot, workload: Workload
) -> Iterator[tuple[ApiTariff, ApiTariff | None, ProvisionedPrice | None]]:
    """Every tariff, with that of the work that may wait, and what is sold by the unit of throughput."""
    waits = workload.batch is not None and workload.batch.within_h >= HOURS_PER_DAY
    batches = {tariff.offer.key: tariff for tariff in snapshot.tariffs if tariff.tier == "batch"} if waits else {}
    for tariff in snapshot.tariffs:
        yield tariff, batches.get(tariff.offer.key) if tariff.tier == "standard" else None, None
    for offer, units in snapshot.provisioned:
        yield ApiTariff(offer=offer, tier=PROVISIONED, prices={}), None, units


def _most(tariff: ApiTariff, workload: Workload, policy: Policy) -> float:
    """Requests an hour that an API takes, by what the user stated; units of throughput have no other limit."""
    if tariff.tier == PROVISIONED:
        return math.inf
    name, mean = f"{tariff.offer.provider}/{tariff.offer.model}", workload.mix.mean
    limit = next((limit for key, limit in policy.api_limits.items() if fnmatchcase(name, key)), None)
    return math.inf if limit is None else limit.most_requests_per_hour(mean.input + mean.output)


def busiest_hour(workload: Workload) -> float:
    """Requests of the busiest hour at an API: work that may wait is sent evenly, as far as there is room."""
    hours = workload.requests_per_hour
    mean = workload.requests_per_day / HOURS_PER_DAY
    return mean if workload.deferrable else max(*hours, mean)


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a name is among the patterns (``*`` stands for anything); no patterns match everything.

    >>> matches("ml.g5.xlarge", ("ml.g5.*",)), matches("gpt-4", ())
    (True, True)
    """
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _selected(tariff: ApiTariff, policy: Policy) -> bool:
    offer, only = tariff.offer, policy.only
    named = matches(offer.model, only.models) or bool(offer.canonical and matches(offer.canonical, only.models))
    return named and matches(offer.provider, only.providers) and matches(tariff.tier, only.tiers)


def _meets(tariff: ApiTariff, slo: Slo, policy: Policy) -> bool | None:
    """Whether an API keeps the target, by what the user measured there; that says nothing of its slow tiers."""
    if not slo.named:
        return True
    if tariff.tier in SLOW_TIERS:
        return None
    name = f"{tariff.offer.provider}/{tariff.offer.model}"
    return next((found.keeps(slo) for key, found in policy.api_latency.items() if fnmatchcase(name, key)), None)


def _ruled_out(
    option: ApiOption, as_of: date, workload: Workload, quality: Quality, tuned: set[str]
) -> tuple[str, str, About] | None:
    """Why an offer does not compete: reason, a detail if it helps, and whose doing; ``None`` if it does."""
    fact = _gone(option.tariff.offer, as_of) or _unsuited(option, workload, tuned)
    if fact:
        return *fact, "catalogue"
    demand = (
        _out_of_bounds(option, workload)
        or _above_limit(option, workload)
        or _misses(option)
        or _not_good_enough(option.score, quality)
    )
    return (*demand, "workload") if demand else None


def _above_limit(option: ApiOption, workload: Workload) -> tuple[str, str] | None:
    most = option.most_requests_per_hour
    if math.isinf(most) or (busiest := busiest_hour(workload)) <= most:
        return None
    minutes = MINUTES_PER_HOUR
    return (
        "its rate limit, as you stated it, is below the busiest hour",
        worded("{most:,.4g} requests a minute against {busiest:,.4g}", most=most / minutes, busiest=busiest / minutes),
    )


def _misses(option: ApiOption) -> tuple[str, str] | None:
    return ("latency target missed, as you measured it", "") if option.meets_slo is False else None


def _not_good_enough(score: float, quality: Quality) -> tuple[str, str] | None:
    if quality.floor is None or score >= quality.floor:
        return None
    return (unknown_quality(quality), "") if math.isnan(score) else (below_floor(quality), f"{score:g}")


def _gone(offer: ApiOffer, as_of: date) -> tuple[str, str] | None:
    if offer.retired_on and offer.retired_on <= as_of:
        return "retired by its provider", worded("since {day}", day=offer.retired_on)
    if offer.delisted_by and offer.delisted_by <= as_of:
        return "no longer in the price tables", worded("not listed on {day}", day=offer.delisted_by)
    return None


def _unsuited(option: ApiOption, workload: Workload, tuned: set[str]) -> tuple[str, str] | None:
    mode, tier = option.tariff.offer.mode, option.tariff.tier
    if mode == "fine-tuned" and option.tariff.offer.model in tuned:
        mode = "chat"
    if mode == "fine-tuned":
        return "fine-tuned model: needs a training run of yours", ""
    if mode != ("chat" if workload.task == "generate" else "embedding"):
        return "not a text generation model" if workload.task == "generate" else "not an embedding model", ""
    if tier in SLOW_TIERS and not workload.deferrable:
        return worded("{tier} tier: {but}, and the workload is not deferrable", tier=tier, but=SLOW_TIERS[tier]), ""
    if option.provisioned is not None:
        return None
    missing = [kind for kind in _kinds(workload) if not _priced(option, kind, workload)]
    return (
        ("a price it would need is not known", worded("{tier} {kinds}", tier=tier, kinds=joined(" and ", missing)))
        if missing
        else None
    )


def _priced(option: ApiOption, kind: str, workload: Workload) -> bool:
    """Whether a kind has a price for every length of prompt, in and out of peak hours."""
    lengths = [shape.usage.input for shape in workload.mix.shapes]
    return all(option.tariff.row(kind, length, hours) for length in lengths for hours in ("peak", "off_peak"))


def _kinds(workload: Workload) -> tuple[str, ...]:
    return ("input", "output") if workload.task == "generate" else ("input",)


def _out_of_bounds(option: ApiOption, workload: Workload) -> tuple[str, str] | None:
    offer = option.tariff.offer
    longest_in = max(shape.usage.input for shape in workload.mix.shapes)
    longest_out = max(shape.usage.output for shape in workload.mix.shapes)
    if longest_in > (option.max_input_tokens or SAFE_CONTEXT_TOKENS):
        known = worded("{most:,} tokens", most=option.max_input_tokens) if option.max_input_tokens else "not known"
        reason = "context too short" if option.max_input_tokens else "context length not known"
        return reason, worded("{known} against {longest:,.0f}", known=known, longest=longest_in)
    if workload.task == "generate" and offer.max_output_tokens and longest_out > offer.max_output_tokens:
        return "longest answer too short", worded(
            "{most:,} tokens against {longest:,.0f}",
            most=offer.max_output_tokens,
            longest=longest_out,
        )
    return None


def _context_tokens(catalogue: Catalogue) -> dict[str, int]:
    """The smallest context length known of each model, by its canonical name: of other offers or of its own weights."""
    found = {row.name: row.max_context for row in catalogue.tables.models if row.max_context}
    for offer in catalogue.tables.api_offers:
        if offer.canonical and offer.max_input_tokens:
            found[offer.canonical] = min(found.get(offer.canonical, offer.max_input_tokens), offer.max_input_tokens)
    return found


def unknown_quality(quality: Quality) -> str:
    """The reason for a score that is not known: it never passes a floor."""
    return worded("quality not known on {scale}, so it cannot pass the floor", scale=quality.scale)


def below_floor(quality: Quality) -> str:
    """The reason for a score below the floor."""
    return worded("below the quality floor ({floor})", floor=quality.floor_words)
