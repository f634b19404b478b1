"""The commands."""

from typing import Annotated

import typer

from breakeven.cli.accuracy import accuracy
from breakeven.cli.bench import bench
from breakeven.cli.catalogue import catalogue_app
from breakeven.cli.compare import compare
from breakeven.cli.deploy import deploy, destroy, status
from breakeven.cli.gateway import gateway
from breakeven.cli.keys import keys_app
from breakeven.cli.local import local
from breakeven.cli.predict import predict
from breakeven.cli.price import price
from breakeven.cli.simulate import simulate
from breakeven.cli.template import template
from breakeven.cli.ui import ui
from breakeven.cli.up import up
from breakeven.cli.workload import workload

app = typer.Typer(
    name="breakeven",
    help="Is a paid LLM API or a self-hosted open model cheaper for my traffic, and from which traffic on?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from breakeven import __version__  # noqa: PLC0415
        from breakeven.catalogue.load import load_catalogue  # noqa: PLC0415

        typer.echo(f"breakeven {__version__}, catalogue {load_catalogue().digest}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Version and catalogue.")
    ] = False,
) -> None:
    del version


app.command()(compare)
app.command()(workload)
app.command()(price)
app.command()(predict)
app.command()(accuracy)
app.command()(simulate)
app.command()(bench)
app.command()(gateway)
app.command()(local)
app.command()(up)
app.add_typer(keys_app, name="keys")
app.command()(template)
app.command()(deploy)
app.command()(status)
app.command()(destroy)
app.command()(ui)
app.add_typer(catalogue_app, name="catalogue")
