"""Counted documents in the terminal: lengths by tokenizer, how far approximations are off, and what was not read."""

import os
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from breakeven.documents.find import NotRead, shown
from breakeven.documents.measure import DocumentsReport, Lengths
from breakeven.documents.tokenizers import Candidate, MeasuredTokenizer, tokenizer_table
from breakeven.units import BYTES_PER_GB
from breakeven.workload.usage import TOKENS_PER_WORD

BYTES_PER_MB = BYTES_PER_GB / 1000
EXAMPLES, REMARKS, CANDIDATES = 3, 10, 30
LENGTHS = ("mean", "p50", "p95", "longest", "total")


def print_documents(report: DocumentsReport, console: Console) -> None:
    """The whole report."""
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(report.kinds.items()))
    _title(console, "documents", shown(str(report.folder)))
    console.print(Text(f"  {len(report.documents):,} read ({kinds}), {len(report.not_read):,} not read"))
    console.print(Text(f"  {_size(report.text_bytes)} of text, {int(report.words.sum()):,} words"))
    _print_lengths(report, console)
    if report.candidates:
        _print_candidates(report, console)
    else:
        _print_approximations(report, console)
    _print_remarks(report, console)
    _print_not_read(report, console)


def _size(size_bytes: int) -> str:
    """Bytes in a unit that leaves a few digits."""
    if size_bytes < BYTES_PER_MB:
        return f"{size_bytes / 1000:,.1f} kB"
    return f"{size_bytes / BYTES_PER_MB:,.1f} MB"


def _print_lengths(report: DocumentsReport, console: Console) -> None:
    table = _table("tokenizer", "of", *LENGTHS, "beside")
    own, baseline = tokenizer_table().own, tokenizer_table().baseline
    for name in report.tokens:
        beside = "" if name == baseline else f"{report.against_baseline(name):+.1%}".replace("%", " %")
        table.add_row(name, own[name].title, *_figures(report.lengths(name)), beside)
    table.add_row("rule of thumb", "0.75 words a token", *_assumed(report), "")
    _title(console, "tokens a document", f"`beside`: more or fewer tokens than {baseline} counts here")
    console.print(table)


def _assumed(report: DocumentsReport) -> list[str]:
    """The lengths that the rule of thumb would give; nothing is counted with it."""
    mean = float(report.words.mean()) * TOKENS_PER_WORD
    return [f"{mean:,.0f}", "", "", "", f"{report.assumed_tokens:,}"]


def _figures(found: Lengths) -> list[str]:
    return [f"{value:,.0f}" for value in (found.mean, found.p50, found.p95, found.longest, found.total)]


def _print_candidates(report: DocumentsReport, console: Console) -> None:
    table = _table("model", "counted with", *LENGTHS, "its own tokenizer")
    for one in report.candidates[:CANDIDATES]:
        table.add_row(shown(one.name), one.counted_with, *_figures(report.lengths(one.counted_with)), error_words(one))
    _title(console, f"models: {len(report.candidates):,}", "")
    console.print(table)
    if len(report.candidates) > CANDIDATES:
        console.print(Text(f"  and {len(report.candidates) - CANDIDATES:,} more", style="dim"))


def error_words(one: Candidate) -> str:
    """How far the count of a candidate may be off, in words.

    >>> error_words(Candidate(name="a", tokenizer="llama3", counted_with="llama3"))
    'yes'
    """
    if one.exact:
        return "yes"
    if one.low is not None and one.high is not None:
        return f"approximation: {_span([one.low, one.high])} %, measured on test texts"
    return f"approximation: error not known{f'. {one.said}' if one.said else ''}"


def _print_approximations(report: DocumentsReport, console: Console) -> None:
    """What is counted with the baseline because its own tokenizer is not to be had, and how far that is off."""
    table = tokenizer_table()
    shown_table = _table("tokenizer", "models", *table.texts)
    for name, one in table.measured.items():
        shown_table.add_row(one.title, f"{report.coverage[name]:,}", *_off(one, table.texts))
    _title(console, "approximations", f"counted with {table.baseline}; measured: % more tokens that the own one needs")
    console.print(shown_table)
    own = sum(report.coverage[name] for name in table.own)
    ends = [end for one in table.measured.values() for end in (one.low, one.high)]
    told = (
        f"{own:,} models of the catalogue are counted with their own tokenizer. For {report.coverage['']:,} the error "
        "is not known: Claude 3 and newer, newer Gemini, Grok, GLM, Kimi, MiniMax and others. Those that could be "
        f"measured need {_span(ends)} % more. {' '.join(f'{said.text}.' for said in table.said)}"
    )
    console.print(Padding(Text(told), (0, 0, 0, 2)))


def _off(one: MeasuredTokenizer, texts: Sequence[str]) -> list[str]:
    return [_span(one.off[text]) for text in texts]


def _span(shares: Sequence[float]) -> str:
    ends = [f"{100 * share:+.0f}".replace("-0", "0").replace("+0", "0") for share in (min(shares), max(shares))]
    return " to ".join(dict.fromkeys(ends))


def _print_remarks(report: DocumentsReport, console: Console) -> None:
    if not report.notes:
        return
    _title(console, f"read with a remark: {len(report.notes):,}", "")
    for path, note in report.notes[:REMARKS]:
        console.print(Text(f"  {_inside(path, report)}: {note}"))
    if len(report.notes) > REMARKS:
        console.print(Text(f"  and {len(report.notes) - REMARKS:,} more", style="dim"))


def _print_not_read(report: DocumentsReport, console: Console) -> None:
    """A line a reason, the most frequent first, with a few of the names."""
    if not report.not_read:
        return
    groups: dict[str, list[NotRead]] = {}
    for one in report.not_read:
        groups.setdefault(one.reason, []).append(one)
    _title(console, f"not read and not counted: {len(report.not_read):,}", "")
    for reason, some in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        names = [f"{_inside(one.path, report)}{f' ({one.detail})' if one.detail else ''}" for one in some[:EXAMPLES]]
        more = f" and {len(some) - EXAMPLES:,} more" if len(some) > EXAMPLES else ""
        console.print(Text(f"  {len(some):,} {reason}: {', '.join(names)}{more}"))


def _inside(path: str, report: DocumentsReport) -> str:
    return shown(os.path.relpath(path, report.folder))


def _title(console: Console, text: str, beside: str) -> None:
    line = Text(f"\n{text.upper()}", style="bold cyan")
    console.print(line.append(f"  {beside}", style="not bold default") if beside else line)


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True)
    for column in columns:
        left = column in _words_in()
        table.add_column(column, justify="left" if left else "right", overflow="fold", no_wrap=not left)
    return table


def _words_in() -> Iterable[str]:
    """The columns that hold words."""
    return ("tokenizer", "of", "model", "counted with", "its own tokenizer")
