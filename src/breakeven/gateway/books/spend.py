"""What was used and what it cost, added up from the records: by key, team, model, upstream, hour or day."""

from collections.abc import Sequence
from typing import NamedTuple

from breakeven.gateway.books.database import Database
from breakeven.units import MICROSECONDS_PER_SECOND, SECONDS_PER_DAY, SECONDS_PER_HOUR

MILLION = 1_000_000
"""Sums of picodollars are added up in two parts, so that they do not leave 64 bits at nine million dollars."""
US_PER_HOUR = SECONDS_PER_HOUR * MICROSECONDS_PER_SECOND
US_PER_DAY = SECONDS_PER_DAY * MICROSECONDS_PER_SECOND
BY = {
    "key": "key",
    "team": "team",
    "model": "model",
    "upstream": "upstream",
    "provider": "provider",
    "hour": f"at_us / {US_PER_HOUR} * {US_PER_HOUR}",
    "day": f"at_us / {US_PER_DAY} * {US_PER_DAY}",
}
MOST_ROWS = 10_000


class Spent(NamedTuple):
    """One group: its labels (times in microseconds), and its sums."""

    labels: tuple[str | int | None, ...]
    requests: int
    failed: int
    refused: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    pico_usd: int
    unpriced: int
    """Requests that were sent and whose cost is not known; their cost is not in the sum."""


def spent(
    database: Database,
    by: Sequence[str],
    *,
    since_us: int,
    until_us: int,
    key: str | None = None,
    team: str | None = None,
) -> list[Spent]:
    """The groups, dearest first; at most ``MOST_ROWS``. Raises ``StoreAway``."""
    labels = [BY[name] for name in by]
    columns = [f"{label} AS by_{number}" for number, label in enumerate(labels)]
    sums = [
        "count(*)",
        "sum(CASE WHEN outcome = 'failed' THEN 1 ELSE 0 END)",
        "sum(CASE WHEN outcome = 'refused' THEN 1 ELSE 0 END)",
        *(f"coalesce(sum({name}), 0)" for name in ("input_tokens", "cached_input_tokens", "output_tokens")),
        f"coalesce(sum(cost_pico_usd / {MILLION}), 0)",
        f"coalesce(sum(cost_pico_usd % {MILLION}), 0)",
        "sum(CASE WHEN cost_pico_usd IS NULL AND attempts > 0 THEN 1 ELSE 0 END)",
    ]
    conditions = ["at_us >= :since_us", "at_us < :until_us"]
    conditions += ["key = :key"] if key is not None else []
    conditions += ["team = :team"] if team is not None else []
    group = f"GROUP BY {', '.join(labels)}" if labels else ""
    dearest = f"coalesce(sum(cost_pico_usd / {MILLION}), 0) DESC, count(*) DESC"
    found = database.run(
        f"SELECT {', '.join([*columns, *sums])} FROM usage WHERE {' AND '.join(conditions)} {group} "
        f"ORDER BY {dearest} LIMIT {MOST_ROWS}",
        {"since_us": since_us, "until_us": until_us, "key": key, "team": team},
    )
    return [_spent(row, len(by)) for row in found if row[len(by)]]


def _spent(row: tuple[str | int | None, ...], labels: int) -> Spent:
    requests, failed, refused, read, cached, written, millions, rest, unpriced = (int(n or 0) for n in row[labels:])
    pico_usd = millions * MILLION + rest
    return Spent(row[:labels], requests, failed, refused, read, cached, written, pico_usd, unpriced)
