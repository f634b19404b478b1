"""The model server seen from outside: started, waited for, watched, ended."""

import importlib.util
import urllib.error
import urllib.request
from types import TracebackType
from typing import Self

import msgspec

from breakeven.errors import BreakevenError, SpecError
from breakeven.model_server.child import Child
from breakeven.model_server.serve import Ready, Served

LOADING_S = 300.0


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
        self._child = Child("breakeven.model_server.serve", what)
        try:
            self._url = self._ready(loading_s).url
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
        return self._child.pid

    def ended(self) -> str | None:
        """Why it is gone; ``None`` while it runs."""
        how = self._child.ended()
        return None if how is None else f"the model server {how}"

    def healthy(self, wait_s: float = 1.0) -> bool:
        """Whether it says of itself that it can answer."""
        try:
            with urllib.request.urlopen(f"{self._url}/health", timeout=wait_s) as said:
                return bool(said.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        """End it. May be called more than once."""
        self._child.end()
        self._child.close()

    def _ready(self, within_s: float) -> Ready:
        """The line that it writes when the model is loaded."""
        line = self._child.line(within_s)
        if line is None:
            raise self._not_up("it is still loading")
        try:
            return msgspec.json.decode(line, type=Ready)
        except msgspec.DecodeError:
            how = self._child.last_words("")
            raise self._not_up(f"the model server {how}" if how else "it said something else") from None

    def _not_up(self, because: str) -> BreakevenError:
        return BreakevenError(
            f"the model {self.what.path} is not served: {because}{self._child.logged()}",
            expected="a model server that answers",
            do="Is the file whole, is the memory enough?",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()
