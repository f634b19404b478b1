"""`breakeven simulate`: a plan's option and a real log in, what the traffic does to that fleet out."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from breakeven.cli.workload import Columns, EngineFlag, Json, TimeZone, asked_of, over
from breakeven.errors import SpecError, refuse_odd_number

if TYPE_CHECKING:
    from breakeven.capacity.simulate import Failure, Fleet, Replay
    from breakeven.logs.log import Asked
    from breakeven.logs.trace import Trace
    from breakeven.planner import Plan
    from breakeven.planner.rehearsal import Rehearsal
    from breakeven.report.simulated import Played, Simulation


def simulate(  # noqa: PLR0913, PLR0917 - one parameter a flag
    spec: Annotated[Path | None, typer.Argument(help="Workload spec (YAML); see docs/reference/spec.md.")] = None,
    option: Annotated[str | None, typer.Option(help="A self-hosted option of the plan, by its id.")] = None,
    trace: Annotated[list[str] | None, typer.Option(help="Usage log to replay (repeatable; files, globs).")] = None,
    scale: Annotated[float, typer.Option(help="So many times the traffic of the log.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn: the same seed, the same replay.")] = 0,
    machines: Annotated[int | None, typer.Option(min=1, help="Default: those of the plan's busiest hour.")] = None,
    target_in_flight: Annotated[
        float | None, typer.Option(help="Autoscale to so many requests outstanding a replica.")
    ] = None,
    least_machines: Annotated[int, typer.Option(min=1, help="Autoscaling: never fewer.")] = 1,
    most_machines: Annotated[
        int | None, typer.Option(min=1, help="Autoscaling: never more; default: twice those at the beginning.")
    ] = None,
    cooldown_s: Annotated[float, typer.Option(help="Autoscaling: pause after a change.")] = 300.0,
    starts_in_s: Annotated[str, typer.Option(help="Autoscaling: from order to first request, from-to.")] = "300-600",
    fail: Annotated[list[str] | None, typer.Option(help="A replica is away: AT_S:AWAY_S[:REPLICA].")] = None,
    queue_limit: Annotated[
        int | None, typer.Option(min=0, help="So many may wait for each replica; more go elsewhere.")
    ] = None,
    overflow: Annotated[str | None, typer.Option(help="The paid API that takes what overflows, by its id.")] = None,
    one_line: Annotated[
        bool, typer.Option("--one-line", help="Wait in one line before the fleet, not at a replica.")
    ] = False,
    as_of: Annotated[str | None, typer.Option(help="Prices of that day (YYYY-MM-DD).")] = None,
    columns: Columns = None,
    time_zone: TimeZone = None,
    engine: EngineFlag = "duckdb",
    check: Annotated[bool, typer.Option("--check", help="Hold the closed forms to the replay; else exit 1.")] = False,
    json: Json = None,
) -> None:
    """Replay a real log on a fleet of the plan, request by request; --check: hold the plan's formulas to it."""
    if check:
        _refuse_beside_check(spec=spec, option=option, trace=trace)
        from breakeven.cli.check import check_closed_forms  # noqa: PLC0415

        check_closed_forms(seed, json)
        return
    if spec is None or option is None or not trace:
        raise _missing({"SPEC": spec, "--option": option, "--trace": trace})
    if overflow is not None and queue_limit is None:
        raise SpecError("--overflow is given without a limit", expected="--queue-limit N", do="Say how many may wait")
    rules = Rules(
        machines=machines,
        scaling=_scaling(target_in_flight, least_machines, most_machines, machines),
        cooldown_s=_not_negative("--cooldown-s", cooldown_s),
        starts_in_s=_from_to(starts_in_s),
        failures=tuple(_failure(text) for text in fail or ()),
        queue_limit=queue_limit,
        one_line=one_line,
        seed=seed,
        scale=scale,
    )
    plan = _plan(spec, as_of, option, overflow)
    log = _trace(rules, asked_of(trace, columns, time_zone or "UTC", engine))
    _tell(_found(plan, option, log, rules, overflow), json)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The flags that say what the fleet does and how the log is played."""

    machines: int | None
    scaling: tuple[float, int, int | None] | None
    """Target, the least machines, the most."""
    cooldown_s: float
    starts_in_s: tuple[float, float]
    failures: "tuple[Failure, ...]"
    queue_limit: int | None
    one_line: bool
    seed: int
    scale: float


def _tell(found: "Simulation", json: str | None) -> None:
    from breakeven.cli.files import write_json  # noqa: PLC0415
    from breakeven.report.simulation_told import print_simulation  # noqa: PLC0415

    if json:
        write_json(found, json)
    if json != "-":
        print_simulation(found)


def _missing(given: dict[str, object]) -> SpecError:
    names = [name for name, value in given.items() if not value]
    return SpecError(
        f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} not given",
        expected="breakeven simulate SPEC --option ID --trace LOG",
        do="`breakeven compare SPEC --by option` lists the ids",
    )


def _refuse_beside_check(**given: object) -> None:
    for name, value in given.items():
        if value:
            raise SpecError(
                f"--check stands beside {'SPEC' if name == 'spec' else '--' + name}",
                expected="--check alone: it draws its own traffic",
                do="Leave one of them out",
            )


def _scaling(
    target: float | None, least: int, most: int | None, machines: int | None
) -> tuple[float, int, int | None] | None:
    if target is None:
        return None
    refuse_odd_number("--target-in-flight", target, above_zero=True)
    highest = most or math.inf
    if least > highest:
        raise SpecError(
            f"machines go from {least} to {highest}", expected="least before most", do="Correct one of them"
        )
    if machines is not None and not least <= machines <= highest:
        raise SpecError(
            f"--machines is {machines}", expected=f"{least} to {highest}, as the autoscaler keeps to", do="Correct it"
        )
    return target, least, most


def _not_negative(name: str, value: float) -> float:
    refuse_odd_number(name, value)
    return value


def _from_to(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    try:
        found = float(low), float(high or low)
    except ValueError:
        found = -1.0, -1.0
    if not 0 <= found[0] <= found[1] < math.inf:
        raise SpecError(f"--starts-in-s is {text}", expected="seconds from-to", do="Write 300-600")
    return found


def _failure(text: str) -> "Failure":
    from breakeven.capacity.simulate import Failure  # noqa: PLC0415

    parts = text.split(":")
    try:
        at_s, away_s = float(parts[0]), float(parts[1])
        replica = int(parts[2]) if len(parts) > 2 else 0
    except (ValueError, IndexError):
        at_s = away_s = -1.0
        replica = 0
    if not (0 <= at_s < math.inf and 0 < away_s < math.inf and replica >= 0 and len(parts) <= 3):
        raise SpecError(
            f"--fail is {text}",
            expected="AT_S:AWAY_S or AT_S:AWAY_S:REPLICA, replicas counted from 0",
            do="Write 600:480 for the first replica, 600 s in, away for 480 s",
        )
    return Failure(at_s=at_s, away_s=away_s, replica=replica)


def _plan(spec: Path, as_of: str | None, option: str, overflow: str | None) -> "Plan":
    """The plan of the spec; a slip in a name is told now, before the log is read."""
    from breakeven.cli.plans import plans_of  # noqa: PLC0415
    from breakeven.planner.rehearsal import check_api, check_hosted  # noqa: PLC0415

    plans = plans_of(spec, {"": {"as_of": as_of}})
    if len(plans) > 1:
        raise SpecError(
            f"{spec} holds {len(plans)} workloads", expected="one, whose fleet is replayed", do="Give it alone"
        )
    check_hosted(plans[0], option)
    if overflow is not None:
        check_api(plans[0], overflow)
    return plans[0]


def _trace(rules: Rules, asked: "Asked") -> "Trace":
    from breakeven.logs.trace import read_trace, refused_scale, scaled  # noqa: PLC0415

    if not 0 < rules.scale < math.inf:
        raise refused_scale(rules.scale)
    return scaled(over(asked, read_trace), rules.scale, rules.seed)


def _found(plan: "Plan", option: str, log: "Trace", rules: Rules, overflow: str | None) -> "Simulation":
    """The replay of the log on the fleet, or the words for a fleet that cannot carry it."""
    from breakeven.planner.rehearsal import Requests, overflow_usd, rehearsal  # noqa: PLC0415
    from breakeven.report import simulated  # noqa: PLC0415

    came = Requests(at_s=log.at_s, input=log.input, cached=log.cached, output=log.output)
    ready = rehearsal(plan, option, came)
    fleet = _fleet(ready, rules)
    played = _played(ready, fleet, log, rules)
    notes = simulated.notes_of(plan, log.failed, rules.scale, ready, fleet)
    slo = plan.workload.slo
    if simulated.overloaded(ready, fleet):
        return simulated.overload(played, ready, slo, notes)
    replay = _replayed(ready, fleet, rules.seed)
    elsewhere = None
    if overflow is not None:
        out = replay.overflowed
        sent = Requests(at_s=log.at_s[out], input=log.input[out], cached=log.cached[out], output=log.output[out])
        api, usd = overflow_usd(plan, overflow, sent)
        elsewhere = simulated.Overflow(api=api, usd=usd)
    return simulated.simulation(played, ready, replay, slo, elsewhere, notes)


def _fleet(ready: "Rehearsal", rules: Rules) -> "Fleet":
    from breakeven.capacity.simulate import Autoscaling, Fleet  # noqa: PLC0415

    machines = rules.machines or ready.planned_machines
    scaling = None
    if rules.scaling:
        target, least, most = rules.scaling
        machines = max(min(machines, most or machines), least)
        scaling = Autoscaling(
            target=target,
            least=least,
            most=most or max(2 * machines, least),
            cooldown_s=rules.cooldown_s,
            starts_in_s=rules.starts_in_s,
        )
    return Fleet(
        machines=machines,
        per_machine=ready.per_machine,
        queue_limit=rules.queue_limit,
        one_line=rules.one_line,
        autoscaling=scaling,
        failures=rules.failures,
    )


def _played(ready: "Rehearsal", fleet: "Fleet", log: "Trace", rules: Rules) -> "Played":
    from breakeven.report.simulated import Played, places  # noqa: PLC0415

    scaling = fleet.autoscaling
    return Played(
        option=ready.option,
        logs=log.layouts,
        requests=len(log.at_s),
        span_s=log.span_s,
        requests_per_s=log.requests_per_s,
        scale=rules.scale,
        seed=rules.seed,
        input_tokens=float(log.input.mean()),
        output_tokens=float(log.output.mean()),
        machines=fleet.machines,
        replicas_per_machine=fleet.per_machine,
        places_per_replica=places(ready),
        planned_machines=ready.planned_machines,
        planned_requests_per_s=ready.planned_requests_per_s,
        autoscaled_to=(scaling.least, scaling.most) if scaling else None,
        target_in_flight=scaling.target if scaling else None,
        queue_limit=fleet.queue_limit,
        failures=len(fleet.failures),
    )


def _replayed(ready: "Rehearsal", fleet: "Fleet", seed: int) -> "Replay":
    """The replay, with its progress shown on a terminal while it lasts."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    from breakeven.capacity.simulate import simulate as play  # noqa: PLC0415

    console = Console(stderr=True)
    if not console.is_terminal:
        return play(ready.curve, ready.arrivals, fleet, seed)
    columns = TextColumn("replaying {task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(f"{len(ready.arrivals.at_s):,} requests", total=1.0)
        return play(ready.curve, ready.arrivals, fleet, seed, progress=lambda done: shown.update(task, completed=done))
