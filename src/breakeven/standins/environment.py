"""One execution environment of a function: its process, its Runtime API, one request at a time."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from breakeven.standins.runtime_api import Done, Invocation, RuntimeApi
from breakeven.units import MILLISECONDS_PER_SECOND

REGION = "eu-central-1"
ACCOUNT = "000000000000"
EXECUTION = "AWS_Lambda_python3.13"
PASSED_ON = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LANG")
"""Variables of this machine that a function gets to see; the rest stays outside, as on AWS."""
TIMED_OUT = "Sandbox.Timedout"
LOOK_EVERY_S = 0.02
SANDBOX = Path(__file__).with_name("sandbox.py")
"""Run by its path and without the function's variables, which may name another place for modules."""


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A function: what is run, with which variables, for how long.

    Attributes:
        name: Its name.
        command: What becomes of the process; ``()``: see ``handler``.
        handler: ``module.function`` for AWS's own loop.
        variables: Its environment variables.
        timeout_s: How long a request may take.
        memory_mb: What it is said to have; nothing keeps it to that here.
        environments: How many requests at a time: each has a process of its own.
    """

    name: str
    command: tuple[str, ...] = ()
    handler: str = ""
    variables: dict[str, str] = {}
    timeout_s: float = 900.0
    memory_mb: int = 128
    environments: int = 4

    @property
    def arn(self) -> str:
        """Its name as AWS writes it."""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}"

    @property
    def started_by(self) -> tuple[str, ...]:
        """The command; without one AWS's own runtime client with the handler."""
        return self.command or (sys.executable, "-m", "awslambdaric", self.handler)


class Environment:
    """A process of a function."""

    def __init__(self, function: Function, said: Callable[[str], None]) -> None:
        self.function = function
        self._said = said
        self._api = RuntimeApi()
        self._process: asyncio.subprocess.Process | None = None
        self._relay: asyncio.Task[None] | None = None
        self.init_s = 0.0

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.returncode is None

    async def begin(self, within_s: float) -> Done | None:
        """Start it; what went wrong, if it did not come up."""
        began = time.monotonic()
        variables = self._variables(await self._api.begin())
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", str(SANDBOX), *self.function.started_by,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=variables, cwd=variables["LAMBDA_TASK_ROOT"],
        )  # fmt: skip
        self._relay = asyncio.create_task(self._relayed())
        while not self._api.ready.is_set() and self.alive and time.monotonic() - began < within_s:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._api.ready.wait(), LOOK_EVERY_S)
        self.init_s = time.monotonic() - began
        if self._api.init_error is not None:
            return self._api.init_error
        if not self._api.ready.is_set():
            return self._exited() if not self.alive else _fault(TIMED_OUT, f"no start within {within_s:g} s")
        return None

    async def invoke(self, request_id: str, event: bytes, within_s: float | None = None) -> AsyncIterator[bytes | Done]:
        """The answer in pieces, and how it ended. Afterwards the process may have gone.

        ``within_s``: what is left of the function's time; ``None``: all of it.
        """
        left_s = self.function.timeout_s if within_s is None else within_s
        until = time.monotonic() + left_s
        deadline_ms = round((time.time() + left_s) * MILLISECONDS_PER_SECOND)
        asked = Invocation(id=request_id, event=event, deadline_ms=deadline_ms, arn=self.function.arn)
        self._api.hand_over(asked)
        while True:
            if asked.pieces.empty() and not self.alive:
                yield self._exited(request_id)
                return
            if time.monotonic() > until:
                await self.end()
                told = f"RequestId: {request_id} Error: Task timed out after {self.function.timeout_s:.2f} seconds"
                yield _fault(TIMED_OUT, told)
                return
            try:
                piece = await asyncio.wait_for(asked.pieces.get(), LOOK_EVERY_S)
            except TimeoutError:
                continue
            yield piece
            if isinstance(piece, Done):
                return

    async def rest(self) -> None:
        """Wait until it asks for the next request: from then on AWS may freeze it."""
        await self._api.ready.wait()

    async def end(self) -> None:
        """End the process and wait for it."""
        if self._process is not None and self.alive:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._relay is not None:
            await self._relay
        await self._api.end()

    def _exited(self, request_id: str = "") -> Done:
        status = self._process.returncode if self._process else None
        how = f"signal: {-status}" if status is not None and status < 0 else f"exit status {status}"
        return _fault("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with error: {how}")

    async def _relayed(self) -> None:
        """What the function writes, line by line."""
        assert self._process is not None
        assert self._process.stdout is not None
        rest = b""
        while piece := await self._process.stdout.read(65_536):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                self._said(line.decode(errors="replace"))
        if rest:
            self._said(rest.decode(errors="replace"))

    def _variables(self, address: str) -> dict[str, str]:
        function = self.function
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return {
            **kept,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_SESSION_TOKEN": "local",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_EXECUTION_ENV": EXECUTION,
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "LAMBDA_TASK_ROOT": str(function.variables.get("LAMBDA_TASK_ROOT", Path.cwd())),
            "_HANDLER": function.handler,
            **function.variables,
            "AWS_LAMBDA_RUNTIME_API": address,
        }


def _fault(kind: str, told: str) -> Done:
    return Done(kind=kind, error=msgspec.json.encode({"errorType": kind, "errorMessage": told}))
