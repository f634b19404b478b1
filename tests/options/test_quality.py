import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.errors import UnknownNameError
from breakeven.options.quality import OWN_SCALE, UNKNOWN_CLASS, Quality, quality_of
from breakeven.workload.policy import Policy


def test_a_class_of_the_arena_scale_is_fifty_points_wide(small_catalogue):
    quality = quality_of(small_catalogue, Policy())
    assert quality.class_of(1260.0) == "1250-1299"
    assert quality.class_of(1250.0) == "1250-1299"
    assert quality.class_of(1249.9) == "1200-1249"


def test_a_model_without_a_score_is_in_a_class_of_its_own(small_catalogue):
    quality = quality_of(small_catalogue, Policy())
    assert math.isnan(quality.score("flan-ul2"))
    assert math.isnan(quality.score(None))
    assert quality.class_of(quality.score("flan-ul2")) == UNKNOWN_CLASS


def test_a_floor_can_be_a_model_whose_score_is_known(small_catalogue):
    quality = quality_of(small_catalogue, Policy(at_least="llama-70b"))
    assert quality.floor == 1260.0
    assert "llama-70b" in quality.floor_words


def test_a_floor_of_an_unscored_model_is_refused_with_near_matches(small_catalogue):
    with pytest.raises(UnknownNameError, match="llama-70b"):
        quality_of(small_catalogue, Policy(at_least="llama-70"))


def test_a_scale_that_nobody_published_is_refused(small_catalogue):
    with pytest.raises(UnknownNameError, match="lmarena-text"):
        quality_of(small_catalogue, Policy(quality_scale="lmarena"))


def test_the_users_own_scores_replace_the_published_ones(small_catalogue):
    quality = quality_of(small_catalogue, Policy(scores={"flan-ul2": 7.0, "llama-8b": 4.0}, at_least=5.0))
    assert quality.scale == OWN_SCALE
    assert quality.score("flan-ul2") == 7.0
    assert math.isnan(quality.score("llama-70b"))
    assert quality.floor == 5.0


def test_classes_of_another_scale_have_a_round_width(small_catalogue):
    # 0.9 - 0.2 = 0.7 in ten classes is 0.07; the next round width is 0.1
    quality = quality_of(small_catalogue, Policy(scores={"a": 0.2, "b": 0.9}))
    assert quality.class_width == pytest.approx(0.1)


@given(st.floats(0, 3000), st.sampled_from([1.0, 2.0, 5.0, 20.0, 50.0]))
def test_a_class_holds_the_score_it_is_named_for(score, width):
    quality = Quality(scale="s", scores={}, floor=None, floor_words="", class_width=width)
    low = float(quality.class_of(score).split("-")[0])
    assert low <= score < low + width
