"""What the admin API takes and gives: keys, teams, spend. Amounts are dollars in decimal text, times are RFC 3339."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from breakeven.gateway.books.allowance import Allowance, of_key, of_team
from breakeven.gateway.books.budget import NOTHING
from breakeven.gateway.books.hires import US_PER_HOUR, Machine
from breakeven.gateway.books.keys import VirtualKey
from breakeven.gateway.books.money import USD_PATTERN, pico_usd_of, usd_of
from breakeven.gateway.books.periods import ALWAYS, PeriodKind, period_at
from breakeven.gateway.books.spend import Spent
from breakeven.gateway.books.store import Place, Standing
from breakeven.gateway.books.teams import Team
from breakeven.units import MICROSECONDS_PER_SECOND

LARGEST_COUNT = 999_999_999_999
PLAIN = r"^[^\x00-\x1f\x7f]+$"
Usd = Annotated[str, Meta(pattern=USD_PATTERN, description="Dollars, exact.", examples=["25", "0.15"])]
Count = Annotated[int, Meta(ge=1, le=LARGEST_COUNT)]
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=PLAIN)]
TeamId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Small letters, digits, - and _.")]
Model = Annotated[str, Meta(min_length=1, max_length=200, pattern=PLAIN)]
Models = Annotated[
    list[Model], Meta(max_length=200, description="Models it may call; `name*`: all that begin so. Empty: all.")
]
Time = Annotated[datetime, Meta(tz=True)]
Standings = Mapping[Place, Standing]


class Budget(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a key, or the keys of a team together, may use in a period. A budget that is not given is not there."""

    usd: Usd | None = None
    requests: Count | None = None
    period: Annotated[PeriodKind, Meta(description="It renews at midnight UTC, on the first of a month, or never.")] = (
        "month"
    )


class Limits(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a key may use at one gateway at a time."""

    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    concurrent_requests: Count | None = None


class NewKey(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A key to make."""

    name: Name
    team: TeamId | None = None
    models: Models = []
    budget: Budget | None = None
    limits: Limits | None = None
    expires_at: Time | None = None
    disabled: bool = False


class ChangedKey(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Fields of a key to change; what is not given stays, ``null`` takes away. A budget is replaced as a whole."""

    name: Name | UnsetType = UNSET
    team: TeamId | UnsetType | None = UNSET
    models: Models | UnsetType = UNSET
    budget: Budget | UnsetType | None = UNSET
    limits: Limits | UnsetType | None = UNSET
    expires_at: Time | UnsetType | None = UNSET
    disabled: bool | UnsetType = UNSET


class Used(msgspec.Struct, kw_only=True):
    """Where a budget stands in the period that runs.

    Attributes:
        period: The day or month.
        renews_at: When the next one begins.
        spent_usd: What was used.
        spent_requests: Requests that were sent.
        held_usd: What gateways have taken in advance and not used yet.
        held_requests: The same in requests.
        in_doubt_usd: The part of it that gateways had which have been silent; see ``release``.
        in_doubt_requests: The same in requests.
    """

    period: str
    renews_at: datetime | None
    spent_usd: str
    spent_requests: int
    held_usd: str
    held_requests: int
    in_doubt_usd: str
    in_doubt_requests: int


class Key(msgspec.Struct, kw_only=True):
    """A key, without its secret."""

    id: str
    name: str
    hint: Annotated[str, Meta(description="The last characters of the secret.")]
    team: str | None
    models: list[str]
    budget: Budget | None
    used: Used | None
    limits: Limits
    expires_at: datetime | None
    disabled: bool
    created_at: datetime


class MadeKey(msgspec.Struct, kw_only=True):
    """A key that was made, with its secret: it is shown this once and kept nowhere."""

    secret: str
    key: Key


class Keys(msgspec.Struct, kw_only=True):
    """Keys, the oldest first."""

    keys: list[Key]


class NewTeam(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A team to make."""

    id: TeamId
    name: Name | None = None
    budget: Budget | None = None


class ChangedTeam(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Fields of a team to change; what is not given stays, a budget of ``null`` goes. It is replaced as a whole."""

    name: Name | UnsetType = UNSET
    budget: Budget | UnsetType | None = UNSET


class ShownTeam(msgspec.Struct, kw_only=True):
    """A team, with the budget that its keys share."""

    id: str
    name: str
    budget: Budget | None
    used: Used | None
    created_at: datetime


class Teams(msgspec.Struct, kw_only=True):
    """All teams."""

    teams: list[ShownTeam]


class SpendRow(msgspec.Struct, kw_only=True):
    """One group of requests: its labels, as asked for, and its sums."""

    labels: dict[str, str | None]
    requests: int
    failed: int
    refused: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    usd: Annotated[str, Meta(description="The sum of the costs that are known.")]
    requests_of_unknown_cost: int


class Spend(msgspec.Struct, kw_only=True):
    """What was used and what it cost, the dearest group first."""

    by: list[str]
    since: datetime
    until: datetime
    rows: list[SpendRow]
    complete: Annotated[bool, Meta(description="False where there are more groups than are shown.")]


class MachineRow(msgspec.Struct, kw_only=True):
    """One own machine: how long it stood, what that cost, and what of it requests were charged."""

    upstream: str
    hours: float
    usd: str
    served_usd: str
    idle_usd: Annotated[str, Meta(description="What of its price no request was charged.")]


class Machines(msgspec.Struct, kw_only=True):
    """Own machines in whole hours, the dearest first."""

    since: datetime
    until: datetime
    rows: list[MachineRow]


class Released(msgspec.Struct, kw_only=True):
    """How many slices of gateways that are gone went back."""

    slices: int


class State(msgspec.Struct, kw_only=True):
    """How the books of the gateway that was asked are doing."""

    records_written: int
    records_waiting: int
    records_lost: int
    faults: int
    store_away_s: float
    keys: int
    held_usd: str


class Told(msgspec.Struct, kw_only=True):
    """What went wrong."""

    message: str
    type: str
    code: str
    param: Literal[None] = None


class Error(msgspec.Struct, kw_only=True):
    """An error in OpenAI's shape."""

    error: Told


def us_of(moment: datetime) -> int:
    """Microseconds since 1970."""
    return round(moment.timestamp() * MICROSECONDS_PER_SECOND)


def time_of(at_us: int) -> datetime:
    """The moment."""
    return datetime.fromtimestamp(at_us // MICROSECONDS_PER_SECOND, UTC)


def fields_of(given: NewKey | ChangedKey) -> dict[str, object]:
    """The fields of a kept key that are given. Raises ``SpecError`` for an amount that is too large."""
    found: dict[str, object] = {}
    for name in ("name", "team", "disabled"):
        if (value := getattr(given, name)) is not UNSET:
            found[name] = value
    if given.models is not UNSET:
        found["models"] = tuple(given.models)
    if given.expires_at is not UNSET:
        found["expires_us"] = None if given.expires_at is None else us_of(given.expires_at)
    if given.budget is not UNSET:
        found |= _budget_fields(given.budget)
    if given.limits is not UNSET:
        found |= msgspec.structs.asdict(given.limits or Limits())
    return found


def team_fields_of(given: NewTeam | ChangedTeam) -> dict[str, Any]:
    """The fields of a kept team that are given. Raises ``SpecError`` for an amount that is too large."""
    found: dict[str, Any] = {"id": given.id} if isinstance(given, NewTeam) else {}
    if given.name is not UNSET:
        found["name"] = given.name
    if given.budget is not UNSET:
        found |= _budget_fields(given.budget)
    return found


def _budget_fields(given: Budget | None) -> dict[str, Any]:
    budget = given or Budget()
    return {
        "budget_pico_usd": None if budget.usd is None else pico_usd_of(budget.usd),
        "budget_requests": budget.requests,
        "period": budget.period,
    }


def shown_key(key: VirtualKey, standings: Standings, now_s: float) -> Key:
    """A kept key as the API gives it; ``standings``: where accounts stand in the periods of this moment."""
    budget, used = _shown_budget(of_key(key), standings, now_s)
    return Key(
        id=key.id,
        name=key.name,
        hint=key.hint,
        team=key.team,
        models=list(key.models),
        budget=budget,
        used=used,
        limits=Limits(
            requests_per_minute=key.requests_per_minute,
            tokens_per_minute=key.tokens_per_minute,
            concurrent_requests=key.concurrent_requests,
        ),
        expires_at=None if key.expires_us is None else time_of(key.expires_us),
        disabled=key.disabled,
        created_at=time_of(key.created_us),
    )


def shown_team(team: Team, standings: Standings, now_s: float) -> ShownTeam:
    """A kept team as the API gives it."""
    budget, used = _shown_budget(of_team(team), standings, now_s)
    return ShownTeam(id=team.id, name=team.name, budget=budget, used=used, created_at=time_of(team.created_us))


def _shown_budget(allowance: Allowance, standings: Standings, now_s: float) -> tuple[Budget | None, Used | None]:
    """A budget, and where it stands; nothing where there is none."""
    if not allowance.is_set:
        return None, None
    period = period_at(allowance.period, now_s)
    nothing = Standing(NOTHING, NOTHING, NOTHING)
    spent, leased, doubt = standings.get(Place(allowance.account, period.name), nothing)
    usd = None if allowance.pico_usd is None else usd_of(allowance.pico_usd)
    used = Used(
        period=period.name,
        renews_at=None if period.until_s == ALWAYS else datetime.fromtimestamp(period.until_s, UTC),
        spent_usd=usd_of(spent.pico_usd),
        spent_requests=spent.requests,
        held_usd=usd_of(leased.pico_usd),
        held_requests=leased.requests,
        in_doubt_usd=usd_of(doubt.pico_usd),
        in_doubt_requests=doubt.requests,
    )
    return Budget(usd=usd, requests=allowance.requests, period=allowance.period), used


def shown_machine(machine: Machine) -> MachineRow:
    """An own machine as the API gives it."""
    return MachineRow(
        upstream=machine.upstream,
        hours=machine.stood_us / US_PER_HOUR,
        usd=usd_of(machine.pico_usd),
        served_usd=usd_of(machine.served_pico_usd),
        idle_usd=usd_of(machine.idle_pico_usd),
    )


def shown_spend(by: list[str], spent: Spent) -> SpendRow:
    """A sum as the API gives it."""
    texts = [
        time_of(value).isoformat().replace("+00:00", "Z") if isinstance(value, int) else value for value in spent.labels
    ]
    return SpendRow(
        labels=dict(zip(by, texts, strict=True)),
        requests=spent.requests,
        failed=spent.failed,
        refused=spent.refused,
        input_tokens=spent.input_tokens,
        cached_input_tokens=spent.cached_input_tokens,
        output_tokens=spent.output_tokens,
        usd=usd_of(spent.pico_usd),
        requests_of_unknown_cost=spent.unpriced,
    )
