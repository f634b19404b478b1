import os
from pathlib import Path

import pytest

from breakeven.documents import find
from breakeven.documents.find import find_documents, shown
from breakeven.errors import SpecError


def _names(folder, findings):
    return [os.path.relpath(one.path, folder) for one in findings.documents]


def _reasons(folder, findings):
    return {os.path.relpath(one.path, folder): one.reason for one in findings.not_read}


def test_documents_are_found_in_all_folders_by_their_ending_whatever_its_case(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("one.txt", "a/two.MD", "a/b/three.Html", "a/b/four.PDF", "a/b/five.docx"):
        (tmp_path / name).write_text("x")
    found = find_documents(tmp_path)
    kinds = {Path(one.path).name: one.kind for one in found.documents}
    assert kinds == {
        "one.txt": "text",
        "two.MD": "Markdown",
        "three.Html": "HTML",
        "four.PDF": "PDF",
        "five.docx": "DOCX",
    }
    assert found.not_read == []


def test_other_kinds_empty_files_and_hidden_ones_are_named_with_their_reason(tmp_path):
    for name, text in (("deck.pptx", "x"), ("README", "x"), ("empty.txt", ""), (".hidden.txt", "x")):
        (tmp_path / name).write_text(text)
    (tmp_path / ".git").mkdir()
    found = find_documents(tmp_path)
    assert found.documents == []
    assert _reasons(tmp_path, found) == {
        "deck.pptx": "no reader for .pptx",
        "README": "no reader: no ending",
        "empty.txt": "empty",
        ".hidden.txt": "hidden",
        ".git": "hidden",
    }


def test_a_circle_of_links_ends_and_is_named(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.txt").write_text("x")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    found = find_documents(tmp_path)
    assert _names(tmp_path, found) == ["a/one.txt"]
    assert _reasons(tmp_path, found) == {"a/up": "the same folder again", "self": "broken link"}


def test_a_file_with_two_paths_is_one_document_under_its_own_path(tmp_path):
    (tmp_path / "z.txt").write_text("x")
    (tmp_path / "a.txt").symlink_to(tmp_path / "z.txt")
    os.link(tmp_path / "z.txt", tmp_path / "zz.txt")
    found = find_documents(tmp_path)
    assert _names(tmp_path, found) == ["z.txt"]
    assert _reasons(tmp_path, found) == {"a.txt": "the same file again", "zz.txt": "the same file again"}


def test_a_link_to_a_folder_elsewhere_is_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "one.txt").write_text("x")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "here" / "gone.txt").symlink_to(tmp_path / "nothing.txt")
    found = find_documents(tmp_path / "here")
    assert _names(tmp_path / "here", found) == ["link/one.txt"]
    assert _reasons(tmp_path / "here", found) == {"gone.txt": "broken link"}


def test_a_pipe_is_named_and_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    assert _reasons(tmp_path, find_documents(tmp_path)) == {"pipe.txt": "not a file: a pipe, socket or device"}


def test_a_file_that_is_too_large_is_named_with_its_size(tmp_path):
    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(find.LARGEST_FILE_BYTES + 1)
    (told,) = find_documents(tmp_path).not_read
    assert told.reason == "larger than 100,000,000 bytes"
    assert told.detail == "100,000,001 bytes: split it into documents"


def test_a_folder_that_cannot_be_opened_is_named_and_the_rest_is_found(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    (tmp_path / "open.txt").write_text("x")
    opened = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return opened(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = find_documents(tmp_path)
    assert _names(tmp_path, found) == ["open.txt"]
    assert _reasons(tmp_path, found) == {"closed": "folder cannot be opened"}


def test_nesting_has_no_limit(tmp_path):
    deep = tmp_path
    for _ in range(300):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "one.txt").write_text("x")
    assert len(find_documents(tmp_path).documents) == 1


def test_names_that_are_no_text_or_would_steer_the_terminal_are_spelt_out(tmp_path):
    name = os.fsdecode(b"bad\xff\x1b[2J\n.txt")
    (tmp_path / name).write_text("x")
    (found,) = find_documents(tmp_path).documents
    told = shown(Path(found.path).name)
    assert told == "bad\\udcff\\x1b[2J\\n.txt"
    told.encode()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (Path.resolve, "there is no folder"),
        (lambda path: path.write_text("x"), "is a file"),
        (lambda path: path.symlink_to(path), "there is no folder|cannot be opened"),
    ],
)
def test_what_is_no_folder_is_refused_with_one_message(tmp_path, make, told):
    make(tmp_path / "given")
    with pytest.raises(SpecError, match=told) as wrong:
        find_documents(tmp_path / "given")
    assert "Expected: a folder" in str(wrong.value)
    assert str(wrong.value).endswith("Name the folder that holds the documents.")


def test_a_name_with_a_nul_byte_is_refused_with_one_message():
    with pytest.raises(SpecError, match=r"there is no folder|cannot be opened"):
        find_documents(Path("a\0b"))
