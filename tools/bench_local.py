"""The local model under `breakeven bench`, and beside it what the predictor says of this processor.

python tools/bench_local.py    the table, one column a load, and the prediction or why there is none

The model is SmolLM2-135M-Instruct under llama.cpp (extra `local`), on this machine's own processor.
"""

import re
import tempfile
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
from breakeven.performance.kinds import Kinds, Precision, Stack
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
    if cpu is None:
        print(
            f"predicted: not predicted, because the catalogue has no datasheet of this processor ({name or 'unnamed'}):"
        )
        print("  its cores, clock and memory bandwidth are not known, and nothing is guessed from a name.")
        return
    for one in found:
        print(predicted_words(one, cpu, vcpus, catalogue))


def processor() -> tuple[str, int]:
    """The processor's name as Linux tells it, and how many threads there are; no name elsewhere."""
    told = PROCESSOR.read_text(encoding="utf-8") if PROCESSOR.exists() else ""
    names = re.findall(r"^model name\s*:\s*(.+)$", told, re.MULTILINE)
    return (names[0].strip() if names else ""), max(1, len(names))


def known_cpu(name: str, catalogue: Catalogue) -> Cpu | None:
    """The catalogue's processor that this name is one of; its marks and core counts do not matter."""
    plain = " ".join(re.sub(r"\((?:R|TM)\)|CPU|@.*|\d+-Core|Processor", " ", name).split())
    return next((cpu for known, cpu in catalogue.cpus.items() if known.lower() == plain.lower()), None)


def predicted_words(one: Measured, cpu: Cpu, vcpus: int, catalogue: Catalogue) -> str:
    """What the speed equations say of a load; no measurement of a processor under llama.cpp is among their rows."""
    first = np.zeros(1, dtype=np.int64)
    kinds = Kinds(
        models=(measured_models(catalogue)[weights.DEFAULT_NAME],),
        devices=(replace(cpu_device(cpu, vcpus, 16.0), name=cpu.name),),
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
    )
    served = predict_runs(runs)
    speed, ttft_s, tpot_s = (float(v[0]) for v in (served.output_tokens_per_s, served.ttft_s, served.tpot_s))
    return (
        f"predicted, {load_words(one)} on {cpu.name} (physics alone, not calibrated on processors): "
        f"TTFT {seconds(ttft_s)}, TPOT {seconds(tpot_s)}, {speed:,.0f} output tokens/s"
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
