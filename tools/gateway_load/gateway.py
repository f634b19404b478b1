"""Our gateway as it is measured: virtual keys, a budget, two upstreams to choose from, metering and metrics.

python tools/gateway_load/gateway.py UPSTREAM_PORT STORE     prints port and key
"""

import sys
from decimal import Decimal

from breakeven.catalogue.load import load_catalogue
from breakeven.gateway.accounts import Accounts
from breakeven.gateway.allocator import start_again_with_pages
from breakeven.gateway.assembly import with_books
from breakeven.gateway.books import administration
from breakeven.gateway.books.database import connect
from breakeven.gateway.books.schema import set_up
from breakeven.gateway.books.store import Store
from breakeven.gateway.config import GatewayFile, UpstreamEntry
from breakeven.gateway.rules import rules_of
from breakeven.gateway.serve import listening_socket, serve
from breakeven.units import PICO_USD_PER_USD

MODEL = "bench-model"
PLACES = 2_000
BUDGET_USD = 1_000_000


def key_in(place: str) -> str:
    """The secret of a new key with a budget in dollars."""
    database = connect(place, durable=True)
    set_up(database)
    made = administration.make_key(Store(database), name="bench", budget_pico_usd=BUDGET_USD * PICO_USD_PER_USD)
    database.close()
    return made.secret


def main(upstream_port: str, place: str) -> None:
    """Serve until told to stop."""
    url = f"http://127.0.0.1:{upstream_port}/v1"
    own = UpstreamEntry(url=url, concurrency=PLACES, usd_per_hour=Decimal("2.5"))
    paid = UpstreamEntry(url=url, provider="openai", model="gpt-4o-mini")
    file = GatewayFile(upstreams={"own": own, "api": paid}, models={MODEL: ("own", "api")}, books=Accounts(store=place))
    rules, secret = rules_of(file), key_in(place)
    with with_books(file, rules, load_catalogue(), alone=True) as (gateway, _):
        listener = listening_socket("127.0.0.1", 0)
        port = listener.getsockname()[1]
        serve(gateway, listener, rules.limits, lambda: print(port, secret, flush=True))


if __name__ == "__main__":
    start_again_with_pages()
    main(*sys.argv[1:])
