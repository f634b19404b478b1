"""Serving the pages until somebody stops it; where the page starts is planned beforehand."""

import contextlib
import logging
import socket
import threading
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from breakeven.errors import BreakevenError
from breakeven.ui.drawings import Drawings
from breakeven.ui.scenario import Scenario
from breakeven.ui.site import Site
from breakeven.ui.texts import texts

LONGEST_HEADERS_BYTES = 131_072
"""A scenario with a measured profile is a long address."""
GRACE_S, ENDING_S = 3, 20


def serve(app: ASGIApp, site: Site, listening: socket.socket) -> None:
    """Answer requests on a socket until a signal says stop."""
    with warmed(site), contextlib.suppress(KeyboardInterrupt):
        _server(app).run(sockets=[listening])


@contextlib.contextmanager
def warmed(site: Site) -> Iterator[None]:
    """Plans and draws where the page starts while other work goes on.

    It has ended when that work has: a thread that is in the middle of NumPy or V8 when the interpreter ends can take
    the whole process down with it.
    """
    thread = threading.Thread(target=warm, args=(site,))
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextlib.contextmanager
def served_beside(app: ASGIApp) -> Iterator[str]:
    """The address of pages that are served on this machine, on a port of the system's choice, while other work goes on.

    Raises:
        RuntimeError: if they cannot be ended.
    """
    listening, server = socket.create_server(("127.0.0.1", 0)), _server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(ENDING_S)
    if thread.is_alive():
        raise RuntimeError("the pages are still being served")


def _server(app: ASGIApp) -> uvicorn.Server:
    return uvicorn.Server(
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


def warm(site: Site) -> None:
    """Plan and draw where the page starts."""
    drawings: Drawings = site.drawings
    with contextlib.suppress(BreakevenError):
        found = site.planner.answer(Scenario())
        for lines in found.section.costs[:1]:
            drawings.costs(lines, "wide", texts("en"), found.plan.as_of)
