"""The function's own loop: AWS's runtime client asks for the next request, and the answer is streamed as it comes.

    python -m breakeven.function

Lambda starts it through the wrapper script that the template names (``AWS_LAMBDA_EXEC_WRAPPER``).
"""

import asyncio
import os
from typing import Any

import msgspec
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient  # type: ignore[import-untyped]
from mangum import Mangum

from breakeven.errors import BreakevenError
from breakeven.function.application import Application
from breakeven.function.streamed import BROKEN, Streamed
from breakeven.gateway.caller import Message

ADDRESS = "AWS_LAMBDA_RUNTIME_API"
FAILED_START = 1
NOT_AN_EVENT = "Gateway.NotAnEvent"


class Body:
    """The ASGI side ``receive`` of one request: its body, and after it nothing until the answer has ended."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body

    async def receive(self) -> Message:
        """The body once. Lambda does not tell when a caller hangs up."""
        if self._body is None:
            await asyncio.get_running_loop().create_future()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body or b"", "more_body": False}


async def answer(application: Application, client: LambdaRuntimeClient, asked: Any, address: str) -> None:  # noqa: ANN401
    """Serve one invocation. Every one ends in a response or an error at the Runtime API."""
    adapter = Mangum(application.gateway, lifespan="off")
    try:
        event = msgspec.json.decode(asked.event_body)
        read = adapter.infer(event, asked)
        scope, body = read.scope, read.body
    except Exception as wrong:  # of the event's shape only its kind is told: it may hold what a caller wrote
        _refuse(client, asked.invoke_id, NOT_AN_EVENT, f"this event is no HTTP request ({type(wrong).__name__})")
        return
    streamed = Streamed(address, asked.invoke_id)
    try:
        await application.gateway(scope, Body(body).receive, streamed.send)
    except Exception as wrong:
        if streamed.begun:
            await streamed.break_off(BROKEN, type(wrong).__name__)
        else:
            _refuse(client, asked.invoke_id, BROKEN, type(wrong).__name__)
        return
    if streamed.begun and not streamed.finished:
        await streamed.break_off(BROKEN, "the model's answer broke off")
    elif not streamed.begun:
        _refuse(client, asked.invoke_id, BROKEN, "there was no answer")


def _refuse(client: LambdaRuntimeClient, request_id: str, kind: str, told: str) -> None:
    client.post_invocation_error(request_id, msgspec.json.encode(_error(kind, told)).decode(), "")


def _error(kind: str, told: str) -> dict[str, Any]:
    return {"errorMessage": told, "errorType": kind, "stackTrace": []}


def main() -> None:
    """Start, then serve until Lambda ends the process."""
    address = os.environ[ADDRESS]
    client = LambdaRuntimeClient(address)
    try:
        application = Application(os.environ)
    except Exception as wrong:
        told = str(wrong) if isinstance(wrong, BreakevenError) else type(wrong).__name__
        client.post_init_error(_error(f"Gateway.{type(wrong).__name__}", told))
        raise SystemExit(FAILED_START) from wrong
    while True:
        asked = client.wait_next_invocation()
        application.run(answer(application, client, asked, address))


if __name__ == "__main__":
    main()
