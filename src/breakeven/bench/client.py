"""One streamed chat with an OpenAI-compatible server, watched frame by frame."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import msgspec

from breakeven.bench.outcome import Outcome
from breakeven.bench.schedule import Sized
from breakeven.errors import BreakevenError

Body = dict[str, Any]
WORDS_OF_AN_ERROR = 200
BAD_REQUEST, UNPROCESSABLE = 400, 422
CLIENT_ERROR = 400
CUT_OFF = "cut off: the run was ended"
FORMS: tuple[tuple[str, bool], ...] = (("max_tokens", True), ("max_tokens", False), ("max_completion_tokens", False))
"""How the length of an answer is asked for, from the strictest to what every server takes: the field's name, and
whether ``ignore_eos`` and ``min_tokens`` (vLLM, SGLang; llama.cpp heeds the first) hold the server to it."""


PROBE = Sized(input_tokens=1, output_tokens=2)
"""What is asked for to learn how a server answers."""


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[Any] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Frame(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


FRAME = msgspec.json.Decoder(_Frame)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where requests go. ``url``: what OpenAI clients take as ``base_url``."""

    url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 600.0
    form: int = 0
    """Which of ``FORMS`` it takes."""

    @property
    def held_to_length(self) -> bool:
        """Whether it is told to write as many tokens as are asked for."""
        return FORMS[self.form][1]

    @property
    def headers(self) -> Mapping[str, str]:
        """The key, where there is one."""
        return {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    def body(self, prompt: str, output_tokens: int) -> Body:
        """The request."""
        name, held = FORMS[self.form]
        asked: Body = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "stream": True,
            "stream_options": {"include_usage": True},
            name: output_tokens,
        }
        return asked | ({"ignore_eos": True, "min_tokens": output_tokens} if held else {})


@dataclass(slots=True)
class _Seen:
    """What has come of one answer so far."""

    first_s: float | None = None
    last_s: float | None = None
    frames: int = 0
    usage: _Usage | None = None
    error: str | None = None
    done: bool = False

    def take(self, line: bytes, now_s: float) -> None:
        """A line of the stream."""
        if not line.startswith(b"data:"):
            return
        data = line[5:].strip()
        if data == b"[DONE]":
            self.done = True
            return
        try:
            frame = FRAME.decode(data)
        except msgspec.MsgspecError as wrong:
            self.error = f"a frame that is no chat completion: {wrong}"
            return
        if frame.error is not None:
            self.error = f"error in the stream: {frame.error}"[:WORDS_OF_AN_ERROR]
        self.usage = frame.usage or self.usage
        if any(_has_text(choice.delta) for choice in frame.choices):
            self.first_s = now_s if self.first_s is None else self.first_s
            self.last_s = now_s
            self.frames += 1


def _has_text(delta: _Delta | None) -> bool:
    return delta is not None and bool(delta.content or delta.reasoning_content or delta.reasoning or delta.tool_calls)


async def ask(
    session: aiohttp.ClientSession, server: Server, prompt: str, sized: Sized, planned_s: float | None = None
) -> Outcome:
    """Send one request and watch its answer to the end. A failure is an outcome, never an exception."""
    clock = asyncio.get_running_loop().time
    seen, sent_s = _Seen(), clock()
    try:
        async with asyncio.timeout(server.timeout_s):
            await _stream(session, server, server.body(prompt, sized.output_tokens), seen)
    except TimeoutError:
        seen.error = f"no whole answer within {server.timeout_s:g} s"
    except (aiohttp.ClientError, OSError, ValueError) as wrong:
        seen.error = f"{type(wrong).__name__}: {wrong}"[:WORDS_OF_AN_ERROR]
    except asyncio.CancelledError:
        seen.error = CUT_OFF
    if seen.error is None and not seen.frames:
        seen.error = "an answer without text"
    usage = seen.usage or _Usage()
    details = usage.prompt_tokens_details
    return Outcome(
        planned_s=sent_s if planned_s is None else planned_s,
        sent_s=sent_s,
        ended_s=clock(),
        first_s=seen.first_s,
        last_s=seen.last_s,
        input_tokens=usage.prompt_tokens,
        cached_tokens=details.cached_tokens if details else None,
        output_tokens=usage.completion_tokens,
        frames=seen.frames,
        asked_input_tokens=sized.input_tokens,
        asked_output_tokens=sized.output_tokens,
        error=seen.error,
    )


async def _stream(session: aiohttp.ClientSession, server: Server, body: Body, seen: _Seen) -> None:
    clock = asyncio.get_running_loop().time
    async with session.post(f"{server.url}/chat/completions", json=body, headers=server.headers) as reply:
        if reply.status >= CLIENT_ERROR:
            said = (await reply.text(errors="replace")).strip()
            seen.error = f"status {reply.status}: {' '.join(said.split())}"[:WORDS_OF_AN_ERROR]
            return
        rest = b""
        async for chunk in reply.content.iter_any():
            now_s = clock()
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                seen.take(line, now_s)
        seen.take(rest, clock())
        if not seen.done and seen.error is None:
            seen.error = "the stream ended before it was done"


async def met(session: aiohttp.ClientSession, server: Server, prompt: str) -> tuple[Server, Outcome]:
    """The server in the strictest form that it takes, and its first answer.

    Raises:
        BreakevenError: it does not answer in any form.
    """
    for form in range(server.form, len(FORMS)):
        known = replace(server, form=form)
        first = await ask(session, known, prompt, PROBE)
        refused = (first.error or "").startswith((f"status {BAD_REQUEST}", f"status {UNPROCESSABLE}"))
        if not refused:
            break
    if not first.good:
        raise BreakevenError(
            f"{server.url} does not answer a chat of model {server.model}: {first.error}",
            expected="an OpenAI-compatible server that streams",
            do="Check the URL (it ends in /v1 for most), --model and --api-key-env",
        )
    return known, first


async def served_model(session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> str:
    """The one model that the server offers.

    Raises:
        BreakevenError: it cannot be asked, or it offers none or several.
    """
    try:
        async with session.get(f"{url}/models", headers=headers, timeout=aiohttp.ClientTimeout(total=30)) as reply:
            told = await reply.read()
            names = [row["id"] for row in msgspec.json.decode(told)["data"]] if reply.ok else []
    except (aiohttp.ClientError, OSError, msgspec.MsgspecError, KeyError, TypeError) as wrong:
        raise BreakevenError(
            f"{url}/models cannot be read: {type(wrong).__name__}: {wrong}",
            expected="an OpenAI-compatible server",
            do="Check the URL (it ends in /v1 for most), or name the model with --model",
        ) from wrong
    if len(names) != 1:
        told_names = ", ".join(names[:8]) or "no model"
        raise BreakevenError(
            f"{url} offers {told_names}", expected="one model to send requests to", do="Name it with --model"
        )
    return str(names[0])
