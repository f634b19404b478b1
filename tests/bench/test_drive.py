"""What is measured is what the server did; what fails is counted; what may not be sent is not."""

import time
from decimal import Decimal
from statistics import mean

import pytest
from tests.bench.known_server import OVERHEAD_TOKENS, Known

from breakeven.bench.drive import PROBES
from breakeven.bench.limits import Price, Spending
from breakeven.bench.schedule import Sized
from breakeven.bench.summary import priced_by_machine, summarised
from breakeven.errors import BreakevenError
from breakeven.workload.profile import Slo

SLACK_S = 0.05
"""By how much the two clocks' readings may be apart on a busy machine."""


def figures(driven, slo=None, load=("closed", 2, None)):
    return summarised(driven.outcomes, slo or Slo(), asked=driven.asked, load=load, ended=driven.ended)


def test_first_token_and_pace_are_those_of_the_server(drive):
    driven, _, known = drive(Known(first_s=0.15, pace_s=0.03), concurrency=2)
    found = figures(driven)
    assert found.good == found.sent == 6
    assert found.ttft_s.mean == pytest.approx(mean(known.ttft_s[-6:]), abs=SLACK_S)
    assert found.tpot_s.mean == pytest.approx(mean(known.tpot_s[-6:]), abs=SLACK_S / 5)
    assert found.ttft_s.mean >= 0.15
    assert found.tpot_s.mean >= 0.03 * 0.9
    assert found.output_tokens_per_s == pytest.approx(36 / found.duration_s)


def test_a_frame_with_a_role_and_no_text_is_not_the_first_token(drive):
    driven, _, _ = drive(Known(first_s=0.2), count=1, concurrency=1)
    assert driven.outcomes[0].ttft_s >= 0.2


def test_prompts_have_the_length_asked_for_in_the_servers_own_tokens(drive):
    driven, bench, known = drive(count=3, sized=Sized(input_tokens=90, output_tokens=2), concurrency=1)
    assert bench.prompts.meter.overhead == OVERHEAD_TOKENS
    assert [one.input_tokens for one in driven.outcomes] == [90, 90, 90]
    assert {len(prompt.split()) for prompt in known.prompts[2:]} == {90 - OVERHEAD_TOKENS}


def test_answers_have_the_length_asked_for_where_the_server_can_be_held_to_it(drive):
    driven, bench, _ = drive(Known(stops_at=2), concurrency=2)
    assert bench.server.held_to_length
    assert {one.output_tokens for one in driven.outcomes} == {6}


def test_where_it_cannot_be_held_to_it_the_length_that_came_is_told(drive):
    driven, bench, known = drive(Known(stops_at=2, takes_ignore_eos=False), concurrency=2)
    assert not bench.server.held_to_length
    found = figures(driven)
    assert (found.asked_output_tokens, found.output_tokens) == (6, 2)
    assert all("ignore_eos" not in body for body in known.bodies)


def test_a_server_that_wants_another_name_for_the_limit_gets_it(drive):
    driven, _, known = drive(Known(takes_ignore_eos=False, takes_max_tokens=False), count=2, concurrency=1)
    assert all(one.good for one in driven.outcomes)
    assert known.bodies[-1]["max_completion_tokens"] == 6


def test_without_a_count_of_the_server_frames_are_counted_and_that_is_said(drive):
    driven, _, _ = drive(Known(counts=False), count=2, concurrency=1)
    found = figures(driven)
    assert found.output_tokens == 6
    assert not found.output_tokens_counted
    assert found.input_tokens is None


def test_no_two_prompts_begin_alike(drive):
    _, _, known = drive(count=12, concurrency=3)
    beginnings = [" ".join(prompt.split()[:8]) for prompt in known.prompts]
    assert len(set(beginnings)) == len(beginnings)


def test_the_stated_part_of_the_input_is_shared_and_no_more(drive):
    _, _, known = drive(count=4, sized=Sized(input_tokens=67, output_tokens=2, shared_tokens=20), concurrency=1)
    words = [prompt.split() for prompt in known.prompts[2:]]
    assert len({tuple(one[:20]) for one in words}) == 1
    assert len({tuple(one[20:28]) for one in words}) == 4


def test_a_closed_loop_has_as_many_in_flight_as_asked(drive):
    _, _, known = drive(Known(first_s=0.1), count=12, concurrency=3)
    assert known.most_in_flight == 3


def test_an_open_loop_sends_when_due_whatever_is_in_flight(drive):
    at_s = [0.0, 0.05, 0.3, 0.32, 0.35]
    driven, _, known = drive(Known(first_s=0.6), count=5, at_s=at_s)
    came = [at - known.at_s[2] for at in known.at_s[2:]]
    assert came == pytest.approx(at_s, abs=SLACK_S)
    assert known.most_in_flight == 5
    assert [one.planned_s - driven.outcomes[0].planned_s for one in driven.outcomes] == pytest.approx(at_s)


def test_the_warm_up_is_sent_and_not_measured(drive):
    driven, _, known = drive(count=3, concurrency=1, warm_up=(Sized(input_tokens=60, output_tokens=2),) * 4)
    assert (len(driven.warmed), len(driven.outcomes)) == (4, 3)
    assert len(known.prompts) == 2 + 4 + 3


def test_failures_are_counted_by_reason_and_stay_out_of_the_speeds(drive):
    driven, _, _ = drive(Known(fail_every=3), count=9, concurrency=1)
    found = figures(driven, Slo(ttft_s=10.0))
    assert found.sent == 9
    assert found.good == 6
    (why,) = found.errors
    assert why.startswith("status 503")
    assert "overloaded" in why
    assert found.errors[why] == 3
    assert found.goodput_share == pytest.approx(6 / 9)


def test_a_stream_that_ends_before_it_is_done_has_failed(drive):
    driven, _, _ = drive(Known(cut_every=4), count=6, concurrency=1)
    assert sorted(figures(driven).errors) == ["the stream ended before it was done"]


def test_an_answer_that_takes_too_long_has_failed(drive):
    driven, _, _ = drive(Known(first_s=0.01, pace_s=0.1), count=2, concurrency=2, timeout_s=0.3)
    assert figures(driven).errors == {"no whole answer within 0.3 s": 2}


def test_a_stop_keeps_what_was_measured_and_counts_what_was_cut_off(drive):
    started = time.monotonic()
    driven, _, _ = drive(Known(pace_s=0.02), count=500, concurrency=2, stop_after=10)
    found = figures(driven)
    assert time.monotonic() - started < 30
    assert found.ended == "it was stopped"
    assert 4 <= found.good < 20
    assert found.sent - found.good == sum(found.errors.values()) <= 2


def test_a_stop_ends_an_open_loop_that_waits_for_its_next_arrival(drive):
    driven, _, _ = drive(count=4, at_s=[0.0, 0.01, 500.0, 500.1], stop_after=4)
    assert figures(driven).good >= 1
    assert driven.ended == "it was stopped"


def test_no_more_requests_are_sent_than_are_allowed(drive):
    driven, _, known = drive(count=20, concurrency=4, spending=Spending(max_requests=PROBES + 5))
    assert len(driven.outcomes) == 5
    assert driven.ended == f"--max-requests {PROBES + 5} is reached"
    assert len(known.prompts) <= PROBES + 5


def test_no_more_dollars_are_spent_than_are_allowed_however_many_are_in_flight(drive):
    price = Price(input_usd_per_mtok=Decimal(1000), output_usd_per_mtok=Decimal(10_000))
    limit = Decimal("1.3")  # a request costs 0.06 + 0.06; the probes 0.239 + 0.04
    spending = Spending(max_usd=limit, price=price)
    driven, bench, _ = drive(count=50, concurrency=8, spending=spending)
    assert "--max-usd 1.3 would be passed" in driven.ended
    assert limit - Decimal("0.13") < bench.spending.usd <= limit


def test_a_server_that_never_answers_is_told_once(drive):
    with pytest.raises(BreakevenError, match="does not answer a chat of model known: status 503"):
        drive(Known(fail_every=1), concurrency=1)


def test_dollars_a_million_tokens_are_the_machines_price_over_its_tokens(drive):
    driven, _, _ = drive(concurrency=2)
    found = priced_by_machine(figures(driven), Decimal("3.6"), "given")
    per_hour = found.output_tokens_per_s * 3600
    assert float(found.usd_per_mtok_output) == pytest.approx(3.6 / per_hour * 1e6)
    assert float(found.usd_per_mtok_total) == pytest.approx(float(found.usd_per_mtok_output) * 6 / 66)
