"""Server-sent events on their way through: passed on as they are, read on the side, the frame we asked for removed."""

import re

import msgspec

from breakeven.gateway.usage import UNKNOWN, Groq, Timings, Tokens, WireUsage, tokens_of

END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
"""What ends a frame."""
LONGEST_HELD_BYTES = 65_536
"""A frame that grows longer than this is passed on in pieces and not read: a usage frame is short."""
HALF_AN_END = 3
"""So many bytes at the end of a piece may be the beginning of what ends a frame."""


class Function(msgspec.Struct):
    """A piece of a tool call."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(msgspec.Struct):
    """A tool call in a piece."""

    function: Function | None = None


class Delta(msgspec.Struct):
    """What a frame adds to the answer."""

    content: str | list[msgspec.Raw] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(msgspec.Struct):
    """One answer's part in a frame."""

    delta: Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    usage: WireUsage | None = None
    """Where Moonshot puts it."""


class Frame(msgspec.Struct):
    """A frame of a chat or a completion."""

    choices: list[Choice] | None = None
    usage: WireUsage | None = None
    timings: Timings | None = None
    x_groq: Groq | None = None


_DECODER = msgspec.json.Decoder(Frame)


class Events:
    """One stream. ``feed`` takes what came and gives what goes on; the rest is what was read on the way."""

    __slots__ = ("_held", "_held_bytes", "_long", "_strips", "_text", "done", "finished", "tokens")

    def __init__(self, *, strips_usage: bool) -> None:
        self._strips = strips_usage
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._long = False
        self._text = bytearray()
        """In one piece: a list of its pieces, each a text of its own, would be ten times as large."""
        self.tokens: Tokens = UNKNOWN
        self.done = False
        """Whether ``[DONE]`` was seen: nothing follows."""
        self.finished = False
        """Whether ``[DONE]`` or a reason to finish was seen."""

    @property
    def text(self) -> str:
        """What the stream said so far."""
        return self._text.decode("utf-8", "surrogatepass")

    def feed(self, chunk: bytes) -> bytes:
        """Take a piece; give what of it, and of what was held back, goes on to the caller now.

        Where the usage frame has to be taken out, a frame goes on when it is whole; otherwise everything at once.
        """
        self._held.append(chunk)
        self._held_bytes += len(chunk)
        if b"\n" not in chunk and b"\r" not in chunk and self._held_bytes <= LONGEST_HELD_BYTES:
            return b"" if self._strips else chunk  # nothing ends here
        data = b"".join(self._held)
        passed: list[bytes] = []
        start = 0
        for end in END.finditer(data):
            frame = data[start : end.end()]
            start = end.end()
            if self._long or self._read(frame):
                passed.append(frame)
            self._long = False
        rest = data[start:]
        if len(rest) > LONGEST_HELD_BYTES:
            self._long = True
            passed.append(rest[:-HALF_AN_END])
            rest = rest[-HALF_AN_END:]
        self._held, self._held_bytes = [rest] if rest else [], len(rest)
        return b"".join(passed) if self._strips else chunk

    def last(self) -> bytes:
        """What is still held back when the stream has ended and goes on now."""
        rest, self._held = b"".join(self._held), []
        shown = bool(rest) and (self._long or self._read(rest))
        return rest if shown and self._strips else b""

    def _read(self, frame: bytes) -> bool:
        """Read a frame. Whether the caller is to see it."""
        at = frame.find(b"data:")
        if at < 0:
            return True
        data = frame[at + 5 :].strip()
        if data == b"[DONE]":
            self.finished = self.done = True
            return True
        try:
            found = _DECODER.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return True
        for choice in found.choices or ():
            self._said(choice)
        usage = found.usage or (found.x_groq.usage if found.x_groq else None)
        if usage is None and found.timings is None:
            return True
        tokens = tokens_of(usage, found.timings)
        if tokens.basis != "unknown":
            self.tokens = tokens
        return usage is None or bool(found.choices)

    def _said(self, choice: Choice) -> None:
        if choice.finish_reason is not None:
            self.finished = True
        if choice.usage is not None:
            self.tokens = tokens_of(choice.usage)
        if choice.text:
            self._keep(choice.text)
        delta = choice.delta
        if delta is None:
            return
        for piece in (delta.content, delta.reasoning_content, delta.reasoning):
            if piece and isinstance(piece, str):
                self._keep(piece)
        for call in delta.tool_calls or ():
            if call.function is not None:
                self._keep((call.function.name or "") + (call.function.arguments or ""))

    def _keep(self, text: str) -> None:
        self._text += text.encode("utf-8", "surrogatepass")
