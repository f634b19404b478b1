"""`breakeven gateway`: a plan or gateway.yaml in, an OpenAI-compatible door that routes by it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from breakeven.errors import SpecError

if TYPE_CHECKING:
    from breakeven.gateway.config import GatewayFile
    from breakeven.gateway.door import Door
    from breakeven.gateway.rules import Rules

EXTRA = {"aiohttp", "uvicorn", "uvloop", "httptools", "yarl"}


def gateway(  # noqa: PLR0913, PLR0917 - one parameter a flag
    config: Annotated[Path | None, typer.Argument(help="gateway.yaml; see docs/guides/gateway.md.")] = None,
    plan: Annotated[Path | None, typer.Option(help="A plan that `breakeven compare --json` wrote.")] = None,
    option: Annotated[str | None, typer.Option(help="The plan's option, by its id; default: its winner.")] = None,
    own_url: Annotated[list[str] | None, typer.Option(help="Base URL of an own replica (repeatable).")] = None,
    api_key_env: Annotated[str | None, typer.Option(help="Environment variable with the API's key.")] = None,
    listen: Annotated[str | None, typer.Option(help="host:port; default 127.0.0.1:8080.")] = None,
    records: Annotated[Path | None, typer.Option(help="Append each usage record to this file, as JSON lines.")] = None,
    log_requests: Annotated[bool, typer.Option("--log-requests", help="A log line for each request.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Print the rules, without reading keys, and stop.")] = False,
) -> None:
    """Serve an OpenAI-compatible API that routes by a plan and knows what each request cost."""
    from breakeven.gateway.config import GatewayFile, address, read_config  # noqa: PLC0415
    from breakeven.gateway.rules import with_flags  # noqa: PLC0415

    file = read_config(config) if config else GatewayFile()
    file = with_flags(file, tuple(own_url or ()), api_key_env)
    rules = _rules(file, config, plan, option, with_keys=not check)
    if check:
        typer.echo(_told(rules))
        return
    try:
        _serve(file, rules, address(listen or file.listen), records, log_requests)
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


def _serve(file: "GatewayFile", rules: "Rules", at: tuple[str, int], records: Path | None, log_requests: bool) -> None:
    from breakeven.gateway.app import Gateway  # noqa: PLC0415
    from breakeven.gateway.serve import (  # noqa: PLC0415
        admin_token,
        listening_socket,
        log_to_stderr,
        refuse_open_admin,
        serve,
    )

    refuse_open_admin(at[0], admin_token(file.admin_token_env), file.admin_token_env)
    door = _door(rules, records, log_requests or file.log_requests)
    listener = listening_socket(*at)
    host, port = listener.getsockname()[:2]
    log_to_stderr()
    shown = f"[{host}]" if ":" in host else host
    serve(Gateway(door), listener, rules.limits, lambda: typer.echo(f"{_told(rules)}\nhttp://{shown}:{port}/v1"))


def _door(rules: "Rules", records: Path | None, log_requests: bool) -> "Door":
    from breakeven.catalogue.load import load_catalogue  # noqa: PLC0415
    from breakeven.gateway.connect import upstreams_of  # noqa: PLC0415
    from breakeven.gateway.door import Door  # noqa: PLC0415
    from breakeven.gateway.logbook import Logbook  # noqa: PLC0415
    from breakeven.gateway.open_books import OpenBooks  # noqa: PLC0415
    from breakeven.gateway.pricing import prices_of  # noqa: PLC0415

    lines = records.open("ab", buffering=0) if records else None
    return Door(
        rules=rules,
        upstreams=upstreams_of(rules),
        ledger=OpenBooks(lines),
        prices=prices_of(load_catalogue()),
        log=Logbook(requests=log_requests),
    )


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
