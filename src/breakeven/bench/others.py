"""Result files of other load generators: guidellm, genai-perf and aiperf, and `vllm bench serve`, by their own fields.

Read at: guidellm 0.6 to 0.8 (``GenerativeBenchmarksReport``, report versions 1 and 2), aiperf's ``JsonExportData``
1.0 and genai-perf 0.0.16's JSON export, which it follows, and vLLM's ``benchmarks/serve.py`` of 2026. Fields that are
not needed are not looked at.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec

from breakeven.bench.rows import Point
from breakeven.errors import SpecError
from breakeven.units import MILLISECONDS_PER_SECOND

Json = Mapping[str, Any]
KNOWN = (
    "a result file of guidellm (benchmarks.json), genai-perf or aiperf (profile_export_*.json), or `vllm bench serve`"
)
OPEN_STRATEGIES = ("constant", "poisson", "async")
IN_MS = {"ms": MILLISECONDS_PER_SECOND, "s": 1, "sec": 1, "us": 1e6, "ns": 1e9}


def read_results(path: Path) -> tuple[Point, ...]:
    """The measurements in a result file, whichever of the tools wrote it.

    Raises:
        SpecError: the file cannot be read, is of none of them, or lacks a figure that a row needs.
    """
    try:
        raw = path.read_bytes()
    except OSError as wrong:
        raise SpecError(f"{path} cannot be read: {wrong.strerror}", expected=KNOWN, do="Check the path") from wrong
    try:
        documents = list(_documents(raw))
    except msgspec.MsgspecError as wrong:
        raise SpecError(f"{path} is no JSON: {wrong}", expected=KNOWN, do="Name another file") from wrong
    points: list[Point] = []
    for document in documents:
        read = _reader(document)
        if read is None:
            raise SpecError(
                f"{path} is of no load generator that is known here", expected=KNOWN, do="Name another file"
            )
        try:
            points += read(document)
        except (KeyError, TypeError, ValueError) as wrong:
            raise SpecError(
                f"{path} lacks a figure: {type(wrong).__name__} {wrong}",
                expected=KNOWN + ", of a run that streamed its answers",
                do="Run it again with streaming, and without an error",
            ) from wrong
    if not points:
        raise SpecError(f"{path} holds no run", expected=KNOWN, do="Name another file")
    return tuple(points)


def _documents(raw: bytes) -> Iterator[Any]:
    """One document, or one a line: `vllm bench serve --append-result` writes so."""
    try:
        yield msgspec.json.decode(raw)
    except msgspec.DecodeError:
        lines = [line for line in raw.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        for line in lines:
            yield msgspec.json.decode(line)


def _reader(document: Any) -> Any:  # noqa: ANN401 - JSON in, a function out
    if not isinstance(document, dict):
        return None
    if isinstance(document.get("benchmarks"), list):
        return _guidellm
    if "output_throughput" in document and "mean_ttft_ms" in document:
        return _vllm
    if "output_token_throughput" in (document.get("records") or document):
        return _aiperf
    return None


def _vllm(document: Json) -> list[Point]:
    completed = int(document["completed"])
    if not completed:
        return []
    rate, most = document.get("request_rate"), document.get("max_concurrency")
    paced = isinstance(rate, int | float)
    concurrency = None if paced else most or document.get("num_prompts")
    return [
        Point(
            mode="open" if paced else "closed",
            input_tokens=document["total_input_tokens"] / completed,
            output_tokens=document["total_output_tokens"] / completed,
            concurrency=concurrency,
            request_rate_per_s=float(rate) if isinstance(rate, int | float) else None,
            requests=completed,
            failed=document.get("failed"),
            output_tokens_per_s=document["output_throughput"],
            ttft_s=_seconds(document["mean_ttft_ms"]),
            tpot_s=_seconds(document["mean_tpot_ms"]) or None,
            model=str(document.get("model_id", "")),
            on=_day(str(document.get("date", ""))[:8], "%Y%m%d"),
            tool="vllm bench serve",
        )
    ]


def _guidellm(document: Json) -> list[Point]:
    version = (document.get("metadata") or {}).get("guidellm_version", "")
    return [
        _guidellm_run(run, f"guidellm {version}".strip(), _guidellm_model(document))
        for run in document["benchmarks"]
        if run["metrics"]["request_totals"]["successful"]
    ]


def _guidellm_run(run: Json, tool: str, model: str) -> Point:
    metrics = run["metrics"]
    totals = metrics["request_totals"]
    strategy = (run.get("config") or {}).get("strategy") or {}
    paced = strategy.get("type_") in OPEN_STRATEGIES
    concurrency = strategy.get("streams") or strategy.get("max_concurrency")
    if strategy.get("type_") == "synchronous":
        concurrency = 1
    started = run.get("start_time")
    return Point(
        mode="open" if paced else "closed",
        input_tokens=_good(metrics, "prompt_token_count"),
        output_tokens=_good(metrics, "output_token_count"),
        concurrency=None if paced else float(concurrency or _good(metrics, "request_concurrency")),
        request_rate_per_s=float(strategy["rate"]) if paced else None,
        requests=totals["successful"],
        failed=totals.get("errored"),
        output_tokens_per_s=_good(metrics, "output_tokens_per_second"),
        ttft_s=_seconds(_good(metrics, "time_to_first_token_ms")),
        tpot_s=_seconds(_good(metrics, "inter_token_latency_ms")) or None,  # theirs per output token counts the first
        model=model,
        on=datetime.fromtimestamp(started, UTC).date() if started else None,
        tool=tool,
    )


def _good(metrics: Json, name: str) -> float:
    return float(metrics[name]["successful"]["mean"])


def _guidellm_model(document: Json) -> str:
    told = document.get("args") or (document.get("config") or {}).get("spec") or {}  # report versions 1 and 2
    backend = told.get("backend_kwargs") or told.get("backend") or {}
    backend = backend if isinstance(backend, dict) else {}
    return str(told.get("model") or backend.get("model") or "")


def _aiperf(document: Json) -> list[Point]:
    config = document.get("input_config") or {}
    concurrency, rate = _aiperf_load(config)
    version, found = document.get("aiperf_version"), document.get("records") or document
    count = (found.get("request_count") or {}).get("avg")
    failed = (found.get("error_request_count") or {}).get("avg")
    if concurrency is None and rate is None:
        raise ValueError("input_config does not say a concurrency or a request rate")
    tool = f"aiperf {version}" if version else "aiperf" if "schema_version" in document else "genai-perf"
    return [
        Point(
            mode="closed" if rate is None else "open",
            input_tokens=float(found["input_sequence_length"]["avg"]),
            output_tokens=float(found["output_sequence_length"]["avg"]),
            concurrency=concurrency if rate is None else None,
            request_rate_per_s=rate,
            requests=None if count is None else int(count),
            failed=None if failed is None else int(failed),
            output_tokens_per_s=float(found["output_token_throughput"]["avg"]),
            ttft_s=_of_unit(found["time_to_first_token"]),
            tpot_s=_of_unit(found["inter_token_latency"]),
            model=_aiperf_model(config),
            on=_day(str(document.get("start_time") or "")[:10], "%Y-%m-%d"),
            tool=tool,
        )
    ]


def _aiperf_load(config: Any) -> tuple[float | None, float | None]:  # noqa: ANN401 - a JSON value
    """Concurrency and rate, wherever they stand: aiperf says that the form of its ``input_config`` is not stable."""
    return _first(config, "concurrency"), _first(config, "request_rate")


def _first(part: Any, name: str) -> float | None:  # noqa: ANN401 - a JSON value
    """The first number of that name, or the only one of a list: genai-perf writes a concurrency so."""
    if isinstance(part, dict):
        value = part.get(name)
        if isinstance(value, list) and len(value) == 1:
            (value,) = value
        if isinstance(value, int | float) and value:
            return float(value)
        part = list(part.values())
    found = (_first(one, name) for one in part) if isinstance(part, list) else iter(())
    return next((one for one in found if one is not None), None)


def _aiperf_model(config: Json) -> str:
    names = (config.get("endpoint") or {}).get("model_names") or config.get("model_names") or config.get("model") or ""
    return str(names[0] if isinstance(names, list) and names else names or "")


def _of_unit(told: Json) -> float:
    return float(told["avg"]) / IN_MS[told.get("unit", "ms")]


def _seconds(milliseconds: float) -> float:
    return float(milliseconds) / MILLISECONDS_PER_SECOND


def _day(text: str, form: str) -> date | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC).date()
    except ValueError:
        return None
