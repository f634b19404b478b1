"""`breakeven price`: a usage log in, what it cost out, and what it would have cost elsewhere."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from breakeven.cli.workload import (
    Columns,
    EngineFlag,
    Json,
    Logs,
    TimeZone,
    asked_of,
    over,
    print_problems,
    write_json,
)
from breakeven.report.words import WIDTH

if TYPE_CHECKING:
    from rich.console import Console

    from breakeven.logs.candidates import Candidate
    from breakeven.logs.price import Cost, PricedLog

SHOWN = 25


def price(  # noqa: PLR0913, PLR0917 - one parameter a flag
    log: Logs,
    by: Annotated[str, typer.Option(help="model,day,key,team,user,provider,tier.")] = "model",
    candidates: Annotated[str | None, typer.Option(help="What it would have cost there: MODEL,... or all.")] = None,
    as_: Annotated[
        list[str] | None,
        typer.Option("--as", help="A name in the log is that offer: gpt-4o=openai/gpt-4o (repeatable)."),
    ] = None,
    columns: Columns = None,
    time_zone: TimeZone = None,
    engine: EngineFlag = "duckdb",
    json: Json = None,
) -> None:
    """What a usage log cost, at the prices of each request's own day, and what it would have cost elsewhere."""
    from breakeven.catalogue.load import load_catalogue  # noqa: PLC0415 - each command loads what it needs
    from breakeven.logs import price as prices  # noqa: PLC0415
    from breakeven.logs.candidates import candidates as offers_named  # noqa: PLC0415
    from breakeven.logs.candidates import on_candidates  # noqa: PLC0415
    from breakeven.logs.names import Names, stated_offers  # noqa: PLC0415
    from breakeven.logs.tariffs import Tariffs  # noqa: PLC0415

    grouping = [name.strip() for name in by.split(",")]
    prices.check_by(grouping)
    tariffs = Tariffs(load_catalogue())
    names = Names(tariffs.offers, stated_offers(as_ or [], tariffs.offers))
    wanted = [name.strip() for name in candidates.split(",")] if candidates else []
    offers_named(wanted, tariffs)  # a slip in a name is told before the log is read
    asked = asked_of(log, columns, time_zone, engine)
    found = over(asked, lambda opened: prices.price(opened, grouping, tariffs, names))
    elsewhere = on_candidates(wanted, found.lines, tariffs) if wanted else []
    if json:
        write_json(json, document(found, elsewhere, asked.shown))
    if json != "-":
        _show(found, elsewhere)


def document(found: "PricedLog", elsewhere: "list[Candidate]", paths: tuple[str, ...]) -> dict[str, Any]:
    """The cost for programs; amounts are exact decimals in text."""
    return {
        "schema": "breakeven-price/1",
        "paths": list(paths),
        "by": list(found.by),
        "costs": [{**dict(zip(found.by, label, strict=True)), **_figures(cost)} for label, cost in found.costs.items()],
        "total": _figures(found.total),
        "unpriced": found.unpriced,
        "failed_rows": found.failed,
        "rows_that_are_no_calls": found.not_calls,
        "candidates": elsewhere,
        "problems": found.problems,
    }


def _figures(cost: "Cost") -> dict[str, Any]:
    return {
        "requests": cost.requests,
        "tokens": cost.tokens,
        "usd": cost.usd if cost.priced else None,
        "usd_by_kind": cost.usd_by_kind,
        "logged_usd": cost.logged_usd,
        "unpriced_requests": cost.unpriced_requests,
        "priced_as": sorted(cost.priced_as),
    }


def _show(found: "PricedLog", elsewhere: "list[Candidate]") -> None:
    from rich.console import Console  # noqa: PLC0415

    console = Console(width=WIDTH, highlight=False, markup=False)
    _print_costs(found, console)
    for reason, requests in found.unpriced.items():
        console.print(f"  not priced: {requests:,} request{'s' if requests > 1 else ''}: {reason}", soft_wrap=True)
    if found.failed:
        console.print(f"  {found.failed:,} failed requests are taken as not billed")
    if found.not_calls:
        console.print(f"  {found.not_calls:,} rows are no calls of a model (other spans, the proxy's own cache)")
    if elsewhere:
        _print_candidates(elsewhere, found, console)
    print_problems(found.problems, console)


def _print_costs(found: "PricedLog", console: "Console") -> None:
    from rich.table import Table  # noqa: PLC0415

    console.print(f"WHAT IT COST, by {', '.join(found.by)}, at the prices of each request's day", style="bold")
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in found.by:
        table.add_column(name, overflow="fold")
    for name in ("requests", "input", "cached", "written", "output", "USD", "the log says"):
        table.add_column(name, justify="right")
    for label, cost in list(found.costs.items())[:SHOWN]:
        table.add_row(*(value or "-" for value in label), *_cells(cost))
    if len(found.costs) > SHOWN:
        table.add_row(f"... {len(found.costs) - SHOWN} more")
    table.add_row("all", *[""] * (len(found.by) - 1), *_cells(found.total), style="bold")
    console.print(table)
    offers = ", ".join(sorted(found.total.priced_as))
    if offers:
        console.print(f"  priced as {offers}", soft_wrap=True)


def _cells(cost: "Cost") -> list[str]:
    from breakeven.report.words import count, usd  # noqa: PLC0415

    tokens = cost.tokens
    total = tokens["input"] + tokens["cached_input"] + tokens["cache_write"]
    money = usd(cost.usd) if cost.priced else "not priced"
    if cost.priced and cost.unpriced_requests:
        money = f"at least {money}"
    said = "" if cost.logged_usd is None else usd(cost.logged_usd)
    parts = (tokens["cached_input"], tokens["cache_write"], tokens["output"])
    return [f"{cost.requests:,}", count(total), *(count(part) for part in parts), money, said]


def _print_candidates(elsewhere: "list[Candidate]", found: "PricedLog", console: "Console") -> None:
    from rich.table import Table  # noqa: PLC0415

    from breakeven.report.words import usd  # noqa: PLC0415

    console.print("\nWHAT IT WOULD HAVE COST, the same tokens at the same hours", style="bold")
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("offer", overflow="fold")
    for name in ("USD", "of what it cost", "note"):
        table.add_column(name, justify="left" if name == "note" else "right")
    own = found.total.usd if found.total.priced and not found.total.unpriced_requests else None
    priced = [one for one in elsewhere if one.requests]
    for one in priced[:SHOWN]:
        whole = one.requests and not one.unpriced_requests
        share = f"{one.usd / own:.0%}" if own and whole else ""
        table.add_row(one.offer, usd(one.usd), share, _note(one))
    if len(priced) > SHOWN:
        table.add_row(f"... {len(priced) - SHOWN} more: --json holds them all")
    console.print(table)
    if len(elsewhere) > len(priced):
        console.print(f"  without a known price on any of these days: {len(elsewhere) - len(priced)}")


def _note(one: "Candidate") -> str:
    notes = []
    if one.unpriced_requests:
        notes.append(f"no price for {one.unpriced_requests:,} requests on their day")
    if one.context_too_short:
        notes.append("context too short for the longest prompt")
    if one.standard_instead:
        notes.append(f"{one.standard_instead:,} at the standard tier")
    return "; ".join(notes)
