"""What the Lambda function costs in processor time: its start, and each request beside what the upstream takes.

python tools/measure_function.py

The function's own process runs under AWS's runtime client and the stand-in of the Runtime API; its upstream is a canned
answer of a SageMaker endpoint, so what is counted is the function alone. Processor time is read from /proc (Linux).
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from aiohttp import web

from breakeven.standins.child import listen
from breakeven.standins.environment import Environment, Function
from breakeven.standins.eventstream import CONTENT_TYPE, event
from breakeven.standins.runtime_api import Done

STARTS, REQUESTS, FRAMES = 5, 1000, 100
TICKS = os.sysconf("SC_CLK_TCK")
MS_PER_S = 1000
WHOLE = {"choices": [{"message": {"content": "x" * 400}}], "usage": {"prompt_tokens": 300, "completion_tokens": 100}}
FRAME = b'data: {"choices":[{"index":0,"delta":{"content":" word"}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":300,"completion_tokens":100}}\n\ndata: [DONE]\n\n'


async def main() -> None:
    """Measure and print."""
    url = await _endpoint()
    for name, function in _functions(url).items():
        with tempfile.TemporaryDirectory() as empty:
            fresh = {"PYTHONPYCACHEPREFIX": empty, "PYTHONDONTWRITEBYTECODE": "1"}
            compiled = statistics.median([await _start(function, {}) for _ in range(STARTS)])
            uncompiled = statistics.median([await _start(function, fresh) for _ in range(STARTS)])
        print(f"{name}: start {compiled:.2f} s of processor time, {uncompiled:.2f} s without compiled modules")
        for streamed in (False, True):
            spent, resident = await _requests(function, streamed=streamed)
            kind = f"a stream of {FRAMES} frames" if streamed else "an answer that is whole"
            print(f"{name}: {kind}: {spent * MS_PER_S:.2f} ms of processor time a request, {resident:.0f} MB resident")


def _functions(url: str) -> dict[str, Function]:
    variables = {
        "BREAKEVEN_ENDPOINT": "e",
        "BREAKEVEN_MODEL": "m",
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": url,
    }
    return {
        "streamed": Function(name="f", command=(sys.executable, "-m", "breakeven.function"), variables=variables),
        "buffered": Function(name="f", handler="breakeven.function.buffered.handler", variables=variables),
    }


async def _endpoint() -> str:
    """A SageMaker endpoint that has its answer ready."""
    app = web.Application()
    app.router.add_post("/endpoints/e/invocations", _whole)
    app.router.add_post("/endpoints/e/invocations-response-stream", _stream)
    return await listen(app)


async def _whole(_request: web.Request) -> web.StreamResponse:
    return web.json_response(WHOLE)


async def _stream(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(
        headers={"content-type": CONTENT_TYPE, "X-Amzn-SageMaker-Content-Type": "text/event-stream"}
    )
    await answer.prepare(request)
    for _ in range(FRAMES):
        await answer.write(event("PayloadPart", FRAME))
        await asyncio.sleep(0)
    await answer.write(event("PayloadPart", USAGE))
    return answer


async def _start(function: Function, variables: dict[str, str]) -> float:
    environment = await _begun(function, variables)
    spent = _spent_s(environment.pid)
    await environment.end()
    return spent


async def _begun(function: Function, variables: dict[str, str]) -> Environment:
    changed = {name: getattr(function, name) for name in function.__struct_fields__}
    environment = Environment(Function(**changed | {"variables": function.variables | variables}), lambda _line: None)
    if (failed := await environment.begin(60.0)) is not None:
        sys.exit(failed.error.decode())
    return environment


async def _requests(function: Function, *, streamed: bool) -> tuple[float, float]:
    """Processor seconds a request, and megabytes afterwards."""
    environment = await _begun(function, {})
    body = json.dumps({"model": "m", "stream": streamed, "messages": [{"role": "user", "content": "word " * 300}]})
    asked = _event(body)
    for number in range(50):
        await _answered(environment, f"warm-{number}", asked)
    before = _spent_s(environment.pid)
    for number in range(REQUESTS):
        await _answered(environment, str(number), asked)
    await environment.rest()
    spent = (_spent_s(environment.pid) - before) / REQUESTS
    status = Path(f"/proc/{environment.pid}/status").read_text()
    resident = next(int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("VmRSS"))
    await environment.end()
    return spent, resident


async def _answered(environment: Environment, request_id: str, asked: bytes) -> None:
    async for piece in environment.invoke(request_id, asked):
        if isinstance(piece, Done) and piece.kind is not None:
            sys.exit(piece.error.decode())


def _event(body: str) -> bytes:
    told = {
        "resource": "/{proxy+}",
        "path": "/v1/chat/completions",
        "httpMethod": "POST",
        "headers": {"content-type": "application/json"},
        "multiValueHeaders": None,
        "requestContext": {"identity": {"sourceIp": "127.0.0.1"}},
        "body": body,
        "isBase64Encoded": False,
    }
    return json.dumps(told).encode()


def _spent_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    asyncio.run(main())
