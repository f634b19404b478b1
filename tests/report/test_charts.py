"""The numbers behind the pictures, and the pictures as text that a reader and a screen reader can use."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest

from breakeven.cost.bill import Bill
from breakeven.report.charts import bars_chart, cost_chart, load_chart
from breakeven.report.figures import BARS_SHOWN, OTHER, best_load, bill_bars, cost_lines
from breakeven.report.pictures import costs_in_words
from breakeven.report.svg import inlined, render
from breakeven.workload.profile import Slo, Workload, spread

WORKLOAD = Workload.of(requests_per_day=300_000, input_tokens=1_000, output_tokens=200)
WEEK = [1.0 + (hour % 24) / 8 for hour in range(168)]


@pytest.fixture(scope="module")
def floored(plan_small):
    return plan_small(WORKLOAD, at_least=1180.0)


def test_the_lines_are_those_of_the_plan_and_pass_through_what_you_pay(floored):
    lines, *more = cost_lines(floored)
    assert not more, "with a floor there is one group"
    envelope = floored.envelopes[0]
    assert lines.api_usd_per_day is envelope.api_usd_per_day
    assert lines.hosted_usd_per_day is envelope.hosted_usd_per_day
    apis = [c.usd_per_day for c in floored.ranking.contenders if c.kind == "api"]
    assert lines.your_api_usd_per_day == min(apis)
    at = np.interp(np.log(WORKLOAD.requests_per_day), np.log(lines.requests_per_day), np.log(lines.api_usd_per_day))
    assert np.exp(at) == pytest.approx(min(apis), rel=0.01)


def test_every_crossing_is_where_the_cheaper_side_changes(floored):
    lines = cost_lines(floored)[0]
    assert lines.crossings
    volume = np.log(lines.requests_per_day)
    for at in lines.crossings:
        api = np.interp(np.log(at), volume, np.log(lines.api_usd_per_day))
        hosted = np.interp(np.log(at), volume, np.log(lines.hosted_usd_per_day))
        assert api == pytest.approx(hosted, abs=1e-6)
    cheaper = lines.hosted_usd_per_day <= lines.api_usd_per_day
    assert len(lines.crossings) == np.count_nonzero(np.diff(cheaper))


def test_without_a_floor_every_class_that_has_both_sides_is_drawn(plan_small):
    plan = plan_small(WORKLOAD)
    both = [e.group for e in plan.envelopes if e.api_usd_per_day is not None and e.hosted_usd_per_day is not None]
    assert [lines.group for lines in cost_lines(plan)] == both


def test_one_side_alone_is_drawn_too_and_has_no_crossing(plan_small):
    lines = cost_lines(plan_small(WORKLOAD, at_least=1180.0, kinds=("api",)))
    assert [(line.hosted_usd_per_day, line.crossings) for line in lines] == [(None, ())]


def test_the_parts_of_a_bar_add_up_to_its_bill_and_small_lines_are_put_together(floored):
    bars = bill_bars(floored.verdicts(20))
    for bar in bars.bars:
        assert sum(usd for _, usd in bar.parts) == pytest.approx(float(bar.verdict.bill.usd_per_day))
    assert {name for bar in bars.bars for name, _ in bar.parts} == set(bars.series)
    assert OTHER in bars.series
    assert not bars.shares


def test_bars_show_every_kind_even_if_one_fills_the_top(floored):
    verdict = floored.verdicts(1)[0]
    many = [msgspec.structs.replace(verdict, rank=n, meets_slo=True if n < 30 else None) for n in range(1, 40)]
    bars = bill_bars(many).bars
    assert len(bars) == BARS_SHOWN
    assert {bar.verdict.meets_slo for bar in bars} == {True, None}
    assert [bar.verdict.rank for bar in bars] == [1, 2, 3, 4, 5, 30, 31, 32, 33, 34]


def test_bills_of_unlike_quality_are_drawn_as_shares(plan_small):
    assert bill_bars(plan_small(WORKLOAD).verdicts(2)).shares


def test_a_bill_whose_every_line_is_unpriced_is_drawn_as_nothing(floored):
    verdict = msgspec.structs.replace(floored.verdicts(1)[0], bill=Bill(lines=()))
    assert "$0.00" in render(lambda: bars_chart(bill_bars([verdict]), 400), "k", "t", "d")


def test_the_load_is_that_of_the_cheapest_self_hosting(floored):
    load = best_load(floored)
    best = min((c for c in floored.ranking.contenders if c.kind == "hosted"), key=lambda c: c.usd_per_day)
    verdict = floored.verdict(best)
    assert load.option == verdict.option.id
    assert load.replicas.tolist() == list(verdict.capacity.replicas_by_hour)
    assert (load.in_flight / load.room).tolist() == pytest.approx(verdict.capacity.utilisation_by_hour, abs=1e-4)
    assert (load.needed <= load.room + 1e-6).all(), "random arrivals find room too"


def test_there_is_no_load_without_self_hosting(plan_small):
    assert best_load(plan_small(WORKLOAD, kinds=("api",))) is None


def test_a_fleet_that_stands_all_day_shows_what_is_paid_for(plan_small):
    weekly = msgspec.structs.replace(WORKLOAD, requests_per_hour=spread(300_000, WEEK))
    fixed = best_load(plan_small(weekly, at_least=1180.0, scaling="fixed", terms=("on-demand",)))
    assert fixed.paid_replicas >= fixed.replicas.max()
    hourly = best_load(plan_small(weekly, at_least=1180.0, terms=("on-demand",)))
    assert hourly.paid_replicas is None


def test_pictures_drawn_at_the_same_time_do_not_mix(floored):
    lines, load = cost_lines(floored)[0], best_load(floored)
    charts = {"costs": lambda: cost_chart(lines, 600, 300), "load": lambda: load_chart(load, 600)}
    alone = {name: render(chart, name, "t", "d") for name, chart in charts.items()}
    with ThreadPoolExecutor(4) as several:
        many = [(name, several.submit(render, charts[name], name, "t", "d")) for _ in range(12) for name in charts]
    assert {name for name, found in many if found.result() != alone[name]} == set()


@pytest.fixture(scope="module")
def drawn(plan_small):
    weekly = msgspec.structs.replace(WORKLOAD, requests_per_hour=spread(300_000, WEEK), slo=Slo(ttft_s=2.0))
    plan = plan_small(weekly, at_least=1180.0)
    lines = cost_lines(plan)[0]
    return {
        "cost": (render(lambda: cost_chart(lines, 600, 300), "cost", "Cost", costs_in_words(lines)), lines, plan),
        "bars": (render(lambda: bars_chart(bill_bars(plan.verdicts(10)), 600), "bars", "Bills", "d"), None, plan),
        "load": (render(lambda: load_chart(best_load(plan), 600), "load", "Load", "d"), None, plan),
    }


@pytest.mark.parametrize("name", ["cost", "bars", "load"])
def test_a_picture_is_named_described_and_draws_in_the_colours_of_the_page(drawn, name):
    root = ElementTree.fromstring(drawn[name][0])
    assert root.get("role") == "img"
    title, description = root[0], root[1]
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert title.text
    assert description.text
    colours = {e.get(a) for e in root.iter() for a in ("fill", "stroke")} - {None, "none", "transparent"}
    assert colours
    assert all(colour.startswith("var(--") for colour in colours), colours
    assert {e.tag for e in root.iter()} <= {
        "svg",
        "title",
        "desc",
        "defs",
        "clipPath",
        "g",
        "path",
        "line",
        "rect",
        "text",
    }
    assert not any(name in e.attrib for e in root.iter() for name in ("href", "style", "onclick", "font-family"))


def test_your_traffic_and_what_both_sides_cost_there_are_labelled(drawn):
    svg, lines, _ = drawn["cost"]
    texts = [e.text for e in ElementTree.fromstring(svg).iter("text")]
    assert "your traffic: 300,000" in texts
    assert {"paid API", "self-hosting"} <= set(texts)
    assert f"${lines.your_api_usd_per_day:,.2f}" in texts
    assert f"${lines.your_hosted_usd_per_day:,.2f}" in texts


def test_the_break_even_is_labelled_where_there_is_one(floored):
    lines = cost_lines(floored)[0]
    svg = render(lambda: cost_chart(lines, 600, 300), "k", "t", "d")
    told = lines.crossover
    assert told.first_requests_per_day or told.requests_per_day
    assert ("break-even: " in svg) == (told.requests_per_day is not None)


def test_the_two_lines_differ_by_dash_and_the_two_dots_by_shape(drawn):
    root = ElementTree.fromstring(drawn["cost"][0])
    lines = [e for e in root.iter("path") if e.get("stroke-width") == "2.5"]
    assert sorted(bool(e.get("stroke-dasharray", "1,0") != "1,0") for e in lines) == [False, True]


def test_a_traffic_outside_of_the_drawn_volumes_stretches_the_axis(plan_small):
    for requests_per_day in (3.0, 4e8):
        few = Workload.of(requests_per_day=requests_per_day, input_tokens=100, output_tokens=20)
        lines = cost_lines(plan_small(few, at_least=1180.0))[0]
        assert "your traffic" in render(partial(cost_chart, lines, 300, 200), "k", "t", "d")


def test_the_words_beside_a_picture_say_what_it_shows(floored):
    lines = cost_lines(floored)[0]
    words = costs_in_words(lines)
    assert "300,000 requests a day" in words
    assert f"${lines.your_api_usd_per_day:,.2f} a day" in words
    assert lines.crossover.because in words


def test_a_name_in_a_picture_stays_text():
    hostile = '<svg xmlns="http://www.w3.org/2000/svg"><text fill="red">&lt;script&gt;x&lt;/script&gt;</text></svg>'
    svg = inlined(hostile, "k", "<b>", "</svg><script>")
    assert "<script>" not in svg
    assert "<b>" not in svg
    assert ElementTree.fromstring(svg)[2].text == "<script>x</script>"
