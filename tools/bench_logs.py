"""How fast logs are measured and priced, beside the installable peers, in one run and one table.

    python tools/bench_logs.py              10 million rows; the first run installs the peers into .peers/logs (420 MB)
    python tools/bench_logs.py --rows 1e6   fewer rows
    python tools/bench_logs.py --no-peer    breakeven alone

The rows are made here: a week of requests whose lengths are spread as in the Azure conversation trace of 2023
(log-normal; median 1,020 tokens in and 129 out), in the three columns of that trace, and again in seven columns with
model, key and cached tokens. Each row of ours is one `breakeven` command, its start included. CPU seconds are those
of all cores together: on two idle cores a command takes half of them or more. The peers price the first of the same
records in a plain loop, which is what they offer; records are loaded before the clock starts.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
BREAKEVEN = str(ROOT / ".venv" / "bin" / "breakeven")
HOME = ROOT / ".peers" / "logs"
PINS = Path(__file__).parent / "bench_logs_peers.txt"
PEER_ROWS = {"litellm": 20_000, "tokencost": 100_000, "genai-prices": 20_000}
BYTES_PER_MB = 10**6
WIDTH = 116
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux KiB
SUMMARY_GOALS = {"parquet": 4e6, "csv": 2e6, "jsonl": 2e6}
PRICING_GOAL = 2e6
COLUMNS = "time=time,input=input,output=output,cached=cached,model=model,provider=provider,key=key"

# Lengths by Box and Muller from a hash of the row, so that every run has the same rows.
ROWS = """
CREATE TABLE made AS SELECT
  timestamp '2026-09-07' + to_microseconds((n * 604800e6 / {rows})::BIGINT) AS time,
  ['gpt-4o-mini', 'gpt-4o', 'gpt-4.1-mini'][n % 3 + 1] AS model,
  'openai' AS provider,
  'key-' || (n % 20) AS key,
  greatest(1, least(14050, exp(6.93 + 0.9 * normal_1)))::BIGINT AS input,
  greatest(1, least(1000, exp(4.86 + 0.9 * normal_2)))::BIGINT AS output,
  CASE WHEN n % 5 < 2 THEN input // 2 ELSE 0 END AS cached
FROM (
  SELECT n, sqrt(-2 * ln(u)) * cos(2 * pi() * v) AS normal_1, sqrt(-2 * ln(u)) * sin(2 * pi() * v) AS normal_2
  FROM (SELECT n, (hash(n) % 1000003 + 1) / 1000004.0 AS u, (hash(n + 7) % 1000003) / 1000003.0 AS v
        FROM range({rows}) rows(n))
)
"""
NARROW = 'SELECT time AS "TIMESTAMP", input AS "ContextTokens", output AS "GeneratedTokens" FROM made'
WIDE = "SELECT strftime(time, '%Y-%m-%dT%H:%M:%S.%fZ') AS time, * EXCLUDE time FROM made"
# Runs in the peers' own Python. Prints the records a second and the dollars of each peer.
PEER_LOOPS = """
import contextlib, json, logging, sys, time
from datetime import datetime
logging.disable(logging.CRITICAL)
records = [json.loads(line) for line in open(sys.argv[1])]
wanted = json.loads(sys.argv[2])

def litellm():
    from litellm import cost_per_token
    def one(r):
        return sum(cost_per_token(model=r["model"], prompt_tokens=r["input"], completion_tokens=r["output"],
                                  cache_read_input_tokens=r["cached"]))
    return one

def tokencost():
    from tokencost import calculate_cost_by_tokens as cost
    def one(r):
        fresh = cost(r["input"] - r["cached"], r["model"], "input") + cost(r["cached"], r["model"], "cached")
        return float(fresh + cost(r["output"], r["model"], "output"))
    return one

def genai_prices():
    from genai_prices import Usage, calc_price
    def one(r):
        usage = Usage(input_tokens=r["input"], output_tokens=r["output"], cache_read_tokens=r["cached"])
        at = datetime.fromisoformat(r["time"])
        price = calc_price(usage, model_ref=r["model"], provider_id=r["provider"], genai_request_timestamp=at)
        return float(price.total_price)
    return one

found = {}
for name, make in {"litellm": litellm, "tokencost": tokencost, "genai-prices": genai_prices}.items():
    try:
        with contextlib.redirect_stdout(sys.stderr):
            one = make()
            for record in records[:100]:
                one(record)
            mine = records[: wanted[name]]
            began = time.perf_counter()
            usd = sum(map(one, mine))
            found[name] = {"per_s": len(mine) / (time.perf_counter() - began), "usd": usd, "rows": len(mine)}
    except Exception as wrong:
        found[name] = {"failed": f"{type(wrong).__name__}: {wrong}"}
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The best of some runs of one command, and its highest peak of memory."""

    seconds: float
    cpu_s: float
    peak_bytes: int
    output: str


def main() -> int:
    """Measure everything and print the table; 1 if a command failed."""
    asked = _asked()
    rows, console = int(asked.rows), Console(width=WIDTH)
    if asked.make:
        _make(Path(asked.make), rows)
        return 0
    if not asked.no_peer and not (HOME / "bin" / "python").exists():
        _install(console)
    with tempfile.TemporaryDirectory(prefix="breakeven-bench-", dir=asked.folder) as name:
        folder = Path(name)
        console.print(f"making {rows:,} rows in {folder}")
        # in a process of its own: Linux counts the memory of a parent into the peak of its children
        subprocess.run([sys.executable, __file__, "--rows", str(rows), "--make", name], check=True)
        table = _table(rows, asked.runs)
        for form, goal in SUMMARY_GOALS.items():
            _add(table, f"summary, {form}, 3 columns", _summary(folder, form, "narrow", asked.runs), rows, goal)
        for form in SUMMARY_GOALS:
            _add(table, f"summary, {form}, 7 columns", _summary(folder, form, "wide", asked.runs), rows, None)
        tenth = _summary(folder, "parquet", "tenth", asked.runs)
        _add(table, "  the same of a tenth of the rows", tenth, rows // 10, None)
        _add(table, "pricing, parquet", _pricing(folder / "wide.parquet", asked.runs), rows, PRICING_GOAL)
        table.add_section()
        if not asked.no_peer:
            _add_peers(table, folder)
    console.print(table)
    return 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rows", type=float, default=1e7)
    parser.add_argument("--runs", type=int, default=3, help="runs of each row; the best counts")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--make", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default=None, help="where the rows are made (3 GB for 10 million)")
    return parser.parse_args()


def _install(console: Console) -> None:
    console.print(f"installing the peers of {PINS.name} into {HOME.relative_to(ROOT)}")
    subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
    pip = [str(HOME / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(PINS)], check=True)


def _make(folder: Path, rows: int) -> None:
    """The same rows in every form."""
    made = duckdb.connect()
    made.execute(ROWS.format(rows=rows))
    for name, query in (("narrow", NARROW), ("wide", WIDE), ("tenth", f"{NARROW} LIMIT {rows // 10}")):
        for form, options in (("parquet", "FORMAT parquet"), ("csv", "FORMAT csv, HEADER"), ("jsonl", "FORMAT json")):
            if name != "tenth" or form == "parquet":
                made.execute(f"COPY ({query}) TO '{folder / f'{name}.{form}'}' ({options})")
    most = max(PEER_ROWS.values())
    made.execute(f"COPY ({WIDE} LIMIT {most}) TO '{folder / 'peers.jsonl'}' (FORMAT json)")


def _summary(folder: Path, form: str, name: str, runs: int) -> Run:
    how = ("--columns", COLUMNS) if name == "wide" else ("--time-zone", "UTC")
    return _best((BREAKEVEN, "workload", str(folder / f"{name}.{form}"), *how, "--json", "-"), runs)


def _pricing(log: Path, runs: int) -> Run:
    how = ("--columns", COLUMNS, "--by", "model,day,key", "--json", "-")
    return _best((BREAKEVEN, "price", str(log), *how), runs)


def _best(command: tuple[str, ...], runs: int) -> Run:
    found = [_run(command) for _ in range(runs)]
    best = min(found, key=lambda run: run.seconds)
    return replace(best, cpu_s=min(run.cpu_s for run in found), peak_bytes=max(run.peak_bytes for run in found))


def _run(command: tuple[str, ...]) -> Run:
    """One run in a process of its own, with its peak of memory."""
    with tempfile.TemporaryFile() as out:
        began = time.perf_counter()
        started = subprocess.Popen(command, stdout=out, cwd=ROOT)
        _, status, usage = os.wait4(started.pid, 0)
        seconds = time.perf_counter() - began
        started.returncode = os.waitstatus_to_exitcode(status)
        if started.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {started.returncode}")
        out.seek(0)
        return Run(
            seconds=seconds,
            cpu_s=usage.ru_utime + usage.ru_stime,
            peak_bytes=usage.ru_maxrss * MAXRSS_BYTES,
            output=out.read().decode(),
        )


def _table(rows: int, runs: int) -> Table:
    load = os.getloadavg()[0]
    head = f"{rows:,} rows, best of {runs} runs, {os.cpu_count()} cores, load {load:.1f} at the start"
    table = Table(title=f"{head}, Python {platform.python_version()}", min_width=90)
    table.add_column("What")
    for name in ("seconds", "CPU s", "rows/s", "goal", "peak MB", "USD"):
        table.add_column(name, justify="right")
    return table


def _add(table: Table, what: str, run: Run, rows: int, goal: float | None) -> None:
    rate = rows / run.seconds
    verdict = "" if goal is None else f"≥ {goal / 1e6:g} M  {'kept' if rate >= goal else 'missed'}"
    usd = json.loads(run.output).get("total", {}).get("usd")
    total = "" if usd is None else f"{float(usd):,.2f}"
    peak = f"{run.peak_bytes / BYTES_PER_MB:,.0f}"
    table.add_row(what, f"{run.seconds:.2f}", f"{run.cpu_s:.2f}", f"{rate / 1e6:.2f} M", verdict, peak, total)


def _add_peers(table: Table, folder: Path) -> None:
    """Each peer on the first records of the same log, and ours on just these beside it."""
    command = (str(HOME / "bin" / "python"), "-c", PEER_LOOPS, str(folder / "peers.jsonl"), json.dumps(PEER_ROWS))
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    for name, found in json.loads(done.stdout.splitlines()[-1]).items():
        if "failed" in found:
            table.add_row(name, "", "", "", found["failed"][:40], "", "")
            continue
        few = folder / f"{name}.jsonl"
        few.write_text("".join((folder / "peers.jsonl").open().readlines()[: found["rows"]]))
        ours = json.loads(_pricing(few, 1).output)["total"]["usd"]
        what = f"{name}, a loop over {found['rows']:,} of them"
        dollars = f"{found['usd']:,.2f} (ours {float(ours):,.2f})"
        table.add_row(what, "", "", f"{found['per_s'] / 1e6:.3f} M", "", "", dollars)


if __name__ == "__main__":
    raise SystemExit(main())
