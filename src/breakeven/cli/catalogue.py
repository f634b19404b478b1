"""`breakeven catalogue`: what the catalogue holds, where each figure comes from and since when it holds."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from breakeven.cli.given import day_of
from breakeven.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from breakeven.catalogue.load import Catalogue, Snapshot

T = TypeVar("T")

catalogue_app = typer.Typer(
    help="List, show and search the dated, sourced facts behind every plan.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

AsOf = Annotated[str | None, typer.Option(help="What held on that day (YYYY-MM-DD).")]
Region = Annotated[str | None, typer.Option(help="Cloud region.")]
Scale = Annotated[str | None, typer.Option(help="Scale of the quality scores.")]
Overlay = Annotated[Path | None, typer.Option(help="Your own machines and prices (YAML), laid over it.")]
Json = Annotated[str | None, typer.Option(help="Write it as JSON to a file, or - for stdout.")]


@catalogue_app.command("list")
def list_(  # noqa: PLR0913, PLR0917 - one parameter a flag
    kind: Annotated[str | None, typer.Argument(help="models, offers, machines ...; none: what there is.")] = None,
    name: Annotated[str | None, typer.Option(help="Only names that hold this (* stands for anything).")] = None,
    provider: Annotated[str | None, typer.Option(help="Only offers of this provider.")] = None,
    family: Annotated[str | None, typer.Option(help="Only models of this family.")] = None,
    licence: Annotated[str | None, typer.Option(help="Only models of this licence.")] = None,
    accelerator: Annotated[str | None, typer.Option(help="Only machines with this accelerator.")] = None,
    retired: Annotated[bool, typer.Option("--retired", help="Also offers that are no longer sold.")] = False,
    as_of: AsOf = None,
    region: Region = None,
    scale: Scale = None,
    overlay: Overlay = None,
    json: Json = None,
) -> None:
    """The kinds of fact with their counts, or the table of one kind."""
    from breakeven.catalogue.kinds import kind_of  # noqa: PLC0415
    from breakeven.catalogue.listing import listing, overview  # noqa: PLC0415
    from breakeven.report.catalogue import print_listing, print_overview  # noqa: PLC0415

    catalogue, snapshot, scale = _read(as_of, region, scale, overlay)
    filters = {"name": name, "provider": provider, "family": family, "licence": licence, "accelerator": accelerator}
    given = {column: wanted for column, wanted in filters.items() if wanted is not None}
    if kind is None:
        _refuse(given)
        _tell(overview(catalogue, snapshot, scale), print_overview, json)
    else:
        _tell(listing(catalogue, snapshot, kind_of(kind), scale, given, retired), print_listing, json)


@catalogue_app.command()
def show(
    name: Annotated[str, typer.Argument(help="A model, provider/model, machine, accelerator, profile, source ...")],
    as_of: AsOf = None,
    region: Region = None,
    scale: Scale = None,
    overlay: Overlay = None,
    json: Json = None,
) -> None:
    """Everything known of one name: facts, prices with their history, scores, and the source of each."""
    from breakeven.catalogue.search import find  # noqa: PLC0415
    from breakeven.report.catalogue import print_found  # noqa: PLC0415

    catalogue, snapshot, scale = _read(as_of, region, scale, overlay)
    _tell(find(catalogue, snapshot, name, scale), print_found, json)


@catalogue_app.command()
def search(
    text: Annotated[list[str], typer.Argument(help="Words of a name, family, provider or note; all must match.")],
    top: Annotated[int, typer.Option(min=1, help="How many to show of each kind.")] = 10,
    overlay: Overlay = None,
    json: Json = None,
) -> None:
    """The names that match a few words, by kind."""
    from breakeven.catalogue import search as names  # noqa: PLC0415
    from breakeven.report.catalogue import print_hits  # noqa: PLC0415

    _tell(names.search(_catalogue(overlay), " ".join(text)), lambda hits, console: print_hits(hits, top, console), json)


@catalogue_app.command()
def history(  # noqa: PLR0913, PLR0917 - one parameter a flag
    name: Annotated[str, typer.Argument(help="An API offer (provider/model or the model), machine or service.")],
    tier: Annotated[str | None, typer.Option(help="Only this tier: standard, batch, flex or priority.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="Only this kind of token: input, cached_input, cache_write or output.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="From that day on (YYYY-MM-DD).")] = None,
    as_of: Annotated[str | None, typer.Option(help="Up to that day (YYYY-MM-DD).")] = None,
    region: Region = None,
    overlay: Overlay = None,
    json: Json = None,
) -> None:
    """The prices of one name over time: a chart, and every dated row with its source."""
    from breakeven.catalogue import history as prices  # noqa: PLC0415
    from breakeven.report.history import print_histories  # noqa: PLC0415
    from breakeven.workload.policy import Policy  # noqa: PLC0415

    catalogue = _catalogue(overlay)
    span = prices.Span(
        since=day_of(since, "--since") if since else None,
        as_of=day_of(as_of) if as_of else max(date.today(), catalogue.last_day),
        region=region or Policy().region,
        tier=tier,
        token_kind=kind,
    )
    _tell(prices.history(catalogue, name, span), print_histories, json)


@catalogue_app.command()
def diff(  # noqa: PLR0913, PLR0917 - one parameter a flag
    before: Annotated[str, typer.Argument(help="The first day (YYYY-MM-DD).")],
    after: Annotated[str, typer.Argument(help="The second day (YYYY-MM-DD).")],
    provider: Annotated[str | None, typer.Option(help="Only offers of this provider (* stands for anything).")] = None,
    name: Annotated[str | None, typer.Option(help="Only names that hold this (* stands for anything).")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many to show of each list.")] = 20,
    region: Region = None,
    overlay: Overlay = None,
    json: Json = None,
) -> None:
    """What changed between two days: prices, and the offers and machines that came and went."""
    from breakeven.catalogue import diff as days  # noqa: PLC0415
    from breakeven.report.history import print_diff  # noqa: PLC0415
    from breakeven.workload.policy import Policy  # noqa: PLC0415

    found = days.diff(
        _catalogue(overlay),
        (day_of(before, "the first day"), day_of(after, "the second day")),
        region or Policy().region,
        provider,
        name,
    )
    _tell(found, lambda result, console: print_diff(result, console, top), json)


def _catalogue(overlay: Path | None) -> "Catalogue":
    from breakeven.catalogue.load import load_catalogue  # noqa: PLC0415

    if overlay is None:
        return load_catalogue()
    from breakeven.catalogue.overlay import with_overlay  # noqa: PLC0415

    return with_overlay(load_catalogue(), overlay)


def _read(
    as_of: str | None, region: str | None, scale: str | None, overlay: Path | None
) -> "tuple[Catalogue, Snapshot, str]":
    """The catalogue, what held in it on the day, and the scale of quality; what a plan takes where none is given."""
    from breakeven.workload.policy import Policy  # noqa: PLC0415

    catalogue, usual = _catalogue(overlay), Policy()
    day = day_of(as_of) if as_of else max(date.today(), catalogue.last_day)
    return catalogue, catalogue.on(day, region or usual.region), scale or usual.quality_scale


def _refuse(filters: dict[str, str]) -> None:
    if filters:
        raise SpecError(
            f"--{next(iter(filters))} is given without a kind",
            expected="breakeven catalogue list KIND with filters",
            do="Name the kind: `breakeven catalogue list` lists them",
        )


def _tell(result: T, show_it: "Callable[[T, Console], None]", json: str | None) -> None:
    """Print a result, or write it as JSON to stdout or whole to a file."""
    from breakeven.report.catalogue import to_json  # noqa: PLC0415
    from breakeven.report.words import WIDTH  # noqa: PLC0415

    if json == "-":
        typer.echo(to_json(result).decode(), nl=False)
        return
    if json:
        from breakeven.cli.files import write_whole  # noqa: PLC0415

        write_whole(Path(json), to_json(result))
    from rich.console import Console  # noqa: PLC0415

    show_it(result, Console(width=WIDTH, highlight=False))
