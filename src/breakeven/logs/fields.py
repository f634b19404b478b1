"""Where a value stands in a record: a small language of paths, the same for JSON, CSV and Parquet.

    prompt_tokens                        a column, or a field of a JSON object
    usage.prompt_tokens                  a field of a field
    attributes."gen_ai.usage"            a name that itself holds dots
    data[].results[].input_tokens        a field in lists: one row for each entry
    spans[].attributes{gen_ai.system}    the value of a key in a list of {key, value} pairs (OTLP)
    metadata~cached_tokens               what follows the first "cached_tokens": in a text that is JSON

Names in a path are matched as they are written, upper and lower case told apart.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from breakeven.errors import SpecError

NAME = re.compile(r'(?:"(?P<quoted>[^"]+)"|(?P<plain>[^.\[\]{}~"]+))(?P<many>\[\])?(?:\.|$|(?=[{~]))')
PAIR = frozenset({"key", "value"})


@dataclass(frozen=True, slots=True)
class Field:
    """A parsed path. ``many`` tells for each name whether it is a list that gives one row for each entry."""

    names: tuple[str, ...]
    many: tuple[bool, ...]
    key: str | None = None
    inside: str | None = None

    @property
    def lists(self) -> tuple[tuple[str, ...], ...]:
        """The lists on the way, each by its full path, outermost first."""
        return tuple(self.names[: at + 1] for at, many in enumerate(self.many) if many)


@cache
def field(path: str) -> Field:
    """Parse a path.

    >>> field("data[].results[].model").lists
    (('data',), ('data', 'results'))

    Raises:
        SpecError: if it is none.
    """
    body, key, inside = path, None, None
    if match := re.fullmatch(r"(.+?)\{(.+)\}", path):
        body, key = match[1], match[2]
    elif match := re.fullmatch(r"(.+?)~(.+)", path):
        body, inside = match[1], match[2]
    parts = list(NAME.finditer(body))
    if not parts or "".join(part[0] for part in parts) != body:
        raise SpecError(
            f"{path!r} names no column",
            expected='a column, or a.b for a field of a field; "a.b" in quotes for a name with a dot',
            do="Correct it",
        )
    names = tuple(part["quoted"] or part["plain"] for part in parts)
    return Field(names=names, many=tuple(part["many"] is not None for part in parts), key=key, inside=inside)


def quoted(name: str) -> str:
    """A name as a path writes it."""
    return f'"{name}"' if re.search(r"[.\[\]{}~]", name) else name


def paths_of(record: Any, prefix: str = "") -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """The paths of everything that a JSON record holds, lists of objects as ``name[]``, pairs as ``name{key}``."""
    if not isinstance(record, dict):
        return
    for name, value in record.items():
        path = prefix + quoted(name)
        yield path
        if isinstance(value, dict):
            yield from paths_of(value, f"{path}.")
        elif isinstance(value, list):
            for entry in (entry for entry in value if isinstance(entry, dict)):
                if entry.keys() >= PAIR:
                    yield f"{path}{{{entry['key']}}}"
                else:
                    yield from paths_of(entry, f"{path}[].")


def value_at(record: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    """The first value at a path of a JSON record, ``None`` if there is none."""
    return next((value for value in _values([record], field(path)) if value is not None), None)


def _values(found: list[Any], wanted: Field) -> list[Any]:
    for name, many in zip(wanted.names, wanted.many, strict=True):
        found = [one[name] for one in found if isinstance(one, dict) and name in one]
        if many:
            found = [entry for one in found if isinstance(one, list) for entry in one]
    if wanted.key is not None:
        pairs = [pair for one in found if isinstance(one, list) for pair in one if isinstance(pair, dict)]
        values = [pair.get("value") for pair in pairs if pair.get("key") == wanted.key]
        return [inner for value in values if isinstance(value, dict) for inner in value.values()]
    return found
