"""What is measured of one gateway: latency, throughput, processor time, memory, streams."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import ROOT, BenchError

HOME = ROOT / ".peers" / "gateway_load"
SOURCES = Path(__file__).parent
GATEWAY_CORE, LOAD_CORE = "0", "1"
PATH = "/v1/chat/completions"
MODEL = "bench-model"
BUSY_CLIENTS = 32
STREAMS, FRAMES, FRAME_EVERY_US, STREAMS_STARTED_OVER_S = 1000, 120, 100_000, 10  # all at once for two seconds
OPEN_CONNECTIONS = 256
LIMITS_MS = (1.0, 5.0, 10.0)
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # of the requests/s at 32 clients
FEWEST_REQUESTS = 500  # a 99th percentile of fewer means little
KEPT_UP = 0.98
REST_S, STREAMS_LIMIT_S = 10.0, 300.0
MEGABYTE = 10**6
PAGE_BYTES, TICKS_PER_S = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
LUA = """
wrk.method = "POST"
wrk.body = [==[{body}]==]
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer {key}"
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{{"rps":%f,"p50_ms":%f,"p99_ms":%f,"failed":%d}}\\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.status + e.read + e.write + e.timeout + e.connect))
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """What so many clients got, each waiting for its answer."""

    rps: float
    p50_ms: float
    p99_ms: float
    failed: int


@dataclass(slots=True, kw_only=True)
class Side:
    """All that was measured of one gateway; ``None`` where it could not be, and why in ``missing``."""

    name: str
    one: Closed | None = None
    busy: Closed | None = None
    cpu_us: float | None = None
    rates: dict[float, float | None] = field(default_factory=dict)
    streams: dict[str, Any] | None = None
    streams_again: dict[str, Any] = field(default_factory=dict)
    memory_mb: list[float] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def attempt(self, what: str, measure: Callable[[], None]) -> None:
        """Measure; what fails is told and the rest goes on."""
        try:
            measure()
        except (BenchError, OSError, ValueError, subprocess.SubprocessError) as why:
            self.missing.append(f"{self.name}, {what}: {why}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the load goes, and whose processes are looked at."""

    port: int
    key: str
    pid: int | None = None

    def body(self, *, streamed: bool) -> str:
        """A small chat: what is measured is the gateway, not its JSON parser."""
        asked: dict[str, object] = {"model": MODEL, "messages": [{"role": "user", "content": "Tell me about foxes."}]}
        asked |= {"max_tokens": 64} | ({"stream": True} if streamed else {})
        return json.dumps(asked, separators=(",", ":"))

    def request_file(self, *, streamed: bool) -> Path:
        """One whole HTTP request, for load.c."""
        body = self.body(streamed=streamed)
        head = (
            f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\nauthorization: Bearer {self.key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        file = HOME / ("stream.http" if streamed else "once.http")
        file.write_bytes((head + body).encode())
        return file


def compile_load() -> None:
    """Both C programs, if they are older than their source.

    Raises:
        BenchError: there is no compiler, or it refused.
    """
    HOME.mkdir(parents=True, exist_ok=True)
    for name in ("upstream", "load"):
        source, made = SOURCES / f"{name}.c", HOME / name
        if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
            run("cc", "-O2", "-o", str(made), str(source), "-lm", limit_s=60)


def run(*command: str, limit_s: float) -> str:
    """What a command prints.

    Raises:
        BenchError: it is not there, failed or took too long.
    """
    program = Path(command[3] if command[0] == "taskset" else command[0]).name
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False, cwd=ROOT)
    except FileNotFoundError as wrong:
        raise BenchError(f"{command[0]} is not installed") from wrong
    except subprocess.TimeoutExpired as wrong:
        raise BenchError(f"{program} took longer than {limit_s:.0f} s") from wrong
    if done.returncode:
        raise BenchError(f"{program}: {done.stderr.strip()[-200:]}")
    return done.stdout


@contextmanager
def running(*command: str, core: str, log: Path, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process on one core, ended afterwards with all that it started."""
    with log.open("w") as told:
        process = subprocess.Popen(
            ["taskset", "-c", core, *command],
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        try:
            yield process
        finally:
            members = tree(process.pid)
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pid in members[1:]:
                with open_or_gone():
                    os.kill(pid, 9)
            if process.stdout:
                process.stdout.close()


@contextmanager
def open_or_gone() -> Iterator[None]:
    """A process may end between being seen and being looked at."""
    with suppress(ProcessLookupError, FileNotFoundError):
        yield


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with open_or_gone():
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found


def cpu_s(pid: int) -> float:
    """Processor time, user and system, of a process and all below it."""
    total = 0
    for member in tree(pid):
        with open_or_gone():
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / TICKS_PER_S


def resident_mb(pid: int) -> float:
    """Resident memory of a process and all below it."""
    total = 0
    for member in tree(pid):
        with open_or_gone():
            total += int(Path(f"/proc/{member}/statm").read_text().split()[1])
    return total * PAGE_BYTES / MEGABYTE


def closed(target: Target, clients: int, seconds: int) -> Closed:
    """wrk: ``clients`` that each send the next request when they have the answer."""
    script = HOME / "wrk.lua"
    script.write_text(LUA.format(body=target.body(streamed=False), key=target.key))
    url = f"http://127.0.0.1:{target.port}{PATH}"
    flags = ("-t1", f"-c{clients}", f"-d{seconds}", "--timeout", "30s", "-s", str(script), url)
    told = run("taskset", "-c", LOAD_CORE, "wrk", *flags, limit_s=seconds + 60)
    return Closed(**json.loads(told.strip().splitlines()[-1]))


def load(target: Target, kind: str, *numbers: float, limit_s: float) -> dict[str, Any]:
    """load.c: its line of JSON."""
    file = target.request_file(streamed=kind == "streams")
    flags = (kind, str(target.port), str(file), *(f"{number:g}" for number in numbers))
    told: dict[str, Any] = json.loads(run("taskset", "-c", LOAD_CORE, str(HOME / "load"), *flags, limit_s=limit_s))
    return told


def p99_at(target: Target, rate: float, seconds: float) -> float:
    """The 99th percentile at that rate; endless where requests failed or the gateway fell behind."""
    seconds = min(max(seconds, FEWEST_REQUESTS / rate), 30.0)
    told = load(target, "open", OPEN_CONNECTIONS, rate, seconds, limit_s=seconds + 60)
    if told["done"] < KEPT_UP * told["sent"] or told["waiting"] > 0 or not told["ms"]:
        return float("inf")
    return float(told["ms"]["p99"])


def highest_rates(target: Target, most_rps: float, seconds: float) -> dict[float, float | None]:
    """For each limit the highest rate of the grid at which the 99th percentile stays under it."""
    seen: dict[float, float] = {}

    def keeps(share: float, limit_ms: float) -> bool:
        if share not in seen:
            seen[share] = p99_at(target, share * most_rps, seconds)
        return seen[share] < limit_ms

    found: dict[float, float | None] = {}
    for limit_ms in LIMITS_MS:
        low, high = 0, len(SHARES)  # the first `low` keep it, from `high` on none does
        while low < high:
            middle = (low + high) // 2
            if keeps(SHARES[middle], limit_ms):
                low = middle + 1
            else:
                high = middle
        found[limit_ms] = SHARES[low - 1] * most_rps if low else None
    return found


def wait_until_ready(target: Target, process: subprocess.Popen[str], limit_s: float = 90.0) -> None:
    """Until a chat is answered.

    Raises:
        BenchError: it ended, or never answered.
    """
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        if process.poll() is not None:
            raise BenchError(f"it ended with {process.returncode}")
        told = subprocess.run(
            [
                *("curl", "-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", "-d", target.body(streamed=False)),
                *("-H", f"authorization: Bearer {target.key}", "-H", "content-type: application/json"),
                f"http://127.0.0.1:{target.port}{PATH}",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if told.stdout == "200":
            return
        time.sleep(0.3)
    raise BenchError("it answered no chat")


def measure(side: Side, target: Target, seconds: int, steps: Sequence[str]) -> None:
    """All of one gateway, in the order in which memory tells most."""

    def busy() -> None:
        assert target.pid is not None
        before_s = cpu_s(target.pid)
        side.busy = closed(target, BUSY_CLIENTS, seconds)
        side.cpu_us = (cpu_s(target.pid) - before_s) / max(side.busy.rps * seconds, 1) * 1e6

    def one() -> None:
        side.one = closed(target, 1, seconds)

    def rates() -> None:
        if side.busy:
            side.rates = highest_rates(target, side.busy.rps, seconds / 2)

    def streamed() -> dict[str, Any]:
        return load(target, "streams", STREAMS, STREAMS_STARTED_OVER_S, FRAMES, limit_s=STREAMS_LIMIT_S)

    def streams() -> None:
        side.streams = streamed()

    def rested() -> None:
        if target.pid:
            time.sleep(REST_S)
            side.memory_mb.append(resident_mb(target.pid))

    closed(target, BUSY_CLIENTS, 3)  # warm
    if target.pid:
        side.memory_mb.append(resident_mb(target.pid))
    for name, step in {"one": one, "busy": busy, "rates": rates, "streams": streams}.items():
        if name in steps:
            side.attempt(name, step)
    rested()
    if "streams" in steps and side.streams:  # what a second load adds is lost; what the first did not give back is not
        side.attempt("streams again", lambda: side.streams_again.update(streamed()))
        rested()
