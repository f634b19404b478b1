"""Memory after a burst: given back once, when the burst has been over for a while, and not before."""

import asyncio
import ctypes
import subprocess
import sys

import pytest

from breakeven.gateway.config import Routing
from breakeven.gateway.live import Live
from breakeven.gateway.memory import BURST, CALM_LOOKS, Burst, giving_back

FAST_S = 0.001
TRIMS = """
import os
from breakeven.gateway.memory import trimmer
give_back = trimmer()
def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
burst = [bytearray(10_000) for _ in range(5_000)]
last = bytearray(10_000)  # made last, it keeps what lies below it
burst.clear()
before = resident_mb()
give_back()
print(before - resident_mb())
"""


@pytest.mark.parametrize(
    ("in_flight", "times"),
    [
        ([0] * 50, 0),
        ([BURST - 1, *[0] * 50], 0),
        ([BURST] * 50, 0),
        ([BURST, *[0] * (CALM_LOOKS - 1)], 0),
        ([BURST, *[0] * CALM_LOOKS], 1),
        ([BURST, *[0] * 100], 1),
        ([10 * BURST, *[BURST] * CALM_LOOKS], 1),
        ([BURST, *[0] * CALM_LOOKS, BURST, *[0] * CALM_LOOKS], 2),
        ([BURST, 0, 0, BURST, 0, 0, BURST, 0, 0], 0),
    ],
    ids=["idle", "few", "still running", "too soon", "over", "once", "nearly over", "twice", "up and down"],
)
def test_a_burst_is_over_when_most_of_it_has_been_gone_for_a_while(in_flight, times):
    burst = Burst()
    assert sum(burst.is_over(count) for count in in_flight) == times


def test_memory_is_given_back_while_the_gateway_stays_up():
    async def lives() -> None:
        live, given = Live(replicas={}, routing=Routing(), retries=0.0, in_flight=BURST), asyncio.Event()
        async with giving_back(live, given.set, FAST_S):
            await asyncio.sleep(20 * FAST_S)
            assert not given.is_set()
            live.in_flight = 0
            await asyncio.wait_for(given.wait(), 10)

    asyncio.run(lives())


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc can give it back"
)
def test_what_lies_below_a_block_that_lives_on_goes_back_to_the_system():
    told = subprocess.run([sys.executable, "-c", TRIMS], capture_output=True, text=True, check=True, timeout=60)
    assert float(told.stdout) > 30
