"""How fast the gateway is beside LiteLLM's proxy, in one run and one table.

    python tools/bench_gateway.py              both; the first run installs LiteLLM into .peers/ (500 MB on disk)
    python tools/bench_gateway.py --no-peer    ours alone
    python tools/bench_gateway.py --only one busy

Needs two cores, `wrk` and a C compiler (Debian: wrk, gcc). What each row means: docs/reference/benchmarks.md.
"""

import argparse
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from rich.console import Console
from rich.table import Table

from bench import BUSY, BUSY_LOAD, BenchError
from breakeven import __version__
from gateway_load.measure import (
    BUSY_CLIENTS,
    FRAME_EVERY_US,
    FRAMES,
    LIMITS_MS,
    STREAMS,
    STREAMS_STARTED_OVER_S,
    Side,
    Target,
    closed,
    compile_load,
    load,
    measure,
)
from gateway_load.sides import install_litellm, litellm, ours, upstream

WIDTH = 132
STEPS = ("one", "busy", "rates", "streams")
Start = Callable[[Target], AbstractContextManager[Target]]
Row = tuple[str, str, str, str, str]
WANT_RPS, WANT_P99, WANT_ADDED_MS, WANT_FIRST_MS, WANT_MEMORY = 30.0, 1 / 20, 1.0, 5.0, 1.10


def missing_tools() -> list[str]:
    """What has to be installed first."""
    missing = [tool for tool in ("wrk", "cc", "taskset", "curl") if shutil.which(tool) is None]
    if len(os.sched_getaffinity(0)) < 2:
        missing.append("a second processor core")
    return missing


def direct(behind: Target, seconds: int, steps: list[str]) -> Side:
    """The upstream without anything before it: what the load itself costs."""
    side = Side(name="direct")
    closed(behind, BUSY_CLIENTS, 1)
    if "one" in steps:
        side.one = closed(behind, 1, seconds)
    if "busy" in steps:
        side.busy = closed(behind, BUSY_CLIENTS, seconds)
    if "streams" in steps:
        side.streams = load(behind, "streams", STREAMS, STREAMS_STARTED_OVER_S, FRAMES, limit_s=120)
    return side


def judged(value: float | None, limit: float, *, at_least: bool = False) -> str:
    """A goal and whether it is kept."""
    sign = "≥" if at_least else "≤"
    if value is None:
        return f"{sign} {limit:.3g}"
    kept = value >= limit if at_least else value <= limit
    return f"{sign} {limit:.3g}  {'[green]kept[/]' if kept else '[red]missed[/]'} ({value:.3g})"


def ratio(mine: float | None, its: float | None) -> float | None:
    """Ours over theirs, where both are known."""
    return mine / its if mine is not None and its else None


def cell(value: float | None, digits: int = 2) -> str:
    """One number of the table."""
    return "-" if value is None else f"{value:,.{digits}f}"


def closed_rows(bare: Side, mine: Side, peer: Side) -> Iterator[Row]:
    """Clients that wait for their answers."""
    one = [side.one for side in (bare, mine, peer)]
    p50, p99 = ([getattr(run, name) if run else None for run in one] for name in ("p50_ms", "p99_ms"))
    added = p50[1] - p50[0] if p50[0] is not None and p50[1] is not None else None
    yield "1 client: p50, ms", cell(p50[0]), cell(p50[1]), "", cell(p50[2])
    its_added = p50[2] - p50[0] if p50[0] is not None and p50[2] is not None else None
    yield "  added by the gateway, ms", "", cell(added), judged(added, WANT_ADDED_MS), cell(its_added)
    yield "  p99, ms", cell(p99[0]), cell(p99[1]), "", cell(p99[2])
    busy = [side.busy for side in (bare, mine, peer)]
    rps, b50, b99 = ([getattr(run, name) if run else None for run in busy] for name in ("rps", "p50_ms", "p99_ms"))
    faster, later = ratio(rps[1], rps[2]), ratio(b99[1], b99[2])
    want = f"{judged(faster, WANT_RPS, at_least=True)} x LiteLLM's"
    yield f"{BUSY_CLIENTS} clients: requests/s", cell(rps[0], 0), cell(rps[1], 0), want, cell(rps[2], 0)
    yield "  p50, ms", cell(b50[0]), cell(b50[1]), "", cell(b50[2])
    yield "  p99, ms", cell(b99[0]), cell(b99[1]), f"{judged(later, WANT_P99)} x LiteLLM's", cell(b99[2])
    failed = [str(run.failed) if run else "-" for run in busy]
    yield "  failed requests", failed[0], failed[1], "", failed[2]
    less = ratio(mine.cpu_us, peer.cpu_us)
    told = f"{less:.3g} of LiteLLM's" if less else ""
    yield "  processor time, µs a request", "", cell(mine.cpu_us, 0), told, cell(peer.cpu_us, 0)


def open_rows(mine: Side, peer: Side) -> Iterator[Row]:
    """Load that does not wait."""
    for limit_ms in LIMITS_MS:
        at = [side.rates.get(limit_ms) for side in (mine, peer)]
        shown = [
            cell(rate, 0) if rate else ("none" if side.rates else "-")
            for rate, side in zip(at, (mine, peer), strict=True)
        ]
        yield f"requests/s with p99 < {limit_ms:g} ms", "", shown[0], "", shown[1]


def stream_rows(bare: Side, mine: Side, peer: Side) -> Iterator[Row]:
    """Streams, frame by frame."""
    told = [side.streams for side in (bare, mine, peer)]
    for name, key in (
        ("at once", "at_once"),
        ("frames received", "frames"),
        ("lost", "lost"),
        ("out of order", "disordered"),
    ):
        values = [cell(run[key], 0) if run else "-" for run in told]
        goal = judged(told[1][key], 0) if told[1] and key in {"lost", "disordered"} else ""
        yield f"{STREAMS:,} streams: {name}", values[0], values[1], goal, values[2]
    for name, key in (("first frame", "first_ms"), ("any frame", "ms")):
        for quantile in ("p50", "p99"):
            delays = [run[key][quantile] if run and run[key] else None for run in told]
            added = [delay - delays[0] if delay is not None and delays[0] is not None else None for delay in delays]
            goal = judged(added[1], WANT_FIRST_MS) if (key, quantile) == ("first_ms", "p50") else ""
            yield f"  {name} delayed, {quantile}, ms", "", cell(added[1]), goal, cell(added[2])


def memory_rows(mine: Side, peer: Side) -> Iterator[Row]:
    """Memory before the load, ten seconds after it, and after the streams once more."""
    for place, when in enumerate(("before", "10 s after the load", "after the streams again")):
        values = [side.memory_mb[place] if len(side.memory_mb) > place else None for side in (mine, peer)]
        goal = ""
        if place:
            before = mine.memory_mb[place - 1] if len(mine.memory_mb) > place else None
            goal = f"{judged(ratio(values[0], before), WANT_MEMORY)} x"
        yield f"memory {when}, MB", "", cell(values[0], 0), goal, cell(values[1], 0)


def show(console: Console, sides: tuple[Side, Side, Side], version: str, began: float) -> None:
    """Print the one table and what is to be known about it."""
    bare, mine, peer = sides
    loads = f"load {began:.1f} before and {os.getloadavg()[0]:.1f} after"
    table = Table(title=f"breakeven {__version__}; {os.cpu_count()} cores, Python {platform.python_version()}, {loads}")
    table.add_column("What", no_wrap=True)
    table.add_column("direct", justify="right", no_wrap=True)
    table.add_column("breakeven", justify="right", no_wrap=True)
    table.add_column("Goal", no_wrap=True)
    table.add_column(f"LiteLLM {version}".strip(), justify="right", no_wrap=True)
    for rows in (
        closed_rows(bare, mine, peer),
        open_rows(mine, peer),
        stream_rows(bare, mine, peer),
        memory_rows(mine, peer),
    ):
        for row in rows:
            table.add_row(*row)
    console.print(table)
    notes = (
        "The gateway has one core, the load and the upstream the other.",
        "breakeven: virtual keys, a budget, routing and metering on. LiteLLM: one worker, a master key, no database, "
        "so it checks no budget and keeps no usage.",
        f"Streams: {FRAMES} frames each, one every {FRAME_EVERY_US // 1000} ms; delays less those of the load itself.",
        "requests/s with p99 below: load that does not wait for answers, at random moments; the rates tried are "
        "5, 10, 20, ... 100 % of the requests/s at 32 clients.",
    )
    busy = (BUSY,) if began > BUSY_LOAD else ()
    for note in (*busy, *mine.missing, *peer.missing, *notes):
        console.print(f"- {note}", markup=False, highlight=False)


def main() -> int:
    """Measure, then print; 1 if something of ours could not be measured."""
    asks = argparse.ArgumentParser(description="How fast the gateway is beside LiteLLM's proxy.")
    asks.add_argument("--no-peer", action="store_true", help="measure ours alone")
    asks.add_argument("--no-ours", action="store_true", help="measure LiteLLM alone")
    asks.add_argument("--seconds", type=int, default=10, help="how long each closed load lasts (default 10)")
    asks.add_argument("--only", nargs="+", choices=STEPS, default=list(STEPS), help="leave the other rows out")
    asked = asks.parse_args()
    if missing := missing_tools():
        print(f"bench-gateway needs {', '.join(missing)} (on Debian: apt-get install wrk gcc util-linux curl)")
        return 1
    compile_load()
    began = os.getloadavg()[0]
    mine, peer, version = Side(name="breakeven"), Side(name="LiteLLM"), ""
    with upstream() as behind:
        bare = direct(behind, asked.seconds, asked.only)
        if not asked.no_ours:
            measure_side(mine, ours, behind, asked)
        if not asked.no_peer:
            try:
                version = install_litellm()
            except (BenchError, OSError) as why:
                peer.missing.append(f"LiteLLM could not be installed: {why}")
            else:
                measure_side(peer, litellm, behind, asked)
    show(Console(width=WIDTH), (bare, mine, peer), version, began)
    return 1 if mine.missing else 0


def measure_side(side: Side, start: Start, behind: Target, asked: argparse.Namespace) -> None:
    """Start a gateway, measure it, end it; why it could not be is told beside the table."""

    def all_of_it() -> None:
        with start(behind) as target:
            measure(side, target, asked.seconds, asked.only)

    side.attempt("start", all_of_it)


if __name__ == "__main__":
    raise SystemExit(main())
