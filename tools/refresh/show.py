"""What a refresh found, in the terminal: added, disputed, refused, unchanged and passed over."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from breakeven.catalogue.schema import ApiPrice, PriceRow
from refresh.decide import Decision, Outcome
from refresh.quotes import Reading, usd_words, words_of

WIDTH = 100
COLUMNS = 38, 34, 22
HEADS = (
    ("price", "old -> new, USD", "because"),
    ("price", "who says what, USD", "taken"),
    ("price", "said, USD", "because"),
)
KINDS = {"input": "in", "cached_input": "cached", "cache_write": "write", "output": "out"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Prices of one thing that share their fate: several kinds of token of one offer and tier are one line."""

    what: str
    said: str
    because: str


def sections(outcome: Outcome) -> dict[str, list[Line]]:
    """The lines of each table."""
    return {
        "added": _added(outcome),
        "sources disagree": _disputed(outcome),
        "refused, for a person to look at": _refused(outcome),
    }


def show(outcome: Outcome, readings: Sequence[Reading], console: Console, top: int) -> None:
    """Everything that a person has to know before writing."""
    for (title, lines), heads in zip(sections(outcome).items(), HEADS, strict=True):
        _table(console, title, lines, heads, top)
    for reading in readings:
        over = "; ".join(f"{count:,} {what}" for what, count in reading.passed_over.most_common() if count)
        console.print(f"\n{reading.origin.name} of {reading.origin.published}: {len(reading.quotes):,} prices read")
        if over:
            console.print(Padding(Text(f"passed over: {over}", style="dim"), (0, 0, 0, 2)))
    counts = ", ".join(f"{len(outcome.of(verdict)):,} {verdict}" for verdict in ("added", "unchanged", "refused"))
    console.print(Text(f"\n{counts}; {len(outcome.refused):,} more refused on reading", style="bold"))


def _added(outcome: Outcome) -> list[Line]:
    found = _by_offer(outcome.of("added"))
    return [Line(what=what, said=_changes(decisions), because=because) for (what, because), decisions in found.items()]


def _disputed(outcome: Outcome) -> list[Line]:
    return [
        Line(what=what, said=_by_source(decisions, standing=False), because=_taken(decisions[0]))
        for (what, _), decisions in _by_offer(outcome.disputed).items()
    ]


def _refused(outcome: Outcome) -> list[Line]:
    """What the readers refused (a whole price list, perhaps), then what was weighed and found wanting."""
    read = [Line(what=one.what, said=one.said, because=f"{one.by}: {one.because}") for one in outcome.refused]
    found = _by_offer(decision for decision in outcome.of("refused") if not decision.disputed)
    return read + [
        Line(what=what, said=_by_source(decisions, standing=True), because=because)
        for (what, because), decisions in found.items()
    ]


def _by_offer(decisions: Iterable[Decision]) -> dict[tuple[str, str], list[Decision]]:
    """Decisions by what is priced, less the kind of token, and by their reason."""
    groups: dict[tuple[str, str], list[Decision]] = {}
    for decision in decisions:
        groups.setdefault((_offer(decision.quotes[0].rows[0]), decision.because), []).append(decision)
    return {key: sorted(found, key=_place) for key, found in groups.items()}


def _place(decision: Decision) -> int:
    row = decision.quotes[0].rows[0]
    return list(KINDS).index(row.token_kind) if isinstance(row, ApiPrice) else 0


def _taken(decision: Decision) -> str:
    if decision.taken:
        return f"{decision.taken.origin.name}: {decision.because}"
    return f"none: {decision.because}" if decision.verdict == "refused" else decision.because


def _changes(decisions: Iterable[Decision]) -> str:
    """Old and new price of each kind of token, a line each."""
    return "\n".join(
        f"{_kind(decision)}{usd_words(decision.standing)} -> {usd_words(decision.taken.rows)}"
        for decision in decisions
        if decision.taken
    )


def _by_source(decisions: Iterable[Decision], standing: bool) -> str:
    """What each source says, a line each; at the end the standing price, if wanted and known."""
    said: dict[str, list[str]] = {}
    for decision in decisions:
        for quote in decision.quotes:
            said.setdefault(quote.origin.name, []).append(f"{_kind(decision)}{usd_words(quote.rows)}")
    for decision in decisions if standing else ():
        if decision.standing:
            said.setdefault("standing", []).append(f"{_kind(decision)}{usd_words(decision.standing)}")
    return "\n".join(f"{source}: {', '.join(prices)}" for source, prices in said.items())


def _kind(decision: Decision) -> str:
    row = decision.quotes[0].rows[0]
    return f"{KINDS[row.token_kind]} " if isinstance(row, ApiPrice) else ""


def _offer(row: PriceRow) -> str:
    """What a row prices, without the kind of token."""
    kind = row.token_kind.replace("_", " ") if isinstance(row, ApiPrice) else ""
    return words_of(row).replace(f" {kind}", "", 1) if kind else words_of(row)


def _table(console: Console, title: str, lines: Sequence[Line], heads: Sequence[str], top: int) -> None:
    console.print(Text(f"\n{title.upper()}: {len(lines):,}", style="bold cyan"))
    if not lines:
        return
    table = Table(box=box.SIMPLE_HEAD, width=WIDTH, pad_edge=False, padding=(0, 1))
    for head, width in zip(heads, COLUMNS, strict=True):
        table.add_column(head, width=width, overflow="fold")
    for line in lines[:top]:
        table.add_row(Text(line.what), Text(line.said), Text(line.because))
    console.print(table)
    if len(lines) > top:
        console.print(Text(f"  and {len(lines) - top:,} more: --top {len(lines)}", style="dim"))
