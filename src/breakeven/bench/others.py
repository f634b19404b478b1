"""Result files of other load generators: guidellm, genai-perf and aiperf, and `vllm bench serve`, by their own fields.

Read from files of real runs: guidellm 0.8.1 (report version 2), aiperf 0.13.0 (``JsonExportData`` 1.0) and `vllm bench
serve` of vLLM 0.33.0. By their sources alone: older forms of guidellm and aiperf, and genai-perf 0.0.16.
Fields that are not needed are not looked at.
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
    if concurrency is None and rate is None:
        raise ValueError("input_config does not say a concurrency or a request rate")
    count = _average(found, "request_count")
    tool = f"aiperf {version}" if version else "aiperf" if "schema_version" in document else "genai-perf"
    counted_by_the_server = _average(found, "usage_prompt_tokens")  # with its chat template, as it is billed
    return [
        Point(
            mode="closed" if rate is None else "open",
            input_tokens=counted_by_the_server or float(found["input_sequence_length"]["avg"]),
            output_tokens=float(found["output_sequence_length"]["avg"]),
            concurrency=concurrency if rate is None else None,
            request_rate_per_s=rate,
            requests=None if count is None else int(count),
            failed=_aiperf_failed(document, found),
            output_tokens_per_s=float(found["output_token_throughput"]["avg"]),
            ttft_s=_of_unit(found["time_to_first_token"]),
            tpot_s=_of_unit(found["inter_token_latency"]) if "inter_token_latency" in found else None,
            model=_aiperf_model(config),
            on=_day(str(document.get("start_time") or "")[:10], "%Y-%m-%d"),
            tool=tool,
        )
    ]


def _aiperf_load(config: Json) -> tuple[float | None, float | None]:
    """Concurrency and rate.

    Since 0.13 a run has phases, of which the warm-up is not measured. Before, they stood wherever the version had
    them: aiperf says that the form of its ``input_config`` is not stable.
    """
    phases = [phase for phase in config.get("phases") or () if not phase.get("exclude_from_results")]
    if len(phases) > 1:
        raise ValueError("input_config has several measured phases, and the figures are of all together")
    if phases:
        return _first(phases[0], "concurrency"), _first(phases[0], "rate")
    return _first(config, "concurrency"), _first(config, "request_rate")


def _aiperf_failed(document: Json, found: Json) -> int | None:
    """How many failed: a figure that is left out where none did, which the empty list of errors then says."""
    failed = _average(found, "error_request_count")
    if failed is not None:
        return int(failed)
    return 0 if document.get("error_summary") == [] else None


def _average(found: Json, name: str) -> float | None:
    told = (found.get(name) or {}).get("avg")
    return None if told is None else float(told)


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
    """The model's name: in ``models`` since 0.13."""
    models = config.get("models")
    if isinstance(models, dict) and models.get("items"):
        return str(models["items"][0].get("name") or "")
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
