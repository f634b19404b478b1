"""What own rows tell of others: asked of publishers whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

import learning
from breakeven.performance.calibration import Effect, typical_parameters
from breakeven.performance.measured import TARGETS, table_of
from breakeven.performance.table import predict_runs

GPUS = ("A100-40", "A100-80", "H100-SXM", "H100-NVL", "H200", "GH200-96", "L4", "L40S", "A10G", "RTX4090")
MODELS = ("llama3-8b", "mistral-7b")
CLIENTS = (1, 2, 4, 8, 16, 32, 64)
SILENT = {"output_tokens_per_s": "", "ttft_s": "", "tpot_s": ""}
WIDTH = 0.6


@pytest.fixture(scope="module")
def strangers(shipped, runs_csv):
    """Publishers of two models on a GPU each, whose engine and groups differ from the calibration as ``own`` says."""
    names = [(gpu, model, str(clients)) for gpu in GPUS for model in MODELS for clients in CLIENTS]
    rows = [
        {"id": f"{gpu}:{model}-{n}", "gpu": gpu, "model": model, "concurrency": n, **SILENT} for gpu, model, n in names
    ]
    known, random = typical_parameters(), np.random.default_rng(5)
    table = table_of(runs_csv(*rows), shipped, "strangers")
    usual = predict_runs(table.runs, known)
    effects = {}
    for quantity, width in known.own.items():
        engines = {(gpu,): np.exp(width * random.standard_normal()) for gpu in GPUS}
        groups = {(gpu, model): np.exp(width * random.standard_normal()) for gpu in GPUS for model in MODELS}
        own = [Effect(axes=a, factors=f, counts={}) for a, f in ((("gpu",), engines), (("gpu", "model"), groups))]
        effects[quantity] = (*known.effects.get(quantity, ()), *own)
    true = predict_runs(table.runs, replace(known, effects=effects))
    observed = {t: getattr(true, t) * np.exp(random.normal(0, 0.03, len(rows))) for t in TARGETS}
    errors = np.stack([np.log(getattr(usual, t) / observed[t]) for t in TARGETS])
    return learning.Strangers(
        table=replace(table, observed=observed),
        parameters=known,
        errors=errors,
        widths=np.full(errors.shape, WIDTH),
    )


@pytest.fixture(scope="module")
def told(strangers):
    """The judgement."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(learning, "COUNTS", (1, 4))
        patched.setattr(learning, "GROUPS", (1,))
        patched.setattr(learning, "DRAWS", 1)
        yield learning.learnt(strangers)


def test_every_group_is_asked_with_rows_of_its_own_and_of_the_publisher_s_other_one(told):
    assert {(one.target, one.rows, one.groups) for one in told.same} == {(t, n, 20) for t in TARGETS for n in (1, 4)}
    assert {(one.target, one.rows, one.groups) for one in told.others} == {(t, 1, 20) for t in TARGETS}


def test_rows_of_a_group_tell_of_its_rest_and_four_tell_more_than_one(told):
    for target in TARGETS:
        one, four = (found for found in told.same if found.target == target)
        assert four.median_after < one.median_after < 0.7 * one.median_before
        assert four.median_after < 0.5 * four.median_before
        assert four.remaining < one.remaining < 1


def test_rows_of_one_model_tell_of_another_under_the_engine_but_less(told):
    same = [found for found in told.same if found.rows == 1]
    assert [found.target for found in same] == [found.target for found in told.others]
    for one, other in zip(same, told.others, strict=True):
        assert one.mean_after < other.mean_after < other.mean_before
        assert other.remaining == 1


def test_the_narrowed_band_holds_about_what_it_states_of_publishers_it_was_not_read_off(told):
    inside = np.array([found.inside for found in told.same])
    assert np.all(inside > 0.65)
    assert np.mean(inside) == pytest.approx(0.8, abs=0.08)


def test_before_is_the_error_as_it_was_of_rows_that_were_not_measured(strangers):
    asked = next(learning._in_group(strangers, 4))
    assert len(asked.measured) == 4
    assert not set(asked.measured) & set(asked.told)
    assert asked.counts["tpot_s"] == pytest.approx(4)
    assert 0 < asked.counts["ttft_s"] < 4  # a burst explains a part of it
    found = learning._judged(strangers, {4: [asked]}, TARGETS[2], 4, lambda *_: 1.0)
    assert found.median_before == pytest.approx(np.median(np.abs(np.expm1(strangers.errors[2][asked.told]))))
    assert found.inside == np.mean(np.abs(asked.after[2]) <= WIDTH)


def test_only_publishers_that_may_be_looked_at_tell_what_remains(strangers, monkeypatch):
    monkeypatch.setattr(learning, "FEWEST", 1)

    def asked(publisher, off, count):
        rows = np.flatnonzero(np.array(strangers.table.file) == publisher)
        after = np.full((3, len(rows) - 1), off)
        counts = dict.fromkeys(TARGETS, 1.4 * count)
        return learning.Asked(
            publisher=publisher, group=0, measured=rows[:1], told=rows[1:], after=after, counts=counts
        )

    answers = {count: [asked("L4", 0.1, count), asked("H200", 0.5, count)] for count in learning.COUNTS}
    remaining = learning.learning_of(strangers, answers, {"L4"})["remaining"]
    assert list(remaining.values()) == pytest.approx([0.1 / WIDTH] * len(remaining))


def test_a_share_is_not_read_off_few_groups(strangers):
    def asked(group, off, count):
        counts, rows = dict.fromkeys(TARGETS, float(count)), np.arange(7)
        after = np.full((3, 6), off)
        return learning.Asked(publisher="L4", group=group, measured=rows[:1], told=rows[1:], after=after, counts=counts)

    many = [asked(group, 0.3, 1) for group in range(learning.FEWEST)]
    few = [asked(group, 0.1, 8) for group in range(learning.FEWEST - 1)]
    remaining = learning.learning_of(strangers, {1: many, 8: few})["remaining"]
    assert list(remaining.values()) == pytest.approx([0.3 / WIDTH] * len(remaining))


def test_a_share_read_off_many_groups_holds_what_it_states_of_others(strangers):
    random = np.random.default_rng(7)

    def asked(group):
        scale = 0.2 * random.standard_t(3)
        after = np.stack([scale + random.normal(0, 0.1, 6)] * 3)
        counts = dict.fromkeys(TARGETS, 1.0)
        return learning.Asked(
            publisher="L4", group=group, measured=np.arange(1), told=np.arange(1, 7), after=after, counts=counts
        )

    here, there = ([asked(group) for group in range(300)] for _ in range(2))
    shares = learning.learning_of(strangers, {1: here})["remaining"]
    for target in TARGETS:
        found = learning._judged(strangers, {1: there}, target, 1, lambda _, t: shares[f"{t} | 1"])
        assert found.inside == pytest.approx(0.8, abs=0.04)
        assert 0 < found.remaining < 1
