"""The catalogue in the terminal: tables of names, one name in full with its history and sources, hits of a search."""

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any, get_args

import msgspec
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from breakeven.catalogue.kinds import KINDS, ON_OFFER, Line, tier_words
from breakeven.catalogue.listing import Listing, Overview
from breakeven.catalogue.schema import ApiPrice, MachinePrice, PriceRow, Score, ServicePrice, Tier
from breakeven.catalogue.search import NOT_SEARCHED, Entry, Found, Hit
from breakeven.evidence import Source
from breakeven.report.facts import heading, label, weekly_hours, weights_drawn, words
from breakeven.report.words import WIDTH
from breakeven.wording import plain

RELATED_SHOWN = 12
CELL_WIDTH = 14
"""Longer cells may be broken into lines."""
NAME_WIDTH = 26
"""What a column of names gets at least."""
PROSE_WIDTH = 13, 40
"""What a column of words gets beside the names: of a few words, of sentences."""
TIERS = get_args(Tier)
TOKEN_KINDS = ("input", "cached_input", "cache_write", "output")
BASES = {
    "announced": "announced by the provider for that day",
    "first_observed": "first public table that shows it; the change may be weeks older",
    "observed": "read on that day; the price may be older",
    "derived": "worked out from another row",
    "stated": "stated by you",
}
PRICED = ("offers", "machines", "services")
RELATED = {"models": "to host oneself"}
NOT_FACTS = ("name", "id", "source", "note", *NOT_SEARCHED)


class Footnotes:
    """Sources and notes, numbered as they are first met."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._sources = {source.id: source for source in sources}
        self._texts: dict[str, int] = {}

    def mark(self, source: str | None, note: str = "") -> str:
        """The numbers under which a source and a note stand at the foot."""
        read = self._sources.get(source or "")
        texts = ([_source_words(read)] if read else []) + ([note] if note else [])
        return " ".join(f"[{self._texts.setdefault(text, len(self._texts) + 1)}]" for text in texts)

    def lines(self) -> list[tuple[str, str]]:
        """Number and text of each."""
        return [(f"[{number}]", text) for text, number in self._texts.items()]


def _source_words(source: Source) -> str:
    published = f"published {source.published}, " if source.published else ""
    return f"{source.title} ({source.kind.replace('_', ' ')}, {published}read {source.read})"


def print_overview(found: Overview, console: Console) -> None:
    """How much the catalogue holds, a line a kind."""
    console.print(Text(f"Catalogue {found.catalogue_digest}", style="bold"))
    console.print(Text(f"prices from {found.first_day} on; sources read until {found.last_day}"))
    console.print(Text(f"names as of {found.as_of} in {found.region}"))
    lines = [{key: "" if value is None else value for key, value in line.items()} for line in found.lines]
    console.print(_table(tuple(lines[0]), lines))
    print_hint(
        console, "breakeven catalogue list KIND", "breakeven catalogue show NAME", "breakeven catalogue search TEXT"
    )


def print_listing(found: Listing, console: Console) -> None:
    """The table of one kind."""
    print_title(console, f"{found.kind}: {len(found.lines):,}", f"{found.as_of}, {found.region}")
    console.print(_table(found.columns, found.lines))
    if "score" in found.columns and "scale" in found.lines[0]:
        console.print(Text(f"  scores on {found.lines[0]['scale']}", style="dim"))
    print_hint(console, "breakeven catalogue show NAME")


def print_found(found: Found, console: Console) -> None:
    """All that one name stands for: facts, prices, history, scores, and the sources of each figure."""
    notes = Footnotes(found.sources)
    told: set[tuple[Score, ...]] = set()
    for entry in found.entries:
        _print_facts(entry, notes, console)
        if entry.kind in PRICED:
            _print_prices(entry, found, notes, console)
        if entry.scores not in told:
            _print_scores(entry, notes, console)
            told.add(entry.scores)
    if found.same_model:
        print_title(console, f"the same model at other APIs: {len(found.same_model)}", "")
        console.print(_table(KINDS["offers"].columns, found.same_model))
    if found.not_yet:
        later = "; ".join(f"{name} from {first} on" for name, first in found.not_yet.items())
        console.print(Text(f"\n  Not yet known on {found.as_of}: {later}"))
    _print_foot(found, notes, console)


def _print_foot(found: Found, notes: Footnotes, console: Console) -> None:
    print_foot({row.date_basis for entry in found.entries for row in entry.history}, notes, console)


def print_foot(bases: Collection[str], notes: Footnotes, console: Console) -> None:
    """The sources and notes that were marked, and what the words for a row's day mean."""
    if notes.lines():
        print_title(console, "sources and notes", "")
        print_pairs(notes.lines(), console, style="dim")
    legend = [(_spoken(basis), text) for basis, text in BASES.items() if basis in bases]
    print_pairs(legend, console, style="dim")


def print_hits(hits: dict[str, tuple[Hit, ...]], top: int, console: Console) -> None:
    """The hits of a search by kind, the first ``top`` of each."""
    for kind, found in hits.items():
        print_title(console, f"{kind}: {len(found):,}", "")
        print_pairs([(hit.name, _where(hit)) for hit in found[:top]], console)
        if len(found) > top:
            console.print(Text(f"  and {len(found) - top:,} more: --top {len(found)}", style="dim"))
    print_hint(console, "breakeven catalogue show NAME")


def _where(hit: Hit) -> str:
    """Why a name was found, if its name does not tell."""
    return hit.text if hit.column in ("name", "title") else f"{label(hit.column)[0]}: {hit.text}"


def to_json(thing: object) -> bytes:
    """Any of these results as JSON, rows as objects, money as exact numbers."""
    raw = msgspec.json.Encoder(decimal_format="number", enc_hook=plain).encode(_plain(thing))
    return msgspec.json.format(raw, indent=2) + b"\n"


def _plain(thing: object) -> object:
    if isinstance(thing, msgspec.Struct):
        return {name: _plain(getattr(thing, name)) for name in thing.__struct_fields__}
    if isinstance(thing, dict):
        return {key: _plain(value) for key, value in thing.items()}
    return [_plain(one) for one in thing] if isinstance(thing, tuple) else thing


def print_title(console: Console, text: str, beside: str) -> None:
    """The heading of a section, and what stands beside it."""
    line = Text(f"\n{text.upper()}", style="bold cyan")
    console.print(line.append(f"  {beside}", style="not bold default") if beside else line)


def print_hint(console: Console, *commands: str) -> None:
    """Commands that tell more."""
    console.print(Text("  " + "; ".join(commands), style="dim"))


def _table(columns: Sequence[str], lines: Sequence[Line]) -> Table:
    """Lines as a table: figures right, "unknown" dim, a blank where a column does not apply."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True)
    cells = {
        column: [_cell(column, line[column]) if column in line else Text() for line in lines] for column in columns
    }
    heads = {column: heading(column) for column in columns}
    longest = {
        column: max(*map(len, heads[column].split("\n")), *(len(cell) for cell in cells[column])) for column in columns
    }
    prose = {column for column in columns if longest[column] > CELL_WIDTH or any(" " in c.plain for c in cells[column])}
    least = {column: PROSE_WIDTH[length > PROSE_WIDTH[1]] for column, length in longest.items() if column in prose}
    rest = sum(min(longest[column], least.get(column, WIDTH)) for column in columns[1:])
    for column in columns:
        values = [line.get(column) for line in lines]
        figures = any(isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in values)
        table.add_column(
            Text(heads[column]),
            justify="right" if figures else "left",
            width=min(longest[column], max(NAME_WIDTH, WIDTH - rest - 2 * len(columns))) if column == "name" else None,
            no_wrap=column not in prose,
            overflow="fold",
        )
    for row in zip(*cells.values(), strict=True):
        table.add_row(*row)
    return table


def _cell(column: str, value: Any) -> Text:  # noqa: ANN401 - any value of a row
    return Text(words(column, value), style="dim" if value is None else "")


def print_pairs(pairs: Iterable[tuple[str, str]], console: Console, style: str = "") -> None:
    """Names on the left, texts on the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for left, right in pairs:
        table.add_row(Text(left, style=style), Text(right, style=style))
    console.print(Padding(table, (0, 0, 0, 2)))


def _print_facts(entry: Entry, notes: Footnotes, console: Console) -> None:
    """Title, facts and what belongs to it."""
    print_title(console, KINDS[entry.kind].one, f"{entry.name} {notes.mark(entry.facts.get('source'))}".rstrip())
    left_out = (*NOT_FACTS, *(("provider", "model") if entry.kind in ("offers", "providers") else ()))
    pairs = [
        (label(name)[0], f"{_fact(name, value)} {notes.mark(entry.facts.get(f'{name}_source'))}".rstrip())
        for name, value in entry.facts.items()
        if name not in left_out
    ]
    pairs += [(RELATED.get(kind, kind), _some(names)) for kind, names in entry.related.items()]
    pairs += [("note", entry.facts["note"])] if entry.facts.get("note") else []
    if pairs:
        print_pairs(pairs, console)


def _print_scores(entry: Entry, notes: Footnotes, console: Console) -> None:
    if entry.scores:
        console.print(Text("\n  Quality", style="bold"))
        print_lines([_score_line(score, notes) for score in entry.scores], console)
    elif entry.kind in ("offers", "models"):
        console.print(Text("\n  Quality unknown: the catalogue has no published score"))


def _fact(name: str, value: Any) -> str:  # noqa: ANN401 - any value of a row
    if name == "weights":
        return weights_drawn(value)
    if name == "peak_hours_utc":
        return weekly_hours(value)
    text, unit = words(name, value), label(name)[1]
    return f"{text} {unit}" if unit and text[0].isdigit() else text


def _some(names: Sequence[str]) -> str:
    more = len(names) - RELATED_SHOWN
    return ", ".join(names[:RELATED_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _print_prices(entry: Entry, found: Found, notes: Footnotes, console: Console) -> None:
    """What is in force that day, then the whole history where it says more."""
    status = entry.facts.get("status", ON_OFFER)
    console.print(
        Text(f"\n  Prices on {found.as_of}" + (f", though {status}" if status != ON_OFFER else ""), style="bold")
    )
    if entry.prices:
        print_lines(price_lines(entry.prices, notes, now=True), console)
    else:
        known = "none is in force" if entry.history else f"unknown: no row in the catalogue for {found.region}"
        console.print(Text(f"  {known}"))
    if set(entry.history) != set(entry.prices):
        console.print(Text(f"\n  History, oldest first (dated prices: {len(entry.history)})", style="bold"))
        print_lines(price_lines(entry.history, notes, now=False), console)


def print_lines(lines: Sequence[Line], console: Console) -> None:
    """A table without the columns that are blank in every line."""
    columns = [column for column in lines[0] if any(line[column] != "" for line in lines)]
    console.print(Padding(_table(columns, lines), (0, 0, 0, 2)))


def price_lines(rows: Sequence[PriceRow], notes: Footnotes, *, now: bool) -> list[Line]:
    """A line a price; API prices with the kinds of token side by side: a line a tier (and day)."""
    groups: dict[tuple[object, ...], list[ApiPrice]] = {}
    for row in rows:
        if isinstance(row, ApiPrice):
            day = None if now else row.effective_from
            groups.setdefault((day, row.until, row.tier, row.above_input_tokens, row.window), []).append(row)
    other = [_line(row, notes) for row in rows if not isinstance(row, ApiPrice)]
    ordered = sorted(groups.values(), key=_tier_and_length) if now else groups.values()
    return [_api_line(group, notes, now=now) for group in ordered] + other


def _tier_and_length(rows: list[ApiPrice]) -> tuple[int, int, str]:
    return TIERS.index(rows[0].tier), rows[0].above_input_tokens, rows[0].window


def _api_line(rows: list[ApiPrice], notes: Footnotes, *, now: bool) -> Line:
    first, prices = rows[0], {str(row.token_kind): row.usd_per_mtok for row in rows}
    missing = None if now and not _holds_for(first) else ""  # at special hours or lengths the tier's other prices hold
    marks = dict.fromkeys(mark for row in rows for mark in notes.mark(row.source, row.note).split())
    return {
        "from": f"{max(row.effective_from for row in rows)}" + (f" until {first.until}" if first.until else ""),
        "tier": first.tier,
        "for": _holds_for(first),
        **{f"{kind}_usd_per_mtok": prices.get(kind, missing) for kind in TOKEN_KINDS},
        "dated": ", ".join(dict.fromkeys(row.date_basis for row in rows)),
        "source": " ".join(marks),
    }


def _holds_for(row: ApiPrice) -> str:
    long = f"input>{row.above_input_tokens / 1000:g}K" if row.above_input_tokens else ""
    return " ".join(part for part in (long, row.window.replace("_", "-")) if part)


def _line(row: MachinePrice | ServicePrice, notes: Footnotes) -> Line:
    """The price of a machine or service."""
    after = {"dated": row.date_basis, "source": notes.mark(row.source, row.note)}
    if isinstance(row, MachinePrice):
        named = {"machine": row.machine, "service": row.service, "term": row.term}
        return {"from": row.effective_from, **named, "usd_per_hour": row.usd_per_hour, **after}
    named = {"item": row.item, "from_to": tier_words(row), "unit": row.unit}
    return {"from": row.effective_from, **named, "usd": row.usd, **after}


def _spoken(basis: str) -> str:
    return basis.replace("_", " ")


def _score_line(row: Score, notes: Footnotes) -> Line:
    return {
        "scale": row.scale,
        "score": row.score,
        "ci95": row.ci95,
        "observed": row.observed,
        "conditions": row.conditions,
        "source": notes.mark(row.source),
    }
