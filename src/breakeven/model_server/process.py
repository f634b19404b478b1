"""The model server seen from outside: started, waited for, watched, ended."""

import contextlib
import importlib.util
import select
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from types import TracebackType
from typing import IO, Self

import msgspec

from breakeven.errors import BreakevenError, SpecError
from breakeven.model_server.serve import Ready, Served

LOADING_S = 300.0
ENDING_S = 5.0
LOOK_EVERY_S = 0.1
LOG_LINES_TOLD = 5


class ModelServer:
    """A running model. Use it in a ``with`` block; ``base_url`` is what OpenAI clients take."""

    def __init__(self, what: Served, *, loading_s: float = LOADING_S) -> None:
        """Start it and wait until it answers.

        Raises:
            SpecError: if the extra that brings llama.cpp is not installed.
            BreakevenError: if it did not come up.
        """
        if importlib.util.find_spec("xllamacpp") is None:
            raise SpecError(
                "xllamacpp is not installed, and a model is served by the llama.cpp in it",
                expected="the extra `local`",
                do="pip install 'breakeven[local]'",
            )
        self.what = what
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "breakeven.model_server.serve", msgspec.json.encode(what).decode()],
            stdin=subprocess.PIPE,  # held open and never written to: its end tells the server that we are gone
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        try:
            self._url = self._ready(time.monotonic() + loading_s).url
        except BaseException:
            self.stop()
            raise

    @property
    def base_url(self) -> str:
        """The address for OpenAI clients, such as ``http://127.0.0.1:40123/v1``."""
        return f"{self._url}/v1"

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def ended(self) -> str | None:
        """Why it is gone; ``None`` while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        how = f"was ended by signal {-status}" if status < 0 else f"ended with {status}"
        return f"the model server {how}"

    def healthy(self, wait_s: float = 1.0) -> bool:
        """Whether it says of itself that it can answer."""
        try:
            with urllib.request.urlopen(f"{self._url}/health", timeout=wait_s) as said:
                return bool(said.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        """End it. May be called more than once."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(ENDING_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _ready(self, until_s: float) -> Ready:
        """The line that it writes when the model is loaded."""
        out = self._process.stdout
        assert out is not None
        while not select.select([out], [], [], LOOK_EVERY_S)[0]:
            if time.monotonic() > until_s:
                raise self._not_up("it is still loading")
        line = out.readline()
        try:
            return msgspec.json.decode(line, type=Ready)
        except msgspec.DecodeError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(ENDING_S)
            raise self._not_up(self.ended() or "it said something else") from None

    def _not_up(self, because: str) -> BreakevenError:
        self._log.seek(0)
        last = self._log.read().decode(errors="replace").strip().splitlines()[-LOG_LINES_TOLD:]
        said = f"; it said: {' | '.join(last)}" if last else ""
        return BreakevenError(
            f"the model {self.what.path} is not served: {because}{said}",
            expected="a model server that answers",
            do="Is the file whole, is the memory enough?",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()
