"""The gateway's application on an event loop that only runs while a request does: between two, Lambda freezes it."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from breakeven.catalogue.load import Catalogue, load_catalogue
from breakeven.function.settings import file_of, keeps_books
from breakeven.gateway.app import Gateway
from breakeven.gateway.assembly import Parts, assembled, nobodys_token, with_books
from breakeven.gateway.config import GatewayFile
from breakeven.gateway.logbook import LOGGER, JsonLines, Logbook
from breakeven.gateway.open_books import OpenBooks
from breakeven.gateway.rules import Rules, rules_of

KEPT = 1
"""Records kept in memory: none is asked for there; the log line is the record."""


class Application:
    """One gateway, one loop, one request at a time."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Put it together.

        Raises:
            SpecError: if the variables, the gateway.yaml or the store are not right.
        """
        _log_json_lines()
        file = file_of(environ)
        rules = rules_of(file)
        catalogue = load_catalogue()
        self._held = ExitStack()
        self._flush: Callable[[], None] = _nothing
        self.gateway = self._with_store(file, rules, catalogue, environ)
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)  # mangum asks for the current one

    def _with_store(self, file: GatewayFile, rules: Rules, catalogue: Catalogue, environ: Mapping[str, str]) -> Gateway:
        if not keeps_books(file, environ):
            parts = Parts(
                catalogue=catalogue,
                ledger=OpenBooks(KEPT),
                log=Logbook(),
                observers=(Logbook(requests=True).settled,),
                guard=nobodys_token(),  # the counters of one copy of a function mean nothing to anybody
            )
            return assembled(rules, parts)
        file = _logging_requests(file)
        gateway, books = self._held.enter_context(with_books(file, rules, catalogue, alone=False))
        self._flush = books.flush
        return gateway

    def run(self, served: Any) -> Any:  # noqa: ANN401 - whatever the coroutine returns
        """Serve one request to its end, its record written: afterwards the process may be frozen or gone."""
        try:
            return self.loop.run_until_complete(served)
        finally:
            self.settle()

    def settle(self) -> None:
        """Write what is kept of requests that have ended."""
        self._flush()

    def close(self) -> None:
        """Close the store; upstreams' connections end with the process."""
        self._held.close()
        self.loop.close()


def _logging_requests(file: GatewayFile) -> GatewayFile:
    import msgspec  # noqa: PLC0415 - the rare path

    return msgspec.structs.replace(file, log_requests=True)


def _nothing() -> None:
    """There is no store to write to."""


def _log_json_lines() -> None:
    """One JSON object a line on standard error, which Lambda puts into the function's log group as it is."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    for name in (LOGGER.name, "aiohttp", "asyncio", "mangum"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO if name == LOGGER.name else logging.WARNING)
