"""`breakeven up --local`: the path of the template on this machine, API Gateway to model, each part a process."""

import importlib.util
import json
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from breakeven.errors import SpecError

if TYPE_CHECKING:
    from breakeven.standins.environment import Function
    from breakeven.standins.stack import Stack

LOOK_EVERY_S = 0.3
NEEDED = ("awslambdaric", "mangum", "botocore", "aiohttp", "xllamacpp")


def up(  # noqa: PLR0913, PLR0917 - one parameter a flag
    local: Annotated[bool, typer.Option("--local", help="On this machine; on AWS it is `breakeven deploy`.")] = False,
    model: Annotated[Path | None, typer.Option(help="A GGUF file; default: SmolLM2-135M-Instruct.")] = None,
    name: Annotated[str | None, typer.Option(help="The model's name in the API; default: the file's.")] = None,
    rest_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the REST API; 0: one that is free.")] = 0,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the HTTP API; 0: one that is free.")] = 0,
    slots: Annotated[int, typer.Option(min=1, help="Requests that the model works on at once.")] = 4,
    context_tokens: Annotated[
        int, typer.Option(min=128, help="Tokens of prompt and answer that each request may have.")
    ] = 2048,
    function_s: Annotated[float, typer.Option(min=1, max=900, help="The function's timeout in seconds.")] = 900.0,
    environments: Annotated[int, typer.Option(min=1, help="Copies of each function; one serves one request.")] = 4,
    quiet: Annotated[bool, typer.Option("--quiet", help="Not the log of the functions.")] = False,
) -> None:
    """Run API Gateway, Lambda, SageMaker and container as stand-ins around the real function and a real model."""
    if not local:
        raise SpecError(
            "`breakeven up` without --local would make resources on AWS",
            expected="--local",
            do="Add --local, or use `breakeven deploy`",
        )
    _refuse_what_is_missing()
    from breakeven.model_server import weights  # noqa: PLC0415
    from breakeven.model_server.serve import Served  # noqa: PLC0415
    from breakeven.standins.stack import Stack, Wishes  # noqa: PLC0415

    path = weights.named(model) if model else weights.bundled()
    called = name or (path.stem if model else weights.DEFAULT_NAME)
    wishes = Wishes(
        model=Served(path=str(path), name=called, slots=slots, context_tokens=context_tokens),
        functions=functions(timeout_s=function_s, environments=environments),
        rest_port=rest_port,
        http_port=http_port,
        upstream_s=max(function_s - 10.0, function_s / 2),
    )

    def heard(part: str, line: str) -> None:
        if not quiet:
            typer.echo(f"{part} | {line}", err=True)

    signal.signal(signal.SIGTERM, _interrupted)  # whoever asks it to end gets the same order as with Ctrl-C
    with Stack(wishes, lambda said: typer.echo(said, err=True), heard) as stack:
        typer.echo(_welcome(stack, called))
        _wait(stack)


def _interrupted(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def functions(*, timeout_s: float = 900.0, environments: int = 4) -> tuple["Function", ...]:
    """The two functions of the stack: one that streams by our loop, one under AWS's own loop."""
    from breakeven.standins.environment import Function  # noqa: PLC0415
    from breakeven.standins.stack import BUFFERED, STREAMED  # noqa: PLC0415

    streamed = Function(
        name=STREAMED,
        command=(sys.executable, "-m", "breakeven.function"),
        timeout_s=timeout_s,
        environments=environments,
    )
    buffered = Function(
        name=BUFFERED, handler="breakeven.function.buffered.handler", timeout_s=timeout_s, environments=environments
    )
    return streamed, buffered


def _refuse_what_is_missing() -> None:
    missing = [package for package in NEEDED if importlib.util.find_spec(package) is None]
    if missing:
        raise SpecError(
            f"{missing[0]} is not installed, and the stack needs it",
            expected="the extra `up`",
            do="pip install 'breakeven[up]'",
        )


def _wait(stack: "Stack") -> None:
    """Until Ctrl-C. A part that dies is told once; the others stay, so that one can see what callers get then."""
    from breakeven.standins.stack import gone  # noqa: PLC0415

    told: set[str] = set()
    asleep = threading.Event()
    try:
        while not asleep.wait(LOOK_EVERY_S):
            for name, how in stack.ended():
                if name not in told:
                    told.add(name)
                    typer.echo(f"breakeven: {gone(name, how)}", err=True)
    except KeyboardInterrupt:
        return


def _welcome(stack: "Stack", model: str) -> str:
    asked = json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": "Hello!"}]})
    processes = [f"model {stack.model.pid}", *(f"{part.name} {part.pid}" for part in stack.parts)]
    return (
        f"REST API that streams    {stack.rest_url}\n"
        f"REST API, buffered       {stack.rest_buffered_url}\n"
        f"HTTP API, payload 2.0    {stack.http_url}\n"
        f"x-api-key of the REST API  {stack.key}\n"
        f"model                    {model}\n"
        f"processes                {', '.join(processes)}\n"
        f"\n"
        f"curl -N {stack.rest_url}/chat/completions -H 'x-api-key: {stack.key}' "
        f"-H 'content-type: application/json' -d '{asked}'\n"
        f"\n"
        f"The function, its runtime client and the model are real; API Gateway, Lambda and SageMaker are stand-ins.\n"
        f"Signatures are not checked. Not run on AWS. Ctrl-C ends all of it."
    )
