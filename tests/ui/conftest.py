"""A site over the shipped catalogue on a fixed day, asked without a network."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the pages need the extra `ui`")
from starlette.testclient import TestClient
from tests.ui.metered import NOW, write_store

from breakeven.ui.answers import Planner
from breakeven.ui.app import application
from breakeven.ui.guard import Door
from breakeven.ui.meter import Meter
from breakeven.ui.site import Site

TODAY = date(2026, 11, 24)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def planner(shipped) -> Planner:
    return Planner(shipped, today=lambda: TODAY)


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> str:
    """A store as a gateway's books write it."""
    place = str(tmp_path_factory.mktemp("books") / "gateway.db")
    write_store(place)
    return place


@pytest.fixture(scope="session")
def site(planner, store) -> Site:
    return Site(planner, upload_bytes=200_000, meter=Meter(place=store, now=lambda: NOW))


@pytest.fixture(scope="session")
def client(site) -> Iterator[TestClient]:
    door = Door(host="127.0.0.1")
    with TestClient(application(site, door), base_url="http://127.0.0.1", raise_server_exceptions=True) as found:
        yield found


@pytest.fixture(scope="session")
def client_of(site):
    """A client of the same site behind another door."""
    return lambda door, base="http://127.0.0.1": TestClient(application(site, door), base_url=base)
