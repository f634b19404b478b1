"""Documents turned into typed structures; a slip is told with its place, field and what was expected."""

import re
from collections.abc import Callable
from typing import Any, TypeGuard, TypeVar

import msgspec

from breakeven.errors import BreakevenError, SpecError, near_matches
from breakeven.wording import Quoted, Wording, joined, quoting, refilled, worded

T = TypeVar("T")
Steps = list[str | int]
"""The way from the top of a document to a field: names, and places in lists."""
LONGEST_QUOTE = 40
OF_ANY_KIND = "a value that fits (docs/reference/spec.md)"
KINDS = {
    "BoolType": "true or false",
    "DateType": "a date like 2026-11-24",
    "DecimalType": "a number",
    "DictType": "fields",
    "FloatType": "a number",
    "IntType": "a whole number",
    "ListType": "a list",
    "StrType": "text",
    "StructType": "fields",
    "VarTupleType": "a list",
}


def said(description: str) -> msgspec.Meta:
    """What a field of a file means, for the generated pages and the JSON Schema."""
    return msgspec.Meta(description=description)


def typed(document: object, kind: type[T], place: Callable[[Steps], str]) -> T:
    """A document as a ``kind``; ``place`` says where the field at the end of some steps stands.

    Raises:
        SpecError: with that place, the field, what was given and what was expected.
    """

    def refusal(changed: object) -> str | None:
        try:
            msgspec.convert(changed, kind, strict=False)
        except msgspec.ValidationError as wrong:
            return str(wrong)
        return None

    try:
        return msgspec.convert(document, kind, strict=False)
    except msgspec.ValidationError as wrong:
        steps = _steps(document, str(wrong), refusal)
        steps, given, expected, do = _told(document, kind, steps, wrong)
        field = Quoted(".".join(str(step) for step in steps)) or "the document"
        told = worded("{place}{field}: {given}", place=place(steps), field=field, given=given)
        raise SpecError(told, expected=expected, do=do) from wrong


def _told(document: object, kind: type, steps: Steps, wrong: msgspec.ValidationError) -> tuple[Steps, str, str, str]:
    """Where a slip stands, what was given, what was expected and what to do."""
    message, cause = str(wrong), wrong.__cause__
    if isinstance(cause, BreakevenError):
        return *_blamed(document, steps, cause.given), cause.expected, cause.do
    if unknown := re.match(r"Object contains unknown field `(.*?)`( - at `\$.*)?$", message, re.DOTALL):
        names = [field.encode_name for field in getattr(_info(kind, steps), "fields", ())]
        near = near_matches(unknown[1], names, limit=1)
        do = quoting("Did you mean: {names}?", names=near[0]) if near else "Leave it out"
        expected = quoting("one of {names}", names=", ".join(names))
        return [*steps, unknown[1]], "there is no such field", expected, do
    if missing := re.match("Object missing required field `(.*?)`", message):
        name, wanted = Quoted(missing[1]), _wanted(_info(kind, [*steps, missing[1]]))
        expected = worded("{name}: {wanted}", name=name, wanted=wanted)
        return steps, worded("the field {name} is missing", name=name), expected, worded("Add {name}", name=name)
    if " - at `key` in `$" in message:
        odd = next((key for key in _fields(_at(document, steps)) if not isinstance(key, str)), None)
        told = worded("the name {value} is not text", value=_quoted(odd))
        return steps, told, "a name that is text", "Put the name in quotes"
    value = _at(document, steps)
    choices = [str(choice) for choice in getattr(_info(kind, steps), "values", ())]
    near = near_matches(str(value), choices)
    do = quoting("Did you mean: {names}?", names=", ".join(near)) if near else "Mend that field"
    return steps, worded("this is {value}", value=_quoted(value)), _wanted(_info(kind, steps)), do


def _blamed(document: object, steps: Steps, given: str) -> tuple[Steps, str]:
    """The field that an error of ours begins with (``latency.ttft_s is -1``), where the document has it."""
    name, _, rest = given.partition(" ")
    ways: tuple[Steps, Steps] = [*steps, name.rpartition(".")[2]], [*name.split(".")]
    way = next((way for way in ways if _at(document, way) is not None), steps)
    if way is steps or not rest.startswith("is "):
        return way, given
    return way, refilled(given, field="this") if _of_field(given) else f"this {rest}"


def _of_field(given: str) -> TypeGuard[Wording]:
    return isinstance(given, Wording) and given.pattern.startswith("{field} is ")


def _steps(document: object, message: str, refusal: Callable[[object], str | None]) -> Steps:
    """The way that msgspec names; where it says ``[...]`` for a key, the key that alone is refused the same way."""
    _, _, where = message.rpartition(" - at ")
    steps: Steps = []
    for name, place in re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", where.partition("`$")[2]):
        if place == "...":
            keys = _fields(_at(document, steps))
            steps.append(next((k for k in keys if refusal(_only(document, steps, k)) == message), place))
        else:
            steps.append(name or int(place))
    return steps


def _fields(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _only(value: Any, steps: Steps, key: str) -> Any:  # noqa: ANN401 - any YAML value
    """The document with one key alone in the mapping at ``steps``."""
    if not steps:
        return {key: value[key]}
    inner = _only(value[steps[0]], steps[1:], key)
    if isinstance(value, dict):
        return {**value, steps[0]: inner}
    return [inner if place == steps[0] else item for place, item in enumerate(value)]


def _at(value: Any, steps: Steps) -> Any:  # noqa: ANN401 - any YAML value
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step]
        else:
            return None
    return value


def _quoted(value: object) -> str:
    """A value as the reader wrote it, or its kind where that would be long."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return Quoted(str(value).lower())
    if isinstance(value, dict | list):
        return "fields" if isinstance(value, dict) else "a list"
    text = str(value) if len(str(value)) <= LONGEST_QUOTE else f"{str(value)[:LONGEST_QUOTE]}..."
    return quoting("the text {text}", text=repr(text)) if isinstance(value, str) else Quoted(text)


def _wanted(info: Any) -> str:  # noqa: ANN401 - msgspec's own type descriptions
    """What a field takes, in words."""
    kinds = _choices(info)
    if len(kinds) != 1:
        return joined(" or ", dict.fromkeys(_wanted(one) for one in kinds)) if kinds else OF_ANY_KIND
    if isinstance(kinds[0], msgspec.inspect.LiteralType):
        return joined(" or ", (Quoted(value) for value in kinds[0].values))
    return KINDS.get(type(kinds[0]).__name__, OF_ANY_KIND)


def _info(kind: type, steps: Steps) -> Any:  # noqa: ANN401 - msgspec's own type descriptions
    """The description of the type at the end of a way; ``None`` if there is none."""
    info: Any = msgspec.inspect.type_info(kind)
    for step in steps:
        info = next(filter(None, (_inside(one, step) for one in _choices(info))), None)
    kinds = _choices(info)
    return kinds[0] if len(kinds) == 1 else info


def _choices(info: Any) -> list[Any]:  # noqa: ANN401 - msgspec's own type descriptions
    """The types that a field may have, beside nothing."""
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    if isinstance(info, msgspec.inspect.UnionType):
        return [kind for one in info.types for kind in _choices(one)]
    return [] if info is None or isinstance(info, msgspec.inspect.NoneType) else [info]


def _inside(info: Any, step: str | int) -> Any:  # noqa: ANN401 - msgspec's own type descriptions
    if isinstance(step, int):
        return getattr(info, "item_type", None)
    fields = {field.encode_name: field.type for field in getattr(info, "fields", ())}
    return fields.get(step) or getattr(info, "value_type", None)
