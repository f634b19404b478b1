import io

import pytest
from rich.console import Console

from breakeven.cli.documents import workload_of_documents
from breakeven.documents.measure import measure_documents
from breakeven.errors import SpecError
from breakeven.report.documents import print_documents
from breakeven.workload.spec import read_specs


def _printed(report):
    out = io.StringIO()
    print_documents(report, Console(width=100, file=out))
    return out.getvalue()


@pytest.fixture
def folder(tmp_path, corpus):
    (tmp_path / "docs").mkdir()
    for path in corpus.iterdir():
        (tmp_path / "docs" / path.name).write_bytes(path.read_bytes())
    return tmp_path / "docs"


def test_the_report_shows_lengths_by_tokenizer_beside_the_rule_of_thumb(folder, shipped):
    text = _printed(measure_documents(folder, catalogue=shipped))
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert rows["o200k_base"][-5:] == ["930", "916", "1,116", "1,148", "4,649"]
    assert rows["cl100k_base"][-2:] == ["+13.1", "%"]
    assert rows["rule"][-1] == "2,711"
    assert "-26 to -17" in next(line for line in text.splitlines() if "DeepSeek" in line)
    assert "is not known" in text


def test_a_candidate_is_told_exact_measured_or_not_known(folder, shipped):
    asked = ["gpt-5", "deepseek-v3.1", "claude-3-haiku"]
    text = _printed(measure_documents(folder, candidates=asked, catalogue=shipped))
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert rows["gpt-5"].rstrip().endswith(" yes")
    assert "approximation: -26 to +25 %" in rows["deepseek-v3.1"]
    assert "approximation: error not known" in rows["claude-3-haiku"]


def test_what_was_not_read_stands_by_reason_with_a_few_names_and_nothing_steers_the_terminal(folder, shipped):
    for number in range(5):
        (folder / f"{number}.pptx").write_text("x")
    (folder / "[bold]\x1b[31m.pdf").write_text("x")
    (folder / "latin.txt").write_bytes("Größe".encode("latin-1"))
    text = _printed(measure_documents(folder, catalogue=shipped))
    assert "5 no reader for .pptx: 0.pptx, 1.pptx, 2.pptx and 2 more" in text
    assert "1 not a PDF: [bold]\\x1b[31m.pdf (does not begin with %PDF-)" in text
    assert "latin.txt: not UTF-8: read as Windows-1252" in text
    assert "\x1b" not in text


def test_the_command_prints_the_report_and_writes_the_spec(folder, tmp_path, capsys):
    workload_of_documents(folder, spec=tmp_path / "spec.yaml", output_tokens=100, requests_per_day=5)
    out = capsys.readouterr().out
    assert "TOKENS A DOCUMENT" in out
    assert "Next: breakeven compare" in out
    assert read_specs(tmp_path / "spec.yaml")[0].traffic.requests_per_day == 5


def test_a_dash_writes_the_spec_alone_to_stdout(folder, tmp_path, capsys):
    from pathlib import Path

    workload_of_documents(folder, spec=Path("-"), task="encode", models=["gpt-5"])
    out = capsys.readouterr().out
    (tmp_path / "spec.yaml").write_text(out)
    assert read_specs(tmp_path / "spec.yaml")[0].task == "encode"


def test_a_spec_without_a_word_on_the_answers_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(SpecError, match="no stated number of output tokens"):
        workload_of_documents(tmp_path / "missing", spec=tmp_path / "spec.yaml")
    assert not (tmp_path / "spec.yaml").exists()


def test_without_a_spec_the_report_says_how_to_get_one(folder, capsys):
    workload_of_documents(folder)
    assert "-o SPEC.yaml with --output-tokens" in capsys.readouterr().out
