"""A run against a server whose figures are known."""

import asyncio
from decimal import Decimal

import aiohttp
import pytest
from tests.bench.known_server import Known

from breakeven.bench.client import Server
from breakeven.bench.drive import Bench, Load
from breakeven.bench.limits import Spending
from breakeven.bench.prompts import Prompts
from breakeven.bench.schedule import Sized

SIZED = Sized(input_tokens=60, output_tokens=6)


async def driven(known, load, spending=None, stop_after=None, timeout_s=20.0):
    """The run, and the bench that ran it."""
    async with known, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as session:
        server = Server(url=known.url, model="known", timeout_s=timeout_s)
        bench = Bench(
            session=session, server=server, prompts=Prompts(salt=7), spending=spending or Spending(max_usd=None)
        )
        if stop_after is not None:
            bench.seen = lambda _: len(known.prompts) >= stop_after and bench.stop.set()
        await bench.prepare()
        return await asyncio.wait_for(bench.run(load), 60), bench


@pytest.fixture
def drive():
    """Drive a known server: ``drive(Known(...), concurrency=2)``."""

    def run(known=None, *, count=6, sized=SIZED, spending=None, stop_after=None, timeout_s=20.0, **load):
        known = known or Known()
        planned = Load(requests=(sized,) * count, **load)
        return *asyncio.run(driven(known, planned, spending, stop_after, timeout_s)), known

    return run


@pytest.fixture
def usd():
    """Dollars."""
    return Decimal
