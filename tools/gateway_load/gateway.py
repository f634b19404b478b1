"""Our gateway as it is measured: virtual keys, a budget, two upstreams to choose from, metering and metrics.

python tools/gateway_load/gateway.py UPSTREAM_PORT STORE     prints port and key
"""

import importlib
import sys
from decimal import Decimal
from typing import Any

from breakeven.catalogue.load import load_catalogue
from breakeven.gateway.app import Gateway
from breakeven.gateway.config import GatewayFile, UpstreamEntry
from breakeven.gateway.connect import upstreams_of
from breakeven.gateway.door import Door
from breakeven.gateway.metrics import Metrics
from breakeven.gateway.observed import Observed
from breakeven.gateway.pricing import prices_of
from breakeven.gateway.rules import rules_of
from breakeven.gateway.serve import listening_socket, serve
from breakeven.units import PICO_USD_PER_USD

MODEL = "bench-model"
PLACES = 2_000
BUDGET_USD = 1_000_000


def books_with_a_key(store: str) -> tuple[Any, str]:
    """Books in a file, and the secret of a key with a budget in dollars."""
    found = importlib.import_module("breakeven.gateway.books.books")
    administration = importlib.import_module("breakeven.gateway.books.administration")
    books = found.Books(importlib.import_module("breakeven.gateway.accounts").Accounts(store=store))
    books.begin()
    opened = books._open()
    made = administration.make_key(opened, name="bench", budget_pico_usd=BUDGET_USD * PICO_USD_PER_USD)
    return books, made.secret


def main(upstream_port: str, store: str) -> None:
    """Serve until told to stop."""
    url = f"http://127.0.0.1:{upstream_port}/v1"
    own = UpstreamEntry(url=url, concurrency=PLACES, usd_per_hour=Decimal("2.5"))
    paid = UpstreamEntry(url=url, provider="openai", model="gpt-4o-mini")
    rules = rules_of(GatewayFile(upstreams={"own": own, "api": paid}, models={MODEL: ("own", "api")}))
    books, secret = books_with_a_key(store)
    door = Door(
        rules=rules,
        upstreams=upstreams_of(rules),
        ledger=Observed(books, [Metrics([MODEL]).observe]),
        prices=prices_of(load_catalogue()),
    )
    listener = listening_socket("127.0.0.1", 0)
    port = listener.getsockname()[1]
    serve(Gateway(door), listener, rules.limits, lambda: print(port, secret, flush=True))
    books.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
