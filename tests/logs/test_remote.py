"""Logs in an object store, with a folder in the place of the store."""

import gzip

import pytest
from tests.logs.forms import FORMS, REQUESTS

from breakeven.errors import SpecError
from breakeven.logs import remote
from breakeven.logs.engines import DuckDb


@pytest.fixture
def stored(tmp_path, monkeypatch, logged):
    """Put an object into the bucket; DuckDB cannot read the store itself."""
    from pyarrow import fs

    (tmp_path / "store").mkdir()
    monkeypatch.setattr(remote, "store", lambda: fs.SubTreeFileSystem(str(tmp_path / "store"), fs.LocalFileSystem()))
    monkeypatch.setattr(DuckDb, "reads_remote", lambda _: False)
    return lambda name, content: logged(f"store/{name}", content)


def test_a_prefix_is_read_with_all_that_lies_under_it(stored, asked):
    stored("bucket/2026/a.jsonl", FORMS["litellm.jsonl"](REQUESTS))
    stored("bucket/2026/09/b.jsonl.gz", FORMS["litellm.jsonl"](REQUESTS))
    stored("bucket/2026/notes.md", "# Notes\n")
    found = asked("s3://bucket/2026")
    assert (found.files, found.workloads[0].requests) == (2, 8)
    assert [one.examples for one in found.problems] == [("s3://bucket/2026/notes.md",)]


@pytest.mark.parametrize("path", ["s3://bucket/2026/*.jsonl", "s3://bucket/2026/a.jsonl"])
def test_objects_are_named_one_by_one_or_by_a_pattern(path, stored, asked):
    stored("bucket/2026/a.jsonl", FORMS["litellm.jsonl"](REQUESTS))
    stored("bucket/2026/b.txt", "nothing")
    assert asked(path).files == 1


def test_what_cannot_be_used_is_named_as_it_lies_in_the_store(stored, asked):
    stored("bucket/a.jsonl", FORMS["litellm.jsonl"](REQUESTS) + "broken\n")
    whole = gzip.compress(FORMS["bedrock.jsonl"](REQUESTS * 50).encode())
    stored("bucket/b.jsonl", whole[: len(whole) // 2])
    told = {one.examples for one in asked("s3://bucket/").problems}
    assert ("s3://bucket/a.jsonl line 7",) in told
    assert ("s3://bucket/b.jsonl",) in told


def test_parquet_is_recognised_and_copied_too(stored, asked, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet

    stored("bucket/x", "")
    table = pa.table({"TIMESTAMP": ["2026-09-07T00:00:00Z"], "ContextTokens": [5], "GeneratedTokens": [1]})
    pyarrow.parquet.write_table(table, tmp_path / "store/bucket/a.parquet")
    assert asked("s3://bucket/a.parquet").workloads[0].requests == 1


def test_a_store_that_cannot_be_asked_is_one_message(monkeypatch, asked):
    def refusing():
        raise OSError("AWS Error ACCESS_DENIED during HeadObject\nmore")

    monkeypatch.setattr(remote, "store", refusing)
    with pytest.raises(SpecError, match="s3://bucket/x cannot be listed: AWS Error ACCESS_DENIED") as wrong:
        asked("s3://bucket/x")
    assert "more" not in str(wrong.value)


def test_another_store_is_named_as_the_tools_of_aws_do(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    assert remote.endpoint() == "http://127.0.0.1:9000"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.example.org")
    assert remote.endpoint() == "https://s3.example.org"
