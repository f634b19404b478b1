"""The ranking and the bills as a workbook (XLSX). Text is always text: nothing that a name holds becomes a formula."""

import io
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]

from breakeven.evidence import Source
from breakeven.planner.verdict import Verdict
from breakeven.ui.answers import Answer

NUMBER, TEXT_WIDTH, LONG_WIDTH = 14, 24, 60
RANKING = ("rank", "group", "option", "kind", "model", "USD a day", "low", "high", "USD a month", "basis", "because")
BILLS = ("option", "line", "quantity a day", "unit", "USD a unit", "USD a day", "sources")
SOURCES = ("id", "title", "kind", "published", "read")
Row = list[Any]


def workbook(answer: Answer) -> bytes:
    """Three sheets of what the page shows: the ranking, every line of every bill, and the sources."""
    out = io.BytesIO()
    # Strings stay strings whatever they begin with: no formula, no link, no number is read out of them.
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(out, options)
    book.set_properties({"title": answer.plan.workload.name, "comments": f"Prices of {answer.plan.as_of}"})
    head = book.add_format({"bold": True, "bottom": 1})
    verdicts = [row.verdict for group in answer.section.groups for row in group.rows]
    cited = dict.fromkeys(source for v in verdicts for line in v.bill.lines for source in line.source)
    known = answer.plan.catalogue.sources
    sheets: dict[str, tuple[tuple[str, ...], list[Row]]] = {
        "Ranking": (RANKING, [_ranked(verdict) for verdict in verdicts]),
        "Bills": (BILLS, [row for verdict in verdicts for row in _lines(verdict)]),
        "Sources": (SOURCES, [_source(known[one]) for one in cited if one in known]),
    }
    for name, (columns, rows) in sheets.items():
        sheet = book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        for place, title in enumerate(columns):
            sheet.write_string(0, place, title, head)
            sheet.set_column(place, place, _width(title))
        for number, row in enumerate(rows, 1):
            _write(sheet, number, row)
    book.close()
    return out.getvalue()


def _ranked(verdict: Verdict) -> Row:
    option, bill = verdict.option, verdict.bill
    ends = [None if usd is None else float(usd) for usd in (verdict.usd_per_day_low, verdict.usd_per_day_high)]
    costs = [float(bill.usd_per_day), *ends, float(bill.usd_per_month)]
    because = verdict.because + (f" (not priced: {', '.join(bill.unpriced)})" if bill.unpriced else "")
    return [
        float(verdict.rank),
        verdict.group,
        option.id,
        option.kind,
        option.model,
        *costs,
        verdict.basis,
        because,
    ]


def _lines(verdict: Verdict) -> list[Row]:
    return [
        [
            verdict.option.id,
            line.name,
            float(line.quantity),
            line.unit,
            None if line.usd_per_unit is None else float(line.usd_per_unit),
            None if line.usd is None else float(line.usd),
            ", ".join(line.source),
        ]
        for line in verdict.bill.lines
    ]


def _source(source: Source) -> Row:
    return [source.id, source.title, source.kind.replace("_", " "), source.published, source.read]


def _write(sheet: Any, number: int, row: Row) -> None:  # noqa: ANN401 - a worksheet; the library has no types
    for place, value in enumerate(row):
        if isinstance(value, float):
            sheet.write_number(number, place, value)
        elif value is not None:
            sheet.write_string(number, place, str(value))


def _width(title: str) -> int:
    if title in ("because", "sources", "title"):
        return LONG_WIDTH
    return TEXT_WIDTH if title in ("option", "model", "line", "group", "id") else NUMBER
