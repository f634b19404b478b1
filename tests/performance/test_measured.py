import csv
from importlib import resources

import numpy as np
import pytest

from breakeven.errors import SpecError
from breakeven.performance.kinds import STUDIED
from breakeven.performance.measured import (
    COLUMNS,
    doubts,
    independent_measurements,
    read_table,
    shipped_measurements,
    table_of,
)


@pytest.fixture
def refusal(shipped, runs_csv):
    """The message with which rows that differ from a good one are refused."""

    def message(*rows):
        with pytest.raises(SpecError) as wrong:
            table_of(runs_csv(*rows), shipped, "table.csv")
        return str(wrong.value)

    return message


def test_the_shipped_table_is_read_whole_and_every_row_of_it_is_covered(shipped):
    table = shipped_measurements(shipped)
    assert len(table.runs.kind) == 7021
    assert table.runs.covered.mean() >= 0.98


def test_devices_beyond_the_degrees_hold_layers_one_after_another(shipped, runs_csv):
    rows = runs_csv({}, {"gpus_used": "4"}, {"gpus_used": "4", "tensor_parallel": "2"}, {"gpus_used": ""})
    kinds = table_of(rows, shipped, "table.csv").runs.kinds
    assert kinds.pipeline_parallel.tolist() == [1, 4, 2]


def test_how_lengths_differ_is_read_off_their_means(shipped, runs_csv):
    varied = {"input_tokens": "281.7", "output_tokens": "354.2"}
    drawn = {"input_tokens": "7372.8", "output_tokens": "921.6"}
    rows = runs_csv({}, varied, drawn, {"mode": "static"})
    runs = table_of(rows, shipped, "table.csv").runs
    stacks = [runs.kinds.stacks[n] for n in runs.kinds.stack[runs.kind]]
    assert [stack.lengths for stack in stacks] == ["alike", "varied", "drawn", "varied"]


def test_rows_of_an_unknown_model_or_device_are_not_covered_and_no_error(shipped, runs_csv):
    rows = runs_csv({}, {"model": "llama-9"}, {"gpu": "RTX9090"})
    table = table_of(rows, shipped, "table.csv")
    assert table.runs.covered.tolist() == [True, False, False]


def test_a_missing_column_is_named(shipped, runs_csv):
    columns = [column for column in COLUMNS if column not in ("tpot_s", "mode")]
    with pytest.raises(SpecError, match="lacks the columns mode, tpot_s"):
        table_of(runs_csv({}, columns=columns), shipped, "table.csv")


@pytest.mark.parametrize(
    ("slip", "told"),
    [
        ({"ttft_s": "-1"}, "row 3: ttft_s is -1, which is not above 0"),
        ({"input_tokens": "many"}, "row 3: input_tokens is 'many', not a number"),
        ({"input_tokens": ""}, "row 3: input_tokens is empty"),
        ({"tensor_parallel": "0"}, "row 3: tensor_parallel is 0, which is not 1 or more"),
        ({"output_tokens_per_s": "nan"}, "row 3: output_tokens_per_s is nan"),
        ({"mode": "fast"}, "row 3: mode is 'fast'"),
        ({"concurrency": ""}, "row 3: a run of mode closed needs concurrency"),
        ({"compute_format": "fp3"}, "row 3: compute_format is 'fp3'"),
        ({"tensor_parallel": "1.5"}, "row 3: tensor_parallel is 1.5, which is not a whole number"),
    ],
)
def test_a_row_that_cannot_be_right_is_told_by_number_and_reason(refusal, slip, told):
    assert told in refusal({}, slip)


def test_a_row_faster_than_memory_allows_is_refused_with_the_limit(refusal):
    # 16 GB of weights at 3,350 GB/s: 4.8 ms a token at best
    assert "row 2: tpot_s is 0.001, but reading the weights once takes 0.003" in refusal({"tpot_s": "0.001"})
    assert "row 2: output_tokens_per_s is 1e+06, but memory allows" in refusal({"output_tokens_per_s": "1e6"})


def test_a_first_token_before_the_weights_are_read_once_is_refused(refusal):
    assert "row 2: ttft_s is 1e-07, but reading the weights once takes" in refusal({"ttft_s": "1e-7"})


def test_work_handed_over_at_once_is_no_faster_than_its_multiplications(refusal):
    bulk = {"mode": "offline", "concurrency": "", "requests": "", "ttft_s": "", "tpot_s": ""}
    assert "its multiplications allow at most" in refusal(bulk | {"output_tokens_per_s": "1e9"})


def test_a_row_is_told_by_where_it_begins_in_the_file(shipped, runs_csv):
    header, good, bad = runs_csv({}, {"ttft_s": "-1"}).splitlines()
    two_lines = good.replace("mine:1", '"mine\n1"')
    assert two_lines != good
    with pytest.raises(SpecError, match="has 1 row that cannot be right: row 8: ttft_s is -1"):
        table_of("\n".join([header, "", good, "", two_lines, "", bad]), shipped, "table.csv")


def test_signs_that_some_take_for_the_end_of_a_line_are_part_of_a_field(shipped, runs_csv):
    header, row = runs_csv({"source": "a"}).splitlines()
    told = row.replace(",a,", ",a\u2028b\x0cc,")
    assert told != row
    assert table_of(f"{header}\n{told}\n", shipped, "table.csv").texts["source"] == ["a\u2028b\x0cc"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text[:0], "table.csv is empty"),
        (lambda text: text.splitlines()[0], "has a header and no rows"),
        (lambda text: text.replace(",", ";"), "are parted by semicolons"),
        (lambda text: text.replace(",", "\t"), "are parted by tabs"),
        (lambda text: text.replace("ttft_s", "TTFT_s").replace(",gpu,", ", gpu,"), "spells columns otherwise: ' gpu'"),
    ],
)
def test_a_file_of_another_form_is_told_by_its_form(shipped, runs_csv, change, told):
    with pytest.raises(SpecError, match=told):
        table_of(change(runs_csv({})), shipped, "table.csv")


def test_a_blank_line_before_the_header_is_no_empty_file(shipped, runs_csv):
    assert table_of("\n\n" + runs_csv({}), shipped, "table.csv").lines == [4]


def test_a_header_all_in_capitals_is_told_by_its_first_columns(shipped, runs_csv):
    with pytest.raises(SpecError, match="otherwise: 'ID', 'SOURCE', 'DATE' and 23 more"):
        table_of(runs_csv({}).upper(), shipped, "table.csv")


def test_text_that_csv_cannot_part_is_refused_with_the_reason(shipped, runs_csv):
    for text in (runs_csv({}) + "x" * 200_000, "x" * 200_000):
        with pytest.raises(SpecError, match=r"table.csv is no CSV after line \d: field larger"):
            table_of(text, shipped, "table.csv")


def test_a_file_that_is_no_table_is_refused(tmp_path, shipped):
    with pytest.raises(SpecError, match="cannot be read"):
        read_table(tmp_path / "nowhere.csv", shipped)


def test_the_figures_hold_no_prose_and_name_their_source():
    data = resources.files("breakeven.performance").joinpath("data", "measurements.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(data.splitlines()))
    assert all(row["source"] for row in rows)
    assert np.mean([len(row["source"]) for row in rows]) < 150


def test_independent_publishers_are_no_source_of_the_calibration_and_every_row_of_theirs_is_covered(shipped):
    table, study = independent_measurements(shipped), shipped_measurements(shipped)
    assert set(study.file) == set(STUDIED)
    assert not set(table.file) & set(STUDIED)
    assert table.runs.covered.all()
    assert all(table.texts["source"])
    assert all(table.texts["date"])
    assert len(set(table.texts["id"])) == len(table.texts["id"])
    figures = lambda t: set(zip(*(t.texts[c] for c in ("gpu", "model")), *t.observed.values(), strict=True))  # noqa: E731
    told = [row for row in figures(table) if np.isfinite(row[2:]).sum() > 1]
    assert not set(told) & figures(study)
    work = lambda t: set(  # noqa: E731
        zip(
            *(t.texts[c] for c in ("gpu", "model")),
            *(np.round(c) for c in (t.runs.input_tokens, t.runs.output_tokens, t.observed["output_tokens_per_s"])),
            strict=True,
        )
    )
    assert not {row for row in work(table) if np.isfinite(row[-1])} & work(study)


def test_figures_that_contradict_each_other_are_kept_apart_with_the_reason(shipped):
    table = shipped_measurements(shipped)
    doubted = [name in doubts() for name in table.texts["id"]]
    assert sum(doubted) == len(doubts()), "every doubted row is in the table"
    assert len(doubts()) < 0.02 * len(doubted)
    assert all(doubts().values())
    for target, observed in table.observed.items():
        assert np.all(np.isnan(observed[doubted]))
        assert not np.any(np.isfinite(observed) & np.isfinite(table.doubted[target]))
    assert np.isfinite(table.doubted["output_tokens_per_s"]).sum() == len(doubts())
