"""A process of ours, seen from outside: started with what it needs to know, waited for, ended with its pipes."""

import contextlib
import select
import subprocess
import sys
import tempfile
import time
from typing import IO

import msgspec

ENDING_S = 5.0
LOOK_EVERY_S = 0.1
LINES_TOLD = 5


class Child:
    """A module that runs by itself. Its standard input is held open: its end says that we are gone."""

    def __init__(self, module: str, what: msgspec.Struct) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, msgspec.json.encode(what).decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def out(self) -> IO[bytes]:
        """What it writes to its standard output."""
        assert self._process.stdout is not None
        return self._process.stdout

    def ended(self) -> str | None:
        """How it ended; ``None`` while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        return f"was ended by signal {-status}" if status < 0 else f"ended with {status}"

    def line(self, within_s: float) -> bytes | None:
        """The next line that it writes, empty at its end; ``None`` if none comes in time."""
        until_s = time.monotonic() + within_s
        while not select.select([self.out], [], [], LOOK_EVERY_S)[0]:
            if time.monotonic() > until_s:
                return None
        return self.out.readline()

    def last_words(self, otherwise: str) -> str:
        """How it ended, waited for a little; what else to say where it has not."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDING_S)
        return self.ended() or otherwise

    def logged(self) -> str:
        """The last lines of its log, to stand behind a message; empty if there are none."""
        self._log.seek(0)
        last = self._log.read().decode(errors="replace").strip().splitlines()[-LINES_TOLD:]
        return f"; it said: {' | '.join(last)}" if last else ""

    def end(self) -> None:
        """End the process. May be called more than once."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(ENDING_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def close(self) -> None:
        """Close its pipes, once it has ended."""
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
