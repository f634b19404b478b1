"""`breakeven keys`: virtual keys and teams in a gateway's store, without a gateway that runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from breakeven.cli.given import day_of
from breakeven.errors import SpecError, near_matches
from breakeven.report.words import WIDTH
from breakeven.units import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from breakeven.gateway.admin_shapes import Budget, Key, Used
    from breakeven.gateway.books.keys import VirtualKey
    from breakeven.gateway.books.store import Store

keys_app = typer.Typer(
    name="keys", help="Virtual keys and teams in a gateway's store.", no_args_is_help=True, rich_markup_mode=None
)
StoreAt = Annotated[
    str, typer.Option("--store", envvar="BREAKEVEN_STORE", help="A SQLite file, or a postgresql:// address.")
]
Id = Annotated[str, typer.Argument(help="The key's id (key_...), as `list` shows it.")]
DEFAULT = "gateway.db"
PERIODS = ("day", "month", "total")


@keys_app.command()
def create(  # noqa: PLR0913, PLR0917 - one parameter a flag
    name: Annotated[str, typer.Argument(help="What people call the key.")],
    team: Annotated[str | None, typer.Option(help="The team that pays; `team` makes one.")] = None,
    models: Annotated[str | None, typer.Option(help="Models it may call: a,b,llama-*. Without it: all.")] = None,
    usd: Annotated[str | None, typer.Option(help="Its budget in dollars, such as 25 or 0.50.")] = None,
    requests: Annotated[int | None, typer.Option(min=1, help="Its budget in requests.")] = None,
    period: Annotated[str, typer.Option(help="What a budget is for: day, month or total. It renews in UTC.")] = "month",
    requests_per_minute: Annotated[int | None, typer.Option(min=1, help="Requests in any sixty seconds.")] = None,
    tokens_per_minute: Annotated[int | None, typer.Option(min=1, help="Tokens in any sixty seconds.")] = None,
    concurrent_requests: Annotated[int | None, typer.Option(min=1, help="Requests at the same time.")] = None,
    expires: Annotated[str | None, typer.Option(help="The day (UTC) from which on it is refused: 2027-01-01.")] = None,
    store: StoreAt = DEFAULT,
) -> None:
    """Make a key, and print its secret: this once."""
    from breakeven.gateway.books import administration  # noqa: PLC0415 - each command loads what it needs

    facts: dict[str, Any] = {
        "name": name,
        "team": team,
        "models": tuple(one.strip() for one in models.split(",") if one.strip()) if models else (),
        **_budget(usd, requests, period),
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute,
        "concurrent_requests": concurrent_requests,
        "expires_us": None if expires is None else _begin_us(expires),
    }
    with _opened(store, make=True) as opened:
        made = administration.make_key(opened, **facts)
    typer.echo(made.secret)
    typer.echo(f"This is the secret of {made.key.id} ({name}). It is kept nowhere: write it down.", err=True)


@keys_app.command("list")
def list_keys(store: StoreAt = DEFAULT) -> None:
    """The keys of a store, with what they have used in the period that runs."""
    import time  # noqa: PLC0415

    from breakeven.gateway.admin_shapes import shown_key  # noqa: PLC0415
    from breakeven.gateway.books.periods import periods_at  # noqa: PLC0415

    now_s = time.time()
    with _opened(store) as opened:
        keys, standings = opened.living_keys(), opened.standings(periods_at(now_s))
    rows = [_cells(shown_key(key, standings, now_s), now_s) for key in keys]
    _print(("id", "name", "secret", "team", "models", "budget", "used", "state"), rows, "There are no keys.")


@keys_app.command()
def disable(key: Id, store: StoreAt = DEFAULT) -> None:
    """Refuse a key from now on; gateways know of it within their `refresh_s`."""
    _change(store, key, {"disabled": True})
    typer.echo(f"{key} is disabled.")


@keys_app.command()
def enable(key: Id, store: StoreAt = DEFAULT) -> None:
    """Let a key in again."""
    _change(store, key, {"disabled": False})
    typer.echo(f"{key} is enabled.")


@keys_app.command()
def delete(key: Id, store: StoreAt = DEFAULT) -> None:
    """A key goes for good; its records stay."""
    _change(store, key, {"deleted": True})
    typer.echo(f"{key} is deleted.")


@keys_app.command()
def release(
    key: Annotated[str, typer.Argument(help="The id of a key (key_...) or of a team.")], store: StoreAt = DEFAULT
) -> None:
    """Give back what gateways that are gone (killed, crashed) had taken of the budget of a key or a team."""
    from breakeven.gateway.books.allowance import account_of_team  # noqa: PLC0415

    with _opened(store) as opened:
        if any(team.id == key for team in opened.teams()) and opened.key(key) is None:
            slices = opened.release(account_of_team(key))
        else:
            _known(opened, key)
            slices = opened.release(key)
    typer.echo(f"{slices} slices went back to the budget of {key}.")


@keys_app.command()
def team(
    name: Annotated[str, typer.Argument(help="Its id: small letters, digits, - and _.")],
    usd: Annotated[str | None, typer.Option(help="The budget in dollars that its keys share, such as 250.")] = None,
    requests: Annotated[int | None, typer.Option(min=1, help="The budget in requests that they share.")] = None,
    period: Annotated[str, typer.Option(help="What a budget is for: day, month or total. It renews in UTC.")] = "month",
    no_budget: Annotated[bool, typer.Option("--no-budget", help="Take its budget away.")] = False,
    store: StoreAt = DEFAULT,
) -> None:
    """Make a team, so that keys can be its, or change the budget that its keys share."""
    import msgspec  # noqa: PLC0415

    from breakeven.gateway.admin_shapes import NewTeam  # noqa: PLC0415
    from breakeven.gateway.books.store import now_us  # noqa: PLC0415
    from breakeven.gateway.books.teams import Team  # noqa: PLC0415

    try:
        msgspec.convert({"id": name}, NewTeam)
    except msgspec.ValidationError as wrong:
        raise SpecError(
            f"{name!r} is no id of a team", expected="small letters, digits, - and _, at most 63", do="Correct it"
        ) from wrong
    if no_budget and (usd or requests):
        raise SpecError("--no-budget and a budget are given", expected="one of both", do="Leave one out")
    budget = _budget(usd, requests, period)
    with _opened(store, make=True) as opened:
        if opened.add_team(Team(id=name, name=name, created_us=now_us(), **budget)):
            told = "is made"
        elif usd or requests or no_budget:
            opened.change_team(name, budget)
            told = "has no budget any more" if no_budget else "has a new budget"
        else:
            told = "is there already"
    typer.echo(f"The team {name} {told}.")


@keys_app.command("teams")
def list_teams(store: StoreAt = DEFAULT) -> None:
    """The teams of a store, with what their keys have used together in the period that runs."""
    import time  # noqa: PLC0415

    from breakeven.gateway.admin_shapes import shown_team  # noqa: PLC0415
    from breakeven.gateway.books.periods import periods_at  # noqa: PLC0415

    now_s = time.time()
    with _opened(store) as opened:
        teams, standings = opened.teams(), opened.standings(periods_at(now_s))
    shown = [shown_team(team, standings, now_s) for team in teams]
    rows = [[team.id, team.name, *_budget_cells(team.budget, team.used)] for team in shown]
    _print(("id", "name", "budget", "used"), rows, "There are no teams.")


@contextmanager
def _opened(place: str, *, make: bool = False) -> "Iterator[Store]":
    """The store; a file that is not there is made only if ``make``."""
    from breakeven.gateway.books.database import StoreAway, connect, shown  # noqa: PLC0415
    from breakeven.gateway.books.schema import set_up  # noqa: PLC0415
    from breakeven.gateway.books.store import Store  # noqa: PLC0415

    try:
        database = connect(place, wait_s=5.0, answer_s=50.0, durable=True, existing=not make)
        try:
            set_up(database)
            yield Store(database)
        finally:
            database.close()
    except StoreAway as wrong:
        raise SpecError(
            f"the store {shown(place)} cannot be used: {wrong}",
            expected="the SQLite file or the PostgreSQL database of a gateway",
            do="Check --store",
        ) from wrong


def _change(place: str, key: str, changes: dict[str, Any]) -> None:
    with _opened(place) as opened:
        _known(opened, key)
        opened.change_key(key, changes)


def _known(opened: "Store", name: str) -> "VirtualKey":
    found = opened.key(name)
    if found is None:
        near = near_matches(name, [key.id for key in opened.living_keys()])
        raise SpecError(
            f"there is no key {name!r} in this store",
            expected="the id of a key (key_...)",
            do=f"Did you mean: {', '.join(near)}?" if near else "`breakeven keys list` shows them",
        )
    return found


def _begin_us(text: str) -> int:
    begin = datetime.combine(day_of(text, "--expires"), datetime.min.time(), UTC)
    return round(begin.timestamp() * MICROSECONDS_PER_SECOND)


def _requests(count: int) -> str:
    return f"{count:,} request{'' if count == 1 else 's'}"


def _budget(usd: str | None, requests: int | None, period: str) -> dict[str, Any]:
    """The fields of a budget."""
    from breakeven.gateway.books.money import pico_usd_of  # noqa: PLC0415

    if period not in PERIODS:
        raise SpecError(f"--period {period} is not known", expected=f"one of {', '.join(PERIODS)}", do="Correct it")
    pico_usd = None if usd is None else pico_usd_of(usd)
    return {"budget_pico_usd": pico_usd, "budget_requests": requests, "period": period}


def _budget_cells(budget: "Budget | None", used: "Used | None") -> tuple[str, str]:
    """A budget and what is used of it."""
    if budget is None or used is None:
        return "", ""
    limits = [f"${budget.usd}"] if budget.usd is not None else []
    limits += [_requests(budget.requests)] if budget.requests is not None else []
    spent = [f"${used.spent_usd}"] if budget.usd is not None else []
    spent += [_requests(used.spent_requests)] if budget.requests is not None else []
    told = ", ".join(spent)
    if used.in_doubt_usd != "0" or used.in_doubt_requests:
        told += f" (in doubt: ${used.in_doubt_usd}, {_requests(used.in_doubt_requests)})"
    return f"{', '.join(limits)} {'in all' if budget.period == 'total' else f'a {budget.period}'}", told


def _cells(key: "Key", now_s: float) -> list[str]:
    expired = key.expires_at is not None and key.expires_at.timestamp() <= now_s
    state = "disabled" if key.disabled else "expired" if expired else ""
    models = ", ".join(key.models) or "all"
    budget, used = _budget_cells(key.budget, key.used)
    return [key.id, key.name, f"be-...{key.hint}", key.team or "", models, budget, used, state]


def _print(columns: tuple[str, ...], rows: list[list[str]], nothing: str) -> None:
    """A table, or that there is nothing to show."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "id")
    for row in rows:
        table.add_row(*row)
    Console(width=WIDTH, highlight=False, markup=False).print(table if rows else nothing)
