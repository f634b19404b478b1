"""What is measured, against the same figures worked out in another way."""

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.logs.forms import FORMS, MONDAY, Request, lines, table

from breakeven.logs.histogram import BINS_PER_OCTAVE, Histogram
from breakeven.logs.shapes import kinds, moments, quantiles
from breakeven.logs.specs import name_of, shape_lines, spec_text
from breakeven.workload.spec import read_specs

WITHIN = 0.05
"""The stated error of the median and the 95th percentile of the kinds of request."""


def _binned(into, out) -> Histogram:
    """The histogram that the engines give, by NumPy."""

    def bins(tokens):
        return np.where(tokens <= 0, -1, np.floor(np.log2(tokens + 0.5) * BINS_PER_OCTAVE)).astype(np.int64)

    cells, place = np.unique(np.stack([bins(into), bins(out)]), axis=1, return_inverse=True)

    def sums(weights):
        return np.bincount(place.reshape(-1), weights=weights).astype(np.int64)

    ones, none = np.ones(len(into)), np.zeros(cells.shape[1], dtype=np.int64)
    names = {"rows": ones, "requests": ones, "input": into, "output": out}
    absent = dict.fromkeys(("cached", "cache_write", "reasoning", "retries"), none)
    return Histogram(
        group=(),
        input_bin=cells[0],
        output_bin=cells[1],
        side=none,
        sums={name: sums(weights) for name, weights in names.items()} | absent,
        input_x_output=sums(into * out).astype(float),
        output_squared=sums(out * out).astype(float),
        arrivals_us=none,
        arrivals=none,
        first_us=0,
        last_us=1,
        longest_span_us=0,
        failed=0,
    )


def _quantile(values, shares, wanted):
    order = np.argsort(values)
    return values[order][np.searchsorted(np.cumsum(shares[order]), wanted - 1e-12)]


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.8])
def test_the_kinds_keep_means_exactly_and_quantiles_and_moments_closely(correlation):
    draw = np.random.default_rng(11)
    normal = draw.multivariate_normal((6.6, 5.0), [[1.0, correlation * 0.9], [correlation * 0.9, 0.81]], 50_000)
    into, out = (np.exp(normal).astype(int) + 1).astype(float).T
    mix = kinds(_binned(into, out))
    shares = np.array([kind.share for kind in mix])
    assert len(mix) <= 25
    assert shares.sum() == pytest.approx(1)
    for name, tokens in (("input", into), ("output", out)):
        values = np.array([getattr(kind, name) for kind in mix])
        assert shares @ values == pytest.approx(tokens.mean(), rel=1e-12)
        for wanted in (0.5, 0.95):
            assert _quantile(values, shares, wanted) == pytest.approx(np.quantile(tokens, wanted), rel=WITHIN)
    product, square = moments(mix)
    assert product == pytest.approx((into * out).mean(), rel=0.15 if correlation > 0 else 0.05)
    assert 0.75 < square / (out * out).mean() <= 1


def test_two_averages_would_hide_what_the_kinds_keep():
    """Long prompts with short answers: E[input x output] is far from the product of the means."""
    into, out = np.array([100.0, 10_000.0] * 500), np.array([1000.0, 10.0] * 500)
    product, _ = moments(kinds(_binned(into, out)))
    assert product == pytest.approx(100_000)
    assert into.mean() * out.mean() > 20 * product


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**5)), min_size=1, max_size=200))
def test_any_log_gives_kinds_whose_shares_and_means_add_up(tokens):
    into, out = (np.array(column, dtype=float) for column in zip(*tokens, strict=True))
    mix = kinds(_binned(into, out))
    assert math.fsum(kind.share for kind in mix) == pytest.approx(1)
    assert math.fsum(kind.share * kind.input for kind in mix) == pytest.approx(into.mean())
    assert math.fsum(kind.share * kind.output for kind in mix) == pytest.approx(out.mean())


@given(st.lists(st.integers(1, 10**6), min_size=20, max_size=300), st.sampled_from([0.5, 0.9, 0.95]))
def test_a_quantile_is_off_by_less_than_a_bin(tokens, wanted):
    found = _binned(np.array(tokens, dtype=float), np.ones(len(tokens)))
    (estimate,) = quantiles(found.input_bin, found.sums["requests"], found.sums["input"], [wanted])
    low, high = np.quantile(tokens, [wanted], method="lower"), np.quantile(tokens, [wanted], method="higher")
    assert low[0] / 1.045 - 1 <= estimate <= high[0] * 1.045 + 1


def test_long_prompts_have_kinds_of_their_own_where_a_price_begins(logged, asked, small_catalogue):
    thresholds = sorted({row.above_input_tokens for row in small_catalogue.tables.api_prices} - {0})
    limit = thresholds[0]
    requests = tuple(Request(n, "m", limit - 1 if n % 10 else limit + 1, 5) for n in range(200))
    mix = asked(logged("a.csv", FORMS["azure.csv"](requests)), zone="UTC").workloads[0].kinds
    assert {round(kind.input) for kind in mix} == {limit - 1, limit + 1}
    assert sum(kind.share for kind in mix if kind.input > limit) == pytest.approx(0.1)


def _every(step_s: float, count: int) -> tuple[Request, ...]:
    return tuple(Request(step_s * n, "m", 100, 10) for n in range(count))


def _traffic(logged, asked, requests):
    return asked(logged("a.csv", FORMS["azure.csv"](requests)), zone="UTC").workloads[0].traffic


def test_a_log_of_an_hour_gives_a_volume_and_says_what_it_cannot_tell(logged, asked):
    found = _traffic(logged, asked, _every(10, 360))
    assert found.requests_per_day == pytest.approx(8640, rel=0.005)
    assert found.profile is None
    assert any("the other hours of the day: it covers 60 minutes" in what for what in found.cannot_tell)


def test_a_log_of_three_days_gives_a_day_of_24_hours(logged, asked):
    requests = tuple(
        Request(86_400 * day + 3600 * hour + second, "m", 100, 10)
        for day in range(3)
        for hour in range(24)
        for second in range(0, 3600, 600 if hour < 12 else 200)
    )
    found = _traffic(logged, asked, requests)
    assert len(found.profile) == 24
    assert found.profile[:12] == pytest.approx([0.5] * 12, rel=0.03)
    assert found.profile[12:] == pytest.approx([1.5] * 12, rel=0.03)
    assert found.requests_per_day == pytest.approx(12 * 6 + 12 * 18, rel=0.01)
    assert any("the days of the week" in what for what in found.cannot_tell)


def test_a_log_of_ten_days_gives_a_week_and_weighs_each_weekday_once(logged, asked):
    """Monday to Wednesday occur twice; a plain mean would count them twice."""
    requests = tuple(
        Request(86_400 * day + 3600 * hour, "m", 100, 10)
        for day in range(10)
        for hour in range(24)
        for _ in range(4 if day % 7 < 3 else 1)
    )
    found = _traffic(logged, asked, requests)
    assert len(found.profile) == 168
    assert found.requests_per_day == pytest.approx(24 * (3 * 4 + 4 * 1) / 7, rel=0.02)
    assert found.profile[0] / found.profile[100] == pytest.approx(4, rel=0.02)
    assert [what for what in found.cannot_tell if "too few" not in what] == []


def test_a_week_of_few_requests_says_that_its_hours_are_chance(logged, asked):
    few, many = (_traffic(logged, asked, _every(86_400 * 8 / count, count)) for count in (200, 2000))
    assert any("too few" in what for what in few.cannot_tell)
    assert many.cannot_tell == ()


def test_the_profile_begins_on_monday_at_midnight_utc(logged, asked):
    busy = tuple(Request(86_400 * 2 + 3600 * 5 + n, "m", 1, 1) for n in range(500))
    ends = (Request(0, "m", 1, 1), Request(86_400 * 7 - 1, "m", 1, 1))
    found = _traffic(logged, asked, (*ends, *busy))
    assert np.argmax(found.profile) == 2 * 24 + 5


def test_independent_arrivals_have_a_dispersion_and_a_gap_variation_of_1(logged, asked):
    draw = np.random.default_rng(5)
    requests = tuple(Request(float(at), "m", 1, 1) for at in np.sort(draw.uniform(0, 6 * 3600, 40_000)))
    found = _traffic(logged, asked, requests)
    assert found.dispersion_per_minute == pytest.approx(1, abs=0.15)
    assert found.gap_variation == pytest.approx(1, abs=0.02)
    assert found.rate_variation < 0.05


def test_a_rate_that_moves_within_the_hour_is_told_by_how_much(logged, asked):
    draw = np.random.default_rng(5)
    minutes = [np.sort(draw.uniform(60 * n, 60 * n + 60, 150 if n % 4 < 2 else 50)) for n in range(240)]
    found = _traffic(logged, asked, tuple(Request(float(at), "m", 1, 1) for at in np.concatenate(minutes)))
    assert found.rate_variation == pytest.approx(0.5, abs=0.03)  # 100 a minute, half as many more or fewer


@pytest.mark.parametrize("stays_s", [30.0, 120.0])
def test_a_log_of_a_day_tells_how_long_a_rate_stays_and_the_spec_says_it(logged, asked, stays_s):
    draw = np.random.default_rng(5)
    ends = np.cumsum(draw.exponential(stays_s, 20_000))
    ends = ends[: np.searchsorted(ends, 86_400) + 1]
    rates = 1.5 * np.maximum(1 + 0.5 * draw.standard_normal(len(ends)), 0.0)
    came = draw.poisson(rates * np.diff(ends, prepend=0.0))
    at_s = np.sort(np.repeat(ends, came) - np.repeat(np.diff(ends, prepend=0.0), came) * draw.random(came.sum()))
    path = logged("a.csv", FORMS["azure.csv"](tuple(Request(float(at), "m", 1, 1) for at in at_s)))
    found = asked(path, zone="UTC")
    assert found.workloads[0].traffic.rate_stays_s == pytest.approx(stays_s, rel=0.3)
    assert found.workloads[0].traffic.rate_variation == pytest.approx(0.5, rel=0.1)
    assert ", rate_stays_s: " in spec_text(found, [path])


def test_times_of_whole_seconds_are_no_bursts_and_a_slow_rate_is_told_as_one_that_moves(logged, asked):
    draw = np.random.default_rng(7)
    rates = np.repeat(np.tile([5.0, 15.0], 12), 600)  # for ten minutes each
    at_s = np.repeat(np.arange(len(rates)), draw.poisson(rates))
    found = _traffic(logged, asked, tuple(Request(float(at), "m", 1, 1) for at in at_s))
    assert found.gap_variation == pytest.approx(1, abs=0.1)
    assert found.rate_variation == pytest.approx(0.5, rel=0.25)


def test_requests_that_come_three_at_a_time_are_bursts_and_no_coarse_clock(logged, asked):
    draw = np.random.default_rng(7)
    at_s = np.repeat(np.round(np.sort(draw.uniform(0, 6 * 3600, 20_000)), 3), 3)
    found = _traffic(logged, asked, tuple(Request(float(at), "m", 1, 1) for at in at_s))
    assert found.gap_variation == pytest.approx(np.sqrt(5), rel=0.05)  # two gaps of three are nothing


def test_an_hour_is_too_short_to_tell_how_long_a_rate_stays(logged, asked):
    draw = np.random.default_rng(5)
    minutes = [np.sort(draw.uniform(60 * n, 60 * n + 60, draw.integers(50, 150))) for n in range(60)]
    found = _traffic(logged, asked, tuple(Request(float(at), "m", 1, 1) for at in np.concatenate(minutes)))
    assert found.rate_variation > 0.2
    assert found.rate_stays_s is None


def test_bursts_raise_both_and_the_rhythm_of_the_day_raises_neither(logged, asked):
    draw = np.random.default_rng(5)
    bursts = np.repeat(np.sort(draw.uniform(0, 6 * 3600, 2000)), 20) + draw.uniform(0, 0.5, 40_000)
    found = _traffic(logged, asked, tuple(Request(float(at), "m", 1, 1) for at in np.sort(bursts)))
    assert found.dispersion_per_minute > 5
    assert found.gap_variation > 3
    rates = np.repeat([2000, 200, 6000], [1, 1, 1])
    calm = np.concatenate([3600 * hour + draw.uniform(0, 3600, rate) for hour, rate in enumerate(rates)])
    found = _traffic(logged, asked, tuple(Request(float(at), "m", 1, 1) for at in np.sort(calm)))
    assert found.dispersion_per_minute == pytest.approx(1, abs=0.35)


def test_a_log_of_one_moment_has_no_volume_and_the_spec_says_so(logged, asked):
    path = logged("a.csv", FORMS["azure.csv"](_every(0, 5)))
    found = asked(path, zone="UTC")
    assert found.workloads[0].traffic.requests_per_day is None
    assert "# requests_per_day: the log cannot tell" in spec_text(found, [path])


def test_reusable_prefixes_are_the_blocks_that_came_earlier(logged, asked):
    """1,000 + 600 tokens; the second request repeats the first block of 512 and half fills its last."""
    rows = [
        {"timestamp": 0, "input_length": 1000, "output_length": 5, "hash_ids": [1, 2]},
        {"timestamp": 1000, "input_length": 600, "output_length": 5, "hash_ids": [1, 3]},
        {"timestamp": 2000, "input_length": 600, "output_length": 5, "hash_ids": [1, 3]},
    ]
    found = asked(logged("a.jsonl", lines(rows))).workloads[0]
    assert found.reusable_share == pytest.approx((512 + 600) / 2200, abs=1e-3)
    assert found.cached_share is None
    assert found.traffic.profile is None


def test_a_relative_time_beside_calendar_times_is_refused(logged, asked):
    relative = logged("a.jsonl", lines([{"timestamp": 0, "input_length": 1, "output_length": 1}]))
    with pytest.raises(ValueError, match="count time from their own beginning"):
        asked(relative, logged("b.jsonl", FORMS["litellm.jsonl"](_every(1, 3))))


def test_a_group_that_the_log_does_not_tell_is_refused_with_what_it_tells(logged, asked):
    path = logged("a.jsonl", FORMS["langfuse.jsonl"](_every(1, 3)))
    with pytest.raises(ValueError, match="one or more of model, provider, key, team, user, tier"):
        asked(path, groups=("colour",))
    with pytest.raises(ValueError, match="the log does not say key"):
        asked(path, groups=("key",))


def test_local_times_are_turned_into_utc_across_the_change_of_the_clock(logged, asked):
    """In Berlin the clock went back on 2026-10-25 at 03:00, so two hours on its face are three hours long."""
    rows = [{"t": time, "i": 1} for time in ("2026-10-25 01:30:00", "2026-10-25 03:30:00")]
    path = logged("a.csv", table(rows))
    found = asked(path, columns={"time": "t", "input": "i"}, zone="Europe/Berlin")
    assert found.period.length_us == timedelta(hours=3) / timedelta(microseconds=1)
    assert found.period.first_us == (MONDAY.replace(month=10, day=24, hour=23, minute=30)).timestamp() * 1e6


@pytest.mark.parametrize("unit", [1, 1e3, 1e6, 1e9])
def test_the_unit_of_a_number_of_time_is_told_by_its_size(unit, logged, asked):
    rows = [{"t": int(MONDAY.timestamp() * unit) + n, "i": 1} for n in range(2)]
    found = asked(logged("a.jsonl", lines(rows)), columns={"time": "t", "input": "i"})
    assert found.period.first_us == MONDAY.timestamp() * 1e6


def test_the_spec_reads_back_with_the_same_means_and_every_group(tmp_path, logged, asked):
    draw = np.random.default_rng(2)
    requests = tuple(
        Request(float(at), f"m{n % 3}", int(i) + 2, int(o), cached=int(i) // 2, cache_write=1, reasoning=int(o) // 3)
        for n, (at, i, o) in enumerate(
            zip(
                np.sort(draw.uniform(0, 86_400 * 9, 900)),
                draw.lognormal(7, 1, 900),
                draw.lognormal(4, 1, 900),
                strict=True,
            )
        )
    )
    path = logged("my log.jsonl", FORMS["otlp.jsonl"](requests))
    found = asked(path, groups=("model",))
    target = tmp_path / "spec.yaml"
    target.write_text(spec_text(found, [path]))
    specs = read_specs(target)
    assert [spec.name for spec in specs] == [name_of(one, [path]) for one in found.workloads]
    for spec, one in zip(specs, found.workloads, strict=True):
        workload = spec.workload({})
        assert workload.assumptions == ()
        assert len(workload.requests_per_hour) == 168
        assert workload.requests_per_day == pytest.approx(one.traffic.requests_per_day, rel=1e-3)
        mean = workload.mix.mean
        assert mean.input == pytest.approx(one.input.mean, rel=1e-6)
        assert mean.output == pytest.approx(one.output.mean, rel=1e-6)
        assert mean.cached_input == pytest.approx(one.cached_share * one.input.mean, rel=1e-5)
        assert mean.reasoning == pytest.approx(one.reasoning_share * one.output.mean, rel=1e-5)


def test_names_that_yaml_would_misread_are_quoted(tmp_path, logged, asked):
    requests = (Request(0, 'a: "b" #\n[c]', 1, 1), Request(60, "null", 1, 1))
    path = logged("a.jsonl", FORMS["langfuse.jsonl"](requests))
    target = tmp_path / "spec.yaml"
    target.write_text(spec_text(asked(path, groups=("model",)), [path]))
    assert {spec.name for spec in read_specs(target)} == {'a: "b" #\n[c]', "null"}


def test_the_comments_say_where_it_comes_from_and_what_was_not_usable(logged, asked):
    path = logged("a.csv", FORMS["azure.csv"](_every(10, 100)) + "2026-09-07 00:00:00,-1,1\n")
    text = spec_text(asked(path, zone="UTC"), [path])
    for said in (
        f"# Measured from {path} (Azure LLM inference trace).",
        "# 100 requests, 2026-09-07 00:00 to 2026-09-07 00:16 UTC (16 minutes).",
        f"# Not used: 1 row: a number of tokens is negative ({path} line 102).",
        "# The log does not say: cached tokens, reasoning, retries.",
    ):
        assert said in text


def test_shares_written_add_up_to_1(logged, asked):
    requests = tuple(Request(n, "m", n + 1, 1) for n in range(7))
    (one,) = asked(logged("a.csv", FORMS["azure.csv"](requests)), zone="UTC").workloads
    shares = [float(line.split("share: ")[1].split(",")[0]) for line in shape_lines(one)]
    assert math.fsum(shares) == pytest.approx(1, abs=1e-12)
