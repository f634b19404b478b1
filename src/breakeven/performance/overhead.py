"""What an engine keeps of a device's memory beside weights and KV cache: activations, graphs, buffers, its runtime.

    overhead = gib (memory/80 GiB)^memory (hidden/4096)^hidden devices^(devices + mixture [of experts]) engine

The scale, the exponents and the factor of each engine are fitted on published starts of engines (``data/starts.csv``),
which tell how many tokens of KV cache were left; a mixture of experts has buffers to exchange tokens beside those of an
all-reduce. 80 % of the starts lie between e^low and e^high of it. Who publishes a benchmark has tuned it to its model
(a larger share of the memory, shorter requests at most) but for a few, so such runs count with less:
``tuned_overhead_gib``.
"""

import numpy as np

from breakeven.options.columns import Floats, Mask
from breakeven.performance.calibration import Parameters
from breakeven.performance.kinds import Kinds

MEMORY_GIB, HIDDEN_SIZE = 80.0, 4096.0
"""Where the overhead is its scale: on one device of so much memory, of a dense model so wide."""
SOURCE = "breakeven calibration on published engine starts (performance/data/starts.csv), 2026-11"
MOST_DEVICES = 8.0
"""No start was seen on more; beyond, the overhead stays as it is there."""
AS_INSTALLED = ("vllm-2024",)
"""Stacks whose publisher left the engine's memory settings alone: the vLLM scripts of LLM-Inference-Bench set the
degree of tensor parallelism and the lengths, and nothing of memory (argonne-lcf/LLM-Inference-Bench, 2024)."""
NVIDIA = ("turing", "volta", "ampere", "ampere_c", "ada", "hopper", "blackwell", "blackwell_c")
GPUS = (*NVIDIA, "cdna2", "cdna3", "cdna4")
"""Generations of the kind whose starts were seen; other devices keep what was assumed: ``tuned_overhead_gib``."""


def usable_gib(kinds: Kinds, parameters: Parameters, log: Floats | float = 0.0) -> Floats:
    """GiB of each row's device for weights and KV cache; ``log``: the overhead is e^log of what is expected."""
    p = parameters
    memory = kinds.by_device(lambda d: d.memory_gib)
    overhead = overhead_gib(
        memory,
        kinds.by_model(lambda m: m.hidden_size),
        kinds.tensor_parallel,
        kinds.by_model(lambda m: float(m.experts > 0)),
        p,
    )
    overhead = overhead * kinds.by_stack(lambda s: p.engine_overhead.get(s.name, 1.0))
    overhead = np.where(_on_gpu(kinds), overhead, p.tuned_overhead_gib)
    found: Floats = np.maximum(memory * p.usable_memory_share - overhead * np.exp(log), 0.0)
    return found


def _on_gpu(kinds: Kinds) -> Mask:
    found: Mask = kinds.by_device(lambda d: d.generation in GPUS) > 0
    return found


def published_gib(kinds: Kinds, parameters: Parameters) -> Floats:
    """GiB of each row's device for weights and KV cache in published runs: most engines were tuned for theirs."""
    memory = kinds.by_device(lambda d: d.memory_gib)
    tuned = np.maximum(memory * parameters.usable_memory_share - parameters.tuned_overhead_gib, 0.0)
    as_installed = kinds.by_stack(lambda s: s.name in AS_INSTALLED) > 0
    return np.where(as_installed, usable_gib(kinds, parameters), tuned)


def overhead_gib(
    memory_gib: Floats, hidden_size: Floats, devices: Floats, mixture: Floats, parameters: Parameters
) -> Floats:
    """GiB of each device that an engine keeps; ``mixture`` is 1 for a mixture of experts, 0 for a dense model."""
    told = parameters.overhead
    single = (memory_gib / MEMORY_GIB) ** told["memory"] * (hidden_size / HIDDEN_SIZE) ** told["hidden"]
    exponent = told["devices"] + told["mixture"] * mixture
    found: Floats = told["gib"] * single * np.minimum(devices, MOST_DEVICES) ** exponent
    return found


def seen(kinds: Kinds, parameters: Parameters) -> Mask:
    """Whether enough starts of each row's engine were seen, on devices of its kind and on no fewer of them."""
    found: Mask = kinds.by_stack(lambda s: s.name in parameters.engine_overhead_spread) > 0
    return found & _on_gpu(kinds) & (kinds.tensor_parallel <= MOST_DEVICES)


def band(kinds: Kinds, parameters: Parameters) -> tuple[Floats, Floats]:
    """The ends of the 80 % band of each row's overhead, in the logarithm."""
    told, known = parameters.overhead, seen(kinds, parameters)
    spread = kinds.by_stack(lambda s: parameters.engine_overhead_spread.get(s.name, 1.0))
    low, high = (np.where(known, told[end] * spread, told[f"{end}_unknown"]) for end in ("low", "high"))
    return low, high
