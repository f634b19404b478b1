"""One process of the stack, seen from outside: started, waited for, heard, ended."""

import contextlib
import threading
from collections.abc import Callable

import msgspec

from breakeven.errors import BreakevenError
from breakeven.model_server.child import ENDING_S, Child
from breakeven.standins.child import Told

STARTING_S = 60.0


class Part:
    """A stand-in that runs. ``urls``: where it answers."""

    def __init__(self, name: str, module: str, what: msgspec.Struct, heard: Callable[[str, str], None]) -> None:
        """Start it and wait until it answers.

        Raises:
            BreakevenError: if it did not come up.
        """
        self.name = name
        self._heard = heard
        self._child = Child(module, what)
        try:
            self.urls = self._ready()
        except BaseException:
            self.stop()
            raise
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """The process."""
        return self._child.pid

    def ended(self) -> str | None:
        """Why it is gone; ``None`` while it runs."""
        return self._child.ended()

    def stop(self) -> None:
        """End it. May be called more than once."""
        self._child.end()
        if hasattr(self, "_listener"):
            self._listener.join(ENDING_S)
        self._child.close()

    def _ready(self) -> dict[str, str]:
        line = self._child.line(STARTING_S)
        if line is None:
            raise self._not_up("it does not answer")
        try:
            return msgspec.json.decode(line, type=Told).urls
        except msgspec.DecodeError:
            raise self._not_up(self._child.last_words("it said something else")) from None

    def _not_up(self, because: str) -> BreakevenError:
        return BreakevenError(
            f"the {self.name} did not start: {because}{self._child.logged()}",
            expected="a process that answers",
            do="Try again",
        )

    def _listen(self) -> None:
        for line in self._child.out:
            with contextlib.suppress(msgspec.DecodeError):
                self._heard(self.name, msgspec.json.decode(line, type=Told).note)
