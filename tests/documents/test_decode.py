import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.documents.decode import UnreadableError, decode

GERMAN = "Die Größe der Übermaßänderung: fünf Füße."


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_names_the_encoding_and_is_not_part_of_the_text(encoding):
    assert decode(GERMAN.encode(encoding)) == (GERMAN, "")


def test_big_endian_utf_16_is_known_by_its_mark():
    assert decode(b"\xfe\xff" + GERMAN.encode("utf-16-be")) == (GERMAN, "")


def test_latin_1_is_read_right_and_said_to_be_a_guess():
    assert decode(GERMAN.encode("latin-1")) == (GERMAN, "not UTF-8: read as Windows-1252")


def test_a_few_broken_bytes_in_utf_8_are_replaced_and_counted():
    raw = (GERMAN * 20).encode()
    text, note = decode(raw[:50] + b"\xff" + raw[50:] + b"\xc3")
    assert note == "not all UTF-8: 2 characters replaced"
    assert "Übermaßänderung" in text


def test_cut_off_utf_16_is_read_and_its_loss_counted():
    assert decode(GERMAN.encode("utf-16")[:-1])[1] == "not all of its encoding: 1 characters replaced"


@pytest.mark.parametrize(
    ("raw", "reason", "detail"),
    [
        (b"%PDF-1.7\n...", "another format under the name of a text", "begins like a PDF"),
        (b"PK\x03\x04rest", "another format under the name of a text", "begins like a zip archive (DOCX, XLSX, ...)"),
        (b"abc\0def", "no text: holds NUL bytes", "binary, or UTF-16 without its byte order mark"),
        ("abc".encode("utf-16-le"), "no text: holds NUL bytes", "binary, or UTF-16 without its byte order mark"),
        (b"abc\x01\x02\x03", "no text: holds control characters", "3 of 6 bytes"),
    ],
)
def test_what_is_no_text_is_refused_with_what_it_looks_like(raw, reason, detail):
    with pytest.raises(UnreadableError) as wrong:
        decode(raw)
    assert (wrong.value.reason, wrong.value.detail) == (reason, detail)


def test_random_bytes_are_no_text():
    with pytest.raises(UnreadableError):
        decode(os.urandom(4096))


@given(st.binary(max_size=300))
def test_whatever_the_bytes_there_is_text_that_can_be_encoded_or_a_reason(raw):
    try:
        text, _ = decode(raw)
    except UnreadableError as wrong:
        assert wrong.reason
    else:
        text.encode()
