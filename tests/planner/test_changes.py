"""What a measurement changed is told: dollars and rank before and after, who came, who went, who wins."""

from dataclasses import replace

import pytest

from breakeven.performance.calibration import typical_parameters
from breakeven.performance.measured import table_of
from breakeven.performance.posterior import updated
from breakeven.planner import plan
from breakeven.planner.changes import Change, Changes, Side, changes
from breakeven.report.answer import answer
from breakeven.report.changed import changed_sentences
from breakeven.report.words import usd
from breakeven.workload.policy import Only, Policy
from breakeven.workload.profile import Slo, Workload

WORK = Workload.of(requests_per_day=3e6, input_tokens=1000, output_tokens=300)
MINE = {"gpu": "H100-SXM", "output_tokens_per_s": "", "ttft_s": ""}
ONLY = Only(models=("llama3-8b",), machines=("p5.*",))


@pytest.fixture
def planned(shipped, runs_csv):
    """The plan after a measurement of that pace, with what it changed."""

    def run(tpot_s, work=WORK, policy=None, **row):
        rows = runs_csv(MINE | {"tpot_s": str(tpot_s)} | row)
        parameters = updated(typical_parameters(), table_of(rows, shipped, "mine"))
        policy = policy or Policy(only=ONLY)
        before, after = plan(work, shipped, policy), plan(work, shipped, policy, parameters=parameters)
        return replace(after, measured=changes(before, after)), before

    return run


def hosted(found):
    return [one for one in found.measured.changed if one.kind == "hosted"]


def test_a_slow_measurement_makes_its_line_dearer_and_says_from_what_to_what(planned):
    after, before = planned(0.05)
    (one,) = hosted(after)
    assert one.line == "llama3-8b"
    was = next(c for c in before.ranking.contenders if c.kind == "hosted")
    now = next(c for c in after.ranking.contenders if c.kind == "hosted")
    assert (one.before.usd_per_day, one.before.rank) == (was.usd_per_day, was.rank)
    assert (one.after.usd_per_day, one.after.rank) == (now.usd_per_day, now.rank)
    assert one.after.usd_per_day > one.before.usd_per_day
    said = " ".join(answer(after))
    assert "Your measurements changed the dollars of" in said
    was_usd, now_usd = usd(one.before.usd_per_day), usd(one.after.usd_per_day)
    assert f"llama3-8b, self-hosted: {was_usd} a day before, {now_usd} now" in said


def test_a_fast_measurement_makes_it_cheaper(planned):
    (one,) = hosted(planned(0.004)[0])
    assert one.after.usd_per_day < one.before.usd_per_day


def test_a_measurement_of_something_else_changes_nothing_and_says_so(planned):
    after, _ = planned(0.05, model="unheard-of")
    assert after.measured.changed == ()
    assert any("changed no line of the ranking" in sentence for sentence in answer(after))


def test_lines_that_only_changed_places_are_no_change_of_dollars_and_not_nothing():
    def at(rank):
        return Side(option="x", usd_per_day=10.0, rank=rank)

    moved = Change(kind="hosted", line="llama3-8b", before=at(2), after=at(1))
    found = Changes(lines=3, changed=(moved,), winner_before="x", winner_after="x")
    assert changed_sentences(found) == ("Your measurements changed no dollars of the ranking, and the rank of 1 line.",)


def test_without_a_measurement_nothing_is_said(shipped):
    found = plan(WORK, shipped, Policy(only=ONLY))
    assert found.measured is None
    assert not any("Your measurements" in sentence for sentence in answer(found))


def test_a_line_that_misses_the_target_as_measured_no_longer_competes(planned):
    work = Workload.of(requests_per_day=3e6, input_tokens=1000, output_tokens=300, slo=Slo(tpot_s=0.02))
    after, before = planned(0.3, work=work)
    assert any(c.kind == "hosted" for c in before.ranking.contenders)
    (gone,) = hosted(after)
    assert gone.after is None
    assert any("no longer competes at what you measured" in sentence for sentence in answer(after))


def test_a_winner_that_changes_is_named_before_and_after(planned):
    after, before = planned(0.3, policy=Policy(only=ONLY, at_least=1.0))
    old, new = before.option_id(before.ranking.winner), after.option_id(after.ranking.winner)
    assert old != new
    told = next(sentence for sentence in answer(after) if sentence.startswith("Your measurements"))
    assert f"The winner was {old} and is now {new}." in told
