"""How fast the pages answer: steps of the slider, the whole catalogue, the first paint, and how much is sent.

python tools/bench_ui.py

Starts `breakeven ui` on a free port of this machine and asks it over loopback, as a browser does. Beside the time on
the clock stands the processor time of the server, which other work on the machine does not change.
"""

import gzip
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np

STEPS, WHOLES = 100, 12
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
GOALS = {
    "slider step": "100 ms",
    "whole catalogue": "1,000 ms",
    "first paint": "1,000 ms",
    "page, compressed": "1.5 MB",
}
SECONDS = 60
Row = tuple[str, str, str, str, str]


def main() -> int:
    """Print the table; the exit code."""
    command = [sys.executable, "-c", "from breakeven.cli import main; main()", "ui", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        address = (server.stdout.readline() if server.stdout else "").strip()
        rows = measured(address.rstrip("/"), server.pid)
    finally:
        server.terminate()
        server.wait(SECONDS)
    print("| what | p50 | p95 | processor, p95 | goal at p95 |\n|---|--:|--:|--:|--:|")
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))
    return 0


def measured(address: str, pid: int) -> list[Row]:
    """Every row of the table."""
    for path in ("/", "/part/answer?traffic.requests_per_day=100000"):
        _get(address + path)
    volumes = np.geomspace(100, 1e8, STEPS).tolist()
    np.random.default_rng(1).shuffle(volumes)
    rows = [
        _row(
            "slider step", pid, lambda n: _get(f"{address}/part/step?traffic.requests_per_day={volumes[n]:.0f}"), STEPS
        )
    ]
    rows.append(
        _row(
            "whole catalogue",
            pid,
            lambda n: _get(f"{address}/part/answer?traffic.requests_per_day={volumes[n] + 0.5:.1f}"),
            WHOLES,
        )
    )
    rows.append(
        _row(
            "whole catalogue, no floor",
            pid,
            lambda n: _get(f"{address}/part/answer?at_least=&traffic.requests_per_day={volumes[n] + 0.5:.1f}"),
            WHOLES // 2,
        )
    )
    size = sum(len(_get(address + path)) for path in ["/", *_assets(address)])
    rows.append(("page, compressed", f"{size / 1e6:.2f} MB", "", "", GOALS["page, compressed"]))
    return rows + _paint(address)


def _row(what: str, pid: int, ask: Callable[[int], bytes], times: int) -> Row:
    clock, used = [], []
    for n in range(times):
        before, began = _cpu_s(pid), time.perf_counter()
        ask(n)
        clock.append(time.perf_counter() - began)
        used.append(_cpu_s(pid) - before)
    half, most, cpu = np.quantile(clock, 0.5), np.quantile(clock, 0.95), np.quantile(used, 0.95)
    return what, _ms(half), _ms(most), _ms(cpu), GOALS.get(what, "")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def _cpu_s(pid: int) -> float:
    """Processor time of the server so far, where the system tells it; 10 ms is the finest that it tells."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _get(url: str) -> bytes:
    """What is sent for an address, still compressed."""
    with urlopen(Request(url, headers={"Accept-Encoding": "gzip"}), timeout=SECONDS) as found:
        content: bytes = found.read()
    return content


def _assets(address: str) -> list[str]:
    raw = _get(f"{address}/")
    page = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
    return [part.split('"')[0] for part in page.split('="')[1:] if part.startswith("/assets/")]


def _paint(address: str) -> list[Row]:
    """When the browser first paints something, with an empty cache, where there is a browser."""
    chromium = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if chromium is None:
        return [("first paint", "no Chromium", "", "", GOALS["first paint"])]
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is a browser to drive

    painted = []
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(7):
            page = browser.new_context(viewport={"width": 1300, "height": 1000}).new_page()
            page.goto(address)
            page.wait_for_load_state("networkidle")
            painted.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000)
            page.context.close()
        browser.close()
    return [("first paint", _ms(np.quantile(painted, 0.5)), _ms(np.quantile(painted, 0.95)), "", GOALS["first paint"])]


if __name__ == "__main__":
    raise SystemExit(main())
