"""The keys of upstreams: read from the environment or a file, shown to nobody but the upstream."""

import os
from pathlib import Path

from breakeven.errors import SpecError, near_matches


class Credential:
    """A secret with its source. Its text forms show where it comes from, never what it is.

    >>> Credential("s3cret", source="the environment variable OPENAI_API_KEY")
    Credential(from the environment variable OPENAI_API_KEY)
    """

    __slots__ = ("_value", "source")

    def __init__(self, value: str, *, source: str) -> None:
        self._value = value
        self.source = source

    def __repr__(self) -> str:
        return f"Credential(from {self.source})"

    def bearer(self) -> str:
        """The value of an ``authorization`` header."""
        return f"Bearer {self._value}"

    def reveal(self) -> str:
        """The secret itself, for whoever signs with it."""
        return self._value


def from_environment(variable: str) -> Credential:
    """The secret in an environment variable.

    Raises:
        SpecError: if it is not set, or empty.
    """
    value = os.environ.get(variable, "").strip()
    if not value:
        near = near_matches(variable, (name for name in os.environ if name.endswith(("KEY", "TOKEN", "SECRET"))))
        raise SpecError(
            f"the environment variable {variable} is not set",
            expected="the key of an upstream in it",
            do=f"Did you mean: {', '.join(near)}?" if near else f"export {variable}=...",
        )
    return _sendable(value, f"the environment variable {variable}")


def from_file(path: Path) -> Credential:
    """The secret in a file: all of it, less the white space around it.

    Raises:
        SpecError: if there is none to read.
    """
    try:
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as wrong:
        because = getattr(wrong, "strerror", None) or "it is not UTF-8 text"
        raise SpecError(
            f"the key file {path} cannot be read: {because}", expected="a file you may read", do="Check the path"
        ) from None
    if not value:
        raise SpecError(f"the key file {path} is empty", expected="a key in it", do="Write the key to it")
    return _sendable(value, f"the file {path}")


def _sendable(value: str, source: str) -> Credential:
    """Refuse what cannot stand in a header, without showing it."""
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise SpecError(
            f"what stands in {source} is no key", expected="one line of printable ASCII", do="Look at it for stray text"
        )
    return Credential(value, source=source)
