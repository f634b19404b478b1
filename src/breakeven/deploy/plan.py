"""What a template reads of a plan's document, and no more of it."""

from decimal import Decimal
from pathlib import Path

import msgspec

from breakeven.errors import SpecError
from breakeven.units import SECONDS_PER_HOUR
from breakeven.wording import quoting

READS = "1."
"""Schema versions that begin with this are read: within one, fields are only added."""


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """The traffic that the plan is for."""

    name: str
    task: str
    requests_per_hour: tuple[float, ...]
    region: str

    @property
    def busiest_requests_per_s(self) -> float:
        """In the busiest hour, on average."""
        return max(self.requests_per_hour) / SECONDS_PER_HOUR


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a bill, a day. ``usd`` is ``None`` where the unit price is not known."""

    name: str
    quantity: Decimal
    unit: str
    usd_per_unit: Decimal | None
    usd: Decimal | None
    source: tuple[str, ...]


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """What a day costs."""

    usd_per_day: Decimal
    lines: tuple[Line, ...]


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """What is rented."""

    id: str
    kind: str
    model: str
    provider: str
    number_format: str | None = None
    engine: str | None = None
    machine: str | None = None
    accelerator: str | None = None
    tensor_parallel: int | None = None
    replicas_per_machine: int | None = None
    serving_path: str | None = None


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A figure and the ends of its 80 % band, where there is one."""

    mid: float
    high: float | None = None


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """Of one replica."""

    response_s: Estimate | None
    largest_concurrency: int | None


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """Replicas hour by hour."""

    replicas_by_hour: tuple[int, ...]
    peak_machines: int | None


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What setting an option up needs to know; see ``planner.setup``."""

    weights: str | None
    native_format: str
    weights_bytes: float
    generation: str
    longest_request_tokens: int
    model_context_tokens: int | None
    kv_cache_tokens: int | None
    in_flight: float
    memory_share: float | None = None


class Hybrid(msgspec.Struct, frozen=True, kw_only=True):
    """The halves of a hybrid."""

    base: str
    overflow_to: str


class Cascade(msgspec.Struct, frozen=True, kw_only=True):
    """The halves of a cascade."""

    first: str
    fallback: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One option of the plan."""

    option: Option
    bill: Bill
    performance: Performance
    capacity: Capacity
    setup: Setup | None = None
    hybrid: Hybrid | None = None
    cascade: Cascade | None = None


class LambdaConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The function as the bill has it."""

    memory_mb: int
    architecture: str


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan was priced by."""

    lambda_: LambdaConfig


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a price comes from."""

    id: str
    title: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A plan, as far as a template needs it."""

    schema_version: str
    as_of: str
    catalogue_digest: str
    workload: Workload
    policy: Policy
    verdicts: tuple[Verdict, ...]
    sources: tuple[Source, ...]


class _Version(msgspec.Struct, frozen=True):
    schema_version: str | None = None


def read_plans(path: Path) -> tuple[Plan, ...]:
    """The plans of a document that ``breakeven compare --json`` wrote.

    Raises:
        SpecError: the file is not there, is no plan, or is one of another schema version.
    """
    try:
        raw = path.read_bytes()
    except OSError as wrong:
        raise _no_plan(path, f"cannot be read: {wrong.strerror}") from wrong
    several = raw.lstrip()[:1] == b"["
    try:
        versions = msgspec.json.decode(raw if several else b"[" + raw + b"]", type=tuple[_Version, ...])
        for found in versions:
            _check_version(path, found.schema_version)
        if not versions:
            raise _no_plan(path, "holds no plan")
        return msgspec.json.decode(raw if several else b"[" + raw + b"]", type=tuple[Plan, ...])
    except msgspec.MsgspecError as wrong:
        raise _no_plan(path, f"is not a plan: {wrong}") from wrong


def _check_version(path: Path, version: str | None) -> None:
    if version is None or not version.startswith(READS):
        raise _no_plan(path, f"has the schema version {version or 'unknown'}, and this breakeven reads {READS}x")


def _no_plan(path: Path, why: str) -> SpecError:
    return SpecError(
        quoting("{path} {why}", path=path, why=why),
        expected="the document of a plan",
        do="`breakeven compare SPEC --json plan.json` writes one",
    )
