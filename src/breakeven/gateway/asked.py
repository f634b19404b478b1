"""What a request asks for: the few fields that routing needs, read without touching the rest of the body."""

import re
from hashlib import blake2b
from typing import Any

import msgspec

from breakeven.gateway.ledger import Refused

PREFIX_BYTES = 4096
"""Of a prompt's beginning, so much decides which replica has it cached."""
USER = re.compile(rb'"role"\s*:\s*"user"')
Raw = msgspec.Raw
NOTHING = msgspec.Raw()


class Asked(msgspec.Struct, kw_only=True):
    """The fields of a chat, completion or embedding request that the gateway looks at.

    ``messages``, ``prompt`` and ``input`` stay bytes: nothing but a token count or a prefix is ever made of them.
    """

    model: str
    stream: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    best_of: int | None = None
    stream_options: msgspec.Raw = NOTHING
    messages: msgspec.Raw = NOTHING
    prompt: msgspec.Raw = NOTHING
    input: msgspec.Raw = NOTHING

    @property
    def most_output_tokens(self) -> int | None:
        """The limit that the request sets itself, for all its answers together; ``None``: none."""
        limit = self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens
        return None if limit is None else max(limit, 0) * max(self.n or 1, self.best_of or 1, 1)


_DECODER = msgspec.json.Decoder(Asked)


def read_asked(body: bytes) -> Asked:
    """The request in a body.

    Raises:
        Refused: 400, in OpenAI's shape, if it is no JSON or a field is not what it has to be.
    """
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError as wrong:
        raise Refused(400, "invalid_request", f"The request does not fit: {wrong}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused(400, "invalid_json", "The body could not be read as JSON. Expected: one JSON object.") from None


def prefix_of(asked: Asked) -> bytes:
    """A digest of how the prompt begins, up to its first user message: equal for all turns of one conversation.

    >>> first = read_asked(b'{"model":"m","messages":[{"role":"user","content":"a"}]}')
    >>> second = read_asked(b'{"model":"m","messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}')
    >>> prefix_of(first) == prefix_of(second)
    True
    """
    text = bytes(asked.messages or asked.prompt)[:PREFIX_BYTES]
    if asked.messages and (found := USER.search(text)):
        end = text.find(b"}", found.end())
        text = text[: end if end >= 0 else len(text)]
    return blake2b(text, digest_size=8).digest()


def with_model(body: bytes, asked: Asked, model: str) -> bytes:
    """The body with another model's name in it, and every other byte as it was."""
    if asked.model == model:
        return body
    changed = _spliced(body, b'"model"', msgspec.json.encode(asked.model), msgspec.json.encode(model))
    if changed is not None and _is(changed, model):
        return changed
    return _rewritten(body, "model", model)


def asking_usage(body: bytes, asked: Asked) -> tuple[bytes, bool]:
    """The body of a streamed request that asks for its usage, and whether that had to be added."""
    given = bytes(asked.stream_options)
    if not given:
        start = body.index(b"{") + 1
        comma = b"" if body[start:].lstrip()[:1] == b"}" else b","
        return body[:start] + b'"stream_options":{"include_usage":true}' + comma + body[start:], True
    options: Any = msgspec.json.decode(given)
    if not isinstance(options, dict | None):
        return body, False  # the upstream says what is wrong with it
    if options and options.get("include_usage") is True:
        return body, False
    wanted = {**(options or {}), "include_usage": True}
    changed = _spliced(body, b'"stream_options"', given, msgspec.json.encode(wanted))
    return changed if changed is not None else _rewritten(body, "stream_options", wanted), True


def _spliced(body: bytes, key: bytes, old: bytes, new: bytes) -> bytes | None:
    """The body with one value replaced where its key stands with that value exactly once; else ``None``."""
    found = -1
    at = body.find(key)
    while at >= 0:
        value = at + len(key)
        while body[value : value + 1] in (b" ", b"\t", b"\n", b"\r", b":"):
            value += 1
        if body.startswith(old, value):
            if found >= 0:
                return None
            found = value
        at = body.find(key, at + len(key))
    return None if found < 0 else body[:found] + new + body[found + len(old) :]


def _is(body: bytes, model: str) -> bool:
    try:
        return _DECODER.decode(body).model == model
    except msgspec.MsgspecError:
        return False


def _rewritten(body: bytes, key: str, value: object) -> bytes:
    """The last resort, for a key that is given twice or in escapes: the same JSON, written anew."""
    whole: dict[str, Any] = msgspec.json.decode(body)
    whole[key] = value
    return msgspec.json.encode(whole)
