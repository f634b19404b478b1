"""`breakeven workload`: a usage log or a folder of documents in, the workload it shows out."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from breakeven.cli.documents import workload_of_documents
from breakeven.errors import SpecError

if TYPE_CHECKING:
    from breakeven.logs.log import Asked, Log

T = TypeVar("T")
LOOK_EVERY_S = 0.1

Logs = Annotated[
    list[str],
    typer.Argument(help="Usage logs: files, globs, folders, s3:// paths, a gateway's store.", metavar="LOG..."),
]
Columns = Annotated[
    str | None, typer.Option(help="Where a log of your own keeps what: time=ts,input=prompt_tokens,output=...")
]
TimeZone = Annotated[str | None, typer.Option(help="The zone of times that carry none, for example UTC.")]
EngineFlag = Annotated[str, typer.Option(help="duckdb (this machine) or spark.")]
Json = Annotated[str | None, typer.Option(help="Write everything measured as JSON to a file, or - for stdout.")]


def workload(  # noqa: PLR0913, PLR0917 - one parameter a flag
    log: Annotated[
        list[str] | None,
        typer.Argument(help="Usage logs: files, globs, folders, s3:// paths, a gateway's store.", metavar="LOG..."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the spec (YAML); - for stdout.")] = None,
    group_by: Annotated[str | None, typer.Option(help="One workload each: model,team,key,user,provider,tier.")] = None,
    columns: Columns = None,
    time_zone: TimeZone = None,
    engine: EngineFlag = "duckdb",
    json: Json = None,
    documents: Annotated[Path | None, typer.Option(help="A folder of documents instead of a log.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="Documents: count for this model (repeatable).")] = None,
    output_tokens: Annotated[float | None, typer.Option(help="Documents: tokens of an answer.")] = None,
    output_share: Annotated[float | None, typer.Option(help="Documents: share of a request that is answer.")] = None,
    prompt_tokens: Annotated[float, typer.Option(help="Documents: tokens of the prompt around each.")] = 0.0,
    requests_per_day: Annotated[float | None, typer.Option(help="Documents: how many a day.")] = None,
) -> None:
    """Measure a workload from usage logs or documents: how long requests are, when they come, what a cache holds."""
    if documents is not None:
        _refuse_beside_documents(log=log, group_by=group_by, columns=columns, time_zone=time_zone, json=json)
        workload_of_documents(
            documents,
            spec=output,
            models=model or (),
            output_tokens=output_tokens,
            output_share=output_share,
            task="encode" if output_tokens == 0 else None,
            prompt_tokens=prompt_tokens,
            requests_per_day=requests_per_day,
        )
        return
    if not log:
        raise SpecError("no log is given", expected="LOG... or --documents FOLDER", do="Name a file or a folder")
    from breakeven.catalogue.load import load_catalogue  # noqa: PLC0415 - each command loads what it needs
    from breakeven.logs.measure import check_groups, measure  # noqa: PLC0415
    from breakeven.logs.specs import document, spec_text  # noqa: PLC0415

    groups = [name.strip() for name in group_by.split(",")] if group_by else []
    check_groups(groups)
    asked = asked_of(log, columns, time_zone, engine)
    measured = over(asked, lambda opened: measure(opened, groups, load_catalogue()))
    to_stdout = "-" in (json, str(output))
    if output:
        write(str(output), spec_text(measured, asked.shown))
    if json:
        write_json(json, document(measured, asked.shown))
    if not to_stdout:
        from breakeven.report.measured_log import print_measured  # noqa: PLC0415

        print_measured(measured, output)


def _refuse_beside_documents(**given: object) -> None:
    for name, value in given.items():
        if value:
            raise SpecError(
                f"--documents stands beside {'a log' if name == 'log' else '--' + name.replace('_', '-')}",
                expected="documents or a log",
                do="Leave one of them out",
            )


def asked_of(log: list[str], columns: str | None, time_zone: str | None, engine: str) -> "Asked":
    """The flags that say how to read a log.

    Raises:
        SpecError: if one of them makes no sense.
    """
    from breakeven.logs.log import Asked  # noqa: PLC0415
    from breakeven.logs.times import zone_named  # noqa: PLC0415

    if time_zone is not None:
        zone_named(time_zone)
    named = dict(_pair(pair) for pair in columns.split(",")) if columns else None
    return Asked(paths=tuple(log), columns=named, zone=time_zone, engine=engine)


def _pair(text: str) -> tuple[str, str]:
    role, equals, column = text.partition("=")
    if not equals or not column.strip():
        raise SpecError(
            f"--columns has {text!r}", expected="role=column, with commas between", do="Write time=ts,input=prompt"
        )
    return role.strip(), column.strip()


def over(asked: "Asked", work: "Callable[[Log], T]") -> T:
    """The result of some work on a log, with its progress shown on a terminal while it lasts."""
    from concurrent.futures import ThreadPoolExecutor, wait  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    from breakeven.logs.log import Log  # noqa: PLC0415

    console = Console(stderr=True)
    if not console.is_terminal:
        with Log(asked) as opened:
            return work(opened)
    columns = TextColumn("reading {task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as shown, ThreadPoolExecutor(1) as pool:
        task = shown.add_task("the files", total=None)
        with Log(asked) as opened:
            shown.update(task, description=f"about {opened.estimated_rows:,.0f} rows")
            running = pool.submit(work, opened)
            try:
                while not running.done():
                    wait([running], timeout=LOOK_EVERY_S)
                    done = opened.engine.progress()
                    shown.update(task, total=None if done is None else 1, completed=done or 0)
            except KeyboardInterrupt:
                opened.engine.stop()
                raise
            return running.result()


def write(target: str, text: str) -> None:
    """Text to a file, whole or not at all; ``-`` is stdout."""
    from breakeven.cli.files import write_whole  # noqa: PLC0415

    if target == "-":
        typer.echo(text, nl=False)
    else:
        write_whole(Path(target), text.encode())


def write_json(target: str, document: object) -> None:
    """A document as indented JSON."""
    import msgspec  # noqa: PLC0415

    write(target, msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")
