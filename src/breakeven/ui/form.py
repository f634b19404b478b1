"""The form of a scenario: what stands in its fields, what may be chosen there, and what a spec says beside them."""

import math
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from breakeven.catalogue.load import Catalogue
from breakeven.decision.curves import HIGHEST_REQUESTS_PER_DAY, LOWEST_REQUESTS_PER_DAY
from breakeven.ui.address import FIELDS, query_of, written_of
from breakeven.ui.scenario import Scenario
from breakeven.ui.texts import Texts
from breakeven.workload.spec import TokensSpec

SHOWN = (
    "traffic.requests_per_day",
    "traffic.profile",
    "tokens.input",
    "tokens.output",
    "tokens.cached_input",
    "latency.ttft_s",
    "latency.tpot_s",
    "latency.quantile",
    "at_least",
    "deferrable",
    "as_of",
    "region",
    "only.terms",
    "only.kinds",
    "only.models",
    "only.providers",
    "only.machines",
    "hosting.scaling",
    "hosting.min_replicas",
    "quality_scale",
)
"""Fields of the spec that the form has an input for; all others are carried along."""
MARKET = SHOWN[10:]
SLIDER_STEPS = 600
QUANTILES = ("0.5", "0.9", "0.95", "0.99")


def form_of(scenario: Scenario, catalogue: Catalogue, t: Texts) -> dict[str, Any]:
    """What the template of the form is filled in with."""
    values = written_of(scenario.spec)
    given = {name for name, _ in query_of(scenario.spec)}
    query = dict(query_of(scenario.spec))
    means = msgspec.structs.replace(scenario.spec, tokens=TokensSpec(input=1500.0, output=300.0))
    return {
        "form": {name: values[name] for name in SHOWN},
        "spec": scenario.spec,
        "slider": slider_of(scenario.spec.traffic.requests_per_day),
        "profiles": _profiles(values["traffic.profile"], catalogue, t),
        "quantiles": _with(values["latency.quantile"], {q: f"{float(q) * 100:g} %" for q in QUANTILES}),
        "scored": sorted((n, f"{row.score:g}") for n, row in catalogue.scores(scenario.spec.quality_scale).items()),
        "regions": _with(values["region"], dict.fromkeys(sorted({p.region for p in catalogue.tables.machine_prices}))),
        "terms": _with(
            values["only.terms"],
            {"": t("form.terms_all")} | dict.fromkeys(sorted({p.term for p in catalogue.tables.machine_prices})),
        ),
        "kinds": _with(
            values["only.kinds"],
            {"": t("form.kinds_all"), "api": t("words.api"), "hosted": t("words.hosted")},
        ),
        "scalings": [(name, t(f"form.scaling_{name}")) for name in ("hourly", "fixed")],
        "scales": _with(values["quality_scale"], dict.fromkeys(sorted({row.scale for row in catalogue.tables.scores}))),
        "first_day": catalogue.first_day,
        "market_open": bool(given & set(MARKET)),
        "carried": [
            (name, query[name], urlencode([pair for pair in parse_qsl(scenario.query, True) if pair[0] != name]))
            for name in FIELDS
            if name in query and name not in SHOWN
        ],
        "without_shapes": msgspec.structs.replace(scenario, spec=means).query,
    }


def slider_of(requests_per_day: float | None) -> int:
    """Where the slider stands: evenly in the logarithm, 0 at the lowest traffic.

    >>> slider_of(100.0), slider_of(1e5), slider_of(1e8), slider_of(1e12)
    (0, 300, 600, 600)
    """
    span = math.log(HIGHEST_REQUESTS_PER_DAY / LOWEST_REQUESTS_PER_DAY)
    place = math.log(max(requests_per_day or 1.0, 1.0) / LOWEST_REQUESTS_PER_DAY) / span
    return round(SLIDER_STEPS * min(max(place, 0.0), 1.0))


def _profiles(value: str, catalogue: Catalogue, t: Texts) -> list[tuple[str, str]]:
    known = {name: name for name in catalogue.profiles} | {"flat": t("form.profile_flat"), "": t("form.profile_none")}
    if value.startswith("["):
        known[value] = t("form.profile_measured", count=value.count(",") + 1)
    return list(known.items())


def _with(value: str, known: dict[str, str | None] | dict[str, str]) -> list[tuple[str, str]]:
    """What may be chosen, with what is given among it; a choice without words is told by its name."""
    return [(key, words or key) for key, words in ({value: value} | known).items() if key or "" in known]
