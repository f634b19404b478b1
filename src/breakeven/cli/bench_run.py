"""The run behind `breakeven bench`: from what was asked to loads, sent one after the other under a progress bar."""

import asyncio
import contextlib
import os
import secrets
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from breakeven.errors import NoDataError, SpecError, UnknownNameError

if TYPE_CHECKING:
    from breakeven.bench.drive import Bench, Driven, Load
    from breakeven.bench.limits import Price, Spending
    from breakeven.bench.rows import System
    from breakeven.bench.summary import Measured
    from breakeven.catalogue.load import Catalogue
    from breakeven.workload.profile import Slo, Workload
    from breakeven.workload.spec import Spec

ON_DEMAND = "on-demand"
KEPT_ALIVE_S = 4.0  # shorter than the 5 s after which uvicorn, and so vLLM, closes an idle connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a run was asked to do, from the command line."""

    url: str
    spec: Path
    model: str | None
    api_key_env: str | None
    concurrency: tuple[int, ...]
    rate: tuple[float, ...]
    from_hour: int | None
    scale: float
    requests: int
    warm_up: int
    seed: int
    timeout_s: float
    max_requests: int | None
    max_usd: Decimal | None
    api: str | None

    @property
    def base_url(self) -> str:
        """The URL without the slash that may end it."""
        return self.url.rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What was said of the system that is measured: by flags, or by an option of a plan with flags over it."""

    plan: Path | None
    option: str | None
    on: str | None
    catalogue_model: str | None
    number_format: str | None
    engine: str | None
    engine_version: str | None
    tensor_parallel: int | None
    replicas: int
    machine: str | None
    usd_per_hour: Decimal | None

    def system(self) -> "System":
        """As rows of the table name it.

        Raises:
            SpecError: something is missing.
        """
        from breakeven.bench.rows import described  # noqa: PLC0415

        planned = self._planned()
        told = planned.option if planned else None
        given = {
            "--on": self.on or (told.accelerator if told else None),
            "--catalogue-model": self.catalogue_model or (told.model if told else None),
            "--format": self.number_format or (told.number_format if told else None),
            "--engine": self.engine or (told.engine if told else None),
            "--engine-version": self.engine_version,
        }
        degree = self.tensor_parallel or (told.tensor_parallel if told else None) or 1
        return described(given, degree, self.replicas)

    def price(self, catalogue: "Catalogue", region: str) -> tuple[Decimal, str] | None:
        """USD an hour of the machines that are measured, and where that is from; ``None`` if nothing was said."""
        if self.usd_per_hour is not None:
            return self.usd_per_hour, f"machines at ${self.usd_per_hour} an hour, as given"
        if self.machine is not None:
            return _catalogue_price(self.machine, catalogue, region)
        planned = self._planned()
        line = next((row for row in planned.bill.lines if row.unit == "machine-hour"), None) if planned else None
        if planned is None or line is None or line.usd_per_unit is None:
            return None
        per_machine = planned.option.replicas_per_machine or 1
        machines = -(-self.replicas // per_machine)
        told = f"{machines} x {planned.option.machine} at ${line.usd_per_unit} an hour, as {planned.option.id} plans it"
        return line.usd_per_unit * machines, told

    def _planned(self) -> Any:  # noqa: ANN401 - a deploy.plan.Verdict
        if self.plan is None:
            return None
        from breakeven.deploy.plan import read_plans  # noqa: PLC0415

        verdicts = [verdict for plan in read_plans(self.plan) for verdict in plan.verdicts]
        hosted = [verdict for verdict in verdicts if verdict.option.kind == "hosted"]
        if self.option is None and hosted:
            return hosted[0]
        found = [verdict for verdict in hosted if self.option in (verdict.option.id, verdict.option.id[5:])]
        if not found:
            known = [verdict.option.id for verdict in hosted]
            raise UnknownNameError("self-hosted option of the plan", str(self.option), known)
        return found[0]


def run_all(asked: Asked, told: Described) -> "tuple[tuple[Measured, ...], Slo]":
    """Every load measured, with its price where one was given, and the target that it is held to.

    Raises:
        BreakevenError: the workload, the limits or the server do not allow a run.
    """
    from breakeven.bench.drive import PROBE_SIZES  # noqa: PLC0415
    from breakeven.bench.limits import Spending, checked  # noqa: PLC0415
    from breakeven.catalogue.load import load_catalogue  # noqa: PLC0415
    from breakeven.workload.spec import read_specs  # noqa: PLC0415

    catalogue, specs = load_catalogue(), read_specs(asked.spec)
    if len(specs) != 1:
        raise SpecError(f"{asked.spec} holds {len(specs)} workloads", expected="one", do="Name a file with one of them")
    spec = specs[0]
    workload = spec.workload({name: row.weights for name, row in catalogue.profiles.items()})
    loads = tuple(loads_of(workload, asked))
    rented = told.price(catalogue, spec.region)
    tokens = api_price(asked.api, catalogue, spec) if asked.api else None
    spending = Spending(max_requests=asked.max_requests, max_usd=asked.max_usd, price=tokens)
    planned = [one for load in loads for one in (*load.warm_up, *load.requests)]
    checked(asked.base_url, [*PROBE_SIZES, *planned], spending)
    driven = _driven(asked, loads, spending)
    found = [_measured(load, one, workload.slo) for load, one in zip(loads, driven, strict=False)]
    return tuple(_priced(one, rented, tokens, asked.api) for one in found), workload.slo


def loads_of(workload: "Workload", asked: Asked) -> "Iterator[Load]":
    """The loads that were asked for: closed, open at a rate, or open as the spec's own traffic comes.

    Raises:
        SpecError: the workload writes no tokens, or a figure is out of range.
    """
    from breakeven.bench.drive import Load  # noqa: PLC0415
    from breakeven.bench.schedule import arrivals_s, busiest_hour, hourly_rates, sizes  # noqa: PLC0415

    if workload.task != "generate":
        raise SpecError(
            f"{workload.name} is a workload of task {workload.task}",
            expected="text generation: bench measures the tokens of chats",
            do="Measure a server of embeddings with its own tool",
        )
    if any(value < 1 for value in asked.concurrency) or any(not 0 < rate < float("inf") for rate in asked.rate):
        raise SpecError("a --concurrency or --rate is 0 or less", expected="more than 0", do="Correct it")
    drawn = sizes(workload.mix, asked.requests + asked.warm_up, asked.seed)
    warm, measured = drawn[: asked.warm_up], drawn[asked.warm_up :]
    for width in asked.concurrency:
        yield Load(requests=measured, concurrency=width, warm_up=warm)
    paces: list[tuple[float, ...]] = [(rate,) for rate in asked.rate]
    if not paces and not asked.concurrency:
        hour = busiest_hour(workload) if asked.from_hour is None else asked.from_hour
        paces = [hourly_rates(workload, hour, asked.scale)]
    for pace in paces:
        at_s = arrivals_s(pace, len(measured), workload.bursts, asked.seed)
        yield Load(requests=measured, at_s=at_s.tolist(), warm_up=warm)


def api_price(name: str, catalogue: "Catalogue", spec: "Spec") -> "Price":
    """What an API charges at most for the spec's prompts, in its standard tier, today or on the spec's day.

    Raises:
        UnknownNameError: the catalogue has no such API on that day.
    """
    from breakeven.bench.limits import Price  # noqa: PLC0415

    snapshot = catalogue.on(spec.as_of or max(date.today(), catalogue.last_day), spec.region)
    tariffs = {f"{one.offer.provider}/{one.offer.model}": one for one in snapshot.tariffs if one.tier == "standard"}
    if name not in tariffs:
        raise UnknownNameError("API", name, tariffs, search="breakeven catalogue list api")
    held = tariffs[name].prices
    dearest = {
        kind: max((row.usd_per_mtok for (of, _, _), row in held.items() if of in kinds), default=None)
        for kind, kinds in (("input", ("input", "cache_write")), ("output", ("output",)))
    }
    if dearest["input"] is None or dearest["output"] is None:
        raise NoDataError(
            f"the catalogue does not know what {name} charges for input and output",
            expected="both prices",
            do="Limit the run with --max-requests",
        )
    return Price(input_usd_per_mtok=dearest["input"], output_usd_per_mtok=dearest["output"])


def _catalogue_price(machine: str, catalogue: "Catalogue", region: str) -> tuple[Decimal, str]:
    held = catalogue.on(max(date.today(), catalogue.last_day), region).machine_prices
    row = held.get((machine, ON_DEMAND))
    if row is None:
        known = [name for name, term in held if term == ON_DEMAND]
        raise UnknownNameError(
            "machine with a price on demand", machine, known, search="breakeven catalogue list machines"
        )
    return row.usd_per_hour, f"{machine} on demand at ${row.usd_per_hour} an hour ({row.source}, {row.effective_from})"


def _driven(asked: Asked, loads: "tuple[Load, ...]", spending: "Spending") -> "list[Driven]":
    key = os.environ.get(asked.api_key_env, "") if asked.api_key_env else None
    if key == "":
        raise SpecError(
            f"the environment variable {asked.api_key_env} is empty", expected="the server's key", do="Set it"
        )
    with _progress(sum(len(load.requests) + len(load.warm_up) for load in loads)) as seen:
        return asyncio.run(_all_loads(asked, loads, spending, (key, seen)))


async def _all_loads(asked: Asked, loads: "tuple[Load, ...]", spending: "Spending", more: Any) -> "list[Driven]":  # noqa: ANN401
    import aiohttp  # noqa: PLC0415

    from breakeven.bench.client import Server, served_model  # noqa: PLC0415
    from breakeven.bench.drive import Bench  # noqa: PLC0415
    from breakeven.bench.limits import is_own  # noqa: PLC0415
    from breakeven.bench.prompts import Prompts  # noqa: PLC0415

    key, seen = more
    fresh = asked.base_url.startswith(
        "http://"
    )  # costs nothing at home, and no request meets a connection that is closing
    connector = (
        aiohttp.TCPConnector(limit=0, force_close=True)
        if fresh
        else aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_ALIVE_S)
    )
    patience = aiohttp.ClientTimeout(total=None, sock_connect=min(asked.timeout_s, 30.0))
    async with aiohttp.ClientSession(
        connector=connector, timeout=patience, trust_env=not is_own(asked.base_url)
    ) as session:
        server = Server(url=asked.base_url, model=asked.model or "", api_key=key, timeout_s=asked.timeout_s)
        if asked.model is None:
            server = replace(server, model=await served_model(session, asked.base_url, server.headers))
        bench = Bench(
            session=session, server=server, prompts=Prompts(salt=secrets.randbits(64)), spending=spending, seen=seen
        )
        await bench.prepare()
        return await _in_turn(bench, loads)


async def _in_turn(bench: "Bench", loads: "tuple[Load, ...]") -> "list[Driven]":
    """One load after the other; Ctrl-C ends the run and keeps what was measured, a second one ends the command."""
    driven: list[Driven] = []
    with _stopped_by_ctrl_c(bench.stop):
        for load in loads:
            driven.append(await bench.run(load))
            if bench.stop.is_set():
                break
    return driven


@contextlib.contextmanager
def _stopped_by_ctrl_c(stop: asyncio.Event) -> Iterator[None]:
    """The first Ctrl-C sets ``stop``, the next one does what it did before; the main thread alone hears of it.

    ``signal.signal`` and not the loop's own handlers, which Windows does not have.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGINT)

    def once(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        loop.call_soon_threadsafe(stop.set)

    signal.signal(signal.SIGINT, once)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Any]:
    """A bar on the terminal's error output; nothing where that is no terminal."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task, failed = bar.add_task("requests", total=total), 0

        def seen(outcome: Any) -> None:  # noqa: ANN401 - an Outcome
            nonlocal failed
            failed += not outcome.good
            bar.update(task, advance=1, description=f"requests, {failed} failed" if failed else "requests")

        yield seen


def _measured(load: "Load", driven: "Driven", slo: "Slo") -> "Measured":
    import numpy as np  # noqa: PLC0415

    from breakeven.bench.schedule import mean_rate_per_s  # noqa: PLC0415
    from breakeven.bench.summary import summarised  # noqa: PLC0415

    rate = None if load.at_s is None else mean_rate_per_s(np.array(load.at_s))
    mode = "closed" if load.at_s is None else "open"
    return summarised(driven.outcomes, slo, asked=driven.asked, load=(mode, load.concurrency, rate), ended=driven.ended)


def _priced(one: "Measured", rented: tuple[Decimal, str] | None, tokens: "Price | None", api: str | None) -> "Measured":
    from breakeven.bench.summary import priced_by_machine, priced_by_token  # noqa: PLC0415

    if rented is not None:
        return priced_by_machine(one, *rented)
    if tokens is not None:
        return priced_by_token(one, tokens, f"{api} at its dearest prices, no cache discount")
    return one
