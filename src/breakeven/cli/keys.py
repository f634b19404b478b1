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
    from breakeven.gateway.admin_shapes import Key
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
    from breakeven.gateway.books.money import pico_usd_of  # noqa: PLC0415

    if period not in PERIODS:
        raise SpecError(f"--period {period} is not known", expected=f"one of {', '.join(PERIODS)}", do="Correct it")
    facts: dict[str, Any] = {
        "name": name,
        "team": team,
        "models": tuple(one.strip() for one in models.split(",") if one.strip()) if models else (),
        "budget_pico_usd": None if usd is None else pico_usd_of(usd),
        "budget_requests": requests,
        "period": period,
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

    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from breakeven.gateway.admin_shapes import shown_key  # noqa: PLC0415
    from breakeven.gateway.books.periods import period_at  # noqa: PLC0415
    from breakeven.gateway.books.store import Place  # noqa: PLC0415

    now_s = time.time()
    with _opened(store) as opened:
        keys = opened.living_keys()
        places = {key.id: Place(key.id, period_at(key.period, now_s).name) for key in keys}
        standings = opened.standings([period_at("day", now_s).name, period_at("month", now_s).name, "total"])
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("id", "name", "secret", "team", "models", "budget", "used", "state"):
        table.add_column(column, overflow="fold", no_wrap=column == "id")
    for key in keys:
        table.add_row(*_cells(shown_key(key, standings.get(places[key.id]), now_s), now_s))
    Console(width=WIDTH, highlight=False, markup=False).print(table if keys else "There are no keys.")


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
def release(key: Id, store: StoreAt = DEFAULT) -> None:
    """Give back what gateways that are gone (killed, crashed) had taken of a key's budget."""
    with _opened(store) as opened:
        _known(opened, key)
        slices = opened.release(key)
    typer.echo(f"{slices} slices went back to the budget of {key}.")


@keys_app.command()
def team(
    name: Annotated[str, typer.Argument(help="Its id: small letters, digits, - and _.")], store: StoreAt = DEFAULT
) -> None:
    """Make a team, so that keys can be its."""
    import msgspec  # noqa: PLC0415

    from breakeven.gateway.admin_shapes import NewTeam  # noqa: PLC0415
    from breakeven.gateway.books.store import Team, now_us  # noqa: PLC0415

    try:
        msgspec.convert({"id": name}, NewTeam)
    except msgspec.ValidationError as wrong:
        raise SpecError(
            f"{name!r} is no id of a team", expected="small letters, digits, - and _, at most 63", do="Correct it"
        ) from wrong
    with _opened(store, make=True) as opened:
        fresh = opened.add_team(Team(id=name, name=name, created_us=now_us()))
    typer.echo(f"The team {name} is made." if fresh else f"There is a team {name} already.")


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


def _cells(key: "Key", now_s: float) -> list[str]:
    budget, used = "", ""
    if key.budget and key.used:
        limits = [f"${key.budget.usd}"] if key.budget.usd is not None else []
        limits += [_requests(key.budget.requests)] if key.budget.requests is not None else []
        budget = f"{', '.join(limits)} {'in all' if key.budget.period == 'total' else f'a {key.budget.period}'}"
        spent = [f"${key.used.spent_usd}"] if key.budget.usd is not None else []
        spent += [_requests(key.used.spent_requests)] if key.budget.requests is not None else []
        used = ", ".join(spent)
        if key.used.in_doubt_usd != "0" or key.used.in_doubt_requests:
            used += f" (in doubt: ${key.used.in_doubt_usd}, {_requests(key.used.in_doubt_requests)})"
    expired = key.expires_at is not None and key.expires_at.timestamp() <= now_s
    state = "disabled" if key.disabled else "expired" if expired else ""
    models = ", ".join(key.models) or "all"
    return [key.id, key.name, f"be-...{key.hint}", key.team or "", models, budget, used, state]
