"""How many tokens of which kind an answer took: by the upstream's own usage in its many spellings, or counted here."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from breakeven.gateway.records import TokensBasis

LONGEST_COUNTED_BYTES = 4_000_000
"""Longer texts are not counted while others wait: their tokens stay unknown."""


class Tokens(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The tokens of one request. Cached ones and cache writes are part of the input, reasoning of the output."""

    input: int | None = None
    cached_input: int | None = None
    cache_write: int | None = None
    output: int | None = None
    reasoning: int | None = None
    basis: TokensBasis = "unknown"


UNKNOWN = Tokens()


class PromptDetails(msgspec.Struct):
    """OpenAI's ``prompt_tokens_details``; vLLM, llama.cpp, Groq and xAI write the same."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_creation_tokens: int | None = None


class CompletionDetails(msgspec.Struct):
    """OpenAI's ``completion_tokens_details``."""

    reasoning_tokens: int | None = None


class WireUsage(msgspec.Struct):
    """``usage`` as upstreams spell it."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    """DeepSeek's cached tokens."""
    cached_tokens: int | None = None
    """Moonshot's."""
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    """As gateways before Anthropic's models pass them on."""


class Timings(msgspec.Struct):
    """What llama.cpp's server says beside its usage."""

    prompt_n: int | None = None
    predicted_n: int | None = None
    cache_n: int | None = None


class Groq(msgspec.Struct):
    """Where Groq puts the usage of a stream."""

    usage: WireUsage | None = None


class Whole(msgspec.Struct):
    """An answer that is not streamed."""

    usage: WireUsage | None = None
    timings: Timings | None = None


def tokens_of(usage: WireUsage | None, timings: Timings | None = None) -> Tokens:
    """The tokens that an upstream says it took.

    xAI counts reasoning beside the completion: where the total holds it once more, it is part of the output.

    >>> tokens_of(WireUsage(prompt_tokens=9, completion_tokens=2, prompt_cache_hit_tokens=8)).cached_input
    8
    """
    if usage is None or usage.prompt_tokens is None:
        return _by_timings(timings)
    details = usage.prompt_tokens_details or PromptDetails()
    reasoning = usage.completion_tokens_details.reasoning_tokens if usage.completion_tokens_details else None
    output = usage.completion_tokens if usage.completion_tokens is not None else _rest(usage)
    if reasoning and output is not None and usage.total_tokens == usage.prompt_tokens + output + reasoning:
        output += reasoning
    return Tokens(
        input=usage.prompt_tokens,
        cached_input=_first(
            details.cached_tokens,
            usage.prompt_cache_hit_tokens,
            usage.cached_tokens,
            usage.cache_read_input_tokens,
            timings.cache_n if timings else None,
        ),
        cache_write=_first(
            details.cache_write_tokens, details.cache_creation_tokens, usage.cache_creation_input_tokens
        ),
        output=output,
        reasoning=reasoning,
        basis="upstream",
    )


def _rest(usage: WireUsage) -> int | None:
    """The output where only the total is given: embeddings have none."""
    if usage.total_tokens is None or usage.prompt_tokens is None:
        return None
    return usage.total_tokens - usage.prompt_tokens


def _by_timings(timings: Timings | None) -> Tokens:
    """llama.cpp's own completions: tokens read now and those that the cache held."""
    if timings is None or timings.prompt_n is None or timings.predicted_n is None:
        return UNKNOWN
    cached = timings.cache_n or 0
    return Tokens(
        input=timings.prompt_n + cached, cached_input=timings.cache_n, output=timings.predicted_n, basis="upstream"
    )


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


_WHOLE = msgspec.json.Decoder(Whole)


def tokens_in(body: bytes) -> Tokens | None:
    """The tokens in an answer that is not streamed; ``None`` if the answer is no JSON object."""
    try:
        whole = _WHOLE.decode(body)
    except msgspec.ValidationError:
        return UNKNOWN if _is_object(body) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return tokens_of(whole.usage, whole.timings)


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(body), dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def counted(asked: Mapping[str, bytes], answer: str, model: str) -> Tokens:
    """The tokens of a prompt and an answer, counted with the model's tokenizer, or the nearest that runs here.

    ``asked``: the JSON of ``messages``, ``prompt`` or ``input``. The few tokens that a chat template adds are not
    counted. Unknown where no tokenizer is installed, or the prompt is not text alone.
    """
    if sum(map(len, asked.values())) + len(answer) > LONGEST_COUNTED_BYTES:
        return UNKNOWN
    texts: list[str] = []
    try:
        for raw in asked.values():
            if not _texts(msgspec.json.decode(raw), texts):
                return UNKNOWN
        from breakeven.documents.tokenizers import candidate, count_tokens  # noqa: PLC0415 - loaded when first needed

        counts = count_tokens([*texts, answer], candidate(model).counted_with)
    except (ImportError, msgspec.DecodeError, UnicodeError):
        return UNKNOWN
    return Tokens(input=int(counts[:-1].sum()), output=int(counts[-1]), basis="counted")


def counted_answer(answer: Any) -> str:  # noqa: ANN401 - a JSON value
    """The text of an answer that is not streamed."""
    texts: list[str] = []
    for choice in answer.get("choices") or () if isinstance(answer, dict) else ():
        _texts(choice.get("message") or choice.get("text") or "", texts)
    return "".join(texts)


SAID = ("role", "content", "text", "name", "reasoning_content", "arguments", "tool_calls", "function")
"""Fields of a message that a model reads or writes."""
NOT_TEXT: frozenset[Literal["image_url", "input_audio", "file"]] = frozenset({"image_url", "input_audio", "file"})


def _texts(value: Any, into: list[str]) -> bool:  # noqa: ANN401 - a JSON value
    """Gather the texts of a prompt. Whether it was text alone."""
    if isinstance(value, str):
        into.append(value)
    elif isinstance(value, list):
        return all(_texts(one, into) for one in value)
    elif isinstance(value, dict):
        if NOT_TEXT & value.keys():
            return False
        return all(_texts(one, into) for name, one in value.items() if name in SAID)
    else:
        return value is None
    return True
