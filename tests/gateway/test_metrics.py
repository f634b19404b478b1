"""Prometheus metrics: what is counted, that it stays bounded, and that Prometheus can read it."""

import contextlib
import json
import threading
import time
from decimal import Decimal
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from tests.gateway.scripted import CHAT, SOON_S

from breakeven.gateway.app import Gateway
from breakeven.gateway.config import GatewayFile, UpstreamEntry
from breakeven.gateway.connect import upstreams_of
from breakeven.gateway.door import Door
from breakeven.gateway.metrics import Live, Metrics
from breakeven.gateway.observed import Observed, shown
from breakeven.gateway.open_books import OpenBooks
from breakeven.gateway.pricing import prices_of
from breakeven.gateway.records import UsageRecord
from breakeven.gateway.rules import rules_of
from breakeven.gateway.serve import listening_socket, server_of


def record(**more) -> UsageRecord:
    base = {"id": "r", "at_us": 0, "path": "/v1/chat/completions", "model": "m", "upstream": "u", "status": 200}
    return UsageRecord(**(base | {"outcome": "complete", "duration_s": 0.2, "attempts": 1} | more))


def read(metrics: Metrics) -> dict[tuple, float]:
    """Every sample by its name and labels."""
    text, content_type = metrics.exposed()
    assert content_type.startswith("text/plain")
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def at_(samples: dict[tuple, float], name: str, **labels: str) -> float:
    return samples[(name, *sorted(labels.items()))]


U = {"model": "m", "upstream": "u"}


def test_requests_are_counted_by_how_they_ended():
    metrics = Metrics(["m"])
    for status, outcome in [(200, "complete"), (200, "complete"), (499, "cut_by_client")]:
        metrics.observe(record(status=status, outcome=outcome))
    samples = read(metrics)
    assert at_(samples, "breakeven_requests_total", **U, status="200", outcome="complete") == 2
    assert at_(samples, "breakeven_requests_total", **U, status="499", outcome="cut_by_client") == 1
    assert at_(samples, "breakeven_attempts_total", **U) == 3


def test_tokens_are_counted_by_kind():
    metrics = Metrics(["m"])
    for _ in range(2):
        metrics.observe(
            record(
                input_tokens=10, cached_input_tokens=4, cache_write_tokens=3, output_tokens=7, reasoning_tokens=5,
                tokens_basis="upstream",
            )
        )  # fmt: skip
    samples = read(metrics)
    kinds = {"input": 20, "cached_input": 8, "cache_write": 6, "output": 14, "reasoning": 10}
    assert {kind: at_(samples, "breakeven_tokens_total", **U, kind=kind) for kind in kinds} == kinds
    assert at_(samples, "breakeven_requests_uncounted_total", **U) == 0


def test_what_is_unknown_is_counted_apart_and_not_as_nothing():
    metrics = Metrics(["m"])
    metrics.observe(record(cost_pico_usd=None))
    metrics.observe(record(cost_pico_usd=0, cost_basis="nothing sent", input_tokens=3))
    samples = read(metrics)
    assert at_(samples, "breakeven_requests_unpriced_total", **U) == 1
    assert at_(samples, "breakeven_requests_uncounted_total", **U) == 1


@given(st.lists(st.integers(0, 10**15), max_size=30))
def test_dollars_add_up_exactly_until_they_are_written(costs):
    metrics = Metrics(["m"])
    for cost in costs:
        metrics.observe(record(cost_pico_usd=cost))
    if costs:
        assert at_(read(metrics), "breakeven_cost_usd_total", **U) == sum(costs) / 10**12


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=40))
def test_a_bucket_holds_what_is_not_longer_than_its_bound(seconds):
    metrics = Metrics(["m"])
    for duration_s in seconds:
        metrics.observe(record(duration_s=duration_s, ttft_s=duration_s / 2))
    samples = read(metrics)
    for name, values in {"duration": seconds, "ttft": [value / 2 for value in seconds]}.items():
        buckets = {
            labels: count for labels, count in samples.items() if labels[0] == f"breakeven_{name}_seconds_bucket"
        }
        assert len(buckets) == 16
        for (_, (_, bound), *_), count in buckets.items():
            assert count == sum(value <= float(bound) for value in values), bound
        assert at_(samples, f"breakeven_{name}_seconds_count", **U) == len(values)
        assert at_(samples, f"breakeven_{name}_seconds_sum", **U) == pytest.approx(sum(values))


def test_an_answer_that_never_began_has_no_time_to_its_first_byte():
    metrics = Metrics(["m"])
    metrics.observe(record(status=502, outcome="failed", ttft_s=None))
    assert at_(read(metrics), "breakeven_ttft_seconds_count", **U) == 0


def test_models_that_nobody_configured_share_one_series():
    metrics = Metrics(["m"])
    metrics.observe(record())
    for number in range(1000):
        metrics.observe(record(model=f'x"\n{{}}{number}', upstream=None, status=404, outcome="refused"))
    metrics.observe(record(model=None, upstream=None, status=400, outcome="refused"))
    samples = read(metrics)
    nobody = {"model": "other", "upstream": "none", "outcome": "refused"}
    assert at_(samples, "breakeven_requests_total", **nobody, status="404") == 1000
    assert at_(samples, "breakeven_requests_total", **nobody, status="400") == 1
    assert len(samples) < 120


def test_the_moment_is_asked_for_when_the_metrics_are_read():
    now = [Live()]
    metrics = Metrics([], lambda: now[0])
    assert at_(read(metrics), "breakeven_queued") == 0
    now[0] = Live(
        in_flight={"own": 3, "api": 0}, queued=2, breakers={"own": "open", "api": "closed"}, records_waiting=5,
        records_lost=1, idle_usd={"own": 1.25},
    )  # fmt: skip
    samples = read(metrics)
    assert at_(samples, "breakeven_in_flight", upstream="own") == 3
    assert at_(samples, "breakeven_in_flight", upstream="api") == 0
    assert at_(samples, "breakeven_queued") == 2
    assert at_(samples, "breakeven_records_waiting") == 5
    assert at_(samples, "breakeven_records_lost_total") == 1
    assert at_(samples, "breakeven_idle_usd_total", upstream="own") == 1.25
    states = {state: at_(samples, "breakeven_breaker", upstream="own", state=state) for state in ("closed", "open")}
    assert states == {"closed": 0, "open": 1}


def test_a_collector_that_asks_for_openmetrics_gets_it():
    metrics = Metrics(['a"b\\c\n'])
    metrics.observe(record(model='a"b\\c\n'))
    text, content_type = metrics.exposed("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    names = {sample.labels.get("model") for family in openmetrics(text.decode()) for sample in family.samples}
    assert 'a"b\\c\n' in names


def test_adding_a_record_up_costs_next_to_nothing():
    metrics, one = Metrics(["m"]), record(input_tokens=1, output_tokens=1, cost_pico_usd=1, ttft_s=0.1)
    began = time.process_time()
    for _ in range(20_000):
        metrics.observe(one)
    assert (time.process_time() - began) / 20_000 < 20e-6, "2 us where it was measured; the bound is generous"


def test_a_running_gateway_shows_what_it_did_and_does(upstream, shipped):
    own = UpstreamEntry(url=upstream.url, concurrency=4, usd_per_hour=Decimal(3600))
    rules = rules_of(GatewayFile(upstreams={"own": own}, models={"chat": ("own",)}))
    metrics = Metrics(["chat"], lambda: shown(door, waiting=3))
    ledger = Observed(OpenBooks(), [metrics.observe])
    door = Door(rules=rules, upstreams=upstreams_of(rules), ledger=ledger, prices=prices_of(shipped))
    listener, ready = listening_socket("127.0.0.1", 0), threading.Event()
    server = server_of(Gateway(door, mounts={"/metrics": metrics}), rules.limits, ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert ready.wait(SOON_S)
    at = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        for model, status in [("chat", 200), ("nobody's", 404)]:
            request = Request(f"{at}/v1/chat/completions", json.dumps({**CHAT, "model": model}).encode())
            with contextlib.suppress(HTTPError):
                assert urlopen(request, timeout=SOON_S).status == status
        with urlopen(f"{at}/metrics", timeout=SOON_S) as reply:
            told = reply.read().decode()
    finally:
        server.should_exit = True
        thread.join(SOON_S)
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
    }
    chat = {"model": "chat", "upstream": "own"}
    assert at_(samples, "breakeven_requests_total", **chat, status="200", outcome="complete") == 1
    assert at_(samples, "breakeven_tokens_total", **chat, kind="input") == 20
    assert at_(samples, "breakeven_cost_usd_total", **chat) > 0
    assert (
        at_(samples, "breakeven_requests_total", model="other", upstream="none", status="404", outcome="refused") == 1
    )
    assert at_(samples, "breakeven_in_flight", upstream="own") == 0
    assert at_(samples, "breakeven_breaker", upstream="own", state="closed") == 1
    assert at_(samples, "breakeven_records_waiting") == 3
    assert at_(samples, "breakeven_idle_usd_total", upstream="own") > 0
