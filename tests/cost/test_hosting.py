from datetime import date
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven import Workload
from breakeven.cost.hosting import (
    BYTES_PER_REQUEST,
    BYTES_PER_STREAMED_TOKEN,
    BYTES_PER_TOKEN,
    LOG_BYTES_PER_REQUEST,
    STORED_PER_WEIGHT_BYTE,
)
from breakeven.units import BYTES_PER_GB, DAYS_PER_MONTH, HOURS_PER_MONTH
from breakeven.workload.policy import LambdaConfig, Stated
from breakeven.workload.profile import Slo

FIVE_SECONDS = Stated(response_s=5.0)
OFFICE = [0.0] * 8 + [1.0] * 8 + [0.0] * 8
MILLION = 1_000_000
BESIDE = "machines beside them, on-demand"
LLAMA = {"models": ("llama-8b",), "formats": ("bf16",)}


def work(requests_per_day=1000.0, input_tokens=500, output_tokens=100, weights=None, **slo):
    return Workload.of(
        requests_per_day=requests_per_day,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        weights=weights,
        slo=Slo(**slo),
    )


@pytest.fixture(scope="module")
def hosted(plan_small):
    """The plan of self-hosting llama-8b in 16 bits on machines of one's choice."""
    return lambda workload=None, **fields: plan_small(
        workload or work(), **({"kinds": ("hosted",), "by": "option"} | LLAMA | fields)
    )


def lines(answer, option):
    return {line.name: line for line in answer.explain(option).bill.lines}


def why(answer):
    return {found.because: found for found in answer.rejected}


def named(answer):
    return {answer.option_id(c) for c in answer.ranking.contenders}


def test_a_machine_is_charged_for_the_hours_it_stands(hosted):
    found = lines(hosted(), "llama-8b:bf16:g5.xlarge:tp1:ec2")["machines"]
    assert (found.quantity, found.usd_per_unit, found.usd) == (Decimal(24), Decimal("1.006"), Decimal("24.144"))
    assert found.source == ("by-hand",)


def test_ml_m5_xlarge_at_0_23_is_5_52_usd_a_day(plan_small):
    encode = Workload.of(requests_per_day=1000, input_tokens=200)
    answer = plan_small(encode, models=("bert-base",), machines=("ml.m5.xlarge",), paths=("direct",))
    assert lines(answer, "bert-base:fp32:ml.m5.xlarge:tp1:direct")["machines"].usd == Decimal("5.52")


def test_on_demand_follows_the_hours_and_a_commitment_pays_for_what_stands_in_most_of_them(hosted):
    # 8 hours of 6,700 requests at 5 s: 9.3 at a time, and 10 machines at p50; one stays in the other 16. A machine that
    # is needed in a third of the hours is not worth 63 % of the price in all of them
    work_day = work(8 * 6700, weights=OFFICE, quantile=0.5)
    answer = hosted(work_day, stated=FIVE_SECONDS, machines=("g5.xlarge",), startup_minutes=0.0)
    on_demand = lines(answer, "llama-8b:bf16:g5.xlarge:tp1:ec2")["machines"]
    reserved = lines(answer, "llama-8b:bf16:g5.xlarge:tp1:ec2@reserved-1y")
    base, beside = (reserved[f"{name}"] for name in ("committed machines, reserved-1y", BESIDE))
    assert on_demand.quantity == 8 * 10 + 16 * 1
    assert (base.quantity, base.usd) == (24, Decimal("0.634") * 24)
    assert (beside.quantity, beside.usd) == (8 * 9, Decimal("1.006") * 72)


def test_a_fixed_fleet_pays_its_peak_on_demand_too(hosted):
    busy = work(8 * 6700, weights=OFFICE, quantile=0.5)
    answer = hosted(busy, stated=FIVE_SECONDS, machines=("g5.xlarge",), scaling="fixed")
    assert lines(answer, "llama-8b:bf16:g5.xlarge:tp1:ec2")["machines"].quantity == 24 * 10


def test_lambda_bills_the_wait_for_the_model(hosted):
    # a million requests x 5 s x 128 MB of 1,024: 625,000 GB-seconds at 0.0000133334
    answer = hosted(work(MILLION), stated=FIVE_SECONDS, machines=("ml.g5.xlarge",))
    found = lines(answer, "llama-8b:bf16:ml.g5.xlarge:tp1:lambda-http")
    assert found["Lambda, waiting for the model"].quantity == 625_000
    assert found["Lambda, waiting for the model"].usd == Decimal("8.333375")
    assert found["Lambda requests"].usd == Decimal("0.2")


def test_lambda_on_x86_with_128_mb_for_5_s_is_about_10_usd_a_million_as_the_article_said(hosted):
    answer = hosted(
        work(MILLION),
        stated=FIVE_SECONDS,
        machines=("ml.g5.xlarge",),
        lambda_=LambdaConfig(memory_mb=128, architecture="x86_64"),
    )
    found = lines(answer, "llama-8b:bf16:ml.g5.xlarge:tp1:lambda-http")
    assert found["Lambda, waiting for the model"].usd == Decimal("625000") * Decimal("0.0000166667")  # 10.42
    assert found["API Gateway requests"].usd == Decimal("1.00")


def test_more_memory_for_lambda_costs_in_proportion(hosted):
    small, large = (
        lines(
            hosted(stated=FIVE_SECONDS, machines=("ml.g5.xlarge",), lambda_=LambdaConfig(memory_mb=memory_mb)),
            "llama-8b:bf16:ml.g5.xlarge:tp1:lambda-http",
        )["Lambda, waiting for the model"].usd
        for memory_mb in (128, 512)
    )
    assert large == pytest.approx(4 * small, abs=Decimal("1e-7"))


def test_lambda_waits_for_the_whole_answer_of_an_encoder_too_the_batch_and_the_wait_for_it(plan_small):
    encode = Workload.of(requests_per_day=100_000, input_tokens=200)
    narrow = {"models": ("bert-base",), "machines": ("ml.g5.xlarge",), "formats": ("bf16",), "paths": ("lambda-http",)}
    answer = plan_small(encode, by="option", **narrow)
    verdict = answer.explain("bert-base:bf16:ml.g5.xlarge:tp1:lambda-http")
    waiting = next(line for line in verdict.bill.lines if line.name == "Lambda, waiting for the model")
    seconds = float(waiting.quantity) / 100_000 / (128 / 1024)
    assert seconds >= answer.speed.latency(np.ones(1)).ttft_s[0] - 0.001


def test_the_gateway_is_charged_by_kind_of_api(hosted):
    answer = hosted(work(MILLION), stated=FIVE_SECONDS, machines=("ml.g5.xlarge",))
    through = {
        path: lines(answer, f"llama-8b:bf16:ml.g5.xlarge:tp1:{path}").get("API Gateway requests")
        for path in ("direct", "lambda-http", "lambda-rest-stream")
    }
    assert through["direct"] is None
    assert through["lambda-http"].usd == Decimal("1.00")  # 30.4 M a month: all in the first tier
    assert through["lambda-rest-stream"].usd == Decimal("3.50")


def test_the_http_api_gets_cheaper_above_300_million_a_month(hosted):
    daily = 600e6 / DAYS_PER_MONTH
    answer = hosted(work(daily), stated=FIVE_SECONDS, machines=("ml.g5.xlarge",))
    found = lines(answer, "llama-8b:bf16:ml.g5.xlarge:tp1:lambda-http")["API Gateway requests"]
    assert float(found.usd) * DAYS_PER_MONTH == pytest.approx(300 * 1.0 + 300 * 0.9)


def test_an_http_api_meters_a_large_prompt_in_pieces_of_512_kb(hosted):
    # 130,000 tokens x 4 bytes = 520 kB and headers: 2 pieces of 524,288 bytes need more than 524,288 bytes
    tokens = 131_000 - 100
    answer = hosted(work(1000, tokens, 100), stated=FIVE_SECONDS, machines=("ml.g5.xlarge",), formats=("int8",))
    assert tokens * BYTES_PER_TOKEN + BYTES_PER_REQUEST > 512 * 1024
    http = lines(answer, "llama-8b:int8:ml.g5.xlarge:tp1:lambda-http")["API Gateway requests"]
    rest = lines(answer, "llama-8b:int8:ml.g5.xlarge:tp1:lambda-rest-stream")["API Gateway requests"]
    assert http.quantity == 2000
    assert rest.quantity == 1000


def test_answers_leave_by_the_token_where_they_are_streamed_and_whole_where_not(hosted):
    answer = hosted(work(MILLION), stated=FIVE_SECONDS, machines=("ml.g5.xlarge",))
    streamed = MILLION * (100 * BYTES_PER_STREAMED_TOKEN + BYTES_PER_REQUEST) / BYTES_PER_GB
    whole = MILLION * (100 * BYTES_PER_TOKEN + BYTES_PER_REQUEST) / BYTES_PER_GB
    out = {
        path: float(lines(answer, f"llama-8b:bf16:ml.g5.xlarge:tp1:{path}")["data transfer out"].quantity)
        for path in ("direct", "lambda-http", "lambda-rest-stream")
    }
    assert out == pytest.approx({"direct": streamed, "lambda-http": whole, "lambda-rest-stream": streamed})
    processed = lines(answer, "llama-8b:bf16:ml.g5.xlarge:tp1:direct")["SageMaker data processed"]
    came_in = MILLION * (500 * BYTES_PER_TOKEN + BYTES_PER_REQUEST) / BYTES_PER_GB
    assert float(processed.quantity) == pytest.approx(came_in + streamed)


def test_each_request_leaves_one_record_in_the_logs(hosted):
    found = lines(hosted(work(MILLION), stated=FIVE_SECONDS), "llama-8b:bf16:g5.xlarge:tp1:ec2")["logs"]
    assert float(found.quantity) == pytest.approx(MILLION * LOG_BYTES_PER_REQUEST / BYTES_PER_GB)


def test_a_disk_is_paid_for_each_machine_that_stands_unless_it_has_one_of_its_own(plan_small):
    encode = Workload.of(requests_per_day=1000, input_tokens=200)
    answer = plan_small(encode, models=("bert-base",), by="option")
    on_disk = lines(answer, "bert-base:fp32:m5.xlarge:tp1:ec2")["storage (ebs)"]
    weights_gb = 109_482_240 * 4 / BYTES_PER_GB
    assert float(on_disk.quantity) == pytest.approx(weights_gb * STORED_PER_WEIGHT_BYTE * 24 / HOURS_PER_MONTH)
    assert "storage (sagemaker)" in lines(answer, "bert-base:fp32:ml.m5.xlarge:tp1:direct")
    assert not any(name.startswith("storage") for name in lines(answer, "bert-base:bf16:g5.xlarge:tp1:ec2"))


def test_serving_path_and_term_change_money_and_nothing_else(hosted):
    answer = hosted(machines=("*g5.xlarge",))
    found = [answer.verdict(c) for c in answer.ranking.contenders]
    assert len(found) == 2 + 3
    assert len({v.performance for v in found if v.option.serving_path != "lambda-http"}) == 1
    assert len({msgspec.structs.replace(v.performance, ttft_s=None) for v in found}) == 1
    assert len({msgspec.structs.replace(v.capacity, committed_machines=0) for v in found}) == 1
    assert len({v.bill.usd_per_day for v in found}) == 5


def test_on_a_path_that_does_not_stream_the_first_token_comes_with_the_last(hosted):
    answer = hosted(machines=("ml.g5.xlarge",))
    found = {v.option.serving_path: v.performance for v in (answer.verdict(c) for c in answer.ranking.contenders)}
    assert found["lambda-http"].ttft_s == found["lambda-http"].response_s
    assert found["direct"].ttft_s.mid < found["direct"].response_s.mid


def test_an_answer_slower_than_30_s_cannot_pass_the_http_api_but_may_be_streamed(hosted):
    answer = hosted(stated=Stated(response_s=31.0), machines=("ml.g5.xlarge",))
    assert named(answer) == {f"host:llama-8b:bf16:ml.g5.xlarge:tp1:{p}" for p in ("direct", "lambda-rest-stream")}
    reason = why(answer)["30 s limit of lambda-http"]
    assert reason.count == 1
    assert reason.examples == ("llama-8b bf16 on A10G, lambda-http: 31 s",)


def test_an_answer_of_exactly_30_s_passes(hosted):
    assert "30 s limit of lambda-http" not in why(hosted(stated=Stated(response_s=30.0), machines=("ml.g5.xlarge",)))


def test_an_answer_slower_than_15_minutes_passes_no_lambda(hosted):
    answer = hosted(stated=Stated(response_s=901.0), machines=("ml.g5.xlarge",))
    assert named(answer) == {"host:llama-8b:bf16:ml.g5.xlarge:tp1:direct"}
    assert "900 s limit of lambda-rest-stream" in why(answer)


def test_without_streaming_the_first_token_comes_with_the_last(hosted):
    answer = hosted(work(ttft_s=1.0), machines=("ml.g5.xlarge",))  # 0.2 s to the first token, about 4 to the last
    assert "host:llama-8b:bf16:ml.g5.xlarge:tp1:direct" in named(answer)
    assert "host:llama-8b:bf16:ml.g5.xlarge:tp1:lambda-http" not in named(answer)
    because = "path without streaming: the first token comes with the last, against TTFT 1 s"
    (example,) = why(answer)[because].examples
    assert float(example.split(": ")[1].removesuffix(" s")) > 1.0


def test_a_path_does_not_exist_before_its_first_day(hosted):
    def paths(day):
        return {c.rpartition(":")[2] for c in named(hosted(machines=("ml.g5.xlarge",), as_of=day))}

    assert "lambda-rest-stream" not in paths(date(2025, 11, 18))
    assert "lambda-rest-stream" in paths(date(2025, 11, 19))


def test_a_machine_without_a_price_that_day_is_counted_and_named(hosted):
    answer = hosted(machines=("g5.xlarge", "g5.metal"))
    assert why(answer)["no machine price known on 2026-06-01"].examples == ("g5.metal",)
    assert named(answer) == {f"host:llama-8b:bf16:g5.xlarge:tp1:ec2{term}" for term in ("", "@reserved-1y")}


def test_a_price_of_2025_is_not_used_for_2024(hosted):
    def price(day):
        answer = hosted(machines=("p5.48xlarge",), as_of=day)
        return lines(answer, "llama-8b:bf16:p5.48xlarge:tp1:ec2")["machines"].usd_per_unit

    assert price(date(2025, 5, 31)) == Decimal("98.32")
    assert price(date(2025, 6, 1)) == Decimal("55.04")


@pytest.fixture(scope="module")
def own(with_rows, small_catalogue):
    """The small catalogue with a machine of one's own: three of a kind, bought."""

    def catalogue(count=3):
        g5 = small_catalogue.instances["g5.xlarge"]
        mine = msgspec.structs.replace(g5, name="mine", own=True, count=count, local_nvme_gb=0.0)
        price = msgspec.structs.replace(
            small_catalogue.tables.machine_prices[0],
            machine="mine",
            service="own",
            region="",
            term="owned",
            usd_per_hour=Decimal("0.30"),
        )
        return with_rows(
            instances=(*small_catalogue.tables.instances, mine),
            machine_prices=(*small_catalogue.tables.machine_prices, price),
        )

    return catalogue


def test_an_owned_machine_is_paid_around_the_clock_and_pays_nothing_to_aws(hosted, own):
    answer = hosted(work(8 * 720, weights=OFFICE), catalogue=own(), machines=("mine",))
    found = lines(answer, "llama-8b:bf16:mine:tp1:own@owned")
    assert set(found) == {"machines"}
    assert found["machines"].usd == Decimal("7.2")


def test_no_more_machines_than_there_are(hosted, own):
    def answer(requests_per_day):
        may_wait = msgspec.structs.replace(work(requests_per_day), deferrable=True)
        return hosted(may_wait, stated=FIVE_SECONDS, catalogue=own(3), machines=("mine", "g5.xlarge"))

    assert "host:llama-8b:bf16:mine:tp1:own@owned" in named(answer(3 * 17_280))
    over = answer(3 * 17_280 + 1)
    assert "host:llama-8b:bf16:mine:tp1:own@owned" not in named(over)
    assert why(over)["more machines needed than there are"].examples == ("llama-8b bf16 on A10G: 4 machines against 3",)


def test_none_of_a_machine_is_not_as_many_as_wanted(hosted, own):
    answer = hosted(catalogue=own(0), machines=("mine", "g5.xlarge"))
    assert "host:llama-8b:bf16:mine:tp1:own@owned" not in named(answer)


@settings(max_examples=25)
@given(requests=st.floats(1, 1e7), more=st.floats(1.0, 20.0))
def test_more_traffic_never_costs_less_whatever_the_option(hosted, requests, more):
    little = hosted(work(requests, weights=OFFICE), models=("llama-8b", "mixtral-8x7b"), formats=("bf16", "int8"))
    numbers = np.arange(len(little.hosted.usd_per_day))
    less, greater = (
        little.curves.hosted_at(numbers, np.full(len(numbers), volume)) for volume in (requests, requests * more)
    )
    assert np.all(less <= greater * (1 + 1e-9))


@settings(max_examples=25)
@given(output=st.integers(100, 2000), more=st.integers(1, 2000), requests=st.sampled_from([100, 10_000, 1_000_000]))
def test_longer_answers_never_cost_less_on_the_same_option(hosted, output, more, requests):
    # from 100 tokens on: below, prefill bounds the replica, and its load is cut off at whole requests in flight
    def costs(tokens):
        answer = hosted(work(requests, 500, tokens), machines=("*g5.xlarge",), paths=("direct", "ec2"))
        return {answer.option_id(c): c.usd_per_day for c in answer.ranking.contenders}

    short, long = costs(output), costs(output + more)
    assert all(short[name] <= long[name] * (1 + 1e-9) for name in long)
