"""`breakeven predict`: how fast one model is on one machine, and how far to trust it."""

from pathlib import Path
from typing import Annotated

import typer


def predict(  # noqa: PLR0913, PLR0917 - one parameter a flag
    model: Annotated[str, typer.Option(help="Open model, by its name in the catalogue.")],
    on: Annotated[str, typer.Option(help="Instance type or GPU.")],
    number_format: Annotated[
        str | None, typer.Option("--format", help="bf16, fp8, fp4, int8, w4a16, w8a16, or as plans print it.")
    ] = None,
    tensor_parallel: Annotated[
        int | None, typer.Option(help="Devices a replica; default: the fewest that fit and keep up.")
    ] = None,
    engine: Annotated[str, typer.Option(help="vllm, sglang, tensorrt-llm, tgi or a measured stack.")] = "vllm",
    engine_version: Annotated[str, typer.Option(help="As published, such as 0.19.0.")] = "",
    input_tokens: Annotated[float, typer.Option(help="Input tokens a request.")] = 1000.0,
    output_tokens: Annotated[float, typer.Option(help="Output tokens a request.")] = 300.0,
    concurrency: Annotated[float | None, typer.Option(help="Requests in flight; default 1.")] = None,
    rate: Annotated[float | None, typer.Option(help="Arrivals a second instead of a concurrency.")] = None,
    measured: Annotated[Path | None, typer.Option(help="Measurements of your own stack (CSV); see accuracy.")] = None,
    json: Annotated[str | None, typer.Option(help="Write it as JSON to a file, or - for stdout.")] = None,
) -> None:
    """Tokens per second, TTFT and TPOT of one replica with 80 % bands, what bounds it, the nearest measurements."""
    from breakeven.catalogue.load import load_catalogue  # noqa: PLC0415
    from breakeven.cli.files import write_json  # noqa: PLC0415
    from breakeven.cli.plans import parameters_with  # noqa: PLC0415
    from breakeven.performance.ask import ask  # noqa: PLC0415
    from breakeven.performance.measured import all_measurements  # noqa: PLC0415
    from breakeven.performance.question import Question  # noqa: PLC0415
    from breakeven.report.predicted import print_answer  # noqa: PLC0415

    question = Question(
        model=model,
        on=on,
        number_format=number_format,
        tensor_parallel=tensor_parallel,
        engine=engine,
        engine_version=engine_version,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        concurrency=1.0 if rate is None and concurrency is None else concurrency,
        rate_per_s=rate,
    )
    catalogue = load_catalogue()
    answer = ask(question, catalogue, parameters_with(measured, catalogue), all_measurements(catalogue))
    if json:
        write_json(answer, json)
    if json != "-":
        print_answer(answer)
