"""`breakeven bench`: load on an OpenAI-compatible server with a workload's own lengths and arrivals, measured."""

from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from breakeven.errors import SpecError

if TYPE_CHECKING:
    from breakeven.bench.rows import Point, System
    from breakeven.cli.bench_run import Asked, Described

    Picked = TypeVar("Picked", Asked, Described)

EXTRA = {"aiohttp", "yarl"}
REPEATABLE, DOLLARS = ("concurrency", "rate"), ("max_usd", "usd_per_hour")


def bench(  # noqa: PLR0913, PLR0917 - one parameter a flag
    url: Annotated[
        str | None, typer.Argument(help="Base URL as OpenAI clients take it, such as http://host/v1.")
    ] = None,
    spec: Annotated[Path | None, typer.Option(help="Workload spec (YAML): token lengths, arrivals, target.")] = None,
    read: Annotated[
        list[Path] | None, typer.Option(help="Take the runs of guidellm, genai-perf, aiperf or vllm bench serve.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model to ask for; default: the one the server offers.")] = None,
    api_key_env: Annotated[str | None, typer.Option(help="Environment variable with the server's key.")] = None,
    concurrency: Annotated[list[int] | None, typer.Option(help="Closed loop: so many in flight (repeatable).")] = None,
    rate: Annotated[list[float] | None, typer.Option(help="Open loop: arrivals a second (repeatable).")] = None,
    from_hour: Annotated[
        int | None, typer.Option(help="Open loop from that hour of the profile on; default: the busiest.")
    ] = None,
    scale: Annotated[float, typer.Option(help="That part of the spec's traffic, such as 0.25 for one of 4.")] = 1.0,
    requests: Annotated[int, typer.Option(min=1, help="Requests that are measured for each load.")] = 100,
    warm_up: Annotated[int, typer.Option(min=0, help="Requests before each load that are not measured.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Seed of lengths and arrivals.")] = 0,
    timeout_s: Annotated[float, typer.Option(help="A request that takes longer counts as failed.")] = 600.0,
    max_requests: Annotated[int | None, typer.Option(min=1, help="Never send more than that, all loads.")] = None,
    max_usd: Annotated[float | None, typer.Option(help="Never send what can cost more, by --api's prices.")] = None,
    api: Annotated[str | None, typer.Option(help="Paid API whose prices hold: provider/model.")] = None,
    usd_per_hour: Annotated[float | None, typer.Option(help="What the machines measured cost an hour, all.")] = None,
    machine: Annotated[str | None, typer.Option(help="Or: that machine, at the catalogue's price.")] = None,
    plan: Annotated[Path | None, typer.Option(help="Plan (JSON) that says what was set up and its price.")] = None,
    option: Annotated[str | None, typer.Option(help="The plan's option; default: its first self-hosted one.")] = None,
    on: Annotated[str | None, typer.Option(help="Accelerator measured, as the catalogue names it.")] = None,
    catalogue_model: Annotated[str | None, typer.Option(help="Its model, as the catalogue names it.")] = None,
    number_format: Annotated[str | None, typer.Option("--format", help="bf16, fp8, fp4, int8, w4a16, w8a16.")] = None,
    engine: Annotated[str | None, typer.Option(help="vllm, sglang, tensorrt-llm, tgi or another stack.")] = None,
    engine_version: Annotated[str | None, typer.Option(help="As published, such as 0.19.0.")] = None,
    tensor_parallel: Annotated[int | None, typer.Option(help="Devices a replica.")] = None,
    replicas: Annotated[int, typer.Option(help="Replicas behind the URL.")] = 1,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write the table that --measured reads.")] = None,
    json: Annotated[str | None, typer.Option(help="Write the figures as JSON to a file, or - for stdout.")] = None,
) -> None:
    """Send a workload's requests to a server and tell TTFT, TPOT, goodput and dollars a million tokens."""
    flags = locals()
    from breakeven.cli.bench_run import Asked, Described  # noqa: PLC0415

    told = _picked(Described, flags)
    if read:
        _read(url, read, told, out, json)
        return
    if url is None or spec is None:
        raise SpecError(
            "no URL and no result file is given" if url is None else "no workload is given",
            expected="`breakeven bench URL --spec SPEC`, or `breakeven bench --read FILE`",
            do="Name the server and the workload",
        )
    _run(_picked(Asked, flags), told, out, json)


def _picked(kind: "type[Picked]", flags: dict[str, Any]) -> "Picked":
    """A structure from the flags of the same names: lists as tuples, dollars exactly as they were written."""
    values = {field.name: flags[field.name] for field in fields(kind)}
    for name, value in values.items():
        if name in REPEATABLE:
            values[name] = tuple(value or ())
        elif name in DOLLARS and value is not None:
            values[name] = Decimal(str(value))
    return kind(**values)


def _run(asked: "Asked", told: "Described", out: Path | None, json: str | None) -> None:
    from breakeven.bench.rows import point_of  # noqa: PLC0415
    from breakeven.cli.bench_run import run_all  # noqa: PLC0415
    from breakeven.cli.files import write_json  # noqa: PLC0415
    from breakeven.report.benched import print_measured  # noqa: PLC0415

    system = told.system() if out else None
    try:
        found, slo = run_all(asked, told)
    except ModuleNotFoundError as wrong:
        if wrong.name not in EXTRA:
            raise
        raise SpecError(
            f"{wrong.name} is not installed, and bench needs it",
            expected="the extra `gateway`",
            do="pip install 'breakeven[gateway]'",
        ) from wrong
    if json:
        write_json(found, json)
    if json != "-":
        print_measured(found, slo)
    if out and system:
        _write([point for one in found if (point := point_of(one))], system, asked.url, out)
    if not any(one.good for one in found):
        raise typer.Exit(1)


def _read(url: str | None, files: list[Path], told: "Described", out: Path | None, json: str | None) -> None:
    from breakeven.bench.others import read_results  # noqa: PLC0415
    from breakeven.cli.files import write_json  # noqa: PLC0415
    from breakeven.report.benched import print_points  # noqa: PLC0415

    if url is not None:
        raise SpecError("a URL and --read are both given", expected="one of them", do="Leave one out")
    points = [point for file in files for point in read_results(file)]
    if json:
        write_json(points, json)
    if json != "-":
        print_points(points)
    if out:
        _write(points, told.system(), " ".join(file.name for file in files), out)


def _write(points: "list[Point]", system: "System", source: str, out: Path) -> None:
    """The table, checked as `accuracy` will check it before it replaces anything."""
    from datetime import date  # noqa: PLC0415

    from breakeven.bench.rows import csv_of  # noqa: PLC0415
    from breakeven.catalogue.load import load_catalogue  # noqa: PLC0415
    from breakeven.cli.files import write_whole  # noqa: PLC0415
    from breakeven.performance.measured import table_of  # noqa: PLC0415

    if not points:
        typer.echo(f"{out} is not written: nothing was measured", err=True)
        return
    raw = csv_of(points, system, source, date.today())
    table = table_of(raw.decode(), load_catalogue(), "what was measured")
    write_whole(out, raw)
    covered = int(table.runs.covered.sum())
    told = f"{out}: {len(points)} row{'s' if len(points) > 1 else ''}"
    if covered < len(points):
        told += f", {len(points) - covered} of them of a model or accelerator that the predictor does not know"
    typer.echo(f"{told}. Next: breakeven compare SPEC --measured {out}", err=True)
