import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.errors import SpecError
from breakeven.workload.success import Answers, Checker, CountedSuccess, QualitySpec, counted, wilson


@given(right=st.integers(0, 500), more=st.integers(0, 500))
def test_the_interval_holds_the_share_and_stays_within_0_and_1(right, more):
    answers = max(right + more, 1)
    low, high = wilson(right / answers, answers)
    assert 0 <= low <= right / answers <= high <= 1
    assert low < high


@given(right=st.integers(1, 50), more=st.integers(1, 50), times=st.integers(2, 20))
def test_more_answers_make_the_interval_narrower(right, more, times):
    few, many = (wilson(right / (right + more), n * (right + more)) for n in (1, times))
    assert many[1] - many[0] < few[1] - few[0]


def test_the_interval_is_the_published_one():
    """Newcombe, Statistics in Medicine 17 (1998), method 3: 81 of 263 at 95 % is 0.2553 to 0.3662."""
    assert wilson(81 / 263, 263, z=1.959964) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    low, high = wilson(81 / 263, 263)  # ours is one of 80 %
    assert 0.2553 < low < 81 / 263 < high < 0.3662


def test_a_count_of_right_answers_has_an_interval_and_a_bare_rate_has_none():
    many, few = CountedSuccess(answers=200, right=180), CountedSuccess(answers=50, rate=0.9)
    found = QualitySpec(success={"a": 0.9, "b": many, "c": few}).answers().success
    assert (found["a"].rate, found["a"].low, found["a"].answers) == (0.9, None, None)
    assert found["b"] == counted(0.9, 200)
    assert found["c"].low < found["b"].low


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: CountedSuccess(answers=0, right=0), "answers is 0"),
        (lambda: CountedSuccess(answers=10), "neither right nor rate"),
        (lambda: CountedSuccess(answers=10, right=9, rate=0.9), "right and rate"),
        (lambda: CountedSuccess(answers=10, right=11), "right is 11 of 10 answers"),
        (lambda: Answers(success={"m": counted(0.5, 10), "n": counted(0.5, 10)}, floor=90), "quality.floor is 90"),
        (lambda: QualitySpec(success={"m": 92.0}).answers(), "quality.success.m is 92"),
        (lambda: Answers(retries=-1), "quality.retries is -1"),
        (lambda: Answers(retries=1000), "quality.retries is 1000"),
        (lambda: Answers(shared_failures=1.5), "quality.shared_failures is 1.5"),
        (lambda: Checker(sensitivity=0.3, specificity=0.6), "right answers are sent back more often"),
        (lambda: Checker(usd_per_answer=-1), "checker.usd_per_answer is -1"),
    ],
)
def test_what_cannot_be_a_success_rate_is_refused_with_its_name(wrong, told):
    with pytest.raises(SpecError, match=told):
        wrong()
