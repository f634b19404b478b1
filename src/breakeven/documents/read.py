"""One document as the text that a model would be sent, through the reader of its kind."""

import logging
import re
import signal
import threading
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from breakeven.documents.decode import UnreadableError, decode, refuse_binary
from breakeven.documents.find import Found, NotRead, why

LONGEST_READING_S = 120.0
LARGEST_XML_BYTES = 50_000_000
LARGEST_UNPACKED_BYTES = 500_000_000
MOST_PARTS = 10_000
DEEPEST_HTML = 5_000
MOST_ATTRIBUTES = 2_000
LONG_TAG_BYTES = 20_000
PDF_HEAD_BYTES = 1_024
OLD_OFFICE = b"\xd0\xcf\x11\xe0"
WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
NOTES = ("/footnotes", "/endnotes")

TAG = re.compile(rb"<(/?)([a-zA-Z][a-zA-Z0-9]*)[^>]*")
NOT_NESTED = frozenset(
    b"area base br col embed hr img input link meta source track wbr p li dt dd td th tr option".split()
)
"""Tags that are not closed or that close one another."""
BLOCKS = (
    "address,article,aside,blockquote,br,caption,dd,div,dl,dt,figcaption,figure,footer,form,h1,h2,h3,h4,h5,h6,"
    "header,hr,li,main,nav,ol,option,p,pre,section,table,td,th,title,tr,ul"
)
UNSEEN = "script,style,template,noscript"
LINE = "\u2029"
KEPT = {"\n": "\ue000", " ": "\ue001", "\t": "\ue002"}
"""White space that counts (in `pre`), as characters for private use until the rest is folded."""
CHARSET = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?([a-zA-Z0-9_-]{1,40})""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Text:
    """The text of a document, and what a person should know of how it was read (``""``: nothing)."""

    text: str
    note: str = ""


class _TooLongError(Exception):
    """Reading took more than ``LONGEST_READING_S``."""


def read_document(found: Found) -> Text | NotRead:
    """The text of one document, or why there is none. Never raises on account of the document."""
    readers = {"HTML": _html, "PDF": _pdf, "DOCX": _docx}
    try:
        with _quiet(), _limited():
            text = readers.get(found.kind, _plain)(found.path)
    except UnreadableError as wrong:
        return NotRead(found.path, wrong.reason, wrong.detail)
    except _TooLongError:
        return NotRead(found.path, f"{found.kind} took more than {LONGEST_READING_S:g} s to read")
    except OSError as wrong:
        led_astray = wrong.filename is None and found.kind in readers  # not from opening the file
        return NotRead(found.path, f"damaged {found.kind}" if led_astray else "cannot be opened", why(wrong))
    except Exception as wrong:  # a reader may raise anything on a broken file; the rest is still read
        return NotRead(found.path, f"damaged {found.kind}", f"{type(wrong).__name__}: {why(wrong)}")
    if not text.text.strip():
        return NotRead(
            found.path, "empty", "white space only" if found.kind == "text" else f"{found.kind} without text"
        )
    return text


@contextmanager
def _quiet() -> Iterator[None]:
    """What the readers have to say of a file is in the reason, not on the terminal."""
    readers = logging.getLogger("pypdf")
    level = readers.level
    readers.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        readers.setLevel(level)


@contextmanager
def _limited() -> Iterator[None]:
    """End a reading that goes round in circles. Only where the system can: Unix, main thread."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_READING_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _plain(path: str) -> Text:
    """Text and Markdown: as they stand."""
    return Text(*decode(Path(path).read_bytes()))


def _html(path: str) -> Text:
    """The text that a browser shows, a line a block; white space as a browser shows it."""
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 - an extra

    raw = Path(path).read_bytes()
    _refuse_endless_nesting(raw)
    text, note = _decoded_html(raw)
    tree = LexborHTMLParser(text)
    for node in tree.css(UNSEEN):
        node.decompose()
    for node in tree.css("pre"):
        kept = node.text()
        for space, mark in KEPT.items():
            kept = kept.replace(space, mark)
        node.replace_with(LINE + kept + LINE)
    for node in tree.css(BLOCKS):
        node.insert_before(LINE)
        node.insert_after(LINE)
    shown = tree.root.text() if tree.root else ""
    lines = (" ".join(line.split()) for line in shown.split(LINE))
    text = "\n".join(line for line in lines if line)
    for space, mark in KEPT.items():
        text = text.replace(mark, space)  # much faster than translate
    return Text(text, note)


def _decoded_html(raw: bytes) -> tuple[str, str]:
    named = CHARSET.search(raw[:PDF_HEAD_BYTES])
    if named and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        refuse_binary(raw)
        try:
            return raw.decode(named[1].decode()), ""
        except (LookupError, UnicodeDecodeError):
            pass  # the page says what it is not
    return decode(raw)


def _refuse_endless_nesting(raw: bytes) -> None:
    """Refuse pages on which the parser's time grows with the square of their length."""
    depth = 0
    for tag in TAG.finditer(raw):
        if tag.end() - tag.start() > LONG_TAG_BYTES and len(tag[0].split()) > MOST_ATTRIBUTES:
            raise UnreadableError("damaged HTML", f"a tag with more than {MOST_ATTRIBUTES:,} attributes")
        if tag[2].lower() not in NOT_NESTED:
            depth = max(0, depth - 1) if tag[1] else depth + 1
        if depth > DEEPEST_HTML:
            raise UnreadableError("damaged HTML", f"nested more than {DEEPEST_HTML:,} deep")


def _pdf(path: str) -> Text:
    """The text of all pages, as far as the file holds text; a picture of text is not read."""
    from pypdf import PdfReader  # noqa: PLC0415 - an extra
    from pypdf.errors import DependencyError  # noqa: PLC0415

    with Path(path).open("rb") as file:
        if b"%PDF-" not in file.read(PDF_HEAD_BYTES):
            raise UnreadableError("not a PDF", "does not begin with %PDF-")
        try:
            reader = PdfReader(file)
            if reader.is_encrypted and not reader.decrypt(""):
                raise UnreadableError("encrypted PDF", "needs its password")
            pages, broken = [], 0
            for page in reader.pages:
                try:
                    pages.append(page.extract_text())
                except (DependencyError, UnreadableError, _TooLongError, MemoryError):
                    raise
                except Exception:  # one broken page; the others are still read
                    broken += 1
        except DependencyError as wrong:
            raise UnreadableError("encrypted PDF", "AES: pip install cryptography, if it needs no password") from wrong
    return _told_pages(pages, broken)


def _told_pages(pages: list[str], broken: int) -> Text:
    total = len(pages) + broken
    blank = sum(not page.strip() for page in pages)
    if broken == total > 0:
        raise UnreadableError("damaged PDF", f"none of {total:,} pages can be read")
    if blank == len(pages):
        raise UnreadableError("PDF without text: scanned?", f"{total:,} page{'s' * (total != 1)}, none with text")
    notes = [f"{blank:,} of {total:,} PDF pages without text (scanned?)"] if blank else []
    notes += [f"{broken:,} of {total:,} PDF pages damaged"] if broken else []
    text = "\n".join(pages).encode(errors="replace").decode()  # a font may name half a character
    return Text(text, ", ".join(notes))


def _docx(path: str) -> Text:
    """Body, tables, text boxes, footnotes and endnotes as they stand with all changes accepted; no headers."""
    from docx import Document  # noqa: PLC0415 - an extra
    from docx.oxml import parse_xml  # noqa: PLC0415

    _refuse_bomb(path)
    part = Document(path).part
    blobs = [rel.target_part.blob for rel in part.rels.values() if rel.reltype.endswith(NOTES) and not rel.is_external]
    pieces = [_word_text(part.element)]
    pieces += [_word_text(parse_xml(blob)) for blob in blobs]
    return Text("\n".join(piece for piece in pieces if piece))


def _refuse_bomb(path: str) -> None:
    with Path(path).open("rb") as file:
        if file.read(len(OLD_OFFICE)) == OLD_OFFICE:
            raise UnreadableError("encrypted or old Word file named .docx")
    try:
        with zipfile.ZipFile(path) as parts:
            infos = parts.infolist()
    except (zipfile.BadZipFile, ValueError, RuntimeError) as wrong:  # the last by zipfile for a later zip version
        raise UnreadableError("damaged DOCX", "not a whole zip archive") from wrong
    unpacked = sum(info.file_size for info in infos)
    xml = sum(info.file_size for info in infos if info.filename.lower().endswith((".xml", ".rels")))
    if len(infos) > MOST_PARTS or unpacked > LARGEST_UNPACKED_BYTES or xml > LARGEST_XML_BYTES:
        told = f"{len(infos):,} parts, {unpacked:,} bytes unpacked, {xml:,} of them XML"
        raise UnreadableError("DOCX unpacks to too much", told)
    if "word/document.xml" not in {info.filename for info in infos} and "[Content_Types].xml" not in {
        info.filename for info in infos
    }:
        raise UnreadableError("damaged DOCX", "a zip archive, but no Word document")


def _word_text(element: Any) -> str:  # noqa: ANN401 - lxml carries no types
    """The text of a part in reading order, a line a paragraph."""
    for left_out in [*element.iter(FALLBACK, f"{WORD}moveFrom")]:
        left_out.getparent().remove(left_out)
    between = {f"{WORD}tab": "\t", f"{WORD}br": "\n", f"{WORD}cr": "\n", f"{WORD}p": "\n", f"{WORD}noBreakHyphen": "-"}
    pieces = [
        (node.text or "") if node.tag == f"{WORD}t" else between[node.tag]
        for node in element.iter(f"{WORD}t", *between)
        if node.getparent() is None or node.getparent().tag != f"{WORD}tabs"
    ]
    return "".join(pieces).strip("\n")
