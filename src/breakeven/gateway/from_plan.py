"""From a plan to the upstreams that it chose: what ``breakeven compare --json`` wrote, read for routing."""

from decimal import Decimal
from pathlib import Path

import msgspec

from breakeven.errors import SpecError, near_matches
from breakeven.gateway.config import Tier, UpstreamEntry

READS = "1."
"""The versions of the plan's schema that are understood."""
OWN, API = "own", "api"
"""The names under which a plan's halves become upstreams."""


class _Option(msgspec.Struct, frozen=True):
    id: str
    kind: str
    model: str
    provider: str
    tier: Tier | None = None
    machine: str | None = None
    replicas_per_machine: int | None = None


class _Line(msgspec.Struct, frozen=True):
    name: str
    unit: str
    usd_per_unit: Decimal


class _Bill(msgspec.Struct, frozen=True):
    lines: tuple[_Line, ...]


class _Performance(msgspec.Struct, frozen=True):
    largest_concurrency: int | None


class _Capacity(msgspec.Struct, frozen=True):
    replicas_by_hour: tuple[int, ...]


class _Hybrid(msgspec.Struct, frozen=True):
    overflow_to: str


class _Verdict(msgspec.Struct, frozen=True):
    option: _Option
    bill: _Bill
    performance: _Performance
    capacity: _Capacity
    hybrid: _Hybrid | None = None


class _Plan(msgspec.Struct, frozen=True):
    schema_version: str
    winner: str | None
    verdicts: tuple[_Verdict, ...]


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan says about routing, before anybody says where the machines answer.

    Attributes:
        option: The option's id.
        model: The name that callers use for it.
        upstreams: Entries without address or key, in the order in which they are asked.
        replicas: The own replicas of the busiest hour; 0 where there are none.
        machine: What they run on.
    """

    option: str
    model: str
    upstreams: dict[str, UpstreamEntry]
    replicas: int = 0
    machine: str | None = None


def read_plan(path: Path, option: str | None = None) -> Planned:
    """The plan's winner, or the option with that id.

    Raises:
        SpecError: if the file is no plan, or the plan holds no such option, or one that cannot be routed by.
    """
    plan = _read(path)
    wanted = option or plan.winner
    if wanted is None:
        raise SpecError(
            f"{path} has no winner: it was made without a quality floor",
            expected="an option to route by",
            do="Name one with --option, or plan again with --at-least",
        )
    by_id = {verdict.option.id: verdict for verdict in plan.verdicts}
    if wanted not in by_id:
        near = near_matches(wanted, by_id)
        raise SpecError(
            f"{path} holds no option {wanted}",
            expected=f"one of the {len(by_id)} that it shows",
            do=f"Did you mean: {', '.join(near)}?" if near else "Write the plan with a larger --top",
        )
    return _planned(by_id[wanted])


def _read(path: Path) -> _Plan:
    try:
        plan = msgspec.json.decode(path.read_bytes(), type=_Plan, strict=False)
    except OSError as wrong:
        raise SpecError(f"{path} cannot be read: {wrong.strerror}", expected="a plan", do="Check the path") from wrong
    except (msgspec.MsgspecError, UnicodeDecodeError) as wrong:
        raise SpecError(
            f"{path} is no plan of one workload: {wrong}",
            expected="what `breakeven compare SPEC --json plan.json` writes",
            do="Write it again",
        ) from wrong
    if not plan.schema_version.startswith(READS):
        raise SpecError(
            f"{path} follows schema {plan.schema_version}",
            expected=f"schema {READS}x",
            do="Plan again with this version",
        )
    return plan


def _planned(verdict: _Verdict) -> Planned:
    option = verdict.option
    if option.kind == "cascade":
        raise SpecError(
            f"{option.id} is a cascade: only the caller sees whether an answer is wrong",
            expected="an API, own machines, or a hybrid",
            do="Route by each half under a name of its own (models in gateway.yaml) and let the caller ask the second",
        )
    entries = {}
    if option.kind in ("hosted", "hybrid"):
        entries[OWN] = _own(verdict)
    if option.kind == "api":
        entries[API] = _api(option.id)
    if verdict.hybrid is not None:
        entries[API] = _api(verdict.hybrid.overflow_to)
    own = OWN in entries
    return Planned(
        option=option.id,
        model=option.model,
        upstreams=entries,
        replicas=max(verdict.capacity.replicas_by_hour, default=0) if own else 0,
        machine=option.machine if own else None,
    )


def _own(verdict: _Verdict) -> UpstreamEntry:
    each = verdict.option.replicas_per_machine or 1
    hour = next((line.usd_per_unit for line in verdict.bill.lines if line.unit == "machine-hour"), None)
    return UpstreamEntry(
        concurrency=verdict.performance.largest_concurrency,
        usd_per_hour=None if hour is None else hour / each,
    )


def _api(option: str) -> UpstreamEntry:
    """``api:openai/gpt-4o@batch``: provider, model, tier."""
    name, _, tier = option.removeprefix("api:").partition("@")
    provider, _, model = name.partition("/")
    return msgspec.convert({"provider": provider, "model": model, "tier": tier or "standard"}, UpstreamEntry)
