"""The table of one kind of fact on one day, filtered, and the overview of all kinds."""

from collections.abc import Iterable
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from breakeven.catalogue.kinds import KINDS, ML, ON_OFFER, Kind, Line
from breakeven.catalogue.load import Catalogue, Snapshot
from breakeven.errors import NoDataError, SpecError, near_matches

FILTERS = ("name", "provider", "family", "licence", "accelerator")


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """The lines of one kind on one day."""

    catalogue_digest: str
    as_of: date
    region: str
    kind: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """How much the catalogue holds: a line a kind."""

    catalogue_digest: str
    first_day: date
    last_day: date
    as_of: date
    region: str
    lines: tuple[Line, ...]


def overview(catalogue: Catalogue, snapshot: Snapshot, scale: str) -> Overview:
    """A line for each kind: how many names it holds on that day, and how many dated prices in all."""
    tables = catalogue.tables
    dated: dict[str, Iterable[Any]] = {
        "offers": tables.api_prices,
        "machines": tables.machine_prices,
        "services": tables.service_prices,
    }
    lines: list[Line] = []
    for kind in KINDS.values():
        days = [row.effective_from for row in dated.get(kind.name, ())]
        names = {line["name"] for line in on_offer(kind.lines(catalogue, snapshot, scale))}
        lines.append(
            {
                "kind": kind.name,
                "holds": kind.holds,
                "names": len(names),
                "dated_prices": len(days) if days else None,
                "first_price": min(days, default=None),
                "newest_price": max(days, default=None),
            }
        )
    return Overview(
        catalogue_digest=catalogue.digest,
        first_day=catalogue.first_day,
        last_day=catalogue.last_day,
        as_of=snapshot.as_of,
        region=snapshot.region,
        lines=tuple(lines),
    )


def on_offer(lines: list[Line]) -> list[Line]:
    """The lines without those of retired or delisted offers."""
    return [line for line in lines if line.get("status", ON_OFFER) == ON_OFFER]


def listing(
    catalogue: Catalogue, snapshot: Snapshot, kind: Kind, scale: str, filters: dict[str, str], retired: bool
) -> Listing:
    """The lines of a kind that pass every filter.

    A filter is a column and what must stand in it; ``*`` stands for anything, a ``name`` need only contain it.

    Raises:
        SpecError: if a filter names a column that the kind lacks.
        NoDataError: if no line passes them all.
    """
    lines = kind.lines(catalogue, snapshot, scale)
    kept = lines if retired else on_offer(lines)
    for column, wanted in filters.items():
        if lines and column not in lines[0]:
            able = [f"--{name}" for name in FILTERS if name in lines[0]]
            raise SpecError(
                f"--{column} {wanted} does not fit: {kind.name} have no {column}",
                expected=f"filters among {', '.join(able)}",
                do=f"Leave --{column} out",
            )
        kept = [line for line in kept if _passes(line, column, wanted)]
    if not kept:
        raise _nothing(kind, snapshot, lines, filters, retired)
    return Listing(
        catalogue_digest=catalogue.digest,
        as_of=snapshot.as_of,
        region=snapshot.region,
        kind=kind.name,
        columns=_columns(kind, kept, retired),
        lines=tuple(kept),
    )


def _nothing(kind: Kind, snapshot: Snapshot, lines: list[Line], filters: dict[str, str], retired: bool) -> NoDataError:
    """The error that says which filter keeps everything out, with near matches."""
    asked = " and ".join(f"--{column} {wanted}" for column, wanted in filters.items())
    near: list[str] = []
    for column, wanted in filters.items():
        if not any(_passes(line, column, wanted) for line in lines):
            near += near_matches(wanted, {str(line[column]) for line in lines if line[column] is not None})
    drop = "Drop a filter, or add --retired" if kind.name == "offers" and not retired else "Drop a filter"
    return NoDataError(
        f"no {kind.name} on {snapshot.as_of}" + (f" with {asked}" if asked else ""),
        expected=f"what one of {len(lines):,} {kind.name} known on that day has" if lines else "a later day",
        do=f"Did you mean: {', '.join(near)}?" if near else drop if lines else "Take a later --as-of",
    )


def _passes(line: Line, column: str, wanted: str) -> bool:
    value = str(line[column] if line[column] is not None else "unknown").lower()
    pattern = wanted.lower().removeprefix(ML) if column == "name" else wanted.lower()
    if "*" in pattern:
        return fnmatchcase(value, pattern)
    return pattern in value if column == "name" else pattern == value


def _columns(kind: Kind, lines: list[Line], retired: bool) -> tuple[str, ...]:
    """The columns of the kind's table, with those that only some lines need."""
    extra = [name for name in ("own_usd_per_hour", "own_rented_usd_per_hour") if any(name in line for line in lines)]
    extra += ["status"] if retired and kind.name == "offers" else []
    return (*kind.columns, *extra)
