"""`breakeven local`: a small model on this machine and the gateway before it, in one command."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from breakeven.errors import SpecError

if TYPE_CHECKING:
    import socket

    from breakeven.gateway.config import GatewayFile
    from breakeven.gateway.open_books import OpenBooks
    from breakeven.model_server.process import ModelServer

HOST, PORT = "127.0.0.1", 8080
LOOK_EVERY_S = 0.5
PATIENCE_S = 600.0  # a laptop's processor answers slowly, and callers wait for a slot


def local(
    model: Annotated[Path | None, typer.Option(help="A GGUF file; default: SmolLM2-135M-Instruct.")] = None,
    name: Annotated[str | None, typer.Option(help="The model's name in the API; default: the file's.")] = None,
    port: Annotated[int | None, typer.Option(help="Where to listen; default: 8080, or a free port.")] = None,
    slots: Annotated[int, typer.Option(min=1, help="Requests that are worked on at once; more wait.")] = 4,
    context_tokens: Annotated[
        int, typer.Option(min=128, help="Tokens of prompt and answer that each request may have.")
    ] = 2048,
) -> None:
    """Serve a small model on this machine with the gateway before it, until Ctrl-C."""
    from breakeven.model_server import weights  # noqa: PLC0415
    from breakeven.model_server.process import ModelServer  # noqa: PLC0415
    from breakeven.model_server.serve import Served  # noqa: PLC0415

    listener = _listener(port)
    with contextlib.closing(listener):
        path = weights.named(model) if model else weights.bundled()
        called = name or (path.stem if model else weights.DEFAULT_NAME)
        typer.echo(f"{path.name} is being loaded", err=True)
        with ModelServer(Served(path=str(path), name=called, slots=slots, context_tokens=context_tokens)) as served:
            books = _serve(served, called, slots, listener)
            died = served.ended()
    typer.echo(_summary(books), err=True)
    if died:
        typer.echo(f"breakeven: {died}; the gateway has ended too. Start it again", err=True)
        raise typer.Exit(1)


def _listener(port: int | None) -> "socket.socket":
    """The port that was asked for; else 8080, or any that is free."""
    from breakeven.gateway.serve import listening_socket  # noqa: PLC0415

    if port is not None:
        return listening_socket(HOST, port)
    try:
        return listening_socket(HOST, PORT)
    except SpecError:
        return listening_socket(HOST, 0)


def _serve(served: "ModelServer", model: str, slots: int, listener: "socket.socket") -> "OpenBooks":
    """The gateway, until Ctrl-C or until the model server is gone."""
    import asyncio  # noqa: PLC0415 - every command would pay for it

    from breakeven.catalogue.load import load_catalogue  # noqa: PLC0415
    from breakeven.gateway.assembly import Parts, assembled  # noqa: PLC0415
    from breakeven.gateway.logbook import Logbook  # noqa: PLC0415
    from breakeven.gateway.open_books import OpenBooks  # noqa: PLC0415
    from breakeven.gateway.rules import rules_of  # noqa: PLC0415
    from breakeven.gateway.serve import log_to_stderr, server_of  # noqa: PLC0415

    rules, books = rules_of(_file(served, model, slots)), OpenBooks()
    at = f"http://{HOST}:{listener.getsockname()[1]}"

    @contextlib.asynccontextmanager
    async def watching() -> AsyncIterator[None]:
        async def watch() -> None:
            while served.ended() is None:
                await asyncio.sleep(LOOK_EVERY_S)
            server.should_exit = True

        task = asyncio.create_task(watch())
        yield
        task.cancel()

    parts = Parts(catalogue=load_catalogue(), ledger=books, log=Logbook(), living=(watching(),))
    gateway = assembled(rules, parts)
    server = server_of(gateway, rules.limits, lambda: typer.echo(_welcome(at, model, served)))
    log_to_stderr()
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    return books


def _file(served: "ModelServer", model: str, slots: int) -> "GatewayFile":
    from breakeven.gateway.config import GatewayFile, Routing, Timeouts, UpstreamEntry  # noqa: PLC0415

    return GatewayFile(
        upstreams={"local": UpstreamEntry(url=served.base_url, concurrency=slots)},
        models={model: ("local",)},
        routing=Routing(queue_s=PATIENCE_S),
        timeouts=Timeouts(first_token_s=PATIENCE_S, between_bytes_s=PATIENCE_S),
    )


def _welcome(at: str, model: str, served: "ModelServer") -> str:
    asked = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello!"}]})
    return (
        f"base_url  {at}/v1\n"
        f"model     {model}\n"
        f"behind it {served.base_url} (llama.cpp, process {served.pid})\n"
        f"\n"
        f"curl {at}/v1/chat/completions -H 'content-type: application/json' -d '{asked}'\n"
        f"\n"
        f"Ctrl-C ends the gateway and the model."
    )


def _summary(books: "OpenBooks") -> str:
    """What was used, of the newest requests that are kept."""
    kept = books.records
    read = sum(record.input_tokens or 0 for record in kept)
    written = sum(record.output_tokens or 0 for record in kept)
    return f"{len(kept)} requests, {read} tokens read, {written} written"
