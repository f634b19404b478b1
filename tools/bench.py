"""How fast breakeven is beside the installable peer, in one run and one table.

    python tools/bench.py            every row; the first run installs the peer into .peers/ (850 MB on disk)
    python tools/bench.py --no-peer  breakeven alone
    python tools/bench.py --runs 9   more runs of each row

What each row means, and what it does not: docs/reference/benchmarks.md.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from breakeven import Catalogue, Workload, __version__, load_catalogue, plan
from breakeven.units import MICROSECONDS_PER_SECOND

ROOT = Path(__file__).parent.parent
BIN = ROOT / ".venv" / "bin"
SPEC = "examples/chat-assistant.yaml"
PEER = "aiconfigurator"
PEER_HOME = ROOT / ".peers" / PEER
PEER_PINS = Path(__file__).parent / "bench_peers.txt"
EXPERIMENT_FILE = ROOT / ".peers" / "experiment.yaml"
RUN_LIMIT_S, INSTALL_LIMIT_S = 120.0, 900.0
WARM_CALLS = 4  # for each run of a command: calls are short, so a neighbour's burst of work must not be their median
BYTES_PER_MB = 10**6
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux KiB

# The same tokens on both sides. Ours without a latency target, which would rule options out and save time.
INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS_PER_DAY = 1500, 400, 1_000_000
WEEK = "azure-chat-168h"  # every hour of the week another load: the most that a plan can be asked to size

COMPARE = (
    *(str(BIN / "breakeven"), "compare", "--requests-per-day", str(REQUESTS_PER_DAY)),
    *("--input-tokens", str(INPUT_TOKENS), "--output-tokens", str(OUTPUT_TOKENS)),
)
COMPARE_WEEK = (*COMPARE, "--profile", WEEK)
COMPARE_SPEC = (str(BIN / "breakeven"), "compare", SPEC)
# `pareto_sweep: False` asks for one latency target, as our plan has; the peer's default looks at 75 of them.
EXPERIMENT = {
    "model_path": "Qwen/Qwen3-32B",
    "system_name": "h100_sxm",
    "total_gpus": 8,
    "backend_name": "vllm",
    "serving_mode": "agg",
    "isl": INPUT_TOKENS,
    "osl": OUTPUT_TOKENS,
    "ttft": 2000.0,
    "tpot": 50.0,
    "pareto_sweep": False,
}
# Runs in the peer's own Python. Configurations are counted in a call that is not timed.
PEER_CALLS = """
import json, logging, sys, time
from aiconfigurator.cli import cli_exp
from aiconfigurator.sdk import sweep

logging.disable(logging.CRITICAL)

def call():
    began = time.perf_counter()
    cli_exp(yaml_path=sys.argv[1])
    return time.perf_counter() - began

first_s = call()
warm_s = [call() for _ in range(int(sys.argv[2]))]
points, evaluate = [], sweep.predict_agg_worker
sweep.predict_agg_worker = lambda **point: points.append(1) or evaluate(**point)
call()
print(json.dumps({"first_s": first_s, "warm_s": warm_s, "count": len(points)}))
"""
MODEL, SYSTEM, ENGINE = (EXPERIMENT[name] for name in ("model_path", "system_name", "backend_name"))
BUSY_LOAD, BUSY = 1.0, "Other programs kept the processors busy: these times are too long. Run it again when they rest."
NOTES = (
    "Each cell: best / median of the runs. A goal is held against the median; memory against the highest peak.",
    "Not the same work. breakeven plans every model, machine, number format and API offer of its catalogue with "
    "prices, hour by hour. aiconfigurator searches parallel and batch configurations of one model on one GPU "
    f"system ({MODEL} on 8 GPUs of {SYSTEM}, {ENGINE}) from measured kernel times; it knows no price.",
    "Evaluated: of breakeven, the options left to compete, all sized and priced (speed once per model, format, "
    "machine and parallelism; serving path and purchase term multiply money only); of aiconfigurator, the "
    "configurations it predicts.",
)

T = TypeVar("T")
Row = tuple[str, object | None, str, object | None]


class BenchError(Exception):
    """Something could not be measured; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The same thing done several times."""

    seconds: tuple[float, ...]
    peak_bytes: int = 0

    @property
    def median_s(self) -> float:
        """The middle run."""
        return statistics.median(self.seconds)

    def after(self, start: "Runs") -> "Runs":
        """The same runs without the median start of a bare interpreter."""
        return Runs(seconds=tuple(max(run - start.median_s, 0.0) for run in self.seconds))

    def __str__(self) -> str:
        if len(self.seconds) == 1:
            return f"{self.median_s:.3f} s"
        return f"{min(self.seconds):.3f} / {self.median_s:.3f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Calls from Python: the first of its process, then warm ones, and how much each of them looks at."""

    first: Runs
    warm: Runs
    considered: int
    evaluated: int

    @property
    def per_evaluated(self) -> str:
        """Best / median time of a warm call, divided by what it evaluates."""
        best, median = (
            seconds * MICROSECONDS_PER_SECOND / self.evaluated
            for seconds in (min(self.warm.seconds), self.warm.median_s)
        )
        return f"{best:,.1f} / {median:,.1f} µs"


@dataclass(slots=True, kw_only=True)
class Side:
    """All that was measured of one program: ``None`` where it could not be, and why in ``missing``."""

    start: Runs | None = None
    imported: Runs | None = None
    needed: Runs | None = None
    cold: Runs | None = None
    cold_week: Runs | None = None
    cold_spec: Runs | None = None
    calls: Calls | None = None
    week: Runs | None = None
    missing: list[str] = field(default_factory=list)

    @property
    def peak_bytes(self) -> int | None:
        """The highest peak of resident memory of the commands."""
        return max((runs.peak_bytes for runs in (self.cold, self.cold_week, self.cold_spec) if runs), default=None)


class Progressing:
    """What is being measured now, on the terminal."""

    def __init__(self, bar: Progress, steps: int) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=steps)

    def attempt(self, side: Side, what: str, measure: Callable[[], T]) -> T | None:
        """Measure ``what``; ``None``, and the reason on ``side``, if that fails."""
        self._bar.update(self._task, description=what)
        try:
            return measure()
        except (BenchError, OSError, ValueError) as why:
            side.missing.append(f"{what}: not available: {why}")
            return None
        finally:
            self._bar.advance(self._task)


def run_once(*command: str, limit_s: float = RUN_LIMIT_S) -> tuple[float, int, str]:
    """Run a command to its end: seconds, peak resident bytes, its last line.

    Raises:
        BenchError: it failed, or ran longer than ``limit_s``.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        killer = threading.Timer(limit_s, process.kill)
        killer.start()
        _, status, used = os.wait4(process.pid, 0)
        took_s = time.perf_counter() - began
        killer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            how = f"stopped after {limit_s:.0f} s" if took_s >= limit_s else f"exit {process.returncode}"
            raise BenchError(f"{how}, {_last_line(err)}")
        return took_s, used.ru_maxrss * MAXRSS_BYTES, _last_line(out)


def _last_line(file: IO[str]) -> str:
    file.seek(0)
    lines = file.read().strip().splitlines()
    return lines[-1].strip() if lines else "nothing was printed"


def repeat(runs: int, *command: str) -> Runs:
    """Run a command ``runs`` times, each in a new process; one more run before them warms the disk's cache."""
    run_once(*command)
    done = [run_once(*command) for _ in range(runs)]
    return Runs(seconds=tuple(took for took, _, _ in done), peak_bytes=max(peak for _, peak, _ in done))


def measure_processes(side: Side, step: Progressing, runs: int, python: Path, codes: tuple[str, str]) -> None:
    """What starting costs: a bare interpreter, the package, and the names that a call needs."""
    side.start = step.attempt(side, "bare interpreter", partial(repeat, runs, str(python), "-c", "pass"))
    for name, code in zip(("imported", "needed"), codes, strict=True):
        done = step.attempt(side, code, partial(repeat, runs, str(python), "-c", code))
        setattr(side, name, done.after(side.start) if done and side.start else None)


def measure_ours(side: Side, step: Progressing, runs: int) -> None:
    """Everything of breakeven that runs in processes of its own."""
    codes = ("import breakeven", "from breakeven import Workload, load_catalogue, plan")
    measure_processes(side, step, runs, BIN / "python", codes)
    side.cold = step.attempt(side, "breakeven compare, flags", partial(repeat, runs, *COMPARE))
    side.cold_week = step.attempt(side, "breakeven compare, week", partial(repeat, runs, *COMPARE_WEEK))
    side.cold_spec = step.attempt(side, "breakeven compare, spec", partial(repeat, runs, *COMPARE_SPEC))


def measure_peer(side: Side, step: Progressing, runs: int) -> None:
    """The same of the peer, in the environment that `install_peer` made."""
    python = PEER_HOME / "bin" / "python"
    codes = (f"import {PEER}", f"from {PEER}.cli import cli_exp")
    EXPERIMENT_FILE.write_text(json.dumps({"agg": EXPERIMENT}))  # JSON is YAML
    measure_processes(side, step, runs, python, codes)
    command = (str(PEER_HOME / "bin" / PEER), "cli", "exp", "--yaml-path", str(EXPERIMENT_FILE))
    side.cold = step.attempt(side, f"{PEER}, command line", partial(repeat, runs, *command))
    side.calls = step.attempt(side, f"{PEER}, calls", partial(peer_calls, runs * WARM_CALLS, python))


def our_calls(runs: int) -> tuple[Calls, Runs]:
    """Plans over the whole catalogue in this process: the same traffic in every hour, then a week of hours."""
    flat = Workload.of(requests_per_day=REQUESTS_PER_DAY, input_tokens=INPUT_TOKENS, output_tokens=OUTPUT_TOKENS)
    began = time.perf_counter()
    catalogue = load_catalogue()
    answer = plan(flat, catalogue)
    first = Runs(seconds=(time.perf_counter() - began,))
    calls = Calls(
        first=first,
        warm=warm_plans(runs, flat, catalogue),
        considered=answer.options_considered,
        evaluated=answer.competing,
    )
    week = Workload.of(
        requests_per_day=REQUESTS_PER_DAY,
        input_tokens=INPUT_TOKENS,
        output_tokens=OUTPUT_TOKENS,
        weights=catalogue.profiles[WEEK].weights,
    )
    return calls, warm_plans(runs, week, catalogue)


def warm_plans(runs: int, workload: Workload, catalogue: Catalogue) -> Runs:
    """The same plan ``runs`` times, after one that is not counted."""
    plan(workload, catalogue)
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        plan(workload, catalogue)
        seconds.append(time.perf_counter() - began)
    return Runs(seconds=tuple(seconds))


def peer_calls(runs: int, python: Path) -> Calls:
    """The peer's search, called from Python in one process of its own environment."""
    _, _, said = run_once(str(python), "-c", PEER_CALLS, str(EXPERIMENT_FILE), str(runs))
    done = json.loads(said)
    return Calls(
        first=Runs(seconds=(done["first_s"],)),
        warm=Runs(seconds=tuple(done["warm_s"])),
        considered=done["count"],
        evaluated=done["count"],
    )


def install_peer() -> None:
    """Make the peer's environment from its pins, unless it is there.

    Raises:
        BenchError: no such package, no network, no room.
    """
    stamp, pins = PEER_HOME / ".installed", PEER_PINS.read_text()
    if stamp.exists() and stamp.read_text() == pins:
        return
    run_once(sys.executable, "-m", "venv", "--clear", str(PEER_HOME))
    pip = (str(PEER_HOME / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps", "--retries", "1")
    run_once(*pip, "--only-binary", ":all:", "--requirement", str(PEER_PINS), limit_s=INSTALL_LIMIT_S)
    stamp.write_text(pins)


def goal(limit: float, unit: str, measured: float | None) -> str:
    """A goal, and whether what was measured keeps it."""
    if measured is None:
        return f"≤ {limit:g} {unit}"
    return f"≤ {limit:g} {unit}  [green]kept[/]" if measured <= limit else f"≤ {limit:g} {unit}  [red]missed[/]"


def timed(what: str, runs: Runs | None, limit_s: float, its: Runs | str | None = "") -> Row:
    """A row with a goal in seconds."""
    return what, runs, goal(limit_s, "s", runs.median_s if runs else None), its


def megabytes(peak_bytes: int | None) -> float | None:
    """Bytes as a person reads them."""
    return None if peak_bytes is None else peak_bytes / BYTES_PER_MB


def rows(ours: Side, peer: Side) -> Iterator[Row]:
    """What, breakeven, goal, peer."""
    mine, its = ours.calls, peer.calls
    yield timed("One call, warm", mine.warm if mine else None, 0.3, its.warm if its else None)
    yield "  options considered", mine and mine.considered, "whole catalogue", its and its.considered
    yield "  of these evaluated", mine and mine.evaluated, "", its and its.evaluated
    yield "  time for each evaluated", mine and mine.per_evaluated, "", its and its.per_evaluated
    yield timed("  168 different hours", ours.week, 0.3)
    yield "First call of a process", mine and mine.first, "", its and its.first
    yield timed("Command from a cold shell", ours.cold, 1.0, peer.cold)
    yield timed("  168 different hours", ours.cold_week, 1.0)
    yield timed(f"  {Path(SPEC).name}", ours.cold_spec, 1.0)
    peaks_mb = megabytes(ours.peak_bytes), megabytes(peer.peak_bytes)
    yield "  peak memory, MB", peaks_mb[0], goal(500, "MB", peaks_mb[0]), peaks_mb[1]
    yield timed("Import of the package", ours.imported, 0.15, peer.imported)
    yield "  of what a call needs", ours.needed, "", peer.needed
    yield "  bare interpreter, taken off", ours.start, "", peer.start


def cell(value: object | None) -> str:
    """One value of the table."""
    if value is None:
        return "not available"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


def show(console: Console, ours: Side, peer: Side | None, runs: int, load: float) -> None:
    """Print the one table and what is to be known about it."""
    pinned = next(line for line in PEER_PINS.read_text().splitlines() if line.startswith(f"{PEER}=="))
    table = Table(
        title=f"{runs} runs, {runs * WARM_CALLS} warm calls; {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, load {load:.1f} before and {os.getloadavg()[0]:.1f} after"
    )
    table.add_column("What", no_wrap=True)
    table.add_column(f"breakeven {__version__}", justify="right", no_wrap=True)
    table.add_column("Goal", no_wrap=True)
    if peer:
        table.add_column(pinned.replace("==", " "), justify="right", no_wrap=True)
    for what, mine, goal, its in rows(ours, peer or Side()):
        table.add_row(what, cell(mine), goal, *([cell(its)] if peer else []))
    console.print(table)
    busy = (BUSY,) if load > BUSY_LOAD else ()
    for note in (*busy, *ours.missing, *(peer.missing if peer else ()), *(NOTES if peer else NOTES[:1])):
        console.print(f"- {note}", markup=False, highlight=False)


def main() -> int:
    """Measure, then print; 1 if a row of breakeven could not be measured."""
    asks = argparse.ArgumentParser(description="How fast breakeven is, beside the installable peer.")
    asks.add_argument("--no-peer", action="store_true", help="measure breakeven alone")
    asks.add_argument("--runs", type=int, default=5, help="runs of each row (default 5)")
    asked = asks.parse_args()
    runs = max(asked.runs, 1)
    ours, peer, load = Side(), None if asked.no_peer else Side(), os.getloadavg()[0]
    columns = (BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    terminal = Console(stderr=True)
    shown = Progress(*columns, console=terminal, refresh_per_second=2, transient=True, disable=not terminal.is_terminal)
    with shown as bar:
        step = Progressing(bar, steps=7 if peer is None else 13)
        # A process begins with the peak memory of the one that started it, so this one stays small until the end.
        measure_ours(ours, step, runs)
        if peer:
            step.attempt(peer, f"{PEER}, install (once, about a minute)", install_peer)
            if not peer.missing:
                measure_peer(peer, step, runs)
        bar.stop()  # drawing it would cost this process time
        planned = step.attempt(ours, "plan, whole catalogue", partial(our_calls, runs * WARM_CALLS))
        ours.calls, ours.week = planned or (None, None)
    show(Console(width=100), ours, peer, runs, load)
    return 1 if ours.missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
