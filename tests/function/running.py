"""A function's process against a Runtime API of the test's own, in this process."""

import asyncio
import json
import sys
from pathlib import Path

from breakeven.standins.environment import Environment, Function
from breakeven.standins.runtime_api import Done

SRC = str(Path(__file__).parents[2] / "src")
VARIABLES = {"BREAKEVEN_ENDPOINT": "e", "BREAKEVEN_MODEL": "m", "BREAKEVEN_UPSTREAM_TIMEOUT_S": "20", "PYTHONPATH": SRC}
STREAMED = (sys.executable, "-m", "breakeven.function")


def event(path="/v1/models", method="GET", body=None, headers=None):
    """Payload 1.0 of a REST API."""
    return json.dumps(
        {
            "resource": "/{proxy+}", "path": path, "httpMethod": method, "headers": headers or {},
            "multiValueHeaders": None, "requestContext": {"identity": {"sourceIp": "127.0.0.1"}}, "body": body,
            "isBase64Encoded": False,
        }
    ).encode()  # fmt: skip


def invoke(*events, variables=None, command=STREAMED, handler="", said=None):
    """The answers of one environment to events, in turn: bytes and how each ended; or how it did not start."""

    said = [] if said is None else said

    async def run():
        function = Function(
            name="f", command=command, handler=handler, variables=VARIABLES | (variables or {}), timeout_s=30.0
        )
        environment = Environment(function, said.append)
        try:
            if (failed := await environment.begin(20.0)) is not None:
                return failed
            answers = []
            for number, one in enumerate(events):
                pieces, done = [], Done()
                async for piece in environment.invoke(f"id-{number}", one):
                    if isinstance(piece, Done):
                        done = piece
                    else:
                        pieces.append(piece)
                answers.append((b"".join(pieces), done))
            await rested(environment, said)
            return answers
        finally:
            await environment.end()

    return asyncio.run(run())


async def rested(environment, said):
    """Wait until the function asks for its next request, or say what it did instead."""
    try:
        await asyncio.wait_for(environment.rest(), 20.0)
    except TimeoutError:
        did = "does not ask" if environment.alive else "ended before it asked"
        raise AssertionError(f"the function {did} for its next request; it wrote: {said}") from None


def refused(**given):
    """What a function said when it refused to start; one that starts is told as that."""
    done = invoke(**given)
    assert isinstance(done, Done), "the function started, and should have refused to"
    return json.loads(done.error)["errorMessage"]


def parted(answer):
    """Prelude and body of a streamed answer."""
    told, _, body = answer.partition(bytes(8))
    return json.loads(told), body
