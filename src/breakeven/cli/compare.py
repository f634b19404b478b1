"""`breakeven compare`: a workload in, the cheapest way to serve it out."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from breakeven.cli.plans import Flags, plans_of
from breakeven.errors import BreakevenError, NoDataError, UnknownNameError

if TYPE_CHECKING:
    from breakeven.planner import Plan
    from breakeven.planner.spread import Ranges
    from breakeven.planner.verdict import Verdict

    Drawn = list[Ranges | None]


def compare(  # noqa: PLR0913, PLR0917 - one parameter a flag
    spec: Annotated[Path | None, typer.Argument(help="Workload spec (YAML); see docs/reference/spec.md.")] = None,
    requests_per_day: Annotated[float | None, typer.Option(help="Traffic on a mean day.")] = None,
    words_per_request: Annotated[float | None, typer.Option(help="Words in and out, together.")] = None,
    output_share: Annotated[float | None, typer.Option(help="Share of the words that is output, 0 to 1.")] = None,
    input_tokens: Annotated[float | None, typer.Option(help="Input tokens a request.")] = None,
    output_tokens: Annotated[float | None, typer.Option(help="Output tokens a request.")] = None,
    cached_input_tokens: Annotated[float | None, typer.Option(help="Part of the input that a cache holds.")] = None,
    profile: Annotated[str | None, typer.Option(help="Hourly profile by name, or flat.")] = None,
    task: Annotated[str | None, typer.Option(help="generate or encode.")] = None,
    at_least: Annotated[str | None, typer.Option(help="Quality floor: a model or a score.")] = None,
    quality_scale: Annotated[str | None, typer.Option(help="Scale of the scores; catalogue list scores.")] = None,
    ttft_s: Annotated[float | None, typer.Option(help="Target for the time to first token.")] = None,
    tpot_s: Annotated[float | None, typer.Option(help="Target for the time per output token.")] = None,
    quantile: Annotated[float | None, typer.Option(help="Share of requests that keep the target.")] = None,
    deferrable: Annotated[bool | None, typer.Option("--deferrable", help="An answer within a day will do.")] = None,
    region: Annotated[str | None, typer.Option(help="Cloud region.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Prices of that day (YYYY-MM-DD).")] = None,
    model: Annotated[list[str] | None, typer.Option(help="Only this model (repeatable, * allowed).")] = None,
    provider: Annotated[list[str] | None, typer.Option(help="Only this API provider (repeatable).")] = None,
    licence: Annotated[list[str] | None, typer.Option(help="Only open models of this licence.")] = None,
    machine: Annotated[list[str] | None, typer.Option(help="Only this machine (repeatable, * allowed).")] = None,
    overlay: Annotated[Path | None, typer.Option(help="Your own machines and prices (YAML).")] = None,
    measured: Annotated[Path | None, typer.Option(help="Measurements of your own stack (CSV).")] = None,
    top: Annotated[int | None, typer.Option(min=1, help="How many to show (in each class of quality).")] = None,
    by: Annotated[str, typer.Option(help="One line a model, machine or option.")] = "model",
    bands: Annotated[bool, typer.Option(help="Bands over the horizon, and what to measure next.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the scenarios behind the bands.")] = 0,
    mixed: Annotated[bool | None, typer.Option("--mixed", help="Look for fleets of several machine types.")] = None,
    explain: Annotated[str | None, typer.Option(help="One option in full: its bill and its sources.")] = None,
    json: Annotated[str | None, typer.Option(help="Write the plan as JSON to a file, or - for stdout.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the plan as one self-contained page to a file.")] = None,
) -> None:
    """Rank every way to serve a workload: paid APIs and open models on machines of one's own."""
    flags: Flags = {
        "traffic": {"requests_per_day": requests_per_day, "profile": profile},
        "tokens": {
            "input": input_tokens,
            "output": output_tokens,
            "cached_input": cached_input_tokens,
            "words_per_request": words_per_request,
            "output_share": output_share,
        },
        "latency": {"ttft_s": ttft_s, "tpot_s": tpot_s, "quantile": quantile},
        "only": {"models": model, "providers": provider, "licences": licence, "machines": machine},
        "hosting": {"mixed_machines": mixed},
        "": {
            "task": task,
            "at_least": at_least,
            "quality_scale": quality_scale,
            "region": region,
            "as_of": as_of,
            "deferrable": deferrable,
            "overlay": str(overlay) if overlay else None,
        },
    }
    plans = plans_of(spec, flags, by, measured)
    explained = _explained(plans, explain) if explain else None
    _tell(plans, _ranges(plans, seed, wanted=bands), top, explained, (json, html))


def _tell(
    plans: "list[Plan]",
    drawn: "Drawn",
    top: int | None,
    explained: "list[tuple[Plan, Verdict]] | None",
    files: tuple[str | None, Path | None],
) -> None:
    """Write the files that were asked for; print, unless the document goes to where it would be printed."""
    json, html = files
    _write(plans, drawn, (json, html), top, explained or [])
    if json != "-":
        _show(plans, drawn, top, explained)


def _write(
    plans: "list[Plan]",
    drawn: "Drawn",
    files: tuple[str | None, Path | None],
    top: int | None,
    explained: "list[tuple[Plan, Verdict]]",
) -> None:
    json, html = files
    if json:
        _write_json(plans, drawn, json, top, explained)
    if html:
        _write_html(plans, drawn, html, top)


def _ranges(plans: "list[Plan]", seed: int, *, wanted: bool) -> "Drawn":
    """What each plan's answer is worth over its horizon; nothing is drawn, or loaded, that is not wanted."""
    if not wanted:
        return [None for _ in plans]
    from breakeven.planner.ranges import ranges  # noqa: PLC0415

    return [ranges(one, seed) for one in plans]


def _top(plan: "Plan", top: int | None) -> int:
    from breakeven.report.sections import shown_of  # noqa: PLC0415

    return top or shown_of(plan)


def _show(plans: "list[Plan]", drawn: "Drawn", top: int | None, explained: "list[tuple[Plan, Verdict]] | None") -> None:
    from rich.console import Console  # noqa: PLC0415

    from breakeven.report.explained import print_verdict  # noqa: PLC0415
    from breakeven.report.tables import print_plan  # noqa: PLC0415
    from breakeven.report.words import WIDTH  # noqa: PLC0415

    console = Console(width=WIDTH, highlight=False)
    if explained is None:
        parts: list[Callable[[], None]] = [
            partial(print_plan, one, console, _top(one, top), found) for one, found in zip(plans, drawn, strict=True)
        ]
    else:
        of = dict(zip(map(id, plans), drawn, strict=True))
        parts = [partial(print_verdict, verdict, one, console, of[id(one)]) for one, verdict in explained]
    for number, part in enumerate(parts):
        if number:
            console.rule()
        part()


def _explained(plans: "list[Plan]", name: str) -> "list[tuple[Plan, Verdict]]":
    """The verdict on an option in every plan in which it competes; an error if that is none."""
    found: list[tuple[Plan, Verdict]] = []
    wrong: BreakevenError | None = None
    for one in plans:
        try:
            found.append((one, one.explain(name)))
        except (NoDataError, UnknownNameError) as refused:
            wrong = refused
    if wrong and not found:
        raise wrong
    return found


def _write_json(
    plans: "list[Plan]", drawn: "Drawn", target: str, top: int | None, explained: "list[tuple[Plan, Verdict]]"
) -> None:
    """The documents of the plans; an option that was to be explained stands in them whatever its place."""
    from breakeven.cli.files import write_whole  # noqa: PLC0415
    from breakeven.report.document import plan_document, to_json  # noqa: PLC0415

    of = {id(one): verdict for one, verdict in explained}
    documents = (
        plan_document(one, _top(one, top), found, (of[id(one)],) if id(one) in of else ())
        for one, found in zip(plans, drawn, strict=True)
    )
    raw = to_json(tuple(documents))
    if target == "-":
        typer.echo(raw.decode(), nl=False)
    else:
        write_whole(Path(target), raw)


def _write_html(plans: "list[Plan]", drawn: "Drawn", target: Path, top: int | None) -> None:
    from breakeven.cli.files import write_whole  # noqa: PLC0415
    from breakeven.report.page import html_page  # noqa: PLC0415

    write_whole(target, html_page(plans, [_top(one, top) for one in plans], drawn))
