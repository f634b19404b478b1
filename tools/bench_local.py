"""The local model under `breakeven bench`, and beside it what the predictor says of this processor.

python tools/bench_local.py    the table, one column a load, and the prediction for each

The model is SmolLM2-135M-Instruct under llama.cpp (extra `local`), on this machine's own processor. The speed equations
take the processor's datasheet where the catalogue has one. Virtual machines often hide which processor they have; then
they take what this machine is measured to do, right after the load: how fast it multiplies, and how fast it reads.
"""

import re
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from breakeven.bench.summary import Measured
from breakeven.catalogue.load import Catalogue, load_catalogue
from breakeven.catalogue.schema import Cpu
from breakeven.cli.bench_run import Asked, Described, run_all
from breakeven.model_server import weights
from breakeven.model_server.process import ModelServer
from breakeven.model_server.serve import Served
from breakeven.performance.hardware import cpu_device, measured_models
from breakeven.performance.kinds import Device, Kinds, Precision, Stack
from breakeven.performance.measured import MODES, Runs
from breakeven.performance.table import predict_runs
from breakeven.report.benched import load_words, print_measured
from breakeven.report.words import seconds

SPEC = """
name: short chats
traffic: {requests_per_day: 10000}
tokens: {input: 150, output: 16}
latency: {ttft_s: 2.0, tpot_s: 0.2}
"""
SLOTS, LOADS, REQUESTS = 4, (1, 4), 8
Q4_1_BYTES = 5 / 8
"""A weight of llama.cpp's Q4_1: blocks of 32 four-bit weights with a 16-bit scale and a 16-bit minimum (20 bytes)."""
PROCESSOR = Path("/proc/cpuinfo")
MEMORY_GIB = 16.0
"""Enough for this model on whatever machine; no figure here depends on it."""
SIDE, COPIED_BYTES, TRIES = 1536, 64 * 1024 * 1024, 15
GIGA = 1e9


def main() -> None:
    """Measure, print, and set the prediction beside it."""
    with tempfile.TemporaryDirectory() as folder, _server() as served:
        spec = Path(folder) / "spec.yaml"
        spec.write_text(SPEC, encoding="utf-8")
        found, slo = run_all(_asked(served.base_url, spec), _described())
    print_measured(found, slo)
    catalogue = load_catalogue()
    name, vcpus = processor()
    cpu = known_cpu(name, catalogue)
    if cpu is not None:
        device = replace(cpu_device(cpu, vcpus, MEMORY_GIB), name=f"{cpu.name}, by its datasheet")
    else:
        device = measured_device(name, vcpus)
    for one in found:
        print(predicted_words(one, device, catalogue))


def processor() -> tuple[str, int]:
    """The processor's name as Linux tells it, and how many threads there are; no name elsewhere."""
    told = PROCESSOR.read_text(encoding="utf-8") if PROCESSOR.exists() else ""
    names = re.findall(r"^model name\s*:\s*(.+)$", told, re.MULTILINE)
    return (names[0].strip() if names else ""), max(1, len(names))


def known_cpu(name: str, catalogue: Catalogue) -> Cpu | None:
    """The catalogue's processor that this name is one of; its marks and core counts do not matter."""
    plain = " ".join(re.sub(r"\((?:R|TM)\)|CPU|@.*|\d+-Core|Processor", " ", name).split())
    return next((cpu for known, cpu in catalogue.cpus.items() if known.lower() == plain.lower()), None)


def measured_device(name: str, vcpus: int) -> Device:
    """This machine by what it does now: the best of some tries, since whatever else runs only slows it down."""
    flops_per_s = 2 * SIDE**3 / _least_s(_multiplication())
    with ThreadPoolExecutor(vcpus) as threads:
        read_bytes_per_s = vcpus * COPIED_BYTES * 2 / _least_s(_copies(threads, vcpus))  # each byte is read and written
    print(
        f"this processor ({name or 'unnamed'}) has no datasheet in the catalogue; measured now, at best: "
        f"{flops_per_s / GIGA:,.0f} GFLOPS (fp32), {read_bytes_per_s / GIGA:,.1f} GB/s"
    )
    return Device(
        name=f"{name or 'this processor'}, as measured now",
        generation="cpu",
        memory_gib=MEMORY_GIB,
        bandwidth_bytes_per_s=read_bytes_per_s,
        flops_per_s={"fp32": flops_per_s, "bf16": flops_per_s},
        link="none",
        link_bytes_per_s=None,
    )


def _multiplication() -> Callable[[], object]:
    left = np.ones((SIDE, SIDE), dtype=np.float32)
    return lambda: left @ left


def _copies(threads: ThreadPoolExecutor, vcpus: int) -> Callable[[], object]:
    """Every processor copies at once: one alone does not fill the memory's width."""
    pairs = [(np.ones(COPIED_BYTES, dtype=np.uint8), np.ones(COPIED_BYTES, dtype=np.uint8)) for _ in range(vcpus)]
    return lambda: list(threads.map(lambda pair: np.copyto(*pair), pairs))


def _least_s(work: Callable[[], object]) -> float:
    def once() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return min(once() for _ in range(TRIES))


def predicted_words(one: Measured, device: Device, catalogue: Catalogue) -> str:
    """What the speed equations say of a load; no measurement of a processor under llama.cpp is among their rows."""
    first = np.zeros(1, dtype=np.int64)
    kinds = Kinds(
        models=(measured_models(catalogue)[weights.DEFAULT_NAME],),
        devices=(device,),
        precisions=(Precision(name="w4a16", compute="fp32", weight_bytes=Q4_1_BYTES),),
        stacks=(Stack(name="llama.cpp"),),
        model=first,
        device=first,
        precision=first,
        stack=first,
        tensor_parallel=np.ones(1),
        data_parallel=np.ones(1),
        pipeline_parallel=np.ones(1),
    )
    runs = Runs(
        kinds=kinds,
        kind=first,
        mode=np.array([MODES.index("closed")]),
        input_tokens=np.array([one.input_tokens or 0.0]),
        output_tokens=np.array([one.output_tokens or 0.0]),
        concurrency=np.array([float(one.concurrency or 1)]),
        request_rate_per_s=np.full(1, np.nan),
        requests=np.array([float(one.good)]),
        replicas=np.ones(1),
        held_back_steps=np.zeros(1),
    )
    served = predict_runs(runs)
    speed, ttft_s, tpot_s = (float(v[0]) for v in (served.output_tokens_per_s, served.ttft_s, served.tpot_s))
    return (
        f"predicted, {load_words(one)} on {device.name} (physics alone, not calibrated on processors): "
        f"TTFT {seconds(ttft_s)}, TPOT {seconds(tpot_s)}, {speed:,.3g} output tokens/s"
    )


def _server() -> ModelServer:
    return ModelServer(Served(path=str(weights.bundled()), name=weights.DEFAULT_NAME, slots=SLOTS, context_tokens=512))


def _asked(url: str, spec: Path) -> Asked:
    return Asked(
        url=url,
        spec=spec,
        model=weights.DEFAULT_NAME,
        api_key_env=None,
        concurrency=LOADS,
        rate=(),
        from_hour=None,
        scale=1.0,
        requests=REQUESTS,
        warm_up=2,
        seed=0,
        timeout_s=600.0,
        max_requests=None,
        max_usd=None,
        api=None,
    )


def _described() -> Described:
    nothing = dict.fromkeys(
        (
            "plan",
            "option",
            "on",
            "catalogue_model",
            "number_format",
            "engine",
            "engine_version",
            "tensor_parallel",
            "machine",
        )
    )
    return Described(**nothing, replicas=1, usd_per_hour=None)


if __name__ == "__main__":
    main()
