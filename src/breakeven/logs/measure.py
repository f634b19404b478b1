"""What a usage log says of the workload: the measurement behind ``breakeven workload``."""

from collections.abc import Sequence
from dataclasses import dataclass

from breakeven.catalogue.load import Catalogue
from breakeven.errors import SpecError
from breakeven.logs.histogram import Histogram, cut, histogram, split
from breakeven.logs.layouts import TEXTS
from breakeven.logs.locate import tell_unusable
from breakeven.logs.log import Log, nothing_usable
from breakeven.logs.prefixes import by_bin, reusable, with_prefixes
from breakeven.logs.problems import Problem
from breakeven.logs.rows import Wanted
from breakeven.logs.shapes import Kind, kinds, moments, quantiles
from breakeven.logs.traffic import Period, Traffic, traffic
from breakeven.wording import quoting

QUANTILES = (0.5, 0.95, 0.99)
MOST_GROUPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """One count of tokens over the requests: its mean and quantiles."""

    mean: float
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One workload: all requests of the log, or those of one group."""

    group: dict[str, str]
    requests: int
    rows: int
    failed: int
    first_us: int
    last_us: int
    input: Tokens
    output: Tokens
    cached_share: float | None
    """Share of the input tokens read from a cache; ``None`` if the log does not say."""
    cache_write_share: float | None
    reusable_share: float | None
    """Share of the input tokens that a cache which forgets nothing could have reused."""
    reasoning_share: float | None
    """Share of the output tokens that is reasoning."""
    retries: int | None
    kinds: tuple[Kind, ...]
    kept: dict[str, float]
    """How much of E[input x output] and E[output^2] the kinds keep, 1 = all."""
    traffic: Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Everything that was found, largest group first."""

    files: int
    layouts: tuple[str, ...]
    period: Period
    workloads: tuple[Measurement, ...]
    not_calls: int
    problems: tuple[Problem, ...]


def check_groups(groups: Sequence[str]) -> None:
    """Refuse a grouping that no log has.

    Raises:
        SpecError: if one of the names is not known.
    """
    for name in groups:
        if name not in TEXTS:
            raise SpecError(
                quoting("--group-by {name} is not known", name=name),
                expected=quoting("one or more of {names}", names=", ".join(TEXTS)),
                do="Correct it",
            )


def measure(log: Log, groups: Sequence[str], catalogue: Catalogue) -> Measured:
    """Measure a log, in one pass (and one more over prefix blocks, where there are any).

    Raises:
        SpecError: if no row of it can be used, or a group is not in it.
    """
    check_groups(groups)
    _check_has(log, groups)
    wanted = Wanted(texts=tuple(groups), zone=log.asked.zone)
    how = cut(log.has, log.estimated_rows, groups, thresholds(catalogue))
    lines = log.run(histogram(log.rows(wanted), how))
    found, unusable, not_calls = split(lines, groups)
    log.tell_rejected()
    tell_unusable(log, unusable, wanted)
    found = [one for one in found if one.total("requests")]
    if not found:
        raise nothing_usable(log.asked.shown, log.problems)
    _check_few(found, groups)
    period = _period(log, found)
    prefix = _prefixes(log, wanted)
    return Measured(
        files=sum(len(one.paths) for one in log.batches),
        layouts=tuple(dict.fromkeys(one.layout.name for one in log.batches)),
        period=period,
        workloads=tuple(_measurement(one, groups, log, period, how.every, prefix) for one in found),
        not_calls=not_calls,
        problems=log.problems.found,
    )


def thresholds(catalogue: Catalogue) -> tuple[int, ...]:
    """The lengths of prompt at which some price changes."""
    return tuple(sorted({row.above_input_tokens for row in catalogue.tables.api_prices} - {0}))


def _check_has(log: Log, groups: Sequence[str]) -> None:
    for name in groups:
        if name not in log.has:
            raise SpecError(
                quoting("--group-by {name}, but the log does not say {name}", name=name),
                expected=quoting("one of {names}", names=", ".join(told))
                if (told := sorted(set(TEXTS) & log.has))
                else "one of nothing: the log tells no groups",
                do=quoting("Leave it out, or name the column: --columns {name}=...", name=name),
            )


def _check_few(found: Sequence[Histogram], groups: Sequence[str]) -> None:
    if len(found) > MOST_GROUPS:
        raise SpecError(
            quoting("--group-by {names} gives {count:,} groups", names=",".join(groups), count=len(found)),
            expected=quoting("at most {most:,}, one workload each", most=MOST_GROUPS),
            do="Group by something coarser, for example model or team",
        )


def _period(log: Log, found: Sequence[Histogram]) -> Period:
    relative = {one.time == "relative_ms" for one in log.batches}
    if len(relative) > 1:
        raise SpecError(
            "some files count time from their own beginning, others by the calendar",
            expected="files of one kind",
            do="Read them one after the other",
        )
    first, last = min(one.first_us for one in found), max(one.last_us for one in found)
    return Period(first_us=first, last_us=last, relative=relative.pop())


def _prefixes(log: Log, wanted: Wanted) -> dict[tuple[int, int], int] | None:
    """Reusable input tokens by bin; ``None`` if the log has no prefix blocks."""
    blocks = [one for one in log.batches if one.blocks]
    if not blocks or len(blocks) < len(log.batches):
        return None
    tokens: dict[tuple[int, int], int] = {}
    for one in blocks:
        for key, count in by_bin(log.run(reusable(log.engine, one, wanted))).items():
            tokens[key] = tokens.get(key, 0) + count
    return tokens


def _measurement(
    found: Histogram,
    groups: Sequence[str],
    log: Log,
    period: Period,
    every: int,
    prefix: dict[tuple[int, int], int] | None,
) -> Measurement:
    seen = found if prefix is None else with_prefixes(found, prefix)
    mix = kinds(seen)
    input_total, output_total = seen.total("input"), seen.total("output")
    exact = float(found.input_x_output.sum()), float(found.output_squared.sum())
    kept = [
        part * found.total("requests") / whole if whole else 1.0
        for part, whole in zip(moments(mix), exact, strict=True)
    ]
    return Measurement(
        group={name: value or "" for name, value in zip(groups, found.group, strict=True)},
        requests=found.total("requests"),
        rows=found.total("rows"),
        failed=found.failed,
        first_us=found.first_us,
        last_us=found.last_us,
        input=_tokens(found, "input"),
        output=_tokens(found, "output"),
        cached_share=_share(found.total("cached"), input_total, "cached" in log.shows),
        cache_write_share=_share(found.total("cache_write"), input_total, "cache_write" in log.shows),
        reusable_share=None if prefix is None else _share(seen.total("cached"), input_total, True),
        reasoning_share=_share(found.total("reasoning"), output_total, "reasoning" in log.shows),
        retries=found.total("retries") if "retries" in log.shows else None,
        kinds=mix,
        kept={"input_x_output": kept[0], "output_squared": kept[1]},
        traffic=traffic(found, period, every),
    )


def _tokens(found: Histogram, name: str) -> Tokens:
    bins = found.input_bin if name == "input" else found.output_bin
    p50, p95, p99 = quantiles(bins, found.sums["requests"], found.sums[name], QUANTILES)
    return Tokens(mean=found.total(name) / found.total("requests"), p50=p50, p95=p95, p99=p99)


def _share(part: int, whole: int, said: bool) -> float | None:
    """A share; ``None`` where no row has such tokens and none of the first even names them."""
    return part / whole if whole and (said or part) else None
