"""Runs in the peer's own Python: reads what is asked as JSON, writes what it predicts. See ``bench_accuracy.py``.

One line of output a row: ``id``, ``ttft_s``, ``tpot_s``, ``output_tokens_per_s`` and the ``version`` of the kernel
times, or ``why`` there is no prediction. ``full``: the peer warns that so many requests do not fit.
"""

import functools
import json
import logging
import sys
from typing import Any

import yaml

# The peer reads hundreds of small YAML files in every call. The C parser reads the same, twenty times as fast.
yaml.safe_load = functools.partial(yaml.load, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))

from aiconfigurator.cli import api  # type: ignore[import-not-found]  # noqa: E402
from aiconfigurator.sdk import perf_database  # type: ignore[import-not-found]  # noqa: E402

perf_database.get_latest_database_version = functools.cache(perf_database.get_latest_database_version)
BATCHES = tuple(2**n for n in range(11, -1, -1))
"""Tried from the largest on, where a run hands everything over at once."""
BATCHES_ASKED = 3
TOKENS_A_STEP = 8192
MILLISECONDS_PER_SECOND = 1000.0


def told(found: Any, clients: int) -> dict[str, Any]:  # noqa: ANN401 - the peer's own type
    """A prediction in seconds; tokens/s as the table has them: clients x o / (TTFT + (o - 1) TPOT)."""
    ttft_s, tpot_s = found.ttft / MILLISECONDS_PER_SECOND, found.tpot / MILLISECONDS_PER_SECOND
    whole_s = ttft_s + max(found.osl - 1, 0) * tpot_s
    return {
        "ttft_s": ttft_s,
        "tpot_s": tpot_s,
        "output_tokens_per_s": clients * found.osl / whole_s,
        "version": found.backend_version,
        "full": bool(getattr(found, "kv_cache_warning", None)),
    }


def most(way: dict[str, Any]) -> dict[str, Any]:
    """The most tokens/s of the largest batches that fit, as the peer's own search looks for it."""
    problem: Exception | None = None
    limit = way["batch_size"] or BATCHES[0]
    rates: list[tuple[float, str]] = []
    fitting = 0
    for batch in (limit, *(size for size in BATCHES if size < limit)):
        before = len(rates)
        for tokens in sorted({way["isl"], max(TOKENS_A_STEP, way["isl"])}):
            try:
                found = api.cli_estimate(**(way | {"batch_size": batch, "ctx_tokens": tokens}))
            except Exception as why:  # whatever the peer cannot do is told, not mended
                problem = problem or why
                continue
            if not found.kv_cache_warning:
                rates.append((found.raw["tokens/s"], found.backend_version))
        fitting += len(rates) > before
        if fitting == BATCHES_ASKED:
            break
    if not rates:
        raise problem or RuntimeError("no batch fits")
    rate, version = max(rates)
    return {"ttft_s": None, "tpot_s": None, "output_tokens_per_s": rate, "version": version, "full": False}


def predicted(asked: dict[str, Any]) -> dict[str, Any]:
    """The first way that works."""
    problems = []
    for number, way in enumerate(asked["ways"]):
        try:
            if asked["kind"] == "most":
                return {"id": asked["id"], "way": number} | most(way)
            mode = {"agg": "agg", "static": "static"}[asked["kind"]]
            found = api.cli_estimate(mode=mode, **way)
            clients = way["batch_size"] * way["attention_dp_size"] * way.get("pp_size", 1)
            return {"id": asked["id"], "way": number} | told(found, clients)
        except Exception as why:  # whatever the peer cannot do is told, not mended
            problems.append(f"{type(why).__name__}: {why}"[:200])
    return {"id": asked["id"], "why": problems}


def main() -> None:
    """Answer every line of the standard input."""
    logging.disable(logging.CRITICAL)
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        print(json.dumps(predicted(json.loads(line))), file=out, flush=True)


if __name__ == "__main__":
    main()
