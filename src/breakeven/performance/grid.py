"""The rows of the plan's grid as replica kinds."""

import numpy as np

from breakeven.catalogue.schema import NumberFormat
from breakeven.options.columns import Ints
from breakeven.options.hosted import HostedGrid
from breakeven.options.machines import Hardware
from breakeven.options.tuned import as_measured
from breakeven.performance.hardware import accelerator_device, cpu_device
from breakeven.performance.kinds import MEASURED_AS, Device, Kinds, Precision, Stack
from breakeven.units import BITS_PER_BYTE

NO_ENGINE = Stack(name="")


def kinds_of(grid: HostedGrid, rows: Ints) -> Kinds:
    """Some rows of the grid as replica kinds."""
    hardware = grid.hardware[rows]
    degree = np.array([h.tensor_parallel for h in grid.fleet.hardware], dtype=np.float64)[hardware]
    ones = np.ones(len(rows))
    return Kinds(
        models=tuple(map(as_measured, grid.models)),
        devices=tuple(device_of(h) for h in grid.fleet.hardware),
        precisions=tuple(precision_of(f) for f in grid.formats),
        stacks=tuple(Stack(name=e.overheads) for e in grid.engines) or (NO_ENGINE,),
        model=grid.model[rows],
        device=hardware,
        precision=grid.number_format[rows],
        stack=np.maximum(grid.engine[rows], 0),
        tensor_parallel=degree,
        data_parallel=ones,
        pipeline_parallel=ones,
    )


def device_of(hardware: Hardware) -> Device:
    """One device of a kind of hardware, linked as in its machine."""
    if hardware.accelerator:
        linked = hardware.interconnect if hardware.tensor_parallel > 1 else "none"
        return accelerator_device(hardware.accelerator, hardware.memory_gib_per_device, linked)
    return cpu_device(hardware.cpu, hardware.vcpus, hardware.memory_gib_per_device)


def precision_of(row: NumberFormat) -> Precision:
    """A number format of the catalogue, under the name that measurements use."""
    return Precision(
        name=MEASURED_AS.get(row.name, row.name),
        compute=row.compute,
        weight_bytes=row.weight_bits / BITS_PER_BYTE,
        experts_only=row.experts_only,
    )
