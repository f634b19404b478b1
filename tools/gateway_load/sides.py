"""Who is measured: the upstream alone, LiteLLM's proxy and our gateway, each started with what it needs."""

import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import INSTALL_LIMIT_S, ROOT, BenchError, run_once
from gateway_load.measure import (
    FRAME_EVERY_US,
    FRAMES,
    GATEWAY_CORE,
    HOME,
    LOAD_CORE,
    MODEL,
    Target,
    running,
    wait_until_ready,
)

LITELLM_HOME = ROOT / ".peers" / "litellm"
LITELLM_PINS = Path(__file__).parents[1] / "bench_gateway_peers.txt"
LITELLM_KEY = "sk-bench"


@contextmanager
def upstream() -> Iterator[Target]:
    """The model server that costs nothing, on the core of the load."""
    numbers = ("0", str(FRAMES), str(FRAME_EVERY_US))
    with running(str(HOME / "upstream"), *numbers, core=LOAD_CORE, log=HOME / "upstream.log") as process:
        assert process.stdout
        yield Target(port=int(process.stdout.readline()), key="none")


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def install_litellm() -> str:
    """Make LiteLLM's environment from its pins, unless it is there; its version.

    Raises:
        BenchError: no such package, no network, no room.
    """
    stamp, pins = LITELLM_HOME / ".installed", LITELLM_PINS.read_text()
    if not (stamp.exists() and stamp.read_text() == pins):
        run_once(sys.executable, "-m", "venv", "--clear", str(LITELLM_HOME))
        pip = (str(LITELLM_HOME / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps", "--retries", "1")
        run_once(*pip, "--requirement", str(LITELLM_PINS), limit_s=INSTALL_LIMIT_S)
        stamp.write_text(pins)
    return next(line.partition("==")[2] for line in pins.splitlines() if line.startswith("litellm=="))


@contextmanager
def litellm(behind: Target) -> Iterator[Target]:
    """LiteLLM's proxy: one worker, a master key, no database, so no virtual keys, no budgets and no stored usage."""
    answers = {"model": f"openai/{MODEL}", "api_base": f"http://127.0.0.1:{behind.port}/v1", "api_key": "none"}
    config = HOME / "litellm.yaml"
    config.write_text(  # JSON is YAML
        json.dumps(
            {
                "model_list": [{"model_name": MODEL, "litellm_params": answers}],
                "general_settings": {"master_key": LITELLM_KEY},
                "litellm_settings": {"telemetry": False},
            }
        )
    )
    port = free_port()
    flags = ("--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1")
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_TELEMETRY": "False"}
    log = HOME / "litellm.log"
    with running(str(LITELLM_HOME / "bin" / "litellm"), *flags, core=GATEWAY_CORE, log=log, env=quiet) as process:
        target = Target(port=port, key=LITELLM_KEY, pid=process.pid)
        wait_until_ready(target, process)
        yield target


@contextmanager
def ours(behind: Target) -> Iterator[Target]:
    """Our gateway with everything on: virtual keys, a budget, routing over two upstreams, metering, metrics."""
    store = HOME / "bench.db"
    for old in HOME.glob("bench.db*"):
        old.unlink()
    script = Path(__file__).parent / "gateway.py"
    command = (sys.executable, str(script), str(behind.port), str(store))
    with running(*command, core=GATEWAY_CORE, log=HOME / "ours.log") as process:
        assert process.stdout
        told = process.stdout.readline().split()
        if len(told) != 2:
            raise BenchError(f"it did not start: {(HOME / 'ours.log').read_text().strip()[-200:]}")
        target = Target(port=int(told[0]), key=told[1], pid=process.pid)
        wait_until_ready(target, process)
        yield target
