"""Requests sent as planned, open (whenever they are due) or closed (so many in flight), until done or stopped."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace

import aiohttp

from breakeven.bench.client import CUT_OFF, PROBE, Server, ask, met
from breakeven.bench.limits import Spending
from breakeven.bench.outcome import Outcome
from breakeven.bench.prompts import ONE_A_WORD, Meter, Prompts, fitted
from breakeven.bench.schedule import Sized

PROBE_WORDS = (32, 160)
PROBE_SIZES = tuple(
    Sized(input_tokens=2 * words, output_tokens=PROBE.output_tokens)
    for words in (*(PROBE_WORDS[0],) * 3, PROBE_WORDS[1])
)
"""Requests that are sent before any other, at most: to learn what the server takes, and how it counts tokens."""
PROBES = len(PROBE_SIZES)
STOPPED = "it was stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is sent. ``at_s``: when each is due, open; ``concurrency``: so many in flight, closed."""

    requests: Sequence[Sized]
    at_s: Sequence[float] | None = None
    concurrency: int | None = None
    warm_up: Sequence[Sized] = ()
    """Sent before, as many at once as there may be, and not measured."""


@dataclass(slots=True, kw_only=True)
class Driven:
    """What came of it. ``asked``: how many should have been sent; ``ended``: why fewer were."""

    asked: int
    outcomes: list[Outcome] = field(default_factory=list)
    warmed: list[Outcome] = field(default_factory=list)
    ended: str | None = None


@dataclass(slots=True, kw_only=True)
class Bench:
    """A server under load: who is asked, with which prompts, within which limits, and who looks on."""

    session: aiohttp.ClientSession
    server: Server
    prompts: Prompts
    spending: Spending
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    seen: Callable[[Outcome], None] = lambda _: None
    _number: int = 0

    async def prepare(self) -> Meter:
        """Learn which form of request the server takes and how it counts; the prompts are then of the right length."""
        self.spending.count(PROBES)
        few, many = PROBE_WORDS
        self.server, short = await met(self.session, self.server, self._fresh(few))
        long = await ask(self.session, self.server, self._fresh(many), PROBE)
        self.spending.settle(short)
        self.spending.settle(long)
        meter = ONE_A_WORD
        if short.input_tokens is not None and long.input_tokens is not None:
            meter = fitted((few, short.input_tokens), (many, long.input_tokens))
        elif short.input_tokens is not None:
            meter = Meter(overhead=max(0.0, short.input_tokens - few), per_word=1.0)
        self.prompts = replace(self.prompts, meter=meter)
        return meter

    async def run(self, load: Load) -> Driven:
        """Send a load and wait for its end. A stop cuts off what is in flight and keeps what was measured."""
        driven = Driven(asked=len(load.requests))
        width = load.concurrency or max(1, len(load.warm_up))
        await self._until_stopped(self._closed(load.warm_up, width, driven.warmed), driven)
        if self.stop.is_set() or driven.ended:
            return driven
        if load.at_s is None:
            await self._until_stopped(self._closed(load.requests, width, driven.outcomes), driven)
        else:
            await self._until_stopped(self._open(load, driven.outcomes), driven)
        return driven

    async def _until_stopped(self, work: Coroutine[None, None, str | None], driven: Driven) -> None:
        """Work, cut off as soon as the run is stopped; what it refused to send is told."""
        task, waiting = asyncio.ensure_future(work), asyncio.ensure_future(self.stop.wait())
        try:
            await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            task.cancel()  # of no effect on work that is done
            await asyncio.wait((task, waiting))
        driven.ended = STOPPED if task.cancelled() else task.result() or driven.ended

    async def _closed(self, requests: Sequence[Sized], width: int, into: list[Outcome]) -> str | None:
        """``width`` callers, each of which sends its next request when its last is answered."""
        waiting = iter(requests)
        refused: list[str] = []

        async def caller() -> None:
            for sized in waiting:
                if why := self.spending.refuses(sized):
                    refused.append(why)
                    return
                await self._one(sized, None, into)

        await _all([asyncio.ensure_future(caller()) for _ in range(min(width, len(requests)))])
        return refused[0] if refused else None

    async def _open(self, load: Load, into: list[Outcome]) -> str | None:
        """Each request when it is due, however many are in flight."""
        clock = asyncio.get_running_loop().time
        start_s, flying, refused = clock(), [], None
        try:
            for sized, at_s in zip(load.requests, load.at_s or (), strict=True):
                await asyncio.sleep(max(0.0, start_s + at_s - clock()))
                if refused := self.spending.refuses(sized):
                    break
                flying.append(asyncio.ensure_future(self._one(sized, start_s + at_s, into)))
            await _all(flying)
        except asyncio.CancelledError:
            await _cut_off(flying)
            raise
        return refused

    async def _one(self, sized: Sized, planned_s: float | None, into: list[Outcome]) -> None:
        self._number += 1
        outcome = await ask(self.session, self.server, self.prompts.of(sized, self._number), sized, planned_s)
        self.spending.settle(outcome, sized)
        into.append(outcome)
        self.seen(outcome)
        if outcome.error == CUT_OFF:
            raise asyncio.CancelledError

    def _fresh(self, words: int) -> str:
        self._number += 1
        return self.prompts.words(words, self._number)


async def _all(tasks: Sequence[asyncio.Future[None]]) -> None:
    """Wait for all; being cancelled cancels them, and waits for what they still have to write down."""
    try:
        await asyncio.gather(*tasks)
    except asyncio.CancelledError:
        await _cut_off(tasks)
        raise


async def _cut_off(tasks: Sequence[asyncio.Future[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
