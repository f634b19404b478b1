import math
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven import errors
from breakeven.errors import LARGEST_NUMBER, BreakevenError, SpecError, UnknownNameError, near_matches

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.", min_size=2, max_size=12)


def test_the_tree_drawn_at_the_top_is_the_tree_there_is():
    drawn = set(re.findall(r"\w+Error", errors.__doc__))
    assert drawn == {"BreakevenError"} | {kind.__name__ for kind in BreakevenError.__subclasses__()}


def test_an_error_says_what_was_given_what_was_expected_and_what_to_do():
    told = str(SpecError("traffic is 0", expected="more than 0", do="Give traffic"))
    assert told == "traffic is 0. Expected: more than 0. Give traffic."


@pytest.mark.parametrize("end", [".", "?", "!"])
def test_a_sentence_that_ends_gets_no_second_full_stop(end):
    assert str(SpecError(f"a{end}", expected=f"b{end}", do=f"c{end}")) == f"a{end} Expected: b{end} c{end}"


def test_an_unknown_name_is_told_with_those_that_look_like_it():
    wrong = UnknownNameError("model", "gpt4o", ["gpt-4o", "flan-ul2", "GPT-4.1"])
    assert str(wrong).startswith("model 'gpt4o' is not in the catalogue. Expected: one of 3 known models.")
    assert str(wrong).endswith("Did you mean: gpt-4o?")


def test_an_unknown_name_that_looks_like_nothing_says_where_the_names_are_listed():
    listed = str(UnknownNameError("model", "zzzz", ["gpt-4o"], search="breakeven catalogue search"))
    assert listed.endswith("`breakeven catalogue search` lists them.")
    assert str(UnknownNameError("model", "zzzz", ["gpt-4o"])).endswith("Check the spelling.")


def test_thousands_of_known_names_are_not_read_out():
    assert len(str(UnknownNameError("model", "name-77", [f"name-{n}" for n in range(5000)]))) < 200


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [
        ("GPT-4O", ["gpt-4o"], ["gpt-4o"]),  # case does not matter
        ("70b", ["llama-3.3-70b", "llama-8b"], ["llama-3.3-70b"]),  # part of a name
        ("h100sxm", ["H100-SXM", "T4"], ["H100-SXM"]),  # the catalogue's own spelling comes back
        ("x", ["max"], []),  # one letter looks like nothing
        ("", ["a", "b"], []),
    ],
)
def test_near_matches(name, known, near):
    assert near_matches(name, known) == near


@given(NAMES, st.lists(NAMES, max_size=30))
def test_near_matches_are_few_known_names(name, known):
    near = near_matches(name, known)
    assert len(near) <= 4
    assert set(near) <= set(known)


@given(NAMES, st.lists(NAMES, max_size=30))
def test_the_very_name_is_always_the_nearest(name, known):
    assert near_matches(name, [*known, name])[0] == name


@given(st.floats())
def test_a_figure_is_odd_if_it_is_negative_endless_or_no_number(value):
    fits = not math.isnan(value) and 0 <= value <= LARGEST_NUMBER
    if fits:
        errors.refuse_odd_number("watts", value)
    else:
        with pytest.raises(SpecError, match=r"^watts is "):
            errors.refuse_odd_number("watts", value)


@pytest.mark.parametrize(
    "value", [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-1"), Decimal("1e999")]
)
def test_an_odd_decimal_is_refused_whatever_its_kind(value):
    with pytest.raises(SpecError):
        errors.refuse_odd_number("usd", value)


def test_zero_is_refused_only_where_it_makes_no_sense():
    errors.refuse_odd_number("watts", 0)
    errors.refuse_odd_number("watts", None, above_zero=True)
    with pytest.raises(SpecError, match=r"watts is 0\. Expected: more than 0"):
        errors.refuse_odd_number("watts", 0, above_zero=True)
