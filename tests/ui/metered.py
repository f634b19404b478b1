"""A store as a gateway's books write it: two keys over three days, failures, unknown costs, a machine."""

from datetime import UTC, datetime

from breakeven.gateway.accounts import Accounts
from breakeven.gateway.books.books import Books
from breakeven.gateway.books.database import connect
from breakeven.gateway.books.hires import US_PER_HOUR, Hired
from breakeven.gateway.books.store import Store
from breakeven.gateway.records import UsageRecord
from breakeven.units import PICO_USD_PER_USD

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
HOUR_US = int(datetime(2026, 11, 24, 9, tzinfo=UTC).timestamp()) * 1_000_000
DAY_US = 24 * US_PER_HOUR
LEAST = 1
"""Picodollars: what no sum may lose."""


def _record(number: int, **facts) -> UsageRecord:
    plain = {
        "id": f"req-{number:06}",
        "at_us": HOUR_US,
        "key": "key_ann",
        "team": "search",
        "path": "/v1/chat/completions",
        "model": "small",
        "upstream": "acme",
        "provider": "acme",
        "status": 200,
        "outcome": "complete",
        "attempts": 1,
        "input_tokens": 1000,
        "output_tokens": 200,
        "duration_s": 0.5,
        "cost_pico_usd": PICO_USD_PER_USD // 4,
        "cost_basis": "list price",
        "tokens_basis": "upstream",
    }
    return UsageRecord(**plain | facts)


RECORDS = [
    _record(1),
    _record(2, at_us=HOUR_US - DAY_US, cost_pico_usd=1_234 * PICO_USD_PER_USD + LEAST),
    _record(3, at_us=HOUR_US - 2 * DAY_US, key="key_bob", team="<b>ads</b>", upstream="own-1", provider=None),
    _record(4, outcome="failed", status=502, key="key_bob", team="<b>ads</b>", cost_pico_usd=None, output_tokens=None),
    _record(5, outcome="refused", status=429, attempts=0, upstream=None, provider=None, cost_pico_usd=0),
    _record(6, at_us=HOUR_US - 60 * DAY_US),
]
HIRED = [Hired("own-1", HOUR_US, US_PER_HOUR, 3 * PICO_USD_PER_USD, PICO_USD_PER_USD // 2)]


def write_store(place: str) -> None:
    """Let books keep the records in a store of their own, and the hour of a machine."""

    books = Books(Accounts(), place).begin()
    for record in RECORDS:
        books.settle(None, record)
    books.end()
    store = Store(connect(place, existing=True))
    store.keep_hires("gw_1", HIRED)
    store.close()
