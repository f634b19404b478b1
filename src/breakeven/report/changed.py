"""What one's own measurements changed, in sentences: dollars and rank before and after."""

from breakeven.planner.changes import Change, Changes
from breakeven.report.words import usd

TOLD = 5


def changed_sentences(found: Changes | None) -> tuple[str, ...]:
    """The sentences; none where nothing was measured."""
    if found is None:
        return ()
    dearer = [one for one in found.changed if one.costs_otherwise]
    only_moved = len(found.changed) - len(dearer)
    if not dearer and only_moved:
        lines = f"{only_moved} line{'s' if only_moved > 1 else ''}"
        return (f"Your measurements changed no dollars of the ranking, and the rank of {lines}.",)
    if not dearer:
        return (
            "Your measurements changed no line of the ranking (each is told by its cheapest option): nothing "
            "measured is the cheapest of its line, or it was as predicted.",
        )
    others = f"; {only_moved} other{'s' if only_moved > 1 else ''} only changed rank" if only_moved else ""
    return (
        f"Your measurements changed the dollars of {len(dearer)} of {found.lines} lines of the ranking{others}. "
        f"{_winner(found)}",
        *map(_sentence, dearer[:TOLD]),
        *([f"And {len(dearer) - TOLD} more (--json lists them)."] if len(dearer) > TOLD else []),
    )


def _winner(found: Changes) -> str:
    if found.winner_before == found.winner_after:
        return "The winner is the same." if found.winner_after else "There is no overall winner, before or after."
    return f"The winner was {found.winner_before or 'nobody'} and is now {found.winner_after or 'nobody'}."


def _sentence(one: Change) -> str:
    name = f"{one.line}, {KINDS[one.kind]}"
    if one.after is None:
        before = one.before
        was = f", was {usd(before.usd_per_day)} a day (rank {before.rank})" if before else ""
        return f"{name}: no longer competes at what you measured{was}."
    if one.before is None:
        return f"{name}: competes now, {usd(one.after.usd_per_day)} a day (rank {one.after.rank}), and did not before."
    rank = (
        f"rank {one.after.rank}" if one.before.rank == one.after.rank else f"rank {one.before.rank} to {one.after.rank}"
    )
    by = "" if one.before.option == one.after.option else f", now by {one.after.option}"
    return f"{name}: {usd(one.before.usd_per_day)} a day before, {usd(one.after.usd_per_day)} now ({rank}){by}."


KINDS = {"hosted": "self-hosted", "api": "a paid API", "hybrid": "as a hybrid", "cascade": "as a cascade"}
