"""Measurements as rows of the table that `accuracy`, `predict --measured` and `compare --measured` read."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import msgspec

from breakeven.bench.summary import Measured
from breakeven.errors import SpecError
from breakeven.performance.engines import stack_of
from breakeven.performance.kinds import BYTES_A_WEIGHT, MEASURED_AS
from breakeven.performance.measured import COLUMNS, COMPUTE

DIGITS = 6


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One measured load, whoever measured it: means over its good requests. ``None``: not told."""

    mode: str
    input_tokens: float
    output_tokens: float
    concurrency: float | None = None
    request_rate_per_s: float | None = None
    requests: int | None = None
    failed: int | None = None
    output_tokens_per_s: float | None = None
    ttft_s: float | None = None
    tpot_s: float | None = None
    model: str = ""
    on: date | None = None
    tool: str = ""
    """Which load generator, with its version where it says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """On what it was measured: as the table names it."""

    gpu: str
    model: str
    number_format: str
    engine: str
    engine_version: str = ""
    tensor_parallel: int = 1
    replicas: int = 1


def described(given: dict[str, str | None], tensor_parallel: int = 1, replicas: int = 1) -> System:
    """A system from what was said of it, by flag.

    Raises:
        SpecError: something is missing without which no row can be written, or the number format is none.
    """
    missing = [flag for flag, value in given.items() if value is None and flag != "--engine-version"]
    if missing:
        raise SpecError(
            f"a row of measurements says what was measured, and {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not given",
            expected="the accelerator, the model by its name in the catalogue, its number format, the engine",
            do="Add them, or take them from a plan with --plan plan.json --option ID",
        )
    told = {flag: value or "" for flag, value in given.items()}
    number_format = MEASURED_AS.get(told["--format"], told["--format"])
    if number_format not in COMPUTE:
        raise SpecError(
            f"--format is {number_format}", expected=f"one of {', '.join(COMPUTE)}", do="Choose one of them"
        )
    if min(tensor_parallel, replicas) < 1:
        raise SpecError(
            f"--tensor-parallel is {tensor_parallel} and --replicas {replicas}", expected="1 or more", do="Correct it"
        )
    engine, version = stack_of(told["--engine"], told["--engine-version"])
    return System(
        gpu=told["--on"],
        model=told["--catalogue-model"],
        number_format=number_format,
        engine=engine,
        engine_version=version,
        tensor_parallel=tensor_parallel,
        replicas=replicas,
    )


def csv_of(points: Sequence[Point], system: System, source: str, today: date) -> bytes:
    """The table, one row a point, in order."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for number, point in enumerate(points, 1):
        writer.writerow(_row(point, system, source, today) | {"id": f"bench:{today:%Y%m%d}-{number}"})
    return out.getvalue().encode()


def _row(point: Point, system: System, source: str, today: date) -> dict[str, str | float]:
    failed = f", {point.failed} failed" if point.failed else ""
    return {
        "source": " ".join(f"{point.tool} {source}{failed}".split()),
        "date": (point.on or today).isoformat(),
        "mode": point.mode,
        "scenario": "",
        "gpu": system.gpu,
        "gpus_used": system.tensor_parallel * system.replicas,
        "model": system.model,
        "compute_format": system.number_format,
        "weight_bytes_per_param": BYTES_A_WEIGHT[system.number_format],
        "kv_bytes_per_element": 2,
        "engine": system.engine,
        "engine_version": system.engine_version,
        "tensor_parallel": system.tensor_parallel,
        "data_parallel": 1,
        "pipeline_parallel": 1,
        "replicas": system.replicas,
        "parallelism_basis": "measured",
        "input_tokens": _figure(point.input_tokens),
        "output_tokens": _figure(point.output_tokens),
        "concurrency": _figure(point.concurrency),
        "request_rate_per_s": _figure(point.request_rate_per_s),
        "requests": "" if point.requests is None else point.requests,
        "output_tokens_per_s": _figure(point.output_tokens_per_s),
        "ttft_s": _figure(point.ttft_s),
        "tpot_s": _figure(point.tpot_s),
    }


def _figure(value: float | None) -> str:
    """Six digits; nothing for what is not known."""
    return "" if value is None else f"{value:.{DIGITS}g}"


def point_of(measured: Measured) -> Point | None:
    """A run as a row holds it; ``None`` where no request was answered."""
    if measured.input_tokens is None or not measured.output_tokens:
        return None
    return Point(
        mode=measured.mode,
        input_tokens=measured.input_tokens,
        output_tokens=measured.output_tokens,
        concurrency=measured.concurrency,
        request_rate_per_s=measured.request_rate_per_s,
        requests=measured.good,
        failed=measured.sent - measured.good,
        output_tokens_per_s=measured.output_tokens_per_s,
        ttft_s=measured.ttft_s.mean if measured.ttft_s else None,
        tpot_s=measured.tpot_s.mean if measured.tpot_s else None,
        tool="breakeven bench",
    )
