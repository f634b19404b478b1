"""One process of the stack, seen from outside: started, waited for, heard, ended."""

import contextlib
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import IO

import msgspec

from breakeven.errors import BreakevenError
from breakeven.standins.child import Told

STARTING_S, ENDING_S = 60.0, 5.0
LOOK_EVERY_S = 0.1
LINES_TOLD = 5


class Part:
    """A stand-in that runs. ``urls``: where it answers."""

    def __init__(self, name: str, module: str, what: msgspec.Struct, heard: Callable[[str, str], None]) -> None:
        """Start it and wait until it answers.

        Raises:
            BreakevenError: if it did not come up.
        """
        self.name = name
        self._heard = heard
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, msgspec.json.encode(what).decode()],
            stdin=subprocess.PIPE,  # its end tells the process that we are gone
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        try:
            self.urls = self._ready(time.monotonic() + STARTING_S)
        except BaseException:
            self.stop()
            raise
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def ended(self) -> str | None:
        """Why it is gone; ``None`` while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        return f"was ended by signal {-status}" if status < 0 else f"ended with {status}"

    def stop(self) -> None:
        """End it. May be called more than once."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(ENDING_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if hasattr(self, "_listener"):
            self._listener.join(ENDING_S)
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _ready(self, until_s: float) -> dict[str, str]:
        out = self._process.stdout
        assert out is not None
        while not select.select([out], [], [], LOOK_EVERY_S)[0]:
            if time.monotonic() > until_s:
                raise self._not_up("it does not answer")
        try:
            return msgspec.json.decode(out.readline(), type=Told).urls
        except msgspec.DecodeError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(ENDING_S)
            raise self._not_up(self.ended() or "it said something else") from None

    def _not_up(self, because: str) -> BreakevenError:
        self._log.seek(0)
        last = self._log.read().decode(errors="replace").strip().splitlines()[-LINES_TOLD:]
        said = f"; it said: {' | '.join(last)}" if last else ""
        return BreakevenError(
            f"the {self.name} did not start: {because}{said}", expected="a process that answers", do="Try again"
        )

    def _listen(self) -> None:
        out = self._process.stdout
        assert out is not None
        for line in out:
            with contextlib.suppress(msgspec.DecodeError):
                self._heard(self.name, msgspec.json.decode(line, type=Told).note)
