import io
import logging
import os
import signal
import time
import warnings
import zipfile
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import docx
import pytest

from breakeven.documents import read
from breakeven.documents.find import KINDS, Found, NotRead
from breakeven.documents.read import Text, read_document

NOBODY = 65534


@pytest.fixture
def reading(tmp_path):
    """The text of a file with this name and these bytes, or ``NotRead``."""

    def through(name, raw):
        path = tmp_path / name
        path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
        return read_document(Found(str(path), KINDS[path.suffix], path.stat().st_size))

    return through


def _why(result):
    assert isinstance(result, NotRead)
    return f"{result.reason}: {result.detail}".removesuffix(": ")


@pytest.fixture
def docx_of():
    """The bytes of a Word file that ``write`` fills."""

    def saved(write):
        document = docx.Document()
        write(document)
        out = io.BytesIO()
        document.save(out)
        return out.getvalue()

    return saved


# Text and HTML


def test_text_and_markdown_are_read_as_they_stand(reading):
    assert reading("a.txt", "One\r\n  two\n") == Text("One\r\n  two\n")
    assert reading("a.md", "# Head\n\n* *one*") == Text("# Head\n\n* *one*")


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
def test_white_space_alone_is_not_a_document_of_0_tokens(reading, name):
    assert _why(reading(name, " \n\t\n ")).startswith("empty: ")


def test_html_gives_the_text_that_a_browser_shows_a_line_a_block(reading):
    page = """<!doctype html><html><head><title>Title</title><style>p{}</style><script>var x</script></head><body>
    <h1>Head</h1><p>foo<b>bar</b>
      baz &amp; co</p><ul><li>one<li>two</ul><table><tr><td>1</td><td>2</td></tr></table>
    <pre>if x:
    return</pre><template>no</template><!-- no --></body></html>"""
    lines = ["Title", "Head", "foobar baz & co", "one", "two", "1", "2", "if x:", "    return"]
    assert reading("a.html", page) == Text("\n".join(lines))


def test_html_is_decoded_as_the_page_says(reading):
    assert reading("a.html", '<meta charset="iso-8859-1"><p>Größe'.encode("latin-1")) == Text("Größe")
    assert reading("b.html", "<meta charset=nonsense><p>Größe") == Text("Größe")
    assert reading("c.html", "<p>Größe".encode("latin-1")) == Text("Größe", "not UTF-8: read as Windows-1252")


@pytest.mark.parametrize(
    ("page", "detail"),
    [
        ("<div>" * 100_000, "nested more than 5,000 deep"),
        ("<p " + " ".join(f"a{n}=1" for n in range(50_000)) + ">x", "a tag with more than 2,000 attributes"),
    ],
)
def test_html_on_which_the_parser_would_take_minutes_is_refused_at_once(reading, page, detail):
    began = time.perf_counter()
    assert _why(reading("a.html", page)) == f"damaged HTML: {detail}"
    assert time.perf_counter() - began < 5


def test_a_long_page_of_unclosed_tags_is_no_deep_nesting(reading):
    page = reading("a.html", "<p>x<br><li>y" * 20_000)
    assert page.text.count("x") == 20_000


# PDF


def test_the_pages_of_a_pdf_are_read(reading, make_pdf):
    assert reading("a.pdf", make_pdf("Hello (world)", "second page")) == Text("Hello (world)\nsecond page")


def test_a_scanned_pdf_is_named_and_not_counted_as_0_tokens(reading, make_pdf):
    assert _why(reading("a.pdf", make_pdf("", "", ""))) == "PDF without text: scanned?: 3 pages, none with text"


def test_pages_without_text_beside_pages_with_text_are_a_remark(reading, make_pdf):
    text = reading("a.pdf", make_pdf("one", "", "three"))
    assert text.note == "1 of 3 PDF pages without text (scanned?)"


def test_an_encrypted_pdf_that_needs_a_password_is_named(reading, make_pdf, lock_pdf):
    assert _why(reading("a.pdf", lock_pdf(make_pdf("secret"), "pw"))) == "encrypted PDF: needs its password"


def test_an_encrypted_pdf_that_anyone_may_open_is_read(reading, make_pdf, lock_pdf):
    assert reading("a.pdf", lock_pdf(make_pdf("open"), "")).text == "open"


def test_a_pdf_that_is_not_one_is_named(reading):
    assert _why(reading("a.pdf", "just text")) == "not a PDF: does not begin with %PDF-"


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9])
def test_a_cut_off_pdf_is_read_or_named_but_never_a_traceback(reading, make_pdf, share):
    raw = make_pdf(*["some text"] * 20)
    result = reading("a.pdf", raw[: int(len(raw) * share)])
    assert isinstance(result, Text) or result.reason.startswith(("damaged PDF", "PDF without text"))


def test_the_readers_say_nothing_on_the_terminal(reading, make_pdf, capfd, caplog):
    raw = make_pdf("text")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        reading("a.pdf", raw.replace(b"startxref\n", b"startxref\n9"))  # pypdf logs that it had to guess
        reading("b.pdf", raw[:300])
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert warned == []
    assert logging.getLogger("pypdf").level == logging.NOTSET  # as it was


# DOCX


def test_paragraphs_tables_and_footnotes_of_a_docx_are_read_in_order(reading, docx_of):
    def write(document):
        document.add_paragraph("Before")
        table = document.add_table(rows=1, cols=2)
        table.cell(0, 0).text, table.cell(0, 1).text = "left", "right"
        document.add_paragraph("After\tthe tab")

    assert reading("a.docx", docx_of(write)) == Text("Before\nleft\nright\nAfter\tthe tab")


def test_deleted_and_moved_text_of_a_docx_is_not_counted_and_inserted_text_is(reading, docx_of):
    from docx.oxml import parse_xml

    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'

    def write(document):
        paragraph = document.add_paragraph("kept")._p
        for tag, inner in (("ins", "t"), ("del", "delText"), ("moveFrom", "t")):
            run = f"<w:r><w:{inner}> {tag}</w:{inner}></w:r>"
            paragraph.append(parse_xml(f'<w:{tag} {space} w:id="1" w:author="a">{run}</w:{tag}>'))

    assert reading("a.docx", docx_of(write)) == Text("kept ins")


def test_a_docx_without_text_is_named(reading, docx_of):
    assert _why(reading("a.docx", docx_of(lambda _: None))).startswith("empty: ")


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"not a zip", "damaged DOCX: not a whole zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "encrypted or old Word file named .docx"),
    ],
)
def test_a_docx_that_is_not_one_is_named(reading, raw, told):
    assert _why(reading("a.docx", raw)) == told


def test_a_docx_cut_off_or_with_a_broken_part_is_named(reading, docx_of):
    raw = docx_of(lambda document: document.add_paragraph("x" * 1000))
    assert _why(reading("a.docx", raw[: len(raw) // 2])) == "damaged DOCX: not a whole zip archive"
    middle = len(raw) // 2
    assert isinstance(reading("b.docx", raw[:middle] + bytes(400) + raw[middle + 400 :]), NotRead | Text)


def _zip(**parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/"), content)
    return out.getvalue()


def test_a_zip_that_is_no_word_file_is_named(reading):
    assert _why(reading("a.docx", _zip(readme="x"))) == "damaged DOCX: a zip archive, but no Word document"


def test_a_docx_that_unpacks_to_gigabytes_is_refused_before_it_is_unpacked(reading):
    raw = _zip(**{"word__document.xml": b" " * (read.LARGEST_XML_BYTES + 1)})
    assert len(raw) < 100_000
    began = time.perf_counter()
    assert _why(reading("a.docx", raw)).startswith("DOCX unpacks to too much: 1 parts, 50,000,001 bytes unpacked")
    assert time.perf_counter() - began < 1


def test_entities_that_multiply_are_not_expanded(reading, docx_of):
    raw = docx_of(lambda document: document.add_paragraph("x"))
    bomb = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            part = old.read(name).decode("latin-1")
            if name == "word/document.xml":
                part = part.replace("<w:document", bomb + "]><w:document", 1).replace(">x<", ">&i;<")
            new.writestr(name, part.encode("latin-1"))
    began = time.perf_counter()
    result = reading("a.docx", out.getvalue())
    assert isinstance(result, NotRead) or len(result.text) < 1000
    assert time.perf_counter() - began < 5


# Whatever happens


def test_a_file_that_vanished_or_may_not_be_read_is_named(tmp_path, monkeypatch):
    gone = Found(str(tmp_path / "gone.txt"), "text", 1)
    assert _why(read_document(gone)) == "cannot be opened: No such file or directory"
    monkeypatch.setattr(
        read.Path, "read_bytes", lambda _: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
    )
    assert _why(read_document(gone)) == "cannot be opened: Permission denied"


@contextmanager
def _without_roots_rights():
    """Root may read everything, so as root this is somebody else for a while."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(mine)


def test_a_file_without_read_permission_is_named():
    with TemporaryDirectory() as folder:  # pytest's own folders are closed to others than who runs the tests
        Path(folder).chmod(0o755)
        file = Path(folder, "a.txt")
        file.write_text("x")
        file.chmod(0o644)
        with _without_roots_rights():
            assert not isinstance(read_document(Found(str(file), "text", 1)), NotRead)
        file.chmod(0)
        with _without_roots_rights():
            assert _why(read_document(Found(str(file), "text", 1))) == "cannot be opened: Permission denied"


@pytest.mark.parametrize(
    "error",
    [
        RecursionError("deep"),
        MemoryError(),
        KeyError("/Root"),
        ValueError("line\nbreak"),
        OSError(22, "Invalid argument"),
    ],
)
def test_whatever_a_reader_raises_is_a_reason_on_one_line(monkeypatch, error):
    def fails(_):
        raise error

    monkeypatch.setattr(read, "_pdf", fails)
    told = _why(read_document(Found("a.pdf", "PDF", 1)))
    assert told.startswith("damaged PDF: ")
    assert type(error).__name__ in told or "Invalid argument" in told
    assert "\n" not in told


@pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="no timer on this system (Windows): a reading is not cut off there"
)
def test_a_reading_that_goes_round_in_circles_is_ended_and_named(monkeypatch):
    def endless(_):
        while True:
            pass

    monkeypatch.setattr(read, "_pdf", endless)
    monkeypatch.setattr(read, "LONGEST_READING_S", 0.05)
    assert _why(read_document(Found("a.pdf", "PDF", 1))) == "PDF took more than 0.05 s to read"
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
