"""The requests of a log one by one, to be replayed: when each came and how many tokens it had.

More traffic of the same kind is more people with the same habits, so a trace is multiplied by laying copies of it
over each other, each shifted by some minutes: the rhythm of the hours stays, tokens stay together as they came, and
what is a burst of one group falls beside those of the others. Less traffic is a random part of the requests. Either
way bursts even out with growing traffic as they do where users do not know of each other. Squeezing the time of one
copy instead would make everybody click faster, and a surge of minutes one of seconds.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from breakeven.errors import SpecError
from breakeven.logs.histogram import Ints
from breakeven.logs.locate import tell_unusable
from breakeven.logs.log import Log, nothing_usable
from breakeven.logs.problems import Problem
from breakeven.logs.rows import FAILED, NO_CALL, USABLE, Wanted
from breakeven.logs.times import US_PER_MINUTE, US_PER_SECOND
from breakeven.options.columns import Floats

MOST_REQUESTS = 20_000_000
LONGEST_SHIFT_US = 10 * US_PER_MINUTE
"""By how much a copy is shifted at most: longer than most bursts, shorter than the rhythm of the day."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """Requests in the order in which they came."""

    at_s: Floats
    """From the first one."""
    input: Floats
    cached: Floats
    """The part of the input that the log says was read from a cache."""
    output: Floats
    layouts: tuple[str, ...] = ()
    failed: int = 0
    """Requests that the log says failed; they are not replayed."""
    first_us: int | None = None
    """When it begins, since 1970 UTC; ``None`` for a log that counts from its own beginning."""
    problems: tuple[Problem, ...] = ()

    @property
    def span_s(self) -> float:
        """From the first request to the last."""
        return float(self.at_s[-1])

    @property
    def requests_per_s(self) -> float:
        """On average."""
        return len(self.at_s) / self.span_s


def read_trace(log: Log) -> Trace:
    """The requests of an opened log.

    Raises:
        SpecError: no row can be used, rows stand for many requests or all have the same time, or there are too many.
    """
    if log.estimated_rows > 2 * MOST_REQUESTS:
        raise _too_many(round(log.estimated_rows))
    if "requests" in log.has:
        raise SpecError(
            "the rows of this log are sums of many requests",
            expected="a log with a row for each request and its time",
            do="Replay another log, or plan with the workload that `breakeven workload` measures in this one",
        )
    wanted = Wanted(zone=log.asked.zone)
    rows = log.rows(wanted)
    bad = rows.filter(rows.kind != USABLE)
    counts = log.run(bad.group_by("kind", "file").agg(rows=bad.count())).to_pylist()
    good = rows.filter(rows.kind == USABLE).order_by("at_us", "input", "output")
    found = log.run(good.select("at_us", "input", "cached", "output"))
    log.tell_rejected()
    tell_unusable(log, {(row["kind"], row["file"]): row["rows"] for row in counts if row["kind"] > NO_CALL}, wanted)
    if not found.num_rows:
        raise nothing_usable(log.asked.shown, log.problems)
    if found.num_rows > MOST_REQUESTS:
        raise _too_many(found.num_rows)
    at_us, into, cached, output = (_wholes(found.column(name)) for name in ("at_us", "input", "cached", "output"))
    relative = {one.time == "relative_ms" for one in log.batches}
    _check_times(at_us, relative)
    return Trace(
        at_s=(at_us - at_us[0]) / US_PER_SECOND,
        input=into.astype(np.float64),
        cached=cached.astype(np.float64),
        output=output.astype(np.float64),
        layouts=tuple(dict.fromkeys(one.layout.name for one in log.batches)),
        failed=sum(row["rows"] for row in counts if row["kind"] == FAILED),
        first_us=None if True in relative else int(at_us[0]),
        problems=log.problems.found,
    )


def _wholes(column: Any) -> Ints:  # noqa: ANN401 - a pyarrow column
    """The numbers themselves, without pandas, which pyarrow's own way loads."""
    found: Any = np.from_dlpack(column.cast("int64").combine_chunks())
    return found  # type: ignore[no-any-return]


def _too_many(count: int) -> SpecError:
    return SpecError(
        f"the log has about {count:,} requests",
        expected=f"at most {MOST_REQUESTS:,} for a replay",
        do="Give some of its files",
    )


def _check_times(at_us: Ints, relative: set[bool]) -> None:
    if len(relative) > 1:
        raise SpecError(
            "some files count time from their own beginning, others by the calendar",
            expected="files of one kind",
            do="Replay them one after the other",
        )
    if at_us[0] == at_us[-1]:
        raise SpecError(
            f"all {len(at_us):,} requests of the log have the same time",
            expected="the time at which each request came",
            do="Name the column that holds it: --columns time=...",
        )


def refused_scale(factor: float) -> SpecError:
    """The message for a factor that is none."""
    return SpecError(f"--scale is {factor:g}", expected="a number above 0", do="1 replays the log as it came")


def scaled(trace: Trace, factor: float, seed: int) -> Trace:
    """The trace with ``factor`` times the traffic: shifted copies of it, and a random part of one more.

    >>> one = Trace(at_s=np.arange(1000.0), input=np.ones(1000), cached=np.zeros(1000), output=np.ones(1000))
    >>> len(scaled(one, 3.0, seed=0).at_s), scaled(one, 1.0, seed=0) is one
    (3000, True)

    Raises:
        SpecError: the factor is no number above 0, leaves nothing, or gives too many.
    """
    if not 0 < factor < math.inf:
        raise refused_scale(factor)
    if factor == 1:
        return trace
    count = len(trace.at_s)
    if factor * count > MOST_REQUESTS:
        raise SpecError(
            f"--scale {factor:g} gives {factor * count:,.0f} requests",
            expected=f"at most {MOST_REQUESTS:,}",
            do=f"Scale by {MOST_REQUESTS / count:.0f} at most",
        )
    rng, span = np.random.default_rng(seed), trace.span_s
    copies, part = divmod(factor, 1.0)
    times, origins = [], []
    for number in range(int(copies) + (part > 0)):
        kept = np.arange(count) if number < copies else np.flatnonzero(rng.random(count) < part)
        shift = rng.uniform(0, min(LONGEST_SHIFT_US / US_PER_SECOND, span)) if number else 0.0
        times.append((trace.at_s[kept] + shift) % span if number else trace.at_s[kept])
        origins.append(kept)
    at_s, origin = np.concatenate(times), np.concatenate(origins)
    if len(at_s) < 2:
        raise SpecError(
            f"--scale {factor:g} leaves {len(at_s)} of {count:,} requests", expected="2 or more", do="Scale by more"
        )
    order = np.argsort(at_s, kind="stable")
    return Trace(
        at_s=at_s[order] - at_s[order[0]],
        input=trace.input[origin[order]],
        cached=trace.cached[origin[order]],
        output=trace.output[origin[order]],
        layouts=trace.layouts,
        failed=trace.failed,
        first_us=trace.first_us,
        problems=trace.problems,
    )
