"""`breakeven deploy`, `status` and `destroy`: a stack made, looked at and removed. No ``--yes``, no change."""

import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from breakeven.errors import SpecError

if TYPE_CHECKING:
    from breakeven.deploy.choice import Chosen
    from breakeven.deploy.intent import Intent
    from breakeven.deploy.launch import Order, Stack
    from breakeven.deploy.quotas import Standing

NOT_RUN = "Not run on AWS: no stack of this kind has been created by its authors. Read the template first."
NOT_TRIED = "Not run on AWS: its authors tried this against stand-ins alone. Look into the console too."
SECRET = "HuggingFaceToken"
SOON: dict[str, Any] = {"connect_timeout": 5, "read_timeout": 20, "retries": {"total_max_attempts": 3}}
"""Seconds and attempts, for what a dry run asks: it is worth no long wait."""
STACK_NAME = r"[A-Za-z][A-Za-z0-9-]{0,31}"


def deploy(  # noqa: PLR0913, PLR0917 - one parameter a flag
    plan: Annotated[Path, typer.Argument(help="Plan, as `breakeven compare SPEC --json` writes it.")],
    option: Annotated[str, typer.Option(help="Id of the option, as the plan has it.")],
    stack: Annotated[str, typer.Option(help="Name of the stack.")] = "breakeven",
    path: Annotated[str | None, typer.Option(help="lambda or direct: the way in; default: the option's own.")] = None,
    weights: Annotated[str | None, typer.Option(help="Repository (owner/name) or s3://bucket/folder/.")] = None,
    quantized: Annotated[bool, typer.Option("--quantized", help="The weights are in the plan's format.")] = False,
    max_model_len: Annotated[int | None, typer.Option(min=1, help="Longest request, input and output tokens.")] = None,
    scale_to_zero: Annotated[bool, typer.Option("--scale-to-zero", help="Let the last machine go too.")] = False,
    expires: Annotated[str | None, typer.Option(help="When it is removed, UTC: 2027-01-31T18:00:00.")] = None,
    alarm_email: Annotated[str | None, typer.Option(help="Who is told when it costs more than the plan.")] = None,
    code: Annotated[str | None, typer.Option(help="The function's zip, s3://bucket/key (path lambda).")] = None,
    parameter: Annotated[list[str] | None, typer.Option(help="Another parameter, NAME=VALUE (repeatable).")] = None,
    rights: Annotated[bool, typer.Option("--rights", help="Print the policy that whoever deploys it needs.")] = False,
    max_usd_per_hour: Annotated[float | None, typer.Option(min=0, help="Refuse what may cost more an hour.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Create it. Without this, only say what would be.")] = False,
) -> None:
    """Set an option of a plan up on AWS, through a change set. Without --yes: say what would be created, and stop.

    The account's quotas are looked up where there are credentials; nothing else is called without --yes.
    """
    from breakeven.deploy.choice import on_sagemaker  # noqa: PLC0415
    from breakeven.deploy.intent import intent_of, refuse_dearer  # noqa: PLC0415
    from breakeven.deploy.plan import read_plans  # noqa: PLC0415
    from breakeven.deploy.quotas import refuse_short  # noqa: PLC0415
    from breakeven.deploy.server import Weights  # noqa: PLC0415
    from breakeven.deploy.stack import Wishes, template  # noqa: PLC0415

    _check_name(stack)
    wishes = Wishes(
        weights=Weights(place=weights, quantized=quantized), context_tokens=max_model_len, to_zero=scale_to_zero
    )
    chosen = on_sagemaker(read_plans(plan), option, path)  # type: ignore[arg-type]
    intent = intent_of(chosen, wishes)
    if rights:
        _print_rights(intent, stack, code)
        return
    refuse_dearer(intent, max_usd_per_hour)
    order = None
    if yes:
        given = _parameters(expires, alarm_email, code, parameter or [])
        order = _order(chosen, stack, template(chosen, wishes), given)
    _say(intent, stack)
    found = _quotas(intent)
    typer.echo(NOT_RUN)
    if order:
        refuse_short(found, intent.region)
        _create(order, intent.region)


def status(
    stack: Annotated[str | None, typer.Argument(help="Name of the stack; default: all of ours.")] = None,
    region: Annotated[str, typer.Option(help="Region of the stack.")] = "us-east-1",
) -> None:
    """How a stack stands, what it is and when it ends: as AWS says."""
    from breakeven.deploy.launch import found, ours  # noqa: PLC0415

    def show(cloudformation: Any) -> None:  # noqa: ANN401 - a client of boto3
        one = found(cloudformation, stack) if stack else None
        every = ((stack, one),) if stack and one else () if stack else ours(cloudformation)
        for name, there in every:
            _show(str(name), there)
        if not every:
            typer.echo(f"no stack {stack!r} in {region}" if stack else f"no stack of breakeven in {region}")

    _with_aws(region, lambda client: show(client("cloudformation")))
    typer.echo(NOT_TRIED)


def destroy(
    stack: Annotated[str, typer.Argument(help="Name of the stack.")],
    region: Annotated[str, typer.Option(help="Region of the stack.")] = "us-east-1",
    yes: Annotated[bool, typer.Option("--yes", help="Remove it. Without this, only say what would be.")] = False,
) -> None:
    """Remove a stack, and the role that its end would leave behind."""
    from time import sleep  # noqa: PLC0415

    from breakeven.deploy.launch import destroy as remove  # noqa: PLC0415

    if not yes:
        typer.echo(
            f"would remove the stack {stack!r} in {region}, and the role that removes it. Nothing was called; --yes"
        )
        typer.echo(NOT_TRIED)
        return
    _with_aws(region, lambda client: remove(client("cloudformation"), client("iam"), stack, typer.echo, sleep))
    typer.echo(NOT_TRIED)


def _check_name(stack: str) -> None:
    """Refuse a name that AWS would shorten in the names of roles, which the roles' own rights spell out."""
    if not re.fullmatch(STACK_NAME, stack):
        raise SpecError(
            f"--stack {stack!r}",
            expected="1 to 32 letters, digits and hyphens, a letter first",
            do="Choose another name",
        )


def _say(intent: "Intent", stack: str) -> None:
    """What would be created, in lines."""
    least, most = (f"${usd:,}" if usd is not None else "unknown" for usd in _hourly(intent))
    typer.echo(f"{intent.option}\nstack {stack!r} in {intent.region}")
    typer.echo(f"machines  {intent.machines[0]} to {intent.machines[1]} x {intent.machine}")
    typer.echo(f"an hour   {least} with the fewest, at most {most} in the busiest")
    typer.echo("creates   " + ", ".join(f"{n} x {kind.removeprefix('AWS::')}" for kind, n in intent.resources.items()))


def _print_rights(intent: "Intent", stack: str, code: str | None) -> None:
    """The policy of IAM under which all of this may be done, and no more. Nothing is called."""
    from breakeven.deploy.rights import policy  # noqa: PLC0415

    bucket_and_key = code and code.removeprefix("s3://")
    typer.echo(json.dumps(policy(stack, intent.region, intent.resources, bucket_and_key), indent=2))


def _quotas(intent: "Intent") -> tuple["Standing", ...]:
    """Say what the account has of each quota, as far as AWS tells it; what it has."""
    from breakeven.deploy.quotas import standings  # noqa: PLC0415

    found: list[Standing] = []
    try:
        _with_aws(
            intent.region, lambda client: found.extend(standings(client("service-quotas"), intent.quotas)), soon=True
        )
    except SpecError as wrong:
        for quota in intent.quotas:
            typer.echo(f"quota     {quota.service}, {quota.name}: this needs {quota.needed}; AWS was not asked")
        typer.echo(f"          {wrong.given}")
        return ()
    for one in found:
        has = "AWS lists no quota of this name" if one.have is None else f"you have {one.have:g}"
        few = ": too few, --yes would be refused" if one.short or one.others else ""
        typer.echo(f"quota     {one.quota.service}, {one.quota.name}: {has}, this needs {one.quota.needed}{few}")
    return tuple(found)


def _hourly(intent: "Intent") -> tuple[Any, Any]:
    return intent.usd_per_hour_least, intent.usd_per_hour_most


def _parameters(expires: str | None, email: str | None, code: str | None, further: list[str]) -> dict[str, str]:
    """The template's parameters, as they were given.

    Raises:
        SpecError: an end or an address is missing, or one cannot be read.
    """
    from breakeven.cli.template import moment  # noqa: PLC0415

    end = moment(expires)
    if end is None or email is None:
        raise SpecError(
            "--yes without " + " and ".join(n for n, v in (("--expires", end), ("--alarm-email", email)) if v is None),
            expected="an end and an address for the alarm of the budget",
            do="Give both",
        )
    found = {"ExpiresAt": end, "AlarmEmail": email}
    if code is not None:
        bucket, _, key = code.removeprefix("s3://").partition("/")
        found |= {"CodeBucket": bucket, "CodeKey": key}
    for one in further:
        name, mark, value = one.partition("=")
        if not mark:
            raise SpecError(f"--parameter {one}", expected="NAME=VALUE", do="Correct it")
        found[name] = value
    return found


def _order(chosen: "Chosen", stack: str, text: str, parameters: dict[str, str]) -> "Order":
    from breakeven.deploy.choice import path_of  # noqa: PLC0415
    from breakeven.deploy.launch import STATE_TAG, Order  # noqa: PLC0415

    if path_of(chosen.verdict) == "lambda" and not {"CodeBucket", "CodeKey"} <= parameters.keys():
        raise SpecError("--yes without --code", expected="the function's zip, s3://bucket/key", do="Give it")
    tags = {STATE_TAG: chosen.verdict.option.id, "breakeven-stack:catalogue": chosen.plan.catalogue_digest}
    return Order(name=stack, template=text, parameters=parameters, tags=tags)


def _create(order: "Order", region: str) -> None:
    from time import sleep  # noqa: PLC0415

    from breakeven.deploy.launch import launch  # noqa: PLC0415

    def make(client: Callable[[str], Any]) -> None:
        _show(order.name, launch(client("cloudformation"), order, typer.echo, sleep))

    _with_aws(region, make)


def _show(name: str, there: "Stack") -> None:
    typer.echo(f"{name}  {there.status.lower().replace('_', ' ')}")
    for key, value in {**there.tags, **there.parameters, **there.outputs}.items():
        if key != SECRET:
            typer.echo(f"  {key:<28} {value}")


def _with_aws(region: str, work: Callable[[Callable[[str], Any]], None], *, soon: bool = False) -> None:
    """Do something with clients of AWS; what AWS refuses is one message. ``soon``: it is not worth waiting long for.

    Raises:
        SpecError: boto3 is missing, there are no credentials, or AWS says no.
    """
    try:
        boto3, exceptions = importlib.import_module("boto3"), importlib.import_module("botocore.exceptions")
        config = importlib.import_module("botocore.config").Config(**SOON) if soon else None
    except ImportError as wrong:
        raise SpecError(
            "boto3 is not installed, and calling AWS needs it",
            expected="the extra `aws`",
            do="pip install 'breakeven[aws]'",
        ) from wrong
    try:
        work(lambda service: boto3.client(service, region_name=region, config=config))
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound) as wrong:
        raise SpecError(
            f"no credentials for AWS: {wrong}", expected="those of an account", do="`aws configure` sets them up"
        ) from wrong
    except (exceptions.ClientError, exceptions.BotoCoreError) as wrong:
        raise SpecError(f"AWS says: {wrong}", expected="a call that it takes", do="Mend that, try again") from wrong
