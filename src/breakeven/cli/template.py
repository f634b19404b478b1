"""`breakeven template`: an option of a plan in, the text that sets it up out, or what each of its resources costs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from breakeven.errors import SpecError

if TYPE_CHECKING:
    from breakeven.deploy.choice import Chosen
    from breakeven.deploy.stack import Wishes

TARGETS = ("sagemaker", "kubernetes")


def template(  # noqa: PLR0913, PLR0917 - one parameter a flag
    plan: Annotated[Path, typer.Argument(help="Plan, as `breakeven compare SPEC --json` writes it.")],
    option: Annotated[str, typer.Option(help="Id of the option, as the plan has it.")],
    path: Annotated[str | None, typer.Option(help="lambda or direct: the way in; default: the option's own.")] = None,
    target: Annotated[str, typer.Option(help="sagemaker (CloudFormation) or kubernetes.")] = "sagemaker",
    weights: Annotated[str | None, typer.Option(help="Repository (owner/name) or s3://bucket/folder/.")] = None,
    quantized: Annotated[bool, typer.Option("--quantized", help="The weights are in the plan's format.")] = False,
    max_model_len: Annotated[int | None, typer.Option(min=1, help="Longest request, input and output tokens.")] = None,
    scale_to_zero: Annotated[bool, typer.Option("--scale-to-zero", help="Let the last machine go too.")] = False,
    expires: Annotated[str | None, typer.Option(help="When it is deleted, UTC: 2027-01-31T18:00:00.")] = None,
    name: Annotated[str, typer.Option(help="Name of the Kubernetes objects.")] = "model",
    cost: Annotated[bool, typer.Option("--cost", help="What each resource costs, instead of the text.")] = False,
    out: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; default: the terminal.")] = None,
) -> None:
    """Write what sets an option of a plan up: a CloudFormation template, or manifests for Kubernetes.

    Nothing is called and nothing is created.
    """
    from breakeven.deploy.choice import PATHS, on_kubernetes, on_sagemaker  # noqa: PLC0415
    from breakeven.deploy.plan import read_plans  # noqa: PLC0415
    from breakeven.deploy.server import Weights  # noqa: PLC0415
    from breakeven.deploy.stack import Wishes  # noqa: PLC0415

    _one_of("--target", target, TARGETS)
    _one_of("--path", path, tuple(PATHS))
    wishes = Wishes(
        weights=Weights(place=weights, quantized=quantized),
        context_tokens=max_model_len,
        to_zero=scale_to_zero,
        expires_at=moment(expires),
    )
    plans = read_plans(plan)
    if target == "kubernetes":
        chosen = on_kubernetes(plans, option)
        _refuse_on_a_cluster(path, expires, to_zero=scale_to_zero)
    else:
        chosen = on_sagemaker(plans, option, path)  # type: ignore[arg-type]
    if cost:
        _print_cost(chosen, wishes, target)
    else:
        _write(_text(chosen, wishes, target, name), out)


def _text(chosen: "Chosen", wishes: "Wishes", target: str, name: str) -> str:
    if target == "kubernetes":
        from breakeven.deploy.kubernetes import manifests  # noqa: PLC0415

        return manifests(chosen, wishes.weights, wishes.context_tokens, name)
    from breakeven.deploy.stack import template as stack  # noqa: PLC0415

    return stack(chosen, wishes)


def _write(text: str, out: Path | None) -> None:
    from breakeven.cli.files import write_whole  # noqa: PLC0415

    if out is None:
        typer.echo(text, nl=False)
    else:
        write_whole(out, text.encode())


def _print_cost(chosen: "Chosen", wishes: "Wishes", target: str) -> None:
    from breakeven.cli.stack_cost import print_shares  # noqa: PLC0415
    from breakeven.deploy.bill import on_a_cluster, shares  # noqa: PLC0415
    from breakeven.deploy.stack import document  # noqa: PLC0415

    if target == "kubernetes":
        print_shares(chosen, on_a_cluster(chosen))
        return
    standing = tuple(document(chosen, wishes)["Resources"])
    print_shares(chosen, shares(chosen, standing), to_zero=wishes.to_zero)


def _one_of(flag: str, given: str | None, known: tuple[str, ...]) -> None:
    if given is not None and given not in known:
        raise SpecError(f"{flag} {given} is not known", expected=" or ".join(known), do="Choose one of them")


def _refuse_on_a_cluster(path: str | None, expires: str | None, *, to_zero: bool) -> None:
    given = [flag for flag, on in (("--path", path), ("--expires", expires), ("--scale-to-zero", to_zero)) if on]
    if given:
        raise SpecError(
            f"{', '.join(given)} is of SageMaker", expected="none of it with `--target kubernetes`", do="Leave it out"
        )


def moment(expires: str | None) -> str | None:
    """The end as AWS writes it: to the second, without a zone."""
    from datetime import datetime  # noqa: PLC0415

    if expires is None:
        return None
    try:
        found = datetime.fromisoformat(expires)
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None:
        raise SpecError(
            f"--expires {expires} is not a moment in UTC",
            expected="a day and a time, without a zone, like 2027-01-31T18:00:00",
            do="Correct it",
        )
    return found.replace(microsecond=0).isoformat()
