import importlib
import os
import subprocess
import sys
from pathlib import Path

import docx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.documents import measure, texts
from breakeven.documents.find import Found, NotRead
from breakeven.documents.measure import measure_documents
from breakeven.documents.read import Text
from breakeven.documents.tokenizers import count_tokens, tokenizer_table
from breakeven.errors import SpecError, UnknownNameError

LINE = "It was the best of times, it was the worst of times."


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_pdf):
    """One document of each kind with the same text, and a few that cannot be read."""
    top = tmp_path_factory.mktemp("docs")
    (top / "sub").mkdir()
    (top / "a.txt").write_text(LINE)
    (top / "b.md").write_text(LINE)
    (top / "sub" / "c.html").write_text(f"<p>{LINE}</p>")
    (top / "sub" / "d.pdf").write_bytes(make_pdf(LINE))
    document = docx.Document()
    document.add_paragraph(LINE)
    document.save(str(top / "e.docx"))
    (top / "latin.txt").write_bytes("Größe".encode("latin-1"))
    (top / "scan.pdf").write_bytes(make_pdf("", ""))
    (top / "not.pdf").write_text("no")
    (top / "deck.pptx").write_text("x")
    (top / "empty.txt").write_text("")
    return top


@pytest.fixture(scope="module")
def report(folder, shipped):
    return measure_documents(folder, catalogue=shipped)


def test_the_same_text_has_the_same_words_and_tokens_in_every_kind_of_file(report):
    same = [place for place, found in enumerate(report.documents) if not found.path.endswith("latin.txt")]
    assert {report.documents[place].kind for place in same} == {"text", "Markdown", "HTML", "PDF", "DOCX"}
    assert report.words[same].tolist() == [12] * 5
    for name, counts in report.tokens.items():
        assert counts[same].tolist() == [int(count_tokens([LINE], name)[0])] * 5


def test_every_file_is_either_counted_or_named_with_a_reason(report, folder):
    files = sum(len(names) for _, _, names in os.walk(folder))
    assert len(report.documents) + len(report.not_read) == files
    assert {Path(one.path).name: one.reason for one in report.not_read} == {
        "scan.pdf": "PDF without text: scanned?",
        "not.pdf": "not a PDF",
        "deck.pptx": "no reader for .pptx",
        "empty.txt": "empty",
    }
    assert [(Path(path).name, note) for path, note in report.notes] == [
        ("latin.txt", "not UTF-8: read as Windows-1252")
    ]


def test_without_candidates_every_tokenizer_counts_the_baseline_first(report):
    assert list(report.tokens) == list(tokenizer_table().own)
    assert report.tokenizer == "o200k_base"
    assert report.kinds == {"text": 2, "Markdown": 1, "HTML": 1, "PDF": 1, "DOCX": 1}
    assert report.assumed_tokens == round(61 / 0.75)


def test_lengths_are_those_of_the_documents(report):
    counts = report.tokens["o200k_base"]
    lengths = report.lengths("o200k_base")
    assert lengths.total == counts.sum()
    assert lengths.longest == counts.max()
    assert lengths.mean == pytest.approx(counts.mean())
    assert lengths.p50 <= lengths.p95 <= lengths.longest
    assert report.against_baseline("o200k_base") == 0


def test_a_candidate_is_counted_with_its_own_tokenizer_and_the_spec_takes_it_if_all_share_it(folder, shipped):
    report = measure_documents(folder, candidates=["llama3*"], catalogue=shipped)
    assert list(report.tokens) == ["o200k_base", "llama3"]
    assert report.tokenizer == "llama3"
    assert {one.counted_with for one in report.candidates} == {"llama3"}
    mixed = measure_documents(folder, candidates=["llama3-8b", "claude-opus-5"], catalogue=shipped)
    assert mixed.tokenizer == "o200k_base"
    assert [one.exact for one in mixed.candidates] == [False, True]


def test_an_unknown_candidate_is_refused_with_near_matches_before_anything_is_read(tmp_path, shipped):
    with pytest.raises(UnknownNameError, match=r"Did you mean: .*llama3-8b"):
        measure_documents(tmp_path / "missing", candidates=["llama3-8bb"], catalogue=shipped)


def test_a_folder_without_a_document_that_can_be_read_is_one_message_with_the_reasons(tmp_path, shipped):
    with pytest.raises(SpecError, match="holds no document that can be read: it is empty"):
        measure_documents(tmp_path, catalogue=shipped)
    (tmp_path / "a.pptx").write_text("x")
    (tmp_path / "b.pdf").write_text("x")
    (tmp_path / "c.pdf").write_text("x")
    with pytest.raises(SpecError) as wrong:
        measure_documents(tmp_path, catalogue=shipped)
    assert "holds no document that can be read (2 not a PDF; 1 no reader for .pptx). Expected: text," in str(
        wrong.value
    )


@given(st.text("ab \n\u2003", max_size=60), st.integers(1, 7))
def test_words_are_counted_the_same_in_pieces(text, piece):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "PIECE_CHARS", piece)
        assert measure.count_words(text) == len(text.split())


def test_a_missing_package_is_told_with_the_command_that_installs_it(folder, monkeypatch):
    monkeypatch.setattr(measure, "PACKAGES", ("docx", "no_such_package"))
    with pytest.raises(SpecError) as wrong:
        measure_documents(folder)
    assert str(wrong.value) == (
        "documents cannot be read: not installed: no_such_package. Expected: the packages of the extra `documents`. "
        "Run: pip install 'breakeven[documents]'."
    )


def test_processes_read_the_same_as_one_and_progress_ends_at_the_whole(tmp_path, make_pdf, shipped, monkeypatch):
    monkeypatch.setattr(texts, "POOL_FROM_BYTES", 1)
    monkeypatch.setattr(measure, "BATCH_CHARS", 50)
    for number in range(6):
        (tmp_path / f"{number}.pdf").write_bytes(make_pdf(f"{LINE} {number}"))
    (tmp_path / "broken.pdf").write_text("x")
    told = []
    alone = measure_documents(tmp_path, candidates=["gpt-5"], catalogue=shipped)
    together = measure_documents(
        tmp_path, candidates=["gpt-5"], catalogue=shipped, workers=2, progress=lambda *both: told.append(both)
    )
    assert together.documents == alone.documents
    assert together.not_read == alone.not_read
    np.testing.assert_array_equal(together.tokens["o200k_base"], alone.tokens["o200k_base"])
    assert len(told) > 1
    assert told[-1][0] == told[-1][1] == sum(path.stat().st_size for path in tmp_path.iterdir())


CRASHING = """
import os
from breakeven.documents.read import read_document

def read(found):
    if found.path.endswith("crash.pdf"):
        os._exit(9)
    return read_document(found)
"""


def test_a_document_that_brings_its_reader_down_is_named_and_the_rest_is_read(tmp_path, make_pdf, monkeypatch):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "crashing_reader.py").write_text(CRASHING)  # where the processes can import it, too
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    monkeypatch.setattr(texts, "read_document", importlib.import_module("crashing_reader").read)
    monkeypatch.setattr(texts, "POOL_FROM_BYTES", 1)
    found = []
    for name in ("a.pdf", "crash.pdf", "c.pdf"):
        (tmp_path / name).write_bytes(make_pdf(LINE))
        found.append(Found(str(tmp_path / name), "PDF", 1))
    read = {Path(one.path).name: text for one, text in texts.texts(found, 2)}
    assert {name: text.text for name, text in read.items() if isinstance(text, Text)} == {"a.pdf": LINE, "c.pdf": LINE}
    assert isinstance(read["crash.pdf"], NotRead)
    assert read["crash.pdf"].detail == "its reader crashed or ran out of memory"


def test_documents_load_nothing_heavy_until_they_are_read():
    heavy = {"pypdf", "docx", "selectolax", "quicktok", "lxml"}
    code = "import sys, breakeven.documents.measure, breakeven.documents.spec; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert heavy.isdisjoint(loaded)
