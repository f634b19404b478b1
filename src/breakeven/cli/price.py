"""`breakeven price`: a usage log in, what it cost out, and what it would have cost elsewhere."""

from typing import Annotated

import typer

from breakeven.cli.workload import (
    Columns,
    EngineFlag,
    Json,
    Logs,
    TimeZone,
    asked_of,
    over,
    write_json,
)


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
    from breakeven.report.priced_log import document, print_priced  # noqa: PLC0415

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
        print_priced(found, elsewhere)
