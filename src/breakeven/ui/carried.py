"""Words with a memory as plain data and back: what the process that reads a file says, for the page that shows it.

The data may come from a process that was fed by strangers, so they hold words and numbers and nothing else.
"""

import math
import re
from string import Formatter
from typing import Literal, TypeAlias

import msgspec

from breakeven.wording import Quoted, Volume, Wording, joined, worded

PLAIN_NUMBER = re.compile(r",?(\.\d)?[fg%]?")
"""How a pattern may want a number written."""


class Carried(msgspec.Struct, frozen=True, omit_defaults=True):
    """Words or a number: a text, or a pattern with its places, or parts with what stands between them."""

    kind: Literal["words", "plain", "quoted", "volume", "number"]
    text: str
    places: dict[str, "Place"] = {}
    parts: tuple["Carried", ...] = ()

    def __post_init__(self) -> None:
        """Refuse a pattern that would do more than put a place's words or number somewhere."""
        for _, name, spec, how in Formatter().parse(self.text) if self.kind == "words" else ():
            if name is not None and (name not in self.places or how or not PLAIN_NUMBER.fullmatch(spec or "")):
                raise ValueError(f"{name} is no plain place")


Place: TypeAlias = int | float | Carried


def carried(words: object) -> Carried:
    """Words, or what stands in one of their places, as data.

    >>> carried(worded("{n} ways", n=2))
    Carried(kind='words', text='{n} ways', places={'n': 2}, parts=())
    """
    if isinstance(words, Wording):
        places = {name: _place(value) for name, value in words.places.items()}
        return Carried("words", words.pattern, places, tuple(map(carried, words.parts)))
    if isinstance(words, float):
        return Carried("volume" if isinstance(words, Volume) else "number", repr(float(words)))
    return Carried("quoted" if isinstance(words, Quoted) or not isinstance(words, str) else "plain", str(words))


def _place(value: object) -> Place:
    if isinstance(value, int | float) and not isinstance(value, bool | Volume) and math.isfinite(value):
        return value
    return carried(value)


def again(found: Carried) -> str:
    """The words that the data stand for, with their memory.

    >>> again(carried(worded("{n} ways", n=2)))
    '2 ways'
    """
    if found.kind != "words":
        return Quoted(found.text) if found.kind == "quoted" else found.text
    if found.parts:
        return joined(found.text, map(again, found.parts))
    return worded(found.text, **{name: _value(place) for name, place in found.places.items()})


def _value(place: Place) -> object:
    if not isinstance(place, Carried):
        return place
    if place.kind in ("volume", "number"):
        return (Volume if place.kind == "volume" else float)(place.text)
    return again(place)
