"""`breakeven ui`: the planner as web pages, on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from breakeven.errors import SpecError

if TYPE_CHECKING:
    import socket

    from breakeven.ui.meter import Meter

EXTRA = ("starlette", "uvicorn", "xlsxwriter", "altair", "jinja2", "vl_convert")
SHORTEST_TOKEN = 16
LARGEST_PORT = 65535


def ui(
    host: Annotated[str, typer.Option(help="Address to listen on; any but this machine's own needs a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=LARGEST_PORT, help="Port; 0 for any that is free.")] = 8181,
    token_file: Annotated[
        Path | None, typer.Option(help="A file with the token that visitors give (16 characters or more).")
    ] = None,
    name: Annotated[list[str] | None, typer.Option(help="A name under which the pages are asked for.")] = None,
    store: Annotated[
        str | None,
        typer.Option(
            envvar="BREAKEVEN_STORE", help="A gateway's store, for the spend page: a file or postgresql://..."
        ),
    ] = None,
    upload_megabytes: Annotated[int, typer.Option(min=1, max=2000, help="The largest log that is read.")] = 64,
) -> None:
    """Serve the planner as web pages. Prints its address and opens nothing by itself; stop it with Ctrl-C."""
    from breakeven.report.page import check_extra  # noqa: PLC0415 - each command loads what it needs

    check_extra(EXTRA, "breakeven ui", "ui")
    from breakeven.catalogue.load import load_catalogue  # noqa: PLC0415
    from breakeven.ui.answers import Planner  # noqa: PLC0415
    from breakeven.ui.app import application  # noqa: PLC0415
    from breakeven.ui.guard import Door, is_loopback  # noqa: PLC0415
    from breakeven.ui.serve import serve  # noqa: PLC0415
    from breakeven.ui.site import Site  # noqa: PLC0415

    token = None if token_file is None else _token(token_file)
    if token is None and not is_loopback(host):
        raise SpecError(
            f"--host {host} can be reached from other machines, and no token is given",
            expected="--token-file beside any address but this machine's own",
            do="Add --token-file, or leave out --host",
        )
    meter = _meter(store) if store else None
    site = Site(
        Planner(load_catalogue()),
        upload_bytes=upload_megabytes * 1_000_000,
        meter=meter,
    )
    listening = _listening(host, port)
    shown = f"[{host}]" if ":" in host else host
    typer.echo(f"http://{shown}:{listening.getsockname()[1]}/")
    serve(application(site, Door(host=host, names=tuple(name or ()), token=token)), site, listening)


def _meter(store: str) -> "Meter":
    """The gateway's meter. A store that does not answer now is told, and the other pages go on."""
    from breakeven.ui.meter import Meter, StoreSilentError  # noqa: PLC0415

    meter = Meter(place=store)
    try:
        meter.ask(lambda _: None)
    except StoreSilentError as wrong:
        typer.echo(f"The spend page has nothing to show yet: {wrong}", err=True)
    return meter


def _token(path: Path) -> str:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as wrong:
        raise SpecError(
            f"--token-file {path} cannot be read: {wrong}", expected="a file with the token", do="Check the path"
        ) from wrong
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
        raise SpecError(
            f"the token in {path} has {len(token)} characters",
            expected=f"{SHORTEST_TOKEN} or more, printable ASCII",
            do="Write a longer one: `openssl rand -hex 24` makes one",
        )
    return token


def _listening(host: str, port: int) -> "socket.socket":
    """The socket, before anything else is loaded: a port that is taken is told at once."""
    import socket  # noqa: PLC0415

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as wrong:
        raise SpecError(
            f"{host}, port {port} cannot be listened on: {wrong.strerror or wrong}",
            expected="an address of this machine and a free port",
            do="Choose another --port (0: any that is free)",
        ) from wrong
