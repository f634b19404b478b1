"""`breakeven workload --documents FOLDER`: a folder of documents in, their tokens and a workload spec out."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from breakeven.report.words import WIDTH

if TYPE_CHECKING:
    from breakeven.documents.measure import DocumentsReport
    from breakeven.workload.profile import Task

STDOUT = Path("-")


def workload_of_documents(  # noqa: PLR0913 - one parameter a flag
    folder: Path,
    *,
    spec: Path | None = None,
    models: Sequence[str] = (),
    output_tokens: float | None = None,
    output_share: float | None = None,
    task: "Task | None" = None,
    prompt_tokens: float = 0.0,
    requests_per_day: float | None = None,
) -> None:
    """Count the documents of ``folder``, print what was found, and write ``spec`` (``-``: the spec alone, to stdout).

    Raises:
        BreakevenError: if the folder cannot be read, or the spec is wanted and the answers' length was not said.
    """
    from breakeven.cli.files import write_whole  # noqa: PLC0415 - each command loads what it needs
    from breakeven.documents.measure import measure_documents  # noqa: PLC0415
    from breakeven.documents.spec import documents_spec_yaml, refuse_no_answer  # noqa: PLC0415

    if spec:
        refuse_no_answer(output_tokens, output_share, task)  # before the counting, which may take minutes
    with _progress() as progress:
        report = measure_documents(folder, candidates=models, workers=_cores(), progress=progress)
    text = ""
    if spec:
        text = documents_spec_yaml(
            report,
            output_tokens=output_tokens,
            output_share=output_share,
            task=task,
            prompt_tokens=prompt_tokens,
            requests_per_day=requests_per_day,
        )
    if spec == STDOUT:
        typer.echo(text, nl=False)
        return
    _show(report)
    if spec:
        write_whole(spec, text.encode())
        typer.echo(f"\nWrote {spec}. Next: breakeven compare {spec}")
    else:
        typer.echo("\nNext: a spec of it, by -o SPEC.yaml with --output-tokens or --output-share")


def _show(report: "DocumentsReport") -> None:
    from rich.console import Console  # noqa: PLC0415

    from breakeven.report.documents import print_documents  # noqa: PLC0415

    print_documents(report, Console(width=WIDTH, highlight=False))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal, nothing elsewhere."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("reading and counting"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        line = bar.add_task("")
        yield lambda done, every: bar.update(line, completed=done, total=every)
