"""What is taken away opens: the workbook holds the bill as numbers and names as text, the spec plans the same."""

import io
import zipfile
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from breakeven.ui.scenario import Scenario, scenario_of
from breakeven.ui.specfile import spec_yaml
from breakeven.workload.spec import read_specs

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def _cells(raw: bytes, number: int) -> list[tuple[str, str]]:
    """Kind and content of every cell of a sheet."""
    with zipfile.ZipFile(io.BytesIO(raw)) as book:
        shared = [
            "".join(part.text or "" for part in item.iter(f"{SHEET}t"))
            for item in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        ]
        found = []
        for cell in ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml")).iter(f"{SHEET}c"):
            assert cell.find(f"{SHEET}f") is None, "a formula"
            value = cell.find(f"{SHEET}v")
            kind = cell.get("t", "n")
            found.append((kind, shared[int(value.text)] if kind == "s" else value.text))
        return found


@pytest.fixture(scope="module")
def book(client):
    return client.get("/download/bills.xlsx").content


def test_the_bills_of_the_workbook_add_up(book, planner):
    answer = planner.answer(Scenario())
    numbers = [float(value) for kind, value in _cells(book, 2) if kind == "n"]
    for group in answer.section.groups:
        for row in group.rows:
            for line in row.verdict.bill.lines:
                if line.usd is not None:
                    assert any(number == pytest.approx(float(line.usd)) for number in numbers)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@cmd", "\t=1", "=HYPERLINK(1)", "http://x"])
def test_a_name_that_looks_like_a_formula_stays_text(name, plan_small):
    from decimal import Decimal

    from breakeven.report.cited import Sources
    from breakeven.report.sections import section
    from breakeven.ui.answers import Answer
    from breakeven.ui.now import now_of
    from breakeven.ui.workbook import workbook
    from breakeven.workload.policy import FixedCost
    from breakeven.workload.profile import Workload

    work = Workload.of(requests_per_day=1e5, input_tokens=100, output_tokens=10)
    cost = FixedCost(name=name, usd_per_month=Decimal(10), applies_to="all")
    plan = plan_small(work, at_least=1180.0, fixed_costs=(cost,))
    sources = Sources(plan.catalogue.sources)
    answer = Answer(
        scenario=Scenario(),
        plan=plan,
        section=section(plan, 3, sources),
        sources=sources,
        now=now_of(plan),
        front=None,
    )
    assert ("s", name) in [(kind, text) for kind, text in _cells(workbook(answer), 2)]


def test_the_spec_that_is_downloaded_is_the_scenario(client, tmp_path):
    query = "traffic.requests_per_day=5e6&only.models=llama*,qwen*&at_least=1400&as_of=2026-10-01&deferrable=true"
    path = tmp_path / "workload.yaml"
    path.write_bytes(client.get(f"/download/workload.yaml?{query}").content)
    assert read_specs(path) == (scenario_of(query).spec,)


@pytest.mark.parametrize("example", ["chat-assistant.yaml", "nightly-batch.yaml"])
def test_an_example_comes_back_from_its_download(example, tmp_path):
    spec = read_specs(Path(__file__).parents[2] / "examples" / example)[0]
    path = tmp_path / "again.yaml"
    path.write_text(spec_yaml(spec), encoding="utf-8")
    assert read_specs(path) == (spec,)


def test_the_report_is_the_page_of_the_same_plan(client):
    found = client.get("/download/report.html")
    assert found.headers["content-disposition"] == 'attachment; filename="breakeven-report.html"'
    assert "Content-Security-Policy" in found.text


def test_what_cannot_be_planned_is_not_downloaded(client):
    assert client.get("/download/bills.xlsx?at_least=nothing").status_code == 422
    assert client.get(f"/download/{quote('passwd')}").status_code == 404
