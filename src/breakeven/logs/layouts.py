"""The forms of usage log that are known: where each keeps what, and how it counts. Each names its source.

``parts``: whether the cached and cache-write tokens are counted in the input tokens (``inside``), next to them
(``beside``), or beside them only where they are more than the input (``either``); ``reasoning_parts`` likewise for
reasoning and output. ``zone``: what the source says of a time that carries no zone; ``None`` where it says nothing,
and then the reader is asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from breakeven.errors import SpecError

Role = str
TimeForm = Literal["text", "s", "ms", "us", "ns", "relative_ms"]
Parts = Literal["inside", "beside", "either"]
Match = tuple[str, tuple[str, ...]]
"""A path, and the values that count; no values: that there is one at all."""

ROLES: Mapping[Role, str] = {
    "time": "when the request began",
    "end": "when a bucket of requests ends",
    "input": "input tokens",
    "output": "output tokens",
    "cached": "the part of the input read from a prefix cache",
    "cache_write": "the part of the input written to a prefix cache",
    "reasoning": "the part of the output that is reasoning",
    "requests": "how many requests the row stands for",
    "model": "model",
    "provider": "API provider",
    "key": "API key",
    "team": "team or project",
    "user": "user",
    "tier": "service tier (batch, flex, priority)",
    "usd": "what the log itself says it cost",
    "status": "ok, error, or an HTTP status",
    "retries": "how often the request was tried again",
}
TEXTS = ("model", "provider", "key", "team", "user", "tier")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One form of log."""

    name: str
    needs: tuple[frozenset[str], ...]
    """Sets of paths; a file that holds all of one set is of this form."""
    fields: Mapping[Role, tuple[str, ...]]
    """For each role the paths that may hold it; the first that does counts."""
    time: TimeForm = "text"
    zone: str | None = None
    parts: Parts = "inside"
    reasoning_parts: Parts = "inside"
    calls: tuple[Role, ...] = ()
    """Roles of which a call of a model has at least one."""
    only: Match | None = None
    """A row with another value than these is no call of a model."""
    never: Match | None = None
    """A row with one of these values is an answer that no model gave."""
    failed: tuple[Match, ...] = ()
    batch: str | None = None
    """A path that is true for a request of the batch tier."""
    blocks: str | None = None
    """The hashes of the prompt's blocks, each standing for the whole prefix up to it."""
    fixed: Mapping[Role, str] = field(default_factory=dict)
    """Texts that hold for every row."""
    source: str = ""


def _names(*names: str) -> frozenset[str]:
    return frozenset(names)


LITELLM = Layout(
    name="LiteLLM spend log",
    needs=(_names("startTime", "prompt_tokens", "completion_tokens", "spend"),),
    fields={
        "time": ("startTime",),
        "input": ("prompt_tokens",),
        "output": ("completion_tokens",),
        "cached": ("metadata~cache_read_input_tokens", "metadata~cached_tokens"),
        "cache_write": ("metadata~cache_creation_input_tokens",),
        "reasoning": ("metadata~reasoning_tokens",),
        "usd": ("spend",),
        "model": ("model",),
        "provider": ("custom_llm_provider",),
        "key": ("api_key",),
        "team": ("team_id",),
        "user": ("user",),
        "tier": ("metadata~service_tier",),
    },
    zone="UTC",  # the writer turns every time into UTC: _ensure_datetime_utc in spend_tracking_utils.py
    parts="either",  # counted in, but for calls of Anthropic's own messages API: pull request 23342
    never=("cache_hit", ("True", "true")),
    failed=(("status", ("failure",)),),
    source="github.com/BerriAI/litellm, schema.prisma (LiteLLM_SpendLogs) and proxy/spend_tracking",
)
LANGFUSE_CALLS = ("GENERATION", "EMBEDDING", "generation", "embedding")
LANGFUSE_USAGE = {
    "input": ("{usage}~input",),
    "output": ("{usage}~output",),
    "cached": (
        "{usage}~input_cached_tokens",
        "{usage}~cache_read_input_tokens",
        "{usage}~input_cache_read",
    ),
    "cache_write": ("{usage}~cache_creation_input_tokens", "{usage}~input_cache_creation"),
    "reasoning": ("{usage}~output_reasoning_tokens", "{usage}~output_reasoning"),
}


def _langfuse(name: str, usage: str, time: str, others: Mapping[Role, tuple[str, ...]]) -> Layout:
    """An observation: ``input`` and ``output`` leave out what has a usage type of its own."""
    counted = {role: tuple(path.format(usage=usage) for path in paths) for role, paths in LANGFUSE_USAGE.items()}
    return Layout(
        name=name,
        needs=(_names(time, usage, "type"),),
        fields={"time": (time,), **counted, **others},
        zone="UTC",
        parts="beside",
        reasoning_parts="beside",
        only=("type", LANGFUSE_CALLS),
        failed=(("level", ("ERROR",)),),
        source="langfuse.com/docs/api-and-data-platform/features/blob-storage-export-fields (times in UTC); usage "
        "types add up: github.com/langfuse/langfuse, packages/shared/src/server/ingestion/types.ts",
    )


LANGFUSE_EXPORT = _langfuse(
    "Langfuse export",
    "usage_details",
    "start_time",
    {
        "model": ("provided_model_name",),
        "usd": ("total_cost", "cost_details~total"),
        "user": ("user_id",),
        "team": ("project_id",),
    },
)
LANGFUSE_API = _langfuse(
    "Langfuse observations",
    "usageDetails",
    "startTime",
    {
        "model": ("providedModelName", "model"),
        "usd": ("totalCost", "calculatedTotalCost", "costDetails~total"),
        "user": ("userId",),
        "team": ("projectId",),
    },
)


def _openai(lists: str, bucket: str) -> Layout:
    """Buckets of the completions usage: sums over a span of time, with the number of requests."""
    row = _names(f"{lists}input_tokens", f"{lists}num_model_requests", f"{bucket}start_time")
    return Layout(
        name="OpenAI usage export",
        needs=(row,),
        fields={
            "time": (f"{bucket}start_time",),
            "end": (f"{bucket}end_time",),
            "input": (f"{lists}input_tokens",),
            "output": (f"{lists}output_tokens",),
            "cached": (f"{lists}input_cached_tokens",),
            "cache_write": (f"{lists}input_cache_write_tokens",),
            "requests": (f"{lists}num_model_requests",),
            "model": (f"{lists}model",),
            "key": (f"{lists}api_key_id",),
            "team": (f"{lists}project_id",),
            "user": (f"{lists}user_id",),
            "tier": (f"{lists}service_tier",),
        },
        time="s",
        batch=f"{lists}batch",
        fixed={"provider": "openai"},
        source="platform.openai.com/docs/api-reference/usage/completions (input_tokens include cached ones)",
    )


OPENAI = (_openai("data[].results[].", "data[]."), _openai("results[].", ""), _openai("", ""))
BEDROCK = Layout(
    name="Amazon Bedrock model invocation log",
    needs=(_names("modelId", "timestamp", "operation"),),
    fields={
        "time": ("timestamp",),
        "input": ("input.inputTokenCount",),
        "output": ("output.outputTokenCount",),
        "cached": ("input.cacheReadInputTokenCount",),
        "cache_write": ("input.cacheWriteInputTokenCount",),
        "model": ("modelId",),
        "key": ("identity.arn",),
        "team": ("accountId",),
    },
    parts="beside",
    failed=(("errorCode", ()),),
    fixed={"provider": "aws-bedrock"},
    source="docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html; inputTokenCount leaves out "
    "cached tokens (…/userguide/prompt-caching.html)",
)
GEN_AI: Mapping[Role, tuple[str, ...]] = {
    "input": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "output": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "cached": ("gen_ai.usage.cache_read.input_tokens",),
    "cache_write": ("gen_ai.usage.cache_creation.input_tokens",),
    "reasoning": ("gen_ai.usage.reasoning.output_tokens",),
    "model": ("gen_ai.response.model", "gen_ai.request.model"),
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
    "tier": ("openai.response.service_tier", "gen_ai.openai.response.service_tier"),
}
GEN_AI_CALLS = ("chat", "text_completion", "generate_content", "embeddings")
"""The operations that are one call of a model; the span of an agent repeats the tokens of its calls."""
GEN_AI_SOURCE = "opentelemetry.io/docs/specs/semconv/gen-ai (cache_read is included in input_tokens)"


def _spans(spans: str) -> Layout:
    attributes = {role: tuple(f"{spans}attributes{{{key}}}" for key in keys) for role, keys in GEN_AI.items()}
    time = f"{spans}startTimeUnixNano"
    return Layout(
        name="OpenTelemetry GenAI spans (OTLP)",
        needs=tuple(_names(time, path) for path in attributes["input"]),
        fields={
            "time": (time,),
            **attributes,
            "team": ("resourceSpans[].resource.attributes{service.name}",) if "resourceSpans" in spans else (),
        },
        time="ns",
        calls=("input", "model"),
        only=(f"{spans}attributes{{gen_ai.operation.name}}", GEN_AI_CALLS),
        failed=((f"{spans}status.code", ("2", "STATUS_CODE_ERROR")), (f"{spans}attributes{{error.type}}", ())),
        source=GEN_AI_SOURCE,
    )


OTLP = (_spans("resourceSpans[].scopeSpans[].spans[]."), _spans(""))
SPAN_LINES = Layout(
    name="OpenTelemetry GenAI spans",
    needs=(_names("start_time", 'attributes."gen_ai.usage.input_tokens"'),),
    fields={
        "time": ("start_time",),
        **{role: tuple(f'attributes."{key}"' for key in keys) for role, keys in GEN_AI.items()},
    },
    calls=("input", "model"),
    only=('attributes."gen_ai.operation.name"', GEN_AI_CALLS),
    failed=(("status.status_code", ("ERROR",)), ('attributes."error.type"', ())),
    source=GEN_AI_SOURCE,
)
AZURE = Layout(
    name="Azure LLM inference trace",
    needs=(_names("TIMESTAMP", "ContextTokens", "GeneratedTokens"),),
    fields={"time": ("TIMESTAMP",), "input": ("ContextTokens",), "output": ("GeneratedTokens",)},
    source="github.com/Azure/AzurePublicDataset, AzureLLMInferenceDataset2023.md: TIMESTAMP is the invocation time, "
    "its zone is not said",
)
MOONCAKE = Layout(
    name="Mooncake trace",
    needs=(_names("timestamp", "input_length", "output_length"),),
    fields={"time": ("timestamp",), "input": ("input_length",), "output": ("output_length",)},
    time="relative_ms",
    blocks="hash_ids",
    source="github.com/kvcache-ai/Mooncake: ms since the first request; hash_ids of blocks of 512 tokens",
)
GATEWAY = Layout(
    name="breakeven gateway store",
    needs=(_names("at_us", "cost_pico_usd", "outcome", "input_tokens"),),
    fields={
        "time": ("at_us",),
        "input": ("input_tokens",),
        "output": ("output_tokens",),
        "cached": ("cached_input_tokens",),
        "cache_write": ("cache_write_tokens",),
        "reasoning": ("reasoning_tokens",),
        "model": ("model",),
        "provider": ("provider",),
        "key": ("key",),
        "team": ("team",),
        "usd": ("usd",),
        "retries": ("retries",),
    },
    time="us",
    calls=("input", "model"),
    failed=(("outcome", ("failed", "refused")),),
    source="src/breakeven/gateway/records.py (cached tokens and cache writes are included in the input)",
)
LAYOUTS = (
    GATEWAY, LITELLM, LANGFUSE_EXPORT, LANGFUSE_API, *OPENAI, BEDROCK, *OTLP, SPAN_LINES, AZURE, MOONCAKE,
)  # fmt: skip
BLOCK_TOKENS = 512
"""Tokens of a prefix block in the Mooncake traces (their README)."""


def layout_of(columns: Mapping[Role, str]) -> Layout:
    """The layout that a user describes by naming columns.

    Raises:
        SpecError: if a role is not known, or one that every log needs is not given.
    """
    unknown = next((role for role in columns if role not in ROLES), None)
    if unknown:
        raise SpecError(
            f"--columns says {unknown}=...",
            expected=f"one of {', '.join(ROLES)}",
            do="Name the roles on the left and the log's own columns on the right",
        )
    missing = [role for role in ("time", "input") if role not in columns]
    if missing:
        raise SpecError(
            f"--columns does not say which column holds {' and '.join(missing)}",
            expected="at least time=... and input=..., and output=... unless there is no output",
            do="Add it",
        )
    named = {role: (path,) for role, path in columns.items() if role != "status"}
    bad = ("error", "failure", "failed", "false", "ERROR", "FAILED", "FAILURE", "False")
    status = columns.get("status")
    return Layout(
        name="columns as named",
        needs=(frozenset(columns.values()),),
        fields=named,
        failed=((status, (*bad, *(str(code) for code in range(400, 600)))),) if status else (),
    )
