"""Bytes of a text file as text: by its byte order mark, as UTF-8, else as the best guess, which is then told."""

import codecs

MARKS = (  # UTF-32 first: its mark begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MAGIC = (
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a zip archive (DOCX, XLSX, ...)"),
    (b"\xd0\xcf\x11\xe0", "an old Office file"),
    (b"\x1f\x8b", "gzip"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x7fELF", "a program"),
)
CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\v\f\r\x1b")
SAMPLE_BYTES = 65_536
MOST_CONTROLS = 0.02
"""Text may hold a stray control character; of random bytes, every tenth is one."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class UnreadableError(Exception):
    """A document that cannot be read. ``reason`` is the same for all of its kind, ``detail`` is its own."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(reason, detail)


def decode(raw: bytes) -> tuple[str, str]:
    """The text, and how it was read if that was a guess (``""``: it is what the bytes say).

    >>> decode("Größe".encode("utf-16"))
    ('Größe', '')
    >>> decode("Größe".encode("latin-1"))
    ('Größe', 'not UTF-8: read as Windows-1252')

    Raises:
        UnreadableError: if the bytes are no text.
    """
    for mark, encoding in MARKS:
        if raw.startswith(mark):
            return _replaced(raw.decode(encoding, errors="replace"))
    refuse_binary(raw)
    try:
        return raw.decode(), ""
    except UnicodeDecodeError:
        return _guessed(raw)


def refuse_binary(raw: bytes) -> None:
    """Refuse what is no text: another format under the wrong name, NUL bytes, many control characters.

    Raises:
        UnreadableError: with what it looks like.
    """
    other = next((name for magic, name in MAGIC if raw.startswith(magic)), None)
    if other:
        raise UnreadableError("another format under the name of a text", f"begins like {other}")
    if b"\0" in raw:
        raise UnreadableError("no text: holds NUL bytes", "binary, or UTF-16 without its byte order mark")
    sample = raw[:SAMPLE_BYTES]
    controls = len(sample) - len(sample.translate(None, CONTROLS))
    if controls > MOST_CONTROLS * len(sample):
        raise UnreadableError("no text: holds control characters", f"{controls:,} of {len(sample):,} bytes")


def _guessed(raw: bytes) -> tuple[str, str]:
    """UTF-8 with some broken bytes if most of what is not ASCII is UTF-8, else the one-byte encoding of the West."""
    text = raw.decode(errors="replace")
    broken = text.count(REPLACEMENT)
    sound = len(text) - len(text.encode("ascii", errors="ignore")) - broken
    if sound > broken:
        return text, f"not all UTF-8: {broken:,} characters replaced"
    return raw.decode("cp1252", errors="replace"), "not UTF-8: read as Windows-1252"


def _replaced(text: str) -> tuple[str, str]:
    broken = text.count(REPLACEMENT)
    return text, f"not all of its encoding: {broken:,} characters replaced" if broken else ""
