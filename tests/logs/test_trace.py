"""A log as a trace: its requests one by one, and more or less of the same traffic."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.errors import SpecError
from breakeven.logs import trace as traces
from breakeven.logs.log import Asked, Log
from breakeven.logs.trace import Trace, read_trace, scaled

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:50.5000000,396,109
2023-11-16 18:15:46.0000000,374,44
2023-11-16 18:15:46.0000000,100,1
2023-11-16 18:16:46.2500000,879,0
"""


def read(path, **how):
    with Log(Asked(paths=(path,), **{"zone": "UTC"} | how)) as log:
        return read_trace(log)


def steady(count=1000, gap_s=1.0):
    return Trace(
        at_s=np.arange(count) * gap_s,
        input=np.arange(count, dtype=np.float64),
        cached=np.zeros(count),
        output=np.arange(count, dtype=np.float64) * 2,
    )


def test_requests_stand_in_order_of_time_from_the_first_one(logged):
    found = read(logged("azure.csv", AZURE))
    assert found.at_s.tolist() == [0.0, 0.0, 4.5, 60.25]
    assert found.input.tolist() == [100.0, 374.0, 396.0, 879.0]
    assert found.output.tolist() == [1.0, 44.0, 109.0, 0.0]
    assert found.layouts == ("Azure LLM inference trace",)
    assert (found.span_s, found.requests_per_s) == (60.25, 4 / 60.25)


def test_a_log_that_counts_from_its_own_beginning_has_no_date(logged):
    rows = [{"timestamp": 1000 * n, "input_length": 10, "output_length": 5, "hash_ids": [n]} for n in range(3)]
    found = read(logged("kimi.jsonl", "\n".join(json.dumps(row) for row in rows)))
    assert found.at_s.tolist() == [0.0, 1.0, 2.0]
    assert found.first_us is None


def test_what_failed_or_cannot_be_read_is_told_and_not_replayed(logged):
    text = AZURE + "2023-11-16 18:17:00.0000000,-5,1\n"
    found = read(logged("azure.csv", text))
    assert len(found.at_s) == 4
    assert "negative" in found.problems[0].reason


def test_cached_tokens_are_read_where_the_log_has_them(logged):
    text = "time,input,output,cached\n2026-01-01T00:00:00Z,100,5,60\n2026-01-01T00:00:01Z,100,5,0\n"
    columns = {"time": "time", "input": "input", "output": "output", "cached": "cached"}
    assert read(logged("own.csv", text), columns=columns).cached.tolist() == [60.0, 0.0]


def test_a_log_without_different_times_is_no_trace(logged):
    text = AZURE.splitlines()[0] + "\n" + "2023-11-16 18:15:46.0000000,374,44\n" * 3
    with pytest.raises(SpecError, match="all 3 requests of the log have the same time"):
        read(logged("azure.csv", text))


def test_rows_that_are_sums_of_requests_are_no_trace(logged):
    text = "time,input,output,requests\n2026-01-01T00:00:00Z,1000,50,10\n2026-01-01T01:00:00Z,1000,50,12\n"
    columns = {"time": "time", "input": "input", "output": "output", "requests": "requests"}
    with pytest.raises(SpecError, match="sums of many requests"):
        read(logged("sums.csv", text), columns=columns)


def test_more_requests_than_memory_holds_are_refused_before_they_are_read(logged, monkeypatch):
    monkeypatch.setattr(traces, "MOST_REQUESTS", 3)
    with pytest.raises(SpecError, match="the log has about 4 requests"):
        read(logged("azure.csv", AZURE))
    with pytest.raises(SpecError, match=r"--scale 4 gives 8 requests"):
        scaled(steady(2), 4.0, seed=0)


@settings(max_examples=30)
@given(factor=st.floats(0.05, 6.0), seed=st.integers(0, 1000))
def test_the_traffic_is_scaled_and_requests_keep_their_tokens_together(factor, seed):
    found = scaled(steady(), factor, seed)
    assert len(found.at_s) == pytest.approx(1000 * factor, abs=5 * np.sqrt(1000) + 1)
    assert np.all(np.diff(found.at_s) >= 0)
    assert found.at_s[0] == 0
    assert found.span_s <= steady().span_s
    assert np.array_equal(found.output, found.input * 2)


def test_the_same_seed_draws_the_same_traffic():
    assert np.array_equal(scaled(steady(), 2.5, 7).at_s, scaled(steady(), 2.5, 7).at_s)
    assert not np.array_equal(scaled(steady(), 2.5, 7).at_s, scaled(steady(), 2.5, 8).at_s)


def test_copies_are_shifted_so_that_a_burst_is_not_multiplied():
    burst = Trace(
        at_s=np.concatenate([np.full(100, 1000.0), np.linspace(0, 3600, 100)]),
        input=np.ones(200),
        cached=np.zeros(200),
        output=np.ones(200),
    )
    found = scaled(burst, 5.0, seed=1)
    busiest = np.bincount(found.at_s.astype(int)).max()
    assert len(found.at_s) == 1000
    assert 100 <= busiest < 200


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_a_factor_that_is_none_is_refused(factor):
    with pytest.raises(SpecError, match="a number above 0"):
        scaled(steady(), factor, 0)


def test_a_factor_that_leaves_nothing_is_refused():
    with pytest.raises(SpecError, match="leaves"):
        scaled(steady(3), 1e-6, 0)
