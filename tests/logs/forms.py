"""The same few requests in every form of log that is recognised."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

MONDAY = datetime(2026, 9, 7, tzinfo=UTC)


@dataclass(frozen=True)
class Request:
    """What one request was; ``cached``, ``cache_write`` and ``reasoning`` are parts of input and output."""

    after_s: float
    model: str
    input: int
    output: int
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    key: str = "key-a"
    team: str = "search"
    tier: str = ""
    failed: bool = False

    @property
    def at(self) -> datetime:
        return MONDAY + timedelta(seconds=self.after_s)


REQUESTS = (
    Request(0, "gpt-4o", 1000, 100, cached=600),
    Request(61.5, "gpt-4o", 1200, 300, cached=400, cache_write=200, reasoning=250, key="key-b", team="chat"),
    Request(3600, "o4-mini", 50, 20, key="key-b", team="chat"),
    Request(7205.25, "gpt-4o", 90000, 5, cached=89984),
    Request(7300, "gpt-4o", 10, 0, failed=True),
)


def litellm(requests: "tuple[Request, ...]") -> str:
    """Spend logs, one JSON object a line, the usage inside the metadata."""
    rows = [
        {
            "request_id": f"r{number}",
            "call_type": "acompletion",
            "api_key": one.key,
            "spend": 0.0 if one.failed else 0.001 * (number + 1),
            "total_tokens": one.input + one.output,
            "prompt_tokens": one.input,
            "completion_tokens": one.output,
            "startTime": one.at.strftime("%Y-%m-%d %H:%M:%S.%f"),
            "model": one.model,
            "custom_llm_provider": "openai",
            "team_id": one.team,
            "cache_hit": "False",
            "status": "failure" if one.failed else "success",
            "metadata": {
                "additional_usage_values": {
                    "cache_read_input_tokens": one.cached,
                    "cache_creation_input_tokens": one.cache_write,
                    "completion_tokens_details": {"reasoning_tokens": one.reasoning},
                }
            },
        }
        for number, one in enumerate(requests)
    ]
    rows.append({**rows[0], "request_id": "own-cache", "cache_hit": "True"})
    return lines(rows)


def litellm_csv(requests: "tuple[Request, ...]") -> str:
    """The same as a table, its metadata a JSON text."""
    rows = [json.loads(line) for line in litellm(requests).splitlines()]
    return table([{**row, "metadata": json.dumps(row["metadata"])} for row in rows])


def langfuse(requests: "tuple[Request, ...]") -> str:
    """Observations of the blob export: usage types that add up."""
    rows = [
        {
            "id": f"o{number}",
            "type": "GENERATION",
            "start_time": one.at.strftime("%Y-%m-%d %H:%M:%S.%f"),
            "provided_model_name": one.model,
            "project_id": one.team,
            "level": "ERROR" if one.failed else "DEFAULT",
            "usage_details": {
                "input": one.input - one.cached - one.cache_write,
                "input_cached_tokens": one.cached,
                "cache_creation_input_tokens": one.cache_write,
                "output": one.output - one.reasoning,
                "output_reasoning_tokens": one.reasoning,
                "total": one.input + one.output,
            },
            "total_cost": 0.5,
        }
        for number, one in enumerate(requests)
    ]
    rows.append({**rows[0], "type": "SPAN", "usage_details": {}})
    return lines(rows)


def langfuse_array(requests: "tuple[Request, ...]") -> str:
    """The observations of the API: one JSON array over several lines."""
    names = {"start_time": "startTime", "provided_model_name": "model", "usage_details": "usageDetails"}
    rows = [json.loads(line) for line in langfuse(requests).splitlines()]
    return json.dumps([{names.get(name, name): value for name, value in row.items()} for row in rows], indent=1)


def openai_page(requests: "tuple[Request, ...]") -> str:
    """A page of buckets of an hour; each holds one request here, so that nothing is lost."""
    buckets = [
        {
            "object": "bucket",
            "start_time": int(one.at.timestamp()) // 3600 * 3600,
            "end_time": int(one.at.timestamp()) // 3600 * 3600 + 3600,
            "results": [_openai(one)],
        }
        for one in requests
        if not one.failed
    ]
    return json.dumps({"object": "page", "data": buckets, "has_more": False}, indent=2)


def openai_csv(requests: "tuple[Request, ...]") -> str:
    """The same from the dashboard."""
    rows = [
        {
            "start_time": int(one.at.timestamp()) // 3600 * 3600,
            "end_time": int(one.at.timestamp()) // 3600 * 3600 + 3600,
            **_openai(one),
        }
        for one in requests
        if not one.failed
    ]
    return table(rows)


def _openai(one: Request) -> dict[str, Any]:
    return {
        "object": "organization.usage.completions.result",
        "input_tokens": one.input,
        "output_tokens": one.output,
        "input_cached_tokens": one.cached,
        "input_cache_write_tokens": one.cache_write,
        "num_model_requests": 1,
        "model": one.model,
        "project_id": one.team,
        "api_key_id": one.key,
        "batch": one.tier == "batch",
        "service_tier": one.tier or "default",
    }


def bedrock(requests: "tuple[Request, ...]") -> str:
    """Model invocation logs: cached tokens beside the input."""
    rows = []
    for number, one in enumerate(requests):
        row: dict[str, Any] = {
            "schemaType": "ModelInvocationLog",
            "schemaVersion": "1.0",
            "timestamp": one.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "accountId": one.team,
            "identity": {"arn": one.key},
            "region": "us-east-1",
            "requestId": f"r{number}",
            "operation": "Converse",
            "modelId": one.model,
            "input": {
                "inputContentType": "application/json",
                "inputBodyJson": {"messages": [{"content": "tokens: 12"}]},
                "inputTokenCount": one.input - one.cached - one.cache_write,
                "cacheReadInputTokenCount": one.cached,
                "cacheWriteInputTokenCount": one.cache_write,
            },
            "output": {"outputTokenCount": one.output},
        }
        if one.failed:
            row |= {"errorCode": "ThrottlingException", "input": {}, "output": {}}
        rows.append(row)
    return lines(rows)


def otlp(requests: "tuple[Request, ...]") -> str:
    """OTLP JSON lines: a request to the collector holds the spans of one service."""
    found = []
    for one in requests:
        tokens = {
            "gen_ai.usage.input_tokens": one.input,
            "gen_ai.usage.output_tokens": one.output,
            "gen_ai.usage.cache_read.input_tokens": one.cached,
            "gen_ai.usage.cache_creation.input_tokens": one.cache_write,
            "gen_ai.usage.reasoning.output_tokens": one.reasoning,
        }
        texts = {"gen_ai.operation.name": "chat", "gen_ai.request.model": one.model, "gen_ai.provider.name": "openai"}
        texts |= {"error.type": "timeout"} if one.failed else {}
        attributes = [{"key": key, "value": {"intValue": str(value)}} for key, value in tokens.items()]
        attributes += [{"key": key, "value": {"stringValue": value}} for key, value in texts.items()]
        agent = [{"key": "gen_ai.operation.name", "value": {"stringValue": "invoke_agent"}}, *attributes[:2]]
        start = str(int(one.at.timestamp() * 1e6) * 1000)
        spans = [
            {"name": "chat", "startTimeUnixNano": start, "attributes": attributes},
            {"name": "agent", "startTimeUnixNano": start, "attributes": agent},
            {"name": "http", "startTimeUnixNano": start, "attributes": []},
        ]
        service = {"attributes": [{"key": "service.name", "value": {"stringValue": one.team}}]}
        found.append({"resourceSpans": [{"resource": service, "scopeSpans": [{"scope": {}, "spans": spans}]}]})
    return lines(found)


def span_lines(requests: "tuple[Request, ...]") -> str:
    """Spans as the console exporter of an SDK writes them, one a line."""
    rows = [
        {
            "name": "chat",
            "start_time": one.at.isoformat().replace("+00:00", "Z"),
            "status": {"status_code": "ERROR" if one.failed else "UNSET"},
            "attributes": {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": one.model,
                "gen_ai.usage.input_tokens": one.input,
                "gen_ai.usage.output_tokens": one.output,
                "gen_ai.usage.cache_read.input_tokens": one.cached,
                "gen_ai.usage.cache_creation.input_tokens": one.cache_write,
                "gen_ai.usage.reasoning.output_tokens": one.reasoning,
            },
        }
        for one in requests
    ]
    return lines(rows)


def azure(requests: "tuple[Request, ...]") -> str:
    """The public trace: tokens alone, and times without a zone."""
    return table(
        [
            {"TIMESTAMP": f"{one.at:%Y-%m-%d %H:%M:%S.%f}0", "ContextTokens": one.input, "GeneratedTokens": one.output}
            for one in requests
            if not one.failed
        ]
    )


def own(requests: "tuple[Request, ...]") -> str:
    """A log of nobody's form, with nested fields and times that carry an offset."""
    rows = [
        {
            "when": (one.at + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S.%f+02:00"),
            "usage": {
                "in": one.input,
                "out": one.output,
                "hit": one.cached,
                "put": one.cache_write,
                "think": one.reasoning,
            },
            "llm": one.model,
            "team": one.team,
            "http": 429 if one.failed else 200,
        }
        for one in requests
    ]
    return lines(rows)


OWN = {
    "time": "when",
    "input": "usage.in",
    "output": "usage.out",
    "cached": "usage.hit",
    "cache_write": "usage.put",
    "reasoning": "usage.think",
    "model": "llm",
    "team": "team",
    "status": "http",
}
FORMS: dict[str, Callable[[tuple[Request, ...]], str]] = {
    "litellm.jsonl": litellm,
    "litellm.csv": litellm_csv,
    "langfuse.jsonl": langfuse,
    "langfuse.json": langfuse_array,
    "openai.json": openai_page,
    "openai.csv": openai_csv,
    "bedrock.jsonl": bedrock,
    "otlp.jsonl": otlp,
    "spans.jsonl": span_lines,
    "azure.csv": azure,
    "own.jsonl": own,
}


def lines(rows: list[dict[str, Any]]) -> str:
    """JSON lines."""
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def table(rows: list[dict[str, Any]]) -> str:
    """CSV with a header."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
