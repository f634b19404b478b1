import msgspec
import pytest

from breakeven import Workload
from breakeven.workload.policy import Stated
from breakeven.workload.profile import Burstiness, Slo
from breakeven.workload.usage import TokenMix, TokenUsage

WORK = Workload.of(requests_per_day=100_000, input_tokens=500, output_tokens=100)


@pytest.fixture
def said(plan_small):
    """The assumptions of a plan, as one text."""
    return lambda workload=WORK, **fields: "\n".join(plan_small(workload, **fields).assumptions)


def test_what_the_workload_took_for_granted_is_told(said):
    assert "no hourly profile given" in said()


def test_a_plan_of_paid_apis_alone_tells_nothing_about_machines(said):
    assert "head-room" not in said(kinds=("api",))
    assert "no hourly profile given" in said(kinds=("api",))


def test_speeds_that_nobody_measured_are_told_to_be_predicted(said):
    assert "predicted" in said()
    assert "extrapolated" in said()


def test_a_stated_response_time_is_told_instead(said):
    text = said(stated=Stated(response_s=5.0, concurrency=2))
    assert "5 s a response, 2 at a time" in text
    assert "extrapolated" not in text


def test_a_missing_target_is_told_and_a_named_one_is_not_called_missing(said):
    target = msgspec.structs.replace(WORK, slo=Slo(ttft_s=5.0))
    assert "no latency target" in said()
    assert "no latency target" not in said(target)


def test_the_promise_of_the_queue_names_its_quantile(said):
    assert "p95" in said()
    assert "p99.9" in said(msgspec.structs.replace(WORK, slo=Slo(quantile=0.999)))
    assert "the wait for a place included" in said(msgspec.structs.replace(WORK, slo=Slo(ttft_s=9.0)))


def test_arrivals_that_nobody_described_are_taken_as_independent_and_the_plan_says_so(said):
    assert "taken as independent" in said()
    stated = said(msgspec.structs.replace(WORK, burstiness=Burstiness(gap_variation=1.5, rate_variation=0.2)))
    assert "taken as independent" not in stated
    assert "1.5 of its mean, and the rate by 20%" in stated
    assert "for how long it stays is not known" in stated
    known = Burstiness(rate_variation=0.2, rate_stays_s=90)
    assert "it stays for 90 s on average" in said(msgspec.structs.replace(WORK, burstiness=known))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "hour by hour, at least 1 replica;"),
        ({"scaling": "fixed"}, "fixed at the busiest hour"),
        ({"min_replicas": 2}, "at least 2 replicas;"),
    ],
)
def test_how_the_fleet_follows_the_traffic_is_told(said, fields, words):
    assert words in said(**fields)


def test_a_prefix_cache_of_ones_own_is_told_where_input_is_cached(said):
    cached = msgspec.structs.replace(WORK, mix=TokenMix.of(TokenUsage(input=500, cached_input=300, output=100)))
    assert "prefix cache" in said(cached)
    assert "prefix cache" not in said()
