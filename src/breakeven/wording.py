"""Words that remember their pattern and what fills its places, so that they can be said again in another language."""

from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real

MILLION, DIGITS = 1e6, 3
Say = Callable[[str], str]
"""Says words in the language of whoever reads them; ``str`` leaves them as they are."""


class Wording(str):
    """English words, which anybody may use as plain text, with what they were made of.

    Whoever knows other words for ``pattern`` fills the same ``places`` into those. Of words that were ``joined`` the
    pattern is what stands between, and ``parts`` are what it stands between.
    """

    __slots__ = ("parts", "pattern", "places")

    pattern: str
    places: Mapping[str, object]
    parts: tuple[str, ...]


class Volume(float):
    """A number of requests or tokens, told with three significant digits.

    >>> f"{Volume(78467.4)}", f"{Volume(1234567)}", f"{Volume(950)}"
    ('78,500', '1.23 million', '950')
    """

    __slots__ = ()

    def __str__(self) -> str:
        """The volume as it is read in English."""
        if self >= MILLION:
            return f"{self / MILLION:,.3g} million"
        return f"{float(f'{float(self):.{DIGITS}g}'):,.0f}"

    def __format__(self, spec: str) -> str:
        """The same in a pattern."""
        return format(float(self), spec) if spec else str(self)


class Quoted(str):
    """A name that somebody gave, or words of somebody else's: they are the same in every language."""

    __slots__ = ()


def worded(pattern: str, **places: object) -> Wording:
    """A pattern with its places filled in.

    >>> found = worded("{model} costs {usd:.2f}", model="llama", usd=3.0)
    >>> found, found.pattern
    ('llama costs 3.00', '{model} costs {usd:.2f}')
    """
    return _made(pattern.format(**places), pattern, places, ())


def quoting(pattern: str, **places: object) -> Wording:
    """A pattern with what somebody gave in its places: names and numbers stay as they are, only words are said anew.

    >>> found = quoting("{name} has {count:,} rows", name="day", count=1200)
    >>> found, type(found.places["name"]).__name__
    ('day has 1,200 rows', 'Quoted')
    """
    return worded(pattern, **{name: _as_given(value) for name, value in places.items()})


def _as_given(value: object) -> object:
    """A number that any document can hold, words with a memory, or everything else as a quotation of it."""
    if isinstance(value, Wording | Volume | Quoted):
        return value
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else Quoted(value)


def refilled(words: Wording, **places: object) -> Wording:
    """The same words with something else in some of their places.

    >>> refilled(worded("{field} is {value}", field="ttft_s", value=-1), field="this")
    'this is -1'
    """
    return worded(words.pattern, **{**words.places, **places})


def joined(between: str, parts: Iterable[str]) -> Wording:
    """Several words with the same between each two.

    >>> joined("; ", [worded("a base of {n}", n=2), "as stated"])
    'a base of 2; as stated'
    """
    kept = tuple(parts)
    return _made(between.join(kept), between, {}, kept)


def _made(text: str, pattern: str, places: Mapping[str, object], parts: tuple[str, ...]) -> Wording:
    found = Wording(text)
    found.pattern, found.places, found.parts = pattern, places, parts
    return found


def plain(value: object) -> object:
    """Words as text, for encoders that know nothing else.

    Raises:
        TypeError: if ``value`` is no words.
    """
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in a document")
