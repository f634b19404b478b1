"""Encoders and encoder-decoders: the pace of each engine, from runs that the table of measurements leaves out."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from banding import STATED
from breakeven import load_catalogue
from breakeven.options.columns import Floats, Ints
from breakeven.performance.calibration import Parameters
from breakeven.performance.hardware import measured_devices, measured_models
from breakeven.performance.kinds import Kinds, Precision, Stack, shape_of
from breakeven.performance.replica import replicas
from breakeven.performance.roofline import decode_step, prefill

RUNS = Path(__file__).parent.parent / "src" / "breakeven" / "performance" / "data" / "other_runs.csv"
BYTES = {"fp32": 4.0, "tf32": 4.0, "bf16": 2.0, "fp8": 1.0, "int8": 1.0}
AXES = ("shape", "stack")
BATCH_OFFLINE = 64.0
"""Taken where a run that is handed over at once publishes no batch."""
BELIEVED = 4.0
"""So many (device, model) pairs weigh as much as the physics alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """One run: what it was, and log(predicted / measured) of the time of a pass or of an output token."""

    gpu: str
    model: str
    shape: str
    stack: str
    error: float


def other_errors(parameters: Parameters) -> Iterator[Other]:
    """The runs of the file whose device is known, by the equations without a pace of their own."""
    catalogue = load_catalogue()
    devices, models = measured_devices(catalogue), measured_models(catalogue)
    for row in csv.DictReader(RUNS.read_text(encoding="utf-8").splitlines()):
        if row["gpu"] not in devices:
            continue
        model = models[row["model"]]
        first: Ints = np.zeros(1, dtype=np.int64)
        kinds = Kinds(
            models=(model,),
            devices=(devices[row["gpu"]],),
            precisions=(_precision(row["compute_format"]),),
            stacks=(Stack(name=row["engine"], mode="static"),),
            model=first,
            device=first,
            precision=first,
            stack=first,
            tensor_parallel=np.array([float(row["tensor_parallel"])]),
            data_parallel=np.ones(1),
            pipeline_parallel=np.ones(1),
        )
        yield Other(
            gpu=row["gpu"],
            model=row["model"],
            shape=shape_of(model),
            stack=row["engine"],
            error=float(np.log(_predicted(kinds, parameters, row) / _measured(row))),
        )


def _precision(name: str) -> Precision:
    return Precision(name=name, compute=name, weight_bytes=BYTES[name])


def _predicted(kinds: Kinds, parameters: Parameters, row: dict[str, str]) -> float:
    read, written, batch = float(row["input_tokens"]), float(row["output_tokens"]), _batch(row)
    replica = replicas(kinds, parameters, read + written / 2)
    found: Floats
    if written:
        found = decode_step(replica, np.array([batch]), parameters).total_s
    else:
        found = prefill(replica, read, parameters, batch).total_s
    return float(found[0])


def _measured(row: dict[str, str]) -> float:
    if float(row["output_tokens"]):
        return float(row["tpot_s"])
    devices = float(row["gpus_used"] or 1) if row["engine"] == "tensorrt" else 1.0
    return _batch(row) * devices / float(row["requests_per_s"])


def _batch(row: dict[str, str]) -> float:
    return float(row["batch"] or BATCH_OFFLINE)


def without_paces(parameters: Parameters) -> Parameters:
    """The parameters without what was fitted on these runs."""
    kept = tuple(e for e in parameters.effects.get("pace", ()) if e.axes != AXES)
    return replace(parameters, effects=dict(parameters.effects) | {"pace": kept})


def other_paces(runs: list[Other]) -> dict[tuple[str, str], tuple[float, int]]:
    """The factor on the pace of each (shape, stack), shrunk towards 1, and how many runs speak of it.

    The runs of one (device, model) pair share what the equations miss, so a pair counts once, by its median.
    """
    errors: dict[tuple[str, str], dict[tuple[str, str], list[float]]] = {}
    for run in runs:
        errors.setdefault((run.shape, run.stack), {}).setdefault((run.gpu, run.model), []).append(run.error)
    found = {}
    for group, pairs in errors.items():
        middle = float(np.median([np.median(values) for values in pairs.values()]))
        factor = float(np.exp(-middle * len(pairs) / (len(pairs) + BELIEVED)))
        found[group] = factor, sum(map(len, pairs.values()))
    return found


def held_out_others(runs: list[Other]) -> dict[str, Floats]:
    """Log errors without the run's own (device, model) pair.

    ``stack``: with the pace that other pairs of this shape under this stack show, where there are any; ``none``: of all
    runs by the equations alone.
    """
    with_pace = []
    for run in runs:
        rest = [r for r in runs if (r.gpu, r.model) != (run.gpu, run.model)]
        factor, count = other_paces(rest).get((run.shape, run.stack), (1.0, 0))
        if count:
            with_pace.append(run.error + float(np.log(factor)))
    return {"stack": np.array(with_pace), "none": np.array([run.error for run in runs])}


def pass_widths(runs: list[Other]) -> dict[str, float]:
    """Half the 80 % band of a pass, in the logarithm; without evidence never narrower than with it."""
    widths = {name: float(np.quantile(np.abs(errors), STATED)) for name, errors in held_out_others(runs).items()}
    return widths | {"none": max(widths.values())}
