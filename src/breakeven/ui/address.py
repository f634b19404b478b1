"""A workload spec as the query of an address, field by field: what differs from where the page starts, and back.

The names are those of the spec (``traffic.requests_per_day``), so docs/reference/spec.md explains an address too. An
empty value means "not given". Text stands as it is, lists of names with commas between, everything else as JSON.
"""

import types
import typing
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import msgspec

from breakeven.errors import SpecError, UnknownNameError
from breakeven.fields import typed
from breakeven.wording import quoting
from breakeven.workload.profile import Slo
from breakeven.workload.spec import Spec, TokensSpec, TrafficSpec

START = Spec(
    traffic=TrafficSpec(requests_per_day=100_000.0, profile="azure-chat-168h"),
    tokens=TokensSpec(input=1500.0, output=300.0),
    latency=Slo(ttft_s=2.0, tpot_s=0.1),
    at_least="llama-3.3-70b",
)
"""Where the page starts: what is like this is left out of an address."""
Form = Literal["text", "names", "value", "mixed", "json"]
LONGEST_VALUE = 60_000
"""Characters; a profile of 168 hours and a few dozen kinds of request take less than a tenth."""


def _leaves(kind: type, before: str = "") -> dict[str, Form]:
    """Every field of the spec with the form of its value; fields that are sections are gone through."""
    hints = typing.get_type_hints(kind)
    found: dict[str, Form] = {}
    for field in msgspec.structs.fields(kind):
        name, of = f"{before}{field.encode_name}", hints[field.name]
        if isinstance(of, type) and issubclass(of, msgspec.Struct):
            found |= _leaves(of, f"{name}.")
        else:
            found[name] = _form(of)
    return found


def _form(of: Any) -> Form:  # noqa: ANN401 - any annotation
    parts = typing.get_args(of) if typing.get_origin(of) in (typing.Union, types.UnionType) else (of,)
    parts = tuple(part for part in parts if part is not type(None))
    if all(_is_text(part) for part in parts):
        return "text"
    if len(parts) == 1 and parts[0] in (float, int, bool, Decimal):
        return "value"
    if len(parts) == 1 and typing.get_origin(parts[0]) in (tuple, list):
        return "names" if _is_text(typing.get_args(parts[0])[0]) else "json"
    return "mixed" if str in parts else "json"


def _is_text(of: Any) -> bool:  # noqa: ANN401 - any annotation
    return of in (str, date) or typing.get_origin(of) is Literal


FIELDS = _leaves(Spec)
"""Every field that an address may hold, by its name in the spec."""


def query_of(spec: Spec) -> list[tuple[str, str]]:
    """The fields in which a spec differs from ``START``, in the order of the spec.

    >>> query_of(msgspec.structs.replace(START, at_least="gpt-4o", region="eu-west-1"))
    [('at_least', 'gpt-4o'), ('region', 'eu-west-1')]
    """
    mine, start = written_of(spec), written_of(START)
    return [(name, mine[name]) for name in FIELDS if mine[name] != start[name]]


def written_of(spec: Spec) -> dict[str, str]:
    """Every field of a spec as an address writes it."""
    return {name: _written(value, FIELDS[name]) for name, value in _flat(spec).items()}


def spec_of(query: Iterable[tuple[str, str]]) -> Spec:
    """The spec that a query stands for.

    Raises:
        SpecError: if a field is given twice, is too long, names a file, or does not fit.
        UnknownNameError: if there is no such field.

    >>> spec_of([("traffic.requests_per_day", "2e6")]).traffic.requests_per_day
    2000000.0
    """
    raw: dict[str, Any] = msgspec.to_builtins(START)
    seen: set[str] = set()
    for name, text in query:
        _check(name, text, seen)
        seen.add(name)
        *sections, last = name.split(".")
        target = raw
        for section in sections:
            target = target[section]
        if text.strip() == "":
            target.pop(last, None)
        else:
            target[last] = _read(name, text.strip())
    return typed(raw, Spec, lambda _: "")


def _check(name: str, text: str, seen: set[str]) -> None:
    if name not in FIELDS:
        raise UnknownNameError("address field", name, FIELDS)
    if name in seen:
        raise SpecError(
            quoting("{name} is given twice", name=name), expected="each field once", do="Leave one of them out"
        )
    if len(text) > LONGEST_VALUE:
        raise SpecError(
            quoting("{name} is {count:,} characters long", name=name, count=len(text)),
            expected=quoting("at most {most:,}", most=LONGEST_VALUE),
            do="Shorten it",
        )
    if name == "overlay" and text.strip():
        raise SpecError(
            "overlay names a file of the machine that plans",
            expected="a workload without one",
            do="Use `breakeven compare` for your own machines and prices",
        )


def _flat(spec: Spec) -> dict[str, Any]:
    """The fields of a spec by their names; ``None`` where one is not given."""
    raw = msgspec.to_builtins(spec)
    found = {}
    for name in FIELDS:
        value: Any = raw
        for part in name.split("."):
            value = value[part]
        found[name] = value
    return found


def _written(value: Any, form: Form) -> str:  # noqa: ANN401 - a JSON value
    if value is None or value in ([], {}):
        return ""
    if form == "value":
        return _number(value)
    if form == "text":
        return str(value)
    if form == "names":
        plain = all("," not in name and name.strip() == name and name and name[0] != "[" for name in value)
        return ",".join(value) if plain else _json(value)
    if form == "mixed" and isinstance(value, str):
        return value if _parsed(value) is None and value.strip() == value and value else _json(value)
    return _number(value) if isinstance(value, int | float) else _json(value)


def _number(value: float | bool | str) -> str:
    """A number as people write it.

    >>> _number(200000.0), _number(0.05), _number(True), _number("12.50")
    ('200000', '0.05', 'true', '12.50')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def _json(value: Any) -> str:  # noqa: ANN401 - a JSON value
    return msgspec.json.encode(value).decode()


def _parsed(text: str) -> Any:  # noqa: ANN401 - a JSON value
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None


def _read(name: str, text: str) -> Any:  # noqa: ANN401 - a JSON value
    form = FIELDS[name]
    if form in ("text", "value"):
        return text
    if form == "names":
        return _as_json(name, text) if text[0] == "[" else [part.strip() for part in text.split(",") if part.strip()]
    if form == "mixed":
        found = _parsed(text)
        return text if found is None else found
    return _as_json(name, text)


def _as_json(name: str, text: str) -> Any:  # noqa: ANN401 - a JSON value
    found = _parsed(text)
    if found is None:
        raise SpecError(
            quoting("{field} is {value}", field=name, value=_short(text)),
            expected="JSON",
            do="Write it as in a JSON document",
        )
    if name == "quality" and isinstance(found, dict) and found.get("evaluations"):
        raise SpecError(
            "quality.evaluations names files of the machine that plans",
            expected="success rates by model",
            do="Use `breakeven compare` to read evaluations",
        )
    return found


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
