import io

import msgspec
import pytest
from rich.console import Console

from breakeven import Policy, Workload, plan
from breakeven.planner.ranges import ranges
from breakeven.planner.spread import Commitment, CrossoverRange, Measurement, OptionRange
from breakeven.report.document import plan_document, to_json
from breakeven.report.explained import print_verdict
from breakeven.report.page import html_page
from breakeven.report.spread import band_words, break_even_range, commitment_sentence, next_step, range_sentences
from breakeven.report.tables import print_plan
from breakeven.workload.policy import Only


def table(answer, drawn):
    out = io.StringIO()
    print_plan(answer, Console(file=out, width=100), 5, drawn)
    return " ".join(out.getvalue().split())


def measured(name, usd):
    return Measurement(configuration=name, option=name, usd_per_day=usd / 365, usd_over_horizon=usd, informs=0)


def test_the_next_step_names_the_benchmark_and_what_it_is_worth():
    rows = (measured("llama-3.3-70b fp8 on p5.48xlarge", 1240.0), measured("other", 72.0))
    assert next_step(rows, 12) == (
        "Next step: benchmark llama-3.3-70b fp8 on p5.48xlarge: worth up to $1,240 over the year; everything else "
        "under $100.00."
    )


def test_where_no_benchmark_is_worth_its_while_that_is_said():
    assert next_step((measured("a", 3.0),), 6).startswith(
        "Next step: no benchmark is worth more than $3.00 over 6 months"
    )
    assert next_step((), 12) == ""


def test_a_round_figure_for_the_others_is_never_above_the_first():
    told = next_step((measured("a", 27_213.0), measured("b", 26_900.0)), 12)
    assert told.endswith("; the next best up to $26,900.")


@pytest.mark.parametrize(
    ("later", "months", "told"),
    [
        (900.0, 3, "wait with host:r: the year costs $1,000 on the mean when committed now, $900.00 with 3 months on"),
        (900.0, 12, "$900.00 with no commitment within the year"),
        (1100.0, 1, "take host:r now: the year costs $1,000 on the mean when committed now, $1,100 with 1 month on"),
    ],
)
def test_whether_to_commit_or_to_wait_is_one_sentence_with_its_figures(later, months, told):
    found = Commitment(
        reserved="host:r",
        on_demand="host:f",
        now_usd_per_year=1000.0,
        later_usd_per_year=later,
        wait_months=months,
        never_usd_per_year=1200.0,
        chance_waiting_pays=0.25,
    )
    sentence = commitment_sentence(found)
    assert told in sentence
    assert "waiting pays in 25 % of the cases" in sentence


def test_a_break_even_that_may_never_come_says_how_often():
    found = CrossoverRange(
        left="api:a",
        requests_per_day_low=1000.0,
        requests_per_day_mid=2000.0,
        requests_per_day_high=None,
        chance_never=0.2,
    )
    assert break_even_range(found).endswith("in 20 % of the cases self-hosting never stays cheaper.")
    never = msgspec.structs.replace(found, requests_per_day_low=None, chance_never=0.95)
    assert break_even_range(never) == "In 95 % of the cases self-hosting never stays cheaper."
    assert break_even_range(None) == ""


def test_a_band_that_is_not_known_is_called_unknown():
    option = OptionRange(
        option="host:x",
        usd_per_day_today=5.0,
        usd_per_day_low=None,
        usd_per_day_mid=None,
        usd_per_day_high=None,
        usd_per_day_mean=None,
        chance_cheapest=0.5,
        regret_usd_per_day=0.0,
        speed_band_known=False,
    )
    assert band_words(option) == "unknown"


def test_the_table_shows_bands_over_the_horizon_and_says_what_they_were_drawn_from(shipped_plan, shipped_ranges):
    text = table(shipped_plan, shipped_ranges)
    assert "RANGE: THE NEXT 12 MONTHS" in text
    assert "12m, 80 %" in text
    assert "what it hangs on" in text
    assert "uncertainty.growth" in text
    for sentence in range_sentences(shipped_ranges.classes[0], 12):
        assert sentence.split(":")[0] in text
    plain = table(shipped_plan, None)
    assert "RANGE" not in plain
    assert "80 % band" in plain


def test_every_class_has_a_line_where_there_are_several(shipped):
    work = Workload.of(requests_per_day=1e6, input_tokens=1500, output_tokens=400)
    several = plan(work, shipped, Policy())
    found = ranges(several)
    text = table(several, found)
    assert all(one.group in text for one in found.classes)
    assert b"Range: the next 12 months" in html_page([several], [1], [found])


def test_one_option_is_explained_with_its_band_its_chance_and_its_regret(shipped_plan, shipped_ranges):
    out = io.StringIO()
    print_verdict(shipped_plan.explain("1"), shipped_plan, Console(file=out, width=100), shipped_ranges)
    text = out.getvalue()
    assert "next 12 months" in text
    assert "cheapest of its class" in text
    assert "expected regret" in text
    out = io.StringIO()
    last = shipped_plan.verdict(shipped_plan.ranking.contenders[-1])
    print_verdict(last, shipped_plan, Console(file=out, width=100), shipped_ranges)
    assert "not drawn" in out.getvalue()


def test_the_document_holds_the_ranges_or_says_that_there_are_none(shipped_plan, shipped_ranges):
    with_ranges = msgspec.json.decode(to_json((plan_document(shipped_plan, 2, shipped_ranges),)))
    assert with_ranges["ranges"]["seed"] == 0
    (one,) = with_ranges["ranges"]["classes"]
    assert sum(option["chance_cheapest"] for option in one["options"]) == pytest.approx(1)
    assert msgspec.json.decode(to_json((plan_document(shipped_plan, 2),)))["ranges"] is None


def test_the_page_draws_the_tornado_and_tells_its_numbers(shipped_plan, shipped_ranges):
    html = html_page([shipped_plan], [3], [shipped_ranges]).decode()
    assert "What the answer hangs on" in html
    assert "towards the low end of the input" in html
    for swing in shipped_ranges.classes[0].tornado:
        assert swing.input in html
    assert "What the answer hangs on" not in html_page([shipped_plan], [3]).decode()


def test_a_choice_that_nothing_can_beat_says_so_and_needs_no_commitment(shipped):
    work = Workload.of(requests_per_day=1000, input_tokens=100, output_tokens=10)
    only = Only(models=("llama-3.3-70b",), providers=("deepinfra",), tiers=("standard",))
    (one,) = ranges(plan(work, shipped, Policy(at_least=1200.0, only=only))).classes
    told = " ".join(range_sentences(one, 12))
    assert one.chosen.startswith("api:")
    assert "in no case is another of the" in told
    assert "no benchmark would change the choice" in told
    assert one.commitment is None
