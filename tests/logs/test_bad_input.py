"""Bad input: counted and named by file and line, never dropped silently, never a traceback, the rest still read."""

import gzip
import os
from pathlib import Path

import pytest
from tests.logs.forms import FORMS, REQUESTS, lines

from breakeven.errors import SpecError
from breakeven.logs import engines, files

COLUMNS = {"time": "t", "input": "i", "output": "o", "cached": "c", "cache_write": "w", "reasoning": "r"}
HEADER = "t,i,o,c,w,r\n"
GOOD = "2026-09-07T00:00:00Z,100,10,0,0,0\n"
SECOND = "2026-09-07T00:30:00Z,100,10,0,0,0\n"


def _told(found) -> dict[str, tuple[int, tuple[str, ...]]]:
    return {one.reason: (one.count, one.examples) for one in found.problems}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2026-09-07T00:00:01Z,-5,10,0,0,0", "a number of tokens is negative"),
        ("2026-09-07T00:00:01Z,100,10,200,0,0", "cached and cache-write tokens are more than the input"),
        ("2026-09-07T00:00:01Z,100,10,60,60,0", "cached and cache-write tokens are more than the input"),
        ("2026-09-07T00:00:01Z,100,10,0,0,11", "reasoning tokens are more than the output"),
        ("2026-09-07T00:00:01Z,ten,10,0,0,0", "its input tokens are missing, no whole number or beyond 10^12"),
        ("2026-09-07T00:00:01Z,,10,0,0,0", "its input tokens are missing, no whole number or beyond 10^12"),
        ("2026-09-07T00:00:01Z,1.5,10,0,0,0", "its input tokens are missing, no whole number or beyond 10^12"),
        ("2026-09-07T00:00:01Z,1e300,10,0,0,0", "its input tokens are missing, no whole number or beyond 10^12"),
        ("2026-09-07T00:00:01Z,nan,10,0,0,0", "its input tokens are missing, no whole number or beyond 10^12"),
        ("2026-09-07T00:00:01Z,inf,10,0,0,0", "its input tokens are missing, no whole number or beyond 10^12"),
        ("2026-09-07T00:00:01Z,100,x,0,0,0", "its output tokens are missing, no whole number or beyond 10^12"),
        (
            "2026-09-07T00:00:01Z,100,10,x,0,0",
            "a number of cached, cache-write or reasoning tokens is no whole number",
        ),
        ("2026-09-07T00:00:01Z,0,0,0,0,0", "it has no tokens at all"),
        ("2026-13-45T00:00:01Z,100,10,0,0,0", "its time is missing, before 1970 or cannot be read"),
        (",100,10,0,0,0", "its time is missing, before 1970 or cannot be read"),
        ("2026-09-07 00:00:01,100,10,0,0,0", "its time has no zone, and no --time-zone was given"),
        ("2026-09-07T00:00:01Z,100,10", engines.WRONG_COUNT),
        ("2026-09-07T00:00:01Z,100,10,0,0,0,7,8", engines.WRONG_COUNT),
    ],
)
def test_a_row_that_makes_no_sense_is_counted_and_named_by_line(row, reason, logged, asked):
    path = logged("a.csv", f"{HEADER}{GOOD}\n{SECOND}{row}\n{GOOD}")
    found = asked(path, columns=COLUMNS)
    assert found.workloads[0].requests == 3
    assert _told(found) == {reason: (1, (f"{path} line 5",))}


def test_lines_that_are_no_json_are_counted_and_named(logged, asked):
    good = lines([{"t": "2026-09-07T00:00:00Z", "i": 1, "o": 1}, {"t": "2026-09-07T00:30:00Z", "i": 1, "o": 1}])
    path = logged("a.jsonl", f'{good}not json\n\n{{"t": 1\n[1]\n{good}"text"\n')
    found = asked(path, columns={"time": "t", "input": "i", "output": "o"})
    assert found.workloads[0].requests == 4
    (count, places) = _told(found)["the line cannot be read, or holds neither time nor tokens"]
    assert count == 4
    assert places == (f"{path} line 3", f"{path} line 5", f"{path} line 6")


def test_only_the_first_few_of_a_reason_are_named(logged, asked):
    path = logged("a.csv", HEADER + GOOD + SECOND + "2026-09-07T00:00:01Z,-5,10,0,0,0\n" * 100)
    ((count, places),) = _told(asked(path, columns=COLUMNS)).values()
    assert (count, places) == (100, tuple(f"{path} line {n}" for n in (4, 5, 6)))


def test_lines_in_quotes_and_bytes_that_are_no_text_keep_the_numbers_right(logged, asked):
    row = b'2026-09-07T00:00:02Z,"100",10,0,0,0\n'
    bad = b"2026-09-07T00:00:02Z,\xff\xfe,10,0,0,0\n2026-09-07T00:00:02Z,-1,10,0,0,0\n"
    path = logged("a.csv", HEADER.encode() + row + GOOD.encode() + bad)
    assert _told(asked(path, columns=COLUMNS)) == {
        "the line is not UTF-8": (1, (f"{path} line 4",)),
        "a number of tokens is negative": (1, (f"{path} line 5",)),
    }


def test_rows_of_parquet_and_of_arrays_are_named_by_their_number(tmp_path, logged, asked):
    import pyarrow as pa
    import pyarrow.parquet

    columns = {"time": "t", "input": "i"}
    table = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pa.table({"t": [1.7e9, 1.7e9 + 60, 1.7e9], "i": [1, 2, -3]}), table)
    assert [one.examples for one in asked(str(table), columns=columns).problems] == [(f"{table} row 3",)]
    array = logged("a.json", '[\n{"t": 1700000000, "i": -1},\n{"t": 1700000000, "i": 5}]')
    assert [one.examples for one in asked(array, columns=columns).problems] == [(f"{array} record 1",)]


def test_mixed_time_zones_are_each_taken_at_their_word(logged, asked):
    rows = (
        "2026-09-07T02:00:00+02:00,1,1,0,0,0\n2026-09-06T20:00:00-0400,1,1,0,0,0\n2026-09-07 00:00:00 UTC,1,1,0,0,0\n"
    )
    found = asked(logged("a.csv", HEADER + GOOD + rows + "2026-09-07 05:30:00+05:30,1,1,0,0,0\n"), columns=COLUMNS)
    assert not found.problems
    assert found.period.length_us == 0


@pytest.mark.parametrize("cut", [0.5, 0.9])
def test_a_truncated_gzip_is_read_as_far_as_it_goes_and_named(cut, logged, asked):
    rows = "".join(f"2026-09-07T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z,{n + 1},1,0,0,0\n" for n in range(9000))
    whole = gzip.compress((HEADER + rows).encode())
    path = logged("a.csv", b"")
    Path(path).write_bytes(whole[: int(len(whole) * cut)])
    found = asked(path, columns=COLUMNS)
    assert 1000 < found.workloads[0].requests < 9000
    assert _told(found) == {"its gzip data end too soon (a truncated file): what is there was read": (1, (path,))}


def test_damage_inside_a_gzip_is_named(logged, asked):
    raw = bytearray(gzip.compress((HEADER + GOOD * 20_000 + SECOND).encode(), compresslevel=0))
    raw[200_000] ^= 0xFF
    found = asked(logged("a.csv", bytes(raw)), columns=COLUMNS)
    assert found.workloads[0].requests > 1000
    assert any("gzip data are damaged" in one.reason for one in found.problems)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.jsonl.gz"])
def test_a_line_of_a_gigabyte_is_dropped_without_being_read_into_memory(name, monkeypatch, logged, asked):
    """With a limit of 100 kB in its place."""
    monkeypatch.setattr(engines, "LONGEST_LINE_BYTES", 100_000)
    if ".csv" in name:
        rows, long = HEADER + GOOD * 3 + SECOND, "2026-09-07T00:00:01Z," + "9" * 500_000 + ",1,0,0,0\n"
    else:
        rows = lines([{"t": f"2026-09-07T00:{minute}:00Z", "i": 1} for minute in (10, 20, 30)])
        long = f'{{"t": "2026-09-07T00:00:01Z", "i": 1, "x": "{"y" * 500_000}"}}\n'
    path = logged(name, rows + long + "\n" + rows.removeprefix(HEADER) * 5)
    columns = COLUMNS if ".csv" in name else {"time": "t", "input": "i"}
    found = asked(path, columns=columns)
    assert found.workloads[0].requests == (24 if ".csv" in name else 18)
    assert _told(found) == {"the line is longer than 100,000 bytes": (1, (f"{path} line {rows.count(chr(10)) + 1}",))}


def test_a_column_that_is_missing_is_named_with_the_columns_that_are_there(logged, asked):
    good = logged("good.csv", HEADER + GOOD + SECOND)
    bad = logged("bad.csv", "t,in,o,c,w,r\n" + GOOD)
    found = asked(good, bad, columns=COLUMNS)
    assert _told(found) == {"it has no column i (it has t, in, o, c, w, r)": (1, (bad,))}
    assert found.workloads[0].requests == 2


def test_a_form_that_is_nearly_known_is_told_what_it_lacks(logged, asked):
    good = logged("good.jsonl", FORMS["litellm.jsonl"](REQUESTS))
    bad = logged("bad.jsonl", lines([{"startTime": "2026-09-07T00:00:00Z", "prompt_tokens": 1, "spend": 0.1}]))
    (told,) = _told(asked(good, bad))
    assert told == "it looks like a LiteLLM spend log, but has no completion_tokens"


def test_a_folder_is_read_with_all_that_is_wrong_in_it(tmp_path, logged, asked):
    logged("logs/deep/a.jsonl", FORMS["litellm.jsonl"](REQUESTS))
    logged("logs/empty.csv", "")
    logged("logs/notes.md", "# Notes\n\nnothing to see\n")
    logged("logs/binary.bin", bytes(range(256)) * 10)
    logged("logs/damaged.parquet", b"PAR1" + b"\0" * 100)
    logged("logs/utf16.csv", "t,i\n1,2\n".encode("utf-16"))
    logged("logs/header.csv", "startTime,prompt_tokens\n")
    logged("logs/.hidden", "x")
    (tmp_path / "logs/deep/loop").symlink_to(tmp_path / "logs")
    (tmp_path / "logs/itself").symlink_to(tmp_path / "logs/itself")
    found = asked(str(tmp_path / "logs"))
    assert found.workloads[0].requests == 4
    told = " | ".join(f"{one.reason}: {', '.join(map(os.path.basename, one.examples))}" for one in found.problems)
    for said in (
        "it is empty: empty.csv",
        "no CSV with a header, no JSON, no Parquet: binary.bin, notes.md",
        "Parquet data are damaged",
        "UTF-16: save it as UTF-8: utf16.csv",
        "it has a header but no records: header.csv",
        "(a loop): loop",
        "it cannot be read: Too many levels of symbolic links: itself",
    ):
        assert said in told
    assert sum(one.count for one in found.problems) == 8


def test_a_file_without_permission_is_named_and_the_rest_is_read(monkeypatch, logged, asked):
    good, shut = logged("good.jsonl", FORMS["litellm.jsonl"](REQUESTS)), logged("shut.jsonl", "{}")
    plain = files.open_binary

    def refusing(path: str):
        if path == shut:
            raise PermissionError(13, "Permission denied", path)
        return plain(path)

    monkeypatch.setattr(files, "open_binary", refusing)
    found = asked(good, shut)
    assert _told(found) == {"it cannot be read: Permission denied": (1, (shut,))}
    assert found.workloads[0].requests == 4


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", "", "it is empty"),
        ("text.md", "# Notes\n", "its form is not known"),
        ("odd.csv", "a,b\n1,2\n", "name them with --columns"),
        ("bad.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2026-09-07 00:00:00Z,-1,5\n", "is negative"),
        ("cut.gz", b"\x1f\x8b\x08", "damaged from the beginning"),
    ],
)
def test_where_nothing_is_usable_one_message_says_why(name, content, said, tmp_path, asked):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SpecError) as wrong:
        asked(str(path))
    assert said in str(wrong.value)
    assert "there is nothing usable in" in str(wrong.value)


def test_a_folder_without_logs_says_so(tmp_path, asked):
    with pytest.raises(SpecError, match="there is nothing usable"):
        asked(str(tmp_path))


@pytest.mark.parametrize("path", ["nothing.csv", "nothing*.csv", "no/where.jsonl"])
def test_a_path_that_is_not_there_is_an_error_with_near_matches(path, tmp_path, logged, asked):
    logged("nothin.csv", "x")
    with pytest.raises(SpecError, match=r"there is no file|no file matches") as wrong:
        asked(str(tmp_path / path))
    if path == "nothing.csv":
        assert "Did you mean: nothin.csv" in str(wrong.value)


def test_a_time_without_a_zone_is_asked_for_and_not_guessed(logged, asked):
    with pytest.raises(SpecError, match="Add --time-zone UTC"):
        asked(logged("azure.csv", FORMS["azure.csv"](REQUESTS)))


def test_globs_and_folders_name_each_file_once(tmp_path, logged, asked):
    for name in ("a.jsonl", "b.jsonl"):
        logged(f"logs/{name}", FORMS["litellm.jsonl"](REQUESTS))
    found = asked(str(tmp_path / "logs"), str(tmp_path / "logs/*.jsonl"), str(tmp_path / "logs/a.jsonl"))
    assert (found.files, found.workloads[0].requests) == (2, 8)
