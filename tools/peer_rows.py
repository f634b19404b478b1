"""From rows of measurements to what the peer is asked: which rows it covers, and with which arguments.

The peer (aiconfigurator) takes a GPU system, a model of its own list, one of three engines, and how many requests are
in flight. Nothing is asked of it that its installed package cannot answer without a network. Its package also carries a
list of measured runs (``silicon_sample.csv``), the public source of our rows ``aic_silicon_agg``: a row that is found
there is asked with the number formats and the split of the experts of that list, as the peer's own accuracy test asks,
because our table does not say how experts are split. Lengths and the format of the KV cache are those that our
predictor is told.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

KINDS = {"closed": "agg", "static": "static", "offline": "most"}
"""What a row's mode is for the peer. It does not model arrivals at a rate."""
SYSTEMS = {
    "A100-80": "a100_sxm",
    "B200": "b200_sxm",
    "B300": "b300_sxm",
    "GB200": "gb200",
    "GB300": "gb300",
    "H100-SXM": "h100_sxm",
    "H200": "h200_sxm",
    "L40S": "l40s",
    "RTXPRO6000": "rtx_pro_6000_server",
}
"""GPUs for which the package holds kernel times."""
BACKENDS = {
    "mlperf": "trtllm",
    "sglang": "sglang",
    "trtllm-cpp": "trtllm",
    "trtllm-pytorch": "trtllm",
    "vllm-2024": "vllm",
    "vllm-v0": "vllm",
    "vllm-v1": "vllm",
}
"""Engines by family. MLPerf submissions name none; those on the peer's GPUs are built on TensorRT-LLM."""
CURRENT = ("sglang", "trtllm-pytorch", "vllm-v1")
"""Families of 2025 and 2026, whose kernels the peer measured; the others are engines of before, or unnamed."""
MODELS = {
    "deepseek-v3": "deepseek-ai/DeepSeek-V3",
    "glm-5": "zai-org/GLM-5",
    "gpt-oss-120b": "openai/gpt-oss-120b",
    "kimi-k2.5": "moonshotai/Kimi-K2.5",
    "llama3-405b": "meta-llama/Meta-Llama-3.1-405B",
    "llama3-70b": "meta-llama/Meta-Llama-3.1-70B",
    "llama3-8b": "meta-llama/Meta-Llama-3.1-8B",
    "llama4-maverick": "meta-llama/Llama-4-Maverick-17B-128E-Instruct",
    "llama4-scout": "meta-llama/Llama-4-Scout-17B-16E-Instruct",
    "minimax-m2.5": "MiniMaxAI/MiniMax-M2.5",
    "qwen3-235b": "Qwen/Qwen3-235B-A22B",
    "qwen3-32b": "Qwen/Qwen3-32B",
    "qwen3.5-397b": "Qwen/Qwen3.5-397B-A17B",
}
"""Models whose dimensions the package holds; others it would fetch from a hub."""
DENSE = ("llama3-405b", "llama3-70b", "llama3-8b", "qwen3-32b")
WEIGHTS = {
    "bf16": ("bfloat16", "bfloat16"),
    "fp4": ("nvfp4", "nvfp4"),
    "fp8": ("fp8", "fp8"),
    "w4a16": ("int4_wo", "int4_wo"),
    "w8a16": ("int8_wo", None),
}
"""Number formats of the dense and the expert layers, in the peer's words."""
MXFP4 = {"gpt-oss-120b": {"moe_quant_mode": "w4a8_mxfp4_mxfp8"}}
"""How Blackwell runs 4-bit experts of the checkpoint, where the list of runs names another format."""
CACHES = {1.0: "fp8", 2.0: "bfloat16"}
"""Formats of the KV cache by bytes an element."""
FORMATS = ("gemm_quant_mode", "moe_quant_mode")
CHECKPOINTS = {
    "deepseek-v3": "fp8",
    "glm-5": "bf16",
    "gpt-oss-120b": "fp4",
    "kimi-k2.5": "w4a16",
    "minimax-m2.5": "fp8",
}
"""Models whose published weights are in a mixture of formats that the peer reads off the checkpoint."""
WIDTHS = ("tp_size", "pp_size", "attention_dp_size", "moe_tp_size", "moe_ep_size")
MILLISECONDS_PER_SECOND = 1000.0
SAME = 1e-4
"""Relative difference below which two published times are the same run: our table has six digits."""

Row = Mapping[str, str]
Arguments = dict[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the peer is asked of one row: one way, and further ones in case it has no kernel times for the first."""

    id: str
    kind: str
    """agg (clients that wait for each answer), static (a batch to its end), most (all at once: the best batch)."""
    listed: bool
    """Whether the peer's own list of measured runs holds the row."""
    ways: tuple[Arguments, ...]


class Listed:
    """The peer's list of measured runs, by what was measured."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._runs: dict[tuple[str, int], list[Row]] = {}
        for row in rows:
            if row["mode"] == "agg" and row["silicon_ttft_ms"] and row["silicon_tpot_ms"]:
                self._runs.setdefault((row["system"], int(row["tp_size"])), []).append(row)

    def of(self, row: Row) -> Row | None:
        """The listed run with the times of ``row``, on its system."""
        if not (row["ttft_s"] and row["tpot_s"]):
            return None
        times = [float(row[column]) * MILLISECONDS_PER_SECOND for column in ("ttft_s", "tpot_s")]
        for run in self._runs.get((SYSTEMS.get(row["gpu"], ""), int(float(row["tensor_parallel"]))), ()):
            told = (float(run["silicon_ttft_ms"]), float(run["silicon_tpot_ms"]))
            if all(math.isclose(a, b, rel_tol=SAME) for a, b in zip(times, told, strict=True)):
                return run
        return None


def ask(row: Row, listed: Listed) -> Ask | None:
    """What the peer is asked of a row; ``None`` where it has no such GPU, engine, model or way of working."""
    kind = KINDS.get(row["mode"])
    known = row["gpu"] in SYSTEMS and row["engine"] in BACKENDS and row["model"] in MODELS
    if kind is None or row["scenario"] or not known or row["compute_format"] not in WEIGHTS:
        return None
    run = listed.of(row)
    formats = _formats(row) if run is None else {name: run[name] for name in FORMATS if run[name]}
    splits = _splits(row) if run is None else [{width: int(run[width] or 1) for width in WIDTHS}]
    base: Arguments = {
        "model_path": MODELS[row["model"]],
        "system_name": SYSTEMS[row["gpu"]],
        "backend_name": BACKENDS[row["engine"]],
        "isl": max(round(float(row["input_tokens"])), 1),
        "osl": max(round(float(row["output_tokens"])), 1),
        "batch_size": _each(row) if run is None else int(run["batch_size"]),
    }
    cached = CACHES.get(float(row["kv_bytes_per_element"]))
    caches: tuple[Arguments, ...] = ({"kvcache_quant_mode": cached}, {}) if cached else ({},)
    choices = _choices(formats, MXFP4.get(row["model"], {}))
    if CHECKPOINTS.get(row["model"]) == row["compute_format"]:
        choices.append({})
    ways = [base | split | chosen | cache for split in splits for chosen in choices for cache in caches]
    return Ask(id=row["id"], kind=kind, listed=run is not None, ways=tuple(ways))


def _formats(row: Row) -> dict[str, str]:
    named = zip(FORMATS, WEIGHTS[row["compute_format"]], strict=True)
    return {name: mode for name, mode in named if mode is not None}


def _choices(formats: dict[str, str], other: dict[str, str]) -> list[dict[str, str]]:
    """The formats as named; with fp8 in blocks; another name for them."""
    blocks = {name: "fp8_block" for name, mode in formats.items() if mode == "fp8"}
    return [formats, *([formats | blocks] if blocks else []), *([other] if other else [])]


def _splits(row: Row) -> list[dict[str, int]]:
    """Ways to lay the model over the GPUs; experts are split by width first, then whole experts to each GPU."""
    tensor, pipeline, data = (int(float(row[f"{way}_parallel"])) for way in ("tensor", "pipeline", "data"))
    whole: dict[str, int] = {"tp_size": tensor, "pp_size": pipeline, "attention_dp_size": data}
    if row["model"] in DENSE:
        return [whole]
    ranks = tensor * data
    by_width, by_expert = {"moe_tp_size": ranks, "moe_ep_size": 1}, {"moe_tp_size": 1, "moe_ep_size": ranks}
    return [whole | split for split in ((by_width, by_expert) if data == 1 else (by_expert, by_width))]


def _each(row: Row) -> int:
    """Requests in flight at each attention rank and stage of one replica; for work handed over at once, all of them."""
    told = row["concurrency"] or row["requests"]
    if not told:
        return 0
    ranks = math.prod(float(row[column]) for column in ("replicas", "data_parallel", "pipeline_parallel"))
    return max(math.ceil(float(told) / ranks), 1)
