"""Real sockets: an upstream that does what a test tells it, and the gateway before it."""

import threading
from collections.abc import Callable, Iterator

import pytest
from tests.gateway.bookkeeping import books, cluster, place, postgres, tiny_disk
from tests.gateway.running import RunningGateway
from tests.gateway.scripted import SOON_S, ScriptedUpstream

from breakeven.catalogue.load import Catalogue
from breakeven.fields import typed
from breakeven.gateway.app import Gateway
from breakeven.gateway.config import GatewayFile
from breakeven.gateway.connect import upstreams_of
from breakeven.gateway.door import Door
from breakeven.gateway.ledger import Ledger
from breakeven.gateway.open_books import OpenBooks
from breakeven.gateway.pricing import prices_of
from breakeven.gateway.rules import rules_of
from breakeven.gateway.serve import listening_socket, server_of
from breakeven.gateway.tracing import Tracing

__all__ = ["another", "books", "cluster", "gateway", "place", "postgres", "serve", "tiny_disk", "upstream"]


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    found = ScriptedUpstream()
    yield found
    found.close()


@pytest.fixture
def another() -> Iterator[ScriptedUpstream]:
    found = ScriptedUpstream()
    yield found
    found.close()


Serve = Callable[..., RunningGateway]


@pytest.fixture
def serve(shipped: Catalogue) -> Iterator[Serve]:
    """Starts gateways by what a gateway.yaml would say."""
    running: list[RunningGateway] = []

    def start(*, tracing: Tracing | None = None, ledger: Ledger | None = None, **config: object) -> RunningGateway:
        file = typed(config, GatewayFile, lambda _: "")
        rules = rules_of(file)
        books = OpenBooks()
        upstreams, prices = upstreams_of(rules), prices_of(shipped)
        door = Door(rules=rules, upstreams=upstreams, ledger=ledger or books, prices=prices, tracing=tracing)
        listener = listening_socket("127.0.0.1", 0)
        ready = threading.Event()
        server = server_of(Gateway(door), rules.limits, ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        assert ready.wait(SOON_S)
        port = listener.getsockname()[1]
        running.append(RunningGateway(port, door, books, server, thread))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def gateway(serve: Serve, upstream: ScriptedUpstream) -> RunningGateway:
    """One model, ``chat``, on one own machine that calls it ``there``."""
    own = {"url": upstream.url, "model": "there", "concurrency": 4, "usd_per_hour": 3.6}
    return serve(upstreams={"own": own}, models={"chat": ["own"]})
