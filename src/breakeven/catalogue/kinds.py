"""Each kind of fact as lines for a person: what was known on one day, one line a name.

A line is a flat record whose keys carry their unit last; ``None`` is "unknown". Lines hold everything, a
kind's ``columns`` say what fits into a table.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

import msgspec

from breakeven.catalogue.load import ApiTariff, Catalogue, Snapshot
from breakeven.catalogue.schema import ApiOffer, ApiPrice, Instance, ServicePrice, Uptime
from breakeven.errors import UnknownNameError
from breakeven.wording import worded

Line = dict[str, Any]
ML = "ml."
"""What SageMaker puts before the name of an instance type."""
ON_OFFER = "on offer"
"""The status of an offer that is still sold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of fact: its name, other words for it, what it holds, its lines and the columns of its table."""

    name: str
    words: tuple[str, ...] = ()
    holds: str
    lines: Callable[[Catalogue, Snapshot, str], list[Line]]
    columns: tuple[str, ...]

    @property
    def one(self) -> str:
        """The name of one of them."""
        return self.name[:-1]


def fields(row: msgspec.Struct) -> Line:
    """A row as a record."""
    return {name: getattr(row, name) for name in row.__struct_fields__}


def _models(catalogue: Catalogue, snapshot: Snapshot, scale: str) -> list[Line]:
    scores, offered = catalogue.scores(scale), defaultdict(list)
    for offer in catalogue.tables.api_offers:
        offered[offer.canonical or offer.model].append("/".join(offer.key))
    return [
        {
            **fields(row),
            "score": scores[row.name].score if row.name in scores else None,
            "scale": scale,
            "offers": tuple(offered[row.name]),
        }
        for row in catalogue.models.values()
        if _known_on(row.released, snapshot.as_of)
    ]


def _offers(catalogue: Catalogue, snapshot: Snapshot, scale: str) -> list[Line]:
    scores = catalogue.scores(scale)
    lines: list[Line] = []
    for key, group in groupby(snapshot.tariffs, key=lambda tariff: tariff.offer.key):
        tariffs = sorted(group, key=lambda tariff: tariff.tier != "standard")
        offer, prices = tariffs[0].offer, main_prices(tariffs[0])
        score = scores.get(offer.canonical or offer.model)
        lines.append(
            {
                "name": "/".join(key),
                **fields(offer),
                **{f"{kind}_usd_per_mtok": row and row.usd_per_mtok for kind, row in prices.items()},
                "price_tier": tariffs[0].tier,
                "since": max((row.effective_from for row in prices.values() if row), default=None),
                "score": score.score if score else None,
                "scale": scale,
                "also": _also(offer, tariffs),
                "status": offer_status(offer.retired_on, offer.delisted_by, snapshot.as_of),
            }
        )
    return lines


def main_prices(tariff: ApiTariff) -> dict[str, ApiPrice | None]:
    """A tariff's price of each kind of token, for short requests, at the dearer hours where hours differ."""
    found: dict[str, ApiPrice | None] = dict.fromkeys(("input", "cached_input", "cache_write", "output"))
    for kind in found:
        rows = [row for (token_kind, _, _), row in tariff.prices.items() if token_kind == kind]
        found[kind] = min(rows, key=lambda row: (row.above_input_tokens, -row.usd_per_mtok), default=None)
    return found


def _also(offer: ApiOffer, tariffs: list[ApiTariff]) -> tuple[str, ...]:
    """What else there is to know of an offer: a mode other than chat, and other prices than the line shows."""
    keys = {key for tariff in tariffs for key in tariff.prices}
    words: list[str] = [] if offer.mode == "chat" else [offer.mode]
    words += [tariff.tier for tariff in tariffs[1:]]
    words += ["long context"] if any(above for _, _, above in keys) else []
    words += ["off-peak"] if any(window for _, window, _ in keys) else []
    return tuple(words)


def offer_status(retired_on: date | None, delisted_by: date | None, as_of: date) -> str:
    """Whether an offer was still sold on a day.

    >>> offer_status(date(2026, 7, 24), None, date(2026, 11, 25))
    'retired on 2026-07-24'
    """
    if retired_on and retired_on <= as_of:
        return worded("retired on {day}", day=retired_on)
    if delisted_by and delisted_by <= as_of:
        return worded("no longer listed on {day}", day=delisted_by)
    return ON_OFFER


def _providers(catalogue: Catalogue, snapshot: Snapshot, scale: str) -> list[Line]:
    days: dict[str, list[date]] = defaultdict(list)
    for row in catalogue.tables.api_prices:
        days[row.provider].append(row.effective_from)
    now: dict[str, int] = defaultdict(int)
    for line in _offers(catalogue, snapshot, scale):
        now[line["provider"]] += line["status"] == ON_OFFER
    ever: dict[str, int] = defaultdict(int)
    for offer in catalogue.tables.api_offers:
        ever[offer.provider] += 1
    return [
        {
            "name": provider,
            "on_offer": now[provider],
            "ever_offered": ever[provider],
            "dated_prices": len(days[provider]),
            "first_price": min(days[provider], default=None),
            "newest_price": max(days[provider], default=None),
            "peak_hours_a_week": len(snapshot.windows[provider].hours_of_week_utc)
            if provider in snapshot.windows
            else None,
        }
        for provider in sorted(ever)
        if provider in now or min(days[provider], default=snapshot.as_of) <= snapshot.as_of
    ]


def _machines(catalogue: Catalogue, snapshot: Snapshot, _scale: str) -> list[Line]:
    return [_machine(row, catalogue, snapshot) for row in catalogue.instances.values()]


def _machine(row: Instance, catalogue: Catalogue, snapshot: Snapshot) -> Line:
    if row.own:
        named = {"own_usd_per_hour": (row.name, "owned"), "own_rented_usd_per_hour": (row.name, "on-demand")}
    else:
        named = {
            "ec2_usd_per_hour": (row.name, "on-demand"),
            "ec2_reserved_1y_usd_per_hour": (row.name, "reserved-1y"),
            "sagemaker_usd_per_hour": (ML + row.name, "on-demand"),
        }
    prices = {column: snapshot.machine_prices.get(key) for column, key in named.items()}
    return {
        **machine_fields(row, catalogue),
        "hardware": f"{row.accelerator_count} x {row.accelerator}" if row.accelerator else row.cpu,
        **{column: price and price.usd_per_hour for column, price in prices.items()},
        "prices_since": min((price.effective_from for price in prices.values() if price), default=None),
    }


def machine_fields(row: Instance, catalogue: Catalogue) -> Line:
    """An instance type as a record, with the memory of its accelerators by their datasheet if its own is not known."""
    chip, total = catalogue.accelerators.get(row.accelerator or ""), row.accelerator_memory_gib_total
    if row.accelerator is None:
        total = 0.0
    elif total is None and chip and chip.memory_gib:
        total = chip.memory_gib * row.accelerator_count
    return {**fields(row), "accelerator_memory_gib_total": total}


def _services(_catalogue: Catalogue, snapshot: Snapshot, _scale: str) -> list[Line]:
    return [
        {"name": service, **fields(row), "from_to": tier_words(row)}
        for (service, _), tiers in sorted(snapshot.service_tiers.items())
        for row in tiers
    ]


def tier_words(row: ServicePrice) -> str:
    """The amounts a month for which a price holds, in words."""
    if row.tier_to is None:
        return "all" if not row.tier_from else f"above {row.tier_from:,.0f}"
    return f"{row.tier_from:,.0f} to {row.tier_to:,.0f}"


def _scores(catalogue: Catalogue, _snapshot: Snapshot, scale: str) -> list[Line]:
    rows = sorted(catalogue.scores(scale).values(), key=lambda row: -row.score)
    return [{"name": row.model, **fields(row)} for row in rows]


def _profiles(catalogue: Catalogue, _snapshot: Snapshot, _scale: str) -> list[Line]:
    return [
        {**fields(row), "hours": len(row.weights), "busiest_hour": max(row.weights), "quietest_hour": min(row.weights)}
        for row in catalogue.profiles.values()
    ]


def _sources(catalogue: Catalogue, _snapshot: Snapshot, _scale: str) -> list[Line]:
    return [{"name": row.id, **fields(row)} for row in catalogue.sources.values()]


def _engines(catalogue: Catalogue, snapshot: Snapshot, _scale: str) -> list[Line]:
    return [fields(row) for row in catalogue.tables.engines if _known_on(row.released, snapshot.as_of)]


def _paths(catalogue: Catalogue, snapshot: Snapshot, _scale: str) -> list[Line]:
    return [fields(row) for row in catalogue.tables.paths if _known_on(row.available_from, snapshot.as_of)]


def _uptimes(catalogue: Catalogue, snapshot: Snapshot, _scale: str) -> list[Line]:
    """The promise in force of each name and tier."""
    newest = {
        (row.name, row.tier): row
        for row in sorted(catalogue.tables.uptimes, key=lambda row: row.effective_from)
        if _known_on(row.effective_from, snapshot.as_of)
    }
    return [uptime_fields(newest[key]) for key in sorted(newest, key=str)]


def uptime_fields(row: Uptime) -> Line:
    """A promise as a record; one that names no tier holds for all."""
    return {**fields(row), "tier": row.tier or "all"}


def _plain(table: str) -> Callable[[Catalogue, Snapshot, str], list[Line]]:
    return lambda catalogue, _snapshot, _scale: [fields(row) for row in getattr(catalogue.tables, table)]


def _known_on(first: date | None, as_of: date) -> bool:
    return first is None or first <= as_of


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="models",
            holds="open models to host oneself",
            lines=_models,
            columns=("name", "kind", "params_total", "params_active", "max_context", "licence", "score"),
        ),
        Kind(
            name="offers",
            words=("apis", "api", "api-offers", "api-prices"),
            holds="models of paid APIs",
            lines=_offers,
            columns=(
                *("name", "input_usd_per_mtok", "cached_input_usd_per_mtok", "output_usd_per_mtok"),
                *("score", "since", "also"),
            ),
        ),
        Kind(
            name="providers",
            holds="who sells them",
            lines=_providers,
            columns=("name", "on_offer", "ever_offered", "dated_prices", "first_price", "newest_price"),
        ),
        Kind(
            name="machines",
            words=("instances", "machine-prices"),
            holds="instance types to rent or own",
            lines=_machines,
            columns=(
                *("name", "hardware", "accelerator_memory_gib_total", "vcpus", "memory_gib"),
                *("ec2_usd_per_hour", "sagemaker_usd_per_hour", "prices_since"),
            ),
        ),
        Kind(
            name="accelerators",
            words=("gpus", "chips"),
            holds="GPUs and their like, by datasheet",
            lines=_plain("accelerators"),
            columns=(
                *("name", "generation", "memory_gib", "bandwidth_gb_per_s", "bf16_dense_tflops"),
                *("fp8_dense_tflops", "int8_dense_tops", "link_kind"),
            ),
        ),
        Kind(
            name="cpus",
            holds="server CPUs, by datasheet",
            lines=_plain("cpus"),
            columns=(
                *("name", "microarchitecture", "cores_per_socket", "threads_per_core"),
                *("memory_bandwidth_gb_per_s", "clock_ghz"),
            ),
        ),
        Kind(
            name="services",
            words=("service-prices",),
            holds="gateway, functions, transfer ...",
            lines=_services,
            columns=("name", "item", "from_to", "usd", "unit", "effective_from"),
        ),
        Kind(
            name="scores",
            words=("quality",),
            holds="published quality of models",
            lines=_scores,
            columns=("name", "score", "ci95", "observed", "conditions"),
        ),
        Kind(
            name="profiles",
            words=("load",),
            holds="measured traffic, hour by hour",
            lines=_profiles,
            columns=("name", "hours", "busiest_hour", "quietest_hour", "note"),
        ),
        Kind(
            name="formats",
            words=("number-formats",),
            holds="number formats for weights",
            lines=_plain("formats"),
            columns=("name", "weight_bits", "compute", "generations"),
        ),
        Kind(
            name="engines",
            holds="serving engines",
            lines=_engines,
            columns=("name", "version", "released", "serves", "generations"),
        ),
        Kind(
            name="paths",
            words=("serving-paths",),
            holds="from client to model server",
            lines=_paths,
            columns=("name", "service", "response_limit_s", "streams", "available_from", "note"),
        ),
        Kind(
            name="uptimes",
            words=("slas", "availability"),
            holds="the time providers promise to be up",
            lines=_uptimes,
            columns=("name", "share", "tier", "least_machines", "effective_from", "note"),
        ),
        Kind(
            name="sources",
            holds="where and when figures were read",
            lines=_sources,
            columns=("name", "published", "title"),
        ),
    )
}


def kind_of(word: str) -> Kind:
    """The kind of that name; singulars and other usual words are understood.

    >>> kind_of("gpu").name, kind_of("machine").name
    ('accelerators', 'machines')
    """
    wanted = word.lower().replace("_", "-")
    for kind in KINDS.values():
        words = (kind.name, *kind.words)
        if wanted in words or wanted + "s" in words:
            return kind
    raise UnknownNameError("kind", word, KINDS, search="breakeven catalogue list")
