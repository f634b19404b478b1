"""What became of one request, by the clock of who sent it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One request from its sending to its end. Seconds of one clock; ``None``: it did not come to that.

    ``error`` says why it failed. Tokens are the server's count; ``frames`` those that held text, where it gives none.
    """

    planned_s: float
    sent_s: float
    ended_s: float
    first_s: float | None = None
    last_s: float | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    frames: int = 0
    asked_input_tokens: int = 0
    asked_output_tokens: int = 0
    error: str | None = None

    @property
    def good(self) -> bool:
        """Whether there was an answer, whole and with text."""
        return self.error is None

    @property
    def written_tokens(self) -> int:
        """Output tokens: the server's count, else frames."""
        return self.frames if self.output_tokens is None else self.output_tokens

    @property
    def ttft_s(self) -> float | None:
        """From the sending to the first text."""
        return None if self.first_s is None else self.first_s - self.sent_s

    @property
    def tpot_s(self) -> float | None:
        """Mean time of each token after the first."""
        if self.first_s is None or self.last_s is None or self.written_tokens < 2:
            return None
        return (self.last_s - self.first_s) / (self.written_tokens - 1)
