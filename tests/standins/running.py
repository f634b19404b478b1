"""What the tests of the stand-ins share: Lambda and API Gateway around small functions, and the whole stack."""

import http.client
import json
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from breakeven.cli.up import functions
from breakeven.model_server import weights
from breakeven.model_server.serve import Served
from breakeven.standins.environment import Function
from breakeven.standins.front import Front
from breakeven.standins.functions import Service
from breakeven.standins.limits import Limits
from breakeven.standins.part import Part
from breakeven.standins.stack import Stack, Wishes

HERE = Path(__file__).parent
PATIENCE_S = 120.0
KEY = "k" * 20
MODEL = "smollm2-135m"


@dataclass
class Answered:
    status: int
    body: bytes
    cut: bool = False
    headers: dict = field(default_factory=dict)
    pieces: int = 0

    @property
    def json(self):
        return json.loads(self.body)


def post(url, body, headers=None, *, method="POST"):
    """A request to a path, read to its end; an answer that breaks off is told, not raised."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE_S)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        connection.request(
            method, parts.path, raw, {"content-type": "application/json", "x-api-key": KEY} | (headers or {})
        )
        reply = connection.getresponse()
        read, cut, pieces = b"", False, 0
        try:
            while piece := reply.read1(65_536):
                read += piece
                pieces += 1
        except (http.client.IncompleteRead, ConnectionError) as wrong:
            read += getattr(wrong, "partial", b"")
            cut = True
        return Answered(reply.status, read, cut, dict(reply.getheaders()), pieces)
    finally:
        connection.close()


@dataclass
class Apis:
    http: str
    rest: str
    said: list
    parts: list
    functions_url: str


@contextmanager
def apis(  # noqa: PLR0913
    handler="", *, script="", limits=None, environments=2, timeout_s=30.0, command=(), variables=None
):
    """Both APIs in front of one function."""
    said = []
    variables = {"PYTHONPATH": f"{HERE}:{HERE.parents[1] / 'src'}"} | (variables or {})
    command = (sys.executable, str(HERE / script)) if script else command
    made = Function(
        name="f", handler=handler, command=command, variables=variables, timeout_s=timeout_s, environments=environments
    )
    limits = limits or Limits()
    heard = _into(said)
    service = Part("functions", "breakeven.standins.functions", Service(functions=(made,), limits=limits), heard)
    try:
        url = service.urls["lambda"]
        asked = Front(lambda_url=url, buffered="f", streamed="f", key=KEY, limits=limits)
        front = Part("front", "breakeven.standins.front", asked, heard)
        try:
            yield Apis(front.urls["http"], front.urls["rest"], said, [service, front], url)
        finally:
            front.stop()
    finally:
        service.stop()


def _into(said):
    def heard(_part, line):
        said.append(line)

    return heard


@contextmanager
def whole_stack(**wishes):
    said = []
    plain = {
        "model": Served(path=str(weights.bundled()), name=MODEL, slots=2, context_tokens=512, threads=2),
        "functions": functions(environments=2),
    }
    with Stack(Wishes(**plain | wishes), said.append, _into(said)) as stack:
        stack.said = said
        yield stack


def asked(stream=False, tokens=4, content="Say hello.", **more):
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": tokens,
        "temperature": 0,
        "stream": stream,
    } | more


def until(holds, patience_s=PATIENCE_S):
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it never came to hold")
