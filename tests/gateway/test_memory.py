"""Memory after a burst: given back once, when the burst has been over for a while, and not before."""

import asyncio
import ctypes
import os
import subprocess
import sys

import pytest

from breakeven.gateway.allocator import start_again_with_pages
from breakeven.gateway.config import Routing
from breakeven.gateway.live import Live
from breakeven.gateway.memory import BURST, CALM_LOOKS, PASSES, Burst, giving_back

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
        ([BURST, *[0] * 100], PASSES),
        ([10 * BURST, *[BURST] * CALM_LOOKS], 1),
        ([BURST, *[0] * CALM_LOOKS, BURST, *[0] * CALM_LOOKS], 2),
        ([BURST, 0, 0, BURST, 0, 0, BURST, 0, 0], 0),
    ],
    ids=["idle", "few", "still running", "too soon", "over", "over for long", "nearly over", "twice", "up and down"],
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


GLIBC = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim")
SCATTERED = """
import os
from breakeven.gateway.allocator import start_again_with_pages
from breakeven.gateway.memory import trimmer
start_again_with_pages()
def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
give_back = trimmer()
give_back()
before = resident_mb()
burst = [object() for _ in range(3_000_000)]
alive = burst[::60_000]  # fifty that live on, one in every arena
burst.clear()
del burst
give_back()
print(os.getpid(), os.environ["PYTHONMALLOC"], resident_mb() - before)
"""


@pytest.mark.skipif(not GLIBC, reason="only glibc gives single pages back")
def test_a_few_small_objects_that_live_on_keep_pages_and_not_arenas_and_the_process_is_the_one_that_was_started():
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONMALLOC"}
    with subprocess.Popen(
        [sys.executable, "-c", SCATTERED], stdout=subprocess.PIPE, text=True, env=environment
    ) as started:
        pid, setting, kept_mb = started.communicate(timeout=60)[0].split()
    assert int(pid) == started.pid
    assert setting == "malloc"
    assert float(kept_mb) < 5


def test_an_allocator_that_was_chosen_stays(monkeypatch):
    monkeypatch.setenv("PYTHONMALLOC", "pymalloc")
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("it started again"))
    start_again_with_pages()


@pytest.mark.skipif(not GLIBC, reason="only glibc can give it back")
def test_what_lies_below_a_block_that_lives_on_goes_back_to_the_system():
    told = subprocess.run([sys.executable, "-c", TRIMS], capture_output=True, text=True, check=True, timeout=60)
    assert float(told.stdout) > 30
