"""Files of one form, read as one table: which layout they have, and how the engine must open them."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from breakeven.errors import SpecError
from breakeven.logs.fields import field, value_at
from breakeven.logs.files import Compression
from breakeven.logs.layouts import LAYOUTS, Layout, Role, TimeForm, layout_of
from breakeven.logs.problems import Problems
from breakeven.logs.samples import Form, Sample
from breakeven.wording import Quoted, Wording, joined, quoting, worded

NEAR = 0.5
"""A file that holds this share of what a form needs is told to look like it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Files that are read together."""

    paths: tuple[str, ...]
    form: Form
    compression: Compression
    delimiter: str
    columns: tuple[str, ...]
    layout: Layout
    time: TimeForm
    zoned: bool
    """Whether the first times carry their zone, or need none."""
    numbers: frozenset[str]
    """Paths whose first values are JSON numbers."""
    shown: frozenset[Role]
    """Roles that the first records give."""
    blocks: bool
    """Whether the first records hold hashes of prefix blocks."""
    rows: float

    @property
    def has(self) -> frozenset[Role]:
        """The roles that the files can hold."""
        return frozenset(role for role, paths in self.layout.fields.items() if any(map(self.holds, paths)))

    def holds(self, path: str) -> bool:
        """Whether the files may hold a path: JSON may hold anything, a table only its columns."""
        return not self.columns or field(path).names[0] in self.columns


def batches(samples: Iterable[Sample], columns: Mapping[Role, str] | None, problems: Problems) -> list[Batch]:
    """The files by form and layout; files of no known form are told to ``problems``."""
    named = layout_of(columns) if columns else None
    groups: dict[tuple[Any, ...], list[Sample]] = defaultdict(list)
    layouts: dict[str, Layout] = {}
    for one in samples:
        if not one.records:
            problems.add("files", "it has a header but no records", [one.file.path])
            continue
        layout = _layout(one, named, problems)
        if layout is None:
            continue
        layouts[one.file.path] = layout
        time = _time_form(one, layout, problems)
        if time is None:
            continue
        zoned = time != "text" or layout.zone is not None or _says_zone(one, layout)
        key = (one.form, one.file.compression, one.delimiter, one.columns, one.types, id(layout), time, zoned)
        groups[key].append(one)
    return [_batch(group, layouts[group[0].file.path], key[6], key[7]) for key, group in groups.items()]


def _batch(group: list[Sample], layout: Layout, time: TimeForm, zoned: bool) -> Batch:
    paths = {path for paths in layout.fields.values() for path in paths}
    first = group[0]
    return Batch(
        paths=tuple(one.file.path for one in group),
        form=first.form,
        compression=first.file.compression,
        delimiter=first.delimiter,
        columns=first.columns,
        layout=layout,
        time=time,
        zoned=zoned,
        numbers=frozenset(path for path in paths if _all_numbers(group, path)),
        shown=frozenset(
            role for role, held in layout.fields.items() if any(_shows(one, path) for one in group for path in held)
        ),
        blocks=any(layout.blocks in record for one in group for record in one.records),
        rows=sum(one.rows for one in group),
    )


def _shows(one: Sample, path: str) -> bool:
    """Whether one of the first records gives a value; a text that is JSON is searched for the name."""
    wanted = field(path)
    if wanted.inside is None:
        return any(value_at(record, path) not in (None, "") for record in one.records)
    texts = (value_at(record, path.partition("~")[0]) for record in one.records)
    return any(f'"{wanted.inside}"' in (text if isinstance(text, str) else json.dumps(text)) for text in texts)


def _layout(one: Sample, named: Layout | None, problems: Problems) -> Layout | None:
    if named:
        paths = [path for path in named.needs[0] if not _in(one, path)]
        if not paths:
            return named
        held = ", ".join((one.columns or sorted(one.paths))[:8])
        reason = quoting("it has no column {missing} (it has {held})", missing=_without(paths), held=held)
        problems.add("files", reason, [one.file.path])
        return None
    found = next((layout for layout in LAYOUTS if any(needs <= one.paths for needs in layout.needs)), None)
    if found is None:
        problems.add("files", _unknown(one), [one.file.path])
    return found


def _in(one: Sample, path: str) -> bool:
    if one.form in ("csv", "parquet"):
        return field(path).names[0] in one.columns
    return any(value_at(record, path) is not None for record in one.records) or path in one.paths


def _without(names: Iterable[str]) -> Wording:
    return joined(" and no ", map(Quoted, sorted(names)))


def _unknown(one: Sample) -> str:
    shares = [(len(needs & one.paths) / len(needs), layout, needs) for layout in LAYOUTS for needs in layout.needs]
    share, layout, needs = max(shares, key=lambda found: found[0])
    if share >= NEAR and share * len(needs) > 1:
        missing = _without(needs - one.paths)
        return quoting("it looks like a {layout}, but has no {missing}", layout=layout.name, missing=missing)
    return "its columns are of no known log: name them with --columns time=...,input=...,output=..."


def _time_form(one: Sample, layout: Layout, problems: Problems) -> TimeForm | None:
    """How the times are written; a layout of the user's own is judged by the first of them."""
    if layout.time != "text":
        return layout.time
    value = _first(one, layout.fields["time"])
    if value is None:
        problems.add("files", "its first records have no time", [one.file.path])
        return None
    try:
        number = abs(float(value))
    except (TypeError, ValueError):
        return "text"
    forms: dict[float, TimeForm] = {1e11: "s", 1e14: "ms", 1e17: "us"}
    return next((form for limit, form in forms.items() if number < limit), "ns")


def _first(one: Sample, paths: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON value
    values = (value_at(record, path) for record in one.records for path in paths)
    return next((value for value in values if value not in (None, "")), None)


def _says_zone(one: Sample, layout: Layout) -> bool:
    if one.form == "parquet":
        kinds = dict(zip(one.columns, one.types, strict=True))
        kind = kinds.get(field(layout.fields["time"][0]).names[0], "")
        return "tz=" in kind or not kind.startswith("timestamp")
    return says_zone(str(_first(one, layout.fields["time"])))


def says_zone(text: str) -> bool:
    """Whether a written time carries its zone.

    >>> [says_zone(t) for t in ("2026-01-01T00:00:00Z", "2026-01-01 00:00:00+02", "2026-01-01 00:00:00")]
    [True, True, False]
    """
    clock = text.strip()[10:]
    return clock.endswith(("Z", "z", "UTC", "GMT")) or "+" in clock or "-" in clock


def _all_numbers(group: list[Sample], path: str) -> bool:
    values = [value for one in group for record in one.records if (value := value_at(record, path)) is not None]
    return bool(values) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def check_zone(found: Iterable[Batch], zone: str | None) -> None:
    """Ask for the time zone where the times do not carry one and their source says none.

    Raises:
        SpecError: if a zone is needed and none is given.
    """
    for batch in found:
        if not batch.zoned and zone is None:
            raise SpecError(
                worded(
                    "the times in {path} carry no time zone, and {whose} says none",
                    path=Quoted(batch.paths[0]),
                    whose=_whose(batch),
                ),
                expected="a zone, so that the hours of the day are the right ones",
                do="Add --time-zone UTC, or the zone that the clock had, for example --time-zone Europe/Berlin",
            )


def _whose(batch: Batch) -> str:
    if batch.layout.name == "columns as named":
        return "nothing"
    return quoting("the description of the {layout}", layout=batch.layout.name)
