"""The range of an answer in the terminal: sentences, and the tornado as a table with bars."""

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from breakeven.planner.spread import ClassRange, Ranges, SwingRange
from breakeven.report.spread import band_words, range_sentences, signed_usd
from breakeven.report.words import folded, share, usd

SWINGS_SHOWN = 7
THEN_WIDTH = 44
SIDE = 9
"""Characters of a bar to each side of the middle."""


def range_part(ranges: Ranges, width: int) -> RenderableType:
    """Of one class everything; of several a line each."""
    if len(ranges.classes) == 1:
        return Group(*_class(ranges.classes[0], ranges, width))
    return _classes(ranges, width)


def _class(found: ClassRange, ranges: Ranges, width: int) -> list[RenderableType]:
    told: list[RenderableType] = [
        Padding(Text(sentence), (0, 0, 0, 2)) for sentence in range_sentences(found, ranges.horizon_months)
    ]
    return [*told, *([_tornado(found, width)] if found.tornado else [])]


def _tornado(found: ClassRange, width: int) -> RenderableType:
    """What the margin over the best rival is with each input at its ends; a bar from the one to the other."""
    table = Table(box=box.SIMPLE_HEAD, width=width, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("what it hangs on", ratio=1)
    table.add_column("from", no_wrap=True)
    table.add_column("to", no_wrap=True)
    table.add_column("ahead, USD/day", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    middle = found.margin_usd_per_day or 0.0
    shown = found.tornado[:SWINGS_SHOWN]
    reach = max((abs(end - middle) for swing in shown for end in _ends(swing)), default=0.0) or 1.0
    for swing in shown:
        low, high = _ends(swing)
        ahead = f"{signed_usd(low)} to {signed_usd(high)}"
        table.add_row(escape(swing.input), swing.low, swing.high, ahead, _bar(low, high, middle, reach))
        others = [one for one in (swing.winner_low, swing.winner_high) if one != found.chosen]
        if swing.changes and others:
            table.add_row(Text(folded(f"  then {others[0]}", THEN_WIDTH), style="dim"))
    note = f"ahead: what the best rival costs more than the choice, {signed_usd(middle)} a day with all in the middle"
    return Group(table, Text(f"  {note}", style="dim"))


def _ends(swing: SwingRange) -> tuple[float, float]:
    return swing.margin_usd_per_day_low, swing.margin_usd_per_day_high


def _bar(low: float, high: float, middle: float, reach: float) -> Text:
    """A bar from the one end to the other around the middle.

    >>> _bar(6.0, 20.0, 10.0, 10.0).plain
    '     ████|█████████'
    """
    left, right = min(low, high, middle), max(low, high, middle)
    before, after = (min(round(SIDE * abs(end - middle) / reach), SIDE) for end in (left, right))
    return Text(" " * (SIDE - before) + "█" * before + "|" + "█" * after + " " * (SIDE - after))


def _classes(ranges: Ranges, width: int) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, width=width, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("class", no_wrap=True)
    table.add_column("cheapest today", ratio=1, overflow="fold")
    for name in ("USD/day, 80 %", "stays so", "regret"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("benchmark worth most", ratio=1)
    for one in ranges.classes:
        chosen, best = one.of(one.chosen), one.measurements[:1]
        worth = [f"{m.configuration}: {usd(m.usd_over_horizon)}" for m in best if m.usd_over_horizon >= 1]
        table.add_row(
            one.group,
            escape(one.chosen),
            band_words(chosen),
            share(chosen.chance_cheapest) if chosen else "-",
            "unknown" if one.regret_usd_per_day is None else usd(one.regret_usd_per_day),
            escape("".join(worth) or "none"),
        )
    note = "stays so: the share of cases in which it is the cheapest; regret: USD a day over the best in hindsight"
    return Group(table, Text(f"  {note}", style="dim"))
