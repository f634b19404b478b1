"""From a spec file and the flags laid over it to plans."""

from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import typer

from breakeven.cli.given import day_of
from breakeven.errors import SpecError
from breakeven.fields import typed

if TYPE_CHECKING:
    from breakeven.catalogue.load import Catalogue
    from breakeven.performance.calibration import Parameters
    from breakeven.planner import Plan
    from breakeven.workload.policy import Policy
    from breakeven.workload.spec import Spec

Flags = dict[str, dict[str, Any]]
"""What was given on the command line, by section of the spec (``""``: the spec itself); ``None``: not given."""


def parameters_with(measured: Path | None, catalogue: "Catalogue", *, tell: bool = True) -> "Parameters":
    """The shipped parameters, after the user's own measurements where there are any.

    ``tell``: say which of them change nothing.

    Raises:
        SpecError: the table cannot be read or has rows that cannot be right.
    """
    from breakeven.performance.calibration import typical_parameters  # noqa: PLC0415

    if measured is None:
        return typical_parameters()
    from breakeven.performance.known import not_covered  # noqa: PLC0415
    from breakeven.performance.measured import read_table  # noqa: PLC0415
    from breakeven.performance.posterior import unused, updated  # noqa: PLC0415
    from breakeven.performance.rows import by_row  # noqa: PLC0415

    known, table = typical_parameters(), read_table(measured, catalogue)
    if tell and (less := unused(table, known)):
        unknown = not_covered(table, catalogue)
        less = {row: f"{why}: {unknown[row]}" if row in unknown else why for row, why in less.items()}
        count = f"{len(less)} of {len(table.runs.kind)} rows"
        typer.echo(f"{measured}: {count} change nothing, or less than they say. {by_row(less, table.lines)}", err=True)
    return updated(known, table)


def plans_of(path: Path | None, flags: Flags, by: str = "model", measured: Path | None = None) -> "list[Plan]":
    """One plan for each document of the spec file (an empty spec without one), with the flags laid over it.

    ``measured``: a table of the user's own measurements that moves the predicted speeds.

    Raises:
        BreakevenError: if file, flags or both together do not make a workload that can be planned.
    """
    from breakeven.workload.spec import Spec, read_specs  # noqa: PLC0415 - each command loads what it needs

    specs = read_specs(path) if path else (Spec(),)
    return [_plan(_with_flags(spec, flags), path, by, measured, tell=n == 0) for n, spec in enumerate(specs)]


def _with_flags(spec: "Spec", flags: Flags) -> "Spec":
    raw = msgspec.to_builtins(spec)
    for section, values in flags.items():
        given = {name: value for name, value in values.items() if value is not None and value != []}
        target = raw.setdefault(section, {}) if section else raw
        if section == "tokens" and given:
            _replace_tokens(target, given)
        elif section == "traffic" and given:
            target.pop("requests_per_hour", None)
        target.update(given)
    raw["as_of"] = raw["as_of"] and day_of(raw["as_of"]).isoformat()
    return typed(raw, type(spec), lambda _: "")


def _replace_tokens(target: dict[str, Any], given: dict[str, Any]) -> None:
    """Token flags replace another way of giving tokens in the file instead of contradicting it."""
    if "words_per_request" in given:
        target.update(input=None, output=None, shapes=None)
    elif given.keys() & {"input", "output"}:
        target.update(words_per_request=None, shapes=None)


def _plan(spec: "Spec", path: Path | None, by: str, measured: Path | None, *, tell: bool) -> "Plan":
    from breakeven.decision.rank import By  # noqa: PLC0415
    from breakeven.planner import plan  # noqa: PLC0415

    if by not in get_args(By):
        raise SpecError(f"--by {by} is not known", expected=" or ".join(get_args(By)), do="Choose one of them")
    catalogue = _catalogue(spec, path)
    policy = _with_evaluations(spec.policy(), spec, path, catalogue)
    if policy.as_of is None:
        policy = msgspec.structs.replace(policy, as_of=max(date.today(), catalogue.last_day))
    profiles = {name: row.weights for name, row in catalogue.profiles.items()}
    predicted = partial(plan, spec.workload(profiles), catalogue, policy, by)  # type: ignore[arg-type]
    if measured is None:
        return predicted()
    from breakeven.planner.changes import changes  # noqa: PLC0415

    after = predicted(parameters_with(measured, catalogue, tell=tell))
    return replace(after, measured=changes(predicted(), after))


def _with_evaluations(policy: "Policy", spec: "Spec", path: Path | None, catalogue: "Catalogue") -> "Policy":
    """The policy with the success rates of the evaluation files that the spec names."""
    if spec.quality is None or not spec.quality.evaluations or policy.quality is None:
        return policy
    from breakeven.options.names import model_names  # noqa: PLC0415
    from breakeven.workload.evaluations import read_evaluations  # noqa: PLC0415

    known = model_names(catalogue) | set(policy.quality.success)
    found = read_evaluations(spec.quality.evaluations, lambda name: _beside(name, path), known, policy.quality.success)
    answers = msgspec.structs.replace(policy.quality, success=found)
    return msgspec.structs.replace(policy, quality=answers)


def _beside(name: str, path: Path | None) -> Path:
    """A file that a spec names: from the spec's folder, else from here."""
    named = Path(name)
    beside = path.parent / named if path else named
    return beside if beside.exists() or not named.exists() else named


def _catalogue(spec: "Spec", path: Path | None) -> "Catalogue":
    """The catalogue, with the spec's overlay: its path is from the spec's folder, else from here."""
    from breakeven.catalogue.load import load_catalogue  # noqa: PLC0415

    if spec.overlay is None:
        return load_catalogue()
    from breakeven.catalogue.overlay import with_overlay  # noqa: PLC0415

    return with_overlay(load_catalogue(), _beside(spec.overlay, path))
