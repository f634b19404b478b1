"""What a page shows, as one typed value that stands in its address: a workload spec, and how the page shows it."""

import contextlib
from collections.abc import Iterable
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlencode

import msgspec

from breakeven.decision.rank import By
from breakeven.errors import BreakevenError, SpecError
from breakeven.ui.address import START, query_of, spec_of
from breakeven.units import HOURS_PER_DAY
from breakeven.wording import quoting
from breakeven.workload.spec import Spec

Language = Literal["en", "zh"]
OWN = ("by", "lang", "beside")
"""What an address says beside the fields of the spec."""
MOST_FIELDS = 200
LONGEST_QUERY = 64_000


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A spec, what one line of the ranking stands for, and the scenario that is kept to compare with."""

    spec: Spec = START
    by: By = "model"
    lang: Language | None = None
    """``None``: what the browser asks for."""
    beside: str | None = None
    """The query of another scenario, kept to be compared; empty: where the page starts."""

    @property
    def query(self) -> str:
        """The query of the address: what differs from where the page starts.

        >>> Scenario().query, Scenario(by="option").query
        ('', 'by=option')
        """
        own: list[tuple[str, str]] = [("by", self.by)] if self.by != "model" else []
        own += [("lang", self.lang)] if self.lang else []
        own += [("beside", self.beside)] if self.beside is not None else []
        return urlencode([*query_of(self.spec), *own])

    def with_requests(self, requests_per_day: float) -> "Scenario":
        """The same at another traffic."""
        traffic = msgspec.structs.replace(self.spec.traffic, requests_per_day=requests_per_day)
        return msgspec.structs.replace(self, spec=msgspec.structs.replace(self.spec, traffic=traffic))

    def kept(self) -> "Scenario":
        """The same, with itself kept to compare with."""
        return msgspec.structs.replace(self, beside=msgspec.structs.replace(self, lang=None, beside=None).query)


def scenario_of(query: str) -> Scenario:
    """The scenario that a query stands for.

    Raises:
        BreakevenError: if it stands for none.

    >>> scenario_of("traffic.requests_per_day=5e6&by=machine").by
    'machine'
    """
    if len(query) > LONGEST_QUERY:
        raise SpecError(
            quoting("the address is {count:,} characters long", count=len(query)),
            expected=quoting("at most {most:,}", most=LONGEST_QUERY),
            do="Shorten it",
        )
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=MOST_FIELDS)
    except ValueError as wrong:
        raise SpecError(
            quoting("the address cannot be read: {why}", why=wrong),
            expected="name=value pairs with & between",
            do="Correct it",
        ) from wrong
    own = {name: value for name, value in pairs if name in OWN and (value or name == "beside")}
    return Scenario(
        spec=slidable(spec_of(_of_spec(pairs))),
        by=_one_of("by", own.get("by", "model"), By),
        lang=_one_of("lang", own["lang"], Language) if "lang" in own else None,
        beside=own.get("beside"),
    )


def readable(query: str) -> Scenario:
    """What of a query makes sense, field by field: what a form shows beside the message about the rest.

    >>> readable("at_least=1400&traffic.requests_per_day=-5&lang=zh").query
    'at_least=1400&lang=zh'
    """
    kept: list[tuple[str, str]] = []
    pairs = parse_qsl(query, keep_blank_values=True) if len(query) <= LONGEST_QUERY else []
    for pair in pairs[:MOST_FIELDS]:
        with contextlib.suppress(BreakevenError):
            scenario_of(urlencode([*kept, pair]))
            kept.append(pair)
    return scenario_of(urlencode(kept))


def _of_spec(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in pairs if name not in OWN]


def _one_of(name: str, given: str, known: object) -> Any:  # noqa: ANN401 - one of the literals in ``known``
    if given not in get_args(known):
        raise SpecError(
            quoting("{field} is {value}", field=name, value=given),
            expected=quoting("one of {names}", names=", ".join(get_args(known))),
            do="Choose one of them",
        )
    return given


def slidable(spec: Spec) -> Spec:
    """The same spec with its traffic as a volume and a profile, so that the volume can be moved alone.

    >>> from breakeven.workload.spec import TrafficSpec
    >>> hours = Spec(traffic=TrafficSpec(requests_per_hour=[50.0] * 12 + [150.0] * 12))
    >>> slidable(hours).traffic.requests_per_day
    2400.0
    """
    hours = spec.traffic.requests_per_hour
    if hours is None:
        return spec
    days = len(hours) // HOURS_PER_DAY
    traffic = msgspec.structs.replace(
        spec.traffic, requests_per_hour=None, requests_per_day=sum(hours) / days, profile=list(hours)
    )
    return msgspec.structs.replace(spec, traffic=traffic)
