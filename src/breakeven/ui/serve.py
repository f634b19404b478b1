"""Serving the pages until somebody stops it; where the page starts is planned beforehand."""

import contextlib
import logging
import socket
import threading

import uvicorn
from starlette.types import ASGIApp

from breakeven.errors import BreakevenError
from breakeven.ui.drawings import Drawings
from breakeven.ui.scenario import Scenario
from breakeven.ui.site import Site
from breakeven.ui.texts import texts

LONGEST_HEADERS_BYTES = 131_072
"""A scenario with a measured profile is a long address."""
GRACE_S = 3


def serve(app: ASGIApp, site: Site, listening: socket.socket) -> None:
    """Answer requests on a socket until a signal says stop."""
    threading.Thread(target=warm, args=(site,), daemon=True).start()
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_level=logging.WARNING,
            access_log=False,
            server_header=False,
            h11_max_incomplete_event_size=LONGEST_HEADERS_BYTES,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])


def warm(site: Site) -> None:
    """Plan and draw where the page starts."""
    drawings: Drawings = site.drawings
    with contextlib.suppress(BreakevenError):
        found = site.planner.answer(Scenario())
        for lines in found.section.costs[:1]:
            drawings.costs(lines, "wide", texts("en"))
