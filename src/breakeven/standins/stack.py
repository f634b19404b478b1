"""The whole path on this machine: model, container, SageMaker runtime, Lambda and API Gateway, each a process."""

import secrets
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import msgspec

from breakeven.errors import BreakevenError
from breakeven.model_server.process import ModelServer
from breakeven.model_server.serve import Served
from breakeven.standins.container import Container
from breakeven.standins.environment import Function
from breakeven.standins.front import BUFFERS, STREAMS, Front
from breakeven.standins.functions import Service
from breakeven.standins.limits import Limits
from breakeven.standins.part import Part
from breakeven.standins.sagemaker import Runtime

ENDPOINT = "local"
STREAMED, BUFFERED = "gateway-streamed", "gateway-buffered"
Said = Callable[[str], None]
Heard = Callable[[str, str], None]


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the stack.

    Attributes:
        model: The model and how it is served.
        functions: The functions by name: what is run, without its variables, which the stack gives.
        http_port: Where the HTTP API listens; 0 lets the system choose.
        rest_port: The same for the REST API.
        upstream_s: How long the function waits for the endpoint.
        limits: AWS's, unless a test makes them smaller.
    """

    model: Served
    functions: tuple[Function, ...]
    http_port: int = 0
    rest_port: int = 0
    upstream_s: float = 880.0
    limits: Limits = Limits()


class Stack:
    """The running parts. Use it in a ``with`` block."""

    def __init__(self, wishes: Wishes, say: Said, heard: Heard) -> None:
        """Start them from the back to the front. ``say``: progress; ``heard``: a part's name and a line of it.

        Raises:
            BreakevenError: if one does not come up; the others are ended then.
        """
        self.key = secrets.token_hex(16)
        self.parts: list[Part] = []
        self._say, self._heard = say, heard
        say(f"the model {wishes.model.name} is being loaded")
        self.model = ModelServer(wishes.model)
        try:
            self._start(wishes)
        except BaseException:
            self.stop()
            raise

    @property
    def http_url(self) -> str:
        """``base_url`` by the HTTP API."""
        return f"{self.parts[-1].urls['http']}/v1"

    @property
    def rest_url(self) -> str:
        """``base_url`` by the stage of the REST API that streams."""
        return f"{self.parts[-1].urls['rest']}/{STREAMS}/v1"

    @property
    def rest_buffered_url(self) -> str:
        """``base_url`` by the stage of the REST API that does not stream."""
        return f"{self.parts[-1].urls['rest']}/{BUFFERS}/v1"

    def part(self, name: str) -> Part:
        """A part by its name."""
        return next(part for part in self.parts if part.name == name)

    def ended(self) -> Iterator[tuple[str, str]]:
        """Parts that are gone, and how."""
        if how := self.model.ended():
            yield "model", how.removeprefix("the model server ")
        for part in self.parts:
            if how := part.ended():
                yield part.name, how

    def stop(self) -> None:
        """End all, from the front to the back. May be called more than once."""
        for part in reversed(self.parts):
            part.stop()
        self.model.stop()

    def _start(self, wishes: Wishes) -> None:
        limits = wishes.limits
        model_url = self.model.base_url.removesuffix("/v1")
        container = self._add("container", Container(model_url=model_url, limits=limits))
        runtime = self._add(
            "sagemaker", Runtime(endpoint=ENDPOINT, container_url=container["container"], limits=limits)
        )
        variables = {
            "BREAKEVEN_ENDPOINT": ENDPOINT,
            "BREAKEVEN_MODEL": wishes.model.name,
            "BREAKEVEN_UPSTREAM_TIMEOUT_S": str(wishes.upstream_s),
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": runtime["sagemaker"],
        }
        functions = tuple(
            msgspec.structs.replace(function, variables=variables | function.variables) for function in wishes.functions
        )
        service = self._add("functions", Service(functions=functions, limits=limits))
        front = Front(
            lambda_url=service["lambda"],
            buffered=BUFFERED,
            streamed=STREAMED,
            key=self.key,
            http_port=wishes.http_port,
            rest_port=wishes.rest_port,
            limits=limits,
        )
        self._add("front", front)

    def _add(self, name: str, what: msgspec.Struct) -> dict[str, str]:
        self._say(f"the {TITLES[name]} starts")
        part = Part(name, f"breakeven.standins.{name}", what, self._heard)
        self.parts.append(part)
        return part.urls

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()


TITLES = {
    "model": "model (llama.cpp)",
    "container": "container (/ping, /invocations, /openai/v1)",
    "sagemaker": "stand-in of the SageMaker runtime",
    "functions": "stand-in of Lambda",
    "front": "stand-in of API Gateway",
}


def gone(name: str, how: str) -> BreakevenError:
    """One message for a part that has died."""
    return BreakevenError(
        f"the {TITLES[name]} {how}", expected="all parts of the stack alive", do="End it with Ctrl-C and start it again"
    )
