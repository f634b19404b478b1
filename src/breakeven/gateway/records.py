"""The usage record: what one request used, how it ended and what it cost. Every request leaves exactly one."""

from typing import Literal

import msgspec

Outcome = Literal["complete", "cut_by_upstream", "cut_by_client", "failed", "refused"]
TokensBasis = Literal["upstream", "counted", "unknown"]
CostBasis = Literal["list price", "own machine", "nothing sent", "unknown"]


class UsageRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request through the gateway. Never holds a prompt, an answer or a key.

    Money is whole picodollars (1e-12 USD), so that one token of the cheapest model has an exact price and sums lose
    nothing. ``None`` means unknown, never zero.

    Attributes:
        id: The request's id, unique and sortable by time, also sent to the caller as ``x-request-id``.
        at_us: When it arrived, in microseconds since 1970-01-01 UTC.
        key: The id of the virtual key (not its secret), or ``None`` where keys are off or none was valid.
        team: The team of that key.
        path: The path that was called, such as ``/v1/chat/completions``.
        model: The model as the caller named it.
        upstream: Who answered, or was asked last; ``None`` where nobody was asked.
        upstream_model: The model's name there.
        provider: The catalogue's provider of that upstream, such as ``openai`` or ``aws-sagemaker``.
        status: The HTTP status that the caller got (499 where the caller had gone).
        outcome: How it ended.
        streamed: Whether the caller asked for a stream.
        attempts: Upstreams asked, the one that answered included.
        input_tokens: Prompt tokens, cached ones and cache writes included.
        cached_input_tokens: Prompt tokens read from a cache.
        cache_write_tokens: Prompt tokens written to a cache.
        output_tokens: Answer tokens, reasoning included.
        reasoning_tokens: Answer tokens that the caller does not see.
        tokens_basis: From the upstream's own usage, counted here, or unknown.
        ttft_s: From arrival to the first byte of the answer's body; ``None`` where there was none.
        duration_s: From arrival to the last byte.
        cost_pico_usd: What it cost: an API's price, or the share of an own machine's hour.
        cost_basis: What that cost rests on.
    """

    id: str
    at_us: int
    key: str | None = None
    team: str | None = None
    path: str
    model: str | None
    upstream: str | None = None
    upstream_model: str | None = None
    provider: str | None = None
    status: int
    outcome: Outcome
    streamed: bool = False
    attempts: int = 0
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    tokens_basis: TokensBasis = "unknown"
    ttft_s: float | None = None
    duration_s: float
    cost_pico_usd: int | None = None
    cost_basis: CostBasis = "unknown"
