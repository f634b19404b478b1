"""What training takes of hardware: operations, memory and time, by the rates that reading prompts has.

Operations a token for each active parameter: 2 forward, 2 back for the activations, 2 more for the gradients of the
weights that learn (C = 6 N D: Kaplan et al., arXiv:2001.08361). LoRA leaves the weights as they are and needs the last
2 only for its small matrices, which are left out here (Hu et al., arXiv:2106.09685). Computing activations again on
the way back takes 2 more. Attention over the context is not counted.
"""

import math
from dataclasses import dataclass

from breakeven.catalogue.schema import Accelerator, Instance, ModelSpec
from breakeven.performance.calibration import Parameters
from breakeven.units import BYTES_PER_GIB, FLOPS_PER_TFLOPS, SECONDS_PER_HOUR
from breakeven.workload.fine_tuning import FineTuning, Method

FLOPS_PER_PARAMETER_TOKEN: dict[Method, float] = {"full": 6.0, "lora": 4.0}
RECOMPUTED_FLOPS = 2.0
BYTES_PER_PARAMETER: dict[Method, float] = {"full": 16.0, "lora": 2.0}
"""16-bit weights and gradients and three 32-bit copies for Adam (Rajbhandari et al., arXiv:1910.02054); LoRA keeps
16-bit weights alone."""
LORA_SHARE = 0.01
"""Assumption: parameters of the small matrices, which take Adam's 16 bytes each, over those of the model."""
RUNTIME_GIB = 1.5
"""Assumption: what the framework keeps of each device."""
VENDORS = ("nvidia", "amd")
"""Of the accelerators that training is planned on."""
LARGEST_CLUSTER = 8
"""Machines in one training run; beyond it what the network costs would have to be known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training run on whole machines."""

    machines: int
    devices: int
    flops: float
    flops_per_s: float
    """Of one device, as reached."""
    bytes_needed: float
    hours: float
    """On the clock; every started hour is paid."""


def training_flops(model: ModelSpec, tuning: FineTuning, method: Method) -> float:
    """Operations of one run: (6, or 4 with LoRA, + 2 if recomputed) x active parameters x tokens read.

    >>> from breakeven.catalogue.load import load_catalogue
    >>> tuning = FineTuning(model="llama3.1-8b", tokens=1e6, horizon_months=12, success=0.9)
    >>> f'{training_flops(load_catalogue().models["llama3.1-8b"], tuning, "full"):.3g}'
    '4.82e+16'
    """
    each = FLOPS_PER_PARAMETER_TOKEN[method] + (RECOMPUTED_FLOPS if tuning.recompute else 0.0)
    return each * (model.params_active or model.params_total or 0) * tuning.tokens_read


def training_bytes(model: ModelSpec, method: Method) -> float:
    """Bytes that weights, gradients and the optimiser hold, over all devices; activations apart."""
    small = LORA_SHARE * BYTES_PER_PARAMETER["full"] if method == "lora" else 0.0
    return (BYTES_PER_PARAMETER[method] + small) * (model.params_total or 0)


def run_on(
    instance: Instance, accelerator: Accelerator, model: ModelSpec, tuning: FineTuning, parameters: Parameters
) -> Run | None:
    """One run on as few machines as hold it and end it in time; ``None`` if that cannot be, or a figure is not known.

    State is spread over all devices; what is left of ``usable_memory_share`` is for activations.
    """
    method: Method = tuning.method or "lora"
    devices, total = instance.accelerator_count, instance.accelerator_memory_gib_total
    memory = total / devices if total and devices else accelerator.memory_gib
    share = tuning.flops_share or parameters.flops_share.get(accelerator.generation)
    if accelerator.vendor not in VENDORS or not (devices and memory and share and accelerator.bf16_dense_tflops):
        return None
    usable = BYTES_PER_GIB * (memory * parameters.usable_memory_share - RUNTIME_GIB) * devices
    rate = accelerator.bf16_dense_tflops * FLOPS_PER_TFLOPS * share
    flops, needed = training_flops(model, tuning, method), training_bytes(model, method)
    alone_hours = flops / (devices * rate * SECONDS_PER_HOUR)
    machines = max(math.ceil(needed / usable) if usable > 0 else LARGEST_CLUSTER + 1, 1)
    if tuning.within_hours:
        machines = max(machines, math.ceil(alone_hours / tuning.within_hours))
    if machines > min(LARGEST_CLUSTER, instance.count or LARGEST_CLUSTER):
        return None
    return Run(
        machines=machines,
        devices=devices,
        flops=flops,
        flops_per_s=rate,
        bytes_needed=needed,
        hours=alone_hours / machines,
    )
