"""What is bought, from the spec and an overlay to the bill, over the small catalogue."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven import Workload
from breakeven.catalogue.overlay import with_overlay
from breakeven.decision.scenarios import middle
from breakeven.errors import NoDataError, SpecError, UnknownNameError
from breakeven.planner import plan
from breakeven.planner.drawing import contest_of, drawing_of
from breakeven.planner.ranges import _members, ranges
from breakeven.report.document import json_schema
from breakeven.workload.availability import Availability
from breakeven.workload.policy import ApiLatency, ApiLimit, Only, Policy, Spot, Stated
from breakeven.workload.profile import Batch, Slo

HEAD = "source: a quote\nread: 2026-11-02\n"
TERMS = f"""{HEAD}terms:
- {{machine: g5.xlarge, term: reserved-3y, usd_per_hour: 0.4}}
- {{machine: "ml.g5.*", term: savings-1y, discount: 0.25}}
- {{machine: g5.xlarge, term: spot, usd_per_hour: 0.35, interruptions_per_hour: 0.05}}
"""
UNITS = f"""{HEAD}provisioned:
- provider: acme
  model: big
  input_tokens_per_minute: 600000
  output_tokens_per_minute: 120000
  usd_per_hour: 10
  committed_usd_per_hour: 6
"""
OFFICE = [1.0] * 8 + [9.0] * 8 + [1.0] * 8
FIVE_SECONDS = Stated(response_s=5.0)
LLAMA = {"models": ("llama-8b",), "formats": ("bf16",)}
G5 = LLAMA | {"machines": ("*g5.xlarge",), "kinds": ("hosted",)}
MINE = "llama-8b:bf16:g5.xlarge:tp1:ec2"


def work(requests_per_day=100_000.0, weights=OFFICE, batch=None, **slo):
    found = Workload.of(
        requests_per_day=requests_per_day, input_tokens=500, output_tokens=100, weights=weights, slo=Slo(**slo)
    )
    return found if batch is None else msgspec.structs.replace(found, batch=batch)


@pytest.fixture
def laid(small_catalogue, tmp_path):
    """The small catalogue under an overlay of so much text."""

    def over(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return with_overlay(small_catalogue, path)

    return over


def answer(catalogue, workload, by="option", **fields):
    only = Only(**{name: fields.pop(name) for name in Only.__struct_fields__ if name in fields})
    return plan(workload, catalogue, Policy(only=only, **fields), by=by)


def bill(found, name):
    return {line.name: line for line in found.explain(name).bill.lines}


def usd(found, name):
    return float(found.explain(name).bill.usd_per_day)


def test_every_term_of_an_overlay_is_an_option_beside_those_of_the_catalogue(laid):
    found = answer(laid(TERMS), work(), **G5)
    named = {found.option_id(c).removeprefix("host:") for c in found.ranking.contenders}
    assert {MINE, f"{MINE}@reserved-1y", f"{MINE}@reserved-3y", f"{MINE}@spot"} <= named
    savings = bill(found, "llama-8b:bf16:ml.g5.xlarge:tp1:direct@savings-1y")["committed machines, savings-1y"]
    assert savings.usd_per_unit == Decimal("1.056")  # 25 % off 1.408
    assert savings.source == ("overlay-mine",)


def test_a_term_replaces_the_same_term_of_the_catalogue_and_leaves_the_others(laid):
    rows = f"{HEAD}terms:\n- {{machine: g5.xlarge, term: reserved-1y, usd_per_hour: 0.5}}\n"
    snapshot = laid(rows).on(date(2026, 11, 3), "us-east-1")
    prices = {term: str(p.usd_per_hour) for (name, term), p in snapshot.machine_prices.items() if name == "g5.xlarge"}
    assert prices == {"on-demand": "1.006", "reserved-1y": "0.5"}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{machine: g5.xlarge, term: reserved-1y}", "has no price"),
        ("{machine: g5.xlarge, term: reserved-1y, usd_per_hour: 1, discount: 0.1}", "has two prices"),
        ("{machine: g5.xlarge, term: savings-3y, discount: 1.5}", "discount: this is 1.5"),
        ("{machine: 'g5.*', term: savings-3y, usd_per_hour: 1}", "one price for g5.*"),
        ("{machine: g5.xlarge, term: spot, usd_per_hour: 1}", "lacks interruptions_per_hour"),
        ("{machine: g5.xlarge, term: reserved-1y, usd_per_hour: 1, interruptions_per_hour: 0}", "has interruptions"),
        (
            "{machine: g5.xlarge, term: spot, usd_per_hour: 1, interruptions_per_hour: 0.9}",
            "interruptions_per_hour: this is 0.9",
        ),
    ],
)
def test_a_term_that_makes_no_sense_is_refused(laid, row, told):
    with pytest.raises(SpecError, match=told.replace("*", r"\*")):
        laid(f"{HEAD}terms:\n- {row}\n")


def test_a_term_of_a_machine_that_nobody_rents_is_refused_with_near_matches(laid):
    with pytest.raises(UnknownNameError, match=r"g5\.xlarge"):
        laid(f"{HEAD}terms:\n- {{machine: g5.xlage, term: savings-1y, discount: 0.3}}\n")


@settings(max_examples=25)
@given(
    requests=st.floats(1e3, 1e7),
    weights=st.lists(st.floats(0, 10), min_size=24, max_size=24).filter(lambda w: sum(w) > 1),
    startup=st.sampled_from([0.0, 7.5, 60.0]),
)
def test_a_commitment_is_never_dearer_than_on_demand_nor_than_its_own_price_around_the_clock(
    plan_small, requests, weights, startup
):
    found = plan_small(
        work(requests, weights), by="option", stated=FIVE_SECONDS, startup_minutes=startup, **G5 | {"paths": ("ec2",)}
    )
    reserved, free = found.explain(f"{MINE}@reserved-1y"), found.explain(MINE)
    pure = Decimal("0.634") * 24 * reserved.capacity.peak_machines
    machines = sum(line.usd for line in reserved.bill.lines if line.unit == "machine-hour")
    assert machines <= sum(line.usd for line in free.bill.lines if line.unit == "machine-hour") + Decimal("1e-6")
    assert machines <= pure + Decimal("1e-6")


def test_the_curve_and_the_ranges_charge_what_the_bill_charges(laid):
    found = answer(laid(TERMS), work(), at_least=1100.0, **G5)
    contenders = [c for c in found.ranking.contenders if c.kind == "hosted"]
    numbers = np.array([c.number for c in contenders])
    drawn = found.curves.hosted_at(numbers, np.full(len(numbers), found.workload.requests_per_day))
    assert drawn == pytest.approx([c.usd_per_day for c in contenders])
    (one,) = ranges(found).classes
    for option in one.options:
        assert option.usd_per_day_today == pytest.approx(usd(found, option.option))


def test_a_looser_target_is_never_dearer_whatever_is_bought(laid):
    tight, wide = (answer(laid(TERMS), work(ttft_s=ttft_s, tpot_s=0.1), **G5) for ttft_s in (0.8, 4.0))
    names = {tight.option_id(c) for c in tight.ranking.contenders}
    assert any("@" in name for name in names)
    for name in names:
        assert usd(wide, name) <= usd(tight, name) + 1e-6


@settings(max_examples=15)
@given(requests=st.floats(1e3, 1e7), more=st.floats(1.0, 4.0))
def test_more_traffic_never_costs_less_whatever_is_bought(plan_small, requests, more):
    few, many = (plan_small(work(volume), by="option", **G5) for volume in (requests, requests * more))
    for contender in few.ranking.contenders:
        name = few.option_id(contender)
        assert usd(few, name) <= usd(many, name) + 1e-6


def test_the_time_in_which_a_machine_starts_is_paid(plan_small):
    quick, slow = (
        plan_small(work(), by="option", stated=FIVE_SECONDS, startup_minutes=minutes, **G5) for minutes in (0.0, 30.0)
    )
    before, after = (float(bill(found, MINE)["machines"].quantity) for found in (quick, slow))
    fleet = np.array(slow.explain(MINE).capacity.replicas_by_hour)
    assert after == pytest.approx(fleet.sum() + 0.5 * np.maximum(fleet - np.roll(fleet, 1), 0).sum())
    assert after > before
    told = " ".join(slow.assumptions)
    assert "30 minutes before it serves" in told


def test_a_spot_machine_stays_out_where_a_target_is_set_and_out_of_hybrids_unless_the_user_allows_it(laid):
    catalogue, promised = laid(TERMS), work(ttft_s=3.0)
    strict = answer(catalogue, promised, **G5)
    because = next(r for r in strict.rejected if r.because.startswith("spot machine"))
    assert "hosting.spot.with_latency_target" in because.because
    assert not any("@spot" in strict.option_id(c) for c in strict.ranking.contenders)
    allowed = answer(catalogue, promised, spot=Spot(with_latency_target=True), **G5)
    assert any("@spot" in allowed.option_id(c) for c in allowed.ranking.contenders)

    def bases(spot):
        found = answer(catalogue, work(3e6), by="model", at_least=1100.0, machines=("g5.xlarge",), spot=spot)
        offers = found.hosted.options.offers
        return {offers[found.hosted.options.offer[n]].term for n in found.hybrids.hosted}

    assert bases(Spot())
    assert "spot" not in bases(Spot())
    assert "spot" in bases(Spot(in_hybrids=True))


def test_a_spot_machine_of_which_nobody_knows_how_often_it_is_taken_away_does_not_compete(with_rows, small_catalogue):
    rows = small_catalogue.tables.machine_prices
    spot = msgspec.structs.replace(next(r for r in rows if r.machine == "g5.xlarge"), term="spot")
    found = answer(with_rows(machine_prices=(*rows, spot)), work(), **G5)
    assert any("how often it is taken away is not known" in r.because for r in found.rejected)


def test_spot_machines_have_spares_and_what_was_lost_is_served_again(laid):
    # 0.05 an hour x 7.5 minutes: one machine in 160 is starting, and at p95 more than one of 60
    busy = work(1_000_000, [1.0] * 24)
    fields = {"stated": FIVE_SECONDS} | G5 | {"machines": ("g5.xlarge",)}
    found = answer(laid(TERMS), busy, **fields)
    plain, spot = found.explain(MINE), found.explain(f"{MINE}@spot")
    assert spot.capacity.peak_machines > plain.capacity.peak_machines
    machines = bill(found, f"{MINE}@spot")["machines at spot"]
    assert machines.quantity == 24 * spot.capacity.peak_machines
    again = bill(found, f"{MINE}@spot")["requests served again after an interruption"]
    assert float(again.quantity) == pytest.approx(1_000_000 * 0.05 * 5 / 3600, rel=0.02)
    assert again.usd > 0


@settings(max_examples=15)
@given(
    requests=st.floats(1e4, 3e6),
    beside=st.floats(1e3, 3e6),
    within_h=st.sampled_from([1.0, 6.0, 24.0]),
    scaling=st.sampled_from(["hourly", "fixed"]),
)
def test_work_that_may_wait_never_costs_more_than_the_same_requests_hour_by_hour(
    plan_small, requests, beside, within_h, scaling
):
    narrow = G5 | {"scaling": scaling, "paths": ("ec2",)}
    waits = plan_small(work(requests, batch=Batch(requests_per_day=beside, within_h=within_h)), by="option", **narrow)
    hours = np.array(work(requests).requests_per_hour) + beside / 24
    at_once = plan_small(work(requests + beside, hours.tolist()), by="option", **narrow)
    alone = plan_small(work(requests), by="option", **narrow)
    for name in (MINE, f"{MINE}@reserved-1y"):
        assert usd(waits, name) <= usd(at_once, name) + 1e-6
        assert usd(alone, name) <= usd(waits, name) + 1e-6


def test_work_that_finds_room_in_the_valleys_takes_no_machine_more(plan_small):
    fields = G5 | {"scaling": "fixed", "paths": ("ec2",)}
    alone = plan_small(work(), by="option", **fields)
    filled = plan_small(work(batch=Batch(requests_per_day=50_000)), by="option", **fields)
    for name in (MINE, f"{MINE}@reserved-1y"):
        before, after = alone.explain(name), filled.explain(name)
        assert after.capacity.peak_machines == before.capacity.peak_machines
        assert after.capacity.mean_utilisation > before.capacity.mean_utilisation
        assert max(after.capacity.utilisation_by_hour) <= 1
    assert any("may wait 24 h" in told for told in filled.assumptions)
    assert not len(filled.hybrids.hosted)


def test_an_api_charges_batch_prices_for_work_that_may_wait_a_day_and_its_own_for_what_may_not(plan_small):
    def api(within_h):
        waits = work(batch=Batch(requests_per_day=50_000, within_h=within_h))
        return plan_small(waits, by="option", kinds=("api",), models=("big",))

    line = bill(api(24.0), "api:acme/big")["batch prices for work that may wait"]
    # half of 1.00 and 4.00 a million tokens, for 500 tokens in and 100 out
    assert line.quantity == 50_000
    assert float(line.usd) == pytest.approx(-50_000 * (500 * 0.5 + 100 * 2.0) / 1e6)
    assert "batch prices for work that may wait" not in bill(api(12.0), "api:acme/big")


def test_an_api_whose_rate_limit_is_below_the_busiest_hour_does_not_compete(plan_small):
    busiest = max(work().requests_per_hour) / 60
    for limit, competes in (
        (ApiLimit(requests_per_minute=busiest * 1.01), True),
        (ApiLimit(requests_per_minute=busiest * 0.99), False),
        (ApiLimit(tokens_per_minute=busiest * 600 * 1.01), True),
        (ApiLimit(tokens_per_minute=busiest * 600 * 0.99), False),
    ):
        found = plan_small(work(), by="option", kinds=("api",), api_limits={"acme/big": limit})
        assert ("api:acme/big" in {found.option_id(c) for c in found.ranking.contenders}) == competes
    because = next(r for r in found.rejected if "rate limit" in r.because)
    assert because.count == 1
    assert "requests a minute against" in because.examples[0]


def test_a_limited_api_ends_its_line_where_its_busiest_hour_reaches_the_limit(plan_small):
    busiest = max(work().requests_per_hour) / 60
    limit = {"acme/*": ApiLimit(requests_per_minute=busiest * 2)}
    found = plan_small(work(), at_least=1100.0, api_limits=limit, models=("llama-8b", "big"), formats=("bf16",))
    number = next(c.number for c in found.ranking.contenders if found.option_id(c) == "api:acme/big")
    drawn = found.curves.api_usd_per_day(number, np.array([100_000.0, 199_000.0, 201_000.0]))
    assert np.isfinite(drawn).tolist() == [True, True, False]
    assert ranges(found).classes


def test_provisioned_throughput_is_bought_in_whole_units_hour_by_hour_or_committed(laid):
    # 500 in of 600,000 a minute, 100 out of 120,000: 1,200 requests a minute a unit
    found = answer(laid(UNITS), work(1e7), kinds=("api",), models=("big",))
    lines = bill(found, "api:acme/big@provisioned")
    hours = np.ceil(np.array(work(1e7).requests_per_hour) / 60 / 1200)
    base = np.sort(hours)[::-1][int(24 * 0.6)]  # needed in more than 60 % of the hours
    assert float(lines["provisioned throughput, committed"].quantity) == base * 24
    assert float(lines["provisioned throughput"].quantity) == np.maximum(hours - base, 0).sum()
    assert "input tokens" not in lines
    drawn = found.curves.api_usd_per_day(
        next(c.number for c in found.ranking.contenders if "provisioned" in found.option_id(c)), np.array([1e7, 1e2])
    )
    assert drawn[0] == pytest.approx(usd(found, "api:acme/big@provisioned"))
    assert drawn[1] == pytest.approx(24 * 6)


def test_provisioned_throughput_is_drawn_and_today_at_the_middle_costs_what_its_bill_says(laid):
    away = Availability(apis={"*": 0.95})
    found = answer(laid(UNITS), work(1e7), kinds=("api",), models=("big",), availability=away)
    (one,) = [one for one in ranges(found).classes if "api:acme/big@provisioned" in {o.option for o in one.options}]
    units = one.of("api:acme/big@provisioned")
    assert units.usd_per_day_low < units.usd_per_day_high
    members = _members(found, one.group, 24)
    contest, _ = contest_of(drawing_of(found, members, 0, 8), one.group, members)
    cost = contest.usd_per_day(middle(contest.rows), np.zeros(1))[:, 0]
    assert cost == pytest.approx([c.usd_per_day for c in members])
    place = next(n for n, c in enumerate(members) if "provisioned" in found.option_id(c))
    longer = replace(middle(contest.rows), log_output=np.log(np.array([2.0])))  # 100 out fill a unit as 500 in do
    drawn = contest.usd_per_day(longer, np.zeros(1))[place, 0] - cost[place]
    once, twice = (
        usd(answer(laid(UNITS), work(volume), kinds=("api",), models=("big",)), "api:acme/big@provisioned")
        for volume in (1e7, 2e7)
    )
    assert drawn == pytest.approx(twice - once)


def test_provisioned_throughput_is_known_to_keep_a_target_only_where_it_was_measured(laid):
    fields = {"kinds": ("api",), "models": ("big",)}
    unknown = answer(laid(UNITS), work(ttft_s=1.0), **fields)
    assert unknown.explain("api:acme/big@provisioned").meets_slo is None
    measured = {"acme/*": ApiLatency(ttft_s=0.5)}
    assert answer(laid(UNITS), work(ttft_s=1.0), api_latency=measured, **fields).ranking.contenders[0].meets_slo


def test_provisioned_throughput_without_a_price_is_refused(laid):
    with pytest.raises(SpecError, match="has no price"):
        laid("\n".join(line for line in UNITS.splitlines() if "usd" not in line))


def test_the_schema_knows_what_is_committed():
    assert "committed_machines" in json_schema()["$defs"]["Capacity"]["properties"]


def test_a_start_longer_than_an_hour_is_refused():
    with pytest.raises(SpecError, match=r"startup_minutes is 61"):
        Policy(startup_minutes=61.0)


def test_work_that_may_wait_less_than_an_hour_is_refused():
    with pytest.raises(SpecError, match=r"within_h is 0\.5"):
        Batch(requests_per_day=1.0, within_h=0.5)


def test_nothing_is_left_where_every_api_is_limited(plan_small):
    with pytest.raises(NoDataError, match="rate limit"):
        plan_small(work(), kinds=("api",), models=("big",), api_limits={"*": ApiLimit(requests_per_minute=1.0)})
