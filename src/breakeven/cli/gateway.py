"""`breakeven gateway`: a plan or gateway.yaml in, an OpenAI-compatible door that routes by it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from breakeven.errors import SpecError

if TYPE_CHECKING:
    from breakeven.gateway.books.books import Books
    from breakeven.gateway.config import GatewayFile
    from breakeven.gateway.rules import Rules

EXTRA = {"aiohttp", "uvicorn", "uvloop", "httptools", "yarl"}


def gateway(  # noqa: PLR0913, PLR0917 - one parameter a flag
    config: Annotated[Path | None, typer.Argument(help="gateway.yaml; see docs/guides/gateway.md.")] = None,
    plan: Annotated[Path | None, typer.Option(help="A plan that `breakeven compare --json` wrote.")] = None,
    option: Annotated[str | None, typer.Option(help="The plan's option, by its id; default: its winner.")] = None,
    own_url: Annotated[list[str] | None, typer.Option(help="Base URL of an own replica (repeatable).")] = None,
    api_key_env: Annotated[str | None, typer.Option(help="Environment variable with the API's key.")] = None,
    listen: Annotated[str | None, typer.Option(help="host:port; default 127.0.0.1:8080.")] = None,
    store: Annotated[
        str | None, typer.Option(help="Keys, budgets and records: a file or postgresql://...; default: gateway.db.")
    ] = None,
    no_keys: Annotated[bool, typer.Option("--no-keys", help="Let everybody in who can connect.")] = False,
    log_requests: Annotated[bool, typer.Option("--log-requests", help="A log line for each request.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Print the rules, without reading keys, and stop.")] = False,
) -> None:
    """Serve an OpenAI-compatible API that routes by a plan and knows what each request cost."""
    from breakeven.gateway.allocator import start_again_with_pages  # noqa: PLC0415
    from breakeven.gateway.config import GatewayFile, address, read_config  # noqa: PLC0415
    from breakeven.gateway.rules import with_flags  # noqa: PLC0415

    if not check:
        start_again_with_pages()
    file = read_config(config) if config else GatewayFile()
    file = _with_flags(with_flags(file, tuple(own_url or ()), api_key_env), store, no_keys, log_requests)
    rules = _rules(file, config, plan, option, with_keys=not check)
    if check:
        typer.echo(_told(rules))
        return
    try:
        _serve(file, rules, address(listen or file.listen))
    except ModuleNotFoundError as wrong:
        if wrong.name not in EXTRA:
            raise
        raise SpecError(
            f"{wrong.name} is not installed, and the gateway needs it",
            expected="the extra `gateway`",
            do="pip install 'breakeven[gateway]'",
        ) from wrong


def _rules(
    file: "GatewayFile", config: Path | None, plan: Path | None, option: str | None, *, with_keys: bool
) -> "Rules":
    """The rules of the file and of the plan, whose path in the file is from the file's folder."""
    from breakeven.gateway.from_plan import read_plan  # noqa: PLC0415
    from breakeven.gateway.rules import rules_of  # noqa: PLC0415

    named = plan
    if named is None and file.plan is not None:
        named = config.parent / file.plan if config else Path(file.plan)
    if named is None:
        return rules_of(file, with_keys=with_keys)
    return rules_of(file, read_plan(named, option or file.option), with_keys=with_keys)


def _with_flags(file: "GatewayFile", store: str | None, no_keys: bool, log_requests: bool) -> "GatewayFile":
    """The file with what the flags say instead."""
    import msgspec  # noqa: PLC0415

    books = file.books
    if store is not None:
        books = msgspec.structs.replace(books, store=store, store_env=None)
    if no_keys:
        books = msgspec.structs.replace(books, keys=False)
    return msgspec.structs.replace(file, books=books, log_requests=log_requests or file.log_requests)


def _serve(file: "GatewayFile", rules: "Rules", at: tuple[str, int]) -> None:
    from breakeven.catalogue.load import load_catalogue  # noqa: PLC0415
    from breakeven.gateway.assembly import with_books  # noqa: PLC0415
    from breakeven.gateway.serve import (  # noqa: PLC0415
        is_loopback,
        listening_socket,
        log_to_stderr,
        refuse_open_admin,
        serve,
    )

    refuse_open_admin(at[0], file.books.admin_token(), file.books.admin_token_env)
    with with_books(file, rules, load_catalogue(), alone=is_loopback(at[0])) as (gateway, books):
        listener = listening_socket(*at)
        host, port = listener.getsockname()[:2]
        log_to_stderr()
        shown = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        serve(gateway, listener, rules.limits, lambda: typer.echo(_welcome(rules, file, books, shown)))


def _welcome(rules: "Rules", file: "GatewayFile", books: "Books", shown: str) -> str:
    """What a user needs to know of the gateway that runs."""
    from breakeven.gateway.books.database import shown as place_shown  # noqa: PLC0415

    lines = [_told(rules), f"{shown}/v1", f"records: {place_shown(books.place)}; metrics: {shown}/metrics"]
    if file.books.admin_token() is None:
        lines.append(f"no admin API: {file.books.admin_token_env} is empty")
    else:
        lines.append(f"admin API: {shown}/admin")
    if not file.books.keys:
        lines.append("no keys are asked for: everybody who can connect may call")
    elif not books.counters.keys:
        lines.append(f"no key exists yet: breakeven keys create NAME --store {place_shown(books.place)}")
    return "\n".join(lines)


def _told(rules: "Rules") -> str:
    """The rules in lines: for each model who is asked, in order."""
    lines = []
    for model, route in rules.routes.items():
        lines.append(f"{model}:")
        for target in route.targets:
            places = "" if target.concurrency is None else f", {target.concurrency} requests at a time on each"
            price = "" if target.usd_per_hour is None else f", ${target.usd_per_hour} an hour each"
            whose = f"{target.provider}/{target.model}" if target.provider else f"{len(target.replicas)} of your own"
            lines.append(f"  {target.name}: {whose}{places}{price}")
            if target.sagemaker is not None:
                lines.append(f"    SageMaker endpoint {target.sagemaker.endpoint}")
            lines.extend(f"    {replica.url}" for replica in target.replicas if replica.url)
    return "\n".join(lines)
