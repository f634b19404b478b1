import numpy as np

from breakeven.options.ruling import EXAMPLES, Ruling


def test_a_reason_counts_the_options_that_its_rows_stand_for():
    ruling = Ruling()
    alive = np.array([True, True, False, True])
    left = ruling.exclude(alive, np.array([True, False, True, True]), "too big", str, np.array([2, 3, 5, 7]))
    assert left.tolist() == [False, True, False, False]
    assert [(r.because, r.count) for r in ruling.rejected] == [("too big", 2 + 7)]  # row 2 was out before: not again


def test_nobody_is_ruled_out_twice():
    ruling = Ruling()
    alive = np.ones(4, dtype=bool)
    weights = np.ones(4, dtype=np.int64)
    alive = ruling.exclude(alive, np.array([True, True, False, False]), "first reason", str, weights)
    alive = ruling.exclude(alive, np.array([True, True, True, False]), "second reason", str, weights)
    assert {r.because: r.count for r in ruling.rejected} == {"first reason": 2, "second reason": 1}
    assert ruling.count + int(alive.sum()) == 4


def test_a_reason_that_hits_nobody_is_not_told():
    ruling = Ruling()
    ruling.exclude(np.ones(2, dtype=bool), np.zeros(2, dtype=bool), "never", str, np.ones(2, dtype=np.int64))
    ruling.add("nor this", 0, ["x"])
    assert ruling.rejected == ()


def test_examples_are_few_and_reach_from_the_first_row_to_the_last():
    ruling = Ruling()
    out = np.ones(100, dtype=bool)
    ruling.exclude(out, out, "all", lambda row: f"row {row}", np.ones(100, dtype=np.int64))
    (found,) = ruling.rejected
    assert len(found.examples) == EXAMPLES
    assert found.examples[0] == "row 0"
    assert found.examples[-1] == "row 99"


def test_an_example_is_told_once_even_if_many_rows_read_alike():
    ruling = Ruling()
    out = np.ones(100, dtype=bool)
    ruling.exclude(out, out, "all", lambda _: "the same", np.ones(100, dtype=np.int64))
    assert ruling.rejected[0].examples == ("the same",)


def test_the_most_frequent_reason_comes_first_and_ties_are_in_order_of_words():
    ruling = Ruling()
    for because, count in (("b", 1), ("rare", 1), ("frequent", 9), ("a", 1)):
        ruling.add(because, count, [because])
    assert [r.because for r in ruling.rejected] == ["frequent", "a", "b", "rare"]
